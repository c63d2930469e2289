"""Shapes of the answers of VK Ads: the fields that are mapped, and no more (BEHAVIOR.md)."""

from __future__ import annotations

from typing import Any

import msgspec

Number = int | float | str | None
"""Ids and counts are numbers in samples and texts by the table of types; decimals are texts [9]."""


class _Wire(msgspec.Struct, frozen=True, kw_only=True):
    pass


class ListAnswer(_Wire, frozen=True, kw_only=True):
    count: int
    items: list[msgspec.Raw]


class Key(_Wire, frozen=True, kw_only=True):
    id: int | str


class Plan(_Wire, frozen=True, kw_only=True):
    """An ad plan, which is the campaign. ``vkads_status`` is a text or an object."""

    id: int | str
    name: str | None = None
    status: str | None = None
    updated: str | None = None
    vkads_status: Any = None
    objective: str | None = None
    date_start: str | None = None
    date_end: str | None = None


class Group(_Wire, frozen=True, kw_only=True):
    id: int | str
    name: str | None = None
    ad_plan_id: int | str | None = None
    status: str | None = None
    utm: str | None = None
    enable_utm: bool | None = None


class Banner(_Wire, frozen=True, kw_only=True):
    id: int | str
    ad_group_id: int | str
    name: str | None = None
    status: str | None = None
    urls: dict[str, Any] | None = None


class Goals(_Wire, frozen=True, kw_only=True):
    goals: Number = 0


class Base(_Wire, frozen=True, kw_only=True):
    """Counters of a day. Goals stand twice: those of ``vk`` are the documented ones."""

    shows: Number = 0
    clicks: Number = 0
    spent: Number = "0"
    goals: Number = 0
    vk: Goals | None = None


class Day(_Wire, frozen=True, kw_only=True):
    date: str
    base: Base = Base()


class Item(_Wire, frozen=True, kw_only=True):
    id: int | str
    rows: list[Day] = []


class Statistics(_Wire, frozen=True, kw_only=True):
    items: list[Item]


class SpendLine(_Wire, frozen=True, kw_only=True):
    """A day of a campaign as it is kept, with what the statistics don't say."""

    plan: str
    date: str
    shows: Number = 0
    clicks: Number = 0
    spent: Number = "0"
    goals: Number = 0
    currency: str
    vat: bool


class ContactInfo(_Wire, frozen=True, kw_only=True):
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    phone: str | None = None
    city: str | None = None
    social_media_profile: str | None = None


class Lead(_Wire, frozen=True, kw_only=True):
    id: int | str
    created_at: str
    form_id: int | str | None = None
    form_name: str | None = None
    ad_plan_id: int | str | None = None
    ad_group_id: int | str | None = None
    banner_id: int | str | None = None
    contact_info: ContactInfo | None = None
    answers: list[dict[str, Any]] = []


class User(_Wire, frozen=True, kw_only=True):
    """Whose access it is; where the currency stands isn't confirmed [21]."""

    id: int | str | None = None
    username: str | None = None
    currency: str | None = None


class Notice(_Wire, frozen=True, kw_only=True):
    """What a subscription tells: the object itself is ``data``."""

    resource: str
    resource_id: int | str | None = None
    id: str | None = None
    data: msgspec.Raw = msgspec.Raw(b"null")
