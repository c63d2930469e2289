"""The rules of reports as they are kept, version by version, and what they make of a workspace's campaigns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from psycopg.types.json import Jsonb

from core.database import PsycopgConnection
from reports.campaigns import CHANNEL_OF_CAMPAIGN, SOURCE_OF_CAMPAIGN
from reports.rules import (
    Grouping,
    Known,
    Rule,
    RuleKind,
    Tags,
    campaigns_meant,
    checked,
    groups_of,
    groups_of_channels,
)
from schema.enums import Channel
from schema.traffic import UTM_PLATFORM

_LATEST = """
select version, rules, author, created_at from rule_set
where workspace_id = %(workspace)s and kind = %(kind)s
and (%(known)s::timestamptz is null or created_at <= %(known)s)
order by version desc limit 1
"""
_CAMPAIGNS = f"""
select k.id, k.name, k.platform, {CHANNEL_OF_CAMPAIGN}, lower({SOURCE_OF_CAMPAIGN}), lower(coalesce(k.medium, '')),
    k.external_id
from campaign k where k.workspace_id = %s and k.deleted_at is null
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class RuleSet:
    """A version of the rules of one kind; version 0 is the set without rules that everyone begins with."""

    kind: RuleKind
    version: int
    rules: tuple[Rule, ...]
    author: str | None
    created_at: datetime | None


async def rule_set(
    conn: PsycopgConnection, workspace_id: UUID, kind: RuleKind, *, as_known_at: datetime | None = None
) -> RuleSet:
    """The rules of that kind that hold now, or held at a moment."""
    asked = {"workspace": workspace_id, "kind": kind, "known": as_known_at}
    row = await (await conn.execute(_LATEST, asked)).fetchone()
    if row is None:
        return RuleSet(kind, 0, (), None, None)
    version, rules, author, created_at = row
    return RuleSet(kind, version, tuple(Rule(**rule) for rule in rules), author, created_at)


async def known_campaigns(conn: PsycopgConnection, workspace_id: UUID) -> list[Known]:
    """All campaigns as rules see them. One that UTM tags alone tell of is known by these, others by their names."""
    found = await conn.execute(_CAMPAIGNS.encode(), (workspace_id,))
    return [_known(*row) async for row in found]


async def write_rules(
    conn: PsycopgConnection, workspace_id: UUID, kind: RuleKind, rules: Sequence[Rule], author: str
) -> RuleSet:
    """Let these rules hold from now on, as a new version. Raises ``ValueError`` for rules that can't be."""
    checked(kind, rules, await known_campaigns(conn, workspace_id))
    await conn.execute("select pg_advisory_xact_lock(hashtextextended('rules ' || %s::text, 0))", (workspace_id,))
    former = await rule_set(conn, workspace_id, kind)
    kept = Jsonb([asdict(rule) for rule in rules])
    await conn.execute(
        "insert into rule_set (workspace_id, kind, version, rules, author) values (%s, %s, %s, %s, %s)",
        (workspace_id, kind, former.version + 1, kept, author),
    )
    return await rule_set(conn, workspace_id, kind)


async def grouping(
    conn: PsycopgConnection,
    workspace_id: UUID,
    *,
    channel_rules: Sequence[Rule] | None = None,
    campaign_rules: Sequence[Rule] | None = None,
) -> Grouping:
    """What the rules make of the workspace's campaigns; rules that aren't given are those that hold."""
    versions = {}
    if channel_rules is None:
        held = await rule_set(conn, workspace_id, RuleKind.CHANNEL)
        channel_rules, versions["channel_version"] = held.rules, held.version
    if campaign_rules is None:
        held = await rule_set(conn, workspace_id, RuleKind.CAMPAIGN)
        campaign_rules, versions["campaign_version"] = held.rules, held.version
    campaigns = await known_campaigns(conn, workspace_id)
    return Grouping(
        campaigns_meant(campaign_rules, campaigns),
        groups_of(channel_rules, campaigns),
        dict(groups_of_channels(channel_rules, ["", *map(str, Channel)])),
        **versions,
    )


async def campaigns_meant_at(conn: PsycopgConnection, workspace_id: UUID, at: datetime) -> Grouping:
    """Which campaigns tags meant by the rules of a moment; channels are told by the usual groups."""
    held = await rule_set(conn, workspace_id, RuleKind.CAMPAIGN, as_known_at=at)
    if not held.rules:
        return Grouping({}, {}, {}, held.version)
    meant = campaigns_meant(held.rules, await known_campaigns(conn, workspace_id))
    return Grouping(meant, {}, {}, held.version)


def _known(id: UUID, name: str, platform: str, channel: str, source: str, medium: str, external_id: str) -> Known:
    if platform == UTM_PLATFORM:
        source, _, rest = external_id.partition("/")
        medium, _, name_in_tag = rest.partition("/")
        return Known(id, name, platform, Tags(channel, platform, source, medium, name_in_tag.lower()))
    return Known(id, name, platform, Tags(channel, platform, source, medium, name.lower()))
