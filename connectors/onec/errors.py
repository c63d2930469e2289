"""What 1C's answers mean when something went wrong. The numbers in brackets are facts in BEHAVIOR.md."""

from __future__ import annotations

import re

import httpx
import msgspec

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
from connectors.onec.odata import BOM

NO_SUCH_SET, NO_SUCH_RECORD, NO_SUCH_PROPERTY, ACCESS = "8", "9", "10", "20"
_FIELD = "base_url"
_XML_CODE = re.compile(rb"<m:code>(?P<code>[^<]*)</m:code>")
_XML_MESSAGE = re.compile(rb"<m:message[^>]*>(?P<text>[^<]*)</m:message>")


class _Message(msgspec.Struct):
    value: str = ""


class Refusal(msgspec.Struct):
    """The platform's own error: a code, which is a text, and words, often Russian ones."""

    code: str = ""
    message: _Message = msgspec.field(default_factory=_Message)


class _Answer(msgspec.Struct):
    error: Refusal | None = msgspec.field(name="odata.error", default=None)


def refusal_of(content: bytes) -> Refusal | None:
    """The platform's error in an answer, in JSON or in XML; None where there is none."""
    body = content.removeprefix(BOM)
    try:
        return msgspec.json.decode(body, type=_Answer).error
    except msgspec.MsgspecError:
        code, words = _XML_CODE.search(body), _XML_MESSAGE.search(body)
    if code is None:
        return None
    told = "" if words is None else words["text"].decode("utf-8", "replace")
    return Refusal(code["code"].decode("utf-8", "replace"), _Message(told))


def error_of(response: httpx.Response) -> VendorError | None:
    """The error that an answer is, or None when it holds data."""
    status = response.status_code
    refusal = refusal_of(response.content) if status >= 400 else None
    if status == 401:
        return _unauthorized(refusal)
    if 300 <= status < 400:
        return BadSettings("The base isn't at this address: the web server leads elsewhere. Check it.", _FIELD)
    if status < 400:
        return _page(response)
    words = "" if refusal is None else refusal.message.value.strip()
    if refusal is None:
        return _no_word(status)
    if refusal.code == ACCESS:
        return _unauthorized(refusal)
    if refusal.code == NO_SUCH_SET:
        return NotPermitted(
            f"The base publishes no such set ({words}): tick it in the contents of the standard OData interface."
        )
    if refusal.code == NO_SUCH_PROPERTY or (status == 400 and _reads(response)):
        return VendorChanged(f"1C doesn't understand the question ({words}): check the names in the settings.")
    if status == 405:
        return _no_patch()
    if status == 412:
        return Transient("The record was changed in 1C at the same moment.")
    if status >= 500 and not _reads(response):
        return WriteRejected(f"1C refuses the change: {words or 'it gives no reason'}")
    if status >= 500:
        return Transient(f"1C couldn't answer ({words or f'status {status}'}).")
    if not _reads(response):
        return WriteRejected(f"1C refuses the change: {words or f'status {status}'}")
    return VendorChanged(f"1C refused the request: {words or f'status {status}'}")


def _reads(response: httpx.Response) -> bool:
    """Whether the request only read. A change packet is asked for by POST."""
    request = response.request
    return request.method == "GET" or "SelectChanges" in request.url.path or "NotifyChanges" in request.url.path


def _unauthorized(refusal: Refusal | None) -> VendorError:
    """[3] 401 has two meanings, told apart by the body."""
    if refusal is not None and refusal.code == ACCESS:
        return NotPermitted(
            "The 1C user may not see some of the records that were asked for. Give him the right, or switch on "
            "'Leave out what the user may not see'."
        )
    return AuthFailed("1C doesn't accept the login or the password, or the user may not use OData at all.")


def _page(response: httpx.Response) -> VendorError | None:
    """[3] A page of HTML may come with status 200 when nobody is signed in."""
    if not response.content and response.request.method == "GET":
        return Transient("1C answered with nothing.")
    if "html" not in response.headers.get("content-type", ""):
        return None
    return Transient(
        "1C answered with a page instead of data: the sign-in or the publication isn't as it should be."
    )


def _no_word(status: int) -> VendorError | None:
    if status == 404:
        return BadSettings(
            "There is no OData interface at this address. Check the address, and that the web publication has the "
            "tick 'Публиковать стандартный интерфейс OData'.",
            _FIELD,
        )
    if status == 405:
        return _no_patch()
    return None


def _no_patch() -> VendorError:
    """[21] The standalone server takes no PATCH, and a PUT would empty every field that isn't sent."""
    return NotPermitted(
        "This 1C server takes no changes of single fields (405): records there can be made, not changed."
    )


def missing(response: VendorResponse) -> bool:
    """Whether a 404 says that there is no such record, rather than no such set."""
    refusal = refusal_of(response.content)
    return refusal is not None and refusal.code == NO_SUCH_RECORD


def error_as_answer(response: VendorResponse) -> VendorError:
    """What an answer that was accepted means after all."""
    request = httpx.Request("GET", "https://1c")
    answered = httpx.Response(response.status, headers=response.headers, content=response.content, request=request)
    return error_of(answered) or VendorChanged(f"1C answered with status {response.status} and no word.")
