"""Click-fraud protection: made-up clicks in the shape that ``wire.py`` assumes, and the service's errors.

No payload of such a service is public; what is assumed of its fields is tested where it stands, and nowhere else.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
import pytest
from pydantic import ValidationError

from connectors.clickfraud import CONNECTOR
from connectors.clickfraud.health import error_of
from connectors.clickfraud.mapping import map_click
from connectors.clickfraud.settings import ClickFraudSettings
from connectors.contract import Delivery, Position, Start, VendorResponse
from connectors.errors import AuthFailed, BadRecord, BadSettings, NotPermitted, Transient, VendorChanged
from schema.traffic import CampaignKey, origin

KEYS: dict[str, Any] = {"token": "t", "site_id": "s1"}
SETTINGS = ClickFraudSettings(**KEYS)
NOW = datetime(2026, 4, 1, 12, tzinfo=UTC)
CLICK: dict[str, Any] = {
    "id": "c1",
    "clicked_at": "2026-03-01T22:30:00+00:00",
    "verdict": "blocked",
    "reasons": ["datacenter_ip", "rapid_clicks"],
    "platform": "yandex",
    "campaign_id": "101234567",
}


def mapped(settings: ClickFraudSettings = SETTINGS, **other: Any) -> Any:
    (record,) = map_click(settings, json.dumps(CLICK | other).encode())  # type: ignore[misc]
    return record


def answer(data: list[dict[str, Any]], cursor: str | None = None) -> VendorResponse:
    body = {"data": data, "meta": {"next_cursor": cursor}}
    return VendorResponse(200, httpx.Headers(), json.dumps(body).encode())


def test_a_blocked_click_counts_on_the_cabinets_day_for_its_campaign() -> None:
    record = mapped()
    assert (record.day, record.clicks, record.deleted) == (date(2026, 3, 2), 1, False)  # after midnight in Moscow
    assert (record.cost, record.reason) == (None, "datacenter_ip, rapid_clicks")
    understood = origin(record.traffic)
    assert understood is not None
    assert understood.campaign == CampaignKey("yandex_direct", "101234567")


def test_the_page_tells_the_campaign_where_no_id_does() -> None:
    url = "https://shop.example/?utm_source=vk&utm_medium=cpc&utm_campaign=sale"
    understood = origin(mapped(platform=None, campaign_id=None, landing_url=url).traffic)
    assert understood is not None
    assert understood.campaign == CampaignKey("utm", "vk/cpc/sale")


def test_a_verdict_that_changed_takes_the_click_out() -> None:
    assert mapped(verdict="cleared").deleted
    assert mapped(verdict="suspicious").deleted
    assert not mapped(ClickFraudSettings(**KEYS, suspicious=True), verdict="suspicious").deleted


def test_the_services_own_cost_is_believed_with_its_currency_only() -> None:
    priced = mapped(cost="12.345", currency="RUB")
    assert (priced.cost, priced.currency) == (Decimal("12.34"), "RUB")
    assert mapped(cost="12.345").cost is None
    for name, value in (
        ("cost", "-1"),
        ("cost", "x"),
        ("clicked_at", "01.03.2026"),
        ("clicked_at", "2026-03-01T10:00:00"),
    ):
        with pytest.raises(BadRecord):
            map_click(SETTINGS, json.dumps(CLICK | {name: value}).encode())


def test_days_are_read_by_weeks_and_old_ones_for_what_was_judged_only() -> None:
    stream = CONNECTOR.stream("clicks")
    position: Position | None = stream.start(
        SETTINGS, Start(None, NOW, datetime(2026, 3, 10, tzinfo=UTC), UUID(int=1))
    )
    asked = []
    while position is not None:
        query = stream.request(SETTINGS, position).query
        asked.append((query["from"], query["to"], "verdict" in query, query.get("cursor")))
        position = stream.read(SETTINGS, position, answer([CLICK], "next" if len(asked) == 1 else None)).next
    assert asked == [
        ("2026-03-10", "2026-03-16", True, None),
        ("2026-03-10", "2026-03-16", True, "next"),
        ("2026-03-17", "2026-03-23", True, None),
        ("2026-03-24", "2026-03-30", False, None),
        ("2026-03-31", "2026-04-01", False, None),
    ]
    with pytest.raises(VendorChanged):
        stream.read(SETTINGS, {}, VendorResponse(200, httpx.Headers(), b'{"clicks": []}'))


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (httpx.Response(200, json={"data": []}), None),
        (httpx.Response(401, json={"message": "Unauthenticated."}), AuthFailed),
        (httpx.Response(402, json={"message": "x"}), NotPermitted),
        (httpx.Response(403, json={"message": "x"}), NotPermitted),
        (httpx.Response(404, json={"message": "x"}), BadSettings),
        (httpx.Response(422, json={"message": "x", "errors": {}}), VendorChanged),
        (httpx.Response(429, json={"message": "x"}), None),  # the engine waits as Retry-After says
        (httpx.Response(302), BadSettings),
        (httpx.Response(200, text="<html>"), BadSettings),
        (httpx.Response(502, text="<html>"), Transient),
    ],
)
def test_what_an_answer_means(response: httpx.Response, kind: type[Exception] | None) -> None:
    error = error_of(response)
    assert error is None if kind is None else type(error) is kind


def test_a_webhook_is_believed_by_its_signature() -> None:
    hooks = CONNECTOR.webhooks
    assert hooks is not None
    assert hooks.genuine is not None
    content = json.dumps({"id": "e1", "event": "click.blocked", "data": CLICK}).encode()
    signed = ClickFraudSettings(**KEYS, webhook_secret="hidden")
    right = "sha256=" + hmac.new(b"hidden", content, hashlib.sha256).hexdigest()
    assert hooks.genuine(signed, Delivery(content, httpx.Headers({"X-Signature": right})))
    assert not hooks.genuine(signed, Delivery(content + b" ", httpx.Headers({"X-Signature": right})))
    assert not hooks.genuine(signed, Delivery(content, httpx.Headers()))
    assert hooks.genuine(SETTINGS, Delivery(content, httpx.Headers()))
    (touched,) = hooks.read(SETTINGS, Delivery(content, httpx.Headers()))
    assert (touched.stream, touched.external_id) == ("clicks", "c1")
    assert hooks.read(SETTINGS, Delivery(b'{"event": "ip.blocked"}', httpx.Headers())) == []
    with pytest.raises(BadRecord):
        hooks.read(SETTINGS, Delivery(b'{"event": "click.blocked", "data": {}}', httpx.Headers()))


async def test_the_check_names_the_sites_that_the_token_sees(session_to: Any) -> None:
    def vendor(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/sites"):
            return httpx.Response(200, json={"data": [{"id": "s1", "domain": "shop.example"}]})
        return httpx.Response(200, json={"data": []})

    health = await CONNECTOR.check(session_to(CONNECTOR, SETTINGS, vendor))
    assert (health.ok, health.sentence) == (True, "The service answers for shop.example.")
    with pytest.raises(BadSettings, match=r"s1 \(shop.example\)"):
        await CONNECTOR.check(session_to(CONNECTOR, ClickFraudSettings(**KEYS | {"site_id": "s2"}), vendor))
    poor = await CONNECTOR.check(session_to(CONNECTOR, SETTINGS, lambda _: httpx.Response(402, json={})))
    assert (poor.ok, "plan" in poor.sentence) == (False, True)
    for wrong in ({"timezone": "Moscow"}, {"site_id": "a b"}, {"base_url": "shop"}):
        with pytest.raises(ValidationError):
            ClickFraudSettings(**KEYS | wrong)
