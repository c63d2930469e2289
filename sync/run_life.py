"""The life of a run as its row tells it: begun or adopted, ended or waiting, and what its connection does then."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import structlog
from sqlalchemy import text

from connectors.errors import AuthFailed, NotReady, QuotaExhausted, RateLimited, VendorError
from core import clock
from core.database import driver
from schema.enums import ConnectionState, RunState, RunTrigger
from sync.connections import Opened
from sync.errors import NotFound
from sync.load import Counts
from sync.metrics import RUNS
from sync.office import Office

log = structlog.get_logger(__name__)

PARK_AGAIN = timedelta(minutes=5)
"""How long a run waits whose vendor didn't say how long."""

_GOES_ON = """
update connection set next_run_at = coalesce(%(at)s, clock_timestamp())
where workspace_id = %(ws)s and id = %(connection)s
"""
_STANDING = """
select cut.id, cut.error_code, asked.id
from (select) one
left join lateral (
    select id, error_code from sync_run where workspace_id = %(ws)s and connection_id = %(connection)s
    and state in ('running', 'waiting') order by queued_at desc limit 1
) cut on true
left join lateral (
    select id from sync_run where workspace_id = %(ws)s and connection_id = %(connection)s and state = 'queued'
    order by queued_at limit 1
) asked on true
"""
_READ = """
select stream from stream_run where workspace_id = %(ws)s and run_id = %(run)s and error_code is null
    and finished_at > clock_timestamp() - interval '1 hour'
"""
_START = """
insert into sync_run as r (workspace_id, id, connection_id, trigger, state, started_at)
values (%(ws)s, %(id)s, %(connection)s, %(trigger)s, 'running', clock_timestamp())
on conflict (workspace_id, id) do update set state = 'running', resume_at = null, error = null,
    error_code = null, started_at = coalesce(r.started_at, excluded.started_at)
"""
_JOIN = """
update sync_run set state = 'succeeded', finished_at = clock_timestamp(),
    error = 'Joined the run that was under way.' where workspace_id = %(ws)s and id = %(id)s
"""
_END = """
update sync_run set state = %(state)s, error_code = %(code)s, error = %(error)s, resume_at = %(at)s,
    finished_at = case when %(state)s in ('succeeded', 'failed') then clock_timestamp() end
where workspace_id = %(ws)s and id = %(run)s
returning fetched, created, updated, unchanged, skipped, quarantined, deleted
"""
_CLEARED = """
update connection set state_reason = null
where workspace_id = %(ws)s and id = %(connection)s and state = 'active' and state_reason is not null
"""


GAVE_WAY = "GAVE_WAY"
"""Code of a run that waits because others had to have their turn."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended, and what it did to all streams together."""

    run_id: UUID
    state: RunState
    counts: Counts
    error: str | None = None


async def begin(
    office: Office, opened: Opened, trigger: RunTrigger, run_id: UUID | None
) -> tuple[UUID, frozenset[str]]:
    """The run to work on: one that was cut off is adopted, or a queued one started, or a new one made. With it,
    the streams that it has read already, if it gave way to others: it goes on with the rest, and doesn't begin anew
    each time, unless somebody asks for what is newest."""
    key = {"ws": opened.workspace_id, "connection": opened.id}
    async with office.database.loading(opened.workspace_id) as db:
        conn = driver(db)
        found = await conn.execute(
            "select state from connection where workspace_id = %(ws)s and id = %(connection)s for update", key
        )
        row = await found.fetchone()
        if row is None:
            raise NotFound("There is no such connection in this workspace.")
        if row[0] == ConnectionState.PAUSED:
            raise NotFound("The connection is paused: resume it first.")
        # A statement of its own: it must see what the one before us at that lock has written.
        standing = await (await conn.execute(_STANDING, key)).fetchone()
        cut_off, why, asked_for = standing or (None, None, None)
        read: frozenset[str] = frozenset()
        by_hand = trigger in (RunTrigger.BUTTON, RunTrigger.COMMAND)
        if why == GAVE_WAY and not by_hand:
            finished = await conn.execute(_READ, key | {"run": cut_off})
            read = frozenset([stream for (stream,) in await finished.fetchall()])
        if run_id is None:  # a job of the schedule's: somebody may have asked for a run while it waited
            run_id = asked_for
        id: UUID = cut_off or run_id or uuid4()
        await conn.execute(_START, key | {"id": id, "trigger": trigger.value})
        if cut_off is not None and run_id is not None and run_id != cut_off:
            await conn.execute(_JOIN, key | {"id": run_id})
    return id, read


async def end(
    office: Office,
    opened: Opened,
    run_id: UUID,
    state: RunState,
    code: str | None = None,
    sentence: str | None = None,
    resume_at: datetime | None = None,
) -> RunResult:
    """The run has ended, or waits: at ``resume_at`` (at once, if empty) the schedule goes on with it."""
    key = {"ws": opened.workspace_id, "connection": opened.id, "run": run_id, "at": resume_at}
    async with office.database.loading(opened.workspace_id) as db:
        ended = await driver(db).execute(_END, key | {"state": state.value, "code": code, "error": sentence})
        counts = Counts(*(await ended.fetchone() or ()))
        if state is RunState.WAITING:
            await driver(db).execute(_GOES_ON, key)
        elif state is RunState.SUCCEEDED:
            await driver(db).execute(_CLEARED, key)
    RUNS.labels(opened.connector.key, state.value).inc()
    log.info("run.ended", state=state.value, code=code)
    return RunResult(run_id, state, counts, sentence)


async def stop_connection(office: Office, opened: Opened, error: VendorError) -> None:
    """Nothing will work until the user acts: the connection says so, and isn't tried again by itself."""
    state = ConnectionState.NEEDS_REAUTH if isinstance(error, AuthFailed) else ConnectionState.BROKEN_SETTINGS
    async with office.database.loading(opened.workspace_id) as db:
        await db.execute(
            text("update connection set state = :state, state_reason = :why where workspace_id = :ws and id = :id"),
            {"state": state.value, "why": error.sentence, "ws": opened.workspace_id, "id": opened.id},
        )


def resume_at(error: VendorError) -> datetime:
    """When a run that the vendor held up goes on by itself."""
    if isinstance(error, QuotaExhausted) and error.until is not None:
        return error.until
    if isinstance(error, RateLimited | NotReady) and error.wait_seconds:
        return clock.now() + timedelta(seconds=min(error.wait_seconds, 3600.0))
    return clock.now() + PARK_AGAIN
