"""Settings of every connector, wrong in every way: a plain sentence each time, on the field to blame, and no secret
in it. A new folder in ``connectors`` is tested as it stands, once it says here what right settings are."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from connectors.contract import Connector, Health
from connectors.errors import VendorError
from connectors.registry import all_connectors
from sync import vendor
from sync.errors import SettingsRefused
from sync.parsing import parse_settings
from sync.vendor import Unstored, VendorClient

SECRET = "s3cr3tKEY0123456789abcdef"
RIGHT: dict[str, dict[str, Any]] = {
    "advantshop": {"base_url": "https://shop.example", "api_key": SECRET},
    "altcraft": {"base_url": "https://ru.altkraft.com", "token": SECRET, "db_id": 1},
    "amocrm": {"base_url": "https://firm.amocrm.ru", "access_token": SECRET},
    "aspro_cloud": {"base_url": "https://firm.aspro.cloud", "api_key": SECRET},
    "bitrix24": {"webhook_url": f"https://firm.bitrix24.ru/rest/1/{SECRET}/"},
    "bottlecrm": {"base_url": "https://crm.example.org", "access_token": SECRET},
    "calltouch": {"token": SECRET, "site_id": "12345"},
    "clickfraud": {"token": SECRET, "site_id": "site_1"},
    "file": {"kind": "costs", "file": "0" * 64},
    "google_ads": {
        "customer_id": "123-456-7890",
        "client_id": "app",
        "client_secret": SECRET,
        "refresh_token": SECRET,
        "access_token": SECRET,
    },
    "onec": {"base_url": "https://server/base", "login": "skvoz", "password": SECRET, "timezone": "Europe/Moscow"},
    "tryton": {"base_url": "https://tryton.example.org", "database": "firm", "api_key": SECRET},
    "vk_ads": {"client_id": "app", "client_secret": SECRET, "access_token": SECRET},
    "yandex_direct": {"token": SECRET},
    "yandex_metrica": {"token": SECRET, "counter_id": "12345"},
}
WRONG: tuple[Any, ...] = (
    None,
    "",
    "   ",
    "x" * 200_000,
    "'; drop table client; --",
    "../../etc/passwd",
    "https://",
    "http://[::1",
    "javascript:alert(1)",
    "file:///etc/passwd",
    "{{7*7}}\r\nX-Injected: 1",
    "ключ\u0000",
    -1,
    10**30,
    1.5,
    True,
    [],
    {"a": 1},
)
JARGON = re.compile(r"Input should|Traceback|pydantic|[a-z]Error\b|<class|String should|NoneType|\\d|\^\[")
every_connector = pytest.mark.parametrize("connector", all_connectors().values(), ids=lambda each: each.key)


def plain(sentence: str) -> None:
    assert len(sentence) > 15, sentence
    assert sentence.endswith((".", "!", "?")), sentence
    assert JARGON.search(sentence) is None, sentence
    assert SECRET not in sentence


def refused(connector: Connector[Any], values: dict[str, Any]) -> SettingsRefused | None:
    try:
        parse_settings(connector, values)
    except SettingsRefused as error:
        return error
    return None


@every_connector
def test_each_setting_missing_empty_or_absurd_gets_a_sentence_of_its_own(connector: Connector[Any]) -> None:
    right = RIGHT[connector.key]
    assert refused(connector, right) is None
    for name, field in connector.settings.model_fields.items():
        without = refused(connector, {key: value for key, value in right.items() if key != name})
        assert without is not None or not field.is_required()
        for wrong in WRONG:
            error = refused(connector, {**right, name: wrong})
            if connector.settings.is_secret(name) and field.is_required() and not isinstance(wrong, str):
                assert error is not None, (name, wrong)
            for problem in [*(error.problems if error else ()), *(without.problems if without else ())]:
                plain(problem.sentence)
                assert problem.field in (name, None), (name, wrong, problem)
                if problem.field is not None:
                    assert str(field.title) in problem.sentence
    unknown = refused(connector, {**right, "api_kee": SECRET})
    assert unknown is not None
    assert [problem.field for problem in unknown.problems] == ["api_kee"]
    plain(unknown.problems[0].sentence)


def _json(status: int, content: Any) -> httpx.Response:
    return httpx.Response(status, content=json.dumps(content), headers={"content-type": "application/json"})


def _page(status: int) -> httpx.Response:
    content = "<!DOCTYPE html><html><body>Sign in</body></html>"
    return httpx.Response(status, text=content, headers={"content-type": "text/html"})


ANSWERS: dict[str, Callable[[httpx.Request], httpx.Response]] = {
    "wrong key": lambda request: _json(401, {"error": "invalid_token", "message": f"Unknown token {SECRET}"}),
    "no right": lambda request: _json(403, {"error": "forbidden", "detail": f"{request.url}"}),
    "wrong account": lambda request: _json(404, {"error": "not found"}),
    "refusal in a success": lambda request: _json(200, {"error": {"code": 53, "message": f"no {SECRET}"}}),
    "server down": lambda request: httpx.Response(503, text="upstream"),
    "crash": lambda request: _page(500),
    "redirect": lambda request: httpx.Response(302, headers={"location": f"https://login.example/?{SECRET}"}),
    "page of HTML": lambda request: _page(200),
    "nothing": lambda request: httpx.Response(200),
    "empty object": lambda request: _json(200, {}),
    "empty list": lambda request: _json(200, []),
    "null": lambda request: _json(200, None),
    "a number": lambda request: _json(200, 7),
    "bytes": lambda request: httpx.Response(200, content=b"\x00\xff\xfe{"),
    "wrong shape": lambda request: _json(200, {"result": 5, "data": "x", "items": {"a": 1}, "value": None}),
}


class _Unlimited:
    """A budget that lets everything through at once."""

    waited_seconds = 0.0

    async def acquire(self) -> None: ...

    async def hold(self, seconds: float) -> None: ...


async def checked(
    connector: Connector[Any], handler: Callable[[httpx.Request], httpx.Response], folder: Path, **changes: Any
) -> str:
    """What connecting says, over the engine's own client."""
    settings = parse_settings(connector, RIGHT[connector.key] | changes)
    auth = None if connector.auth is None else connector.auth(settings, Unstored(connector, settings))
    async with httpx.AsyncClient(transport=httpx.MockTransport(handler)) as http:
        budget: Any = _Unlimited()
        client = VendorClient(connector, settings, http, budget, None, auth, folder)
        try:
            health: Health = await connector.check(client)
        except VendorError as error:
            return error.sentence
    assert not health.ok, health
    return health.sentence


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vendor, "_wait", lambda _state: 0.0)
    monkeypatch.setattr(vendor, "ATTEMPTS", 2)


def _cut(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("[Errno -2] Name or service not known")


@pytest.mark.parametrize("key", sorted(set(all_connectors()) - {"file"}))
async def test_whatever_answers_instead_is_told_in_a_sentence(key: str, tmp_path: Path) -> None:
    connector = all_connectors()[key]
    wrong: dict[str, str] = {}
    for what, handler in {**ANSWERS, "no such host": _cut}.items():
        try:
            plain(await checked(connector, handler, tmp_path))
        except Exception as error:  # noqa: BLE001 - all of them are to be seen at once
            wrong[what] = f"{type(error).__name__}: {error}"[:300]
    assert wrong == {}


@every_connector
async def test_a_secret_that_no_request_can_bear_is_told(connector: Connector[Any], tmp_path: Path) -> None:
    secrets = [name for name in RIGHT[connector.key] if connector.settings.is_secret(name)]
    for name in secrets:
        for told in ("ключ с буквами", "two\r\nlines: 1"):
            error = refused(connector, {**RIGHT[connector.key], name: told})
            sentence = (
                await checked(connector, ANSWERS["server down"], tmp_path, **{name: told})
                if error is None
                else error.problems[0].sentence
            )
            plain(sentence)
            assert told not in sentence
