"""The outbox while it is being worked on: the lease, the next change that may go, and what became of it.

Every step is one transaction that holds the lease's row, so that a worker that was taken over notes nothing more.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from connectors.contract import Standing
from core.crash import crash_point
from core.database import Database
from core.errors import SkvozError
from schema.enums import RecordKind
from sync.errors import LeaseLost
from sync.writeback.deciding import Decision
from sync.writeback.finding.base import Intent
from sync.writeback.item import COLUMNS, Item, item_of

_DUE = f"""
select {COLUMNS} from outbox o
where o.workspace_id = :ws and o.connection_id = :connection and o.state in ('pending', 'unknown')
    and o.next_try_at <= clock_timestamp() and not exists (
        select from outbox p where p.workspace_id = o.workspace_id and p.connection_id = o.connection_id
            and p.order_key = o.order_key and p.seq < o.seq and p.state not in ('done', 'skipped'))
order by o.seq limit :most
"""  # noqa: S608 - columns are ours


_INSTEAD = text("""
insert into outbox (workspace_id, id, connection_id, rule_id, rule_version, write, key, order_key, cause_kind,
    cause_id, cause_at, payload)
select workspace_id, :new, connection_id, rule_id, rule_version, :write, :key, :order, cause_kind, cause_id,
    cause_at, cast(:payload as jsonb)
from outbox where workspace_id = :ws and id = :id
on conflict (workspace_id, key) do nothing
""")


_CARD = ":card"
"""What follows the key of a change in the key of the card that is made for it."""


class Overtaken(SkvozError):
    """Somebody has skipped or edited a change while it was looked at: nothing was sent."""

    code = "OVERTAKEN"


class Desk:
    """One connection's outbox under a lease."""

    def __init__(self, database: Database, workspace_id: UUID, connection_id: UUID, epoch: int) -> None:
        self._database = database
        self._key = {"ws": workspace_id, "connection": connection_id, "epoch": epoch}
        self._workspace_id = workspace_id

    @classmethod
    async def take(cls, database: Database, workspace_id: UUID, connection_id: UUID, lag_seconds: float) -> Desk:
        """Take the connection's outbox over. What another worker was sending when it died is unknown: it is looked
        for once the system had time to show it."""
        key = {"ws": workspace_id, "connection": connection_id}
        async with database.workspace(workspace_id) as db:
            epoch = (
                await db.execute(
                    text("""
                    insert into delivery as d (workspace_id, connection_id, epoch) values (:ws, :connection, 1)
                    on conflict (workspace_id, connection_id) do update set epoch = d.epoch + 1 returning epoch
                    """),
                    key,
                )
            ).scalar_one()
            await db.execute(
                text("""
                update outbox set state = 'unknown', code = 'CUT_OFF',
                    reason = 'Whoever was sending it stopped before the answer was noted.',
                    next_try_at = sent_at + make_interval(secs => :lag)
                where workspace_id = :ws and connection_id = :connection and state = 'sending'
                """),
                key | {"lag": lag_seconds},
            )
        return cls(database, workspace_id, connection_id, epoch)

    async def due(self, most: int) -> list[Item]:
        """The oldest changes that may go now, of each record one. One that waits or failed holds back later ones of
        its record only."""
        async with self._held() as db:
            rows = (await db.execute(text(_DUE), self._key | {"most": most})).all()
        return [item_of(row) for row in rows]

    async def base(self, item: Item) -> dict[str, Any] | None:
        """What is known to stand there: what did when the change was intended, and what earlier changes of ours
        made of it since then."""
        if item.base is None:
            return None
        async with self._held() as db:
            rows = await db.execute(
                text("""
                select stored from outbox where workspace_id = :ws and connection_id = :connection
                and order_key = :order and seq < :seq and state = 'done' and done_at > :since
                and stored is not null order by seq
                """),
                self._key | {"order": item.order_key, "seq": item.seq, "since": item.created_at},
            )
            known = dict(item.base)
            for (stored,) in rows:
                known |= stored
        return known

    async def sending(self, group: Sequence[tuple[Item, Mapping[str, Any] | None]]) -> None:
        """Make durable that these are about to be sent, all or none. What stood there before is kept from the first
        time. Raises Overtaken where somebody has skipped or edited one since it was taken up."""
        async with self._held() as db:
            for item, before in group:
                marked = await db.execute(
                    text("""
                    update outbox set state = 'sending', epoch = :epoch, attempts = attempts + 1,
                        sent_at = clock_timestamp(), before = coalesce(before, cast(:before as jsonb))
                    where workspace_id = :ws and id = :id and state = :state and next_try_at = :due
                    """),
                    self._key
                    | {
                        "id": item.id,
                        "before": None if before is None else _json(before),
                        "state": item.state,
                        "due": item.next_try_at,
                    },
                )
                if marked.rowcount != 1:
                    raise Overtaken("A person has decided about the change meanwhile.")

    async def attempt(
        self, item: Item, step: str, request: Mapping[str, Any], response: Mapping[str, Any] | None, outcome: str
    ) -> None:
        """Keep a request and its answer."""
        async with self._held() as db:
            await db.execute(
                text("""
                insert into outbox_attempt (workspace_id, outbox_id, number, step, request, response, outcome)
                select :ws, :id, coalesce(max(number), 0) + 1, :step, cast(:request as jsonb),
                    cast(:response as jsonb), :outcome
                from outbox_attempt where workspace_id = :ws and outbox_id = :id
                """),
                self._key
                | {
                    "id": item.id,
                    "step": step,
                    "request": _json(request),
                    "response": None if response is None else _json(response),
                    "outcome": outcome,
                },
            )

    async def done(
        self,
        item: Item,
        external_id: str | None,
        stored: Mapping[str, Any] | None,
        version: datetime | None,
        reason: str | None = None,
    ) -> None:
        """It stands there: with the id that it has there, and what the system made of it."""
        async with self._held() as db:
            await db.execute(
                text("""
                update outbox set state = 'done', code = null, reason = :reason, done_at = clock_timestamp(),
                    external_id = coalesce(:external_id, external_id), stored = cast(:stored as jsonb),
                    stored_version = :version
                where workspace_id = :ws and id = :id
                """),
                self._key
                | {
                    "id": item.id,
                    "external_id": external_id,
                    "stored": None if stored is None else _json(stored),
                    "version": version,
                    "reason": reason,
                },
            )
            await self._heard(db, item)
            crash_point("outbox.before_commit")
        crash_point("outbox.after_commit")

    async def rest(
        self,
        item: Item,
        state: str,
        code: str,
        reason: str,
        *,
        after_seconds: float = 0.0,
        external_id: str | None = None,
        sent: bool = True,
        instead: Intent | None = None,
    ) -> None:
        """It doesn't stand there, or nobody knows: the state that it rests in, why, and when to try again. What was
        turned away or never left (not ``sent``) doesn't count as an attempt: an outage kills no change. ``instead``
        is put into the outbox in the same step."""
        async with self._held() as db:
            await db.execute(
                text("""
                update outbox set state = :state, code = :code, reason = :reason,
                    next_try_at = clock_timestamp() + make_interval(secs => :after),
                    external_id = coalesce(:external_id, external_id),
                    attempts = case when :sent then attempts else :attempts end
                where workspace_id = :ws and id = :id
                """),
                self._key
                | {
                    "id": item.id,
                    "sent": sent,
                    "attempts": item.attempts,
                    "state": state,
                    "code": code,
                    "reason": reason,
                    "after": after_seconds,
                    "external_id": external_id,
                },
            )
            if state not in ("pending", "unknown"):
                await self._heard(db, item)
            if instead is not None:
                await db.execute(_INSTEAD, self._key | {"id": item.id} | _told(instead))

    async def card(self, item: Item, write: str, values: Mapping[str, Any]) -> tuple[str, str | None, str | None]:
        """The making of the card that a change waits for, which is put into the outbox once: its state, the card's
        id there once there is one, and the reason for its state."""
        key = f"{item.key}{_CARD}"
        told = {"new": uuid4(), "write": write, "key": key, "order": f"card:{key}", "payload": _json(values)}
        async with self._held() as db:
            await db.execute(_INSTEAD, self._key | {"id": item.id} | told)
            row = (
                await db.execute(
                    text("select state, external_id, reason from outbox where workspace_id = :ws and key = :key"),
                    self._key | {"key": key},
                )
            ).one()
        return tuple(row)

    async def _heard(self, db: AsyncConnection, item: Item) -> None:
        """Whoever waits for this card needn't wait any longer."""
        if item.key.endswith(_CARD):
            await db.execute(
                text("""
                update outbox set next_try_at = clock_timestamp()
                where workspace_id = :ws and key = :key and state = 'pending' and code = 'CARD'
                """),
                self._key | {"key": item.key.removesuffix(_CARD)},
            )

    async def made_lately(self, item: Item) -> Standing | None:
        """What we made for the same phone or e-mail so lately that the system's own search may not show it yet."""
        async with self._held() as db:
            row = (
                await db.execute(
                    text("""
                    select external_id, payload ->> 'title', split_part(write, '.', 1) from outbox
                    where workspace_id = :ws and connection_id = :connection and write = :write and id <> :id
                    and state = 'done' and undoes is null and done_at > clock_timestamp() - interval '10 minutes'
                    and not exists (select from outbox u where u.workspace_id = :ws and u.undoes = outbox.id)
                    and (payload -> 'phones' ?| cast(:phones as text[])
                        or payload -> 'emails' ?| cast(:emails as text[]))
                    order by seq desc limit 1
                    """),
                    self._key
                    | {
                        "id": item.id,
                        "write": item.write,
                        "phones": list(item.payload.get("phones") or ()),
                        "emails": list(item.payload.get("emails") or ()),
                    },
                )
            ).one_or_none()
        return None if row is None else Standing(row[0], row[1] or f"#{row[0]}", kind=RecordKind(row[2]))

    async def survivor(self, item: Item, entity: RecordKind) -> str | None:
        """The one other card of the same client in this system; None where there is none, or several."""
        if entity not in (RecordKind.CONTACT, RecordKind.COMPANY):
            return None
        async with self._held() as db:
            rows = (
                await db.execute(
                    text(f"""
                    select t.external_id from {entity.table} g
                    join {entity.table} t on t.workspace_id = g.workspace_id and t.connection_id = g.connection_id
                        and t.client_id = g.client_id and t.id <> g.id and t.deleted_at is null
                    where g.workspace_id = :ws and g.connection_id = :connection and g.external_id = :gone limit 2
                    """),  # noqa: S608 - the tables are ours
                    self._key | {"gone": item.external_id},
                )
            ).all()
        return str(rows[0][0]) if len(rows) == 1 else None

    async def redirect(self, item: Item, external_id: str) -> None:
        """The change is meant for another record now."""
        async with self._held() as db:
            await db.execute(
                text("update outbox set external_id = :external_id where workspace_id = :ws and id = :id"),
                self._key | {"id": item.id, "external_id": external_id},
            )

    async def decided(self, item: Item, decisions: list[Decision]) -> None:
        """Keep what was decided about fields that stand otherwise there than was thought."""
        async with self._held() as db:
            for one in decisions:
                await db.execute(
                    text("""
                    insert into conflict (workspace_id, outbox_id, field, number, connection_id, external_id, base,
                        theirs, ours, rule, decision, decided_by, decided_at)
                    select :ws, :id, :field, coalesce(max(number), 0) + 1, :connection, :external_id,
                        cast(:base as jsonb), cast(:theirs as jsonb), cast(:ours as jsonb), :rule, :decision,
                        :decided_by, case when cast(:decided_by as text) is not null then clock_timestamp() end
                    from conflict where workspace_id = :ws and outbox_id = :id and field = :field
                    """),
                    self._key
                    | {
                        "id": item.id,
                        "field": one.field,
                        "external_id": item.external_id,
                        "base": _json({"value": one.base}),
                        "theirs": _json({"value": one.theirs}),
                        "ours": _json({"value": one.ours}),
                        "rule": one.rule,
                        "decision": one.decision,
                        "decided_by": "rule" if one.decision is not None else None,
                    },
                )

    @asynccontextmanager
    async def _held(self) -> AsyncIterator[AsyncConnection]:
        async with self._database.workspace(self._workspace_id) as db:
            held = await db.execute(
                text("""
                select from delivery where workspace_id = :ws and connection_id = :connection and epoch = :epoch
                for share
                """),
                self._key,
            )
            if held.rowcount != 1:
                raise LeaseLost("Another worker has taken this outbox over.")
            yield db


def _told(intent: Intent) -> dict[str, Any]:
    return {
        "new": uuid4(),
        "write": intent.write,
        "key": intent.key,
        "order": intent.order_key,
        "payload": _json(intent.payload),
    }


def _json(value: Any) -> str:
    return orjson.dumps(value, default=str).decode()
