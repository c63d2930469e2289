"""What a shop's answers mean when something went wrong: nearly all come with status 200 [2]. The numbers in
brackets are facts in BEHAVIOR.md."""

from __future__ import annotations

import httpx
import msgspec

from connectors.contract import VendorResponse
from connectors.errors import AuthFailed, BadSettings, NotPermitted, Transient, VendorChanged, VendorError

EXCHANGE = "/api/1c/"
_ABSENT = ("заказ не найден", "покупатель не найден", "пользователь не найден")


class Answer(msgspec.Struct):
    """What tells an error from data: ``result`` in the methods of orders, ``status`` in all others."""

    result: bool | None = None
    status: str | int | None = None
    errors: list[str] | str | None = None

    @property
    def refuses(self) -> bool:
        return self.result is False or self.status == "error"

    @property
    def words(self) -> str:
        told = self.errors if isinstance(self.errors, str) else ", ".join(self.errors or ())
        return told.strip() or "no reason is given"


def answer_of(content: bytes) -> Answer | None:
    """The envelope of an answer; None where it is none (a bare list, a record, XML)."""
    try:
        return msgspec.json.decode(content, type=Answer)
    except msgspec.MsgspecError:
        return None


def error_of(response: httpx.Response) -> VendorError | None:
    """The error that an answer is, whatever its status. Refusals of a single record or change pass: whoever asked
    reads them (``absent``, ``refusal``)."""
    status, content = response.status_code, response.content.lstrip()
    if 300 <= status < 400 or status == 404:
        return BadSettings("There is no ADVANTSHOP shop at this address: check it.", "base_url")
    if status >= 400:
        return None  # the engine's own table
    if content[:1] in (b"{", b"["):
        answer = answer_of(content)
        return None if answer is None or not answer.refuses else _meaning(answer.words)
    if _of_exchange(response):
        if content[:1] == b"<" or content[:2] in (b"\xff\xfe", b"<\x00"):
            return None
        return NotPermitted(  # [14] in plain text
            "The shop's tariff has no exchange with 1C, or it is switched off: switch it on in the shop (Settings "
            "→ API → 1C), or off in these settings."
        )
    return Transient("ADVANTSHOP answered with a page instead of data.")


def _of_exchange(response: httpx.Response) -> bool:
    try:
        return EXCHANGE in response.request.url.path
    except RuntimeError:  # an answer that no request belongs to
        return False


def _meaning(words: str) -> VendorError | None:
    told = words.casefold()
    if "apikey" in told:
        if "check" in told:
            return AuthFailed("The shop has no API key yet: make one in its admin area, Settings → API.")
        return AuthFailed(
            "The shop doesn't accept the API key: it was copied incompletely, or a new one was made since. It "
            "stands in the admin area, Settings → API."
        )
    return None


def absent(response: VendorResponse) -> bool:
    """Whether the answer says that there is no such record. Raises VendorChanged for another refusal."""
    answer = answer_of(response.content)
    if answer is None or not answer.refuses:
        return False
    if any(each in answer.words.casefold() for each in _ABSENT):
        return True
    raise VendorChanged(f"ADVANTSHOP refused to show a record: {answer.words}")


def refusal(response: VendorResponse) -> str | None:
    """Why a change, or a list, was refused; None where it wasn't."""
    answer = answer_of(response.content)
    return answer.words if answer is not None and answer.refuses else None
