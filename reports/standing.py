"""What holds for a report: as of when it is known, the closed period that says so, and the rules that apply."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from core.database import PsycopgConnection
from reports import rulebook
from reports.freezing import Frozen
from reports.rules import NO_RULES, Grouping, RuleKind

_COVERING = """from frozen_period
where workspace_id = {workspace} and thawed_at is null and first_day <= {first} and last_day >= {last}"""
_CLOSED = "select id, first_day, last_day, known_at, author " + _COVERING.format(
    workspace="%s", first="%s", last="%s"
)
ALONE = f"""
select (
    not exists (select from rule_set where workspace_id = $1)
    and not exists (select {_COVERING.format(workspace="$1", first="$2", last="$3")})
)::text
""".encode()  # noqa: S608 - of constants; values are bound
"""Whether a report of days ($2 to $3, of the workspace $1) as known now stands alone: no rules, no closed period.
One look then does for `standing`."""


@dataclass(frozen=True, slots=True)
class Standing:
    """``as_known_at`` None: as known now. ``closed`` is the period that set it. ``rules`` are those of that moment,
    with their versions (0: without rules)."""

    as_known_at: datetime | None
    closed: Frozen | None
    rules: Grouping

    @property
    def plan_key(self) -> Hashable:
        """What tells one standing from another; None if it holds too much to be told."""
        if self.rules.meant or self.rules.groups:
            return None
        closed = self.closed and self.closed.id
        return self.as_known_at, closed, self.rules.campaign_version, self.rules.channel_version


STANDS_ALONE = Standing(None, None, NO_RULES)


async def standing(
    conn: PsycopgConnection,
    workspace_id: UUID,
    start: date,
    end: date,
    *,
    as_known_at: datetime | None = None,
    as_known_now: bool = False,
) -> Standing:
    """What holds for a report of these days. Days that lie in a closed period are as known when it was closed,
    unless another moment is asked for, or ``as_known_now``. Rules apply as they were at that moment."""
    closed = None
    if as_known_at is None and not as_known_now:
        row = await (await conn.execute(_CLOSED, (workspace_id, start, end))).fetchone()
        closed = None if row is None else Frozen(*row)
        as_known_at = None if closed is None else closed.known_at
    channel = await rulebook.rule_set(conn, workspace_id, RuleKind.CHANNEL, as_known_at=as_known_at)
    campaign = await rulebook.rule_set(conn, workspace_id, RuleKind.CAMPAIGN, as_known_at=as_known_at)
    made = NO_RULES
    if channel.rules or campaign.rules:
        made = await rulebook.grouping(
            conn, workspace_id, channel_rules=channel.rules, campaign_rules=campaign.rules
        )
    groups, channels = (made.groups, made.channels) if channel.rules else ({}, {})
    rules = Grouping(made.meant, groups, channels, campaign.version, channel.version)
    return Standing(as_known_at, closed, rules)
