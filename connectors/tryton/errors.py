"""What Tryton's refusals mean. The numbers in brackets are facts in BEHAVIOR.md."""

from __future__ import annotations

import re
from html import unescape

import httpx
import msgspec

from connectors.errors import AuthFailed, BadSettings, NotPermitted, Transient, VendorError, WriteRejected

_PARAGRAPH = re.compile(r"<p>(.*?)</p>", re.DOTALL)
_KEY = re.compile(r"'([\w.]+)'")


class _Refusal(msgspec.Struct):
    message: str = ""
    description: str = ""


def error_of(response: httpx.Response) -> VendorError | None:
    """The error that an answer is, or None when it holds data [5]."""
    status = response.status_code
    if status == 401:
        return AuthFailed(
            "Tryton doesn't accept the key: the user application was cancelled or isn't validated yet, or the key "
            "is another database's. Make one for REST on the user, validate it, and enter its key."
        )
    if status in (404, 405):
        return BadSettings(
            "There is no Tryton database of that name at this address, or its REST is older.", "database"
        )
    if status == 403:
        return NotPermitted("Tryton's user may not do this: give the user the groups for parties and sales.")
    if status == 423:
        return Transient("Somebody else is changing the same record in Tryton just now.")
    if status == 500:
        return _own(response)
    if status in (400, 409):
        return _refusal(response)
    return None


def _refusal(response: httpx.Response) -> VendorError:
    """A rule of the business, or a right: Tryton's own words say which."""
    words = _said(response)
    if response.request.method == "GET":
        return NotPermitted(f"Tryton doesn't show this: {words}")
    return WriteRejected(f"Tryton refuses the change: {words}")


def _said(response: httpx.Response) -> str:
    try:
        told = msgspec.json.decode(response.content, type=_Refusal)
    except msgspec.MsgspecError:
        return _text(response) or f"status {response.status_code}"
    return " ".join(filter(None, (told.message, told.description))) or f"status {response.status_code}"


def _own(response: httpx.Response) -> VendorError:
    """[6] A model or field that isn't there is answered with its name and status 500."""
    name = _KEY.fullmatch(_text(response))
    if name is None:
        return Transient("Tryton had an error of its own (status 500).")
    return NotPermitted(f"Tryton knows no {name[1]!r}: the module that brings it isn't activated in this database.")


def _text(response: httpx.Response) -> str:
    found = _PARAGRAPH.search(response.text)
    return "" if found is None else unescape(found[1]).strip()
