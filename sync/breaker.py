"""The circuit breaker of a vendor account: after lasting trouble nothing is sent there but a probe now and then.

Its state is one row that all workers obey. Passing faults with no answer between them open it; then runs,
deliveries and inboxes of the account's connections are parked until its next try. At that moment one request goes
through as the probe: an answer closes the breaker, another fault makes the pause twice as long. All by the
database's clock.
"""

from __future__ import annotations

import time
from uuid import UUID

import structlog
from sqlalchemy import text

from core.database import Database
from sync.errors import CircuitOpen

log = structlog.get_logger(__name__)

FAILURES = 3
"""Faults in a row that open it, and how long they must have lasted: a short outage is what retries are for."""
LASTING_SECONDS = 30.0
FIRST_PAUSE, LONGEST_PAUSE = 60.0, 1800.0
"""Seconds until the first probe, and at most between two of them; each with a fifth of jitter."""
PROBE_SECONDS = 150.0
"""A probe without a word for so long was cut off, and another one may go."""
LOOK_SECONDS = 5.0
"""A worker with answers coming in looks at the row no more often than that."""

_LOOK = text("""
select failures, reason, opened_at is not null as open,
    greatest(next_try_at, case when probe_until > clock_timestamp() then probe_until end) as until
from breaker where workspace_id = :ws and account = :account
""")

_TAKE_PROBE = text("""
update breaker set probe_until = clock_timestamp() + make_interval(secs => :seconds)
where workspace_id = :ws and account = :account and opened_at is not null
    and next_try_at <= clock_timestamp() and coalesce(probe_until <= clock_timestamp(), true)
""")

_FAILED = text("""
with told as (
    insert into breaker as b (workspace_id, account, failures, failing_since, reason)
    values (:ws, :account, 1, clock_timestamp(), :reason)
    on conflict (workspace_id, account) do update set failures = b.failures + 1, reason = excluded.reason
    returning *
), judged as (
    select *, opened_at is null and failures >= :failures
        and failing_since <= clock_timestamp() - make_interval(secs => :lasting) as opens from told
)
select opens, trips from judged
""")

_OPEN = text("""
update breaker set opened_at = coalesce(opened_at, clock_timestamp()), trips = trips + 1, probe_until = null,
    next_try_at = clock_timestamp()
        + make_interval(secs => least(:first * 2 ^ least(trips, 20), :longest) * (0.8 + 0.4 * random()))
where workspace_id = :ws and account = :account and (opened_at is null or :probe)
""")

_CLOSE = text("delete from breaker where workspace_id = :ws and account = :account")

_TRY_NOW = text("""
update breaker set next_try_at = clock_timestamp()
where workspace_id = :ws and account = :account and next_try_at > clock_timestamp()
""")


class Breaker:
    """The breaker of one account, as one worker's client sees it."""

    def __init__(self, database: Database, workspace_id: UUID, account: str) -> None:
        self._database = database
        self._workspace_id = workspace_id
        self._key = {"ws": workspace_id, "account": account}
        self._troubled = False
        self._looked: float | None = None

    async def admit(self) -> bool:
        """Let a request through; True if it goes as the probe, whose outcome decides. Raises CircuitOpen."""
        if self._looked is not None and time.monotonic() - self._looked < LOOK_SECONDS:
            return False
        async with self._database.workspace(self._workspace_id) as db:
            row = (await db.execute(_LOOK, self._key)).one_or_none()
            self._troubled = row is not None
            if row is None or not row.open:
                self._looked = time.monotonic()
                return False
            taken = await db.execute(_TAKE_PROBE, self._key | {"seconds": PROBE_SECONDS})
            if taken.rowcount == 1:
                log.info("breaker.probe")
                return True
        raise CircuitOpen(row.reason, row.until)

    async def failed(self, probe: bool, reason: str) -> None:
        """A passing fault: the vendor wasn't reached, or could not answer."""
        self._troubled, self._looked = True, None
        async with self._database.workspace(self._workspace_id) as db:
            given = {"reason": reason, "failures": FAILURES, "lasting": LASTING_SECONDS}
            row = (await db.execute(_FAILED, self._key | given)).one()
            if row.opens or probe:
                pauses = {"first": FIRST_PAUSE, "longest": LONGEST_PAUSE, "probe": probe}
                await db.execute(_OPEN, self._key | pauses)
                log.warning("breaker.opened", trips=row.trips + 1)

    async def answered(self, probe: bool) -> None:
        """The vendor answered, whatever it said: all is well with the way there."""
        if not probe and not self._troubled:
            return
        async with self._database.workspace(self._workspace_id) as db:
            await db.execute(_CLOSE, self._key)
        self._troubled = False
        if probe:
            self._looked = time.monotonic()
            log.info("breaker.closed")


async def try_now(database: Database, workspace_id: UUID, account: str) -> None:
    """Somebody asks for a try: let the next request be the probe, without waiting for its time."""
    async with database.workspace(workspace_id) as db:
        await db.execute(_TRY_NOW, {"ws": workspace_id, "account": account})
