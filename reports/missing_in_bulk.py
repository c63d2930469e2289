# ruff: noqa: S608 - the SQL is put together from declarations of ours; values are bound, never written in
"""What became of all records of a kind on the way to the campaign report, with totals that add up exactly.

Every record has one outcome. Those that are counted add up to the figure of the report, all of them together with
the records of other days to what is stored, and that with what could not be read to the source records.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from core.database import PsycopgConnection
from reports.campaigns import campaign_report
from reports.counts import TOLD_ONCE
from reports.facts import day_of, of_client
from reports.grouped import grouped_statement
from reports.terms import Terms
from schema.enums import ConversionKind, RecordKind, Unattributed


class Outcome(StrEnum):
    """What became of a record on the way to the report."""

    ATTRIBUTED = "attributed"  # counted for a campaign
    UNATTRIBUTED = "unattributed"  # counted in a row without a campaign, for a reason
    TOLD_BY_ANOTHER = "told_by_another"  # another system told of the same, and that record is counted
    DELETED = "deleted"  # deleted in the external system
    OUTBOUND = "outbound"  # a call of ours: only inbound ones count
    OPEN = "open"  # the deal isn't closed yet
    LOST = "lost"  # the deal was lost
    ACT = "act"  # the document states that work was done and asks for no money
    CANCELLED = "cancelled"  # the invoice was cancelled
    UNPAID = "unpaid"  # the invoice isn't paid in full yet
    REFUND = "refund"  # money that went back: refunds are a figure of their own
    SUPERSEDED = "superseded"  # the ad platform restated the day since
    OTHER_CURRENCY = "other_currency"  # its money isn't in the workspace's currency: counted without it
    NOT_SETTLED = "not_settled"  # it changed a moment ago and will be counted when figures are next settled
    RECORD_GONE = "record_gone"  # counted, and its record is no longer stored


COUNTED = frozenset({Outcome.ATTRIBUTED, Outcome.UNATTRIBUTED, Outcome.OTHER_CURRENCY, Outcome.RECORD_GONE})
"""Outcomes that the figure of the report holds."""


@dataclass(frozen=True, slots=True)
class Line:
    """Records with one outcome; ``money`` is what they add to revenue or cost. ``reason`` stands beside
    UNATTRIBUTED."""

    outcome: Outcome
    reason: str | None
    number: int
    money: Decimal


@dataclass(frozen=True, slots=True)
class Missing:
    """What became of the records of a kind from one day to another.

    ``sources = skipped + unreadable + read``; ``read + more_of_one = records + other_days``; ``records`` is the
    sum of all lines but RECORD_GONE; ``report`` is the figure of the campaign report, the sum of what is counted.
    """

    kind: RecordKind
    figure: str
    lines: list[Line]
    report: Decimal
    report_money: Decimal
    other_days: int
    sources: int
    read: int
    skipped: int
    unreadable: int
    more_of_one: int

    @property
    def records(self) -> int:
        return sum(line.number for line in self.lines if line.outcome is not Outcome.RECORD_GONE)

    @property
    def counted(self) -> int:
        return sum(line.number for line in self.lines if line.outcome in COUNTED)


FIGURE_OF = {
    RecordKind.VISIT: ("visits", None),
    RecordKind.CALL: ("calls", None),
    RecordKind.LEAD: ("leads", None),
    RecordKind.DEAL: ("won_deals", "revenue"),
    RecordKind.INVOICE: ("paid_invoices", "paid_amount"),
    RecordKind.PAYMENT: ("payments received", "payments"),
    RecordKind.AD_SPEND: ("days of spend", "cost"),
}
"""The kinds whose records are looked for in the report: the figure that counts them, and that of their money."""

_PATH_KIND = {
    RecordKind.CALL: ConversionKind.CALL,
    RecordKind.LEAD: ConversionKind.LEAD,
    RecordKind.DEAL: ConversionKind.WON_DEAL,
    RecordKind.INVOICE: ConversionKind.PAID_INVOICE,
}
_AT = {
    RecordKind.VISIT: "r.started_at",
    RecordKind.CALL: "r.started_at",
    RecordKind.LEAD: "r.created_at",
    RecordKind.DEAL: "coalesce(r.closed_at, r.created_at)",
    RecordKind.INVOICE: "coalesce(r.paid_at, r.issued_at)",
}
_WHY_NOT = {
    RecordKind.CALL: "when r.direction <> 'inbound' then 'outbound'",
    RecordKind.LEAD: "",
    RecordKind.DEAL: "when r.status <> 'won' then r.status",
    RecordKind.INVOICE: "when r.kind <> 'invoice' then 'act' when r.cancelled then 'cancelled' "
    "when r.paid_at is null then 'unpaid'",
}
_CONVERSIONS = """
with paths as (
    select p.record_id, t.record, p.day, p.reason, p.revenue, p.currency
    from path p cross join lateral unnest(p.record_id || p.also_told_by) as t(record)
    where p.workspace_id = %(workspace)s and p.kind = %(conversion)s and p.known_until is null
), found as (
    select case
            when r.id is null and p.record = p.record_id then 'record_gone'
            when r.id is null then null
            when p.record = p.record_id and p.reason = '' then 'attributed'
            when p.record = p.record_id then 'unattributed'
            when r.deleted_at is not null then 'deleted'
            {why_not}
            when p.record is not null then 'told_by_another'
            else 'not_settled' end as outcome,
        case when p.record = p.record_id then nullif(p.reason, '') end as reason,
        coalesce(case when p.record = p.record_id then p.day end, {day}) as day,
        case when p.record = p.record_id then p.revenue else 0 end as money
    from (select * from {table} where workspace_id = %(workspace)s) r full join paths p on p.record = r.id
)
select outcome, reason, count(*) filter (where day between %(start)s and %(end)s),
    coalesce(sum(money) filter (where day between %(start)s and %(end)s), 0),
    count(*) filter (where day not between %(start)s and %(end)s)
from found where outcome is not null group by 1, 2 order by 1, 2
"""
_VISITS = f"""
with found as (
    select v.id, s.reason, coalesce(s.day, {day_of("v.started_at")}) as day, case
        when v.id is null then 'record_gone'
        when s.reason = '' then 'attributed'
        when s.reason is not null then 'unattributed'
        when v.deleted_at is not null then 'deleted'
        when not {TOLD_ONCE} then 'told_by_another'
        else 'not_settled' end as outcome
    from (select * from visit where workspace_id = %(workspace)s) v
    full join (select * from settled_visit where workspace_id = %(workspace)s) s on s.visit_id = v.id
)
select outcome, nullif(reason, ''), count(*) filter (where day between %(start)s and %(end)s), 0,
    count(*) filter (where day not between %(start)s and %(end)s)
from found group by 1, 2 order by 1, 2
"""
_PAYMENTS = f"""
with found as (
    select case when r.deleted_at is not null then 'deleted' when r.kind <> 'payment' then 'refund'
            when r.currency is distinct from w.currency then 'other_currency'
            when p.reason = '' then 'attributed' else 'unattributed' end as outcome,
        coalesce(p.reason, '{Unattributed.NO_TOUCHES}') as reason, {day_of("r.paid_at")} as day, r.amount
    from payment r join workspace w on w.id = r.workspace_id {of_client("r.paid_at", "r.deal_id", "r.invoice_id")}
    where r.workspace_id = %(workspace)s
)
select outcome, case when outcome = 'unattributed' then reason end,
    count(*) filter (where day between %(start)s and %(end)s),
    coalesce(sum(amount) filter (
        where outcome in ('attributed', 'unattributed') and day between %(start)s and %(end)s), 0),
    count(*) filter (where day not between %(start)s and %(end)s)
from found group by 1, 2 order by 1, 2
"""
_SPEND = """
with found as (
    select case when a.known_until is not null then 'superseded' when a.currency <> %(currency)s
            then 'other_currency' else 'attributed' end as outcome,
        a.day, case when a.known_until is null and a.currency = %(currency)s then a.cost else 0 end as money
    from ad_spend a where a.workspace_id = %(workspace)s
)
select outcome, null, count(*) filter (where day between %(start)s and %(end)s),
    coalesce(sum(money) filter (where day between %(start)s and %(end)s), 0),
    count(*) filter (where day not between %(start)s and %(end)s)
from found group by 1, 2 order by 1
"""
_SOURCES = """
with made as (
    select distinct connection_id, stream, source_id from {table} where workspace_id = %(workspace)s
), streams as (
    select distinct connection_id, stream from made
    union select c.id, g.stream from unnest(%(connectors)s::text[], %(streams)s::text[]) as g(connector, stream)
    join connection c on c.workspace_id = %(workspace)s and c.connector = g.connector
), refused as (
    select q.connection_id, q.stream, q.external_id from quarantine q join streams using (connection_id, stream)
    where q.workspace_id = %(workspace)s and q.resolved_at is null
), sent as (
    select s.connection_id, s.stream, s.external_id from source_record s join streams using (connection_id, stream)
    where s.workspace_id = %(workspace)s
    union select * from refused
    union select connection_id, stream, source_id from made
)
select count(*), count(m.source_id), count(q.external_id) filter (where m.source_id is null)
from sent s
left join made m on m.connection_id = s.connection_id and m.stream = s.stream and m.source_id = s.external_id
left join refused q on q.connection_id = s.connection_id and q.stream = s.stream and q.external_id = s.external_id
"""


async def whats_missing(
    conn: PsycopgConnection,
    terms: Terms,
    kind: RecordKind,
    start: date,
    end: date,
    streams: Collection[tuple[str, str]] = (),
) -> Missing:
    """What became of visits, calls, leads, deals, invoices, payments or days of spend from ``start`` to ``end``.

    ``streams`` are the connectors' streams that make such records, so that one of which nothing could be read is
    seen too. Raises ``ValueError`` for other kinds and for days in the wrong order.
    """
    if kind not in FIGURE_OF:
        raise ValueError(f"The report counts {', '.join(FIGURE_OF)}, not {kind}.")
    report = (await campaign_report(conn, terms.workspace_id, start, end)).totals.sums
    if kind is RecordKind.PAYMENT:
        statement, _ = grouped_statement(terms, start, end, [], ["payments"])
        paid = await conn.execute(statement.sql.encode(), statement.params)
        report["payments"] = sum([row[-1] async for row in paid], Decimal(0))
    parameters = {
        "workspace": terms.workspace_id,
        "report_zone": terms.zone.key,
        "currency": terms.currency,
        "conversion": _PATH_KIND.get(kind),
        "start": start,
        "end": end,
        "connectors": [connector for connector, _ in streams],
        "streams": [stream for _, stream in streams],
    }
    found = await (await conn.execute(_statement(kind).encode(), parameters)).fetchall()
    lines = [Line(Outcome(row[0]), row[1], row[2], Decimal(row[3])) for row in found if row[2]]
    counted = await conn.execute(_SOURCES.format(table=kind.table).encode(), parameters)
    sources, read, unreadable = await counted.fetchone() or (0, 0, 0)
    stored = sum(row[2] + row[4] for row in found if row[0] != Outcome.RECORD_GONE)
    figure, money = FIGURE_OF[kind]
    return Missing(
        kind,
        figure,
        lines,
        report[figure]
        if figure in report
        else Decimal(sum(each.number for each in lines if each.outcome in COUNTED)),
        report[money] if money else Decimal(0),
        sum(row[4] for row in found if row[0] != Outcome.RECORD_GONE),
        sources,
        read,
        sources - read - unreadable,
        unreadable,
        stored - read,
    )


def _statement(kind: RecordKind) -> str:
    if kind is RecordKind.AD_SPEND:
        return _SPEND
    if kind is RecordKind.PAYMENT:
        return _PAYMENTS
    if kind is RecordKind.VISIT:
        return _VISITS
    return _CONVERSIONS.format(table=kind.table, why_not=_WHY_NOT[kind], day=day_of(_AT[kind]))
