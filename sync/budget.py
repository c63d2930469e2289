"""The rate limits of a vendor's account, kept by all workers together, on the database's clock.

Each limit is one row that holds when the next request may go (GCRA, virtual scheduling): a worker books the next
slot with one statement and waits for it. When the vendor asks for a pause, the row holds everybody.

Urgent requests (webhooks, write-back) book as far ahead as need be. Reading books one slot ahead at most and leaves
a part of each burst alone, so an urgent request finds at most one of them before it, however many backfills wait.
"""

from __future__ import annotations

import asyncio
import random
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from connectors.contract import RateLimit
from connectors.errors import RateLimited
from core.database import Database
from sync.metrics import THROTTLED_SECONDS

LONGEST_WAIT = 300.0
"""Seconds. A longer wait than this is not slept through: the run is parked and goes on later."""
YIELDING_SECONDS = 20.0
"""Reading that has stood back for so long books like what is urgent: it is slowed down, never starved."""
LEFT_ALONE = 4
"""Reading leaves one in so many requests of a burst to what is urgent."""

_BOOK = text("""
insert into rate_budget as b (workspace_id, account, limit_name, free_at, window_at, used)
values (:workspace, :account, :limit, clock_timestamp() + make_interval(secs => :step), clock_timestamp(), 1)
on conflict (workspace_id, account, limit_name) do update
set free_at = greatest(b.free_at, b.held_until, clock_timestamp()) + make_interval(secs => :step),
    window_at = case when b.window_at > clock_timestamp() - make_interval(secs => :window) then b.window_at
        else clock_timestamp() end,
    used = case when b.window_at > clock_timestamp() - make_interval(secs => :window) then b.used else 0 end + 1
where :ahead or (
    b.free_at <= clock_timestamp() + make_interval(secs => :step * :burst + 0.001)
    and coalesce(b.held_until <= clock_timestamp(), true)
)
returning greatest(
    extract(epoch from b.free_at - clock_timestamp()) - :step * :burst,
    coalesce(extract(epoch from b.held_until - clock_timestamp()), 0)
)::float8
""")

_HOW_LONG = text("""
select greatest(
    extract(epoch from free_at - clock_timestamp()) - :step * :burst,
    coalesce(extract(epoch from held_until - clock_timestamp()), 0),
    0
)::float8
from rate_budget where workspace_id = :workspace and account = :account and limit_name = :limit
""")

_HOLD = text("""
insert into rate_budget as b (workspace_id, account, limit_name, free_at, held_until)
values (:workspace, :account, :limit, clock_timestamp(), clock_timestamp() + make_interval(secs => :seconds))
on conflict (workspace_id, account, limit_name) do update
set held_until = greatest(b.held_until, excluded.held_until)
""")

_UNLIMITED = RateLimit(requests=1000, seconds=1, burst=1000)


class _NotYet(Exception):
    """Reading stands back: nothing was booked; ``seconds`` until it is worth asking again."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds


class Budget:
    """What one vendor account may still ask for. ``urgent``: for webhooks and write-back, before all reading."""

    pace = 1.0
    """Factor on the time between requests. Tests and benches set it to 0 before emulators without limits."""

    def __init__(
        self,
        database: Database,
        workspace_id: UUID,
        account: str,
        limits: tuple[RateLimit, ...],
        *,
        urgent: bool = False,
    ) -> None:
        self._database = database
        self._workspace_id = workspace_id
        self._account = account
        # Even where no limit is known there is one row, so that a vendor's "wait" reaches all workers.
        self._limits = limits or (_UNLIMITED,)
        self._urgent = urgent
        self.waited_seconds = 0.0

    async def acquire(self) -> None:
        """Wait for the next free slot of every limit.

        Raises RateLimited when that is further away than a worker should sleep: the run is parked instead.
        """
        stood_back = 0.0
        while True:
            booked = True
            try:
                wait = await self._book(ahead=self._urgent or stood_back >= YIELDING_SECONDS)
            except _NotYet as told:
                # Those who stand back don't wake together.
                wait, booked = told.seconds + random.uniform(0.001, 0.02), False  # noqa: S311 - jitter
            if wait > LONGEST_WAIT:
                raise RateLimited("The vendor asked to wait before anything more is sent to this account.", wait)
            if wait > 0:
                self.waited_seconds += wait
                THROTTLED_SECONDS.labels(self._account.partition(":")[0]).inc(wait)
                stood_back += wait
                await asyncio.sleep(wait)
            if booked:
                return

    async def hold(self, seconds: float) -> None:
        """The vendor asked to wait: nobody sends to this account before then."""
        async with self._database.workspace(self._workspace_id) as connection:
            await connection.execute(_HOLD, self._key(self._limits[0]) | {"seconds": seconds})

    async def _book(self, *, ahead: bool) -> float:
        """A slot of every limit, or of none; the seconds until they come. Raises _NotYet."""
        wait = 0.0
        async with self._database.workspace(self._workspace_id) as connection:
            for limit in self._limits:
                given = self._terms(limit)
                booked = (await connection.execute(_BOOK, given | {"ahead": ahead})).scalar_one_or_none()
                if booked is None:
                    raise _NotYet(await self._until_free(connection))  # and takes back what other limits gave
                wait = max(wait, booked)
        return wait

    async def _until_free(self, connection: AsyncConnection) -> float:
        waits = [(await connection.execute(_HOW_LONG, self._terms(each))).scalar() for each in self._limits]
        return max((wait for wait in waits if wait is not None), default=0.0)

    def _terms(self, limit: RateLimit) -> dict[str, object]:
        burst = limit.burst if self._urgent else limit.burst - limit.burst // LEFT_ALONE
        return self._key(limit) | {
            "step": self.pace * limit.seconds / limit.requests,
            "burst": float(burst),
            "window": window_seconds(limit.seconds),
        }

    def _key(self, limit: RateLimit) -> dict[str, object]:
        return {
            "workspace": self._workspace_id,
            "account": self._account,
            "limit": f"{limit.requests}/{limit.seconds:g}s",
        }


def window_seconds(span: float) -> float:
    """Over how many seconds the requests of a limit are counted for people: its own span, a minute at least."""
    return max(span, 60.0)
