"""Direct's errors, which may come with any status, and the sentences of the check."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from connectors.errors import (
    AuthFailed,
    BadSettings,
    NotPermitted,
    NotReady,
    QuotaExhausted,
    RateLimited,
    Transient,
    VendorChanged,
    VendorError,
)
from connectors.yandex_direct import CONNECTOR
from connectors.yandex_direct.health import error_of
from connectors.yandex_direct.settings import DirectSettings

SAMPLES = Path(__file__).parent / "samples"
OWN = DirectSettings(token="secret-token")
AGENCY = DirectSettings(token="secret-token", login="shop-moscow")


def failed(code: int | str, text: str = "", detail: str = "", status: int = 200) -> httpx.Response:
    error = {"request_id": "0", "error_code": code, "error_string": text, "error_detail": detail}
    return httpx.Response(status, json={"error": error})


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (httpx.Response(200, json={"result": {}}), None),
        (httpx.Response(200, json={"result": {"error": "no error of the service"}}), None),
        (httpx.Response(200, text="Date\tCost\n"), None),
        (httpx.Response(200), None),
        (failed(52), Transient),
        (failed(53), AuthFailed),
        (failed("53"), AuthFailed),
        (failed(54), NotPermitted),
        (failed(55), NotPermitted),
        (failed(56), RateLimited),
        (failed(58), NotPermitted),
        (failed(152), QuotaExhausted),
        (failed(506), RateLimited),
        (failed(513), BadSettings),
        (failed(1000), Transient),
        (failed(1001), Transient),
        (failed(1002, "Server error"), Transient),
        (failed(1002, "Server error", "Invalid OAuth token"), AuthFailed),
        (failed(3000), NotPermitted),
        (failed(8000, "Bad request", "Client-Login is required"), BadSettings),
        (failed(8000, "Bad request", status=400), VendorChanged),
        (failed(8800), VendorChanged),
        (failed(9000, status=400), NotReady),
        (failed(77777, status=500), Transient),
        (failed("E_ODD"), VendorChanged),
        (httpx.Response(201), NotReady),
        (httpx.Response(202), NotReady),
        (httpx.Response(200, html="<html>"), Transient),
        (httpx.Response(502, html="\n<html>"), Transient),
        (httpx.Response(404, html="<html>"), BadSettings),
        (httpx.Response(404), BadSettings),
        (httpx.Response(302, headers={"Location": "https://yandex.ru"}), BadSettings),
        (httpx.Response(401), AuthFailed),
        (httpx.Response(403), NotPermitted),
        (httpx.Response(400), VendorChanged),
        (httpx.Response(429), None),  # the engine's own table knows these
        (httpx.Response(503), None),
    ],
)
def test_errors(answer: httpx.Response, kind: type[VendorError] | None) -> None:
    assert type(error_of(answer)) is (type(None) if kind is None else kind)


def test_errors_of_the_sample() -> None:
    kinds = []
    for line in (SAMPLES / "errors.jsonl").read_text().splitlines():
        answer = json.loads(line)
        error = error_of(httpx.Response(answer["http"], json=answer["body"]))
        kinds.append(None if error is None else type(error))
    assert kinds == [AuthFailed, QuotaExhausted, RateLimited, VendorChanged, NotReady, None]


@pytest.mark.parametrize(
    ("told", "wait"), [("5", 5.0), ("0", 5.0), ("-1", 5.0), ("soon", 5.0), (None, 5.0), ("600", 60.0), ("nan", 5.0)]
)
def test_how_long_a_report_is_waited_for(told: str | None, wait: float) -> None:
    error = error_of(httpx.Response(201, headers={} if told is None else {"retryIn": told}))
    assert isinstance(error, NotReady)
    assert error.wait_seconds == wait


def test_points_come_back_an_hour_later_on_the_vendors_clock() -> None:
    answer = failed(152)
    answer.headers["Date"] = "Thu, 30 Apr 2026 22:30:00 GMT"
    error = error_of(answer)
    assert isinstance(error, QuotaExhausted)
    assert error.until == datetime(2026, 4, 30, 23, 30, tzinfo=UTC)


Router = Callable[[httpx.Request], httpx.Response]


def cabinet(
    clients: httpx.Response | None = None,
    campaigns: httpx.Response | None = None,
    agency: httpx.Response | None = None,
) -> Router:
    def answer(request: httpx.Request) -> httpx.Response:
        match request.url.path:
            case "/json/v501/clients":
                return clients or httpx.Response(
                    200, json={"result": {"Clients": [{"Login": "shop-moscow", "Currency": "RUB"}]}}
                )
            case "/json/v501/campaigns":
                return campaigns or httpx.Response(200, json={"result": {}})
            case "/json/v501/agencyclients":
                return agency or failed(54)
        raise AssertionError(request.url)

    return answer


LOGINS = httpx.Response(200, json={"result": {"Clients": [{"Login": "shop-moscow"}, {"Login": "shop-omsk"}]}})


@pytest.mark.parametrize(
    ("settings", "handler", "ok", "words"),
    [
        (OWN, cabinet(), True, "shop-moscow, costs in RUB"),
        (OWN, cabinet(failed(53)), False, "refuses the token"),
        (AGENCY, cabinet(failed(54)), False, "advertiser's login"),
        (OWN, cabinet(failed(54), agency=LOGINS), False, "such as shop-moscow, shop-omsk"),
        (OWN, cabinet(failed(8000, "Bad request"), agency=LOGINS), False, "agency's token"),
        (OWN, cabinet(httpx.Response(200, json={"result": {}}), agency=LOGINS), False, "agency's token"),
        (OWN, cabinet(httpx.Response(200, json={"result": {}})), False, "names no advertiser"),
        (OWN, cabinet(failed(8000, "Bad request")), False, "Bad request"),
        (OWN, cabinet(failed(58)), False, "access request"),
        (OWN, cabinet(failed(3000)), False, "accept its terms"),
        (AGENCY, cabinet(failed(513)), False, "no cabinet in Direct"),
        (OWN, cabinet(failed(152)), False, "points are used up"),
        (OWN, cabinet(campaigns=failed(55)), False, "doesn't allow this method"),
        (OWN, lambda _: httpx.Response(200, html="<html>"), False, "A web page answers"),
        (OWN, lambda _: httpx.Response(404, html="<html>"), False, "check its address"),
        (OWN, lambda _: httpx.Response(200, text="it works"), False, "unknown shape"),
        (OWN, lambda _: httpx.Response(503), False, "503"),
    ],
)
async def test_check_says_what_is_wrong(
    session_to: Any, settings: DirectSettings, handler: Router, ok: bool, words: str
) -> None:
    health = await CONNECTOR.check(session_to(CONNECTOR, settings, handler))
    assert words in health.sentence
    assert health.ok is ok
    assert "secret-token" not in repr(health)


async def test_check_refuses_a_cabinet_in_units(session_to: Any) -> None:
    clients = httpx.Response(200, json={"result": {"Clients": [{"Login": "old", "Currency": "YND_FIXED"}]}})
    health = await CONNECTOR.check(session_to(CONNECTOR, OWN, cabinet(clients)))
    assert not health.ok
    assert "own units" in health.sentence


async def test_check_warns_of_few_points_and_of_an_archived_advertiser(session_to: Any) -> None:
    client = {"Login": "shop-moscow", "Currency": "RUB", "Archived": "YES"}
    clients = httpx.Response(200, headers={"Units": "10/500/64000"}, json={"result": {"Clients": [client]}})
    health = await CONNECTOR.check(session_to(CONNECTOR, OWN, cabinet(clients)))
    assert health.ok
    archived, points = health.warnings
    assert "archived" in archived
    assert "points" in points


@pytest.mark.parametrize(
    "settings",
    [
        {"token": ""},
        {"token": "t", "login": "two words"},
        {"token": "t", "base_url": "api.direct.yandex.com"},
        {"token": "t", "reread_days": 1},
        {"token": "t", "client": "x"},
    ],
)
def test_settings_that_can_not_be_right(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        DirectSettings(**settings)


def test_limits_are_counted_by_advertiser_and_the_token_does_not_show() -> None:
    assert CONNECTOR.account(AGENCY) == "api.direct.yandex.com/shop-moscow"
    assert CONNECTOR.account(OWN) != CONNECTOR.account(DirectSettings(token="another"))
    for shown in (repr(OWN), CONNECTOR.account(OWN), json.dumps(OWN.model_dump(mode="json"))):
        assert "secret-token" not in shown
