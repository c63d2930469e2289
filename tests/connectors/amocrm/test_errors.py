"""Each way in which amoCRM refuses has its own meaning and a sentence that holds no secret."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from connectors.amocrm.errors import error_of
from connectors.errors import (
    AuthFailed,
    BadSettings,
    NotPermitted,
    RateLimited,
    Transient,
    VendorChanged,
    VendorError,
)


@pytest.mark.parametrize(
    ("status", "file", "kind"),
    [
        (401, "error_401.response", AuthFailed),
        (402, "error_402.response", NotPermitted),
        (422, "error_422.response", VendorChanged),
        (400, "error_400_validation.response", VendorChanged),
        (429, "error_429.response", RateLimited),
    ],
)
def test_the_vendors_own_errors(
    sample: Callable[[str], Any], status: int, file: str, kind: type[VendorError]
) -> None:
    assert type(error_of(httpx.Response(status, json=sample(file)))) is kind


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (httpx.Response(403, json={"title": "Forbidden", "status": 403}), NotPermitted),
        (httpx.Response(403, html="<html><h1>403 Forbidden</h1>nginx</html>"), AuthFailed),
        (httpx.Response(404, json={"title": "Not Found"}), BadSettings),
        (httpx.Response(404, html="<html>"), BadSettings),
        (httpx.Response(301, headers={"Location": "https://www.amocrm.ru/"}), BadSettings),
        (httpx.Response(429, html="<html>"), RateLimited),
        (httpx.Response(500, json={"title": "ErrInternalServer", "status": 500}), Transient),
        (httpx.Response(504, html="<html>"), Transient),
        (httpx.Response(200, html="<html>Log in</html>"), Transient),
    ],
)
def test_other_refusals(response: httpx.Response, kind: type[VendorError]) -> None:
    assert type(error_of(response)) is kind


def test_a_block_is_told_from_a_missing_right() -> None:
    blocked = error_of(httpx.Response(403, html="<html>"))
    unequal = error_of(httpx.Response(403, json={"title": "Forbidden"}))
    assert blocked is not None
    assert unequal is not None
    assert "support" in blocked.sentence
    assert "administrator" in unequal.sentence


@pytest.mark.parametrize(
    ("body", "headers", "wait"),
    [
        ({"retry_after": 300}, {}, 300.0),
        ({"retry_after": 3}, {"Retry-After": "9"}, 3.0),
        ({}, {"Retry-After": "9"}, 9.0),
        ({}, {}, None),
        ({}, {"Retry-After": "soon"}, None),
    ],
)
def test_how_long_to_wait(body: dict[str, int], headers: dict[str, str], wait: float | None) -> None:
    error = error_of(httpx.Response(429, json=body, headers=headers))
    assert isinstance(error, RateLimited)
    assert error.wait_seconds == wait


@pytest.mark.parametrize(
    "response", [httpx.Response(204), httpx.Response(200, json={"_embedded": {}}), httpx.Response(200, json=[])]
)
def test_data_and_nothing_are_no_errors(response: httpx.Response) -> None:
    assert error_of(response) is None
