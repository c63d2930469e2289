"""The check of the settings, wrong in every way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from connectors.yandex_metrica import CONNECTOR
from connectors.yandex_metrica.health import check
from connectors.yandex_metrica.settings import MetricaSettings
from sync.errors import SettingsRefused
from sync.parsing import parse_settings

SETTINGS = MetricaSettings(token="secret-token", counter_id="12345678")
COUNTER = {"id": 12345678, "name": "Shop", "time_zone_name": "Europe/Moscow", "code_status": "CS_OK"}
Sessions = Callable[..., Any]


def answering(counter: dict[str, Any] = COUNTER, goals: int = 1) -> Callable[[httpx.Request], httpx.Response]:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["authorization"] == "Bearer secret-token"
        if request.url.path.endswith("/goals"):
            return httpx.Response(200, json={"goals": [{"id": n, "name": f"Goal {n}"} for n in range(goals)]})
        if request.url.path.endswith("/logrequests"):
            return httpx.Response(200, json={"requests": []})
        return httpx.Response(200, json={"counter": counter})

    return answer


async def test_a_good_connection_names_site_zone_and_goals(session_to: Sessions) -> None:
    health = await check(session_to(CONNECTOR, SETTINGS, answering(goals=7)))
    assert health.ok
    assert health.account == "Shop"
    assert "time zone Europe/Moscow" in health.sentence
    assert "Goal 4 and 2 more" in health.sentence
    assert health.warnings == ()


async def test_a_counter_that_counts_nothing_is_warned_of(session_to: Sessions) -> None:
    asleep = COUNTER | {"code_status": "CS_NOT_FOUND", "status": "Deleted"}
    health = await check(session_to(CONNECTOR, SETTINGS, answering(asleep, goals=0)))
    assert health.ok
    assert "no goals" in health.sentence
    assert len(health.warnings) == 2


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (401, {"errors": [{"error_type": "unauthorized", "message": "x"}]}, "get a new one"),
        (403, {"errors": [{"error_type": "invalid_token", "message": "x"}]}, "get a new one"),
        (403, {"errors": [{"error_type": "access_denied", "message": "x"}]}, "metrika:read"),
        (404, {"errors": [{"error_type": "not_found", "message": "x"}]}, "no such counter"),
        (200, {"something": "else"}, "unknown shape"),
    ],
)
async def test_what_is_wrong_is_told_in_a_sentence(
    session_to: Sessions, status: int, body: dict[str, Any], words: str
) -> None:
    health = await check(session_to(CONNECTOR, SETTINGS, lambda _: httpx.Response(status, json=body)))
    assert not health.ok
    assert words in health.sentence
    assert "secret-token" not in health.sentence


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({}, "«OAuth token» is needed"),
        ({"token": "t"}, "«Counter's number» is needed"),
        ({"token": "t", "counter_id": "abc"}, "«Counter's number» can't be used"),
        ({"token": "t", "counter_id": "1", "reread_days": "0"}, "«Days to read again» can't be used"),
        ({"token": "t", "counter_id": "1", "base_url": "metrika"}, "«Address of the API» can't be used"),
        ({"token": "t", "counter_id": "1", "counter": "1"}, "has no setting 'counter'"),
    ],
)
def test_wrong_settings_are_refused(values: dict[str, str], sentence: str) -> None:
    with pytest.raises(SettingsRefused, match=sentence):
        parse_settings(CONNECTOR, values)
