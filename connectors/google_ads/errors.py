"""What Google Ads' errors mean (BEHAVIOR.md [16]-[20])."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import httpx
import msgspec

from connectors.errors import (
    AuthFailed,
    BadSettings,
    NotPermitted,
    QuotaExhausted,
    RateLimited,
    Transient,
    VendorChanged,
    VendorError,
)
from connectors.google_ads.wire import ErrorAnswer, Failure, OneError

LOST_PAGE = frozenset({"EXPIRED_PAGE_TOKEN", "INVALID_PAGE_TOKEN"})
_NO_ACCESS_LEVEL = (
    "The Google Cloud project may not read real accounts yet: raise its access level in Google Ads' API center"
)
# What Google calls by name, and what it means for us [18]. A name that isn't here is our mistake.
ERRORS: dict[str, Callable[[str], VendorError]] = {
    "OAUTH_TOKEN_EXPIRED": lambda said: AuthFailed(f"Google refuses the access token: connect again ({said})"),
    "OAUTH_TOKEN_INVALID": lambda said: AuthFailed(f"Google refuses the access token: connect again ({said})"),
    "OAUTH_TOKEN_REVOKED": lambda said: AuthFailed(f"The consent was withdrawn: give it again ({said})"),
    "NOT_ADS_USER": lambda said: NotPermitted(
        f"The Google account that consented has no Google Ads account: consent as a user of it ({said})"
    ),
    "CUSTOMER_NOT_FOUND": lambda said: BadSettings(
        f"There is no account with that customer ID ({said})", "customer_id"
    ),
    "USER_PERMISSION_DENIED": lambda said: NotPermitted(
        "The Google account that consented doesn't reach this account: if it does so through a manager account, "
        f"give the manager's customer ID ({said})"
    ),
    "CUSTOMER_NOT_ENABLED": lambda said: NotPermitted(
        f"This Google Ads account is closed or not yet open ({said})"
    ),
    "CLOUD_PROJECT_NOT_APPROVED_FOR_PRODUCTION": lambda said: NotPermitted(f"{_NO_ACCESS_LEVEL} ({said})"),
    "DEVELOPER_TOKEN_NOT_APPROVED": lambda said: NotPermitted(f"{_NO_ACCESS_LEVEL} ({said})"),
    "DEVELOPER_TOKEN_PROHIBITED": lambda said: BadSettings(
        f"The developer token belongs to another project: leave it empty ({said})", "developer_token"
    ),
    "ACTION_NOT_PERMITTED": lambda said: NotPermitted(f"Google Ads doesn't permit this ({said})"),
    "REQUESTED_METRICS_FOR_MANAGER": lambda said: BadSettings(
        f"This is a manager account, which has no costs: give the customer ID of an account below it ({said})",
        "customer_id",
    ),
    "UNSUPPORTED_VERSION": lambda said: BadSettings(
        f"This version of the API has ended: raise it in the settings ({said})", "api_version"
    ),
    "RESOURCE_EXHAUSTED": lambda said: QuotaExhausted(f"The project's operations of this day are used up ({said})"),
    "TRANSIENT_ERROR": lambda said: Transient(f"Google Ads has a passing fault ({said})"),
    "INTERNAL_ERROR": lambda said: Transient(f"Google Ads has a fault of its own ({said})"),
}
_RETRY_DELAY = re.compile(rb'"retryDelay"\s*:\s*"(\d+(?:\.\d+)?)s"')  # [19] wherever it stands
_ERROR = msgspec.json.Decoder(ErrorAnswer | list[ErrorAnswer])


@dataclass(frozen=True, slots=True)
class Told:
    """What an error answer says: Google's names of it, its words, and the id by which Google's support finds it."""

    names: tuple[str, ...]
    words: str
    request_id: str | None


def error_of(response: httpx.Response) -> VendorError | None:
    """The error that an answer is, if it is one."""
    status = response.status_code
    if 300 <= status < 400:
        return BadSettings("The Google Ads API isn't at this address: it sends us to another page.", "base_url")
    if status < 400:
        if response.content.lstrip()[:1] == b"<":
            return Transient("A web page answers instead of the Google Ads API.")
        return None
    found = told(response.content)
    if found is None:
        return _without_names(status)
    said = ": ".join(part for part in (", ".join(found.names), found.words) if part)
    if found.request_id:
        said = f"{said}, request {found.request_id}"
    if "RESOURCE_TEMPORARILY_EXHAUSTED" in found.names:
        delay = _RETRY_DELAY.search(response.content)
        return RateLimited(f"Google Ads asks to slow down ({said})", float(delay[1]) if delay else None)
    for name in found.names:
        if name in ERRORS:
            return ERRORS[name](said)
    if status == 401:
        return AuthFailed(f"Google refuses the access token: connect the account again ({said})")
    if status == 403:
        return NotPermitted(f"Google doesn't permit this to the project or user ({said})")
    if status == 429:
        return RateLimited(f"Google Ads asks to slow down ({said})")
    if status >= 500 or status == 499:
        return Transient(f"Google Ads has a passing fault ({said})")
    if status == 404:
        return _without_names(status)
    return VendorChanged(f"Google Ads refuses the request ({said})")


def told(content: bytes) -> Told | None:
    """What an answer says of an error; in a stream it comes as a list of one [17]. None where it isn't Google's."""
    try:
        answer = _ERROR.decode(content)
    except msgspec.MsgspecError:
        return None
    if isinstance(answer, list):
        if not answer:
            return None
        answer = answer[0]
    names: list[str] = []
    words, request_id = answer.error.message, None
    for detail in answer.error.details:
        try:
            failure = msgspec.json.decode(detail, type=Failure)
            errors = [msgspec.json.decode(each, type=OneError) for each in failure.errors]
        except msgspec.MsgspecError:
            continue
        request_id = failure.request_id or request_id
        for each in errors:
            names += each.error_code.values()
            words = each.message or words
    return Told(tuple(names), words.rstrip("."), request_id)


def _without_names(status: int) -> VendorError:
    if status == 404:
        return BadSettings(
            "Google has no such page: this version of the API has ended, or the address is wrong.", "api_version"
        )
    if status >= 500:
        return Transient(f"Google Ads isn't available at the moment (status {status}).")
    if status == 429:
        return RateLimited("Google asks to slow down.")
    if status == 401:
        return AuthFailed("Google refuses the access token: connect the account again.")
    return NotPermitted(f"Google refuses the request before it reaches Google Ads (status {status}).")
