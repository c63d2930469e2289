"""What amoCRM's answers mean when something went wrong."""

from __future__ import annotations

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
)

_FIELD = "base_url"


class _Problem(msgspec.Struct):
    title: str = ""
    detail: str = ""
    retry_after: float | None = None


def error_of(response: httpx.Response) -> VendorError | None:
    """The error that an answer is, or None when it holds data or, with 204, nothing."""
    status = response.status_code
    if status == 204:
        return None
    if 300 <= status < 400:
        return _moved(response)
    problem = _problem(response)
    if status < 400:
        return None if problem is not None else _page(status)
    if status == 401:
        return AuthFailed(
            "amoCRM doesn't accept the token: it has expired, was revoked, or belongs to another account. "
            "Make a new long-lived token or connect the integration again."
        )
    if status == 402:
        return NotPermitted("The account's paid period has ended, and amoCRM gives no data until it is paid again.")
    if status == 403:
        return _forbidden(problem)
    if status == 404:
        return BadSettings("There is no such amoCRM account at this address: check the account address.", _FIELD)
    if status == 429:
        return RateLimited("amoCRM was asked too often and wants a pause.", _wait(response, problem))
    if status >= 500:
        return Transient(f"amoCRM had an error of its own (status {status}).")
    words = "" if problem is None else f"{problem.title}: {problem.detail}"
    return VendorChanged(f"amoCRM refused the request (status {status}): {words or 'no text'}")


def _problem(response: httpx.Response) -> _Problem | None:
    """The body, if it is JSON at all."""
    try:
        return msgspec.json.decode(response.content, type=_Problem)
    except msgspec.ValidationError:
        return _Problem()
    except msgspec.DecodeError:
        return None


def _forbidden(problem: _Problem | None) -> VendorError:
    if problem is None:  # a page of the server in front: everything is blocked, and asking on makes it worse
        return AuthFailed(
            "amoCRM has blocked access to the account from this address (403) after too many requests. "
            "Write to amoCRM's support; connect the account again when they have lifted the block."
        )
    return NotPermitted(
        "The token's user may not see this data. Make the token as an administrator of the account."
    )


def _page(status: int) -> VendorError:
    return Transient(f"amoCRM answered with a page instead of data (status {status}).")


def _moved(response: httpx.Response) -> VendorError:
    host = urlsplit(response.headers.get("location", "")).hostname
    where = f" to {host}" if host else ""
    return BadSettings(f"The account isn't at this address; it points{where}. Check the account address.", _FIELD)


def _wait(response: httpx.Response, problem: _Problem | None) -> float | None:
    if problem is not None and problem.retry_after is not None:
        return problem.retry_after
    header = response.headers.get("retry-after", "")
    return float(header) if header.isdigit() else None
