"""Where events wait for one subscription."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from itertools import islice
from uuid import UUID

from core.errors import SkvozError
from sync.feed import Change

MOST_WAITING = 20_000
"""Records that may wait for a subscription before it counts as too slow."""
LARGEST_EVENT = 100


class SlowConsumer(SkvozError):
    """Events came faster than they were read; what was lost can be had from the change feed."""

    code = "SLOW_CONSUMER"


class SessionEnded(SkvozError):
    """The key was revoked or has expired while the connection was open."""

    code = "UNAUTHENTICATED"


class Mailbox:
    """Ids of records, each once however often it comes before it is read: what is told of a record is how it is
    when the event goes out. ``wanted`` picks the ids that matter out of a change."""

    def __init__(self, wanted: Callable[[Change], Sequence[UUID]], on_overflow: Callable[[], None]) -> None:
        self._wanted = wanted
        self._on_overflow = on_overflow
        self._waiting: dict[UUID, None] = {}
        self._stirred = asyncio.Event()
        self._ended: SkvozError | None = None

    def put(self, change: Change) -> None:
        """A change of the workspace."""
        self.put_ids(self._wanted(change))

    def put_ids(self, ids: Sequence[UUID]) -> None:
        if not ids or self._ended is not None:
            return
        self._waiting.update(dict.fromkeys(ids))
        if len(self._waiting) > MOST_WAITING:
            self._waiting.clear()
            self.end(SlowConsumer("The events came faster than they were read. Subscribe again."))
            self._on_overflow()
            return
        self._stirred.set()

    def end(self, error: SkvozError) -> None:
        """Let the reader meet this error."""
        self._ended = self._ended or error
        self._stirred.set()

    async def take(self) -> list[UUID]:
        """The ids that wait, in their order, `LARGEST_EVENT` at most. Raises what the mailbox was ended with."""
        await self._stirred.wait()
        if self._ended is not None:
            raise self._ended
        taken = list(islice(self._waiting, LARGEST_EVENT))
        for id in taken:
            del self._waiting[id]
        if not self._waiting:
            self._stirred.clear()
        return taken
