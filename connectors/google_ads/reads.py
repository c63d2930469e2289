"""How Google Ads is asked in its query language, and its pages are read (BEHAVIOR.md [7]-[15])."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from connectors.contract import Page, Position, RawRecord, Start, VendorRequest, VendorResponse
from connectors.errors import BadSettings, VendorChanged
from connectors.google_ads.errors import LOST_PAGE, told
from connectors.google_ads.mapping import REMOVED, ad_key, keyword_key
from connectors.google_ads.settings import GoogleAdsSettings
from connectors.google_ads.wire import (
    AdGroupRow,
    AdRow,
    Answer,
    CampaignRow,
    ClientRow,
    Customer,
    CustomerRow,
    KeywordRow,
    Metrics,
    SpendLine,
    SpendRow,
)
from connectors.windows import Window

SPEND_DAYS = 15
MOST_RESTARTS = 3  # of the pages of one query
KEPT_MONTHS = 37  # [10] of days; what is older answers nothing, and no error

CUSTOMER = (
    "SELECT customer.id, customer.descriptive_name, customer.currency_code, customer.time_zone, customer.manager, "
    "customer.status FROM customer LIMIT 1"
)
CLIENTS = (
    "SELECT customer_client.id, customer_client.descriptive_name, customer_client.manager, customer_client.status "
    "FROM customer_client"
)
_CAMPAIGNS = (
    "SELECT customer.id, customer.currency_code, campaign.id, campaign.name, campaign.status, "
    "campaign.advertising_channel_type FROM campaign"
)
_AD_GROUPS = "SELECT campaign.id, ad_group.id, ad_group.name, ad_group.status FROM ad_group"
_ADS = (
    "SELECT ad_group.id, ad_group_ad.ad.id, ad_group_ad.ad.name, ad_group_ad.ad.final_urls, ad_group_ad.status "
    "FROM ad_group_ad"
)
_KEYWORDS = (
    "SELECT ad_group.id, ad_group_criterion.criterion_id, ad_group_criterion.status, "
    "ad_group_criterion.keyword.text, ad_group_criterion.keyword.match_type "
    "FROM ad_group_criterion WHERE ad_group_criterion.type = 'KEYWORD'"
)
_SPEND = (
    "SELECT campaign.id, campaign.name, segments.date, metrics.impressions, metrics.clicks, metrics.cost_micros, "
    "metrics.conversions, metrics.conversions_value FROM campaign "
    "WHERE segments.date BETWEEN '{first}' AND '{last}'"
)

_ANSWER = msgspec.json.Decoder(Answer)


def ask(settings: GoogleAdsSettings, query: str, page: str | None = None) -> VendorRequest:
    """A query to the account. ``page``: the token of the page, where it isn't the first."""
    headers = {}
    if settings.login_customer_id is not None:
        headers["login-customer-id"] = settings.login_customer_id
    if settings.developer_token is not None:
        headers["developer-token"] = settings.developer_token.get_secret_value()
    body: dict[str, Any] = {"query": query}
    if page is not None:
        body["pageToken"] = page
    return VendorRequest(
        f"/v{settings.api_version}/customers/{settings.customer_id}/googleAds:search",
        "POST",
        json=body,
        headers=headers,
        accept=frozenset({400}) if page is not None else frozenset(),
    )


def rows(response: VendorResponse) -> Answer:
    """A page of rows. Raises VendorChanged where the answer has another shape."""
    try:
        return _ANSWER.decode(response.content)
    except msgspec.MsgspecError as error:
        raise VendorChanged(f"Google Ads answers in an unknown shape: {error}.") from error


def page_is_lost(response: VendorResponse) -> bool:
    """Whether the page's token has run out [8]. Raises VendorChanged for another refusal."""
    if response.status == 200:
        return False
    found = told(response.content)
    if found is not None and LOST_PAGE & set(found.names):
        return True
    raise VendorChanged(f"Google Ads refuses a page ({found.words if found else response.status})")


def _from_the_beginning(position: Position) -> Position:
    """The first page of the same query again. Raises VendorChanged where that doesn't help."""
    if position["restarts"] >= MOST_RESTARTS:
        raise VendorChanged("Google Ads lets the tokens of its pages run out at once.")
    return {**position, "page": None, "restarts": position["restarts"] + 1}


@dataclass(frozen=True, slots=True)
class Objects:
    """A list of objects, read whole."""

    query: str
    key: Callable[[bytes], str]

    def start(self, _settings: GoogleAdsSettings, _start: Start) -> Position | None:
        return {"page": None, "restarts": 0}

    def ask(self, settings: GoogleAdsSettings, position: Position) -> VendorRequest:
        return ask(settings, self.query, position["page"])

    def read(self, _settings: GoogleAdsSettings, position: Position, response: VendorResponse) -> Page:
        """One page; one whose token has run out sends back to the beginning."""
        if page_is_lost(response):
            return Page([], _from_the_beginning(position))
        answer = rows(response)
        try:
            records = [RawRecord(self.key(raw), bytes(raw)) for raw in answer.results]
        except msgspec.MsgspecError as error:
            raise VendorChanged(f"A row of Google Ads has an unknown shape: {error}.") from error
        following = {**position, "page": answer.next_page_token} if answer.next_page_token else None
        return Page(records, following, done=1.0 if following is None else None)


CAMPAIGNS = Objects(_CAMPAIGNS, lambda raw: msgspec.json.decode(raw, type=CampaignRow).campaign.id)
AD_GROUPS = Objects(_AD_GROUPS, lambda raw: msgspec.json.decode(raw, type=AdGroupRow).ad_group.id)
ADS = Objects(_ADS, lambda raw: ad_key(msgspec.json.decode(raw, type=AdRow)))
KEYWORDS = Objects(_KEYWORDS, lambda raw: keyword_key(msgspec.json.decode(raw, type=KeywordRow)))


def start_spend(_settings: GoogleAdsSettings, start: Start) -> Position | None:
    """A run begins with the account's zone and currency, and its campaigns; then come the windows of days."""
    return {
        "step": "customer",
        "page": None,
        "now": start.now.astimezone(UTC).isoformat(),
        "from": start.since.astimezone(UTC).isoformat(),
        "cursor": start.cursor,
        "run": str(start.run_id),
        "restarts": 0,
    }


def ask_spend(settings: GoogleAdsSettings, position: Position) -> VendorRequest:
    match position["step"]:
        case "customer":
            return ask(settings, CUSTOMER)
        case "campaigns":
            return ask(settings, _CAMPAIGNS, position["page"])
    window = Window.at(position)
    return ask(settings, _SPEND.format(first=window.first, last=window.last), position["page"])


def read_spend(settings: GoogleAdsSettings, position: Position, response: VendorResponse) -> Page:
    if page_is_lost(response):
        # The slice is read again from its first page: what it told so far was told rightly.
        begun = "campaigns" if position["step"] == "campaigns" else "told"
        return Page([], {**_from_the_beginning(position), begun: []})
    match position["step"]:
        case "customer":
            return _customer(settings, position, response)
        case "campaigns":
            return _campaigns(position, response)
    return _days(position, response)


def customer_of(response: VendorResponse) -> Customer:
    """The account. Raises VendorChanged where none is told."""
    found = rows(response).results
    if not found:
        raise VendorChanged("Google Ads doesn't tell of the account itself.")
    try:
        return msgspec.json.decode(found[0], type=CustomerRow).customer
    except msgspec.MsgspecError as error:
        raise VendorChanged(f"Google Ads tells of the account in an unknown shape: {error}.") from error


def clients_of(response: VendorResponse) -> list[str]:
    """Customer IDs of the accounts below a manager that advertise."""
    found = (msgspec.json.decode(raw, type=ClientRow).customer_client for raw in rows(response).results)
    return [client.id for client in found if not client.manager and client.status in (None, "ENABLED")]


def zone_of(customer: Customer) -> ZoneInfo:
    """Where the account's days begin and end [13]. Raises VendorChanged for a zone that isn't known."""
    try:
        return ZoneInfo(customer.time_zone or "")
    except (KeyError, OSError, ValueError):
        raise VendorChanged(f"Google Ads names a time zone that isn't known: {customer.time_zone!r}.") from None


def _customer(settings: GoogleAdsSettings, position: Position, response: VendorResponse) -> Page:
    customer = customer_of(response)
    if customer.manager:
        raise BadSettings("A manager account has no costs: give an account below it.", "customer_id")
    if customer.currency_code is None:
        raise VendorChanged("Google Ads doesn't tell the account's currency.")
    zone = zone_of(customer)
    now = datetime.fromisoformat(position["now"])
    today = now.astimezone(zone).date()
    start = Start(position["cursor"], now, datetime.fromisoformat(position["from"]), UUID(position["run"]))
    window = Window.opening(
        start,
        days=SPEND_DAYS,
        reread_days=settings.reread_days,
        zone=zone,
        earliest=months_before(today, KEPT_MONTHS),
    )
    if window is None:
        return Page([], None, done=1.0)
    again = window.run_first if position["cursor"] is not None else today - timedelta(settings.reread_days)
    onward = {
        **window.position(),
        "step": "campaigns",
        "page": None,
        "currency": customer.currency_code,
        "zeros_from": again.isoformat(),
        "campaigns": [],
        "told": [],
        "restarts": 0,
    }
    return Page([], onward, done=0.0)


def _campaigns(position: Position, response: VendorResponse) -> Page:
    answer = rows(response)
    try:
        found = [msgspec.json.decode(raw, type=CampaignRow).campaign for raw in answer.results]
    except msgspec.MsgspecError as error:
        raise VendorChanged(f"A row of Google Ads has an unknown shape: {error}.") from error
    campaigns = [*position["campaigns"], *(each.id for each in found if each.status != REMOVED)]
    step = "campaigns" if answer.next_page_token else "days"
    return Page(
        [], {**position, "campaigns": campaigns, "step": step, "page": answer.next_page_token or None}, done=0.0
    )


def _days(position: Position, response: VendorResponse) -> Page:
    """A page of a window's rows. Rows without any number aren't sent [11]: at the window's end what wasn't told of
    days that are read again is told as nothing."""
    window, answer = Window.at(position), rows(response)
    try:
        lines = [_line(msgspec.json.decode(raw, type=SpendRow), position["currency"]) for raw in answer.results]
    except msgspec.MsgspecError as error:
        raise VendorChanged(f"A row of Google Ads has an unknown shape: {error}.") from error
    records = [_record(line) for line in lines]
    seen = [*position["told"], *(record.external_id for record in records)]
    if answer.next_page_token:
        return Page(records, {**position, "page": answer.next_page_token, "told": seen}, done=window.done(0.5))
    records += _nothing(position, window, set(seen))
    following = window.following(SPEND_DAYS)
    onward = None if following is None else {**position, **following.position(), "page": None, "told": []}
    return Page(records, onward, window.cursor(), window.done())


def _line(row: SpendRow, currency: str) -> SpendLine:
    return SpendLine(
        campaign=row.campaign.id,
        name=row.campaign.name,
        date=row.segments.date,
        currency=currency,
        metrics=row.metrics,
    )


def _record(line: SpendLine) -> RawRecord:
    return RawRecord(f"{line.date}|{line.campaign}", msgspec.json.encode(line))


def _nothing(position: Position, window: Window, seen: set[str]) -> list[RawRecord]:
    first = max(window.first, date.fromisoformat(position["zeros_from"]))
    days = [first + timedelta(days=number) for number in range((window.last - first).days + 1)]
    lines = (
        SpendLine(campaign=campaign, date=day.isoformat(), currency=position["currency"], metrics=Metrics())
        for campaign in position["campaigns"]
        for day in days
    )
    return [record for record in map(_record, lines) if record.external_id not in seen]


def months_before(day: date, months: int) -> date:
    """The first day of the month that lies so many months before."""
    number = day.year * 12 + day.month - 1 - months
    return date(number // 12, number % 12 + 1, 1)
