"""From the objects and days of VK Ads to unified records: pure functions of a record's bytes."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import msgspec

from connectors.contract import Mapped, Skip
from connectors.errors import BadRecord
from connectors.vk_ads.settings import VkAdsSettings
from connectors.vk_ads.wire import Banner, Group, Lead, Number, Plan, SpendLine
from schema.records import AdGroupRecord, AdRecord, AdSpendRecord, CampaignRecord, LeadRecord
from schema.traffic import VK_ADS, Traffic

LOCAL = ZoneInfo("Europe/Moscow")  # [11] of times without a zone
DELETED = "deleted"

_PLAN = msgspec.json.Decoder(Plan)
_GROUP = msgspec.json.Decoder(Group)
_BANNER = msgspec.json.Decoder(Banner)
_LINE = msgspec.json.Decoder(SpendLine)
_LEAD = msgspec.json.Decoder(Lead)
_GO_TIME = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(\.\d+)? ([+-]\d{4})( [A-Z]+)?")


def map_plan(settings: VkAdsSettings, body: bytes) -> Mapped:
    wire = _PLAN.decode(body)
    told = {"objective": wire.objective, "date_start": wire.date_start, "date_end": wire.date_end}
    return [
        CampaignRecord(
            external_id=str(wire.id),
            deleted=wire.status == DELETED,
            platform=VK_ADS,
            name=wire.name or str(wire.id),
            state=_state(wire.vkads_status) or wire.status,
            currency=settings.currency,
            custom={key: value for key, value in told.items() if value is not None} or None,
        )
    ]


def map_group(_settings: VkAdsSettings, body: bytes) -> Mapped:
    wire = _GROUP.decode(body)
    if wire.ad_plan_id is None:
        return Skip("The group belongs to no campaign (a special format).")
    return [
        AdGroupRecord(
            external_id=str(wire.id),
            deleted=wire.status == DELETED,
            platform=VK_ADS,
            campaign=str(wire.ad_plan_id),
            name=wire.name or str(wire.id),
            custom={"utm": wire.utm} if wire.utm and wire.enable_utm is not False else None,
        )
    ]


def map_banner(_settings: VkAdsSettings, body: bytes) -> Mapped:
    wire = _BANNER.decode(body)
    primary = (wire.urls or {}).get("primary")
    url = primary.get("url") if isinstance(primary, dict) else None
    return [
        AdRecord(
            external_id=str(wire.id),
            deleted=wire.status == DELETED,
            platform=VK_ADS,
            ad_group=str(wire.ad_group_id),
            title=wire.name or None,
            landing_url=url if isinstance(url, str) and urlsplit(url).scheme in ("http", "https") else None,
        )
    ]


def map_spend(_settings: VkAdsSettings, body: bytes) -> Mapped:
    """A campaign's costs on a day. Currency and VAT are those that held when it was read."""
    line = _LINE.decode(body)
    try:
        day = date.fromisoformat(line.date)
    except ValueError:
        raise BadRecord(f"There is no day {line.date!r}.") from None
    return [
        AdSpendRecord(
            external_id=f"{line.date}|{line.plan}",
            platform=VK_ADS,
            campaign=line.plan,
            day=day,
            cost=_money(line.spent),
            currency=line.currency,
            vat_included=line.vat,
            impressions=_count("shows", line.shows),
            clicks=_count("clicks", line.clicks),
        )
    ]


def map_lead(_settings: VkAdsSettings, body: bytes) -> Mapped:
    """A form filled within VK. It carries its ad, so no tags are needed."""
    wire = _LEAD.decode(body)
    contact = wire.contact_info
    name = None if contact is None else " ".join(part for part in (contact.first_name, contact.last_name) if part)
    custom: dict[str, Any] = {}
    if wire.answers:
        custom["answers"] = wire.answers
    if contact is not None:
        told = {"city": contact.city, "social_media_profile": contact.social_media_profile}
        custom |= {key: value for key, value in told.items() if value}
    return [
        LeadRecord(
            external_id=str(wire.id),
            created_at=moment(wire.created_at),
            title=wire.form_name,
            name=name or None,
            phones=(contact.phone,) if contact is not None and contact.phone else (),
            emails=(contact.email,) if contact is not None and contact.email else (),
            custom=custom or None,
            traffic=Traffic(
                source="vk",
                medium="cpc",
                platform=VK_ADS,
                campaign=_id(wire.ad_plan_id),
                ad_group=_id(wire.ad_group_id),
                ad=_id(wire.banner_id),
            ),
        )
    ]


def moment(text: str) -> datetime:
    """A time of VK Ads: Moscow's where no zone is told, else as Go prints (``2023-01-31 09:25:41.26 +0000 UTC``).

    Raises BadRecord for any other text.
    """
    go = _GO_TIME.fullmatch(text.strip())
    try:
        if go is not None:
            clock = datetime.strptime(f"{go[1]} {go[3]}", "%Y-%m-%d %H:%M:%S %z")
            part = Decimal(go[2] or 0) * 1_000_000
            return clock.replace(microsecond=int(part)).astimezone(UTC)
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise BadRecord(f"{text!r} is no time.") from None
    return (found if found.tzinfo is not None else found.replace(tzinfo=LOCAL)).astimezone(UTC)


def _state(told: Any) -> str | None:
    """``vkads_status`` as a text, or as an object with ``status`` and codes."""
    if isinstance(told, dict):
        told = told.get("status")
    return told if isinstance(told, str) and told else None


def _id(told: int | str | None) -> str | None:
    return None if told in (None, 0, "", "0") else str(told)


def _count(name: str, told: Number) -> int:
    """A count, written as a number or as a text."""
    text = str(told if told is not None else 0)
    if not text.isdigit():
        raise BadRecord(f"{name} {text!r} is no count.")
    return int(text)


def _money(told: Number) -> Decimal:
    """Money in units of the currency."""
    try:
        amount = Decimal(str(told if told is not None else 0))
    except InvalidOperation:
        raise BadRecord(f"spent {told!r} is no sum of money.") from None
    if not amount.is_finite():
        raise BadRecord(f"spent {told!r} is no sum of money.")
    return amount
