"""From what happened here to what is meant for there: one function a kind of rule.

Each looks at the records of a page (``told``), or at everything since the rule's beginning, with one statement, and
gives the same intents however often it is asked: the key of an intent follows from its cause.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
import xxhash
from psycopg.rows import dict_row

from schema.enums import RecordKind
from sync.writeback.rules import CallToLead, ClientFields, Rule, WonDealToCall
from sync.writeback.values import members

Conn = psycopg.AsyncConnection[tuple[Any, ...]]
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Intent:
    """A change that a rule wants made there. ``base``: what is known to stand there now."""

    key: str
    order_key: str
    cause_kind: RecordKind
    cause_id: UUID
    cause_at: datetime
    cause: str
    payload: dict[str, Any]
    base: dict[str, Any] | None = None
    external_id: str | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """What a page brought: ids by kind, and which fields changed on contacts' cards. Without it the rule
    looks at all that there is since its beginning."""

    ids: Mapping[RecordKind, Sequence[UUID]]
    changed: Mapping[UUID, frozenset[str]] = field(default_factory=dict)

    def of(self, kind: RecordKind) -> list[UUID]:
        return list(self.ids.get(kind, ()))


def key_of(*parts: object) -> str:
    """An idempotency key: the same parts give the same key, and tell nothing about a person."""
    return xxhash.xxh3_128_hexdigest("\x1f".join(map(str, parts)).encode())


async def intents_of(conn: Conn, rule: Rule, told: Told | None, *, limit: int | None = None) -> list[Intent]:
    """What the rule wants done because of the records told, in the order of their causes, each key once."""
    intents = await _FINDERS[type(rule.settings)](conn, rule, told, limit)
    return list({intent.key: intent for intent in reversed(intents)}.values())[::-1]


async def _rows(conn: Conn, query: str, params: Mapping[str, Any]) -> list[dict[str, Any]]:
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query.encode(), params)
        return await cursor.fetchall()


# A number is new when nobody has it on a card, no lead came from it, and no call that the rule would have taken.
# Five minutes of grace: the same call is told by the telephony and by the call tracker, a little apart.
_CALLS = """
select c.id, c.started_at, c.client_phone, c.tracking_phone, c.source, c.medium, c.utm_source, c.utm_medium,
    c.utm_campaign, c.utm_content, c.utm_term, g.name as campaign, p.name as client
from call c
left join campaign g on g.workspace_id = c.workspace_id and g.id = c.campaign_id
left join client p on p.workspace_id = c.workspace_id and p.id = c.client_id
where c.workspace_id = %(ws)s and (%(ids)s::uuid[] is null or c.id = any(%(ids)s))
    and c.connection_id <> %(target)s and (%(source)s::uuid is null or c.connection_id = %(source)s)
    and c.started_at >= %(since)s and c.direction = 'inbound' and c.deleted_at is null
    and c.client_phone ~ '^\\+[0-9]{7,15}$' and (c.answered or not %(answered)s)
    and (not %(new)s or not exists (
        select from identifier i
        join identity_record r on r.workspace_id = i.workspace_id and r.record_id = i.record_id
        left join call e on i.record_kind = 'call' and e.workspace_id = i.workspace_id and e.id = i.record_id
        where i.workspace_id = c.workspace_id and i.kind = 'phone' and i.value = c.client_phone
            and i.record_id <> c.id and i.record_kind <> 'visit'
            and (r.at < c.started_at - interval '5 minutes' and (e.id is null or e.answered or not %(answered)s)
                or i.record_kind <> 'call' and r.connection_id = %(target)s)))
order by c.started_at, c.id limit %(limit)s
"""


async def _leads_of_calls(conn: Conn, rule: Rule, told: Told | None, limit: int | None) -> list[Intent]:
    settings = rule.settings
    assert isinstance(settings, CallToLead)  # noqa: S101 - told by the table of finders
    rows = await _rows(
        conn,
        _CALLS,
        _params(rule, limit)
        | {
            "ids": None if told is None else told.of(RecordKind.CALL),
            "answered": settings.only_answered,
            "new": settings.only_new_numbers,
        },
    )
    return [_lead(rule, settings, row) for row in rows]


def _lead(rule: Rule, settings: CallToLead, row: Mapping[str, Any]) -> Intent:
    phone = row["client_phone"]
    title = settings.lead_title.format(phone=phone, name=row["client"] or "", campaign=row["campaign"] or "")
    fields = settings.fields
    if fields is None:
        fields = {code: part for part, code in rule.write.origin.items()}  # type: ignore[misc]  # the same names
    responsible = (
        settings.responsible.get(row["tracking_phone"] or "")
        or settings.responsible.get(row["source"] or "")
        or settings.otherwise_responsible
    )
    wanted = {
        "title": " ".join(title.split()),
        "first_name": row["client"],
        "phones": [phone],
        "stage": settings.stage,
        "responsible": responsible,
        **{code: row[part] for code, part in fields.items()},
    }
    key = key_of(rule.connection_id, "lead", phone)
    return Intent(
        key=key,
        order_key=f"lead:{key}",
        cause_kind=RecordKind.CALL,
        cause_id=row["id"],
        cause_at=row["started_at"],
        cause=f"call from {phone} at {row['started_at']:%Y-%m-%d %H:%M}",
        payload={name: value for name, value in wanted.items() if value not in (None, "")},
    )


# One amount is told once; an amount that changed is told again, after the former one; so is a stage, where stages
# are told. Money goes there with a won deal only: one that is won no more gets none. What was taken back isn't told
# again as it was. A firm's deal has the firm for its client, and it is the contact who called.
_WON = """
select d.id, d.external_id, d.title, d.status, w.amount, d.currency, d.closed_at, d.created_at, k.kind as lead_kind,
    k.external_id as lead, k.at as lead_at, s.name as stage, u.name as manager, n.connector,
    last.amount as told_amount, last.number
from deal d
join connection n on n.workspace_id = d.workspace_id and n.id = d.connection_id
left join contact p on p.workspace_id = d.workspace_id and p.id = d.contact_id
cross join lateral (
    select * from (
        select 'call' as kind, c.external_id, c.started_at as at from call c
        where c.workspace_id = d.workspace_id and c.client_id in (d.client_id, p.client_id)
            and c.connection_id = %(target)s and c.deleted_at is null
        union all
        select case l.stream when 'chats' then 'chat' else 'request' end, l.external_id, l.created_at from lead l
        where %(requests)s and l.workspace_id = d.workspace_id and l.client_id in (d.client_id, p.client_id)
            and l.connection_id = %(target)s and l.deleted_at is null) m
    where m.at <= coalesce(d.closed_at, d.created_at)
    order by (m.at <= d.created_at) desc, case when %(first)s then m.at end, m.at desc limit 1) k
left join stage s on s.workspace_id = d.workspace_id and s.id = d.stage_id
left join user_account u on u.workspace_id = d.workspace_id and u.id = d.responsible_id
cross join lateral (
    select count(*) as number,
        (array_agg(o.payload ->> 'amount' order by o.seq desc) filter (where o.undoes is null))[1] as amount,
        (array_agg(o.payload ->> 'stage' order by o.seq desc) filter (where o.undoes is null))[1] as stage
    from outbox o
    where o.workspace_id = d.workspace_id and o.connection_id = %(target)s
        and o.order_key = 'deal:' || d.id::text) last
cross join lateral (
    select case when d.status = 'won' then d.amount when last.amount is not null then 0 end as amount) w
where d.workspace_id = %(ws)s and (%(source)s::uuid is null or d.connection_id = %(source)s)
    and d.connection_id <> %(target)s and (d.status = 'won' and d.amount is not null or %(stages)s)
    and d.deleted_at is null
    and coalesce(d.closed_at, d.created_at) >= %(since)s
    and (%(deals)s::uuid[] is null or d.id = any(%(deals)s) or exists (
        select from call c where c.workspace_id = d.workspace_id and c.id = any(%(calls)s)
            and c.client_id in (d.client_id, p.client_id)) or %(requests)s and exists (
        select from lead l where l.workspace_id = d.workspace_id and l.id = any(%(leads)s)
            and l.client_id in (d.client_id, p.client_id)))
    and (last.amount is distinct from w.amount::text
        or %(stages)s and (last.number = 0 or last.stage is distinct from s.name))
order by coalesce(d.closed_at, d.created_at), d.id limit %(limit)s
"""


async def _amounts_of_deals(conn: Conn, rule: Rule, told: Told | None, limit: int | None) -> list[Intent]:
    settings = rule.settings
    assert isinstance(settings, WonDealToCall)  # noqa: S101 - told by the table of finders
    rows = await _rows(
        conn,
        _WON,
        _params(rule, limit)
        | {
            "deals": None if told is None else told.of(RecordKind.DEAL),
            "calls": [] if told is None else told.of(RecordKind.CALL),
            "leads": [] if told is None else told.of(RecordKind.LEAD),
            "first": settings.call == "first",
            "requests": settings.requests,
            "stages": settings.stages,
        },
    )
    return [_amount(rule, row) for row in rows]


def _amount(rule: Rule, row: Mapping[str, Any]) -> Intent:
    at = row["closed_at"] or row["created_at"]
    wanted = {
        "number": f"{row['connector']}-{row['external_id']}",
        "title": row["title"],
        "amount": None if row["amount"] is None else str(row["amount"]),
        "currency": row["currency"],
        "stage": row["stage"],
        "manager": row["manager"],
        "at": at.isoformat(),
        row["lead_kind"]: row["lead"],
    }
    return Intent(
        key=key_of(rule.connection_id, "deal", row["id"], row["number"]),
        order_key=f"deal:{row['id']}",
        cause_kind=RecordKind.DEAL,
        cause_id=row["id"],
        cause_at=at,
        cause=f"deal «{row['title']}» {row['status']} {at:%Y-%m-%d}, "
        f"its {row['lead_kind']} at {row['lead_at']:%Y-%m-%d %H:%M}",
        payload={name: value for name, value in wanted.items() if value not in (None, "")},
        base=None if row["told_amount"] is None else {"amount": row["told_amount"]},
    )


# Cards of one client here and there. They stay a pair when another name on one of them parts the clients: as long
# as this very transaction parts them, or once a change has gone from one to the other. A card that is nobody's, or
# of a client with several cards there, is left alone: it can't be told which of them is meant.
_CARDS = """
select s.id, coalesce(s.updated_at, s.loaded_at) as at, n.title as system, s.name, s.first_name, s.middle_name,
    s.last_name, s.phones, s.emails, t.external_id, t.id as card, t.name as t_name, t.first_name as t_first_name,
    t.middle_name as t_middle_name, t.last_name as t_last_name, t.phones as t_phones, t.emails as t_emails,
    (select count(*) from outbox o where o.workspace_id = s.workspace_id and o.connection_id = t.connection_id
        and o.order_key = 'contact:' || t.external_id) as number
from contact s
join connection n on n.workspace_id = s.workspace_id and n.id = s.connection_id
join contact t on t.workspace_id = s.workspace_id and t.connection_id = %(target)s and t.deleted_at is null
    and (t.client_id = s.client_id or t.id in (
        select y.id from merge_log m join contact y on y.workspace_id = m.workspace_id
            and y.client_id in (m.client_id, m.other_id)
        where m.workspace_id = s.workspace_id and m.kind = 'split' and m.actor = 'rule' and m.at >= now()
            and s.client_id in (m.client_id, m.other_id) and (s.id = any(m.records) or y.id = any(m.records)))
        or exists (select from outbox o where o.workspace_id = s.workspace_id and o.cause_kind = 'contact'
            and (o.cause_id = s.id and o.connection_id = t.connection_id and o.external_id = t.external_id
                or o.cause_id = t.id and o.connection_id = s.connection_id and o.external_id = s.external_id)))
where s.workspace_id = %(ws)s and (%(ids)s::uuid[] is null or s.id = any(%(ids)s)) and s.deleted_at is null
    and s.connection_id <> %(target)s and (%(source)s::uuid is null or s.connection_id = %(source)s)
    and coalesce(s.updated_at, s.loaded_at) >= %(since)s
    and not exists (select from contact x where x.workspace_id = t.workspace_id and x.client_id = t.client_id
        and x.connection_id = t.connection_id and x.id <> t.id and x.deleted_at is null)
order by at, s.id limit %(limit)s
"""
_NAME = ("first_name", "middle_name", "last_name")


async def _fields_of_cards(conn: Conn, rule: Rule, told: Told | None, limit: int | None) -> list[Intent]:
    settings = rule.settings
    assert isinstance(settings, ClientFields)  # noqa: S101 - told by the table of finders
    ids = None if told is None else [id for id in told.of(RecordKind.CONTACT) if id in told.changed]
    if ids == []:
        return []
    rows = await _rows(conn, _CARDS, _params(rule, limit) | {"ids": ids})
    found = (_card(rule, settings, row, None if told is None else told.changed[row["id"]]) for row in rows)
    return [intent for intent in found if intent is not None]


def _card(
    rule: Rule, settings: ClientFields, row: Mapping[str, Any], changed: frozenset[str] | None
) -> Intent | None:
    """What of the changed card differs on the other one. A card that is only now seen, of which nothing is known to
    have changed, fills what is empty there."""
    payload: dict[str, Any] = {}
    base: dict[str, Any] = {}
    names_there = any(row[f"t_{part}"] for part in (*_NAME, "name"))
    if "name" in settings.fields and ("name" in changed if changed is not None else not names_there):
        taken = [part for part in _NAME if part in rule.write.fields]
        parts = {part: row[part] for part in taken if row[part]} or {"first_name": row["name"]}
        wanted = {part: value for part, value in parts.items() if value and value != row[f"t_{part}"]}
        if settings.fields["name"] != "never" or not names_there:
            payload |= wanted
            base |= {part: row[f"t_{part}"] for part in wanted}
    for name in ("phones", "emails"):
        if name not in settings.fields or (changed is not None and name not in changed):
            continue
        there = members(name, row[f"t_{name}"], rule.region)
        missing = [one for one in row[name] if members(name, [one], rule.region) - there]
        if missing and (not there or settings.fields[name] != "never"):
            payload[name], base[name] = missing, row[f"t_{name}"]
    if not payload:
        return None
    return Intent(
        key=key_of(rule.connection_id, "contact", row["external_id"], row["number"]),
        order_key=f"contact:{row['external_id']}",
        cause_kind=RecordKind.CONTACT,
        cause_id=row["id"],
        cause_at=row["at"],
        cause=f"card of {row['name'] or 'a client'} in «{row['system']}»",
        payload=payload,
        base=base,
        external_id=row["external_id"],
    )


def _params(rule: Rule, limit: int | None) -> dict[str, Any]:
    return {
        "ws": rule.workspace_id,
        "target": rule.connection_id,
        "source": rule.settings.reads_from(),
        "since": rule.since or BEGINNING,
        "limit": limit,
    }


_Finder = Callable[[Conn, Rule, Told | None, int | None], Awaitable[list[Intent]]]
_FINDERS: dict[type, _Finder] = {
    CallToLead: _leads_of_calls,
    WonDealToCall: _amounts_of_deals,
    ClientFields: _fields_of_cards,
}
