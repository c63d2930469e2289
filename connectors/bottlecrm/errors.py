"""What BottleCRM's refusals mean. The numbers in brackets are facts in BEHAVIOR.md."""

from __future__ import annotations

from typing import Any

import httpx
import msgspec

from connectors.errors import (
    AuthFailed,
    BadSettings,
    NotPermitted,
    Transient,
    VendorChanged,
    VendorError,
    WriteRejected,
)

_NO_CONTEXT = "organization context"


class _Refusal(msgspec.Struct):
    error: Any = None
    errors: Any = None
    detail: Any = None


def error_of(response: httpx.Response) -> VendorError | None:
    """The error that an answer is, or None when it holds data [2]."""
    status = response.status_code
    if status >= 500:
        # [10] What was sent may have been stored all the same: it is looked for before it is sent again.
        return Transient(f"BottleCRM had an error of its own (status {status}).")
    if status < 400:
        return None
    words, field = _said(response)
    if status == 401 or (status == 403 and _NO_CONTEXT in words.casefold()):
        return AuthFailed(
            "BottleCRM doesn't accept the token: it was revoked, has expired or was copied incompletely. Make a "
            "new personal token under Profile → API tokens."
        )
    if status == 403:
        return NotPermitted(f"BottleCRM doesn't allow this: {words}")
    if status in (404, 405) and response.request.method == "GET":
        return BadSettings("There is no BottleCRM at this address, or it is another version.", "base_url")
    if status in (400, 404, 405, 409, 422):
        if response.request.method == "GET":
            return VendorChanged(f"BottleCRM refused the question: {words}")
        return WriteRejected(f"BottleCRM refuses the values: {words}", field)
    return None


def _said(response: httpx.Response) -> tuple[str, str | None]:
    """Its words, and the field they are about, if they are about one."""
    try:
        told = msgspec.json.decode(response.content, type=_Refusal)
    except msgspec.MsgspecError:
        return f"status {response.status_code}", None
    found = told.errors if told.errors is not None else told.detail if told.detail is not None else told.error
    if isinstance(found, dict) and found:
        field = next(iter(found))
        return f"{field}: {_flat(found[field])}", str(field)
    return _flat(found) or f"status {response.status_code}", None


def _flat(told: Any) -> str:
    if isinstance(told, list):
        return " ".join(map(_flat, told))
    if isinstance(told, dict):
        return "; ".join(f"{name}: {_flat(value)}" for name, value in told.items())
    return "" if told is None or isinstance(told, bool) else str(told)
