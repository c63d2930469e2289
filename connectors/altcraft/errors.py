"""What Altcraft's verdicts mean. The numbers in brackets are facts in BEHAVIOR.md."""

from __future__ import annotations

import httpx
import msgspec

from connectors.altcraft.wire import Verdict
from connectors.contract import VendorResponse
from connectors.errors import (
    AuthFailed,
    BadSettings,
    NotPermitted,
    Transient,
    VendorChanged,
    VendorError,
    WriteRejected,
)

_VERDICT = msgspec.json.Decoder(Verdict)


def error_of(response: httpx.Response) -> VendorError | None:
    """The error that an answer is. Refusals of one request (4xx of other numbers) are left to who asked [4]."""
    status = response.status_code
    if 300 <= status < 400:
        return BadSettings("Altcraft isn't at this address: it sends us to another page.", "base_url")
    if response.content.lstrip()[:1] == b"<":
        if status >= 500:
            return Transient(f"A web page (status {status}) answers instead of Altcraft's API.")
        return BadSettings("A web page answers instead of Altcraft's API: check the address.", "base_url")
    told = verdict(response.content)
    if told is None:
        if status == 404:
            return BadSettings("Altcraft's API isn't at this address.", "base_url")
        return None
    if told.error == 401 or status == 401:
        return AuthFailed(f"Altcraft refuses the token: make a new one and connect again ({_said(told)})")
    if told.error == 402:
        return NotPermitted(f"The limit of Altcraft's tariff is reached ({_said(told)})")
    if told.error == 403 or status == 403:
        return NotPermitted(
            f"The token's role may not do this: give it the right in Settings, Tokens ({_said(told)})"
        )
    if told.error >= 500:
        return Transient(f"Altcraft has a fault of its own ({_said(told)})")
    return None


def verdict(content: bytes) -> Verdict | None:
    """What an answer says of itself; None where it says nothing."""
    try:
        return _VERDICT.decode(content)
    except msgspec.MsgspecError:
        return None


def refusal(response: VendorResponse) -> str | None:
    """Altcraft's words where it refuses what was asked. Raises VendorChanged where there is no verdict."""
    told = verdict(response.content)
    if told is None:
        raise VendorChanged("Altcraft answered without a verdict: the known field 'error' is missing.")
    return None if told.error == 0 else _said(told)


def read(response: VendorResponse) -> bytes:
    """The answer to a question. Raises VendorChanged where it was refused."""
    words = refusal(response)
    if words is not None:
        raise VendorChanged(f"Altcraft refuses a question: {words}")
    return response.content


def taken(response: VendorResponse) -> bytes:
    """The answer to a change. Raises WriteRejected where it was refused."""
    words = refusal(response)
    if words is not None:
        raise WriteRejected(f"Altcraft refuses the change: {words}")
    return response.content


def absent(response: VendorResponse) -> bool:
    """Whether the answer says that there is no such thing; the number isn't confirmed [4]."""
    told = verdict(response.content)
    return told is not None and told.error == 404


def _said(told: Verdict) -> str:
    return f"{told.error_text.strip().rstrip('.') or 'no reason given'}, error {told.error}"
