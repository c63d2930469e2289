"""Calltouch's refusals, the sentences of the check, and that the token shows nowhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from connectors.calltouch import CONNECTOR
from connectors.calltouch.health import error_of
from connectors.calltouch.settings import CalltouchSettings
from connectors.errors import AuthFailed, BadSettings, NotPermitted, Transient, VendorChanged, VendorError

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
        (httpx.Response(429), None),  # the engine's own table knows these
        (httpx.Response(502, html="<html>"), None),
    ],
)
def test_errors(answer: httpx.Response, kind: type[VendorError] | None) -> None:
    error = error_of(answer)
    assert type(error) is (type(None) if kind is None else kind)


def test_the_token_is_cut_out_of_the_vendors_words() -> None:
    error = error_of(httpx.Response(400, text="bad call /requests?clientApiId=secret-token&siteId=12345"))
    assert error is not None
    assert "secret-token" not in error.sentence
    assert "siteId=12345" in error.sentence


Router = Callable[[httpx.Request], httpx.Response]


def journals(calls: httpx.Response, requests: httpx.Response | None = None) -> Router:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.params["clientApiId"] == "secret-token"
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


async def test_check_warns_of_a_silent_site_and_of_requests_that_can_not_be_read(session_to: Any) -> None:
    handler = journals(httpx.Response(200, json=NO_CALLS), httpx.Response(403))
    health = await CONNECTOR.check(session_to(CONNECTOR, SETTINGS, handler))
    assert health.ok
    silent, closed = health.warnings
    assert "no call in the last 7 days" in silent
    assert "Requests from the site can't be read" in closed


@pytest.mark.parametrize(
    "settings",
    [
        {"token": "t", "site_id": "my site"},
        {"token": "", "site_id": "1"},
        {"token": "t", "site_id": "1", "time_zone": "Moscow"},
        {"token": "t", "site_id": "1", "base_url": "api.calltouch.ru"},
        {"token": "t", "site_id": "1", "reread_days": 0},
        {"token": "t", "site_id": "1", "site": "2"},
    ],
)
def test_settings_that_can_not_be_right(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CalltouchSettings(**settings)


def test_the_token_does_not_show() -> None:
    assert "secret-token" not in repr(SETTINGS)
    assert "secret-token" not in json.dumps(SETTINGS.model_dump(mode="json"))
    assert "secret-token" not in CONNECTOR.account(SETTINGS)
