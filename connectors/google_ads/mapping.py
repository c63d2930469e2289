"""From rows of Google Ads to unified records: pure functions of a record's bytes."""

from __future__ import annotations

from datetime import date
from decimal import ROUND_HALF_UP, Decimal

import msgspec

from connectors.contract import Mapped
from connectors.errors import BadRecord
from connectors.google_ads.settings import GoogleAdsSettings
from connectors.google_ads.wire import AdGroupRow, AdRow, CampaignRow, KeywordRow, SpendLine
from schema.records import AdGroupRecord, AdRecord, AdSpendRecord, CampaignRecord, KeywordRecord
from schema.traffic import GOOGLE_ADS

REMOVED = "REMOVED"
MICROS = 1_000_000

_CAMPAIGN = msgspec.json.Decoder(CampaignRow)
_AD_GROUP = msgspec.json.Decoder(AdGroupRow)
_AD = msgspec.json.Decoder(AdRow)
_KEYWORD = msgspec.json.Decoder(KeywordRow)
_LINE = msgspec.json.Decoder(SpendLine)


def map_campaign(_settings: GoogleAdsSettings, body: bytes) -> Mapped:
    row = _CAMPAIGN.decode(body)
    kind = row.campaign.advertising_channel_type
    return [
        CampaignRecord(
            external_id=row.campaign.id,
            deleted=row.campaign.status == REMOVED,
            platform=GOOGLE_ADS,
            name=row.campaign.name or row.campaign.id,
            state=row.campaign.status,
            currency=None if row.customer is None else row.customer.currency_code,
            custom={"advertising_channel_type": kind} if kind else None,
        )
    ]


def map_ad_group(_settings: GoogleAdsSettings, body: bytes) -> Mapped:
    row = _AD_GROUP.decode(body)
    return [
        AdGroupRecord(
            external_id=row.ad_group.id,
            deleted=row.ad_group.status == REMOVED,
            platform=GOOGLE_ADS,
            campaign=row.campaign.id,
            name=row.ad_group.name or row.ad_group.id,
        )
    ]


def map_ad(_settings: GoogleAdsSettings, body: bytes) -> Mapped:
    """An ad; the same ad has one id in each group."""
    row = _AD.decode(body)
    ad = row.ad_group_ad.ad
    return [
        AdRecord(
            external_id=ad_key(row),
            deleted=row.ad_group_ad.status == REMOVED,
            platform=GOOGLE_ADS,
            ad_group=row.ad_group.id,
            title=ad.name or None,
            landing_url=next(iter(ad.final_urls), None),
        )
    ]


def map_keyword(_settings: GoogleAdsSettings, body: bytes) -> Mapped:
    row = _KEYWORD.decode(body)
    kind = row.ad_group_criterion.keyword.match_type
    return [
        KeywordRecord(
            external_id=keyword_key(row),
            deleted=row.ad_group_criterion.status == REMOVED,
            platform=GOOGLE_ADS,
            ad_group=row.ad_group.id,
            text=row.ad_group_criterion.keyword.text,
            custom={"match_type": kind} if kind else None,
        )
    ]


def map_spend(_settings: GoogleAdsSettings, body: bytes) -> Mapped:
    """A campaign's costs on a day of the account's zone, in its currency, without taxes [13]."""
    line = _LINE.decode(body)
    try:
        day = date.fromisoformat(line.date)
    except ValueError:
        raise BadRecord(f"There is no day {line.date!r}.") from None
    micros = _count("costMicros", line.metrics.cost_micros)
    return [
        AdSpendRecord(
            external_id=f"{line.date}|{line.campaign}",
            platform=GOOGLE_ADS,
            campaign=line.campaign,
            campaign_name=line.name,
            day=day,
            cost=(Decimal(micros) / MICROS).quantize(Decimal("0.01"), ROUND_HALF_UP),
            currency=line.currency,
            vat_included=False,
            impressions=_count("impressions", line.metrics.impressions),
            clicks=_count("clicks", line.metrics.clicks),
        )
    ]


def ad_key(row: AdRow) -> str:
    """As Google writes composite ids: ``group~ad``."""
    return f"{row.ad_group.id}~{row.ad_group_ad.ad.id}"


def keyword_key(row: KeywordRow) -> str:
    return f"{row.ad_group.id}~{row.ad_group_criterion.criterion_id}"


def _count(name: str, told: str | int) -> int:
    """A whole number, which JSON of Google holds as a text."""
    text = str(told)
    if not text.removeprefix("-").isdigit():
        raise BadRecord(f"{name} {text!r} is no whole number.")
    return int(text)
