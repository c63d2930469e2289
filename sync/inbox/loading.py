"""Records that deliveries named, loaded like a page: in turn with the runs of their stream, counted as a run."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from connectors.contract import RawRecord, Stream
from core import clock
from core.database import driver
from schema.enums import RunState, RunTrigger
from sync.connections import Opened
from sync.load import Counts, load_page, retire
from sync.mapped import Loading
from sync.office import Office


@dataclass(slots=True)
class Inflow:
    """One pass over what waits at a door, or over what a verification found. It is a run that ends with each of its
    transactions, so that no other run takes it for one that was cut off. ``began`` is false while nothing was
    loaded."""

    office: Office
    opened: Opened
    run_id: UUID
    started_at: datetime
    trigger: RunTrigger = RunTrigger.WEBHOOK
    began: bool = False
    requests_noted: int = 0


@dataclass(frozen=True, slots=True)
class Loaded:
    """``held``: records of which a later answer came here first; ``strangers``: records that are neither there
    nor here, which may be new and not yet to be seen there."""

    counts: Counts
    held: frozenset[str]
    strangers: frozenset[str]


async def load(
    inflow: Inflow,
    stream: Stream[Any],
    present: Sequence[RawRecord],
    gone: Collection[str],
    asked_at: datetime,
    requests: int,
) -> Loaded:
    """Bring records of one stream here, and mark those that are gone there; all in one transaction."""
    opened = inflow.opened
    loading = Loading(opened.workspace_id, opened.id, inflow.run_id, opened.region, stream, opened.settings)
    async with inflow.office.database.loading(opened.workspace_id) as db:
        await _take_turn(db, opened, stream, told=inflow.trigger is RunTrigger.WEBHOOK)
        conn = driver(db)
        ids = [*(raw.external_id for raw in present), *gone]
        known = await _known(conn, loading, ids)
        held = frozenset(id for id, at in known.items() if asked_at < at <= clock.now())
        counts = await load_page(conn, loading, [raw for raw in present if raw.external_id not in held])
        deleted = await retire(conn, loading, [id for id in gone if id in known and id not in held])
        counts += Counts(deleted=deleted)
        await _count(db, inflow, stream, counts, requests)
    inflow.began = True
    return Loaded(counts, held, frozenset(gone) - known.keys())


async def _take_turn(db: AsyncConnection, opened: Opened, stream: Stream[Any], *, told: bool) -> None:
    """The row of the stream is what runs lock first in each transaction: pages and deliveries come one by one."""
    await db.execute(
        text("""
        insert into stream_state (workspace_id, connection_id, stream, told_at)
        values (:ws, :connection, :stream, case when :told then clock_timestamp() end)
        on conflict (workspace_id, connection_id, stream) do update
        set told_at = coalesce(excluded.told_at, stream_state.told_at)
        """),
        {"ws": opened.workspace_id, "connection": opened.id, "stream": stream.name, "told": told},
    )


async def _known(conn: Any, loading: Loading, ids: list[str]) -> dict[str, datetime]:
    """When we last learnt something of these records, of those that we have."""
    rows = await (
        await conn.execute(
            "select external_id, greatest(changed_at, deleted_at) from source_record"
            " where workspace_id = %s and connection_id = %s and stream = %s and external_id = any(%s)",
            (loading.workspace_id, loading.connection_id, loading.stream.name, ids),
        )
    ).fetchall()
    return dict(rows)


async def _count(db: AsyncConnection, inflow: Inflow, stream: Stream[Any], counts: Counts, requests: int) -> None:
    given = {name: getattr(counts, name) for name in Counts.__slots__}
    columns, values = ", ".join(given), ", ".join(f":{name}" for name in given)
    sums = ", ".join(f"{name} = r.{name} + excluded.{name}" for name in given)
    key = {"ws": inflow.opened.workspace_id, "run": inflow.run_id}
    sent, inflow.requests_noted = requests - inflow.requests_noted, requests
    await db.execute(
        text(
            "insert into sync_run as r (workspace_id, id, connection_id, trigger, state, queued_at, started_at,"  # noqa: S608 - names are ours
            f" finished_at, requests, {columns}) values (:ws, :run, :connection, :trigger, :state, :began, :began,"
            f" clock_timestamp(), :requests, {values})"
            f" on conflict (workspace_id, id) do update set {sums}, finished_at = excluded.finished_at,"
            " requests = r.requests + excluded.requests"
        ),
        given
        | key
        | {
            "connection": inflow.opened.id,
            "trigger": inflow.trigger.value,
            "state": RunState.SUCCEEDED.value,
            "began": inflow.started_at,
            "requests": sent,
        },
    )
    await db.execute(
        text(
            f"insert into stream_run as r (workspace_id, run_id, stream, finished_at, done, {columns})"  # noqa: S608 - names are ours
            f" values (:ws, :run, :stream, clock_timestamp(), 1, {values})"
            f" on conflict (workspace_id, run_id, stream) do update set {sums}, finished_at = excluded.finished_at"
        ),
        given | key | {"stream": stream.name},
    )
