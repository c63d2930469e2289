"""Each way in which Bitrix24 refuses has its own meaning and a sentence that holds no secret."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from connectors.bitrix24.errors import error_of
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
    ("status", "code", "text", "kind"),
    [
        (401, "NO_AUTH_FOUND", "Wrong authorization data", AuthFailed),
        (401, "expired_token", "The access token provided has expired.", AuthFailed),
        (401, "invalid_token", "", AuthFailed),
        (401, "APPLICATION_NOT_FOUND", "", AuthFailed),
        (401, "METHOD_CONFIRM_WAITING", "", NotPermitted),
        (401, "SOMETHING_NEW", "", AuthFailed),
        (403, "insufficient_scope", "The request requires higher privileges", NotPermitted),
        (403, "INVALID_CREDENTIALS", "", NotPermitted),
        (403, "user_access_error", "", NotPermitted),
        (403, "ACCESS_DENIED", "REST API is available only on commercial plans", NotPermitted),
        (403, "WRONG_AUTH_TYPE", "", NotPermitted),
        (403, "allowed_only_intranet_user", "", NotPermitted),
        (403, "SOMETHING_NEW", "", NotPermitted),
        (400, "", "Access denied.", NotPermitted),
        (400, "INVALID_REQUEST", "Https required.", BadSettings),
        (400, "INVALID_ARG_VALUE", "Invalid filter: field 'X' is not allowed in filter", VendorChanged),
        (400, 100, "Could not find value for parameter {entityTypeId}", VendorChanged),
        (400, "ERROR_BATCH_LENGTH_EXCEEDED", "Max batch length exceeded", VendorChanged),
        (404, "ERROR_METHOD_NOT_FOUND", "Method not found!", NotPermitted),
        (410, "PORTAL_DELETED", "", BadSettings),
        (500, "PORTAL_DELETED", "", BadSettings),
        (429, "OPERATION_TIME_LIMIT", "Method is blocked due to operation time limit.", RateLimited),
        (429, "SOMETHING_NEW", "", RateLimited),
        (503, "QUERY_LIMIT_EXCEEDED", "Too many requests", RateLimited),
        (503, "OVERLOAD_LIMIT", "REST API is blocked due to overload.", AuthFailed),
        (500, "INTERNAL_SERVER_ERROR", "", Transient),
        (500, "ERROR_UNEXPECTED_ANSWER", "", Transient),
        (502, "SOMETHING_NEW", "", Transient),
    ],
)
def test_named_errors(status: int, code: str | int, text: str, kind: type[VendorError]) -> None:
    error = error_of(httpx.Response(status, json={"error": code, "error_description": text}))
    assert type(error) is kind


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (200, Transient),
        (401, AuthFailed),
        (403, Transient),
        (404, BadSettings),
        (429, RateLimited),
        (500, Transient),
        (502, Transient),
        (503, Transient),
    ],
)
def test_pages_instead_of_data(status: int, kind: type[VendorError]) -> None:
    assert type(error_of(httpx.Response(status, html="<html><body>Bitrix24</body></html>"))) is kind


def test_the_plan_is_named_as_the_reason() -> None:
    body = {"error": "ACCESS_DENIED", "error_description": "REST API is available only on commercial plans"}
    error = error_of(httpx.Response(403, json=body))
    assert error is not None
    assert "plan" in error.sentence


def test_a_moved_portal_is_named_without_the_code() -> None:
    error = error_of(httpx.Response(302, headers={"Location": "https://new.bitrix24.ru/rest/1/s3cr3t/batch"}))
    assert isinstance(error, BadSettings)
    assert error.field == "webhook_url"
    assert "new.bitrix24.ru" in error.sentence
    assert "s3cr3t" not in error.sentence


@pytest.mark.parametrize(
    "body", [{"result": True}, {"result": []}, {"result": {"categories": []}}, {"result": None}, [1]]
)
def test_data_is_no_error(body: Any) -> None:
    assert error_of(httpx.Response(200, json=body)) is None


def test_answers_of_live_portals(sample: Callable[[str], Any]) -> None:
    for name in ("real_call_single_success", "real_batch_list_empty", "real_crm_stagehistory_list"):
        assert error_of(httpx.Response(200, json=sample(name))) is None
    # Errors of commands with numbers for names come as a list, and nobody can tell whose they are.
    assert error_of(httpx.Response(200, json=sample("real_crm_get_batch_mix_success_and_errors"))) is None


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        ({"error": "QUERY_LIMIT_EXCEEDED", "error_description": "Too many requests"}, RateLimited),
        ({"error": "insufficient_scope", "error_description": ""}, NotPermitted),
        ({"error": "", "error_description": "Access denied"}, NotPermitted),
        ({"error": "ACCESS_DENIED", "error_description": "Access denied!"}, NotPermitted),
        ({"error": "ERROR_CORE", "error_description": "?"}, VendorChanged),
        ("Access denied", NotPermitted),
    ],
)
def test_the_first_command_of_a_batch_speaks_for_it(failure: Any, kind: type[VendorError]) -> None:
    body = {"result": {"result": [], "result_error": {"c0": failure}, "result_time": []}}
    assert type(error_of(httpx.Response(200, json=body))) is kind
    later = {"result": {"result": {"c0": []}, "result_error": {"c1": failure}}}
    assert error_of(httpx.Response(200, json=later)) is None


@pytest.mark.parametrize(
    ("reset_at", "headers", "wait"),
    [
        (1772366700, {"Date": "Sun, 01 Mar 2026 12:00:00 GMT"}, 300.0),
        (1772366400, {"Date": "Sun, 01 Mar 2026 12:00:00 GMT"}, 60.0),
        (None, {"Date": "Sun, 01 Mar 2026 12:00:00 GMT"}, 60.0),
        (1772366700, {}, 60.0),
        (1772366700, {"Date": "?"}, 60.0),
    ],
)
def test_a_blocked_method_is_waited_for(reset_at: int | None, headers: dict[str, str], wait: float) -> None:
    body = {"error": "OPERATION_TIME_LIMIT", "error_description": "", "time": {"operating_reset_at": reset_at}}
    error = error_of(httpx.Response(429, json=body, headers=headers))
    assert isinstance(error, RateLimited)
    assert error.wait_seconds == wait
