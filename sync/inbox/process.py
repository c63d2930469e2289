"""From deliveries to records: what they name is fetched anew and goes the ordinary way of a page.

Many deliveries of one record are one request. A record is fetched when its delivery is looked into, never taken
from an unproven body, so the order in which deliveries come doesn't matter, and a late one revives nothing. What a
stream can't fetch singly makes the schedule read it earlier. A delivery is done when all that it names is; one that
failed is tried again, less and less often, and then kept for a person.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import structlog
from sqlalchemy import text

from connectors.contract import Delivery, RawRecord, Touched
from connectors.errors import (
    AuthFailed,
    BadRecord,
    BadSettings,
    NotPermitted,
    NotReady,
    QuotaExhausted,
    RateLimited,
    VendorError,
)
from core import clock
from core.crash import crash_point
from schema.enums import ConnectionState, ReceivedState
from sync.connections import Opened, open_connection, session
from sync.inbox.accept import read
from sync.inbox.doors import listening
from sync.inbox.loading import Inflow, load
from sync.inbox.sealing import Envelope
from sync.load import Counts
from sync.office import Office
from sync.run_life import resume_at, stop_connection
from sync.settling import settle_marked
from sync.turns import TurnOver, no_others
from sync.vendor import VendorClient

log = structlog.get_logger(__name__)

TRIES = 8
"""How often a delivery is tried, over about four hours, before it is left to a person."""
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=10), timedelta(hours=1)
EARLY_EVERY = timedelta(seconds=60)
"""Deliveries make the schedule read a connection at most so often."""
_DELIVERIES_AT_ONCE = 100

Key = tuple[str, str]
"""A record: its stream's name and its external id."""


@dataclass(slots=True)
class Processed:
    """What became of the deliveries that waited at a connection's door."""

    done: int = 0
    waiting: int = 0
    failed: int = 0
    counts: Counts = field(default_factory=Counts)
    early: bool = False
    """Whether the schedule was asked to read the connection now."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    id: UUID
    arrivals: int
    attempts: int
    touched: tuple[Touched, ...]

    def keys(self) -> set[Key]:
        return {(each.stream, each.external_id) for each in self.touched}


@dataclass(slots=True)
class _Found:
    """What was found out about the records of a batch. ``anew``: to be read with their streams."""

    present: dict[Key, RawRecord] = field(default_factory=dict)
    gone: set[Key] = field(default_factory=set)
    anew: set[Key] = field(default_factory=set)
    errors: dict[Key, VendorError] = field(default_factory=dict)


async def process_inbox(
    office: Office,
    workspace_id: UUID,
    connection_id: UUID,
    *,
    stop: asyncio.Event | None = None,
    turn_over: TurnOver = no_others,
) -> Processed:
    """Look into everything that waits at a connection's door, until ``stop`` or ``turn_over``. Raises NotFound when
    the connection is gone."""
    processed = Processed()
    opened = await open_connection(office, workspace_id, connection_id)
    inflow = Inflow(office, opened, uuid4(), clock.now())
    async with session(office, opened, urgent=True) as client:
        while not (stop is not None and stop.is_set()) and await _is_active(opened, office):
            batch = await _take(office, opened)
            if not batch:
                break
            await _process(inflow, client, batch, processed)
            await settle_marked(office.database, workspace_id, inflow.run_id if inflow.began else None)
            if await turn_over():
                break
    return processed


async def _process(
    inflow: Inflow, client: VendorClient[Any], batch: Sequence[_Waiting], processed: Processed
) -> None:
    asked_at = clock.now()
    found = await _find(inflow.opened, client, _collapsed(batch))
    held: set[Key] = set()
    for stream in inflow.opened.connector.streams:
        present = [raw for (name, _), raw in found.present.items() if name == stream.name]
        gone = [id for name, id in found.gone if name == stream.name]
        if not present and not gone:
            continue
        loaded = await load(inflow, stream, present, gone, asked_at, client.requests)
        processed.counts += loaded.counts
        held |= {(stream.name, id) for id in loaded.held}
        found.anew |= {(stream.name, id) for id in loaded.strangers}
    crash_point("inbox.process.before_done")
    await _note(inflow.office, inflow.opened, batch, found, held, processed)


async def _take(office: Office, opened: Opened) -> list[_Waiting]:
    """The deliveries whose time has come, oldest first. What can't be understood (any more) is set aside."""
    webhooks = listening(opened.connector)
    async with office.database.workspace(opened.workspace_id) as db:
        envelope = await Envelope.of(db, office, opened.workspace_id, opened.id)
        rows = (
            await db.execute(
                text("""
                select id, content, headers, query, arrivals, attempts from received_webhook
                where workspace_id = :ws and connection_id = :connection and state = 'waiting'
                    and next_try_at <= clock_timestamp()
                order by received_at limit :most
                """),
                {"ws": opened.workspace_id, "connection": opened.id, "most": _DELIVERIES_AT_ONCE},
            )
        ).all()
        taken = []
        for row in rows:
            delivery = Delivery(envelope.open(row.content), httpx.Headers(row.headers), row.query)
            try:
                touched = tuple(read(opened, webhooks, delivery))
            except BadRecord as error:
                await db.execute(
                    text("""
                    update received_webhook set state = 'malformed', reason = :reason
                    where workspace_id = :ws and id = :id
                    """),
                    {"ws": opened.workspace_id, "id": row.id, "reason": error.sentence},
                )
                continue
            taken.append(_Waiting(row.id, row.arrivals, row.attempts, touched))
    return taken


def _collapsed(batch: Sequence[_Waiting]) -> dict[Key, Touched]:
    """Each record once: the last word about it."""
    return {(each.stream, each.external_id): each for one in batch for each in one.touched}


async def _find(opened: Opened, client: VendorClient[Any], touched: Mapping[Key, Touched]) -> _Found:
    """Find out how the records stand there now. What concerns the whole account is noted at each of them."""
    found = _Found()
    proven = listening(opened.connector).genuine is not None
    turns = asyncio.Semaphore(opened.connector.concurrency)
    wall: VendorError | None = None

    async def fetch(key: Key, each: Touched) -> None:
        nonlocal wall
        one = opened.connector.stream(each.stream).one
        if one is None or not each.external_id:
            if each.deleted and proven:
                found.gone.add(key)
            elif each.body is not None and each.external_id:
                found.present[key] = RawRecord(each.external_id, each.body)
            else:
                found.anew.add(key)
            return
        if each.body is not None and proven and not each.deleted:
            found.present[key] = RawRecord(each.external_id, each.body)
            return
        async with turns:
            if wall is not None:
                found.errors[key] = wall
                return
            try:
                response = await client.send(one.request(opened.settings, each.external_id))
                raw = one.read(opened.settings, each.external_id, response)
            except VendorError as error:
                found.errors[key] = error
                if isinstance(error, AuthFailed | BadSettings | QuotaExhausted | RateLimited | NotReady):
                    wall = error
                return
            except Exception as error:  # one record that upsets a connector must not stop the others
                log.exception("webhook.broke", stream=each.stream)
                found.errors[key] = VendorError(f"Reading it broke on our side ({type(error).__name__}).")
                return
        if raw is None:
            found.gone.add(key)
        else:
            found.present[key] = raw

    await asyncio.gather(*(fetch(key, each) for key, each in touched.items()))
    return found


async def _note(
    office: Office,
    opened: Opened,
    batch: Sequence[_Waiting],
    found: _Found,
    held: set[Key],
    processed: Processed,
) -> None:
    """Write down what became of each delivery. One that came again meanwhile goes on waiting."""
    wall = next((e for e in found.errors.values() if isinstance(e, AuthFailed | BadSettings)), None)
    if wall is not None:
        await stop_connection(office, opened, wall)
    verdicts = [(each, _verdict(each, found, held)) for each in batch]
    for _, verdict in verdicts:
        processed.done += verdict.state is ReceivedState.DONE
        processed.waiting += verdict.state is ReceivedState.WAITING
        processed.failed += verdict.state is ReceivedState.FAILED
    async with office.database.workspace(opened.workspace_id) as db:
        await db.execute(
            text("""
            update received_webhook set state = :state, attempts = :attempts, reason = :reason,
                next_try_at = coalesce(:next, next_try_at),
                done_at = case when :state = 'done' then clock_timestamp() end
            where workspace_id = :ws and id = :id and arrivals = :arrivals and state = 'waiting'
            """),
            [
                {
                    "ws": opened.workspace_id,
                    "id": each.id,
                    "arrivals": each.arrivals,
                    "state": verdict.state.value,
                    "attempts": verdict.attempts,
                    "next": verdict.next_try_at,
                    "reason": verdict.reason,
                }
                for each, verdict in verdicts
            ],
        )
        if found.anew:
            await _read_early(db, opened)
            processed.early = True


@dataclass(frozen=True, slots=True)
class _Verdict:
    state: ReceivedState
    attempts: int
    next_try_at: datetime | None
    reason: str | None


def _verdict(each: _Waiting, found: _Found, held: set[Key]) -> _Verdict:
    keys = each.keys()
    error = next((found.errors[key] for key in keys if key in found.errors), None)
    if error is not None:
        return _after_failure(each, error)
    if keys & held:  # the answer to a later question came first: look once more
        return _Verdict(ReceivedState.WAITING, each.attempts, clock.now(), None)
    return _Verdict(ReceivedState.DONE, each.attempts, None, None)


def _after_failure(each: _Waiting, error: VendorError) -> _Verdict:
    if isinstance(error, AuthFailed | BadSettings):  # the connection has stopped: it is tried when it goes on
        return _Verdict(ReceivedState.WAITING, each.attempts, clock.now(), error.sentence)
    if isinstance(error, QuotaExhausted | RateLimited | NotReady):
        return _Verdict(ReceivedState.WAITING, each.attempts, resume_at(error), error.sentence)
    attempts = each.attempts + 1
    if isinstance(error, NotPermitted) or attempts >= TRIES:
        return _Verdict(ReceivedState.FAILED, attempts, None, error.sentence)
    pause = min(FIRST_PAUSE * int(4 ** (attempts - 1)), LONGEST_PAUSE)
    return _Verdict(ReceivedState.WAITING, attempts, clock.now() + pause, error.sentence)


async def _read_early(db: Any, opened: Opened) -> None:
    """Bring the next scheduled run forward, yet not so that deliveries make one run follow the other."""
    await db.execute(
        text("""
        update connection set next_run_at = least(next_run_at, greatest(clock_timestamp(), (
            select max(queued_at) from sync_run
            where workspace_id = :ws and connection_id = :id and trigger <> 'webhook') + :every))
        where workspace_id = :ws and id = :id
        """),
        {"ws": opened.workspace_id, "id": opened.id, "every": EARLY_EVERY},
    )


async def _is_active(opened: Opened, office: Office) -> bool:
    async with office.database.workspace(opened.workspace_id) as db:
        state = (
            await db.execute(
                text("select state from connection where workspace_id = :ws and id = :id"),
                {"ws": opened.workspace_id, "id": opened.id},
            )
        ).scalar_one_or_none()
    return state == ConnectionState.ACTIVE
