"""What the errors of VK Ads mean (BEHAVIOR.md [4], [16]-[20])."""

from __future__ import annotations

from typing import Any

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
from connectors.vk_ads.settings import refused_code

_REFUSALS = {
    "revoked_token": "The user has withdrawn the access, or left the agency: make a new API access.",
    "invalid_client": "VK Ads doesn't know this Client ID and secret, or has blocked them.",
    "invalid_user": "VK Ads has blocked this user.",
}


def error_of(response: httpx.Response) -> VendorError | None:
    """The error that an answer is, if it is one."""
    status = response.status_code
    if 300 <= status < 400:
        return BadSettings("The API of VK Ads isn't at this address: it sends us to another page.", "base_url")
    if response.content.lstrip()[:1] == b"<":
        return _web_page(status)
    if status < 400:
        return None
    code, said = told(response)
    if status == 401:
        return AuthFailed(
            _REFUSALS.get(refused_code(response), "VK Ads refuses the access token: connect the cabinet again.")
        )
    if status == 429:
        return _too_many(response)
    if status == 403:
        return NotPermitted(f"VK Ads doesn't permit this to the access (scope read_ads is needed): {said or code}")
    if status == 404 and not code:
        return BadSettings("The API of VK Ads isn't at this address.", "base_url")
    if status >= 500:
        return Transient(f"VK Ads has a fault of its own (status {status} {code})")
    return VendorChanged(f"VK Ads refuses the request: {said or 'no reason given'} ({code or status})")


def told(response: Any) -> tuple[str, str]:
    """The code and words of an error, in any of the shapes in use [17]."""
    try:
        body = msgspec.json.decode(response.content)
    except msgspec.MsgspecError:
        return "", ""
    if not isinstance(body, dict):
        return "", ""
    error = body.get("error", body)
    if isinstance(error, str):
        return error, str(body.get("error_description") or "")
    if not isinstance(error, dict):
        return "", ""
    fields = error.get("fields")
    words = str(error.get("message") or "")
    if isinstance(fields, dict) and fields:
        words = f"{words} of {', '.join(sorted(map(str, fields)))}"
    return str(error.get("code") or ""), words


def _too_many(response: httpx.Response) -> VendorError:
    """A limit was reached: of the second, the hour or the day, each of the calendar [15]."""
    headers = response.headers
    if headers.get("x-ratelimit-daily-remaining") == "0":
        return QuotaExhausted("The day's requests to VK Ads are used up.")
    wait = headers.get("retry-after", "")
    if wait.isdigit():
        return RateLimited("VK Ads asks to slow down.", float(wait))
    if headers.get("x-ratelimit-hourly-remaining") == "0":
        return RateLimited("The hour's requests to VK Ads are used up.", 600.0)
    return RateLimited("VK Ads asks to slow down.", 1.0)


def _web_page(status: int) -> VendorError:
    if 400 <= status < 500:
        return BadSettings(
            f"A web page (status {status}) answers instead of the API of VK Ads: check its address.", "base_url"
        )
    return Transient("A web page answers instead of the API of VK Ads. If it stays so, check the API's address.")
