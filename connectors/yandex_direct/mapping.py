"""From Direct's objects and report lines to unified records: pure functions of a record's bytes."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal

import msgspec

from connectors.contract import Mapped
from connectors.errors import BadRecord
from connectors.yandex_direct.report import Line
from connectors.yandex_direct.settings import DirectSettings
from connectors.yandex_direct.wire import Ad, AdGroup, Campaign, Keyword, ResponsiveAd, TextAd
from schema.records import AdGroupRecord, AdRecord, AdSpendRecord, CampaignRecord, KeywordRecord
from schema.traffic import YANDEX_DIRECT

NO_VALUE = frozenset({"--", ""})
MICROS_STEP = 10_000  # money in micros is rounded to a hundredth: a whole number of these
NO_CURRENCY = frozenset({"YND_FIXED"})  # Direct's own unit of old accounts, no currency

_CAMPAIGN = msgspec.json.Decoder(Campaign)
_AD_GROUP = msgspec.json.Decoder(AdGroup)
_AD = msgspec.json.Decoder(Ad)
_KEYWORD = msgspec.json.Decoder(Keyword)
_LINE = msgspec.json.Decoder(Line)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_ID = re.compile(r"\d+")
_MONEY = re.compile(r"-?\d+(\.\d+)?")


def map_campaign(_settings: DirectSettings, body: bytes) -> Mapped:
    wire = _CAMPAIGN.decode(body)
    told = {"Type": wire.type, "Status": wire.status, "StartDate": wire.start_date}
    return [
        CampaignRecord(
            external_id=str(wire.id),
            platform=YANDEX_DIRECT,
            name=wire.name,
            state=wire.state,
            currency=currency_of(wire.currency),
            custom={key: value for key, value in told.items() if value is not None} or None,
        )
    ]


def map_ad_group(_settings: DirectSettings, body: bytes) -> Mapped:
    wire = _AD_GROUP.decode(body)
    return [
        AdGroupRecord(
            external_id=str(wire.id), platform=YANDEX_DIRECT, campaign=str(wire.campaign_id), name=wire.name
        )
    ]


def map_ad(_settings: DirectSettings, body: bytes) -> Mapped:
    """An ad; those of other types than text and responsive have neither title nor address here."""
    wire = _AD.decode(body)
    text, responsive = wire.text_ad or TextAd(), wire.responsive_ad or ResponsiveAd()
    return [
        AdRecord(
            external_id=str(wire.id),
            platform=YANDEX_DIRECT,
            ad_group=str(wire.ad_group_id),
            title=text.title or next(iter(responsive.titles or ()), None),
            landing_url=text.href or responsive.href,
        )
    ]


def map_keyword(_settings: DirectSettings, body: bytes) -> Mapped:
    wire = _KEYWORD.decode(body)
    return [
        KeywordRecord(
            external_id=str(wire.id), platform=YANDEX_DIRECT, ad_group=str(wire.ad_group_id), text=wire.keyword
        )
    ]


def map_ad_spend(_settings: DirectSettings, body: bytes) -> Mapped:
    """A campaign's costs on a day. Currency and VAT are those of the report, not of today's settings."""
    line = _LINE.decode(body)
    if line.cells is None:
        raise BadRecord(f"A line of the report doesn't have its {len(line.columns or ())} cells.")
    day, campaign = line.cells["Date"], line.cells["CampaignId"]
    if _ID.fullmatch(campaign) is None:
        raise BadRecord(f"CampaignId {campaign!r} is no number.")
    return [
        AdSpendRecord(
            external_id=f"{day}|{campaign}",
            platform=YANDEX_DIRECT,
            campaign=campaign,
            campaign_name=line.cells["CampaignName"].strip() or None,
            day=_day(day),
            cost=_money("Cost", line.cells["Cost"]),
            currency=line.currency,
            vat_included=line.vat,
            impressions=_count("Impressions", line.cells["Impressions"]),
            clicks=_count("Clicks", line.cells["Clicks"]),
        )
    ]


def currency_of(code: str | None) -> str | None:
    """The ISO code, or None for Direct's own unit."""
    return None if code in NO_CURRENCY else code


def _day(text: str) -> date:
    if _DAY.fullmatch(text) is None:
        raise BadRecord(f"Date {text!r} isn't written as YYYY-MM-DD.")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadRecord(f"There is no day {text!r}.") from None


def _count(column: str, text: str) -> int:
    if text in NO_VALUE:
        return 0
    if _ID.fullmatch(text) is None:
        raise BadRecord(f"{column} {text!r} is no count.")
    return int(text)


def _money(column: str, text: str) -> Decimal:
    """Money in units of the currency.

    Raises BadRecord for what looks like millionths: they would be taken for a million times the cost.
    """
    if text in NO_VALUE:
        return Decimal(0)
    if _MONEY.fullmatch(text) is None:
        raise BadRecord(f"{column} {text!r} is no sum of money.")
    amount = Decimal(text)
    if "." not in text and amount and amount % MICROS_STEP == 0:
        raise BadRecord(f"{column} {text!r} seems to be in millionths, although the report was asked for in units.")
    return amount
