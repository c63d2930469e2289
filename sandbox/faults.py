"""Faults on the way between a client and an emulated vendor, and the log of what was asked.

One :class:`FaultGate` stands before each vendor's app. It is the outermost layer of a request, so that it can
cut the very connection. What faults there are is set over ``/_control`` (:mod:`sandbox.control`).
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import count
from random import Random
from time import monotonic, time
from typing import Any

from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox.vendors.contract import Vendor, World

LOG_LENGTH = 200_000
HTML_ERROR = "<!DOCTYPE html><html><head><title>502</title></head><body><h1>Bad Gateway</h1></body></html>"

KINDS = {
    "status": "answer `status` (default 500) with `body`, `content_type`, `headers`; `retry_after` as text, or"
    " `retry_after_date` in seconds from now as an HTTP date",
    "html": "answer 200 with an HTML error page",
    "empty": "answer 200 with no body",
    "redirect": "answer 302 to `location`",
    "giant": "answer 200 with a JSON text of `bytes` bytes",
    "drop": "close the connection before the vendor sees the request",
    "drop_answer": "let the vendor do its work, then close the connection without an answer",
    "cut": "close the connection after `bytes` bytes of the answer's body, having promised all of it",
    "slow": "wait `seconds` before the vendor sees the request",
    "trickle": "send the answer's body in pieces of `bytes` bytes, `seconds` apart",
    "edit": "replace the text `find` by `replace` in the answer's body",
    "twice": "let the vendor get the request twice; the second answer is sent",
    "expired_token": "what an expired token gets from this vendor",
    "shift_pages": "insert or delete the vendor's rows before the request, with the vendor's own parameters",
}


@dataclass(slots=True)
class Fault:
    """One planned fault. It strikes requests whose ``path?query`` matches, after the first ``after`` of
    them, each with ``probability``, ``times`` times in all (None: always)."""

    id: int
    vendor: str
    kind: str
    match: str = ""
    method: str | None = None
    times: int | None = 1
    after: int = 0
    probability: float = 1.0
    params: dict[str, Any] = field(default_factory=dict)
    struck: int = 0

    def strikes(self, method: str, target: str, chance: Random) -> bool:
        """Whether it strikes this request; counts it."""
        if self.times is not None and self.struck >= self.times:
            return False
        if (self.method and self.method != method) or not re.search(self.match, target):
            return False
        if self.after > 0:
            self.after -= 1
            return False
        if chance.random() >= self.probability:
            return False
        self.struck += 1
        return True


@dataclass(frozen=True, slots=True)
class Logged:
    """One request as the vendor saw it; ``at`` is Unix time, ``status`` None when no answer was begun."""

    at: float
    vendor: str
    method: str
    path: str
    query: str
    status: int | None
    fault: str | None
    seconds: float


class FaultPlan:
    """All planned faults of a sandbox, and the log of all requests."""

    def __init__(self, seed: int) -> None:
        self.faults: list[Fault] = []
        self.log: deque[Logged] = deque(maxlen=LOG_LENGTH)
        self._ids = count(1)
        self._chance = Random(seed)

    def add(self, vendor: str, kind: str, **rest: Any) -> Fault:
        """Plan a fault. ValueError for a kind that doesn't exist or a pattern that can't be read."""
        if kind not in KINDS:
            raise ValueError(f"there is no fault of kind {kind!r}; there are: {', '.join(KINDS)}")
        try:
            re.compile(rest.get("match", ""))
            fault = Fault(next(self._ids), vendor, kind, **rest)
        except (re.error, TypeError) as error:
            raise ValueError(f"this fault can't be planned: {error}") from error
        self.faults.append(fault)
        return fault

    def pick(self, vendor: str, method: str, target: str) -> Fault | None:
        """The first planned fault that strikes this request."""
        for fault in self.faults:
            if fault.vendor in (vendor, "*") and fault.strikes(method, target, self._chance):
                return fault
        return None


class FaultGate:
    """The ASGI layer before one vendor's app."""

    def __init__(self, app: ASGIApp, vendor: Vendor, world: World, plan: FaultPlan) -> None:
        self._app = app
        self._vendor = vendor
        self._world = world
        self._plan = plan

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        query = scope["query_string"].decode("latin-1")
        target = f"{path}?{query}" if query else path
        fault = self._plan.pick(self._vendor.key, scope["method"], target)
        status: list[int] = []

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                status.append(message["status"])
                message = self._dated(message)
            await send(message)

        begun, at = monotonic(), time()
        try:
            if fault is None:
                await self._app(scope, receive, noting)
            else:
                await self._strike(fault, scope, receive, noting, send)
        finally:
            self._plan.log.append(
                Logged(
                    at, self._vendor.key, scope["method"], path, query, status[0] if status else None,
                    fault.kind if fault else None, monotonic() - begun,
                )
            )  # fmt: skip

    def _dated(self, start: Message) -> Message:
        """The answer with the Date header of the world's clock, as of any vendor's server."""
        date = format_datetime(self._world.now().astimezone(UTC), usegmt=True)
        kept = [pair for pair in start.get("headers", ()) if pair[0].lower() != b"date"]
        return {**start, "headers": [*kept, (b"date", date.encode())]}

    async def _strike(self, fault: Fault, scope: Scope, receive: Receive, send: Send, raw: Send) -> None:
        params = fault.params
        answer: Response | None = None
        match fault.kind:
            case "status":
                answer = _status(params, self._world.now())
            case "html":
                answer = HTMLResponse(HTML_ERROR)
            case "empty":
                answer = Response(b"", media_type="application/json")
            case "redirect":
                answer = RedirectResponse(params.get("location", "/"), 302)
            case "giant":
                await _giant(send, int(params.get("bytes", 1 << 30)))
                return
            case "drop":
                await _abort(raw)
                return
            case "slow":
                await asyncio.sleep(float(params.get("seconds", 1)))
            case "twice":
                receive = await _replayable(receive)
                await self._answer(scope, receive)
            case "expired_token":
                answer = self._expire()
            case "shift_pages":
                self._shift(params)
        if answer is not None:
            await answer(scope, receive, send)
        elif fault.kind in _BODY_FAULTS:
            start, body = await self._answer(_plain(scope) if fault.kind == "edit" else scope, receive)
            await _BODY_FAULTS[fault.kind](start, body, params, send, raw)
        else:
            await self._app(scope, receive, send)

    def _expire(self) -> Response | None:
        if self._vendor.expire_token is None:
            return _status({"status": 401}, self._world.now())
        return self._vendor.expire_token(self._world)

    def _shift(self, params: Mapping[str, Any]) -> None:
        if self._vendor.shift_pages is None:
            raise LookupError(f"the emulator of {self._vendor.key} can't shift its pages")
        self._vendor.shift_pages(self._world, params)

    async def _answer(self, scope: Scope, receive: Receive) -> tuple[Message, bytes]:
        """The app's whole answer, held back."""
        start: Message = {}
        body = bytearray()

        async def keep(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            else:
                body.extend(message.get("body", b""))

        await self._app(dict(scope), receive, keep)
        return start, bytes(body)


def _plain(scope: Scope) -> Scope:
    """The request of a client that takes no compression, so that the answer is text."""
    return {**scope, "headers": [pair for pair in scope["headers"] if pair[0] != b"accept-encoding"]}


async def _replayable(receive: Receive) -> Receive:
    """A ``receive`` that gives the whole request body to each app that asks."""
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break

    async def again() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return again


async def _abort(raw: Send) -> None:
    """Close the connection now. ASGI has no such message; the server's own ``send`` knows its transport."""
    cycle = getattr(raw, "__self__", None)
    if cycle is None:
        raise RuntimeError("the fault gate must be the outermost layer to be able to cut a connection")
    cycle.transport.abort()
    while (await cycle.receive())["type"] != "http.disconnect":
        pass


async def _drop_answer(start: Message, body: bytes, params: Mapping[str, Any], send: Send, raw: Send) -> None:
    await _abort(raw)


async def _cut(start: Message, body: bytes, params: Mapping[str, Any], send: Send, raw: Send) -> None:
    await send(_with_length(start, len(body)))
    await send(
        {"type": "http.response.body", "body": body[: int(params.get("bytes", len(body) // 2))], "more_body": True}
    )
    await asyncio.sleep(0.02)  # let the bytes leave before the connection is reset
    await _abort(raw)


async def _trickle(start: Message, body: bytes, params: Mapping[str, Any], send: Send, raw: Send) -> None:
    step, pause = int(params.get("bytes", 1)), float(params.get("seconds", 1))
    await send(_with_length(start, len(body)))
    for place in range(0, len(body), step):
        await send({"type": "http.response.body", "body": body[place : place + step], "more_body": True})
        await asyncio.sleep(pause)
    await send({"type": "http.response.body", "body": b""})


async def _edit(start: Message, body: bytes, params: Mapping[str, Any], send: Send, raw: Send) -> None:
    edited = body.replace(str(params["find"]).encode(), str(params["replace"]).encode())
    await send(_with_length(start, len(edited)))
    await send({"type": "http.response.body", "body": edited})


_BODY_FAULTS: dict[str, Callable[[Message, bytes, Mapping[str, Any], Send, Send], Awaitable[None]]] = {
    "drop_answer": _drop_answer,
    "cut": _cut,
    "trickle": _trickle,
    "edit": _edit,
}


def _with_length(start: Message, length: int) -> Message:
    kept = [pair for pair in start["headers"] if pair[0].lower() != b"content-length"]
    return {**start, "headers": [*kept, (b"content-length", str(length).encode())]}


def _status(params: Mapping[str, Any], now: datetime) -> Response:
    headers = {str(name): str(value) for name, value in params.get("headers", {}).items()}
    if "retry_after" in params:
        headers["Retry-After"] = str(params["retry_after"])
    elif "retry_after_date" in params:
        then = now + timedelta(seconds=float(params["retry_after_date"]))
        headers["Retry-After"] = format_datetime(then, usegmt=True)
    body = params.get("body", "")
    return Response(body, int(params.get("status", 500)), headers, params.get("content_type", "text/plain"))


async def _giant(send: Send, size: int) -> None:
    """A JSON text of one endless string, made as it is sent."""
    piece = b"a" * 65_536
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": b'["', "more_body": True})
    for _ in range(size // len(piece) + 1):
        await send({"type": "http.response.body", "body": piece, "more_body": True})
        await asyncio.sleep(0)
    await send({"type": "http.response.body", "body": b'"]'})
