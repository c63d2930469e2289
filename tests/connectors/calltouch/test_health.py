"""Calltouch's refusals, the sentences of the check, and that the token shows nowhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from connectors.calltouch import CONNECTOR
from connectors.calltouch.health import error_of
from connectors.calltouch.settings import CalltouchSettings
from connectors.errors import (
    AuthFailed,
    BadSettings,
    NotPermitted,
    QuotaExhausted,
    Transient,
    VendorChanged,
    VendorError,
    WriteRejected,
)

SETTINGS = CalltouchSettings(token="secret-token", site_id="12345")
HELP_CENTRE = httpx.Response(200, html="<!doctype html><title>Справка</title>")
CALLS = {"page": 1, "pageTotal": 1, "recordsTotal": 1, "records": [{"callId": 1, "siteName": "example.com"}]}
NO_CALLS = {"page": 1, "pageTotal": 0, "recordsTotal": 0, "records": []}


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (httpx.Response(200, json=CALLS), None),
        (httpx.Response(200, json=[]), None),
        (httpx.Response(401, text="Unauthorized"), AuthFailed),
        (httpx.Response(403), NotPermitted),
        (httpx.Response(404), BadSettings),
        (httpx.Response(302, headers={"Location": "https://www.calltouch.ru/support/"}), BadSettings),
        (HELP_CENTRE, Transient),
        (httpx.Response(200, content=b"\n <html></html>"), Transient),
        (httpx.Response(400, json={"message": "dateFrom"}), VendorChanged),
        (httpx.Response(400, json={"data": {"validationErrorData": [{"message": "нет лида"}]}}), WriteRejected),
        (httpx.Response(422, json={"data": {"validationErrorData": ["нет лида"]}}), WriteRejected),
        (httpx.Response(400, json={"data": {"validationErrorData": None}}), VendorChanged),
        (httpx.Response(429, json={"message": "Исчерпан суточный лимит баллов"}), QuotaExhausted),
        (httpx.Response(403, json={"message": "Закончились баллы"}), QuotaExhausted),
        (httpx.Response(429, json={"message": "Превышено количество запросов в секунду"}), None),
        (httpx.Response(400, json={"message": "Сделка «Баллы» не найдена"}), VendorChanged),
        (httpx.Response(429), None),  # the engine's own table knows these
        (httpx.Response(502, html="<html>"), None),
    ],
)
def test_errors(answer: httpx.Response, kind: type[VendorError] | None) -> None:
    error = error_of(answer)
    assert type(error) is (type(None) if kind is None else kind)


def test_a_spent_budget_is_waited_for_until_the_vendors_midnight() -> None:
    told = {"message": "Исчерпан суточный лимит баллов"}
    answer = httpx.Response(429, json=told, headers={"Date": "Tue, 24 Nov 2026 20:30:00 GMT"})
    error = error_of(answer)
    assert isinstance(error, QuotaExhausted)
    assert error.until == datetime(2026, 11, 24, 21, tzinfo=UTC)  # midnight in Moscow
    assert "points" in error.sentence
    assert "баллов" in error.sentence


def test_the_token_is_cut_out_of_the_vendors_words() -> None:
    error = error_of(httpx.Response(400, text="bad call /requests?clientApiId=secret-token&siteId=12345"))
    assert error is not None
    assert "secret-token" not in error.sentence
    assert "siteId=12345" in error.sentence


Router = Callable[[httpx.Request], httpx.Response]


def journals(
    calls: httpx.Response,
    requests: httpx.Response | None = None,
    orders: httpx.Response | None = None,
    write: httpx.Response | None = None,
) -> Router:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            assert request.headers["Access-Token"] == "secret-token"
            assert "clientApiId" not in request.url.params
            assert json.loads(request.content) == {"leads": []}, "a check must not change anything"
            return httpx.Response(200, json={"data": {"leads": []}}) if write is None else write
        assert request.url.params["clientApiId"] == "secret-token"
        if "orders-diary" in request.url.path:
            return httpx.Response(200, json=NO_CALLS) if orders is None else orders
        if request.url.path.endswith("/RestAPI/requests"):
            return httpx.Response(200, json=[]) if requests is None else requests
        return calls

    return answer


@pytest.mark.parametrize(
    ("handler", "ok", "words"),
    [
        (journals(httpx.Response(200, json=CALLS)), True, "example.com"),
        (journals(httpx.Response(200, json=NO_CALLS)), True, "site 12345"),
        (journals(httpx.Response(401)), False, "API token"),
        (journals(httpx.Response(403)), False, "site id"),
        (journals(httpx.Response(404)), False, "site id"),
        (journals(httpx.Response(301, headers={"Location": "/support"})), False, "site id"),
        (journals(HELP_CENTRE), False, "address of the API"),
        (journals(httpx.Response(200, json={"hello": "world"})), False, "isn't Calltouch"),
        (journals(httpx.Response(200, text="it works")), False, "isn't Calltouch"),
        (journals(httpx.Response(400, text="siteId?")), False, "siteId?"),
        (journals(httpx.Response(503)), False, "503"),
    ],
)
async def test_check_says_what_is_wrong(session_to: Any, handler: Router, ok: bool, words: str) -> None:
    health = await CONNECTOR.check(session_to(CONNECTOR, SETTINGS, handler))
    assert health.ok is ok
    assert words in health.sentence
    assert "secret-token" not in repr(health)


@pytest.mark.parametrize("status", [401, 403])
async def test_check_warns_of_a_token_that_may_not_write(session_to: Any, status: int) -> None:
    handler = journals(httpx.Response(200, json=CALLS), write=httpx.Response(status))
    health = await CONNECTOR.check(session_to(CONNECTOR, SETTINGS, handler))
    assert health.ok
    (warning,) = health.warnings
    assert "may read but not write" in warning


async def test_a_refused_empty_change_is_no_warning(session_to: Any) -> None:
    handler = journals(httpx.Response(200, json=CALLS), write=httpx.Response(400, json={"message": "leads"}))
    assert (await CONNECTOR.check(session_to(CONNECTOR, SETTINGS, handler))).warnings == ()


async def test_check_warns_of_deals_that_may_be_counted_twice_or_not_be_read(session_to: Any) -> None:
    settings = SETTINGS.model_copy(update={"orders": "deals"})
    handler = journals(httpx.Response(200, json=CALLS), orders=httpx.Response(403))
    health = await CONNECTOR.check(session_to(CONNECTOR, settings, handler))
    twice, closed = health.warnings
    assert "counted twice" in twice
    assert "The deals of the cabinet can't be read" in closed


async def test_check_compares_the_time_zone_with_what_the_cabinet_writes(session_to: Any) -> None:
    call = {"callId": 1, "timestamp": 1775200530, "date": "03/04/2026 12:15:30"}
    page = CALLS | {"records": [call]}
    health = await CONNECTOR.check(session_to(CONNECTOR, SETTINGS, journals(httpx.Response(200, json=page))))
    (warning,) = health.warnings
    assert "UTC+5, which isn't Europe/Moscow" in warning
    there = SETTINGS.model_copy(update={"time_zone": "Asia/Yekaterinburg"})
    health = await CONNECTOR.check(session_to(CONNECTOR, there, journals(httpx.Response(200, json=page))))
    assert health.warnings == ()


async def test_check_warns_of_a_beginning_that_has_not_come(session_to: Any) -> None:
    settings = SETTINGS.model_copy(update={"since": date(2999, 1, 1)})
    health = await CONNECTOR.check(session_to(CONNECTOR, settings, journals(httpx.Response(200, json=CALLS))))
    assert "hasn't come yet" in health.warnings[0]


async def test_check_warns_of_a_silent_site_and_of_requests_that_can_not_be_read(session_to: Any) -> None:
    handler = journals(httpx.Response(200, json=NO_CALLS), httpx.Response(403))
    health = await CONNECTOR.check(session_to(CONNECTOR, SETTINGS, handler))
    assert health.ok
    silent, closed = health.warnings
    assert "no call in the last 7 days" in silent
    assert "Requests from the site can't be read" in closed


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"token": None}, "copy the token"),
        ({"token": " \n"}, "copy the token"),
        ({"token": "abc def"}, "only the token itself"),
        ({"token": "clientApiId=abc"}, "only the token itself"),
        ({"token": "https://api.calltouch.ru/abc"}, "only the token itself"),
        ({"token": "токен"}, "only the token itself"),
        ({"site_id": ""}, "the number of the cabinet"),
        ({"site_id": [1]}, "the number of the cabinet"),
        ({"site_id": "my site"}, "digits only, like 12345"),
        ({"site_id": "12 345"}, "digits only"),
        ({"site_id": "0"}, "digits only"),
        ({"site_id": "1" * 13}, "digits only"),
        ({"time_zone": "Moscow"}, "like Europe/Moscow"),
        ({"time_zone": ["Europe/Moscow"]}, "like Europe/Moscow"),
        ({"reread_days": 0}, "from 1 to 90"),
        ({"reread_days": "ten"}, "from 1 to 90"),
        ({"reread_days": 1.5}, "from 1 to 90"),
        ({"reread_days": True}, "from 1 to 90"),
        ({"orders": "yes"}, "ignored, evidence, deals"),
        ({"since": "01.02.2026"}, "like 2026-01-31"),
        ({"since": 7}, "like 2026-01-31"),
        ({"base_url": "api.calltouch.ru"}, "begins with https://"),
        ({"base_url": "https://api.calltouch.ru/a b"}, "isn't an address"),
        ({"base_url": "https://"}, "isn't an address"),
        ({"base_url": "https://me:pass@api.calltouch.ru"}, "isn't an address"),
        ({"base_url": "https://api.calltouch.ru?clientApiId=x"}, "bare address"),
        ({"base_url": "https://api.calltouch.ru:99999"}, "isn't an address"),
    ],
)
def test_a_wrong_setting_gets_a_plain_sentence(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as refused:
        CalltouchSettings(**({"token": "t", "site_id": "1"} | values))
    (problem,) = refused.value.errors()
    assert problem["loc"] == (next(iter(values)),)
    assert words in problem["msg"]
    assert not {"pattern", "Input", "regex"} & set(problem["msg"].split())


def test_settings_as_people_paste_them() -> None:
    pasted: dict[str, Any] = {"token": " t0ken\n", "site_id": 12345, "since": "", "reread_days": "30"}
    settings = CalltouchSettings(**pasted, base_url="http://h:1/x ")
    assert settings.token.get_secret_value() == "t0ken"
    assert (settings.site_id, settings.since, settings.reread_days) == ("12345", None, 30)
    with pytest.raises(ValidationError):
        CalltouchSettings(**(pasted | {"site": "2"}))


def test_the_token_does_not_show() -> None:
    assert "secret-token" not in repr(SETTINGS)
    assert "secret-token" not in json.dumps(SETTINGS.model_dump(mode="json"))
    assert "secret-token" not in CONNECTOR.account(SETTINGS)
