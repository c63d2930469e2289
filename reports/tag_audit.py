"""The audit of tags: money and clients of no known campaign, because tags are missing or wrong."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from core.database import PsycopgConnection
from reports.campaigns import campaign_report
from reports.facts import day_of
from reports.rollups import FIGURES
from reports.standing import standing
from reports.terms import Terms
from schema.enums import Channel, Unattributed
from schema.traffic import UTM_PLATFORM

_PAID = frozenset({Channel.PAID_SEARCH, Channel.PAID_SOCIAL, Channel.PAID_OTHER})


class TagFault(StrEnum):
    """What is wrong with tags."""

    SPEND_WITHOUT_VISITS = "spend_without_visits"  # the campaign costs money and no visit names it
    UNKNOWN_CAMPAIGN = "unknown_campaign"  # tags name a campaign that no cabinet and no rule knows
    NOT_CONNECTED = "not_connected"  # tags name a platform's campaign whose cabinet isn't connected
    UNTAGGED_ADS = "untagged_ads"  # an ad was clicked, and nothing names its campaign


@dataclass(frozen=True, slots=True)
class TagFinding:
    """A fault with what is at stake: what was paid, who came, and what they brought."""

    fault: TagFault
    campaign_id: UUID | None
    name: str
    cost: Decimal
    visits: int
    leads: int
    won_deals: int
    revenue: Decimal


_CONNECTED = "select id from campaign where workspace_id = %s and connection_id is not null"
_UNTAGGED = f"""
select coalesce(v.source, '(unknown)') || ' / ' || coalesce(v.medium, '(none)'), count(*)
from visit v join settled_visit s on s.workspace_id = v.workspace_id and s.visit_id = v.id
where v.workspace_id = %(workspace)s and v.campaign_id is null and v.deleted_at is null
and (v.click_id is not null or v.channel = any(%(paid)s))
and v.started_at >= %(report_start)s::date - 2 and v.started_at < %(report_end)s::date + 3
and (%(known)s::timestamptz is null or v.loaded_at <= %(known)s)
and {day_of("v.started_at")} between %(report_start)s and %(report_end)s
group by 1 order by 2 desc, 1 limit 100
"""  # noqa: S608


async def audit(conn: PsycopgConnection, terms: Terms, start: date, end: date) -> list[TagFinding]:
    """What is wrong with the tags of these days, in the order of faults, each with the most at stake first.

    Days that lie in a closed period are as known when it was closed, by the rules of that moment."""
    connected = {row[0] async for row in await conn.execute(_CONNECTED, (terms.workspace_id,))}
    held = await standing(conn, terms.workspace_id, start, end)
    meant = held.rules.meant
    report = await campaign_report(conn, terms.workspace_id, start, end, as_known_at=held.as_known_at)
    found, brought = [], dict.fromkeys(("leads", "won_deals", "revenue"), Decimal(0))
    for row in report.rows:
        if row.campaign_id is None:
            if row.channel in _PAID and row.reason == Unattributed.NO_CAMPAIGN:
                brought = {figure: amount + row.sums[figure] for figure, amount in brought.items()}
            continue
        fault = None
        if row.sums["cost"] > 0 and row.sums["visits"] == 0 and row.campaign_id not in meant.values():
            fault = TagFault.SPEND_WITHOUT_VISITS
        elif row.platform == UTM_PLATFORM and row.campaign_id not in meant:
            fault = TagFault.UNKNOWN_CAMPAIGN
        elif row.platform != UTM_PLATFORM and row.campaign_id not in connected:
            fault = TagFault.NOT_CONNECTED
        if fault is not None:
            found.append(_finding(fault, row.campaign_id, row.name or "", row.sums))
    parameters = {
        "workspace": terms.workspace_id,
        "paid": sorted(_PAID),
        "report_start": start,
        "report_end": end,
        "report_zone": terms.zone.key,
        "known": held.as_known_at,
    }
    for name, visits in await (await conn.execute(_UNTAGGED.encode(), parameters)).fetchall():
        found.append(_finding(TagFault.UNTAGGED_ADS, None, name, {"visits": Decimal(visits)}))
    if any(brought.values()):
        # Whom such visits brought can be told for all of them together only.
        found.append(_finding(TagFault.UNTAGGED_ADS, None, "", brought))
    return sorted(
        found, key=lambda each: (list(TagFault).index(each.fault), -each.cost, -each.revenue, -each.visits)
    )


def _finding(fault: TagFault, campaign: UUID | None, name: str, sums: dict[str, Decimal]) -> TagFinding:
    at_stake = {figure: sums.get(figure, Decimal(0)) for figure in FIGURES}
    return TagFinding(
        fault,
        campaign,
        name,
        at_stake["cost"],
        int(at_stake["visits"]),
        int(at_stake["leads"]),
        int(at_stake["won_deals"]),
        at_stake["revenue"],
    )
