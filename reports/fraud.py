"""Clicks that were judged to be no people's, and what they cost, by campaign and day."""

from __future__ import annotations

from reports.paths import NIL
from schema.enums import Unattributed

FRAUD = ("fraud_clicks", "fraud_cost")
"""The figures of judged clicks."""

SPEND_OF_DAY = """
left join lateral (
    select sum(a.cost) filter (where a.currency = w.currency) as cost, sum(a.clicks) as clicks from ad_spend a
    where a.workspace_id = r.workspace_id and a.campaign_id = r.campaign_id and a.day = r.day
    and a.known_until is null
) paid on true"""
"""SQL that joins to judged clicks ``r`` what their campaign cost on that day, in the workspace's currency."""
FRAUD_COST = """case when r.cost is not null then case when r.currency = w.currency then r.cost end
    else round(r.clicks * paid.cost / nullif(paid.clicks, 0), 2) end"""
SUMS = ("sum(r.clicks)", f"coalesce(sum({FRAUD_COST}), 0)")
"""SQL of ``FRAUD`` over judged clicks ``r`` and what their day cost."""

CELL = (
    f"coalesce(r.campaign_id, '{NIL}')",
    f"case when r.campaign_id is null then '{Unattributed.NO_CAMPAIGN}' else '' end",
    "case when r.campaign_id is null then coalesce(r.channel, '') else '' end",
)
"""SQL of the cell in which a record ``r`` counts that names a campaign or a channel: campaign, reason, channel."""


def fraud_cells(*, as_known: bool) -> str:
    """SQL of a row for each cell: ``day, campaign_id, reason, channel`` and ``FRAUD``. Verdicts keep no versions:
    as known at a moment, those count that had been loaded by then."""
    then = "and r.loaded_at <= %(report_known)s" if as_known else ""
    campaign, reason, channel = CELL
    clicks, cost = SUMS
    return f"""
select r.day, {campaign} as campaign_id, {reason} as reason, {channel} as channel, {clicks} as fraud_clicks,
    {cost} as fraud_cost
from invalid_clicks r join workspace w on w.id = r.workspace_id {SPEND_OF_DAY}
where r.workspace_id = %(report_workspace)s and r.day between %(report_start)s and %(report_end)s {then}
group by 1, 2, 3, 4"""  # noqa: S608 - the pieces are ours
