"""A post office between the vendors and Skvoz's doors that is as bad as any: late, out of order, twice, not at all.

Vendors post what happens there to an address of this process. From here it goes to the connection's own door some
seconds later, so that the order is another; now and then it goes again, much later too, or never; and forgers knock
with bytes or addresses that are nearly right.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit
from uuid import UUID

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.app import create_app
from sync.inbox.doors import open_door
from sync.jobs import Jobs
from tests.api.conftest import free_port
from tests.sync.conftest import Bench

HANDLERS = {
    "bitrix24": ("event_handler",),
    "amocrm": ("webhook",),
    "calltouch": ("webhook_url", "deals_webhook_url"),
}
"""The switches by which the sandbox's vendors are told where to post. Chats are told by webhooks alone: what
is lost of them stays lost, so they are left out."""
SIGNED = "bitrix24"
"""Its events bear a token; the others vouch by the address alone."""


@dataclass(frozen=True)
class Letter:
    vendor: str
    content: bytes
    kind: str


@dataclass
class PostOffice:
    """Passes letters on, badly. ``seen`` counts what was done, ``wrong`` names what should have been refused."""

    chance: random.Random
    doors: dict[str, str]
    http: httpx.AsyncClient
    seen: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    _kept: list[Letter] = field(default_factory=list)
    _under_way: set[asyncio.Task[None]] = field(default_factory=set)

    async def take(self, request: Request) -> Response:
        """A vendor posts: answered at once, delivered when it pleases."""
        letter = Letter(
            request.path_params["vendor"], await request.body(), request.headers.get("content-type", "")
        )
        self._kept = [*self._kept[-200:], letter]
        if self.chance.random() < 0.1:
            self.seen["webhooks lost"] += 1
        else:
            self._send(letter, "webhooks delivered", self.chance.expovariate(1 / 2))
        if self.chance.random() < 0.2:
            for _ in range(self.chance.randint(1, 5)):
                self._send(letter, "webhooks repeated", self.chance.expovariate(1 / 10))
        if self.chance.random() < 0.05:
            self._send(self.chance.choice(self._kept), "webhooks repeated long after", 0)
        if self.chance.random() < 0.1:
            self._send(letter, "webhooks forged", 0, forged=True)
        return Response()

    def _send(self, letter: Letter, word: str, after: float, *, forged: bool = False) -> None:
        task = asyncio.ensure_future(self._forge(letter) if forged else self._deliver(letter, after))
        self.seen[word] += 1
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _deliver(self, letter: Letter, after: float) -> None:
        await asyncio.sleep(after)
        for _ in range(3):  # a vendor that tries again when it isn't answered well
            status = await self._knock(self.doors[letter.vendor], letter)
            if status < 500:
                break
            await asyncio.sleep(1)
        if status not in (200, 202):
            self.seen[f"webhooks answered {status}"] += 1

    async def _forge(self, letter: Letter) -> None:
        """Another's address, and where letters are signed the right one with a byte changed in the signature."""
        door = self.doors[letter.vendor]
        if await self._knock(door[:-1] + ("A" if door[-1] != "A" else "B"), letter) < 300:
            self.wrong.append(f"A webhook of {letter.vendor} came in at an address that isn't the door's.")
        if letter.vendor == SIGNED:
            head, token, rest = letter.content.partition(b"application_token%5D=")
            other = head + token + (b"0" if rest[:1] != b"0" else b"1") + rest[1:]
            if await self._knock(door, Letter(letter.vendor, other, letter.kind)) < 300:
                self.wrong.append(f"A forged webhook of {letter.vendor} was believed.")

    async def _knock(self, path: str, letter: Letter) -> int:
        try:
            return (
                await self.http.post(path, content=letter.content, headers={"content-type": letter.kind})
            ).status_code
        except httpx.TransportError:
            return 599

    async def close(self) -> None:
        """Let everything that is under way arrive."""
        while self._under_way:
            await asyncio.gather(*self._under_way, return_exceptions=True)


@asynccontextmanager
async def post_office(
    bench: Bench, control: httpx.AsyncClient, connections: dict[str, UUID], chance: random.Random
) -> AsyncIterator[PostOffice]:
    """Doors for all vendors that tell, the post office before them, and the vendors told of it."""
    doors = {}
    for vendor in HANDLERS:
        door = await open_door(bench.office, bench.workspace, connections[vendor])
        doors[vendor] = urlsplit(door.url).path
    async with Jobs(bench.office).opened() as jobs:
        transport = httpx.ASGITransport(app=create_app(bench.office, jobs), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://skvoz", timeout=60) as http:
            office = PostOffice(chance, doors, http)
            app = Starlette(routes=[Route("/{vendor}", office.take, methods=["POST"])])
            port = free_port()
            server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, access_log=False))
            serving = asyncio.create_task(server.serve())
            root = str(control.base_url).removesuffix("/").removesuffix("/_control")
            for vendor, switches in HANDLERS.items():
                values = dict.fromkeys(switches, f"http://127.0.0.1:{port}/{vendor}")
                (await control.put(f"{root}/{vendor}/_switches", json=values)).raise_for_status()
            try:
                yield office
                await office.close()
            finally:
                server.should_exit = True
                with suppress(asyncio.CancelledError):
                    await serving
