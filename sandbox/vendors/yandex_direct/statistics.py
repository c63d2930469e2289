"""The numbers behind a report: days of campaigns, split over ads, phrases and devices without losing a kopeck."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import date
from sqlite3 import Connection
from typing import Any

from sandbox.vendors.contract import Market

DEVICES = ("DESKTOP", "MOBILE", "TABLET")
_DEVICE_WEIGHTS = (40, 55, 5)
DETAILS = {
    "AdGroupId", "AdGroupName", "AdId", "Criterion", "CriterionId", "CriterionType", "Device", "AdNetworkType"
}  # fmt: skip


@dataclass(slots=True)
class Numbers:
    """What can be added up. ``cost`` in kopecks without VAT, ``calls`` and ``forms`` are reached goals."""

    impressions: int = 0
    clicks: int = 0
    cost: int = 0
    sessions: int = 0
    bounces: int = 0
    calls: int = 0
    forms: int = 0

    def add(self, other: Numbers) -> None:
        for field in _NAMES:
            setattr(self, field, getattr(self, field) + getattr(other, field))


_NAMES = tuple(field.name for field in fields(Numbers))


@dataclass(frozen=True, slots=True)
class Cell:
    """One day of one campaign, or a part of it: its segments by field name, and its numbers."""

    segments: dict[str, Any]
    numbers: Numbers


def cells(db: Connection, market: Market, first: date, last: date, detailed: bool) -> Iterator[Cell]:
    """All cells of the days ``first`` … ``last``; without ``detailed`` one for each campaign and day."""
    query = (
        "SELECT s.day, s.campaign, c.name, c.type, s.impressions, s.clicks, s.cost, coalesce(m.sessions, 0),"
        " coalesce(m.bounces, 0), coalesce(m.calls, 0), coalesce(m.forms, 0)"
        " FROM yandex_direct_stat s JOIN yandex_direct_campaign c ON c.id = s.campaign"
        " LEFT JOIN yandex_direct_metrica m ON m.day = s.day AND m.campaign = s.campaign"
        " WHERE s.day BETWEEN ? AND ? AND s.impressions > 0 ORDER BY s.day, s.campaign"
    )
    for day, campaign, name, kind, *numbers in db.execute(query, (str(first), str(last))):
        segments = {"Date": day, "CampaignId": campaign, "CampaignName": name, "CampaignType": kind}
        if detailed:
            yield from _parts(segments, numbers, market)
        else:
            yield Cell(segments, Numbers(*numbers))


def _parts(segments: dict[str, Any], numbers: list[int], market: Market) -> Iterator[Cell]:
    places = _places(segments, market)
    weights = [weight for weight, _ in places]
    shares = [split(total, weights) for total in numbers]
    for place, (_, details) in enumerate(places):
        part = Numbers(*(share[place] for share in shares))
        if part.impressions:
            yield Cell({**segments, **details}, part)


def _places(segments: dict[str, Any], market: Market) -> list[tuple[int, dict[str, Any]]]:
    """Where the shows of a campaign may fall, with the weight of each place."""
    campaign = segments["CampaignId"]
    groups = {group.id: group for group in market.ad_groups if group.campaign == campaign}
    words: dict[int, list[Any]] = {}
    for keyword in market.keywords:
        if keyword.campaign == campaign:
            words.setdefault(keyword.ad_group, []).append(keyword)
    places = []
    for number, ad in enumerate(ad for ad in market.ads if ad.campaign == campaign):
        network = _network(segments, number)
        for keyword in words[ad.ad_group]:
            for device, share in zip(DEVICES, _DEVICE_WEIGHTS, strict=True):
                details = {
                    "AdGroupId": ad.ad_group,
                    "AdGroupName": groups[ad.ad_group].name,
                    "AdId": ad.id,
                    "Criterion": keyword.phrase,
                    "CriterionId": keyword.id,
                    "CriterionType": "KEYWORD",
                    "Device": device,
                    "AdNetworkType": network,
                }
                places.append((share * (number + 2), details))
    return places


def _network(segments: dict[str, Any], number: int) -> str:
    if segments["CampaignType"] == "UNIFIED_CAMPAIGN":
        return ("SEARCH", "AD_NETWORK")[number % 2]
    return "AD_NETWORK" if segments["CampaignName"].startswith("РСЯ") else "SEARCH"


def split(total: int, weights: list[int]) -> list[int]:
    """``total`` in whole parts by weight; the parts add up to it (largest remainders)."""
    whole = sum(weights)
    parts = [total * weight // whole for weight in weights]
    rest = sorted(range(len(weights)), key=lambda place: (-(total * weights[place] % whole), place))
    for place in rest[: total - sum(parts)]:
        parts[place] += 1
    return parts
