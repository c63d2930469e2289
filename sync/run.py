"""One run: the streams of a connection, page by page, each page and its checkpoint in one transaction.

A run that was killed is adopted by the next worker and goes on from the last committed page. The lease is a
number in the stream's row (``epoch``): a worker that was taken over for dead can't commit any more.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import structlog
import xxhash
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from connectors.contract import Page, Position, RawRecord, Start, Stream, Touched
from connectors.errors import (
    AuthFailed,
    BadSettings,
    NotPermitted,
    NotReady,
    QuotaExhausted,
    RateLimited,
    VendorError,
)
from core import clock
from core.crash import crash_point
from core.database import driver
from core.errors import SkvozError
from core.tracing import span
from schema.enums import RunState, RunTrigger
from sync.breaker import try_now
from sync.connections import Opened, open_connection, session
from sync.custom_fields import fields_due, look_at_fields, sample_fields
from sync.errors import LeaseLost, PagingLoop
from sync.field_mappings import waiting_keys
from sync.load import Counts, load_page, retire
from sync.mapped import Loading
from sync.mapping_again import map_waiting
from sync.merges import follow_merges
from sync.metrics import RECORDS
from sync.office import Office
from sync.run_life import GAVE_WAY, RunResult, begin, end, resume_at, stop_connection
from sync.settling import settle_marked
from sync.sweep import Sweep
from sync.turns import TurnOver, no_others
from sync.vendor import VendorClient

log = structlog.get_logger(__name__)

HISTORY = timedelta(days=365)
"""How far back the first sync reads when the settings don't say."""
_NOTHING_LISTED = Sweep(whole=False)
_CLOCK_STEP = 5.0
"""Seconds by which a vendor's clock may differ from what was taken for it: answers tell it by the second."""

_TAKE = """
with noted as (
    insert into stream_run (workspace_id, run_id, stream) values (%(ws)s, %(run)s, %(stream)s)
    on conflict (workspace_id, run_id, stream) do nothing
)
insert into stream_state as s (workspace_id, connection_id, stream, epoch, run_id)
values (%(ws)s, %(connection)s, %(stream)s, 1, %(run)s)
on conflict (workspace_id, connection_id, stream) do update
set epoch = s.epoch + 1, run_id = excluded.run_id, error = null, error_code = null
returning epoch, cursor, position, reread_from
"""
_CHECKPOINT = """
update stream_state set
    position = case when reread_from is not distinct from %(reread_from)s then %(position)s::jsonb end,
    cursor = coalesce(%(cursor)s::jsonb, cursor),
    error = case when %(finished)s then null else error end,
    error_code = case when %(finished)s then null else error_code end,
    fresh_until = case when %(finished)s and %(reread_from)s is null then %(fresh)s else fresh_until end,
    reread_from = case when %(finished)s then nullif(reread_from, %(reread_from)s) else reread_from end
where workspace_id = %(ws)s and connection_id = %(connection)s and stream = %(stream)s and epoch = %(epoch)s
"""
_SUMS = ", ".join(f"{name} = {name} + %({name})s" for name in Counts.__slots__)
_COUNT = f"""
with counted as (
    update stream_run set {_SUMS}, pages = pages + %(pages)s, done = %(done)s,
        finished_at = case when %(finished)s then clock_timestamp() end
    where workspace_id = %(ws)s and run_id = %(run)s and stream = %(stream)s
)
update sync_run set {_SUMS}, requests = requests + %(requests)s where workspace_id = %(ws)s and id = %(run)s
"""  # noqa: S608 - names are ours


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands: told after every page. ``done`` is the stream's share behind us, if known."""

    stream: str
    title: str
    counts: Counts
    done: float | None
    finished: bool
    error: str | None = None


Tell = Callable[[Progress], None]
_Fetching = asyncio.Task[tuple[Page, datetime]]


@dataclass(slots=True)
class _Run:
    office: Office
    opened: Opened
    id: UUID
    tell: Tell
    turn_over: TurnOver
    read_before: frozenset[str]
    client: VendorClient[Any]
    requests_noted: int = 0
    gave_way: bool = False

    async def gives_way(self) -> bool:
        """Whether the run ends here for now, since others had to wait long enough."""
        self.gave_way = self.gave_way or await self.turn_over()
        return self.gave_way

    def loading(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A transaction that loads into the connection's workspace."""
        return self.office.database.loading(self.opened.workspace_id)

    def of(self, stream: Stream[Any]) -> Loading:
        """What loading a page of ``stream`` needs to know."""
        opened = self.opened
        return Loading(opened.workspace_id, opened.id, self.id, opened.region, stream, opened.settings)


async def run_connection(
    office: Office,
    workspace_id: UUID,
    connection_id: UUID,
    *,
    trigger: RunTrigger,
    run_id: UUID | None = None,
    tell: Tell = lambda _: None,
    stop: asyncio.Event | None = None,
    turn_over: TurnOver = no_others,
) -> RunResult:
    """Bring everything new of a connection here, and settle the figures that depend on it.

    One stream's trouble does not stop the others; trouble with the account does. ``stop`` ends the run after the
    page in hand, and so does ``turn_over`` where that costs nothing; it goes on next time.
    """
    opened = await open_connection(office, workspace_id, connection_id)
    id, read_before = await begin(office, opened, trigger, run_id)
    if trigger in (RunTrigger.BUTTON, RunTrigger.COMMAND):
        await try_now(office.database, workspace_id, opened.account)
    about = {"run": str(id), "connection": str(connection_id)}
    making = partial(_Run, office, opened, id, tell, turn_over, read_before)
    with (
        structlog.contextvars.bound_contextvars(**about),
        span("sync.run", connector=opened.connector.key, trigger=trigger.value, **about) as traced,
    ):
        result = await _run(office, opened, id, making, stop)
        traced.set(state=result.state.value, fetched=result.counts.fetched)
        return result


async def _run(
    office: Office,
    opened: Opened,
    id: UUID,
    making: Callable[[VendorClient[Any]], _Run],
    stop: asyncio.Event | None,
) -> RunResult:
    try:
        async with session(office, opened) as client:
            run = making(client)
            if not client.reckons_clock:  # cursors hold the vendor's time, from the first request on
                await opened.connector.check(client)
            looked = await _look_at_fields(run, stop)
            errors = await _read_streams(run, stop)
            async with run.loading() as db:
                due = await fields_due(driver(db), opened)  # records may have shown fields that nobody knew of
                await follow_merges(driver(db), opened)
            if (due or looked) and (stop is None or not stop.is_set()):
                if due:
                    await look_at_fields(office, opened, client, id)
                await sample_fields(office, opened, id)
    except (AuthFailed, BadSettings) as error:
        await stop_connection(office, opened, error)
        return await end(office, opened, id, RunState.FAILED, error.code, error.sentence)
    except (QuotaExhausted, RateLimited, NotReady) as error:
        return await end(office, opened, id, RunState.WAITING, error.code, error.sentence, resume_at(error))
    except VendorError as error:  # before the first stream: the others would fare no better
        return await end(office, opened, id, RunState.FAILED, error.code, error.sentence)
    except SkvozError:
        raise  # another worker has the run now
    except Exception:
        log.exception("run.broke")
        await end(office, opened, id, RunState.FAILED, "INTERNAL", f"Something broke on our side in run {id}.")
        raise
    finally:
        await settle_marked(office.database, opened.workspace_id, id)
    if stop is not None and stop.is_set():
        return await end(office, opened, id, RunState.WAITING, "STOPPED", "Stopped; it goes on next time.")
    if run.gave_way:
        return await end(office, opened, id, RunState.WAITING, GAVE_WAY, "Others have their turn; it goes on then.")
    if errors:
        sentence = " ".join(f"{title}: {error.sentence}" for title, error in errors)
        return await end(office, opened, id, RunState.FAILED, errors[0][1].code, sentence)
    return await end(office, opened, id, RunState.SUCCEEDED)


async def _look_at_fields(run: _Run, stop: asyncio.Event | None) -> bool:
    """Look at the fields that the account has of its own, if it is time to, and map anew what waits for that.
    Returns whether they were looked at."""
    async with run.loading() as db:
        due = await fields_due(driver(db), run.opened)
        waiting = await waiting_keys(driver(db), run.opened.workspace_id, run.opened.id)
    if due:
        await look_at_fields(run.office, run.opened, run.client, run.id)
    if due or waiting:
        await map_waiting(run.office, run.opened, stop)
    return due


async def _read_streams(run: _Run, stop: asyncio.Event | None) -> list[tuple[str, VendorError]]:
    errors: list[tuple[str, VendorError]] = []
    for stream in run.opened.connector.streams:
        if stream.name in run.read_before:
            continue
        if (stop is not None and stop.is_set()) or await run.gives_way():
            break
        try:
            await _read_stream(run, stream, stop)
        except (AuthFailed, BadSettings, QuotaExhausted, RateLimited, NotReady):
            raise
        except VendorError as error:
            await _note_stream_error(run, stream, error)
            errors.append((stream.title, error))
    left_out = [error for _, error in errors if isinstance(error, NotPermitted)]
    if len(left_out) < len(run.opened.connector.streams):
        # What the account may not see is left out, with a note at the stream; all of it would be a failure.
        return [(title, error) for title, error in errors if not isinstance(error, NotPermitted)]
    return errors


async def _read_stream(run: _Run, stream: Stream[Any], stop: asyncio.Event | None) -> None:
    """Read one stream to its end, or to ``stop``."""
    lead = run.client.clock_lead
    async with run.loading() as db:
        lease = await _take(db, run, stream)
        position = lease.position
        if position is None:
            position = stream.start(run.opened.settings, _start(run, lease))
        if position is None:
            await _finish(db, run, stream, lease, _NOTHING_LISTED)
    total = Counts()
    run.tell(Progress(stream.name, stream.title, total, 0.0, finished=False))
    ahead: _Fetching | None = None
    if position is not None and lease.position is None:
        position, ahead = await _first_page(run, stream, lease, position, lead)
    # Where nothing is due, nothing was listed either: that nothing was seen says nothing.
    listed = position is not None and (stream.sweeps or (stream.whole is not None and stream.whole(position)))
    sweep = Sweep(whole=True) if listed and lease.position is None else _NOTHING_LISTED
    finished = position is None
    asked: set[bytes] = set()
    try:
        while position is not None:
            _refuse_loop(stream, asked, position)
            page, asked_at = await (ahead or _fetch(run, stream, position))
            # One page ahead and no more: the vendor prepares it while this one is loaded.
            following = None if page.commit_first else page.next
            ahead = None if following is None else asyncio.ensure_future(_fetch(run, stream, following))
            # Not where absence is looked at: what that refuses must not undo the page.
            finished = page.next is None and not sweep.whole
            counts = await _commit_page(run, stream, lease, page, asked_at, finished=finished)
            sweep.saw(page.records)
            sweep.saw_ids(page.present)
            total += counts
            position = page.next
            run.tell(Progress(stream.name, stream.title, total, page.done, finished=False))
            if position is not None and (
                (stop is not None and stop.is_set()) or (not sweep.whole and await run.gives_way())
            ):  # a list that is read whole to find what was deleted would have to begin again: it isn't cut off
                return
    finally:
        if ahead is not None and not ahead.done():
            ahead.cancel()
            await asyncio.gather(ahead, return_exceptions=True)
    if not finished:
        async with run.loading() as db:
            total += await _finish(db, run, stream, lease, sweep)
    run.tell(Progress(stream.name, stream.title, total, 1.0, finished=True))


async def _first_page(
    run: _Run, stream: Stream[Any], lease: _Lease, position: Position, lead: float
) -> tuple[Position, _Fetching]:
    """Where a stream is read from, and the page there, fetched. ``position`` was reckoned by a clock of that
    ``lead``: where the answer shows that to be wrong, it is asked once more."""
    fetching = asyncio.ensure_future(_fetch(run, stream, position))
    await fetching
    if abs(run.client.clock_lead - lead) > _CLOCK_STEP:
        lease.began = run.client.now()
        anew = stream.start(run.opened.settings, _start(run, lease))
        if anew is not None and anew != position:
            return anew, asyncio.ensure_future(_fetch(run, stream, anew))
    return position, fetching


async def _fetch(run: _Run, stream: Stream[Any], position: Position) -> tuple[Page, datetime]:
    """A page, and when it was asked for."""
    asked_at = clock.now()
    response = await run.client.send(stream.request(run.opened.settings, position))
    return stream.read(run.opened.settings, position, response), asked_at


def _refuse_loop(stream: Stream[Any], asked: set[bytes], position: Position) -> None:
    key = xxhash.xxh3_128_digest(json.dumps(position, sort_keys=True, default=str).encode())
    if key in asked:
        raise PagingLoop(f"The pages of «{stream.title}» lead in a circle; nothing past it was read.")
    asked.add(key)


def _start(run: _Run, lease: _Lease) -> Start:
    if lease.reread_from is not None:
        return Start(cursor=None, now=run.client.now(), since=lease.reread_from, run_id=run.id)
    since = run.opened.settings.since
    first = datetime.combine(since, time(), UTC) if since is not None else run.client.now() - HISTORY
    return Start(cursor=lease.cursor, now=run.client.now(), since=first, run_id=run.id)


@dataclass(slots=True)
class _Lease:
    epoch: int
    cursor: dict[str, Any] | None
    position: Position | None
    reread_from: datetime | None
    began: datetime


async def _take(db: AsyncConnection, run: _Run, stream: Stream[Any]) -> _Lease:
    """Take the stream over: from now on only this worker commits pages of it."""
    taken = await driver(db).execute(_TAKE, _key(run, stream))
    epoch, cursor, position, reread_from = await taken.fetchone() or (0, None, None, None)
    return _Lease(epoch, cursor, position, reread_from, run.client.now())


async def _commit_page(
    run: _Run, stream: Stream[Any], lease: _Lease, page: Page, asked_at: datetime, *, finished: bool
) -> Counts:
    """A page's rows and the checkpoint that covers them: together or not at all. ``finished``: the stream is read
    with it."""
    connector = run.opened.connector.key
    with span("sync.page", connector=connector, stream=stream.name, records=len(page.records)):
        async with run.loading() as db:
            await _checkpoint(db, run, stream, lease, page, finished=finished)
            counts = await load_page(driver(db), run.of(stream), page.records, asked_at)
            counts += await _load_touched(db, run, page.touched, asked_at)
            await _count(db, run, stream, counts, pages=1, done=1.0 if finished else page.done, finished=finished)
            crash_point("sync.page.before_commit")
    for outcome in ("created", "updated", "unchanged", "skipped", "quarantined"):
        RECORDS.labels(connector, stream.name, outcome).inc(getattr(counts, outcome))
    crash_point("sync.page.after_commit")
    return counts


async def _load_touched(db: AsyncConnection, run: _Run, touched: Sequence[Touched], asked_at: datetime) -> Counts:
    """Records of other streams that a list of changes told of."""
    by_stream: dict[str, list[Touched]] = defaultdict(list)
    for each in touched:
        by_stream[each.stream].append(each)
    counts = Counts()
    for name, some in by_stream.items():
        loading = run.of(run.opened.connector.stream(name))
        told = [RawRecord(each.external_id, each.body) for each in some if each.body is not None]
        counts += await load_page(driver(db), loading, told, asked_at)
        gone = [each.external_id for each in some if each.deleted]
        counts += Counts(deleted=await retire(driver(db), loading, gone))
    return counts


async def _checkpoint(
    db: AsyncConnection, run: _Run, stream: Stream[Any], lease: _Lease, page: Page | None, *, finished: bool
) -> None:
    # First in the transaction: its row lock fences whoever else believes to hold the stream. A reading that goes
    # back to a date leaves the cursor alone: it says nothing of what lies before. And one that was under way when
    # somebody asked to go back leaves no position, so that the next one begins at that date.
    position = None if page is None else page.next
    cursor = None if page is None or lease.reread_from is not None else page.cursor
    changed = await driver(db).execute(
        _CHECKPOINT,
        _key(run, stream)
        | {
            "epoch": lease.epoch,
            "reread_from": lease.reread_from,
            "position": None if position is None else json.dumps(position),
            "cursor": None if cursor is None else json.dumps(cursor),
            "fresh": lease.began,
            "finished": finished,
        },
    )
    if changed.rowcount != 1:
        raise LeaseLost("Another worker has taken this stream over.")


async def _finish(db: AsyncConnection, run: _Run, stream: Stream[Any], lease: _Lease, sweep: Sweep) -> Counts:
    """The stream is read to its end: find what was deleted there, and note how fresh it is."""
    await _checkpoint(db, run, stream, lease, None, finished=True)
    counts = Counts(deleted=await sweep.retire_absent(driver(db), run.of(stream)))
    await _count(db, run, stream, counts, pages=0, done=1.0, finished=True)
    return counts


async def _count(
    db: AsyncConnection,
    run: _Run,
    stream: Stream[Any],
    counts: Counts,
    *,
    pages: int,
    done: float | None,
    finished: bool,
) -> None:
    requests, run.requests_noted = run.client.requests - run.requests_noted, run.client.requests
    given = {name: getattr(counts, name) for name in Counts.__slots__}
    given |= {"pages": pages, "done": done, "finished": finished, "requests": requests}
    await driver(db).execute(_COUNT.encode(), _key(run, stream) | given)


async def _note_stream_error(run: _Run, stream: Stream[Any], error: VendorError) -> None:
    run.tell(Progress(stream.name, stream.title, Counts(), None, finished=True, error=error.sentence))
    log.warning("stream.failed", stream=stream.name, code=error.code)
    given = _key(run, stream) | {"code": error.code, "error": error.sentence}
    async with run.loading() as db:
        await db.execute(
            text("""
            update stream_state set error_code = :code, error = :error
            where workspace_id = :ws and connection_id = :connection and stream = :stream
            """),
            given,
        )
        await db.execute(
            text("""
            update stream_run set error_code = :code, error = :error, finished_at = clock_timestamp()
            where workspace_id = :ws and run_id = :run and stream = :stream
            """),
            given,
        )


def _key(run: _Run, stream: Stream[Any]) -> dict[str, Any]:
    return {
        "ws": run.opened.workspace_id,
        "connection": run.opened.id,
        "stream": stream.name,
        "run": run.id,
    }
