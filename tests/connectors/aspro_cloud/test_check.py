"""Settings that are wrong in every way, each answered by a plain sentence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from connectors.aspro_cloud import CONNECTOR
from connectors.aspro_cloud.settings import AsproCloudSettings

ME = {"response": {"id": 1, "name": "Анна", "timezone": "Europe/Moscow"}}
EMPTY = {"response": {"total": 0, "page": 1, "count": 0, "items": []}}
NO_KEY = {"error": {"error_code": 11, "error_msg": "access denied"}}
NOT_FOUND = {"error": {"error_code": 20, "error_msg": "not found"}}


def portal(**answers: httpx.Response) -> Callable[[httpx.Request], httpx.Response]:
    """A portal in which all is well, but for the entities that are named."""

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.params["api_key"] == "k3y"
        entity = request.url.path.split("/")[-2]
        return answers.get(entity) or httpx.Response(200, json=ME if entity == "user" else EMPTY)

    return answer


async def test_a_good_key(settings: AsproCloudSettings, session_to: Any) -> None:
    health = await CONNECTOR.check(session_to(CONNECTOR, settings, portal()))
    assert (health.ok, health.sentence, health.warnings) == (True, "Connected to firm.aspro.cloud as Анна.", ())


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (httpx.Response(200, json=NO_KEY), "doesn't accept the API key"),
        (httpx.Response(401, json={"error": "Access token has been revoked"}), "make a new API key"),
        (
            httpx.Response(302, headers={"location": "https://aspro.cloud/"}),
            "no Aspro.Cloud portal at this address",
        ),
        (httpx.Response(200, html="<html>"), "Check that the portal address is right"),
        (httpx.Response(404, html="<html>"), "no Aspro.Cloud portal at this address"),
        (httpx.Response(403, json={"error": "forbidden"}), "the module Users"),
        (httpx.Response(429), "asked too often"),
        (httpx.Response(500), "error of its own"),
        (httpx.Response(200, json={"response": "hello"}), "isn't Aspro.Cloud"),
    ],
)
async def test_what_is_wrong_is_said(
    settings: AsproCloudSettings, session_to: Any, answer: httpx.Response, words: str
) -> None:
    health = await CONNECTOR.check(session_to(CONNECTOR, settings, portal(user=answer)))
    assert not health.ok
    assert words in health.sentence


async def test_a_closed_module_is_a_warning_and_all_of_them_a_refusal(
    settings: AsproCloudSettings, session_to: Any
) -> None:
    closed = httpx.Response(200, json=NOT_FOUND)
    some = await CONNECTOR.check(session_to(CONNECTOR, settings, portal(act=closed)))
    assert some.ok
    assert some.warnings == ("The API key doesn't open a module: acts aren't read.",)
    entities = ("account", "invoice", "act", "customer_payment", "tasks")
    none = await CONNECTOR.check(session_to(CONNECTOR, settings, portal(**dict.fromkeys(entities, closed))))
    assert not none.ok
    assert "opens no module" in none.sentence


async def test_another_time_zone_is_a_warning(settings: AsproCloudSettings, session_to: Any) -> None:
    there = settings.model_copy(update={"timezone": "Asia/Omsk"})
    health = await CONNECTOR.check(session_to(CONNECTOR, there, portal()))
    assert "Europe/Moscow" in health.warnings[0]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"base_url": "my company"}, "must look like https://your-company.aspro.cloud"),
        ({"base_url": "https://aspro.cloud"}, "the vendor's own site"),
        ({"base_url": "https://my.aspro.cloud/login"}, "the vendor's own site"),
        ({"timezone": "Moscow"}, "no time zone 'Moscow'"),
        ({"currency": "рубли"}, "pattern"),
        ({"currency_ids": "RUB"}, "no pair"),
        ({"currency_ids": "RUB=1"}, "no number and currency"),
        ({"utm_fields": "source=cf_1"}, "no tag 'source'"),
        ({"utm_fields": "utm_source=12"}, "no custom field"),
    ],
)
def test_settings_that_can_not_be(wrong: dict[str, str], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        AsproCloudSettings(**{"base_url": "firm.aspro.cloud", "api_key": "k3y"} | wrong)


def test_the_address_may_be_pasted_with_a_page(settings: AsproCloudSettings) -> None:
    pasted = AsproCloudSettings(base_url="https://Firm.aspro.cloud/_module/crm/lead", api_key="k3y")
    assert CONNECTOR.base_url(pasted) == "https://firm.aspro.cloud/api/v1/module"
    assert "k3y" not in repr(pasted)
