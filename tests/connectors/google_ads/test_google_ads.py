"""Google Ads: payloads of its documented shapes, and each of its traps."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

import httpx
import pytest
from pydantic import ValidationError

from connectors.contract import Position, Start, Tokens, VendorResponse
from connectors.errors import (
    AuthFailed,
    BadRecord,
    BadSettings,
    NotPermitted,
    QuotaExhausted,
    RateLimited,
    Transient,
    VendorChanged,
)
from connectors.google_ads import CONNECTOR
from connectors.google_ads.errors import error_of
from connectors.google_ads.mapping import map_ad, map_ad_group, map_campaign, map_keyword, map_spend
from connectors.google_ads.reads import CAMPAIGNS, ask, ask_spend, months_before, read_spend, start_spend
from connectors.google_ads.settings import GoogleAdsSettings
from schema.records import AdGroupRecord, AdRecord, AdSpendRecord, CampaignRecord, KeywordRecord

SAMPLES = Path(__file__).parent / "samples"
KEYS = {"customer_id": "123-456-7890", "client_id": "c", "client_secret": "s", "refresh_token": "r"}
SETTINGS = GoogleAdsSettings(**KEYS)
NOW = datetime(2026, 10, 20, 12, tzinfo=UTC)
BATCH = json.loads((SAMPLES / "synthetic_search_stream_campaign.response.json").read_text())[0]
ERRORS = [json.loads(line) for line in (SAMPLES / "synthetic_errors.jsonl").read_text().splitlines()]


def answer(body: Any, status: int = 200) -> VendorResponse:
    return VendorResponse(status, httpx.Headers(), json.dumps(body).encode())


def mapped(function: Callable[[GoogleAdsSettings, bytes], Any], wire: Any) -> Any:
    (record,) = function(SETTINGS, json.dumps(wire).encode())
    return record


# -- mapping


def test_campaigns_of_the_sample() -> None:
    search, pmax = (mapped(map_campaign, row) for row in BATCH["results"])
    assert search == CampaignRecord(
        external_id="20111222333",
        platform="google_ads",
        name="Search / Brand",
        state="ENABLED",
        currency="EUR",
        custom={"advertising_channel_type": "SEARCH"},
    )
    assert (pmax.state, pmax.deleted) == ("PAUSED", False)
    assert mapped(map_campaign, {"campaign": {"id": "1", "status": "REMOVED"}}).deleted
    assert mapped(map_campaign, {"campaign": {"id": "1", "status": "SOMETHING_NEW"}}).state == "SOMETHING_NEW"


def test_groups_ads_and_keywords() -> None:
    campaign, group = {"id": "2"}, {"id": "3", "name": "G"}
    assert mapped(map_ad_group, {"campaign": campaign, "adGroup": group}) == AdGroupRecord(
        external_id="3", platform="google_ads", campaign="2", name="G"
    )
    ad = {"ad": {"id": "4", "finalUrls": ["https://a.example/"]}, "status": "ENABLED"}
    assert mapped(map_ad, {"adGroup": group, "adGroupAd": ad}) == AdRecord(
        external_id="3~4", platform="google_ads", ad_group="3", landing_url="https://a.example/"
    )
    criterion = {"criterionId": "5", "keyword": {"text": "crm sync", "matchType": "PHRASE"}}
    assert mapped(map_keyword, {"adGroup": group, "adGroupCriterion": criterion}) == KeywordRecord(
        external_id="3~5", platform="google_ads", ad_group="3", text="crm sync", custom={"match_type": "PHRASE"}
    )


def test_costs_are_micros_in_a_text_and_zeros_may_be_left_out() -> None:
    line = {"campaign": "7", "name": "Search", "date": "2026-10-14", "currency": "EUR"}
    record = mapped(map_spend, line | {"metrics": BATCH["results"][0]["metrics"]})
    assert record == AdSpendRecord(
        external_id="2026-10-14|7",
        platform="google_ads",
        campaign="7",
        campaign_name="Search",
        day=date(2026, 10, 14),
        cost=Decimal("5.12"),
        currency="EUR",
        vat_included=False,
        impressions=410,
        clicks=12,
    )
    assert mapped(map_spend, line | {"metrics": {"costMicros": "5125000"}}).cost == Decimal("5.13")
    assert mapped(map_spend, line).cost == 0
    for broken in ({"metrics": {"costMicros": "5.12"}}, {"date": "20261014"[:4]}):
        with pytest.raises(BadRecord):
            mapped(map_spend, line | broken)


# -- settings


def test_a_customer_id_is_taken_as_people_write_it() -> None:
    assert SETTINGS.customer_id == "1234567890"
    with pytest.raises(ValidationError, match="ten digits"):
        GoogleAdsSettings(**KEYS | {"customer_id": "12345"})


def test_headers_are_sent_only_where_they_are_set() -> None:
    assert ask(SETTINGS, "q").headers == {}
    through = GoogleAdsSettings(**KEYS, login_customer_id="987-654-3210", developer_token="d", api_version=27)
    request = ask(through, "q")
    assert request.headers == {"login-customer-id": "9876543210", "developer-token": "d"}
    assert request.path == "/v27/customers/1234567890/googleAds:search"
    assert request.json == {"query": "q"}  # a page's size is refused


# -- reading

CUSTOMER = {"results": [{"customer": {"id": "1", "currencyCode": "EUR", "timeZone": "Europe/Berlin"}}]}
LISTED = {
    "results": [{"campaign": {"id": "7", "status": "ENABLED"}}, {"campaign": {"id": "8", "status": "REMOVED"}}]
}


def begin(cursor: dict[str, Any] | None = None, since: date = date(2026, 10, 1)) -> Position:
    start = Start(cursor, NOW, datetime(since.year, since.month, since.day, tzinfo=UTC), UUID(int=1))
    position = start_spend(SETTINGS, start)
    assert position is not None
    page = read_spend(SETTINGS, position, answer(CUSTOMER))
    assert page.next is not None
    page = read_spend(SETTINGS, page.next, answer(LISTED))
    assert page.next is not None
    return page.next


def day(number: str, at: str, micros: str) -> dict[str, Any]:
    return {"campaign": {"id": number, "name": "x"}, "segments": {"date": at}, "metrics": {"costMicros": micros}}


def test_a_run_asks_for_the_accounts_days_window_by_window() -> None:
    position: Position | None = begin()
    queries = []
    while position is not None:
        queries.append(ask_spend(SETTINGS, position).json["query"].partition("BETWEEN ")[2])
        page = read_spend(SETTINGS, position, answer({}))
        position = page.next
    # The last second of September in Greenwich is the first of October in Berlin.
    assert queries == ["'2026-10-01' AND '2026-10-15'", "'2026-10-16' AND '2026-10-20'"]
    assert page.cursor == {"read_to": "2026-10-20", "since": "2026-10-01"}


def test_a_day_without_a_row_is_told_as_nothing_and_removed_campaigns_are_not() -> None:
    page = read_spend(
        SETTINGS, begin(), answer({"results": [day("7", "2026-10-02", "1"), day("8", "2026-10-03", "2")]})
    )
    told = {record.external_id: json.loads(record.body) for record in page.records}
    assert len(told) == 16  # the window's days of the living campaign, and the row of the removed one
    assert told["2026-10-02|7"]["metrics"]["costMicros"] == "1"
    assert told["2026-10-04|7"]["metrics"] == {
        "impressions": 0, "clicks": 0, "costMicros": 0, "conversions": 0.0, "conversionsValue": 0.0
    }  # fmt: skip
    assert "2026-10-04|8" not in told


def test_what_was_told_on_an_earlier_page_of_the_window_is_not_undone() -> None:
    first = read_spend(SETTINGS, begin(), answer({"results": [day("7", "2026-10-02", "1")], "nextPageToken": "t"}))
    assert first.next is not None
    assert ask_spend(SETTINGS, first.next).json["pageToken"] == "t"
    assert first.cursor is None
    second = read_spend(SETTINGS, first.next, answer({}))
    assert "2026-10-02|7" not in [record.external_id for record in second.records]
    assert len(second.records) == 14


def test_a_page_whose_token_has_run_out_is_read_from_the_windows_beginning() -> None:
    lost = answer(
        {"error": {"details": [{"errors": [{"errorCode": {"requestError": "EXPIRED_PAGE_TOKEN"}}]}]}}, 400
    )
    position = begin() | {"page": "t", "told": ["2026-10-02|7"]}
    assert 400 in ask_spend(SETTINGS, position).accept
    page = read_spend(SETTINGS, position, lost)
    assert page.next == position | {"page": None, "told": [], "restarts": 1}
    assert CAMPAIGNS.read(SETTINGS, {"page": "t", "restarts": 0}, lost).next == {"page": None, "restarts": 1}
    with pytest.raises(VendorChanged, match="run out at once"):
        CAMPAIGNS.read(SETTINGS, {"page": "t", "restarts": 3}, lost)
    other = answer({"error": {"message": "Bad", "details": []}}, 400)
    with pytest.raises(VendorChanged, match="Bad"):
        read_spend(SETTINGS, position, other)


def test_history_begins_37_months_ago() -> None:
    position = begin(since=date(2020, 1, 1))
    assert position["run_first"] == "2023-09-01" == months_before(NOW.date(), 37).isoformat()


def test_a_manager_has_no_costs() -> None:
    position = start_spend(SETTINGS, Start(None, NOW, NOW, UUID(int=1)))
    with pytest.raises(BadSettings, match="manager"):
        read_spend(SETTINGS, position or {}, answer({"results": [{"customer": {"id": "1", "manager": True}}]}))


# -- errors


def failed(name: str, status: int = 400, category: str = "queryError", **more: Any) -> httpx.Response:
    error = {"errorCode": {category: name}, "message": "said", **more}
    failure = {"@type": "…GoogleAdsFailure", "errors": [error], "requestId": "R1"}
    return httpx.Response(status, json={"error": {"code": status, "message": "m", "details": [failure]}})


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (httpx.Response(200, json={"results": []}), None),
        (httpx.Response(ERRORS[0]["http"], json=ERRORS[0]["body"]), AuthFailed),
        (httpx.Response(ERRORS[1]["http"], json=ERRORS[1]["body"]), NotPermitted),
        (httpx.Response(ERRORS[2]["http"], json=ERRORS[2]["body"]), NotPermitted),
        (httpx.Response(ERRORS[3]["http"], json=ERRORS[3]["body"]), QuotaExhausted),
        (httpx.Response(ERRORS[4]["http"], json=ERRORS[4]["body"]), VendorChanged),
        (httpx.Response(400, json=[ERRORS[1]["body"]]), NotPermitted),  # inside a stream
        (failed("UNSUPPORTED_VERSION"), BadSettings),
        (failed("REQUESTED_METRICS_FOR_MANAGER"), BadSettings),
        (failed("UNRECOGNIZED_FIELD"), VendorChanged),
        (failed("RESOURCE_TEMPORARILY_EXHAUSTED", 429), RateLimited),
        (failed("TRANSIENT_ERROR", 500), Transient),
        (httpx.Response(503, json={"error": {"code": 503, "status": "UNAVAILABLE"}}), Transient),
        (httpx.Response(404, text="<html>Error 404 (Not Found)!!1"), BadSettings),
        (httpx.Response(502, text="<html>"), Transient),
        (httpx.Response(401, json={"error": {"code": 401, "status": "UNAUTHENTICATED"}}), AuthFailed),
    ],
)
def test_what_an_answer_means(response: httpx.Response, kind: type[Exception] | None) -> None:
    error = error_of(response)
    assert error is None if kind is None else type(error) is kind


def test_the_wait_that_google_names_is_kept_and_its_request_can_be_looked_for() -> None:
    told = {"quotaErrorDetails": {"retryDelay": "30s"}}
    error = error_of(failed("RESOURCE_TEMPORARILY_EXHAUSTED", 429, "quotaError", details=told))
    assert isinstance(error, RateLimited)
    assert error.wait_seconds == 30
    assert "R1" in error.sentence


# -- the check


async def test_the_check_names_the_accounts_below_a_manager(session_to: Any) -> None:
    below = [
        {"customerClient": {"id": "1234567890", "manager": True}},
        {"customerClient": {"id": "2222222222", "status": "ENABLED"}},
        {"customerClient": {"id": "3333333333", "status": "CANCELED"}},
    ]

    def vendor(request: httpx.Request) -> httpx.Response:
        query = json.loads(request.content)["query"]
        if "customer_client" in query:
            return httpx.Response(200, json={"results": below})
        return httpx.Response(200, json={"results": [{"customer": {"id": "1", "manager": True}}]})

    health = await CONNECTOR.check(session_to(replace(CONNECTOR, auth=None), SETTINGS, vendor))
    assert not health.ok
    assert "2222222222" in health.sentence
    assert "3333333333" not in health.sentence


async def test_the_check_tells_where_history_begins(session_to: Any) -> None:
    old = GoogleAdsSettings(**KEYS, since=date(2015, 1, 1))
    vendor = httpx.Response(200, json=CUSTOMER)
    health = await CONNECTOR.check(session_to(replace(CONNECTOR, auth=None), old, lambda _: vendor))
    assert health.sentence == "Google Ads answers for 1: costs in EUR, days of Europe/Berlin."
    assert "37 months" in health.warnings[0]


class Kept:
    """A token store in memory, which is its own lease."""

    def __init__(self, tokens: Tokens | None) -> None:
        self.tokens = tokens or Tokens("")

    async def current(self) -> Tokens:
        return self.tokens

    @asynccontextmanager
    async def lease(self) -> AsyncIterator[Kept]:
        yield self

    async def store(self, tokens: Tokens) -> None:
        self.tokens = tokens


@pytest.mark.parametrize("refresh", ["1//r", None])
async def test_a_consents_code_gives_the_refresh_token(refresh: str | None) -> None:
    values = {name: value for name, value in KEYS.items() if name != "refresh_token"}
    settings = GoogleAdsSettings(**values, authorization_code="4/code", redirect_uri="https://a.example/back")
    asked: list[dict[str, list[str]]] = []

    def vendor(request: httpx.Request) -> httpx.Response:
        if request.url.host != "oauth2.googleapis.com":
            return httpx.Response(200 if request.headers["Authorization"] == "Bearer a" else 401)
        asked.append(parse_qs(request.content.decode()))
        return httpx.Response(200, json={"access_token": "a"} | ({"refresh_token": refresh} if refresh else {}))

    assert CONNECTOR.auth is not None
    assert CONNECTOR.tokens is not None
    store = Kept(CONNECTOR.tokens(settings))
    auth, transport = CONNECTOR.auth(settings, store), httpx.MockTransport(vendor)
    async with httpx.AsyncClient(base_url=settings.base_url, auth=auth, transport=transport) as http:
        if refresh is None:
            with pytest.raises(AuthFailed, match="prompt=consent"):
                await http.get("/")
            return
        assert (await http.get("/")).status_code == 200
    assert store.tokens == Tokens("a", "1//r")
    told = {"grant_type": "authorization_code", "code": "4/code", "redirect_uri": "https://a.example/back"}
    assert asked == [{name: [value] for name, value in (told | {"client_id": "c", "client_secret": "s"}).items()}]
    for lacking in ({"authorization_code": "4/code"}, {}):
        with pytest.raises(ValueError, match="authorization code"):
            GoogleAdsSettings(**values, **lacking)
