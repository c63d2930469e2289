"""VK Ads: campaigns with their groups and ads, what each cost on each day, and forms filled within VK."""

from __future__ import annotations

from connectors.contract import Connector, RateLimit, Stream
from connectors.vk_ads.errors import error_of
from connectors.vk_ads.health import check
from connectors.vk_ads.mapping import map_banner, map_group, map_lead, map_plan, map_spend
from connectors.vk_ads.reads import (
    BANNERS,
    GROUPS,
    PLANS,
    ask_leads,
    ask_spend,
    read_leads,
    read_spend,
    start_leads,
    start_spend,
)
from connectors.vk_ads.settings import VkAdsSettings, account, auth, base_url, first_tokens
from connectors.vk_ads.webhooks import WEBHOOKS
from schema.enums import RecordKind

CONNECTOR = Connector(
    key="vk_ads",
    title="VK Ads",
    description="Advertising cabinet: campaigns with groups and ads, their costs by day, and leads of VK's forms.",
    docs_url="https://ads.vk.com/doc/api",
    settings=VkAdsSettings,
    streams=(
        Stream(
            name="campaigns",
            title="Campaigns",
            makes=(RecordKind.CAMPAIGN,),
            start=PLANS.start,
            request=PLANS.ask,
            read=PLANS.read,
            map=map_plan,
            sweeps=True,
            volatile=frozenset({"updated"}),
        ),
        Stream(
            name="ad_spend",
            title="Costs by day",
            makes=(RecordKind.AD_SPEND,),
            start=start_spend,
            request=ask_spend,
            read=read_spend,
            map=map_spend,
        ),
        Stream(
            name="ad_groups",
            title="Groups of ads",
            makes=(RecordKind.AD_GROUP,),
            start=GROUPS.start,
            request=GROUPS.ask,
            read=GROUPS.read,
            map=map_group,
            sweeps=True,
            volatile=frozenset({"updated"}),
        ),
        Stream(
            name="ads",
            title="Ads",
            makes=(RecordKind.AD,),
            start=BANNERS.start,
            request=BANNERS.ask,
            read=BANNERS.read,
            map=map_banner,
            volatile=frozenset({"updated"}),
        ),
        Stream(
            name="leads",
            title="Leads of forms",
            makes=(RecordKind.LEAD,),
            start=start_leads,
            request=ask_leads,
            read=read_leads,
            map=map_lead,
        ),
    ),
    base_url=base_url,
    account=account,
    check=check,
    auth=auth,
    tokens=first_tokens,
    error_of=error_of,
    limits=(RateLimit(2, 1.0, source="https://ads.vk.com/doc/api/info/Устройство API: told by headers; ours"),),
    webhooks=WEBHOOKS,
    verified_by="documentation",
)
