"""The life of a run as its row tells it: begun or adopted, ended or waiting, and what its connection does then."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import structlog
from sqlalchemy import text

from connectors.errors import AuthFailed, NotReady, QuotaExhausted, RateLimited, VendorError
from core import clock
from schema.enums import ConnectionState, RunState, RunTrigger
from sync.connections import Opened
from sync.errors import NotFound
from sync.load import Counts
from sync.metrics import RUNS
from sync.office import Office

log = structlog.get_logger(__name__)

PARK_AGAIN = timedelta(minutes=5)
"""How long a run waits whose vendor didn't say how long."""

_GOES_ON = text("""
update connection set next_run_at = coalesce(:at, clock_timestamp()) where workspace_id = :ws and id = :id
""")
_ASKED_FOR = text("""
select id from sync_run where workspace_id = :ws and connection_id = :connection and state = 'queued'
order by queued_at limit 1
""")
_READ = text("""
select stream from stream_run where workspace_id = :ws and run_id = :run and error_code is null
    and finished_at > clock_timestamp() - interval '1 hour'
""")
_CLEARED = text("""
update connection set state_reason = null
where workspace_id = :ws and id = :id and state = 'active' and :state = 'succeeded'
""")


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
        state = (
            await db.execute(
                text("select state from connection where workspace_id = :ws and id = :connection for update"), key
            )
        ).scalar_one()
        if state == ConnectionState.PAUSED:
            raise NotFound("The connection is paused: resume it first.")
        cut_off = (
            await db.execute(
                text("""
                select id, error_code from sync_run where workspace_id = :ws and connection_id = :connection
                and state in ('running', 'waiting') order by queued_at desc limit 1
                """),
                key,
            )
        ).one_or_none()
        read: frozenset[str] = frozenset()
        by_hand = trigger in (RunTrigger.BUTTON, RunTrigger.COMMAND)
        if cut_off is not None and cut_off.error_code == GAVE_WAY and not by_hand:
            read = frozenset((await db.execute(_READ, key | {"run": cut_off.id})).scalars())
        if run_id is None:  # a job of the schedule's: somebody may have asked for a run while it waited
            run_id = (await db.execute(_ASKED_FOR, key)).scalar_one_or_none()
        id: UUID = (cut_off and cut_off.id) or run_id or uuid4()
        await db.execute(
            text("""
            insert into sync_run as r (workspace_id, id, connection_id, trigger, state, started_at)
            values (:ws, :id, :connection, :trigger, 'running', clock_timestamp())
            on conflict (workspace_id, id) do update set state = 'running', resume_at = null, error = null,
                error_code = null, started_at = coalesce(r.started_at, excluded.started_at)
            """),
            key | {"id": id, "trigger": trigger.value},
        )
        if cut_off is not None and run_id is not None and run_id != cut_off.id:
            await db.execute(
                text("""
                update sync_run set state = 'succeeded', finished_at = clock_timestamp(),
                    error = 'Joined the run that was under way.' where workspace_id = :ws and id = :id
                """),
                key | {"id": run_id},
            )
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
    async with office.database.loading(opened.workspace_id) as db:
        row = (
            await db.execute(
                text("""
                update sync_run set state = :state, error_code = :code, error = :error, resume_at = :resume_at,
                    finished_at = case when :state in ('succeeded', 'failed') then clock_timestamp() end
                where workspace_id = :ws and id = :run
                returning fetched, created, updated, unchanged, skipped, quarantined, deleted
                """),
                {
                    "ws": opened.workspace_id,
                    "run": run_id,
                    "state": state.value,
                    "code": code,
                    "error": sentence,
                    "resume_at": resume_at,
                },
            )
        ).one()
        await db.execute(
            _GOES_ON if state is RunState.WAITING else _CLEARED,
            {"ws": opened.workspace_id, "id": opened.id, "at": resume_at, "state": state.value},
        )
    RUNS.labels(opened.connector.key, state.value).inc()
    log.info("run.ended", state=state.value, code=code)
    return RunResult(run_id, state, Counts(*row), sentence)


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
