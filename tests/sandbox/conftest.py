"""One emulated vendor over real HTTP, in a world to which a test tells its own happenings."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import Receive, Scope, Send

from sandbox.running import RunningWorld
from sandbox.vendors.contract import Vendor
from sandbox.world.happenings import Happening
from sandbox.world.stream import Plan

QUIET = Plan(seed=7, calls=0, start=date(2026, 3, 2), days=1)  # a market in which nobody does anything


class Door:
    """A server for all tests of a run, because starting one takes longer than most of them."""

    def __init__(self) -> None:
        self.app = Starlette()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._server = uvicorn.Server(
            uvicorn.Config(self._serve, log_config=None, lifespan="off", interface="asgi3")
        )
        self._thread = Thread(target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True)
        self._thread.start()
        while not self._server.started:
            time.sleep(0.002)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()


class Stage:
    """A served vendor: ``world`` to look into, ``http`` to ask it, ``happen`` to let things happen."""

    def __init__(self, door: Door, home: Path, vendor: Vendor, limits: float, plan: Plan) -> None:
        self.vendor = vendor
        self.world = RunningWorld(home, plan, {vendor.key: vendor}, limits=limits)
        self.projection = vendor.projection(self.world)
        door.app = Starlette(routes=[Mount(f"/{vendor.key}", vendor.app(self.world))])
        self.base_url = f"{door.url}/{vendor.key}"
        self.http = httpx.Client(timeout=10)

    @property
    def credentials(self) -> dict[str, str]:
        return self.vendor.credentials(self.world, self.base_url)

    def happen(self, *happenings: Happening) -> None:
        """Let the vendor see these, in one transaction."""
        with self.world.transaction() as db:
            for happening in happenings:
                self.projection.apply(happening, db)

    def switch(self, **values: object) -> None:
        """Turn the vendor's switches."""
        answer = self.http.put(f"{self.base_url}/_switches", json=values)
        assert answer.status_code == 200, answer.text

    def person_of(self, entity: str, vendor_id: int | str) -> int | None:
        """The person whom the truth knows behind a record."""
        row = self.world.db.execute(
            "SELECT person FROM truth_record WHERE vendor = ? AND entity = ? AND vendor_id = ?",
            (self.vendor.key, entity, str(vendor_id)),
        ).fetchone()
        assert row is not None, f"the truth knows no {entity} {vendor_id}"
        person: int | None = row[0]
        return person

    def truth(self, sql: str) -> list[Any]:
        """The first column of a query on the truth."""
        return [row[0] for row in self.world.db.execute(sql)]

    def close(self) -> None:
        self.http.close()
        self.world.close()


@pytest.fixture(scope="session")
def door() -> Iterator[Door]:
    """The server, which serves the stage that was set up last."""
    one = Door()
    yield one
    one.close()


@pytest.fixture
def stage(door: Door, tmp_path: Path) -> Iterator[Callable[..., Stage]]:
    """Serves a vendor: ``stage(VENDOR, limits=0)``."""
    stages: list[Stage] = []

    def serve(vendor: Vendor, *, limits: float = 0, plan: Plan = QUIET) -> Stage:
        stages.append(Stage(door, tmp_path / vendor.key, vendor, limits, plan))
        return stages[-1]

    yield serve
    for one in stages:
        one.close()
