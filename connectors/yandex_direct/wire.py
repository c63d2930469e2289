"""Shapes of Direct's answers: the fields that are mapped, and no more (BEHAVIOR.md)."""

from __future__ import annotations

import msgspec


class _Wire(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    pass


class ObjectKey(_Wire, frozen=True, kw_only=True):
    id: int | str


class Campaign(_Wire, frozen=True, kw_only=True):
    id: int | str
    name: str
    type: str | None = None
    status: str | None = None
    state: str | None = None
    currency: str | None = None
    start_date: str | None = None


class CampaignsResult(_Wire, frozen=True, kw_only=True):
    """An empty list may be left out; ``limited_by``, the next offset, stands only where there is more."""

    campaigns: list[msgspec.Raw] = []
    limited_by: int | None = None


class CampaignsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    result: CampaignsResult


class Client(_Wire, frozen=True, kw_only=True):
    """An advertiser, as Clients.get and AgencyClients.get tell it."""

    login: str
    currency: str | None = None
    archived: str | None = None


class ClientsResult(_Wire, frozen=True, kw_only=True):
    clients: list[Client] = []


class ClientsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    result: ClientsResult


class ChangedCampaign(_Wire, frozen=True, kw_only=True):
    campaign_id: int
    changes_in: list[str] = []


class ChangesResult(_Wire, frozen=True, kw_only=True):
    """What checkCampaigns tells; checkDictionaries tells the vendor's clock only."""

    timestamp: str
    campaigns: list[ChangedCampaign] = []


class ChangesAnswer(msgspec.Struct, frozen=True, kw_only=True):
    result: ChangesResult


class ObjectsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A list of groups, ads or keywords, under a key of its own."""

    result: dict[str, msgspec.Raw]


class AdGroup(_Wire, frozen=True, kw_only=True):
    id: int | str
    campaign_id: int | str
    name: str


class TextAd(_Wire, frozen=True, kw_only=True):
    title: str | None = None
    href: str | None = None


class ResponsiveAd(_Wire, frozen=True, kw_only=True):
    titles: list[str] | None = None
    href: str | None = None


class Ad(_Wire, frozen=True, kw_only=True):
    id: int | str
    ad_group_id: int | str
    text_ad: TextAd | None = None
    responsive_ad: ResponsiveAd | None = None


class Keyword(_Wire, frozen=True, kw_only=True):
    id: int | str
    ad_group_id: int | str
    keyword: str


class Error(msgspec.Struct, frozen=True, kw_only=True):
    error_code: int | str
    error_string: str = ""
    error_detail: str = ""


class ErrorAnswer(msgspec.Struct, frozen=True, kw_only=True):
    error: Error | None = None
