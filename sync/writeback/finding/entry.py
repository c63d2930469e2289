"""What a client did becomes a lead or a deal there: calls, requests, orders."""

# ruff: noqa: S608  # statements are put together from texts of ours
from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from schema.enums import RecordKind
from sync.writeback.finding.base import Conn, Intent, Told, filled, ids_of, key_of, params_of, rows_of
from sync.writeback.finding.sharing import Shares
from sync.writeback.kinds.entry import Entry, OfCalls, OfRequests, OrderToDeal
from sync.writeback.rules import Rule

_ORIGIN = "x.source, x.medium, x.utm_source, x.utm_medium, x.utm_campaign, x.utm_content, x.utm_term"
_NAMED = """
left join campaign g on g.workspace_id = x.workspace_id and g.id = x.campaign_id
left join client p on p.workspace_id = x.workspace_id and p.id = x.client_id
left join user_account u on u.workspace_id = x.workspace_id and u.id = x.responsible_id
"""
# What Skvoz itself has made there comes back as a record of that system, and is no cause of another one.
_NOT_OURS = """
not exists (select from outbox o where o.workspace_id = x.workspace_id and o.connection_id = x.connection_id
    and o.external_id = x.external_id and o.write in ('lead.create', 'deal.create', 'request.create')
    and o.state = 'done')
"""

# A number is new when nobody has it on a card, no lead came from it, and no call that the rule would have taken.
# Five minutes of grace: the same call is told by the telephony and by the call tracker, a little apart. A call is
# missed as long as nobody has spoken with the client after it.
_CALLS = f"""
select x.id, x.started_at as at, array[x.client_phone] as phones, x.tracking_phone, g.name as campaign,
    p.name as client, u.external_id as taker, {_ORIGIN}
from call x
{_NAMED}
where x.workspace_id = %(ws)s and (%(ids)s::uuid[] is null or x.id = any(%(ids)s))
    and x.connection_id <> %(target)s and (%(source)s::uuid is null or x.connection_id = %(source)s)
    and x.started_at >= %(since)s and x.direction = 'inbound' and x.deleted_at is null
    and x.client_phone ~ '^\\+[0-9]{{7,15}}$' and (x.answered or not %(answered)s)
    and (not %(missed)s or not x.answered and not exists (
        select from call l where l.workspace_id = x.workspace_id and l.client_phone = x.client_phone
            and l.started_at > x.started_at - interval '5 minutes' and l.answered and l.deleted_at is null))
    and (not %(new)s or not exists (
        select from identifier i
        join identity_record r on r.workspace_id = i.workspace_id and r.record_id = i.record_id
        left join call e on i.record_kind = 'call' and e.workspace_id = i.workspace_id and e.id = i.record_id
        where i.workspace_id = x.workspace_id and i.kind = 'phone' and i.value = x.client_phone
            and i.record_id <> x.id and i.record_kind <> 'visit'
            and (r.at < x.started_at - interval '5 minutes' and (e.id is null or e.answered or not %(answered)s)
                or i.record_kind <> 'call' and r.connection_id = %(target)s)))
order by x.started_at, x.id limit %(limit)s
"""


async def entries_of_calls(conn: Conn, rule: Rule, told: Told | None, limit: int | None) -> list[Intent]:
    settings = rule.settings
    assert isinstance(settings, OfCalls)  # noqa: S101 - told by the table of finders
    rows = await rows_of(
        conn,
        _CALLS,
        params_of(rule, limit)
        | {
            "ids": ids_of(told, RecordKind.CALL),
            "answered": settings.only_answered and not settings.only_missed,
            "missed": settings.only_missed,
            "new": settings.only_new_numbers,
        },
    )
    shares = await Shares.of(conn, rule, settings.share_among)
    zone = ZoneInfo(rule.time_zone)
    found = []
    for row in rows:
        phone = row["phones"][0]
        parts: tuple[object, ...] = (rule.connection_id, rule.write.entity.value, phone)
        if settings.only_missed:
            parts = (*parts, "missed", row["at"].astimezone(zone).date())
        found.append(
            _entry(
                rule,
                row | {"kind": RecordKind.CALL, "title": None},
                key_of(*parts),
                settings.lead_title.format(phone=phone, name=row["client"] or "", campaign=row["campaign"] or ""),
                f"call from {phone}",
                shares,
            )
        )
    return found


_REQUEST_TABLES = {
    RecordKind.LEAD: f"""
select x.id, x.created_at as at, x.phones, x.emails, null as tracking_phone, coalesce(x.name, p.name) as client,
    x.title, x.comment, g.name as campaign, u.external_id as taker, {_ORIGIN}
from lead x
{_NAMED}
where x.workspace_id = %(ws)s and (%(ids)s::uuid[] is null or x.id = any(%(ids)s))
    and x.connection_id <> %(target)s and (%(source)s::uuid is null or x.connection_id = %(source)s)
    and x.created_at >= %(since)s and x.deleted_at is null
    and (cardinality(x.phones) > 0 or cardinality(x.emails) > 0)
    and (case when x.stream = 'chats' then 'chat' else 'form' end) = any(%(requests)s)
    and {_NOT_OURS}
order by x.created_at, x.id limit %(limit)s
""",
    # Of a talk only the first message in a day is told; whose address isn't known is nobody to make a card of.
    RecordKind.MESSAGE: """
select x.id, x.sent_at as at, x.phones, x.emails, null as tracking_phone, p.name as client, x.subject as title,
    left(x.text, 1000) as comment, null as campaign, u.external_id as taker, null as source, null as medium,
    null as utm_source, null as utm_medium, null as utm_campaign, null as utm_content, null as utm_term
from message x
left join client p on p.workspace_id = x.workspace_id and p.id = x.client_id
left join user_account u on u.workspace_id = x.workspace_id and u.id = x.responsible_id
where x.workspace_id = %(ws)s and (%(ids)s::uuid[] is null or x.id = any(%(ids)s))
    and x.connection_id <> %(target)s and (%(source)s::uuid is null or x.connection_id = %(source)s)
    and x.sent_at >= %(since)s and x.direction = 'inbound' and x.deleted_at is null
    and (cardinality(x.phones) > 0 or cardinality(x.emails) > 0)
    and (case when x.channel = 'email' then 'letter' when x.channel in ('chat', 'messenger') then 'chat' end)
        = any(%(requests)s)
    and not exists (select from message e where e.workspace_id = x.workspace_id and e.id <> x.id
        and e.connection_id = x.connection_id and e.direction = 'inbound' and e.deleted_at is null
        and (e.phones && x.phones or e.emails && x.emails)
        and (e.sent_at, e.id) < (x.sent_at, x.id) and e.sent_at > x.sent_at - interval '1 day')
order by x.sent_at, x.id limit %(limit)s
""",
}


async def entries_of_requests(conn: Conn, rule: Rule, told: Told | None, limit: int | None) -> list[Intent]:
    settings = rule.settings
    assert isinstance(settings, OfRequests)  # noqa: S101 - told by the table of finders
    found: list[dict[str, Any]] = []
    for kind, query in _REQUEST_TABLES.items():
        ids = ids_of(told, kind)
        if ids != []:
            params = params_of(rule, limit) | {"ids": ids, "requests": list(settings.requests)}
            found += [row | {"kind": kind} for row in await rows_of(conn, query, params)]
    shares = await Shares.of(conn, rule, settings.share_among)
    return [_request(rule, settings, row, shares) for row in sorted(found, key=lambda each: each["at"])]


def _request(rule: Rule, settings: OfRequests, row: dict[str, Any], shares: Shares) -> Intent:
    who = next(iter([*row["phones"], *row["emails"]]))
    title = settings.lead_title.format(
        title=row["title"] or f"Request from {who}",
        phone=next(iter(row["phones"]), ""),
        name=row["client"] or "",
        campaign=row["campaign"] or "",
    )
    key = key_of(rule.connection_id, rule.write.entity.value, "request", row["id"])
    return _entry(rule, row, key, title, f"request from {who}", shares)


_ORDERS = f"""
select x.id, x.created_at as at, x.number, x.phones, x.emails, null as tracking_phone, x.amount, x.currency,
    coalesce(x.name, p.name) as client, x.comment, g.name as campaign, u.external_id as taker, {_ORIGIN}
from sales_order x
{_NAMED}
where x.workspace_id = %(ws)s and (%(ids)s::uuid[] is null or x.id = any(%(ids)s))
    and x.connection_id <> %(target)s and (%(source)s::uuid is null or x.connection_id = %(source)s)
    and x.created_at >= %(since)s and x.deleted_at is null and x.state <> 'cancelled'
    and (cardinality(x.phones) > 0 or cardinality(x.emails) > 0)
order by x.created_at, x.id limit %(limit)s
"""


async def entries_of_orders(conn: Conn, rule: Rule, told: Told | None, limit: int | None) -> list[Intent]:
    settings = rule.settings
    assert isinstance(settings, OrderToDeal)  # noqa: S101 - told by the table of finders
    ids = ids_of(told, RecordKind.ORDER)
    rows = [] if ids == [] else await rows_of(conn, _ORDERS, params_of(rule, limit) | {"ids": ids})
    shares = await Shares.of(conn, rule, settings.share_among)
    found = []
    for row in rows:
        number = row["number"] or ""
        title = settings.lead_title.format(number=number, name=row["client"] or "", campaign=row["campaign"] or "")
        key = key_of(rule.connection_id, rule.write.entity.value, "order", row["id"])
        found.append(_entry(rule, row | {"kind": RecordKind.ORDER}, key, title, f"order {number}", shares))
    return found


def _entry(rule: Rule, row: Mapping[str, Any], key: str, title: str, cause: str, shares: Shares) -> Intent:
    settings = rule.settings
    assert isinstance(settings, Entry)  # noqa: S101 - told by the table of finders
    fields: Mapping[str, str] = settings.fields or {}
    if settings.fields is None:
        fields = {code: part for part, code in rule.write.origin.items()}
    wanted = {
        "title": " ".join(title.split()),
        "first_name": row["client"],
        "phones": list(row["phones"]),
        "emails": list(row.get("emails") or ()),
        "pipeline": getattr(settings, "pipeline", None),
        "stage": settings.stage,
        "responsible": _responsible(settings, row, shares),
        "amount": None if row.get("amount") is None else format(row["amount"], "f"),
        "currency": row.get("currency") if row.get("amount") is not None else None,
        "comment": row.get("comment"),
    }
    taken = {name: value for name, value in wanted.items() if name in rule.write.fields}
    return Intent(
        key=key,
        order_key=f"{rule.write.entity.value}:{key}",
        cause_kind=row["kind"],
        cause_id=row["id"],
        cause_at=row["at"],
        cause=f"{cause} at {row['at']:%Y-%m-%d %H:%M}",
        payload=filled(taken | {code: row[part] for code, part in fields.items()}),
    )


def _responsible(settings: Entry, row: Mapping[str, Any], shares: Shares) -> str | None:
    """By the number dialled, by the source, who took it, the least busy of those who share, or whoever is named for
    the rest."""
    return (
        settings.responsible.get(row["tracking_phone"] or "")
        or settings.responsible.get(row["source"] or "")
        or settings.same_person.get(row["taker"] or "")
        or shares.next()
        or settings.otherwise_responsible
    )
