"""What other rules would do to a report, before they hold: what would move, from where to where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from core.database import PsycopgConnection
from reports.campaigns import CampaignRow, campaign_report
from reports.rollups import FIGURES
from reports.rulebook import grouping, known_campaigns
from reports.rules import Grouping, Rule, RuleKind, checked


@dataclass(frozen=True, slots=True)
class Move:
    """A row of the report that would be counted elsewhere: under another group, or another campaign (names)."""

    campaign_id: UUID | None
    name: str
    before: str
    after: str
    sums: dict[str, Decimal]


async def preview(
    conn: PsycopgConnection, workspace_id: UUID, kind: RuleKind, rules: Sequence[Rule], start: date, end: date
) -> list[Move]:
    """What these rules would move in the report of these days, the most revenue first.

    Raises ``ValueError`` for rules that can't be.
    """
    campaigns = await known_campaigns(conn, workspace_id)
    checked(kind, rules, campaigns)
    names = {each.id: each.name for each in campaigns}
    now = await grouping(conn, workspace_id)
    then = await grouping(
        conn,
        workspace_id,
        channel_rules=rules if kind is RuleKind.CHANNEL else None,
        campaign_rules=rules if kind is RuleKind.CAMPAIGN else None,
    )
    report = await campaign_report(conn, workspace_id, start, end)
    moves = []
    for row in report.rows:
        before, after = (_counted(kind, row, each, names) for each in (now, then))
        if before != after:
            name = row.name or row.channel or row.reason or ""
            moves.append(Move(row.campaign_id, name, before, after, {each: row.sums[each] for each in FIGURES}))
    return sorted(moves, key=lambda move: (-move.sums["revenue"], -move.sums["visits"], move.name))


def _counted(kind: RuleKind, row: CampaignRow, rules: Grouping, names: dict[UUID, str]) -> str:
    """Where the rules count the row."""
    if row.campaign_id is None:
        return rules.channels.get(row.channel or "", row.channel or "") if kind is RuleKind.CHANNEL else ""
    meant = rules.meant.get(row.campaign_id, row.campaign_id)
    return rules.groups.get(meant, "") if kind is RuleKind.CHANNEL else names.get(meant, row.name or "")
