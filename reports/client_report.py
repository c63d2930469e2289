# ruff: noqa: S608 - the SQL is put together from declarations of ours; values are bound, never written in
"""The monthly report: campaigns, spend, calls, deals and revenue beside the month before, and the works done.

It is about the whole business, as an agency shows it to its customer, or about one client of it. A client's spend
is what his visits cost: visits of a campaign in the month, each at the campaign's mean cost per visit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from core.database import PsycopgConnection
from reports.campaigns import CHANNEL_OF_CAMPAIGN, CampaignReport, CampaignRow, Grain, campaign_report, totals
from reports.paths import NIL
from reports.periods import Comparison, compare
from reports.rollups import COUNTED_AS, FIGURES, VALUED_AS
from reports.standing import Standing, standing
from reports.terms import Terms

MOST_WORKS, MOST_DEALS = 40, 20
"""So many are listed; the counts are of all."""


@dataclass(frozen=True, slots=True)
class Work:
    """Something done for clients: a task that was finished, a note, or a message; the client's name where known."""

    at: datetime
    kind: str
    title: str
    client: str | None


@dataclass(frozen=True, slots=True)
class Sale:
    """A deal won in the month."""

    day: date
    title: str
    client: str | None
    amount: Decimal
    currency: str
    campaign: str | None


@dataclass(frozen=True, slots=True)
class ClientReport:
    """The report of a month. ``by_day`` are the days of the month; ``works`` the newest first, ``work_counts`` how
    many of each kind there were."""

    title: str
    month: date
    compared: Comparison
    by_day: CampaignReport
    sales: list[Sale]
    works: list[Work]
    work_counts: Mapping[str, int]
    standing: Standing

    @property
    def currency(self) -> str:
        return self.by_day.currency

    @property
    def last_day(self) -> date:
        return month_after(self.month) - timedelta(days=1)


_COUNTS = ", ".join(f"count(*) filter (where kind = '{kind}') as {figure}" for kind, figure in COUNTED_AS.items())
_VALUES = ", ".join(
    f"coalesce(sum(revenue) filter (where kind = '{kind}'), 0) as {figure}" for kind, figure in VALUED_AS.items()
)
_MADE = (*COUNTED_AS.values(), *VALUED_AS.values())
_ZEROS = ", ".join(f"0 as {figure}" for figure in _MADE)
_OF_CLIENT = f"""
with cells as (
    select {{period}} as period, p.campaign_id, p.reason, p.channel, 0 as cost, 0 as visits, {_COUNTS},
        {_VALUES}
    from path p where p.workspace_id = %(workspace)s and p.client_id = %(client)s
    and p.day between %(start)s and %(end)s and p.known_until is null group by 1, 2, 3, 4
    union all
    select {{period}}, p.campaign_id, p.reason, p.channel, coalesce(sum(m.cost / m.visits), 0), count(*), {_ZEROS}
    from settled_visit p
    join visit v on v.workspace_id = p.workspace_id and v.id = p.visit_id and v.client_id = %(client)s
    left join (
        select campaign_id, sum(cost) as cost, nullif(sum(visits), 0) as visits from rollup_day
        where workspace_id = %(workspace)s and day between %(start)s and %(end)s and reason = '' group by 1
    ) m on m.campaign_id = p.campaign_id
    where p.workspace_id = %(workspace)s and p.day between %(start)s and %(end)s group by 1, 2, 3, 4
)
select nullif(c.campaign_id, '{NIL}'), k.name, k.platform,
    nullif(case when c.reason = '' then {CHANNEL_OF_CAMPAIGN} else c.channel end, ''), c.period,
    nullif(c.reason, ''), round(sum(c.cost), 2), sum(c.visits),
    {", ".join(f"sum(c.{figure})" for figure in _MADE)}
from cells c left join campaign k on k.workspace_id = %(workspace)s and k.id = c.campaign_id
group by 1, 2, 3, 4, 5, 6 order by 5 nulls first, 6 nulls first, 7 desc, sum(c.revenue) desc, 2, 4
"""
_THEIRS = "(%(client)s::uuid is null or {row}.client_id = %(client)s)"
_IN_MONTH = "({at} at time zone %(zone)s)::date between %(start)s and %(end)s"
_SALES = f"""
select p.day, d.title, c.name, p.value, p.currency, k.name from path p
join deal d on d.workspace_id = p.workspace_id and d.id = p.record_id
left join client c on c.workspace_id = p.workspace_id and c.id = p.client_id
left join campaign k on k.workspace_id = p.workspace_id and k.id = p.campaign_id
where p.workspace_id = %(workspace)s and p.kind = 'won_deal' and {_THEIRS.format(row="p")}
and p.day between %(start)s and %(end)s and {{known}}
order by p.revenue desc, p.day, p.conversion_id limit {MOST_DEALS}
"""
_DONE = f"""
select t.done_at as at, 'task' as kind, t.title, t.client_id from task t
where t.workspace_id = %(workspace)s and t.deleted_at is null and {_THEIRS.format(row="t")}
and {_IN_MONTH.format(at="t.done_at")}
union all
select n.created_at, 'note', n.text, n.client_id from note n
where n.workspace_id = %(workspace)s and n.deleted_at is null and {_THEIRS.format(row="n")}
and {_IN_MONTH.format(at="n.created_at")}
union all
select m.sent_at, case when m.channel = 'meeting' then 'meeting' else 'message' end,
    coalesce(nullif(m.subject, ''), m.text, m.channel), m.client_id
from message m
where m.workspace_id = %(workspace)s and m.deleted_at is null and m.direction = 'outbound'
and {_THEIRS.format(row="m")} and {_IN_MONTH.format(at="m.sent_at")}
"""
_WORKS = f"""
select w.at, w.kind, left(w.title, 160), c.name from ({_DONE}) w
left join client c on c.workspace_id = %(workspace)s and c.id = w.client_id
order by w.kind = 'message', w.at desc, w.title limit {MOST_WORKS}
"""
_WORK_COUNTS = f"select kind, count(*) from ({_DONE}) w group by 1"
_WORKSPACE = "select title from workspace where id = %s"
_CLIENT = """
select coalesce(c.merged_into, c.id), coalesce(k.name, k.phone, k.email, k.id::text) from client c
join client k on k.workspace_id = c.workspace_id and k.id = coalesce(c.merged_into, c.id)
where c.workspace_id = %s and c.id = %s
"""


def month_after(month: date) -> date:
    return (month.replace(day=28) + timedelta(days=4)).replace(day=1)


async def client_report(
    conn: PsycopgConnection, terms: Terms, month: date, client_id: UUID | None = None, *, masked: bool = False
) -> ClientReport:
    """The report of the month that the day is in: of the whole business, or of one client.

    A closed month is as it was known when it was closed; a client's is always as known now. ``masked`` leaves out
    whatever may hold personal data: names, titles and texts. Raises ``LookupError`` for an unknown client.
    """
    start = month.replace(day=1)
    end = month_after(start) - timedelta(days=1)
    before = (start - timedelta(days=1)).replace(day=1)
    workspace = terms.workspace_id
    asked: dict[str, Any] = {"workspace": workspace, "client": None, "start": start, "end": end}
    asked["zone"] = terms.zone.key
    if client_id is None:
        held = await standing(conn, workspace, start, end)
        former = await standing(conn, workspace, before, start - timedelta(days=1))
        now, then, days = [
            await campaign_report(
                conn, workspace, first, last, by=grain, as_known_at=each.as_known_at, rules=each.rules
            )
            for each, first, last, grain in (
                (held, start, end, Grain.CAMPAIGN),
                (former, before, start - timedelta(days=1), Grain.CAMPAIGN),
                (held, start, end, Grain.DAY),
            )
        ]
        row = await (await conn.execute(_WORKSPACE, (workspace,))).fetchone()
        title = "" if row is None else row[0]
    else:
        held = await standing(conn, workspace, start, end, as_known_now=True)
        row = await (await conn.execute(_CLIENT, (workspace, client_id))).fetchone()
        if row is None:
            raise LookupError(f"There is no client {client_id}.")
        asked["client"], title = row[0], "" if masked else row[1]
        now, days = [await _of_client(conn, terms, asked, period) for period in ("null::date", "p.day")]
        then = await _of_client(
            conn, terms, {**asked, "start": before, "end": start - timedelta(days=1)}, "null::date"
        )
    known = "p.known_until is null"
    if held.as_known_at is not None:
        known = "p.known_from <= %(known)s and (p.known_until is null or p.known_until > %(known)s)"
    asked["known"] = held.as_known_at
    sales = await (await conn.execute(_SALES.format(known=known).encode(), asked)).fetchall()
    works = await (await conn.execute(_WORKS.encode(), asked)).fetchall()
    counts = await (await conn.execute(_WORK_COUNTS.encode(), asked)).fetchall()
    return ClientReport(
        title,
        start,
        compare(now, then),
        days,
        [Sale(day, *((title, name) if not masked else ("", None)), *rest) for day, title, name, *rest in sales],
        [] if masked else [Work(at.astimezone(terms.zone), *rest) for at, *rest in works],
        Counter(dict(counts)),
        held,
    )


async def _of_client(
    conn: PsycopgConnection, terms: Terms, asked: Mapping[str, Any], period: str
) -> CampaignReport:
    found = await (await conn.execute(_OF_CLIENT.format(period=period).encode(), asked)).fetchall()
    named = ("cost", "visits", *_MADE)
    rows = []
    for campaign, name, platform, channel, day, reason, *amounts in found:
        sums = dict.fromkeys(FIGURES, Decimal(0)) | dict(zip(named, map(Decimal, amounts), strict=True))
        rows.append(CampaignRow(campaign, name, platform, None, None, channel, day, reason, sums, channel))
    return CampaignReport(rows, totals(rows), terms.currency)
