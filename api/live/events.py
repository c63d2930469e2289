"""Server-sent events, ``graphql-sse`` in its mode of distinct connections: one operation, one stream.
https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.graphql.run import RequestContext
from api.live.sessions import Sessions, TooManyLive

EVENT_STREAM = "text/event-stream"


class EventStream(Response):
    """Sends events until there are no more, the caller goes, the key ends, or the caller reads too slowly (then the
    connection is cut: it is blocked, so nothing can be said over it)."""

    def __init__(
        self,
        stream: AsyncIterator[str],
        sessions: Sessions,
        context: RequestContext,
        headers: Mapping[str, str],
    ) -> None:
        super().__init__(headers=dict(headers), media_type=EVENT_STREAM)
        del self.headers["content-length"]
        self._stream, self._sessions, self._context = stream, sessions, context

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sending = asyncio.ensure_future(self._send(send))
        gone = asyncio.ensure_future(_gone(receive))
        try:
            await asyncio.wait([sending, gone], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, gone):
                task.cancel()
            with suppress(asyncio.CancelledError, OSError):
                await sending
            with suppress(asyncio.CancelledError):
                await gone

    async def _send(self, send: Send) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("not in a task")
        try:
            async with self._sessions.connection(
                self._context.viewer, end=_nothing, drop=lambda: _cancel(task)
            ) as session:
                self._context.session = session
                await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                # At once, so that the caller sees the stream open before the first event.
                await send({"type": "http.response.body", "body": b":\r\n\r\n", "more_body": True})
                async for chunk in self._stream:
                    await send({"type": "http.response.body", "body": chunk.encode(), "more_body": True})
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        except TooManyLive as error:
            await _refuse(send, error)
        finally:
            await self._stream.aclose()  # type: ignore[attr-defined]  # it is an async generator


async def _refuse(send: Send, error: TooManyLive) -> None:
    from api.http import problem  # it imports this module

    refusal = problem(429, str(error), code=error.code)
    await send({"type": "http.response.start", "status": 429, "headers": refusal.raw_headers})
    await send({"type": "http.response.body", "body": bytes(refusal.body)})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()


def _nothing() -> None:
    """A stream of events ends with its last mailbox."""
