"""The outbox is filled in the transaction of the cause: a page commits with the changes that follow from it, or
neither is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import orjson
import psycopg

from connectors.errors import VendorError
from schema.enums import RecordKind
from schema.records import (
    CallRecord,
    ContactRecord,
    DealRecord,
    InvoiceRecord,
    LeadRecord,
    MessageRecord,
    OrderRecord,
    VisitRecord,
)
from sync.packing import unpack
from sync.writeback.causes import Intent, Told, intents_of
from sync.writeback.echo import Read, recognise
from sync.writeback.kinds.deletes import DeletedElsewhere
from sync.writeback.rules import STORED, ClientFields, Rule, rule_of
from sync.writeback.values import same

if TYPE_CHECKING:
    from sync.mapped import Loading
    from sync.rows import Placed

Conn = psycopg.AsyncConnection[tuple[Any, ...]]

_KINDS: dict[type[Any], RecordKind] = {
    CallRecord: RecordKind.CALL,
    DealRecord: RecordKind.DEAL,
    ContactRecord: RecordKind.CONTACT,
    LeadRecord: RecordKind.LEAD,
    MessageRecord: RecordKind.MESSAGE,
    OrderRecord: RecordKind.ORDER,
    InvoiceRecord: RecordKind.INVOICE,
    VisitRecord: RecordKind.VISIT,
}
_WRITTEN = frozenset(_KINDS) - {VisitRecord}
"""What may come back to us after we wrote it."""
_ENABLED = STORED.replace(":workspace", "%s") + " and r.enabled order by r.created_at, r.id"
_NAMES = ("first_name", "middle_name", "last_name")
_FLOWING = (*_NAMES, "phones", "emails")
LOOP_WRITES = 4
"""More changes of one record by rules within an hour than this are a loop, not people at work."""


async def intend(
    conn: Conn, loading: Loading, loaded_at: datetime, placed: Sequence[Placed], *, spent: Sequence[UUID] = ()
) -> int:
    """Put into the outbox what the workspace's rules want done because of these records, which have just been
    written, and of the costs of the campaigns ``spent``. Costs one small statement where there are no rules.
    Returns the number of changes intended."""
    ids: dict[RecordKind, list[UUID]] = {RecordKind.AD_SPEND: list(spent)} if spent else {}
    for one in placed:
        kind = _KINDS.get(type(one.record))
        if kind is not None:
            ids.setdefault(kind, []).append(one.id)
    if not ids:
        return 0
    rules = await enabled_rules(conn, loading.workspace_id)
    if not rules:
        return 0
    read = [Read(one.id, one.record) for one in placed if type(one.record) in _WRITTEN]
    ours = await recognise(conn, loading.workspace_id, loading.connection_id, read)
    changed: Mapping[UUID, frozenset[str]] = {}
    if RecordKind.CONTACT in ids and any(isinstance(rule.settings, ClientFields) for rule in rules):
        cards = [one for one in placed if type(one.record) is ContactRecord]
        changed = await _changed_fields(conn, loading, loaded_at, cards, ours)
    told = Told(ids, changed)
    count = 0
    for rule in rules:
        for intent in await intents_of(conn, rule, told):
            count += await put(conn, rule, intent)
    return count


async def intend_removals(conn: Conn, loading: Loading, ended: Mapping[RecordKind, Sequence[UUID]]) -> int:
    """Put into the outbox what the workspace's rules want removed elsewhere because these records were deleted.
    Returns the number of changes intended."""
    if not any(ended.values()):
        return 0
    count = 0
    for rule in await enabled_rules(conn, loading.workspace_id):
        if isinstance(rule.settings, DeletedElsewhere):
            for intent in await intents_of(conn, rule, Told(ended)):
                count += await put(conn, rule, intent)
    return count


async def intend_existing(conn: Conn, rule: Rule) -> int:
    """Put into the outbox what a rule wants done because of what is here already, since the rule's beginning."""
    return sum([await put(conn, rule, intent) for intent in await intents_of(conn, rule, None)])


async def enabled_rules(conn: Conn, workspace_id: UUID) -> list[Rule]:
    """The rules that are switched on, the oldest first."""
    rows = await (await conn.execute(_ENABLED.encode(), (workspace_id,))).fetchall()
    return [rule_of(workspace_id, row) for row in rows]


async def put(conn: Conn, rule: Rule, intent: Intent) -> int:
    """Put one change into the outbox; 0 if it is there already."""
    stopped = await _stopped(conn, rule, intent)
    cursor = await conn.execute(
        "insert into outbox (workspace_id, id, connection_id, rule_id, rule_version, write, key, order_key,"
        " cause_kind, cause_id, cause_at, payload, base, external_id, state, code, reason)"
        " values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
        " on conflict (workspace_id, key) do nothing",
        (
            rule.workspace_id,
            uuid4(),
            rule.connection_id,
            rule.id,
            rule.version,
            intent.write or rule.settings.write,
            intent.key,
            intent.order_key,
            intent.cause_kind.value,
            intent.cause_id,
            intent.cause_at,
            _json(intent.payload),
            None if intent.base is None else _json(intent.base),
            intent.external_id,
            "pending" if stopped is None else "failed",
            None if stopped is None else stopped[0],
            None if stopped is None else stopped[1],
        ),
    )
    return cursor.rowcount


async def _stopped(conn: Conn, rule: Rule, intent: Intent) -> tuple[str, str] | None:
    """Why a person must look before the change may go, as a code and a sentence."""
    looping = await _looping(conn, rule, intent)
    if looping is not None:
        return "LOOP", looping
    if not isinstance(rule.settings, DeletedElsewhere):
        return None
    row = await (
        await conn.execute(
            "select (select count(*) from outbox where workspace_id = %(ws)s and connection_id = %(target)s"
            " and rule_id = %(rule)s and state <> 'skipped' and code is distinct from 'BRAKE'"
            " and created_at > clock_timestamp() - interval '1 hour'), (select count(*) from contact"
            " where workspace_id = %(ws)s and connection_id = %(target)s and deleted_at is null)",
            {"ws": rule.workspace_id, "target": rule.connection_id, "rule": rule.id},
        )
    ).fetchone()
    lately, cards = row or (0, 0)
    share = rule.settings.most_percent
    if lately < max(1, int(cards * share / 100)):
        return None
    return "BRAKE", f"More than {share:g} % of the cards would go within an hour. Look into it, then replay it."


async def _looping(conn: Conn, rule: Rule, intent: Intent) -> str | None:
    """The brake: two systems that spell a value each its own way would hand it to and fro for ever."""
    if intent.external_id is None:
        return None
    row = await (
        await conn.execute(
            "select count(*), count(*) filter (where payload = %s::jsonb) from outbox"
            " where workspace_id = %s and connection_id = %s and order_key = %s and undoes is null"
            " and state <> 'skipped' and created_at > clock_timestamp() - interval '1 hour'",
            (_json(intent.payload), rule.workspace_id, rule.connection_id, intent.order_key),
        )
    ).fetchone()
    writes, alike = row or (0, 0)
    if alike:
        return "The same value was written there within the hour and changed again: two systems undo each other."
    if writes >= LOOP_WRITES:
        return f"This record was changed {writes} times within an hour: it looks as if two systems undo each other."
    return None


async def _changed_fields(
    conn: Conn,
    loading: Loading,
    loaded_at: datetime,
    cards: Sequence[Placed],
    ours: Mapping[UUID, Mapping[str, Any]],
) -> dict[UUID, frozenset[str]]:
    """What is new on contacts' cards since their former state, or since what we wrote there ourselves. A card that
    is seen for the first time is left out, for it isn't known what changed on it."""
    rows = await (
        await conn.execute(
            "select raw, dictionary_id from source_version where workspace_id = %s and connection_id = %s"
            " and stream = %s and external_id = any(%s) and superseded_at = %s",
            (
                loading.workspace_id,
                loading.connection_id,
                loading.stream.name,
                [card.source_id for card in cards],
                loaded_at,
            ),
        )
    ).fetchall()
    before: dict[str, ContactRecord] = {}
    for raw, dictionary in rows:
        for record in _mapped(loading, await unpack(conn, loading.workspace_id, raw, dictionary)):
            if isinstance(record, ContactRecord):
                before[record.external_id] = record
    found: dict[UUID, frozenset[str]] = {}
    for card in cards:
        former = before.get(card.record.external_id)
        if former is None:
            continue
        expected = {name: _said(former, name) for name in _FLOWING} | dict(ours.get(card.id, {}))
        news = [
            name for name in _FLOWING if not same(name, _said(card.record, name), expected[name], loading.region)
        ]
        if news:
            found[card.id] = frozenset("name" if name in _NAMES else name for name in news)
    return found


def _said(card: ContactRecord, field: str) -> Any:
    """A field of a card; a name that isn't in parts is the first name, as it is written elsewhere."""
    if field == "first_name" and not any(getattr(card, part) for part in _NAMES):
        return card.name
    return getattr(card, field)


def _mapped(loading: Loading, body: bytes) -> Sequence[Any]:
    """A former state through the present mapping; one that it can't read tells nothing."""
    try:
        records = loading.stream.map(loading.settings, body)
    except (VendorError, ValueError, KeyError, TypeError):
        return ()
    return records if isinstance(records, Sequence) else ()


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
