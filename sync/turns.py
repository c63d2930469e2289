"""Turns at a worker's hands: long work makes room when others wait for one."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from sqlalchemy import text

from core.database import Database

TurnOver = Callable[[], Awaitable[bool]]
"""Whether others wait for this worker, and it is their turn."""

TURN_SECONDS = 60.0
"""How long work on one connection keeps a hand while others wait for one: then it stops where that costs nothing,
and queues up again."""
_LOOK_SECONDS = 5.0

_OTHERS_WAIT = text("""
select exists (
    select from jobs.procrastinate_jobs w where w.queue_name = any(:queues) and w.status = 'todo'
    and coalesce(w.scheduled_at <= now(), true) and not exists (
        select from jobs.procrastinate_jobs d where d.lock = w.lock and d.status = 'doing'
    )
)
""")
"""A free hand takes such a job at once: one that stands there waits for a hand."""


async def no_others() -> bool:
    """The turn of work that nobody waits behind."""
    return False


class Turn:
    """A job's turn at a hand: it is over when it was long and others of these queues wait."""

    def __init__(self, database: Database, *queues: str) -> None:
        self._database = database
        self._queues = list(queues)
        self._look_at = time.monotonic() + TURN_SECONDS

    async def is_over(self) -> bool:
        if time.monotonic() < self._look_at:
            return False
        self._look_at = time.monotonic() + _LOOK_SECONDS
        async with self._database.app_engine.connect() as db:
            return bool((await db.execute(_OTHERS_WAIT, {"queues": self._queues})).scalar_one())
