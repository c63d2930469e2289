"""What goes to a call tracker: deals and their marks against the calls that brought them, requests, and costs."""

# ruff: noqa: S608  # statements are put together from texts of ours
from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, time
from typing import Any

import orjson

from schema.enums import RecordKind
from sync.writeback.finding.base import Conn, Intent, Told, filled, ids_of, key_of, params_of, rows_of
from sync.writeback.kinds.tracker import CostsToTracker, DealMarksCall, LeadToRequest, WonDealToCall
from sync.writeback.rules import Rule

# The call or request there that a deal came from. A firm's deal has the firm for its client, and it is the contact
# who called.
_LEAD_OF_DEAL = """
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
"""
_OF_TOLD = """
(%(deals)s::uuid[] is null or d.id = any(%(deals)s) or exists (
    select from call c where c.workspace_id = d.workspace_id and c.id = any(%(calls)s)
        and c.client_id in (d.client_id, p.client_id)) or %(requests)s and exists (
    select from lead l where l.workspace_id = d.workspace_id and l.id = any(%(leads)s)
        and l.client_id in (d.client_id, p.client_id)))
"""

# One amount is told once; an amount that changed is told again, after the former one; so is a stage, where stages
# are told. Money goes there with a won deal only: one that is won no more gets none. What was taken back isn't told
# again as it was.
_WON = f"""
select d.id, d.external_id, d.title, d.status, w.amount, d.currency, d.closed_at, d.created_at, k.kind as lead_kind,
    k.external_id as lead, k.at as lead_at, s.name as stage, u.name as manager, n.connector,
    last.amount as told_amount, last.number
from deal d
join connection n on n.workspace_id = d.workspace_id and n.id = d.connection_id
left join contact p on p.workspace_id = d.workspace_id and p.id = d.contact_id
{_LEAD_OF_DEAL}
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
    and {_OF_TOLD}
    and (last.amount is distinct from w.amount::text
        or %(stages)s and (last.number = 0 or last.stage is distinct from s.name))
order by coalesce(d.closed_at, d.created_at), d.id limit %(limit)s
"""


async def amounts_of_deals(conn: Conn, rule: Rule, told: Told | None, limit: int | None) -> list[Intent]:
    settings = rule.settings
    assert isinstance(settings, WonDealToCall)  # noqa: S101 - told by the table of finders
    rows = await rows_of(
        conn,
        _WON,
        params_of(rule, limit)
        | _causes(told)
        | {
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
        payload=filled(wanted),
        base=None if row["told_amount"] is None else {"amount": row["told_amount"]},
    )


_MARKED = f"""
select d.id, d.title, d.status, d.amount, d.currency, d.lost_reason, d.closed_at, d.created_at, s.name as stage,
    k.kind as lead_kind, k.external_id as lead, k.at as lead_at
from deal d
left join contact p on p.workspace_id = d.workspace_id and p.id = d.contact_id
{_LEAD_OF_DEAL}
left join stage s on s.workspace_id = d.workspace_id and s.id = d.stage_id
where d.workspace_id = %(ws)s and (%(source)s::uuid is null or d.connection_id = %(source)s)
    and d.connection_id <> %(target)s and d.deleted_at is null and k.kind in ('call', 'request')
    and coalesce(d.closed_at, d.created_at) >= %(since)s
    and {_OF_TOLD}
order by coalesce(d.closed_at, d.created_at), d.id limit %(limit)s
"""


async def marks_of_deals(conn: Conn, rule: Rule, told: Told | None, limit: int | None) -> list[Intent]:
    """A tag is added once for each state that a deal comes to; a comment when its words change."""
    settings = rule.settings
    assert isinstance(settings, DealMarksCall)  # noqa: S101 - told by the table of finders
    rows = await rows_of(
        conn,
        _MARKED,
        params_of(rule, limit) | _causes(told) | {"first": settings.call == "first", "requests": True},
    )
    return [intent for row in rows for intent in _marks(rule, settings, row)]


def _marks(rule: Rule, settings: DealMarksCall, row: Mapping[str, Any]) -> list[Intent]:
    found = []
    kind, lead = row["lead_kind"], row["lead"]
    tag = next((tag for state, tag in settings.tags.items() if state == row["status"]), None)
    if tag:
        payload: dict[str, Any] = {"lead": lead, "tags": [tag]}
        found.append(_mark(rule, row, f"{kind}.tag", payload, key_of(rule.connection_id, "tag", kind, lead, tag)))
    if settings.comment:
        text = settings.comment.format(
            title=row["title"] or "",
            status=row["status"],
            stage=row["stage"] or "",
            amount="" if row["amount"] is None else f"{row['amount']:f} {row['currency'] or ''}".strip(),
            reason=row["lost_reason"] or "",
        )
        payload = {"lead": lead, "at": row["lead_at"].isoformat(), "text": " ".join(text.split())}
        key = key_of(rule.connection_id, "comment", kind, lead, payload["text"])
        found.append(_mark(rule, row, f"{kind}.comment", payload, key))
    return found


def _mark(rule: Rule, row: Mapping[str, Any], write: str, payload: dict[str, Any], key: str) -> Intent:
    at = row["closed_at"] or row["created_at"]
    return Intent(
        key=key,
        order_key=f"{write.partition('.')[0]}:{row['lead']}",
        cause_kind=RecordKind.DEAL,
        cause_id=row["id"],
        cause_at=at,
        cause=f"deal «{row['title']}» {row['status']}, its {row['lead_kind']} at {row['lead_at']:%Y-%m-%d %H:%M}",
        payload=payload,
        write=write,
    )


def _causes(told: Told | None) -> dict[str, Any]:
    return {
        "deals": ids_of(told, RecordKind.DEAL),
        "calls": ids_of(told, RecordKind.CALL) or [],
        "leads": ids_of(told, RecordKind.LEAD) or [],
    }


# The visit is the tracker's own, else it knows no such session.
_LEADS = """
select l.id, l.created_at, l.title, l.name, l.phones, l.emails, l.comment, l.utm_source, l.utm_medium,
    l.utm_campaign, l.utm_content, l.utm_term, l.source, l.medium, v.external_id as session, v.landing_url
from lead l
left join visit v on v.workspace_id = l.workspace_id and v.id = l.visit_id and v.connection_id = %(target)s
where l.workspace_id = %(ws)s and (%(ids)s::uuid[] is null or l.id = any(%(ids)s))
    and l.connection_id <> %(target)s and (%(source)s::uuid is null or l.connection_id = %(source)s)
    and l.created_at >= %(since)s and l.deleted_at is null
    and (cardinality(l.phones) > 0 or cardinality(l.emails) > 0)
    and not exists (select from outbox o where o.workspace_id = l.workspace_id
        and o.connection_id = l.connection_id and o.external_id = l.external_id and o.write = 'lead.create'
        and o.state = 'done')
order by l.created_at, l.id limit %(limit)s
"""


async def requests_of_leads(conn: Conn, rule: Rule, told: Told | None, limit: int | None) -> list[Intent]:
    """What Skvoz itself made of a call isn't told back as a request."""
    settings = rule.settings
    assert isinstance(settings, LeadToRequest)  # noqa: S101 - told by the table of finders
    ids = ids_of(told, RecordKind.LEAD)
    rows = [] if ids == [] else await rows_of(conn, _LEADS, params_of(rule, limit) | {"ids": ids})
    return [_request(rule, settings, row) for row in rows]


def _request(rule: Rule, settings: LeadToRequest, row: Mapping[str, Any]) -> Intent:
    key = key_of(rule.connection_id, "request", row["id"])
    return Intent(
        key=key,
        order_key=f"request:{key}",
        cause_kind=RecordKind.LEAD,
        cause_id=row["id"],
        cause_at=row["created_at"],
        cause=f"lead «{row['title'] or row['name'] or ''}» of {row['created_at']:%Y-%m-%d %H:%M}",
        payload=filled(
            {
                "title": row["title"],
                "name": row["name"],
                "phones": list(row["phones"]),
                "emails": list(row["emails"]),
                "at": row["created_at"].isoformat(),
                "url": row["landing_url"],
                "session": row["session"],
                "comment": row["comment"],
                "tags": list(settings.tags),
                "source": row["utm_source"] or row["source"],
                "medium": row["utm_medium"] or row["medium"],
                "campaign": row["utm_campaign"],
                "content": row["utm_content"],
                "term": row["utm_term"],
            }
        ),
    )


# Campaigns whose visits bear the same names are one cost there. What is sent once is sent again when it differs.
_COSTS = """
with named as (
    select s.day, s.cost, s.currency, g.id, %(sources)s::jsonb -> g.platform ->> 0 as source,
        %(sources)s::jsonb -> g.platform ->> 1 as medium,
        case when %(by_name)s then g.name else g.external_id end as campaign
    from ad_spend s join campaign g on g.workspace_id = s.workspace_id and g.id = s.campaign_id
    where s.workspace_id = %(ws)s and s.known_until is null and s.connection_id <> %(target)s
        and (%(source)s::uuid is null or s.connection_id = %(source)s) and s.currency = %(currency)s
        and s.day >= %(day)s and %(sources)s::jsonb ? g.platform),
costs as (
    select day, source, medium, campaign, sum(cost) as cost, (array_agg(id order by id))[1] as id
    from named group by day, source, medium, campaign
    having %(ids)s::uuid[] is null or bool_or(id = any(%(ids)s)))
select c.*, last.cost as told_cost, last.number
from costs c
cross join lateral (
    select count(*) as number, (array_agg(o.payload ->> 'cost' order by o.seq desc)
        filter (where o.undoes is null and o.write = 'ad_spend.put'))[1] as cost
    from outbox o where o.workspace_id = %(ws)s and o.connection_id = %(target)s
        and o.order_key = 'cost:' || c.day || ':' || c.source || '/' || c.medium || '/' || c.campaign) last
where c.cost > 0 and last.cost is null or last.cost::numeric is distinct from c.cost and last.cost is not null
order by c.day, c.source, c.medium, c.campaign limit %(limit)s
"""


async def costs_of_days(conn: Conn, rule: Rule, told: Told | None, limit: int | None) -> list[Intent]:
    """A day is opened before its cost is set for the first time: the tracker sets only what is there."""
    settings = rule.settings
    assert isinstance(settings, CostsToTracker)  # noqa: S101 - told by the table of finders
    ids = ids_of(told, RecordKind.AD_SPEND)
    if ids == []:
        return []
    params = params_of(rule, limit)
    rows = await rows_of(
        conn,
        _COSTS,
        params
        | {
            "ids": ids,
            "sources": orjson.dumps(dict(settings.sources)).decode(),
            "by_name": settings.campaign == "name",
            "currency": settings.currency,
            "day": params["since"].date(),
        },
    )
    return [intent for row in rows for intent in _cost(rule, row)]


def _cost(rule: Rule, row: Mapping[str, Any]) -> list[Intent]:
    names = {name: row[name] for name in ("source", "medium", "campaign")}
    order = f"cost:{row['day']}:{'/'.join(names.values())}"
    steps: list[tuple[str, dict[str, Any]]] = [] if row["number"] else [("ad_spend.open", {})]
    steps.append(("ad_spend.put", {"cost": format(row["cost"].normalize(), "f")}))
    return [
        Intent(
            key=key_of(rule.connection_id, order, write, row["number"]),
            order_key=order,
            cause_kind=RecordKind.CAMPAIGN,
            cause_id=row["id"],
            cause_at=datetime.combine(row["day"], time(), UTC),
            cause=f"cost of {names['campaign']} on {row['day']}",
            payload={"day": row["day"].isoformat(), **names, **more},
            base=None if row["told_cost"] is None else {"cost": row["told_cost"]},
            write=write,
        )
        for write, more in steps
    ]
