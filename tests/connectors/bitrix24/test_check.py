"""What the check says to the person who connects a portal; answers come over httpx, made by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from connectors.bitrix24 import CONNECTOR
from connectors.bitrix24.settings import Bitrix24Settings
from connectors.contract import Health, VendorRequest, VendorResponse

ADMIN = httpx.Response(200, json={"result": {"ID": "1", "ADMIN": True, "NAME": "Анна", "LAST_NAME": "Орлова"}})
SCOPES = httpx.Response(200, json={"result": ["crm", "telephony", "user_brief"]})
CLASSIC = httpx.Response(200, json={"result": 1})
GOOD = {"profile": ADMIN, "scope": SCOPES, "crm.settings.mode.get": CLASSIC}


class Session:
    """Sends without retries, and tells errors as the engine does."""

    def __init__(self, settings: Bitrix24Settings, answers: Mapping[str, httpx.Response]) -> None:
        self.settings = settings
        self._client = httpx.AsyncClient(
            base_url=CONNECTOR.base_url(settings),
            transport=httpx.MockTransport(lambda request: answers[request.url.path.rpartition("/")[2]]),
        )

    async def send(self, request: VendorRequest) -> VendorResponse:
        response = await self._client.request(request.method, request.path, json=request.json)
        assert CONNECTOR.error_of is not None
        error = CONNECTOR.error_of(response)
        if error is not None:
            raise error
        return VendorResponse(response.status_code, response.headers, response.content)


async def check(settings: Bitrix24Settings, **answers: httpx.Response) -> Health:
    spelled = {name.replace("__", "."): answer for name, answer in answers.items()}
    return await CONNECTOR.check(Session(settings, GOOD | spelled))


def refused(status: int, code: str, text: str = "") -> httpx.Response:
    return httpx.Response(status, json={"error": code, "error_description": text})


async def test_a_good_webhook(settings: Bitrix24Settings) -> None:
    assert await check(settings) == Health(
        True, "Connected to firm.bitrix24.ru as Анна Орлова.", "firm.bitrix24.ru", ()
    )


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (refused(401, "NO_AUTH_FOUND"), "doesn't accept the webhook's code"),
        (httpx.Response(404, html="<html>"), "no Bitrix24 portal at this address"),
        (httpx.Response(200, html="<html>"), "Check that the webhook address is your portal's"),
        (httpx.Response(200, json={"hello": 1}), "isn't Bitrix24's"),
        (httpx.Response(302, headers={"Location": "https://other.bitrix24.ru/x"}), "moved to other.bitrix24.ru"),
        (refused(403, "ACCESS_DENIED", "REST API is available only on commercial plans"), "paid Bitrix24 plan"),
        (refused(410, "PORTAL_DELETED"), "has been deleted"),
        (refused(503, "OVERLOAD_LIMIT"), "Bitrix24's support"),
    ],
)
async def test_what_is_wrong_is_said(settings: Bitrix24Settings, answer: httpx.Response, words: str) -> None:
    health = await check(settings, profile=answer)
    assert not health.ok
    assert words in health.sentence
    assert "s3cr3tc0de" not in repr(health)


async def test_no_crm_permission_is_fatal(settings: Bitrix24Settings) -> None:
    health = await check(settings, scope=httpx.Response(200, json={"result": ["telephony", "user"]}))
    assert not health.ok
    assert "lacks the permission CRM" in health.sentence


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({"scope": httpx.Response(200, json={"result": ["crm", "user"]})}, "telephony: calls aren't read"),
        ({"scope": httpx.Response(200, json={"result": ["crm", "telephony"]})}, "names of managers aren't read"),
        ({"crm__settings__mode__get": httpx.Response(200, json={"result": 2})}, "simple CRM mode"),
        ({"profile": httpx.Response(200, json={"result": {"ADMIN": False}})}, "isn't an administrator"),
    ],
)
async def test_what_works_but_less_is_a_warning(settings: Bitrix24Settings, answers: Any, words: str) -> None:
    health = await check(settings, **answers)
    assert health.ok
    (warning,) = health.warnings
    assert words in warning


async def test_an_unknown_crm_mode_is_no_obstacle(settings: Bitrix24Settings) -> None:
    health = await check(settings, crm__settings__mode__get=refused(403, "insufficient_scope"))
    assert (health.ok, health.warnings) == (True, ())


@pytest.mark.parametrize(
    ("pasted", "base"),
    [
        ("https://firm.bitrix24.ru/rest/1/abc/", "https://firm.bitrix24.ru/rest/1/abc"),
        ("https://firm.bitrix24.ru/rest/12/abc", "https://firm.bitrix24.ru/rest/12/abc"),
        ("  https://firm.bitrix24.ru/rest/1/abc/crm.deal.list.json ", "https://firm.bitrix24.ru/rest/1/abc"),
        ("https://crm.firm.ru:8443/rest/1/abc/profile/", "https://crm.firm.ru:8443/rest/1/abc"),
        ("http://127.0.0.1:8800/bitrix24/rest/1/abc/", "http://127.0.0.1:8800/bitrix24/rest/1/abc"),
    ],
)
def test_addresses_as_people_paste_them(pasted: str, base: str) -> None:
    assert CONNECTOR.base_url(Bitrix24Settings(webhook_url=pasted)) == base


@pytest.mark.parametrize(
    "pasted",
    [
        "",
        "firm.bitrix24.ru",
        "https://firm.bitrix24.ru",
        "https://firm.bitrix24.ru/rest/abc/",
        "https://firm.bitrix24.ru/crm/deal/list/",
        "ftp://firm.bitrix24.ru/rest/1/abc/",
        "https://user@firm.bitrix24.ru/rest/1/abc/",
        "https://firm.bitrix24.ru\\@evil.example/rest/1/abc/",
        "https://firm.bitrix24.ru/rest/1/abc/?x=1",
    ],
)
def test_what_is_no_webhook_is_told_without_repeating_it(pasted: str) -> None:
    with pytest.raises(ValidationError, match="not the address of an incoming webhook") as caught:
        Bitrix24Settings(webhook_url=pasted)
    assert not pasted or pasted not in str(caught.value)


def test_the_code_is_in_no_repr(settings: Bitrix24Settings) -> None:
    assert "s3cr3tc0de" not in repr(settings)


def test_limits_are_counted_for_the_portal(settings: Bitrix24Settings) -> None:
    other = Bitrix24Settings(webhook_url="https://FIRM.bitrix24.ru/rest/7/other/")
    assert CONNECTOR.account(settings) == CONNECTOR.account(other) == "firm.bitrix24.ru"


def test_each_setting_says_what_it_is_and_where_to_find_it() -> None:
    for field in Bitrix24Settings.model_fields.values():
        assert field.title
        assert field.description
