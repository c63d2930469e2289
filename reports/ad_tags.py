"""Which campaign UTM tags mean, as the ads themselves tell: by the addresses that they lead to."""

from __future__ import annotations

from collections import defaultdict
from glob import escape
from uuid import UUID

from core.database import PsycopgConnection
from reports.rules import MOST, Rule
from schema.traffic import UTM_PLATFORM, origin, traffic_of_url

_LANDING_PAGES = """
select distinct g.campaign_id, a.landing_url from ad a
join ad_group g on g.workspace_id = a.workspace_id and g.id = a.ad_group_id
join campaign k on k.workspace_id = g.workspace_id and k.id = g.campaign_id and k.deleted_at is null
where a.workspace_id = %(workspace)s and a.landing_url like '%%utm_%%' and k.platform <> %(utm)s
"""


async def rules_of_ads(conn: PsycopgConnection, workspace_id: UUID) -> list[Rule]:
    """Rules of campaigns that follow from the tags of ads, for people to look at and put into force: tags that the
    ads of one campaign alone carry, and that name no campaign by a number, mean that campaign. At most ``MOST``."""
    meant: dict[str, set[UUID]] = defaultdict(set)
    pages = await conn.execute(_LANDING_PAGES, {"workspace": workspace_id, "utm": UTM_PLATFORM})
    async for campaign, url in pages:
        understood = origin(traffic_of_url(url))
        key = None if understood is None else understood.campaign
        if key is not None and key.platform == UTM_PLATFORM:
            meant[key.external_id].add(campaign)
    return [_rule(tags, *campaigns) for tags, campaigns in sorted(meant.items()) if len(campaigns) == 1][:MOST]


def _rule(tags: str, campaign: UUID) -> Rule:
    source, medium, name = (escape(part) or None for part in tags.split("/", 2))
    return Rule(str(campaign), platform=UTM_PLATFORM, source=source, medium=medium, campaign=name)
