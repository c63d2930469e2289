"""Google Ads: campaigns with their groups, ads and keywords, and what each campaign cost on each day."""

from __future__ import annotations

from connectors.contract import Connector, RateLimit, Stream
from connectors.google_ads.errors import error_of
from connectors.google_ads.health import check
from connectors.google_ads.mapping import map_ad, map_ad_group, map_campaign, map_keyword, map_spend
from connectors.google_ads.reads import (
    AD_GROUPS,
    ADS,
    CAMPAIGNS,
    KEYWORDS,
    ask_spend,
    read_spend,
    start_spend,
)
from connectors.google_ads.settings import GoogleAdsSettings, account, auth, base_url, first_tokens
from schema.enums import RecordKind

CONNECTOR = Connector(
    key="google_ads",
    title="Google Ads",
    description="Advertising account: campaigns with their groups, ads and keywords, and their costs by day.",
    docs_url="https://developers.google.com/google-ads/api/docs/start",
    settings=GoogleAdsSettings,
    streams=(
        Stream(
            name="campaigns",
            title="Campaigns",
            makes=(RecordKind.CAMPAIGN,),
            start=CAMPAIGNS.start,
            request=CAMPAIGNS.ask,
            read=CAMPAIGNS.read,
            map=map_campaign,
            sweeps=True,
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
            start=AD_GROUPS.start,
            request=AD_GROUPS.ask,
            read=AD_GROUPS.read,
            map=map_ad_group,
            sweeps=True,
        ),
        Stream(
            name="ads",
            title="Ads",
            makes=(RecordKind.AD,),
            start=ADS.start,
            request=ADS.ask,
            read=ADS.read,
            map=map_ad,
            sweeps=True,
        ),
        Stream(
            name="keywords",
            title="Keywords",
            makes=(RecordKind.KEYWORD,),
            start=KEYWORDS.start,
            request=KEYWORDS.ask,
            read=KEYWORDS.read,
            map=map_keyword,
            sweeps=True,
        ),
    ),
    base_url=base_url,
    account=account,
    check=check,
    auth=auth,
    tokens=first_tokens,
    error_of=error_of,
    limits=(
        RateLimit(
            5,
            1.0,
            source="https://developers.google.com/google-ads/api/docs/best-practices/quotas: a moving bucket; ours",
        ),
    ),
    verified_by="documentation",
)
