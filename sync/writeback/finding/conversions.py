"""What visitors came to after their visits, as the counter of a site is to know it."""

# ruff: noqa: S608  # statements are put together from texts of ours
from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from core import clock
from reports.conversions import QUALIFIED_WITHIN_DAYS
from schema.enums import RecordKind
from sync.writeback.finding.base import Conn, Intent, Told, filled, ids_of, key_of, params_of, rows_of
from sync.writeback.kinds.conversions import Happening, OfflineConversion
from sync.writeback.rules import Rule

LINKED_DAYS = 21
"""Metrica ties a conversion to a visit no older than this: https://yandex.com/support/metrica/data/offline-conversion-data.html"""

# Each gives the same columns. A deal's order is one, whether it is told as a lead that came to something or as won;
# what it was when it was told last decides whether there is news.
_DEALS = """
select d.id, 'deal' as cause, n.connector || '-' || d.external_id as number, d.title, d.client_id,
    p.client_id as person,
    d.created_at as at, coalesce(d.closed_at, d.created_at) as reached_at, d.amount, d.currency,
    case d.status when 'won' then 'PAID' when 'lost' then 'CANCELLED' else 'IN_PROGRESS' end as status
from deal d join connection n on n.workspace_id = d.workspace_id and n.id = d.connection_id
left join contact p on p.workspace_id = d.workspace_id and p.id = d.contact_id
where d.workspace_id = %(ws)s and d.deleted_at is null and d.connection_id <> %(target)s
    and (%(source)s::uuid is null or d.connection_id = %(source)s)
    and (%(deals)s::uuid[] is null or d.id = any(%(deals)s) or d.client_id in (select client_id from visited))
    and coalesce(d.closed_at, d.created_at) >= %(since)s
"""
_LEADS = f"""
select d.id, 'deal' as cause, n.connector || '-' || d.external_id as number, d.title, d.client_id,
    p.client_id as person,
    d.created_at as at, l.created_at as reached_at, null::numeric as amount, null::text as currency,
    'IN_PROGRESS' as status
from deal d join connection n on n.workspace_id = d.workspace_id and n.id = d.connection_id
left join contact p on p.workspace_id = d.workspace_id and p.id = d.contact_id
cross join lateral (
    select l.created_at from lead l where l.workspace_id = d.workspace_id and l.deleted_at is null
        and (l.id = d.lead_id or l.client_id in (d.client_id, p.client_id) and l.created_at <= d.created_at
            and l.created_at >= d.created_at - interval '{24 * QUALIFIED_WITHIN_DAYS} hours')
    order by (l.id = d.lead_id) desc nulls last, l.created_at desc, l.id limit 1) l
where d.workspace_id = %(ws)s and d.deleted_at is null and d.connection_id <> %(target)s
    and (%(source)s::uuid is null or d.connection_id = %(source)s)
    and (%(deals)s::uuid[] is null or d.id = any(%(deals)s) or d.client_id in (select client_id from visited)
        or d.client_id in (select client_id from lead where workspace_id = %(ws)s and id = any(%(leads)s)))
    and l.created_at >= %(since)s
"""
_INVOICES = """
select i.id, 'invoice' as cause, n.connector || '-invoice-' || i.external_id as number, i.number as title,
    i.client_id, p.client_id as person, i.issued_at as at, coalesce(i.paid_at, i.issued_at) as reached_at, i.amount,
    i.currency, case when i.paid_at is not null and not i.cancelled then 'PAID' else 'CANCELLED' end as status
from invoice i join connection n on n.workspace_id = i.workspace_id and n.id = i.connection_id
left join contact p on p.workspace_id = i.workspace_id and p.id = i.contact_id
where i.workspace_id = %(ws)s and i.kind = 'invoice' and i.deleted_at is null and i.connection_id <> %(target)s
    and (%(source)s::uuid is null or i.connection_id = %(source)s)
    and (%(invoices)s::uuid[] is null or i.id = any(%(invoices)s) or i.client_id in (select client_id from visited))
    and coalesce(i.paid_at, i.issued_at) >= %(since)s
"""
_HAPPENED: dict[Happening, str] = {"won_deal": _DEALS, "qualified_lead": _LEADS, "paid_invoice": _INVOICES}

_KNOWN = """
with visited as (select client_id from visit where workspace_id = %(ws)s and id = any(%(visits)s)),
happened as ({happened})
select h.*, c.phone, c.email, v.visitor, v.click, last.number as told, last.status as told_status,
    last.amount as told_amount
from happened h
left join client c on c.workspace_id = %(ws)s and c.id = coalesce(h.person, h.client_id)
left join lateral (
    select case when cookie like 'ym:%%' then substr(cookie, 4) end as visitor,
        case when v.landing_url like '%%yclid=' || v.click_id || '%%' then v.click_id end as click
    from visit v left join lateral unnest(v.visitor_ids) cookie on cookie like 'ym:%%'
    where v.workspace_id = %(ws)s and v.client_id in (h.client_id, h.person) and v.deleted_at is null
        and v.started_at <= h.reached_at and (cookie is not null or v.landing_url like '%%yclid=%%')
        and (%(oldest)s::timestamptz is null or v.started_at >= %(oldest)s)
    order by v.started_at desc, v.id limit 1) v on true
cross join lateral (
    select count(*) as number,
        (array_agg(o.payload ->> 'status' order by o.seq desc) filter (where o.undoes is null))[1] as status,
        (array_agg(o.payload ->> 'amount' order by o.seq desc) filter (where o.undoes is null))[1] as amount
    from outbox o where o.workspace_id = %(ws)s and o.connection_id = %(target)s
        and o.order_key = 'order:' || h.number) last
where {news}
order by h.reached_at, h.id limit %(limit)s
"""
# A first state is told when it is reached; later ones when they differ, so that what was won is cancelled again.
_NEWS_OF_ORDERS = """(v.visitor is not null or c.phone is not null or c.email is not null)
and case when last.number = 0 then h.status = %(reached)s
    when %(reached)s = 'IN_PROGRESS' then false
    else last.status is distinct from h.status
        or h.status = 'PAID' and last.amount::numeric is distinct from h.amount
end"""
_NEWS_OF_GOALS = "h.status = %(reached)s and (v.visitor is not null or v.click is not null)"


async def conversions_of(conn: Conn, rule: Rule, told: Told | None, limit: int | None) -> list[Intent]:
    """Orders as often as they change, goals once."""
    settings = rule.settings
    assert isinstance(settings, OfflineConversion)  # noqa: S101 - told by the table of finders
    # A visit that is told later matters to goals only: an order is found by phone and e-mail as well.
    visits = ids_of(told, RecordKind.VISIT) or [] if settings.goal else []
    kinds = {"deals": RecordKind.DEAL, "leads": RecordKind.LEAD, "invoices": RecordKind.INVOICE}
    ids: dict[str, Any] = {name: ids_of(told, kind) for name, kind in kinds.items()}
    if told is not None and not visits and not any(ids.values()):
        return []
    query = _KNOWN.format(
        happened=_HAPPENED[settings.happens], news=_NEWS_OF_GOALS if settings.goal else _NEWS_OF_ORDERS
    )
    named = {
        "visits": visits,
        "oldest": clock.now() - timedelta(days=LINKED_DAYS) if settings.goal else None,
        "reached": "IN_PROGRESS" if settings.happens == "qualified_lead" else "PAID",
    }
    rows = await rows_of(conn, query, params_of(rule, limit) | ids | named)
    return [_goal(rule, settings.goal, row) if settings.goal else _order(rule, row) for row in rows]


def _order(rule: Rule, row: Mapping[str, Any]) -> Intent:
    paid = row["status"] == "PAID"
    return _intent(
        rule,
        row,
        key=key_of(rule.connection_id, "order", row["number"], row["told"]),
        order_key=f"order:{row['number']}",
        payload={
            "number": row["number"],
            "at": row["at"].isoformat(),
            "status": row["status"],
            "amount": format(row["amount"], "f") if paid and row["amount"] is not None else None,
            "currency": row["currency"] if paid else None,
            "visitor": row["visitor"],
            "phones": [row["phone"]] if row["phone"] else [],
            "emails": [row["email"]] if row["email"] else [],
            "again": row["told"] or None,
        },
    )


def _goal(rule: Rule, goal: str, row: Mapping[str, Any]) -> Intent:
    key = key_of(rule.connection_id, "goal", goal, row["cause"], row["id"])
    return _intent(
        rule,
        row,
        key=key,
        order_key=f"goal:{key}",
        payload={
            "goal": goal,
            "at": row["reached_at"].isoformat(),
            "amount": None if row["amount"] is None else format(row["amount"], "f"),
            "currency": None if row["amount"] is None else row["currency"],
            "visitor": row["visitor"],
            "click": None if row["visitor"] else row["click"],
        },
        write="conversion.goal",
    )


def _intent(
    rule: Rule,
    row: Mapping[str, Any],
    *,
    key: str,
    order_key: str,
    payload: Mapping[str, Any],
    write: str | None = None,
) -> Intent:
    return Intent(
        key=key,
        order_key=order_key,
        cause_kind=RecordKind(row["cause"]),
        cause_id=row["id"],
        cause_at=row["reached_at"],
        cause=f"{row['cause']} «{row['title'] or ''}» {row['reached_at']:%Y-%m-%d}",
        payload=filled(payload),
        write=write,
    )
