"""What Aspro.Cloud's answers mean when something went wrong. The numbers in brackets are facts in BEHAVIOR.md."""

from __future__ import annotations

from urllib.parse import urlsplit

import httpx
import msgspec

from connectors.contract import VendorResponse
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

BAD_KEY, NOT_FOUND = 11, 20  # [3]
ANSWERED = frozenset({200, 400, 404})
"""Statuses with which "there is no such record" may come [2]: whoever asks for one reads the body himself."""
_FIELD = "base_url"


class _Code(msgspec.Struct):
    error_code: int | str = 0
    error_msg: str = ""


class Refusal(msgspec.Struct):
    """What stands at the top of every answer that is an error, whatever its status."""

    error: _Code | str | None = None
    description: str = ""
    details: dict[str, str | list[str]] | list[str] | None = None

    @property
    def code(self) -> int:
        return int(self.error.error_code) if isinstance(self.error, _Code) else 0

    @property
    def words(self) -> str:
        return self.error.error_msg if isinstance(self.error, _Code) else (self.description or self.error or "")


def error_of(response: httpx.Response) -> VendorError | None:
    """The error that an answer is, or None when it holds data. A 200 may hold an error [2]."""
    status = response.status_code
    if 300 <= status < 400:
        host = urlsplit(response.headers.get("location", "")).hostname
        where = f"; the address leads to {host}" if host else ""
        return BadSettings(f"There is no Aspro.Cloud portal at this address{where}. Check it.", _FIELD)
    if status == 429:
        wait = response.headers.get("retry-after", "")
        return RateLimited("Aspro.Cloud was asked too often.", float(wait) if wait.isdigit() else None)
    if status >= 500:
        return Transient(f"Aspro.Cloud had an error of its own (status {status}).")
    refusal = refusal_of(response.content)
    if refusal is None:
        return _no_json(status)
    return _meaning(status, refusal)


def refusal_of(content: bytes) -> Refusal | None:
    """The error part of an answer; None where the body is no JSON object."""
    try:
        return msgspec.json.decode(content, type=Refusal)
    except msgspec.ValidationError:
        return Refusal(error="unknown") if content.lstrip().startswith(b"{") else None
    except msgspec.DecodeError:
        return None


def refused(response: VendorResponse) -> bool:
    """Whether the answer says that there is no such record. Raises what any other error means; for requests that
    took ``ANSWERED`` upon themselves."""
    refusal = refusal_of(response.content)
    if refusal is not None and refusal.code == NOT_FOUND:
        return True
    error = error_of(httpx.Response(response.status, content=response.content))
    if error is not None:
        raise error
    return False


def _meaning(status: int, refusal: Refusal) -> VendorError | None:
    if refusal.code == BAD_KEY:
        return AuthFailed(
            "Aspro.Cloud doesn't accept the API key: it was deleted, copied incompletely, or belongs to another "
            "portal. Make a new key in System settings → API settings."
        )
    if status == 401 and "token" in refusal.words.casefold():
        return AuthFailed("Aspro.Cloud doesn't accept the access any more: make a new API key.")
    if status in (401, 403):
        return NotPermitted("The API key has no right to this module: tick the module at the key in the portal.")
    if refusal.error == "validation":
        return _invalid(refusal)
    if refusal.code == NOT_FOUND or status == 404:
        return NotPermitted(
            "Aspro.Cloud knows no such list in this portal: the module is switched off or isn't in its tariff."
        )
    if refusal.error is not None or status >= 400:
        return VendorChanged(f"Aspro.Cloud refused the request: {refusal.words or f'status {status}'}")
    return None


def _invalid(refusal: Refusal) -> WriteRejected:
    details = refusal.details if isinstance(refusal.details, dict) else {}
    field = next(iter(details), None)
    told = details.get(field, "") if field else ""
    reason = told if isinstance(told, str) else ", ".join(told)
    return WriteRejected(f"Aspro.Cloud refuses the values: {reason or refusal.words}", field)


def _no_json(status: int) -> VendorError:
    if status == 404:
        return BadSettings("There is no Aspro.Cloud portal at this address. Check it.", _FIELD)
    if status in (401, 403):
        return NotPermitted("Aspro.Cloud doesn't let this API key in here.")
    return Transient(f"Aspro.Cloud answered with a page instead of data (status {status}).")
