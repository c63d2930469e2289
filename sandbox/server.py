"""The sandbox as a server: all emulated vendors on one port, each under its key.

>>> with start(home, seed=7, calls=1000, days=90) as sandbox:
...     settings = sandbox.credentials["calltouch"]  # base_url, site_id, token
...     with sandbox.truth() as truth:
...         totals = truth.campaign_totals(date(2026, 3, 1), date(2026, 4, 1))
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from threading import Thread
from time import sleep
from typing import Any

import httpx
import uvicorn
from starlette.routing import Mount, Router
from starlette.types import ASGIApp

from sandbox.control import control_app
from sandbox.faults import FaultGate, FaultPlan
from sandbox.running import Progress, RunningWorld, Webhook, open_to_read, read_plan
from sandbox.truth import Truth
from sandbox.vendors import discover
from sandbox.vendors.contract import Vendor
from sandbox.world.happenings import Crm, Mess
from sandbox.world.stream import FIRST_CRMS, Plan

HOST = "127.0.0.1"
TICK = 0.25  # real seconds between two looks of a live world at its clock
WEBHOOK_PATIENCE = 5.0  # seconds that a vendor waits for a subscriber

log = logging.getLogger("sandbox")


def plan_for(
    home: Path,
    *,
    seed: int,
    calls: int,
    days: int,
    start: date | None,
    mess: Mess,
    crms: tuple[Crm, ...] = FIRST_CRMS,
) -> Plan:
    """The plan of the world in ``home``. Without ``start`` a new world ends at the midnight (Moscow) that
    began today, and a world that is already there keeps its own start."""
    if start is None:
        today = (datetime.now(UTC) + timedelta(hours=3)).date()
        start = _kept_start(home) or today - timedelta(days=days)
    return Plan(seed, calls, start, days, mess, crms)


def _kept_start(home: Path) -> date | None:
    with suppress(LookupError, FileNotFoundError), closing(open_to_read(home)) as db:
        return read_plan(db).start
    return None


class Beside:
    """The tasks beside the requests: time passes in a live world, and webhooks are sent."""

    def __init__(self, world: RunningWorld) -> None:
        self._world = world
        self.turn = asyncio.Lock()  # held while happenings are applied

    @asynccontextmanager
    async def lifespan(self, _: Any) -> AsyncIterator[None]:
        self._world.start_clock()
        tasks = [asyncio.create_task(self._send_webhooks())]
        if self._world.live:
            tasks.append(asyncio.create_task(self._live()))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _live(self) -> None:
        while True:
            async with self.turn:
                for _ in self._world.steps(self._world.now()):
                    await asyncio.sleep(0)
            await asyncio.sleep(TICK)

    async def _send_webhooks(self) -> None:
        async with httpx.AsyncClient(timeout=WEBHOOK_PATIENCE) as client:
            while True:
                owed, self._world.webhooks = self._world.webhooks, []
                await asyncio.gather(*(self._send(client, webhook) for webhook in owed))
                await asyncio.sleep(0.05)

    @staticmethod
    async def _send(client: httpx.AsyncClient, webhook: Webhook) -> None:
        try:
            headers = {"content-type": webhook.content_type}
            await client.post(webhook.url, content=webhook.content, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:  # a lost webhook is lost, as in life
            log.info("a webhook was not delivered: %s", type(error).__name__)


class Credentials:
    """What each vendor's client needs to connect to this sandbox."""

    def __init__(self, world: RunningWorld, vendors: dict[str, Vendor], address: str) -> None:
        self._world = world
        self._vendors = vendors
        self._address = address

    def __call__(self) -> dict[str, dict[str, str]]:
        return {
            key: vendor.credentials(self._world, f"{self._address}/{key}") for key, vendor in self._vendors.items()
        }


def build(world: RunningWorld, vendors: dict[str, Vendor], faults: FaultPlan, credentials: Credentials) -> ASGIApp:
    """The ASGI app. A bare router, because the fault gates must be the outermost layer of a request."""
    beside = Beside(world)
    gates = [
        Mount(f"/{key}", FaultGate(vendor.app(world), vendor, world, faults)) for key, vendor in vendors.items()
    ]
    control = Mount("/_control", control_app(world, faults, credentials, beside.turn))
    return Router([control, *gates], lifespan=beside.lifespan)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A server with its world filled, ready to serve on a bound socket."""

    server: uvicorn.Server
    listener: socket.socket
    world: RunningWorld
    address: str
    credentials: dict[str, dict[str, str]]

    def serve(self) -> None:
        """Serve until the server is told to stop."""
        try:
            self.server.run(sockets=[self.listener])
        finally:
            self.world.close()


def prepare(
    home: Path,
    plan: Plan,
    *,
    port: int = 0,
    live: bool = False,
    speed: float = 1.0,
    limits: float = 1.0,
    only: Collection[str] | None = None,
    progress: Progress | None = None,
) -> Prepared:
    """Open or make the world of all vendors, or ``only`` some, bring it to its present and bind the port (0: any
    free one). `WorldMismatch` when the home holds another world."""
    vendors = discover(only)
    world = RunningWorld(home, plan, vendors, live=live, speed=speed, limits=limits)
    world.catch_up(progress)
    listener = socket.create_server((HOST, port), backlog=512)
    address = f"http://{HOST}:{listener.getsockname()[1]}"
    credentials = Credentials(world, vendors, address)
    app = build(world, vendors, FaultPlan(plan.seed), credentials)
    # Cut connections are this server's trade: it must not report each as an error of its own.
    config = uvicorn.Config(
        app, log_level="critical", lifespan="on", timeout_graceful_shutdown=1, date_header=False
    )
    return Prepared(uvicorn.Server(config), listener, world, address, credentials())


class Sandbox:
    """A running sandbox, as a test or the demo holds it.

    ``credentials``: vendor → the settings with which a client connects:
    calltouch {base_url, site_id, token}; yandex_direct {base_url, token, login};
    yandex_metrica {base_url, token, counter_id};
    bitrix24 {webhook_url, application_token}; amocrm {base_url, client_id, client_secret, redirect_uri,
    access_token, refresh_token}; advantshop {base_url, api_key}. Read again on each use, since tokens rotate.
    """

    def __init__(self, address: str, home: Path) -> None:
        self.base_url = address
        self.home = home
        self._control = httpx.Client(base_url=f"{address}/_control", timeout=120)

    @property
    def credentials(self) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = self._ask("GET", "/credentials")
        return found

    def now(self) -> datetime:
        """The world's present."""
        return datetime.fromisoformat(self._ask("GET", "/clock")["now"])

    def advance(self, **period: float) -> int:
        """Let time pass: ``advance(hours=3)``. How many happenings that brought."""
        applied: int = self._ask("POST", "/advance", {"seconds": timedelta(**period).total_seconds()})["applied"]
        return applied

    def set_speed(self, speed: float) -> None:
        """How many seconds of a live world pass in a real one."""
        self._ask("POST", "/clock", {"speed": speed})

    def fault(self, vendor: str, kind: str, **rest: Any) -> dict[str, Any]:
        """Plan a fault, see :class:`sandbox.faults.Fault`: ``fault("calltouch", "cut", match="calls",
        times=2, params={"bytes": 100})``."""
        planned: dict[str, Any] = self._ask("POST", "/faults", {"vendor": vendor, "kind": kind, **rest})
        return planned

    def clear_faults(self) -> None:
        self._ask("DELETE", "/faults")

    def log(self, vendor: str | None = None, path: str = "") -> list[dict[str, Any]]:
        """All requests so far, oldest first, see :class:`sandbox.faults.Logged`."""
        query = {"path": path} | ({"vendor": vendor} if vendor else {})
        entries: list[dict[str, Any]] = self._ask("GET", "/log", params=query)
        return entries

    def clear_log(self) -> None:
        self._ask("DELETE", "/log")

    def truth(self) -> Truth:
        """What really happened; to be closed by the caller."""
        return Truth(self.home)

    def close(self) -> None:
        self._control.close()

    def _ask(self, method: str, path: str, body: Any = None, params: Any = None) -> Any:
        answer = self._control.request(method, path, json=body, params=params)
        answer.raise_for_status()
        return answer.json()


@contextmanager
def start(
    home: Path,
    *,
    seed: int = 1,
    calls: int = 1000,
    days: int = 90,
    start: date | None = None,
    mess: Mess = "normal",
    crms: tuple[Crm, ...] = FIRST_CRMS,
    port: int = 0,
    live: bool = False,
    speed: float = 1.0,
    limits: float = 1.0,
    only: Collection[str] | None = None,
    progress: Progress | None = None,
) -> Iterator[Sandbox]:
    """A sandbox served from a thread of this process for as long as the block runs."""
    plan = plan_for(home, seed=seed, calls=calls, days=days, start=start, mess=mess, crms=crms)
    prepared = prepare(home, plan, port=port, live=live, speed=speed, limits=limits, only=only, progress=progress)
    thread = Thread(target=prepared.serve, name="sandbox", daemon=True)
    thread.start()
    while not prepared.server.started:
        if not thread.is_alive():
            raise RuntimeError("the sandbox server ended before it served; its log says why")
        sleep(0.01)
    sandbox = Sandbox(prepared.address, home)
    try:
        yield sandbox
    finally:
        sandbox.close()
        prepared.server.should_exit = True
        thread.join(timeout=10)
