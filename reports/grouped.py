# ruff: noqa: S608 - the SQL is put together from declarations of ours; values are bound, never written in
"""The campaign report by any dimensions at once, with any metrics, sorted and filtered by them.

What lies in the campaign tree and in time, and needs no other figures, comes out of the rollups. All else is
counted at the moment of asking from current paths and the records behind them, and says so. Conversions are
credited to the last touch that isn't direct, or by another model where one is asked for, and have the ad group,
keyword, ad, landing page, city and device of that touch; the manager is the one in charge of what was reached.
What a dimension can't tell of stands in rows without a value of it: costs are known by campaign and day, not by
keyword or manager.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from core.database import PsycopgConnection
from reports.campaigns import CHANNEL_OF_CAMPAIGN, NAME_AS_KNOWN, SOURCE_OF_CAMPAIGN, Statement
from reports.counted import BY_SHARES, NOW, THEN, counted_parts
from reports.dimensions import BY_TOUCH, COLUMNS, OF_AD, OF_RECORDS, TIME, TREE, Dimension, ServedFrom
from reports.facts import COSTS
from reports.fraud import FRAUD
from reports.paths import NIL
from reports.rollups import FIGURES
from reports.rulebook import grouping, rule_set
from reports.rules import Grouping, RuleKind
from reports.side_by_side import SHARED
from reports.terms import Terms
from reports.touch_shares import TouchShares


def grouped_statement(
    terms: Terms,
    start: date,
    end: date,
    by: Collection[Dimension],
    figures: Collection[str],
    rules: Grouping | None = None,
    *,
    as_known_at: datetime | None = None,
    shares: TouchShares | None = None,
) -> tuple[Statement, ServedFrom]:
    """The additive figures from ``start`` to ``end`` by these dimensions, and what they are counted from.

    The statement's columns are ``COLUMNS`` and the figures. ``rules`` say which campaigns tags mean and how
    channels are grouped. ``as_known_at`` asks for what was known at that moment, and ``shares`` are the credits of
    another model than last non-direct, of paths as known then.
    Raises ``ValueError`` for days in the wrong order, for figures that there aren't, and for what is kept neither
    as it was known nor for parts of conversions.
    """
    if end < start:
        raise ValueError(f"The report would end on {end}, before it starts on {start}.")
    wanted = sorted(set(figures))
    params: dict[str, Any] = {
        "report_workspace": terms.workspace_id,
        "report_start": start,
        "report_end": end,
        "report_zone": terms.zone.key,
        **_by_rules(rules or Grouping({}, {}, {})),
    }
    _check_kept(by, wanted, as_known_at, shares)
    in_rollups = set(by) <= {*TREE, *TIME} and as_known_at is None and shares is None
    if as_known_at is not None:
        params["report_known"] = as_known_at
    if shares is not None:
        params |= shares.parameters
    known = NOW if as_known_at is None else THEN
    parts = counted_parts(by, start, end, params, known=known, by_shares=shares is not None) if wanted else []
    left, used = set(wanted), []
    for served, part in parts:
        if served is ServedFrom.ROLLUPS and not in_rollups:
            continue
        mine = left & part.figures.keys()
        if mine:
            used.append((served, part.only(mine).sql(by, wanted)))
            left -= mine
    if left:
        raise ValueError(f"There are no figures {', '.join(sorted(left))}.")
    served_from = ServedFrom.ROLLUPS if all(each is ServedFrom.ROLLUPS for each, _ in used) else ServedFrom.PATHS
    name = "k.name" if as_known_at is None else NAME_AS_KNOWN
    return Statement(_outer(by, wanted, [sql for _, sql in used], name), params), served_from


def _check_kept(
    by: Collection[Dimension], wanted: Sequence[str], as_known_at: datetime | None, shares: TouchShares | None
) -> None:
    """Raises ``ValueError`` for what can't be told of a past moment, or of parts of conversions."""
    if as_known_at is not None:
        present = [*(set(wanted) - set(FIGURES)), *(set(by) & set(OF_RECORDS))]
        if present:
            raise ValueError(
                f"No former state is kept of {', '.join(sorted(present))}: leave it out, or ask for the report as "
                "known now (asKnownNow, where a closed period decides)."
            )
    if shares is not None:
        whole = set(wanted) - BY_SHARES - set(SHARED) - {*COSTS, *FRAUD}
        if whole:
            raise ValueError(
                f"Last non-direct touch alone, in the workspace's window, is known for {', '.join(sorted(whole))}: "
                "leave it out, or ask for the model LAST_NON_DIRECT without a window or day of your own."
            )


async def rules_for(
    conn: PsycopgConnection, workspace_id: UUID, by: Collection[Dimension], as_known_at: datetime | None = None
) -> Grouping:
    """What the rules that hold, or held at a moment, make of these dimensions; nothing is read where they decide
    nothing."""
    campaign = await rule_set(conn, workspace_id, RuleKind.CAMPAIGN, as_known_at=as_known_at)
    if Dimension.CHANNEL_GROUP not in by and not campaign.rules:
        return Grouping({}, {}, {})
    channel = await rule_set(conn, workspace_id, RuleKind.CHANNEL, as_known_at=as_known_at)
    return await grouping(conn, workspace_id, channel_rules=channel.rules, campaign_rules=campaign.rules)


def _by_rules(rules: Grouping) -> dict[str, Any]:
    """What rules make of campaigns and channels, as parameters."""
    return {
        "report_tagged": list(rules.meant),
        "report_meant": list(rules.meant.values()),
        "report_grouped": list(rules.groups),
        "report_groups": list(rules.groups.values()),
        "report_channels": list(rules.channels),
        "report_channel_groups": list(rules.channels.values()),
    }


def _outer(by: Collection[Dimension], wanted: Sequence[str], parts: Sequence[str], name: str) -> str:
    """The parts together, with what the campaign tells of itself."""
    of_campaign = Dimension.CAMPAIGN in by or any(each in by for each in OF_AD)
    shown = {name: f"null::{kind}" for name, kind in COLUMNS.items()}
    if of_campaign:
        shown |= {
            "campaign_id": f"nullif(c.campaign, '{NIL}')",
            "name": f"case when k.id is not null then {name} end",
            "reason": "nullif(c.reason, '')",
        }
    if Dimension.CHANNEL in by or of_campaign:
        shown["channel"] = f"nullif(case when c.reason = '' then {CHANNEL_OF_CAMPAIGN} else c.channel end, '')"
    if Dimension.CHANNEL_GROUP in by:
        shown["channel_group"] = "nullif(case when c.reason = '' then g.name else h.name end, '')"
    if Dimension.SOURCE in by:
        shown["source"] = f"case when k.id is not null then {SOURCE_OF_CAMPAIGN} end"
    if Dimension.DAY in by:
        shown["day"] = "c.day"
    if Dimension.WEEK in by:
        shown["week"] = "date_trunc('week', c.day)::date"
    if Dimension.MONTH in by:
        shown["month"] = "date_trunc('month', c.day)::date"
    for dimension, (name, _) in BY_TOUCH.items():
        if dimension in by:
            shown[name] = f"nullif(c.{name}, '')"
    for dimension, name in (
        (Dimension.MANAGER, "manager_id"),
        (Dimension.STAGE, "stage_id"),
        (Dimension.LOST_REASON, "lost_reason"),
        (Dimension.PRODUCT, "product_key"),
    ):
        if dimension in by:
            shown[name] = f"c.{name}"
    columns = ", ".join(f"{sql} as {name}" for name, sql in shown.items())
    sums = "".join(f", coalesce(sum(c.{figure}), 0) as {figure}" for figure in wanted)
    keys = ", ".join(str(number + 1) for number in range(len(shown)))
    kept = " or ".join(f"{figure} <> 0" for figure in wanted) or "false"
    rows = " union all ".join(parts) or "select null::uuid as campaign_id, '' as reason, '' as channel where false"
    return f"""
select * from (
    select {columns}{sums}
    from ({rows}) r
    left join unnest(%(report_tagged)s::uuid[], %(report_meant)s::uuid[]) as m(tagged, meant)
        on m.tagged = r.campaign_id
    cross join lateral (select r.*, coalesce(m.meant, r.campaign_id) as campaign) c
    left join campaign k on k.workspace_id = %(report_workspace)s and k.id = c.campaign
    left join unnest(%(report_grouped)s::uuid[], %(report_groups)s::text[]) as g(id, name) on g.id = c.campaign
    left join unnest(%(report_channels)s::text[], %(report_channel_groups)s::text[]) as h(channel, name)
        on h.channel = c.channel
    group by {keys}
) report where {kept}
"""
