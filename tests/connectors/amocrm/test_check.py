"""What the check says to the person who connects an account; answers come over httpx, made by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from connectors.amocrm import CONNECTOR
from connectors.amocrm.settings import AmoCrmSettings
from connectors.contract import Health, VendorRequest, VendorResponse

USERS = httpx.Response(200, json={"_embedded": {"users": [{"id": 1}]}})
FORBIDDEN = httpx.Response(403, json={"title": "Forbidden", "status": 403})


class Session:
    """Sends without retries, and tells errors as the engine does."""

    def __init__(self, settings: AmoCrmSettings, account: httpx.Response, users: httpx.Response) -> None:
        self.settings = settings
        answers = {"/api/v4/account": account, "/api/v4/users": users}
        self._client = httpx.AsyncClient(
            base_url=CONNECTOR.base_url(settings),
            transport=httpx.MockTransport(lambda request: answers[request.url.path]),
        )

    async def send(self, request: VendorRequest) -> VendorResponse:
        response = await self._client.request(request.method, request.path, params=dict(request.query))
        assert CONNECTOR.error_of is not None
        error = CONNECTOR.error_of(response)
        if error is not None:
            raise error
        return VendorResponse(response.status_code, response.headers, response.content)


async def check(settings: AmoCrmSettings, account: httpx.Response, users: httpx.Response = USERS) -> Health:
    return await CONNECTOR.check(Session(settings, account, users))


async def test_a_good_account(settings: AmoCrmSettings, sample: Callable[[str], Any]) -> None:
    account = httpx.Response(200, json=sample("account_get.response"))
    assert await check(settings, account) == Health(True, "Connected to the account 'example'.", "example", ())


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (httpx.Response(401, json={"title": "Unauthorized"}), "doesn't accept the token"),
        (httpx.Response(402, json={"title": "Payment Required"}), "paid period has ended"),
        (httpx.Response(403, html="<html>"), "blocked"),
        (FORBIDDEN, "as an administrator"),
        (httpx.Response(404, json={}), "no such amoCRM account"),
        (httpx.Response(301, headers={"Location": "https://www.amocrm.ru/"}), "points to www.amocrm.ru"),
        (httpx.Response(200, html="<html>"), "Check that the account address is right"),
        (httpx.Response(200, json={"hello": 1}), "isn't amoCRM"),
        (httpx.Response(204), "isn't amoCRM"),
    ],
)
async def test_what_is_wrong_is_said(settings: AmoCrmSettings, answer: httpx.Response, words: str) -> None:
    health = await check(settings, answer)
    assert not health.ok
    assert words in health.sentence


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"is_api_filter_enabled": False}, "API filtering is off"),
        ({"currency": "KZT"}, "currency is KZT, the settings say RUB"),
        ({"_embedded": {"datetime_settings": {"timezone": "Asia/Omsk"}}}, "time zone is Asia/Omsk"),
    ],
)
async def test_what_differs_is_a_warning(
    settings: AmoCrmSettings, sample: Callable[[str], Any], changes: dict[str, Any], words: str
) -> None:
    health = await check(settings, httpx.Response(200, json=sample("account_get.response") | changes))
    assert health.ok
    (warning,) = health.warnings
    assert words in warning


async def test_without_an_administrators_right_users_are_missing(
    settings: AmoCrmSettings, sample: Callable[[str], Any]
) -> None:
    health = await check(settings, httpx.Response(200, json=sample("account_get.response")), FORBIDDEN)
    assert health.ok
    (warning,) = health.warnings
    assert "isn't an administrator" in warning


@pytest.mark.parametrize(
    ("typed", "base"),
    [
        ("https://firm.amocrm.ru", "https://firm.amocrm.ru"),
        ("firm.amocrm.ru", "https://firm.amocrm.ru"),
        (" https://Firm.amocrm.ru/leads/pipeline/123?x=1 ", "https://firm.amocrm.ru"),
        ("https://firm.kommo.com/", "https://firm.kommo.com"),
        ("http://127.0.0.1:8800/amocrm/", "http://127.0.0.1:8800/amocrm"),
    ],
)
def test_addresses_as_people_type_them(typed: str, base: str) -> None:
    assert CONNECTOR.base_url(AmoCrmSettings(base_url=typed, access_token="t")) == base


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"base_url": "firm"}, "isn't an address"),
        ({"base_url": "ftp://firm.amocrm.ru"}, "isn't an address"),
        ({"base_url": "https://me@firm.amocrm.ru"}, "isn't an address"),
        ({"base_url": "https://www.amocrm.ru"}, "vendor's own site"),
        ({"base_url": "amocrm.ru"}, "vendor's own site"),
        ({"timezone": "Moscow"}, "no time zone 'Moscow'"),
        ({"currency": "rub."}, "currency"),
        ({"refresh_token": "r"}, "Integration ID, Secret key, Redirect address"),
        ({"refresh_token": "r", "client_id": "i", "redirect_uri": "u"}, "needed too: Secret key"),
    ],
)
def test_settings_that_cant_be_right(changes: dict[str, str], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        AmoCrmSettings.model_validate({"base_url": "firm.amocrm.ru", "access_token": "acc3ss"} | changes)
    assert words in str(caught.value)
    assert "acc3ss" not in str(caught.value)


def test_no_secret_is_in_a_repr(settings: AmoCrmSettings) -> None:
    assert CONNECTOR.tokens is not None
    shown = repr(settings) + repr(CONNECTOR.tokens(settings))
    assert not any(secret in shown for secret in ("acc3ss", "r3fresh", "s3cr3t"))


def test_each_setting_says_what_it_is_and_where_to_find_it() -> None:
    for field in AmoCrmSettings.model_fields.values():
        assert field.title
        assert field.description
