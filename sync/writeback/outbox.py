"""The outbox for people: looked at, replayed, skipped, edited; conflicts decided; what was written taken back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID, uuid4

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from core.database import Database
from core.errors import SkvozError
from sync.errors import NotFound
from sync.writeback.item import COLUMNS, Item, item_of

OPEN = ("pending", "sending", "unknown", "failed", "dead")


class NotPossible(SkvozError):
    """The change is in a state in which this can't be done to it."""

    code = "NOT_POSSIBLE"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request for a change and its answer."""

    number: int
    at: datetime
    step: str
    request: dict[str, Any]
    response: dict[str, Any] | None
    outcome: str


@dataclass(frozen=True, slots=True)
class OpenConflict:
    """A field that waits for a person: what was known to stand there, what stands there now, what we want.
    ``source`` is what the system is called that our value comes from, ``cause_at`` when it came to be there."""

    outbox_id: UUID
    field: str
    connection_id: UUID
    external_id: str
    base: Any
    theirs: Any
    ours: Any
    cause_kind: str
    cause_id: UUID
    at: datetime
    cause_at: datetime
    source: str | None


async def in_outbox(
    database: Database,
    workspace_id: UUID,
    *,
    connection_id: UUID | None = None,
    states: Sequence[str] = OPEN,
    limit: int = 100,
) -> list[Item]:
    """Changes in those states, the oldest first."""
    async with database.workspace(workspace_id) as db:
        rows = await db.execute(
            text(f"""
            select {COLUMNS} from outbox o where o.workspace_id = :ws and o.state = any(:states)
            and (cast(:connection as uuid) is null or o.connection_id = :connection)
            order by o.seq limit :limit
            """),  # noqa: S608 - columns are ours
            {"ws": workspace_id, "connection": connection_id, "states": list(states), "limit": limit},
        )
        return [item_of(row) for row in rows]


async def get_item(database: Database, workspace_id: UUID, outbox_id: UUID) -> Item:
    """One change. Raises NotFound."""
    async with database.workspace(workspace_id) as db:
        return await _locked(db, workspace_id, outbox_id)


async def attempts_of(database: Database, workspace_id: UUID, outbox_id: UUID) -> list[Attempt]:
    """Every request made for a change, the first one first. They may hold personal data."""
    async with database.workspace(workspace_id) as db:
        rows = await db.execute(
            text("""
            select number, at, step, request, response, outcome from outbox_attempt
            where workspace_id = :ws and outbox_id = :id order by number
            """),
            {"ws": workspace_id, "id": outbox_id},
        )
        return [Attempt(*tuple(row)) for row in rows]


async def replay(database: Database, workspace_id: UUID, outbox_id: UUID) -> None:
    """Try a parked or skipped change again. It is looked for first, like after a lost answer, so that nothing is
    made twice. Raises NotFound, or NotPossible when it is done or under way."""
    async with database.workspace(workspace_id) as db:
        item = await _locked(db, workspace_id, outbox_id)
        if item.state in ("done", "sending"):
            raise NotPossible(f"It is {item.state}: there is nothing to replay.")
        await db.execute(
            text("""
            update outbox set state = case when sent_at is null then 'pending' else 'unknown' end, attempts = 0,
                code = null, reason = 'Replayed by hand.', next_try_at = clock_timestamp()
            where workspace_id = :ws and id = :id
            """),
            {"ws": workspace_id, "id": outbox_id},
        )


async def skip(database: Database, workspace_id: UUID, outbox_id: UUID, actor: str) -> None:
    """Leave a change out, so that the record's next one can go. Raises NotFound, or NotPossible when it is done or
    under way."""
    async with database.workspace(workspace_id) as db:
        item = await _locked(db, workspace_id, outbox_id)
        if item.state in ("done", "sending"):
            raise NotPossible(f"It is {item.state}: it can't be left out any more, only undone.")
        await db.execute(
            text("""
            update outbox set state = 'skipped', code = 'BY_HAND', reason = :reason
            where workspace_id = :ws and id = :id
            """),
            {"ws": workspace_id, "id": outbox_id, "reason": f"Left out by {actor}."},
        )


async def edit(database: Database, workspace_id: UUID, outbox_id: UUID, values: Mapping[str, Any]) -> Item:
    """Change what is to be written, field by field (None takes a field out), and try again. Raises NotFound, or
    NotPossible once it was sent with an unknown outcome: what stands there then is what was sent."""
    async with database.workspace(workspace_id) as db:
        item = await _locked(db, workspace_id, outbox_id)
        if item.state not in ("pending", "failed", "skipped"):
            raise NotPossible(f"It is {item.state}: it can be edited only while it certainly doesn't stand there.")
        payload = {name: value for name, value in (item.payload | dict(values)).items() if value is not None}
        if not payload:
            raise NotPossible("Nothing would be left to write: skip it instead.")
        await db.execute(
            text("""
            update outbox set payload = cast(:payload as jsonb), state = 'pending', attempts = 0, code = null,
                reason = 'Edited by hand.', next_try_at = clock_timestamp()
            where workspace_id = :ws and id = :id
            """),
            {"ws": workspace_id, "id": outbox_id, "payload": _json(payload)},
        )
        return await _locked(db, workspace_id, outbox_id)


async def open_conflicts(database: Database, workspace_id: UUID, *, limit: int = 100) -> list[OpenConflict]:
    """The fields on which a person must decide, the oldest first."""
    async with database.workspace(workspace_id) as db:
        rows = await db.execute(
            text("""
            select c.outbox_id, c.field, c.connection_id, c.external_id, c.base -> 'value', c.theirs -> 'value',
                c.ours -> 'value', o.cause_kind, o.cause_id, c.at, o.cause_at, n.title
            from conflict c join outbox o on o.workspace_id = c.workspace_id and o.id = c.outbox_id
            left join contact s on o.cause_kind = 'contact' and s.workspace_id = o.workspace_id
                and s.id = o.cause_id
            left join connection n on n.workspace_id = s.workspace_id and n.id = s.connection_id
            where c.workspace_id = :ws and c.decision is null order by c.at limit :limit
            """),
            {"ws": workspace_id, "limit": limit},
        )
        return [OpenConflict(*tuple(row)) for row in rows]


async def decide_conflict(
    database: Database,
    workspace_id: UUID,
    outbox_id: UUID,
    field: str,
    decision: Literal["ours", "theirs"],
    actor: str,
) -> UUID | None:
    """Decide a field that waits. Ours becomes a new change, which is written only if what stood there when it was
    looked at still does; its id is returned. Raises NotFound."""
    async with database.workspace(workspace_id) as db:
        item = await _locked(db, workspace_id, outbox_id)
        row = (
            await db.execute(
                text("""
                update conflict set decision = :decision, decided_by = :actor, decided_at = clock_timestamp()
                where workspace_id = :ws and outbox_id = :id and field = :field and decision is null
                returning theirs -> 'value' as theirs, ours -> 'value' as ours, number
                """),
                {"ws": workspace_id, "id": outbox_id, "field": field, "decision": decision, "actor": actor},
            )
        ).first()
        if row is None:
            raise NotFound("Nothing waits to be decided on that field of that change.")
        new = None
        if decision == "ours":
            new = await put_by_hand(
                db,
                workspace_id,
                item,
                write=item.write,
                key=f"{item.key}:{field}:{row.number}",
                payload={field: row.ours},
                base={field: row.theirs},
            )
        await db.execute(
            text("""
            update outbox set state = 'skipped', reason = 'A person has decided.'
            where workspace_id = :ws and id = :id and state = 'failed' and code = 'CONFLICT' and not exists (
                select from conflict where workspace_id = :ws and outbox_id = :id and decision is null)
            """),
            {"ws": workspace_id, "id": outbox_id},
        )
    return new


async def put_by_hand(
    db: AsyncConnection,
    workspace_id: UUID,
    item: Item,
    *,
    write: str,
    key: str,
    payload: Mapping[str, Any],
    base: Mapping[str, Any] | None,
    undoes: UUID | None = None,
) -> UUID:
    """A change that a person wants, after the present ones of the same record. Returns its id; the same key gives
    the same change."""
    return await put_new(
        db,
        workspace_id,
        item.connection_id,
        write=write,
        key=key,
        order_key=item.order_key,
        cause=(item.cause_kind, item.cause_id),
        payload=payload,
        base=base,
        external_id=item.external_id,
        undoes=undoes,
    )


async def put_new(
    db: AsyncConnection,
    workspace_id: UUID,
    connection_id: UUID,
    *,
    write: str,
    key: str,
    order_key: str,
    cause: tuple[str, UUID],
    payload: Mapping[str, Any],
    base: Mapping[str, Any] | None,
    external_id: str | None,
    undoes: UUID | None = None,
) -> UUID:
    """A change that no rule wants, but a person. ``cause``: kind and id of the record here that it is about.
    Returns its id; the same key gives the same change."""
    id = uuid4()
    await db.execute(
        text("""
        insert into outbox (workspace_id, id, connection_id, write, key, order_key, cause_kind, cause_id, cause_at,
            payload, base, external_id, undoes)
        values (:ws, :id, :connection, :write, :key, :order_key, :kind, :cause, clock_timestamp(),
            cast(:payload as jsonb), cast(:base as jsonb), :external_id, :undoes)
        on conflict (workspace_id, key) do nothing
        """),
        {
            "ws": workspace_id,
            "id": id,
            "connection": connection_id,
            "write": write,
            "key": key,
            "order_key": order_key,
            "kind": cause[0],
            "cause": cause[1],
            "payload": _json(payload),
            "base": None if base is None else _json(base),
            "external_id": external_id,
            "undoes": undoes,
        },
    )
    found: UUID = (
        await db.execute(
            text("select id from outbox where workspace_id = :ws and key = :key"), {"ws": workspace_id, "key": key}
        )
    ).scalar_one()
    return found


async def _locked(db: AsyncConnection, workspace_id: UUID, outbox_id: UUID) -> Item:
    row = (
        await db.execute(
            text(f"select {COLUMNS} from outbox o where o.workspace_id = :ws and o.id = :id for update"),  # noqa: S608
            {"ws": workspace_id, "id": outbox_id},
        )
    ).one_or_none()
    if row is None:
        raise NotFound("There is no such change in the outbox of this workspace.")
    return item_of(row)


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
