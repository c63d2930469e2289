"""Shapes of Google Ads' answers: the fields that are mapped, and no more. Whole numbers are texts [9]."""

from __future__ import annotations

import msgspec


class _Wire(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    pass


class Answer(_Wire, frozen=True, kw_only=True):
    """A page of googleAds:search."""

    results: list[msgspec.Raw] = []
    next_page_token: str | None = None


class Customer(_Wire, frozen=True, kw_only=True):
    id: str
    descriptive_name: str | None = None
    currency_code: str | None = None
    time_zone: str | None = None
    manager: bool = False
    status: str | None = None


class CustomerRow(_Wire, frozen=True, kw_only=True):
    customer: Customer


class Campaign(_Wire, frozen=True, kw_only=True):
    id: str
    name: str | None = None
    status: str | None = None
    advertising_channel_type: str | None = None


class CampaignRow(_Wire, frozen=True, kw_only=True):
    campaign: Campaign
    customer: Customer | None = None


class AdGroup(_Wire, frozen=True, kw_only=True):
    id: str
    name: str | None = None
    status: str | None = None


class AdGroupRow(_Wire, frozen=True, kw_only=True):
    campaign: Campaign
    ad_group: AdGroup


class Ad(_Wire, frozen=True, kw_only=True):
    id: str
    name: str | None = None
    final_urls: list[str] = []


class AdGroupAd(_Wire, frozen=True, kw_only=True):
    ad: Ad
    status: str | None = None


class AdRow(_Wire, frozen=True, kw_only=True):
    ad_group: AdGroup
    ad_group_ad: AdGroupAd


class KeywordText(_Wire, frozen=True, kw_only=True):
    text: str
    match_type: str | None = None


class Criterion(_Wire, frozen=True, kw_only=True):
    criterion_id: str
    status: str | None = None
    keyword: KeywordText


class KeywordRow(_Wire, frozen=True, kw_only=True):
    ad_group: AdGroup
    ad_group_criterion: Criterion


class Segments(_Wire, frozen=True, kw_only=True):
    date: str


class Metrics(_Wire, frozen=True, kw_only=True):
    """What is zero may be left out."""

    impressions: str | int = 0
    clicks: str | int = 0
    cost_micros: str | int = 0
    conversions: float = 0
    conversions_value: float = 0


class SpendRow(_Wire, frozen=True, kw_only=True):
    campaign: Campaign
    segments: Segments
    metrics: Metrics = Metrics()


class SpendLine(_Wire, frozen=True, kw_only=True):
    """A day of a campaign as it is kept, with the account's currency."""

    campaign: str
    name: str | None = None
    date: str
    currency: str
    metrics: Metrics = Metrics()


class Client(_Wire, frozen=True, kw_only=True):
    """An account below a manager."""

    id: str
    descriptive_name: str | None = None
    manager: bool = False
    status: str | None = None


class ClientRow(_Wire, frozen=True, kw_only=True):
    customer_client: Client


class OneError(_Wire, frozen=True, kw_only=True):
    error_code: dict[str, str] = {}
    message: str = ""


class Quota(_Wire, frozen=True, kw_only=True):
    retry_delay: str | None = None


class Failure(_Wire, frozen=True, kw_only=True):
    errors: list[msgspec.Raw] = []
    request_id: str | None = None


class Status(_Wire, frozen=True, kw_only=True):
    code: int = 0
    message: str = ""
    status: str = ""
    details: list[msgspec.Raw] = []


class ErrorAnswer(_Wire, frozen=True, kw_only=True):
    error: Status
