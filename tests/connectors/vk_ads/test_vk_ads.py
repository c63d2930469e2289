"""VK Ads: the payloads of its documentation, and each of its traps."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from connectors.contract import Delivery, Position, Start, Tokens, VendorResponse
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
from connectors.vk_ads import CONNECTOR
from connectors.vk_ads.errors import error_of
from connectors.vk_ads.mapping import map_banner, map_group, map_lead, map_plan, map_spend, moment
from connectors.vk_ads.reads import BANNERS, PLANS, ask_spend, read_spend, start_spend
from connectors.vk_ads.settings import VkAdsSettings, auth
from connectors.vk_ads.webhooks import WEBHOOKS
from schema.records import AdGroupRecord, AdRecord, AdSpendRecord, CampaignRecord, LeadRecord
from schema.traffic import CampaignKey, Traffic, origin

SAMPLES = Path(__file__).parent / "samples"
SETTINGS = VkAdsSettings(client_id="abc", client_secret="hidden")
NOW = datetime(2026, 4, 1, 12, tzinfo=UTC)


def sample(name: str) -> Any:
    return json.loads((SAMPLES / name).read_text())


def answer(body: Any, status: int = 200) -> VendorResponse:
    return VendorResponse(status, httpx.Headers(), json.dumps(body).encode())


def mapped(function: Callable[[VkAdsSettings, bytes], Any], wire: Any) -> Any:
    (record,) = function(SETTINGS, json.dumps(wire).encode())
    return record


# -- mapping


def test_a_campaign_of_the_sample() -> None:
    record = mapped(map_plan, sample("ad_plans.response.json")["items"][0])
    assert record == CampaignRecord(
        external_id="21048765",
        platform="vk_ads",
        name="Конверсии | Пицца МСК",
        state="active",
        currency="RUB",
        custom={"objective": "site_conversions", "date_start": "2026-04-10"},
    )


def test_the_status_may_be_an_object_and_a_deleted_campaign_is_deleted() -> None:
    wire = {"id": "7", "name": "x", "status": "deleted", "vkads_status": {"status": "DELETED", "codes": ["A"]}}
    record = mapped(map_plan, wire)
    assert (record.external_id, record.state, record.deleted) == ("7", "DELETED", True)


def test_groups_and_ads() -> None:
    group = mapped(map_group, {"id": 3, "name": "Г", "ad_plan_id": 1, "utm": "utm_source=vk", "enable_utm": True})
    assert group == AdGroupRecord(
        external_id="3", platform="vk_ads", campaign="1", name="Г", custom={"utm": "utm_source=vk"}
    )
    ad = mapped(
        map_banner, {"id": 9, "ad_group_id": 3, "name": "О", "urls": {"primary": {"url": "https://a.example"}}}
    )
    assert ad == AdRecord(
        external_id="9", platform="vk_ads", ad_group="3", title="О", landing_url="https://a.example"
    )
    bare = mapped(map_banner, {"id": 9, "ad_group_id": 3, "urls": {"primary": {"url": "javascript:alert(1)"}}})
    assert bare.landing_url is None


def test_money_is_a_text_and_counts_may_be() -> None:
    line = {"plan": "5", "date": "2026-03-01", "currency": "RUB", "vat": True}
    record = mapped(map_spend, line | {"shows": "75881", "clicks": 270, "spent": "23328.92"})
    assert record == AdSpendRecord(
        external_id="2026-03-01|5",
        platform="vk_ads",
        campaign="5",
        day=date(2026, 3, 1),
        cost=Decimal("23328.92"),
        currency="RUB",
        vat_included=True,
        impressions=75881,
        clicks=270,
    )
    for broken in ({"spent": "1 234,5"}, {"shows": "-1"}, {"spent": "NaN"}, {"date": "2026-02-30"}):
        with pytest.raises(BadRecord):
            mapped(map_spend, line | broken)


def test_a_lead_carries_its_ad_and_its_time_is_of_utc() -> None:
    first, second = (mapped(map_lead, item) for item in sample("synthetic_leads.response.json")["items"])
    assert isinstance(first, LeadRecord)
    assert first.created_at == datetime(2023, 1, 31, 9, 25, 41, 260_000, tzinfo=UTC)
    assert (first.name, first.phones, first.emails) == ("Виктор", ("+78008005555",), ())
    assert (second.external_id, second.name, second.emails) == ("2524", None, ("a@example.com",))
    assert first.traffic is not None
    understood = origin(first.traffic)
    assert understood is not None
    assert understood.campaign == CampaignKey("vk_ads", "21301244")
    assert understood.channel == "paid_social"


def test_times_are_told_apart_by_their_shape() -> None:
    assert moment("2026-04-10 12:03:11") == datetime(2026, 4, 10, 9, 3, 11, tzinfo=UTC)  # Moscow
    assert moment("2023-01-31 09:40:00 +0000 UTC") == datetime(2023, 1, 31, 9, 40, tzinfo=UTC)
    with pytest.raises(BadRecord):
        moment("yesterday")


def test_a_number_in_the_tag_names_the_campaign() -> None:
    def campaign(**tags: str) -> CampaignKey | None:
        understood = origin(Traffic(**tags))
        return None if understood is None else understood.campaign

    paid = {"utm_source": "vk", "utm_medium": "cpc"}
    assert campaign(**paid, utm_campaign="21048765") == CampaignKey("vk_ads", "21048765")
    assert campaign(**paid, utm_campaign="Пицца|21048765") == CampaignKey("vk_ads", "21048765")
    assert campaign(**paid, utm_campaign="sale_20260101") == CampaignKey("utm", "vk/cpc/sale_20260101")
    assert campaign(utm_source="vk", utm_medium="social", utm_campaign="21048765") == CampaignKey(
        "utm", "vk/social/21048765"
    )


# -- reading


def begin(cursor: dict[str, Any] | None = None, since: date = date(2026, 3, 20)) -> Position:
    start = Start(cursor, NOW, datetime(since.year, since.month, since.day, tzinfo=UTC), UUID(int=1))
    position = start_spend(SETTINGS, start)
    assert position is not None
    return position


def test_a_list_goes_on_by_what_came_not_by_what_was_asked() -> None:
    """The standard's cap of 50 may hold although 250 are asked for."""
    position: Position | None = PLANS.start(SETTINGS, Start(None, NOW, NOW, UUID(int=1)))
    seen = []
    while position is not None:
        offset = PLANS.ask(SETTINGS, position).query["offset"]
        assert isinstance(offset, int)
        items = [{"id": number, "name": "x"} for number in range(offset, min(offset + 50, 120))]
        page = PLANS.read(SETTINGS, position, answer({"count": 120, "offset": offset, "items": items}))
        seen += [record.external_id for record in page.records]
        position = page.next
    assert seen == [str(number) for number in range(120)]


def test_lists_ask_for_fields_and_for_deleted_objects_and_ads_for_what_changed() -> None:
    start = Start({"read_at": "2026-03-31 10:00:00"}, NOW, NOW, UUID(int=1))
    asked = BANNERS.ask(SETTINGS, BANNERS.start(SETTINGS, start) or {}).query
    assert asked["_updated__gte"] == "2026-03-31 10:00:00"
    assert "deleted" in str(asked["_status__in"])
    assert "urls" in str(asked["fields"])
    whole = PLANS.ask(SETTINGS, PLANS.start(SETTINGS, start) or {}).query
    assert "_updated__gte" not in whole  # the vendor has no such filter of campaigns


def test_days_are_asked_of_version_2_by_at_most_200_ids() -> None:
    position: Position | None = begin()
    assert position is not None
    items = [{"id": number, "status": "active"} for number in range(1, 251)]
    position = read_spend(SETTINGS, position, answer({"count": 250, "items": items})).next
    asked = []
    while position is not None:
        request = ask_spend(SETTINGS, position)
        assert request.path == "/api/v2/statistics/ad_plans/day.json"
        asked.append(len(str(request.query["id"]).split(",")))
        position = read_spend(SETTINGS, position, answer({"items": [], "total": {}})).next
    assert asked == [200, 50]


def test_the_totals_of_version_3_are_no_days() -> None:
    position = begin() | {"plans": ["8372481"], "left": [["8372481"]], "zeros_from": "2026-04-02"}
    assert read_spend(SETTINGS, position, answer(sample("statistics_v3_day.response.json"))).records == []


def test_a_day_that_came_to_nothing_is_told_and_an_old_one_without_shows_is_not() -> None:
    rows = sample("statistics_v2_day.response.json")["items"][0]["rows"]
    base = rows[0]["base"] | {"shows": 10, "spent": "5.00", "goals": 3, "vk": {"goals": 1}}
    days = [{"date": "2026-03-21", "base": base}, {"date": "2026-03-22", "base": rows[0]["base"]}]
    told = answer({"items": [{"id": 5, "rows": days}]})
    first = begin() | {"plans": ["5"], "left": [["5"]], "zeros_from": "2026-04-02"}
    assert [record.external_id for record in read_spend(SETTINGS, first, told).records] == ["2026-03-21|5"]
    again = begin({"read_to": "2026-03-31", "since": "2026-03-20"}) | {"plans": ["5"], "left": [["5"]]}
    lines = {record.external_id: json.loads(record.body) for record in read_spend(SETTINGS, again, told).records}
    assert len(lines) == 13  # every day since the first, absent ones too
    assert lines["2026-03-21|5"]["goals"] == 1  # those of VK, not of the other counter
    assert lines["2026-03-25|5"]["spent"] == "0"


def test_campaigns_deleted_before_the_days_are_not_asked_for() -> None:
    items = [
        {"id": 1, "status": "deleted", "updated": "2026-03-01 10:00:00"},
        {"id": 2, "status": "deleted", "updated": "2026-03-25 10:00:00"},
        {"id": 3, "status": "blocked", "updated": "2026-03-01 10:00:00"},
    ]
    page = read_spend(SETTINGS, begin(), answer({"count": 3, "items": items}))
    assert page.next is not None
    assert page.next["plans"] == ["2", "3"]


def test_one_unknown_id_is_found_by_halves() -> None:
    refusal = answer({"error": {"code": "ERR_WRONG_ADPLANS", "message": "x"}}, 400)
    ids = [str(number) for number in range(8)]
    position: Position | None = begin() | {"plans": ids, "left": [ids]}
    answered = []
    while position is not None:
        asked = str(ask_spend(SETTINGS, position).query["id"]).split(",")
        wrong = "5" in asked
        if not wrong:
            answered += asked
        position = read_spend(SETTINGS, position, refusal if wrong else answer({"items": []})).next
    assert answered == ["0", "1", "2", "3", "4", "6", "7"]


def test_another_refusal_of_statistics_is_no_matter_of_ids() -> None:
    position = begin() | {"plans": ["1", "2"], "left": [["1", "2"]]}
    with pytest.raises(VendorChanged, match="ERR_LIMIT_EXCEEDED"):
        read_spend(SETTINGS, position, answer({"error": {"code": "ERR_LIMIT_EXCEEDED", "message": "x"}}, 400))


# -- errors


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (httpx.Response(200, json={"count": 0, "items": []}), None),
        (httpx.Response(401, json={"code": "revoked_token", "message": "x"}), AuthFailed),
        (httpx.Response(403, json={"error": {"code": "ERR_ACCESS_DENIED", "message": "x"}}), NotPermitted),
        (httpx.Response(404, text=""), BadSettings),
        (httpx.Response(302, headers={"location": "https://vk.com"}), BadSettings),
        (httpx.Response(400, json={"error": {"code": "validation_failed", "fields": {"a": {}}}}), VendorChanged),
        (httpx.Response(429), RateLimited),
        (httpx.Response(429, headers={"X-RateLimit-Daily-Remaining": "0"}), QuotaExhausted),
        (httpx.Response(503, json={"error": {"code": "ERR_INTERNAL", "message": "x"}}), Transient),
        (httpx.Response(502, text="<html>"), Transient),
    ],
)
def test_what_an_answer_means(response: httpx.Response, kind: type[Exception] | None) -> None:
    error = error_of(response)
    assert error is None if kind is None else type(error) is kind


# -- tokens


class Store:
    """A connection's tokens."""

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens

    async def current(self) -> Tokens:
        return self.tokens

    def lease(self) -> Any:
        store = self

        class Lease:
            async def __aenter__(self) -> Store:
                return store

            async def __aexit__(self, *_: object) -> None: ...

        return Lease()

    async def store(self, tokens: Tokens) -> None:
        self.tokens = tokens


async def ask(store: Store, handler: Callable[[httpx.Request], httpx.Response], **more: Any) -> httpx.Response:
    settings = VkAdsSettings(client_id="abc", client_secret="hidden", **more)
    async with httpx.AsyncClient(transport=httpx.MockTransport(handler), auth=auth(settings, store)) as client:
        return await client.get("https://ads.vk.com/api/v2/user.json")


def oauth(line: int) -> httpx.Response:
    told = json.loads((SAMPLES / "oauth.jsonl").read_text().splitlines()[line])
    return httpx.Response(told["http"], json=told["body"], headers=told.get("headers"))


async def test_the_first_token_is_granted_and_an_agencys_client_is_named() -> None:
    forms = []

    def vendor(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("token.json"):
            forms.append(request.content.decode())
            return oauth(0)
        return httpx.Response(200 if request.headers["authorization"] == "Bearer REPLACED" else 401)

    store = Store(Tokens(""))
    assert (await ask(store, vendor)).status_code == 200
    assert store.tokens == Tokens("REPLACED", "REPLACED")
    assert (await ask(Store(Tokens("")), vendor, agency_client="shop")).status_code == 200
    assert "grant_type=client_credentials" in forms[0]
    assert "agency_client_name=shop" in forms[1]


async def test_a_known_pair_is_refreshed_and_no_new_token_is_taken() -> None:
    grants = []

    def vendor(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("token.json"):
            grants.append(dict(httpx.QueryParams(request.content.decode()))["grant_type"])
            if grants[-1] == "refresh_token" and len(grants) > 1:
                return oauth(2)  # dropped after a month without use
            return oauth(0)
        return oauth(1) if request.headers["authorization"] == "Bearer old" else httpx.Response(200)

    assert (await ask(Store(Tokens("old", "refresh")), vendor)).status_code == 200
    assert grants == ["refresh_token"]
    assert (await ask(Store(Tokens("old", "gone")), vendor)).status_code == 200
    assert grants[1:] == ["refresh_token", "client_credentials"]


async def test_the_sixth_token_and_a_withdrawn_access_are_told_in_words() -> None:
    def full(request: httpx.Request) -> httpx.Response:
        return oauth(4)

    with pytest.raises(AuthFailed, match="already has five"):
        await ask(Store(Tokens("")), full)

    def withdrawn(request: httpx.Request) -> httpx.Response:
        assert not request.url.path.endswith("token.json"), "a withdrawn access must not ask again"
        return oauth(3)

    assert (await ask(Store(Tokens("old", "refresh")), withdrawn)).status_code == 401


# -- webhooks


def test_a_notice_tells_its_lead() -> None:
    content = (SAMPLES / "lead_notification.json").read_bytes()
    delivery = Delivery(content, httpx.Headers())
    (touched,) = WEBHOOKS.read(SETTINGS, delivery)
    assert (touched.stream, touched.external_id) == ("leads", "4")
    assert touched.body is not None
    lead = mapped(map_lead, json.loads(touched.body))
    assert lead.phones == ("+78005553535",)
    assert WEBHOOKS.delivery_id is not None
    assert WEBHOOKS.delivery_id(SETTINGS, delivery) == "07c0810ac51c47c98e001b1e91c94ba4"
    assert WEBHOOKS.read(SETTINGS, Delivery(b'{"resource": "BANNER", "id": "1"}', httpx.Headers())) == []
    for strange in (b"x", b'{"resource": "LEAD", "data": {}}'):
        with pytest.raises(BadRecord):
            WEBHOOKS.read(SETTINGS, Delivery(strange, httpx.Headers()))


# -- the check


async def test_the_check_speaks_plainly(session_to: Any) -> None:
    def vendor(count: int, currency: str = "RUB") -> Callable[[httpx.Request], httpx.Response]:
        def handler(request: httpx.Request) -> httpx.Response:
            if request.url.path.endswith("user.json"):
                return httpx.Response(200, json={"id": 5, "username": "shop", "currency": currency})
            return httpx.Response(200, json={"count": count, "items": []})

        return handler

    pasted = VkAdsSettings(client_id="a", client_secret="b", access_token="c")

    async def told(handler: Callable[[httpx.Request], httpx.Response]) -> Any:
        return await CONNECTOR.check(session_to(replace(CONNECTOR, auth=None), pasted, handler))

    good = await told(vendor(3))
    assert (good.ok, good.sentence, good.warnings) == (True, "VK Ads answers for shop; campaigns: 3.", ())
    assert "agency" in (await told(vendor(0))).warnings[0]
    assert "USD" in (await told(vendor(3, "USD"))).warnings[0]
    refused = await told(lambda _: httpx.Response(401, json={"code": "invalid_client", "message": "x"}))
    assert (refused.ok, refused.sentence) == (
        False,
        "VK Ads doesn't know this Client ID and secret, or has blocked them.",
    )
