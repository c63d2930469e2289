"""The receipt of a figure: the list of what it counts, down to the source records.

One row for each thing counted, with ``counted``: what it adds. These add up to the figure exactly, whatever
the metric, the range and the moment of knowledge. A ratio's receipts are those of its figures
(``metrics.METRICS[key].formula.figures()``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from reports.campaigns import Statement
from reports.paths import NIL
from reports.rollups import COUNTED_AS, FIGURES, VALUED_AS
from reports.rules import NO_RULES, Grouping
from schema.enums import RecordKind

_KINDS: dict[str, str] = {figure: kind for kind, figure in COUNTED_AS.items()}
_KINDS |= {figure: kind for kind, figure in VALUED_AS.items()}


@dataclass(frozen=True, slots=True)
class Whose:
    """Whose figure: a campaign's, or that of a reason for having none. ``channel`` narrows the latter down to
    one row of the report; None takes all its channels."""

    campaign_id: UUID | None = None
    reason: str | None = None
    channel: str | None = None

    def __post_init__(self) -> None:
        if (self.campaign_id is None) == (self.reason is None):
            raise ValueError("A receipt is for a campaign or for a reason, not for both and not for neither.")


def receipt_statement(
    workspace_id: UUID,
    metric: str,
    whose: Whose,
    start: date,
    end: date,
    *,
    as_known_at: datetime | None = None,
    rules: Grouping = NO_RULES,
) -> Statement:
    """The receipt from ``start`` to ``end``, both included, now or as known at a moment, as one statement.

    For calls, leads, new clients, won deals, paid invoices and their money its columns are ``counted,
    conversion_id, version, kind, client_id, record_id, occurred_at, day, value, currency, credited`` (position of
    the credited touch, from 1), ``campaign_id, reason, channel, touches, records, had_older_touches, window_days,
    rules, cause, known_from``. ``touches`` and ``records`` are JSON arrays; each element names its source record.

    For cost, impressions and clicks: ``counted, campaign_id, day, cost, currency, vat_included, impressions,
    clicks, revisions`` (JSON: all revisions known) and ``source``. For visits: ``counted, visit_id, client_id,
    started_at, day, campaign_id, reason, channel, source``.

    By ``rules`` a campaign has what tags that mean it name. Raises ``ValueError`` for a metric that isn't an
    additive figure.
    """
    if metric not in FIGURES:
        raise ValueError(f"A receipt is for one of {', '.join(FIGURES)}, not for {metric!r}.")
    params: dict[str, Any] = {
        "receipt_workspace": workspace_id,
        "receipt_campaigns": _campaigns(whose.campaign_id or NIL, rules),
        "receipt_reason": whose.reason or "",
        "receipt_channel": None if whose.reason is None else whose.channel,
        "receipt_start": start,
        "receipt_end": end,
        "receipt_known": as_known_at,
    }
    if metric in _KINDS:
        params["receipt_kind"] = _KINDS[metric]
        counted = "p.revenue" if metric in VALUED_AS.values() else "1::numeric"
        return Statement(_CONVERSIONS.format(counted=counted, known=_known("p", as_known_at)), params)
    if metric == "visits":
        then = "" if as_known_at is None else "and v.loaded_at <= %(receipt_known)s"
        return Statement(_VISITS.format(then=then), params)
    counted = f"a.{metric}::numeric"
    if metric == "cost":
        counted = "case when a.currency = w.currency then a.cost else 0 end"
    then = "" if as_known_at is None else "and o.known_from <= %(receipt_known)s"
    return Statement(_SPEND.format(counted=counted, known=_known("a", as_known_at), then=then), params)


def _campaigns(wanted: UUID, rules: Grouping) -> list[UUID]:
    """The campaigns whose records count for that one."""
    tagged = [campaign for campaign, meant in rules.meant.items() if meant == wanted]
    return tagged if wanted in rules.meant else [wanted, *tagged]


def touched_statement(workspace_id: UUID, given_json: str) -> Statement:
    """These conversions as a receipt shows them, with the shares of their touches by any model.

    ``reports.credited`` makes ``given_json``. The column ``amount`` is the share's value.
    """
    return Statement(_TOUCHED, {"receipt_workspace": workspace_id, "receipt_given": given_json})


def _known(row: str, as_known_at: datetime | None) -> str:
    if as_known_at is None:
        return f"{row}.known_until is null"
    return (
        f"{row}.known_from <= %(receipt_known)s"
        f" and ({row}.known_until is null or {row}.known_until > %(receipt_known)s)"
    )


def _source(record: str) -> str:
    """The source record of a unified record, as JSON."""
    return f"""(
        select json_build_object('connection_id', c.id, 'connector', c.connector, 'stream', {record}.stream,
            'external_id', {record}.source_id)
        from connection c where c.workspace_id = {record}.workspace_id and c.id = {record}.connection_id
    )"""  # noqa: S608


def _source_of(kind: str, record_id: str) -> str:
    """The source record of the record with this id among those of ``kind`` (an SQL expression)."""
    told = (
        RecordKind.VISIT,
        RecordKind.CALL,
        RecordKind.LEAD,
        RecordKind.ORDER,
        RecordKind.DEAL,
        RecordKind.INVOICE,
    )
    cases = " ".join(
        f"when '{each}' then (select {_source('r')} from {each.table} r"  # noqa: S608
        f" where r.workspace_id = p.workspace_id and r.id = {record_id})"
        for each in told
    )
    return f"case {kind} {cases} end"


def _evidence(kind: str, record_id: str) -> str:
    """What ties a touch to its client and its campaign, as a JSON array of kinds and values."""
    tagged = "('click_id', r.click_id), ('utm_source', r.utm_source), ('utm_medium', r.utm_medium),"
    tagged += " ('utm_campaign', r.utm_campaign), ('utm_content', r.utm_content), ('utm_term', r.utm_term),"
    tagged += " ('referrer', r.referrer)"
    own = {
        RecordKind.VISIT: f"('visitor', array_to_string(r.visitor_ids, ' ')), {tagged}",
        RecordKind.CALL: f"('phone', r.client_phone), ('tracking_number', r.tracking_phone), {tagged}",
        RecordKind.LEAD: f"('phone', r.phones[1]), {tagged}",
        RecordKind.ORDER: f"('phone', r.phones[1]), {tagged}",
        RecordKind.DEAL: tagged,
    }
    cases = " ".join(
        f"when '{each}' then (select json_agg(json_build_object('kind', e.kind, 'value', e.value))"  # noqa: S608
        f" from {each.table} r cross join lateral (values {values}) as e(kind, value)"
        f" where r.workspace_id = p.workspace_id and r.id = {record_id} and e.value <> '')"
        for each, values in own.items()
    )
    return f"case {kind} {cases} end"


_RECORD_KIND = """case when p.kind in ('new_client', 'won_deal') then 'deal'
    when p.kind = 'paid_invoice' then 'invoice' else p.kind end"""
_PATH = """p.conversion_id, p.version, p.kind, p.client_id, p.record_id, p.occurred_at, p.day, p.value, p.currency,
    p.credited"""
_RULE = "p.had_older_touches, p.window_days, p.rules, p.cause, p.known_from"


def _touches(share: str) -> str:
    """The touches of the path ``p`` as a JSON array; ``share`` is SQL over the touch ``t``."""
    return f"""(
        select coalesce(json_agg(json_build_object(
            'kind', t.kind, 'record_id', t.record, 'at', t.at, 'channel', nullif(t.channel, ''),
            'campaign_id', nullif(t.campaign, '{NIL}'), 'credited', t.position = p.credited, 'share', {share},
            'client_id', p.client_id, 'evidence', {_evidence("t.kind", "t.record")},
            'source', {_source_of("t.kind", "t.record")}
        ) order by t.position), '[]')
        from unnest(p.touch_kinds, p.touch_records, p.touch_times, p.touch_channels, p.touch_campaigns)
            with ordinality as t(kind, record, at, channel, campaign, position)
    ) as touches"""  # noqa: S608


_RECORDS = f"""(
        select json_agg(json_build_object('record_id', t.record, 'source', {_source_of(_RECORD_KIND, "t.record")})
            order by t.position)
        from unnest(p.record_id || p.also_told_by) with ordinality as t(record, position)
    ) as records"""  # noqa: S608
_CONVERSIONS = f"""
select {{counted}} as counted, {_PATH}, nullif(p.campaign_id, '{NIL}') as campaign_id,
    nullif(p.reason, '') as reason, nullif(p.channel, '') as channel,
    {_touches("case when t.position = p.credited then 1 else 0 end")}, {_RECORDS}, {_RULE}
from path p
where p.workspace_id = %(receipt_workspace)s and p.campaign_id = any(%(receipt_campaigns)s::uuid[])
and p.day between %(receipt_start)s and %(receipt_end)s and p.kind = %(receipt_kind)s
and p.reason = %(receipt_reason)s and p.channel = coalesce(%(receipt_channel)s::text, p.channel)
and {{known}}
order by p.occurred_at, p.conversion_id
"""  # noqa: S608
# Within a narrower window the given shares are those of the last touches.
_OLDER = "cardinality(p.touch_times) - json_array_length(g.shares)"
_GIVEN_SHARE = f"""case when t.position > {_OLDER}
    then (g.shares ->> (t.position - 1 - ({_OLDER}))::int)::numeric else 0 end"""
_TOUCHED = f"""
select g.counted, g.amount, {_PATH}, nullif(p.campaign_id, '{NIL}') as campaign_id,
    nullif(p.reason, '') as reason, nullif(p.channel, '') as channel,
    {_touches(_GIVEN_SHARE)}, {_RECORDS}, {_RULE}
from json_to_recordset(%(receipt_given)s::json)
    as g(conversion_id uuid, version integer, counted numeric, amount numeric, shares json)
join path p on p.workspace_id = %(receipt_workspace)s and p.conversion_id = g.conversion_id
    and p.version = g.version
order by p.occurred_at, p.conversion_id
"""  # noqa: S608
_SPEND = """
select {counted} as counted, a.campaign_id, a.day, a.cost, a.currency, a.vat_included, a.impressions, a.clicks,
    (
        select json_agg(json_build_object(
            'revision', o.revision, 'cost', o.cost, 'currency', o.currency, 'impressions', o.impressions,
            'clicks', o.clicks, 'known_from', o.known_from, 'known_until', o.known_until
        ) order by o.revision)
        from ad_spend o
        where o.workspace_id = a.workspace_id and o.connection_id = a.connection_id
        and o.campaign_id = a.campaign_id and o.day = a.day {then}
    ) as revisions,
    (
        select json_build_object('connection_id', c.id, 'connector', c.connector, 'stream', a.stream,
            'external_id', a.source_id)
        from connection c where c.workspace_id = a.workspace_id and c.id = a.connection_id
    ) as source
from ad_spend a join workspace w on w.id = a.workspace_id
where a.workspace_id = %(receipt_workspace)s and a.campaign_id = any(%(receipt_campaigns)s::uuid[])
and a.day between %(receipt_start)s and %(receipt_end)s and %(receipt_reason)s = '' and {known}
order by a.day, a.connection_id
"""
_VISITS = f"""
select 1::numeric as counted, v.id as visit_id, v.client_id, v.started_at, s.day,
    nullif(s.campaign_id, '{NIL}') as campaign_id, nullif(s.reason, '') as reason,
    nullif(s.channel, '') as channel, {_source("v")} as source
from visit v join settled_visit s on s.workspace_id = v.workspace_id and s.visit_id = v.id
where v.workspace_id = %(receipt_workspace)s and s.campaign_id = any(%(receipt_campaigns)s::uuid[])
and v.started_at >= %(receipt_start)s::date - 2 and v.started_at < %(receipt_end)s::date + 3
and s.day between %(receipt_start)s and %(receipt_end)s and s.reason = %(receipt_reason)s
and s.channel = coalesce(%(receipt_channel)s::text, s.channel) {{then}}
order by v.started_at, v.id
"""  # noqa: S608
