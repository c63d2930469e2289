"""Yandex.Direct: campaigns, what they consist of, and what each of them cost on each day."""

from __future__ import annotations

import hashlib

import httpx

from connectors.auth import Bearer
from connectors.contract import Connector, RateLimit, Stream, TokenStore
from connectors.yandex_direct.comparing import AUDIT_OF_SPEND
from connectors.yandex_direct.health import check, error_of
from connectors.yandex_direct.mapping import map_ad, map_ad_group, map_ad_spend, map_campaign, map_keyword
from connectors.yandex_direct.reads import (
    ask_ad_spend,
    ask_campaigns,
    read_ad_spend,
    read_campaigns,
    start_ad_spend,
    start_campaigns,
)
from connectors.yandex_direct.settings import DirectSettings
from connectors.yandex_direct.structure import AD_GROUPS, ADS, KEYWORDS, lists_everything
from schema.enums import RecordKind


def _auth(settings: DirectSettings, _tokens: TokenStore) -> httpx.Auth:
    return Bearer(settings.token)


def _base_url(settings: DirectSettings) -> str:
    return settings.base_url.rstrip("/")


def _account(settings: DirectSettings) -> str:
    """Limits are counted per advertiser: by login, or by the token's owner, whose login isn't known here."""
    owner = settings.login
    if owner is None:
        owner = "token-" + hashlib.sha256(settings.token.get_secret_value().encode()).hexdigest()[:12]
    return f"{httpx.URL(settings.base_url).netloc.decode()}/{owner}"


CONNECTOR = Connector(
    key="yandex_direct",
    title="Yandex.Direct",
    description="Advertising cabinet: campaigns with their groups, ads and keywords, and their costs by day.",
    docs_url="https://yandex.com/dev/direct/doc/en/",
    settings=DirectSettings,
    streams=(
        Stream(
            name="campaigns",
            title="Campaigns",
            makes=(RecordKind.CAMPAIGN,),
            start=start_campaigns,
            request=ask_campaigns,
            read=read_campaigns,
            map=map_campaign,
            sweeps=True,
        ),
        Stream(
            name="ad_spend",
            title="Costs by day",
            makes=(RecordKind.AD_SPEND,),
            start=start_ad_spend,
            request=ask_ad_spend,
            read=read_ad_spend,
            map=map_ad_spend,
            audit=AUDIT_OF_SPEND,
        ),
        Stream(
            name="ad_groups",
            title="Groups of ads",
            makes=(RecordKind.AD_GROUP,),
            start=AD_GROUPS.start,
            request=AD_GROUPS.ask,
            read=AD_GROUPS.read,
            whole=lists_everything,
            map=map_ad_group,
        ),
        Stream(
            name="ads",
            title="Ads",
            makes=(RecordKind.AD,),
            start=ADS.start,
            request=ADS.ask,
            read=ADS.read,
            whole=lists_everything,
            map=map_ad,
        ),
        Stream(
            name="keywords",
            title="Keywords",
            makes=(RecordKind.KEYWORD,),
            start=KEYWORDS.start,
            request=KEYWORDS.ask,
            read=KEYWORDS.read,
            whole=lists_everything,
            map=map_keyword,
        ),
    ),
    base_url=_base_url,
    account=_account,
    check=check,
    auth=_auth,
    error_of=error_of,
    limits=(RateLimit(20, 10.0, source="https://yandex.com/dev/direct/doc/en/restrictions"),),
    concurrency=3,  # of the five that Direct allows an advertiser: its other tools need some
    verified_by="documentation",
)
