"""The rate limits of a vendor's account, kept by all workers together, on the database's clock.

Each limit is one row that holds when the next request may go (GCRA, virtual scheduling): a worker reserves the
next slot with one statement and waits for it. When the vendor asks for a pause, the row holds everybody.
"""

from __future__ import annotations

import asyncio
from uuid import UUID

from sqlalchemy import text

from connectors.contract import RateLimit
from connectors.errors import RateLimited
from core.database import Database

LONGEST_WAIT = 300.0
"""Seconds. A longer wait than this is not slept through: the run is parked and goes on later."""

_RESERVE = text("""
insert into rate_budget as b (workspace_id, account, limit_name, free_at)
values (:workspace, :account, :limit, clock_timestamp() + make_interval(secs => :step))
on conflict (workspace_id, account, limit_name) do update
set free_at = greatest(b.free_at, clock_timestamp()) + make_interval(secs => :step)
returning greatest(
    extract(epoch from b.free_at - clock_timestamp()) - :step * :burst,
    coalesce(extract(epoch from b.held_until - clock_timestamp()), 0)
)::float8
""")

_HOLD = text("""
insert into rate_budget as b (workspace_id, account, limit_name, free_at, held_until)
values (:workspace, :account, :limit, clock_timestamp(), clock_timestamp() + make_interval(secs => :seconds))
on conflict (workspace_id, account, limit_name) do update
set held_until = greatest(b.held_until, excluded.held_until)
""")

_UNLIMITED = RateLimit(requests=1000, seconds=1, burst=1000)


class Budget:
    """What one vendor account may still ask for."""

    pace = 1.0
    """Factor on the time between requests. Tests and benches set it to 0 before emulators without limits."""

    def __init__(self, database: Database, workspace_id: UUID, account: str, limits: tuple[RateLimit, ...]) -> None:
        self._database = database
        self._workspace_id = workspace_id
        self._account = account
        # Even where no limit is known there is one row, so that a vendor's "wait" reaches all workers.
        self._limits = limits or (_UNLIMITED,)
        self.waited_seconds = 0.0

    async def acquire(self) -> None:
        """Wait for the next free slot of every limit.

        Raises RateLimited when that is further away than a worker should sleep: the run is parked instead.
        """
        wait = 0.0
        async with self._database.workspace(self._workspace_id) as connection:
            for limit in self._limits:
                row = await connection.execute(
                    _RESERVE,
                    self._key(limit)
                    | {"step": self.pace * limit.seconds / limit.requests, "burst": float(limit.burst)},
                )
                wait = max(wait, row.scalar_one())
        if wait > LONGEST_WAIT:
            raise RateLimited("The vendor asked to wait before anything more is sent to this account.", wait)
        if wait > 0:
            self.waited_seconds += wait
            await asyncio.sleep(wait)

    async def hold(self, seconds: float) -> None:
        """The vendor asked to wait: nobody sends to this account before then."""
        async with self._database.workspace(self._workspace_id) as connection:
            await connection.execute(_HOLD, self._key(self._limits[0]) | {"seconds": seconds})

    def _key(self, limit: RateLimit) -> dict[str, object]:
        return {
            "workspace": self._workspace_id,
            "account": self._account,
            "limit": f"{limit.requests}/{limit.seconds:g}s",
        }
