# ruff: noqa: S608 - the SQL is put together from sentences of ours; values are bound, never written in
"""How every connection of a workspace stands: in one sentence, and in the numbers behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from connectors.contract import RateLimit
from connectors.registry import connector
from core.database import Database
from sync.budget import window_seconds

Language = Literal["en", "ru"]
_WORDS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "resting": "It is left in peace until {} UTC, and then tried again.",
        "about": "It is about to be tried again.",
        "fine": "Everything is in order.",
        "failed": "The last sync failed: {}",
        "unknown": "no reason is known.",
        "new": "Connected; nothing is synced yet.",
        "paused": "Paused by a user: nothing is read until it is resumed.",
        "needs_reauth": "The account must be connected again: its access has ended.",
        "broken_settings": "The settings must be mended.",
    },
    "ru": {
        "resting": "До {} UTC мы её не тревожим, потом попробуем снова.",
        "about": "Сейчас попробуем снова.",
        "fine": "Всё в порядке.",
        "failed": "Последняя синхронизация не удалась: {}",
        "unknown": "причина неизвестна.",
        "new": "Подключено; синхронизаций ещё не было.",
        "paused": "Приостановлено пользователем: ничего не читается, пока чтение не возобновят.",
        "needs_reauth": "Подключите аккаунт заново: доступ закончился.",
        "broken_settings": "Исправьте настройки.",
    },
}
"""What is said of a connection. The reasons behind it come as its connector told them when it happened."""


def state_sentence(language: Language) -> str:
    """SQL of one plain sentence on the row ``{x}`` of ``connection``: how it stands, or what must be done."""
    say = partial(_quoted, language)
    at = "to_char(b.next_try_at at time zone 'UTC', 'HH24:MI')"
    unknown = f"coalesce(r.error, {say('unknown')})"
    mended = "coalesce({x}.state_reason, {told})"
    if language != "en":  # the reason is told in another language: it comes behind
        mended = "({told} || coalesce(' ' || {x}.state_reason, ''))"
    return (
        "case {x}.state when 'active' then coalesce("
        f"(select b.reason || ' ' || case when b.next_try_at > now() then {say('resting', at)} else {say('about')} "
        "end from breaker b where b.workspace_id = {x}.workspace_id and b.account = {x}.account "
        "and b.opened_at is not null), {x}.state_reason, (select case r.state "
        f"when 'failed' then {say('failed', unknown)} "
        f"when 'waiting' then coalesce(r.error, {say('fine')}) else {say('fine')} end "
        "from sync_run r where r.workspace_id = {x}.workspace_id and r.connection_id = {x}.id "
        "and r.state in ('succeeded', 'failed', 'waiting') order by r.queued_at desc limit 1), "
        f"{say('new')}) when 'paused' then {say('paused')} "
        f"when 'needs_reauth' then {mended.replace('{told}', say('needs_reauth'))} "
        f"else {mended.replace('{told}', say('broken_settings'))} end"
    )


def _quoted(language: Language, word: str, given: str = "") -> str:
    before, _, after = _WORDS[language][word].partition("{}")
    return f"'{before}'" + (f" || {given} || '{after}'" if given else "")


LAG_SECONDS = (
    "case when {x}.fresh_until is not null then greatest(0, extract(epoch from now() - {x}.fresh_until))::int end"
)
"""How far behind the row ``{x}`` of ``stream_state`` is; null before it was read to its end for the first time."""

SECONDS_LEFT = (
    "case when {x}.finished_at is null and {x}.done > 0 and {x}.done < 1 then "
    "(extract(epoch from clock_timestamp() - {x}.started_at) * (1 - {x}.done) / {x}.done)::int end"
)
"""How long the rest of a stream takes at the pace so far, for the row ``{x}`` of ``stream_run``."""

_WAITING = "('pending', 'sending', 'unknown')"
_CONNECTIONS = text(f"""
select c.id, c.connector, c.title, c.account, c.state, {state_sentence("en").format(x="c")} as sentence,
    greatest(c.next_run_at, b.next_try_at) as next_run_at, b.reason, b.opened_at, b.next_try_at, b.failures,
    (select count(*) from quarantine q where q.workspace_id = c.workspace_id and q.connection_id = c.id
        and q.resolved_at is null) as quarantined,
    o.waiting as outbox_waiting, o.parked as outbox_parked, o.oldest_at as outbox_oldest_at,
    i.waiting as inbox_waiting, i.given_up as inbox_given_up, i.oldest_at as inbox_oldest_at,
    r.id as run_id, r.trigger, r.state as run_state, r.queued_at, r.started_at, r.finished_at, r.fetched, r.created,
    r.updated, r.deleted, r.requests, r.error_code, v.started_at as verified_at, v.sentence as verified
from connection c
left join breaker b on b.workspace_id = c.workspace_id and b.account = c.account and b.opened_at is not null
left join lateral (
    select * from sync_run r
    where r.workspace_id = c.workspace_id and r.connection_id = c.id and r.state <> 'queued'
    order by r.queued_at desc limit 1
) r on true
left join lateral (
    select started_at, sentence from verification v where v.workspace_id = c.workspace_id and v.connection_id = c.id
    and v.state <> 'running' order by v.started_at desc limit 1
) v on true
cross join lateral (
    select count(*) filter (where o.state in {_WAITING}) as waiting,
        count(*) filter (where o.state not in {_WAITING}) as parked,
        min(o.created_at) filter (where o.state in {_WAITING}) as oldest_at
    from outbox o where o.workspace_id = c.workspace_id and o.connection_id = c.id
        and o.state not in ('done', 'skipped')
) o
cross join lateral (
    select count(*) filter (where w.state = 'waiting') as waiting,
        count(*) filter (where w.state in ('failed', 'malformed')) as given_up,
        min(w.received_at) filter (where w.state = 'waiting') as oldest_at
    from received_webhook w where w.workspace_id = c.workspace_id and w.connection_id = c.id and w.state <> 'done'
) i
where c.workspace_id = :ws and (cast(:only as uuid[]) is null or c.id = any(:only))
order by c.created_at, c.id
""")

_STREAMS = text(f"""
select s.connection_id, s.stream, s.fresh_until,
    {LAG_SECONDS.format(x="s")} as lag_seconds,
    s.position is not null as reading, s.told_at, s.error_code, s.error,
    r.fetched, r.created, r.updated, r.deleted, r.done, {SECONDS_LEFT.format(x="r")} as seconds_left
from stream_state s
left join lateral (
    select * from stream_run r where r.workspace_id = s.workspace_id and r.run_id = s.run_id and r.stream = s.stream
) r on true
where s.workspace_id = :ws and (cast(:only as uuid[]) is null or s.connection_id = any(:only))
""")

_BUDGETS = text("select account, limit_name, window_at, used, held_until from rate_budget where workspace_id = :ws")


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """One list of records: how far it is read, and what the last run that read it did."""

    name: str
    title: str
    fresh_until: datetime | None
    lag_seconds: int | None
    reading: bool
    told_at: datetime | None
    error_code: str | None
    error: str | None
    fetched: int | None
    created: int | None
    updated: int | None
    deleted: int | None
    done: float | None
    seconds_left: int | None


@dataclass(frozen=True, slots=True)
class BreakerStatus:
    """Why nothing is sent to a system for now."""

    reason: str
    opened_at: datetime
    next_try_at: datetime
    failures: int


@dataclass(frozen=True, slots=True)
class BudgetStatus:
    """One rate limit of the account: requests ``used`` of ``allowed`` in the present ``window_seconds``."""

    limit: str
    used: int
    allowed: int
    window_seconds: float
    held_until: datetime | None


@dataclass(frozen=True, slots=True)
class RunStatus:
    """The last sync."""

    id: UUID
    trigger: str
    state: str
    started_at: datetime | None
    finished_at: datetime | None
    fetched: int
    created: int
    updated: int
    deleted: int
    requests: int
    error_code: str | None


@dataclass(frozen=True, slots=True)
class QueueStatus:
    """What waits on its way out or in, what was given up until a person looks, and since when the oldest waits."""

    waiting: int
    parked: int
    oldest_at: datetime | None


@dataclass(frozen=True, slots=True)
class ConnectionStatus:
    """How one connection stands."""

    id: UUID
    connector: str
    title: str
    state: str
    sentence: str
    next_run_at: datetime | None
    quarantined: int
    outbox: QueueStatus
    inbox: QueueStatus
    breaker: BreakerStatus | None
    last_run: RunStatus | None
    verified_at: datetime | None
    verified: str | None
    budgets: list[BudgetStatus] = field(default_factory=list)
    streams: list[StreamStatus] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Status:
    """A workspace as its operator sees it. ``workers``: processes that take jobs, on all machines."""

    at: datetime
    workers: int
    connections: list[ConnectionStatus]


async def workspace_status(database: Database, workspace_id: UUID, only: Sequence[UUID] | None = None) -> Status:
    """How the connections stand (those of ``only``, if given): at one moment, in a fixed number of statements."""
    given = {"ws": workspace_id, "only": None if only is None else list(only)}
    async with database.snapshot(workspace_id) as db:
        at = (await db.execute(text("select now()"))).scalar_one()
        streams: dict[UUID, dict[str, Any]] = {}
        for row in await db.execute(_STREAMS, given):
            streams.setdefault(row.connection_id, {})[row.stream] = row
        budgets: dict[str, list[Any]] = {}
        for row in await db.execute(_BUDGETS, given):
            budgets.setdefault(row.account, []).append(row)
        rows = (await db.execute(_CONNECTIONS, given)).all()
        workers = await _workers(db)
    return Status(
        at, workers, [_connection(row, streams.get(row.id, {}), budgets.get(row.account, []), at) for row in rows]
    )


async def _workers(db: AsyncConnection) -> int:
    """Each process has a hand for what is urgent; those are counted."""
    alive = text("select count(*) from jobs.procrastinate_workers where last_heartbeat > now() - interval '30 s'")
    hands: int = (await db.execute(alive)).scalar_one()
    return (hands + 1) // 2


def _connection(row: Any, streams: dict[str, Any], budgets: list[Any], at: datetime) -> ConnectionStatus:
    found = connector(row.connector)
    told = None
    if row.opened_at is not None:
        told = BreakerStatus(row.reason, row.opened_at, row.next_try_at, row.failures)
    run = None
    if row.run_id is not None:
        counts = (row.fetched, row.created, row.updated, row.deleted, row.requests)
        run = RunStatus(
            row.run_id, row.trigger, row.run_state, row.started_at, row.finished_at, *counts, row.error_code
        )
    limits = {f"{limit.requests}/{limit.seconds:g}s": limit for limit in found.limits}
    return ConnectionStatus(
        id=row.id,
        connector=row.connector,
        title=row.title,
        state=row.state,
        sentence=row.sentence,
        next_run_at=row.next_run_at if row.state == "active" else None,
        quarantined=row.quarantined,
        outbox=QueueStatus(row.outbox_waiting, row.outbox_parked, row.outbox_oldest_at),
        inbox=QueueStatus(row.inbox_waiting, row.inbox_given_up, row.inbox_oldest_at),
        breaker=told,
        last_run=run,
        verified_at=row.verified_at,
        verified=row.verified,
        budgets=[_budget(each, limits[each.limit_name], at) for each in budgets if each.limit_name in limits],
        streams=[_stream(stream.title, streams[stream.name]) for stream in found.streams if stream.name in streams],
    )


def _budget(row: Any, limit: RateLimit, at: datetime) -> BudgetStatus:
    window = window_seconds(limit.seconds)
    fresh = (at - row.window_at).total_seconds() < window
    held = row.held_until if row.held_until is not None and row.held_until > at else None
    allowed = round(limit.requests * window / limit.seconds)
    return BudgetStatus(row.limit_name, row.used if fresh else 0, allowed, window, held)


def _stream(title: str, row: Any) -> StreamStatus:
    return StreamStatus(
        name=row.stream,
        title=title,
        fresh_until=row.fresh_until,
        lag_seconds=row.lag_seconds,
        reading=row.reading,
        told_at=row.told_at,
        error_code=row.error_code,
        error=row.error,
        fetched=row.fetched,
        created=row.created,
        updated=row.updated,
        deleted=row.deleted,
        done=row.done,
        seconds_left=row.seconds_left,
    )
