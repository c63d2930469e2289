"""What Bitrix24's answers mean when something went wrong.

A batch answers 200 even when its commands failed: it counts as failed when its first command did. A later
command that failed comes back as the first one of the next batch, and is then told here.
"""

from __future__ import annotations

import email.utils
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec

from connectors.errors import (
    AuthFailed,
    BadSettings,
    NotPermitted,
    RateLimited,
    Transient,
    VendorChanged,
    VendorError,
    WriteRejected,
)

BASKET_SECONDS = 60.0  # [13] the vendor counts run time in baskets of a minute
_FIELD = "webhook_url"

_REVOKED = (
    "Bitrix24 doesn't accept the webhook's code: it was deleted, its owner was dismissed, or the address was "
    "copied incompletely. Make a new incoming webhook in the portal and paste its address."
)
_SCOPE = (
    "The webhook lacks a permission for this data. Open it in the portal (Developer resources → Integrations) "
    "and tick CRM, Telephony and Users."
)
_RIGHTS = (
    "The webhook's owner may not see this data in the portal: give them the right, "
    "or make the webhook as an administrator."
)
_PLAN = "The portal's plan has no REST API: a paid Bitrix24 plan (or its demo period) is needed."
_BLOCKED = (
    "Bitrix24 has blocked the REST API of this portal by hand because of overload. "
    "Write to Bitrix24's support; connect the portal again when they have lifted the block."
)

_MEANINGS: dict[str, tuple[type[VendorError], str]] = {
    "NO_AUTH_FOUND": (AuthFailed, _REVOKED),
    "INVALID_TOKEN": (AuthFailed, _REVOKED),
    "EXPIRED_TOKEN": (AuthFailed, _REVOKED),
    "APPLICATION_NOT_FOUND": (AuthFailed, _REVOKED),
    "INVALID_CREDENTIALS": (NotPermitted, _RIGHTS),
    "METHOD_CONFIRM_WAITING": (
        NotPermitted,
        "The portal's administrator must first confirm that this data may be read over the REST API.",
    ),
    "INSUFFICIENT_SCOPE": (NotPermitted, _SCOPE),
    "USER_ACCESS_ERROR": (NotPermitted, _RIGHTS),
    "ACCESS_DENIED": (NotPermitted, _RIGHTS),
    "ALLOWED_ONLY_INTRANET_USER": (
        NotPermitted,
        "The webhook belongs to an outside user of the portal. Make one as an employee, best as an administrator.",
    ),
    "WRONG_AUTH_TYPE": (NotPermitted, "Bitrix24 allows this to applications only, not to an incoming webhook."),
    "ERROR_METHOD_NOT_FOUND": (
        NotPermitted,
        "The portal doesn't know this method: the module (such as telephony) isn't there, or the webhook lacks "
        "the permission for it.",
    ),
    "PORTAL_DELETED": (BadSettings, "Bitrix24 says that this portal has been deleted."),
    "OVERLOAD_LIMIT": (AuthFailed, _BLOCKED),
    "QUERY_LIMIT_EXCEEDED": (RateLimited, "Bitrix24 was asked too often and wants a pause."),
    "INTERNAL_SERVER_ERROR": (Transient, "Bitrix24 had an error of its own."),
    "ERROR_UNEXPECTED_ANSWER": (Transient, "Bitrix24 had an error of its own."),
}
_OPERATION_TIME = "OPERATION_TIME_LIMIT"


class _Failure(msgspec.Struct):
    error: str | int = ""
    error_description: str | None = None

    @property
    def code(self) -> str:
        return str(self.error).upper()

    @property
    def words(self) -> str:
        return (self.error_description or "").strip()


class _Time(msgspec.Struct):
    operating_reset_at: float | None = None


class _Answer(msgspec.Struct):
    error: str | int | None = None
    error_description: str | None = None
    result: msgspec.Raw = msgspec.Raw()
    time: _Time | list[Any] | None = None


class _Batch(msgspec.Struct):
    result_error: dict[str, _Failure | str] | list[Any] = msgspec.field(default_factory=list)
    result_time: dict[str, _Time] | list[Any] = msgspec.field(default_factory=list)


def error_of(response: httpx.Response) -> VendorError | None:
    """The error that an answer is, or None when it holds data."""
    status = response.status_code
    if 300 <= status < 400:
        return _moved(response)
    try:
        answer = msgspec.json.decode(response.content, type=_Answer)
    except msgspec.ValidationError:  # JSON, but no object with a known kind of error
        return None if status < 400 else _no_data(status)
    except msgspec.DecodeError:
        return _no_data(status)
    failure, reset_at = _failure(answer)
    if failure is None:
        return None if status < 400 else _no_data(status)
    if failure.code == _OPERATION_TIME or (status == 429 and failure.code not in _MEANINGS):
        return RateLimited(
            "Bitrix24 has blocked this method for a while: it has used up its run time of ten minutes.",
            _seconds_until(reset_at, response),
        )
    return _named(status, failure)


def refusal(code: str | int, words: str) -> VendorError:
    """What it means that one command of a batch failed with this code and these words."""
    failure = _Failure(code, words)
    if failure.code == _OPERATION_TIME:
        return RateLimited(
            "Bitrix24 has blocked this method for a while: it has used up its run time.", BASKET_SECONDS
        )
    named = _named(200, failure)
    return WriteRejected(f"Bitrix24 refuses the change: {words}") if type(named) is VendorChanged else named


def _failure(answer: _Answer) -> tuple[_Failure | None, float | None]:
    """What failed, and when the method is free again (Unix seconds), if that is said."""
    reset_at = answer.time.operating_reset_at if isinstance(answer.time, _Time) else None
    if answer.error is not None:
        return _Failure(answer.error, answer.error_description), reset_at
    if bytes(memoryview(answer.result)[:1]) != b"{":
        return None, None
    try:
        batch = msgspec.json.decode(answer.result, type=_Batch)
    except msgspec.ValidationError:  # an object of another shape: data
        return None, None
    found = batch.result_error.get("c0") if isinstance(batch.result_error, dict) else None
    if found is None:
        return None, None
    timing = batch.result_time.get("c0") if isinstance(batch.result_time, dict) else None
    failure = found if isinstance(found, _Failure) else _Failure("", found)
    return failure, (timing.operating_reset_at if timing is not None else None) or reset_at


def _named(status: int, failure: _Failure) -> VendorError:
    words = failure.words
    if "commercial plan" in words.casefold():
        return NotPermitted(_PLAN)
    if "https required" in words.casefold():
        return BadSettings("The webhook address must begin with https://.", _FIELD)
    if failure.code in _MEANINGS:
        kind, sentence = _MEANINGS[failure.code]
        return BadSettings(sentence, _FIELD) if kind is BadSettings else kind(sentence)
    if "access denied" in words.casefold():  # [3] some methods leave the code empty
        return NotPermitted(_RIGHTS)
    if status == 401:
        return AuthFailed(_REVOKED)
    if status == 403:
        return NotPermitted(_RIGHTS)
    if status == 503:
        return RateLimited("Bitrix24 is overloaded and wants a pause.")
    if status >= 500:
        return Transient("Bitrix24 had an error of its own.")
    return VendorChanged(f"Bitrix24 refused the request: {failure.code or 'no code'}: {words or 'no text'}")


def _no_data(status: int) -> VendorError:
    """An answer without JSON: a page for people, or one of the servers in front of the portal."""
    if status == 404:
        return BadSettings("There is no Bitrix24 portal at this address: check the webhook address.", _FIELD)
    if status == 401:
        return AuthFailed(_REVOKED)
    if status == 429:
        return RateLimited("Bitrix24 was asked too often and wants a pause.")
    return Transient(f"Bitrix24 answered with a page instead of data (status {status}).")


def _moved(response: httpx.Response) -> VendorError:
    """Only the new host is named: the rest of the address holds the webhook's code."""
    host = urlsplit(response.headers.get("location", "")).hostname
    where = f" to {host}" if host else ""
    return BadSettings(f"The portal has moved{where}. Put the new host into the webhook address.", _FIELD)


def _seconds_until(reset_at: float | None, response: httpx.Response) -> float:
    """Told from the answer's own clock; without either, until the oldest basket of run time has left."""
    try:
        now = email.utils.parsedate_to_datetime(response.headers["date"]).timestamp()
    except (KeyError, ValueError):
        return BASKET_SECONDS
    if reset_at is None or reset_at <= now:
        return BASKET_SECONDS
    return reset_at - now
