"""A portal and an account connected, their doors, and the application that opens them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit
from uuid import UUID

import httpx
import pytest

from api.app import create_app
from sandbox.server import Sandbox
from sandbox.vendors import php
from sync.inbox.desk import Received, received
from sync.inbox.doors import open_door
from sync.inbox.process import Processed, process_inbox
from sync.jobs import Jobs
from tests.sync.conftest import Bench

FORM = {"content-type": "application/x-www-form-urlencoded"}


@dataclass
class Street:
    """The application without a worker, and one connection's door in it."""

    bench: Bench
    market: Sandbox
    http: httpx.AsyncClient
    jobs: Jobs
    vendor: str
    connection: UUID
    path: str

    @property
    def token(self) -> str:
        return self.market.credentials["bitrix24"]["application_token"]

    def event(self, name: str, id_: object, ts: int = 1_700_000_000, token: str | None = None) -> bytes:
        """One event of the portal."""
        body = {
            "event": name,
            "data": {"FIELDS": {"ID": str(id_)}},
            "ts": str(ts),
            "auth": {"domain": "portal.example", "application_token": self.token if token is None else token},
        }
        return urlencode(php.encode_brackets(body)).encode()

    async def knock(self, content: bytes, path: str | None = None, **headers: str) -> httpx.Response:
        return await self.http.post(path or self.path, content=content, headers=FORM | headers)

    async def process(self) -> Processed:
        return await process_inbox(self.bench.office, self.bench.workspace, self.connection)

    async def kept(self) -> list[Received]:
        return await received(self.bench.office, self.bench.workspace, self.connection)

    def ids(self, entity: str, most: int = 5) -> list[str]:
        """Ids of records that are there."""
        with self.market.truth() as truth:
            found = sorted({int(record.vendor_id) for record in truth.records(self.vendor, entity)})
        return [str(id) for id in found[:most]]


@pytest.fixture
async def jobs(bench: Bench) -> AsyncIterator[Jobs]:
    async with Jobs(bench.office).opened() as opened:
        yield opened


async def street(bench: Bench, jobs: Jobs, market: Sandbox, vendor: str) -> Street:
    connection = await bench.connect(market, vendor)
    door = await open_door(bench.office, bench.workspace, connection)
    transport = httpx.ASGITransport(app=create_app(bench.office, jobs))
    http = httpx.AsyncClient(transport=transport, base_url="http://skvoz")
    return Street(bench, market, http, jobs, vendor, connection, urlsplit(door.url).path)


@pytest.fixture
async def portal(bench: Bench, jobs: Jobs, market: Sandbox) -> AsyncIterator[Street]:
    """A Bitrix24 portal that nobody may change, connected and not yet read."""
    made = await street(bench, jobs, market, "bitrix24")
    yield made
    await made.http.aclose()


class Desk:
    """A person at work in the vendor's own system: over its API."""

    def __init__(self, market: Sandbox) -> None:
        self._market = market
        self._http = httpx.Client(timeout=20)

    def bitrix24(self, method: str, **params: Any) -> Any:
        url = self._market.credentials["bitrix24"]["webhook_url"]
        answer = self._http.post(f"{url}{method}", json=params)
        answer.raise_for_status()
        return answer.json()["result"]

    def amocrm(self, method: str, path: str, body: Any) -> Any:
        told = self._market.credentials["amocrm"]
        answer = self._http.request(
            method,
            f"{told['base_url']}/api/v4/{path}",
            content=json.dumps(body),
            headers={"Authorization": f"Bearer {told['access_token']}"},
        )
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def switch(self, vendor: str, **values: object) -> None:
        self._http.put(f"{self._market.base_url}/{vendor}/_switches", json=values).raise_for_status()

    def close(self) -> None:
        self._http.close()
