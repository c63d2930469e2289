"""What Calltouch's refusals mean, and the check of the settings (BEHAVIOR.md [1]-[4], [13], [14])."""

from __future__ import annotations

import re
from datetime import timedelta

import httpx
import msgspec

from connectors.calltouch.reads import ask_calls, ask_requests, read_requests
from connectors.calltouch.settings import CalltouchSettings
from connectors.calltouch.wire import CallsPage, Site
from connectors.contract import Health, Position, VendorSession
from connectors.errors import (
    AuthFailed,
    BadSettings,
    NotPermitted,
    Transient,
    VendorChanged,
    VendorError,
)
from connectors.windows import Window
from core import clock

PROBED_DAYS = 7
_TOKEN = re.compile(r"(?i)(clientApiId=)[^&\s\"']+")
_PAGE = msgspec.json.Decoder(CallsPage)
_SITE = msgspec.json.Decoder(Site)


def error_of(response: httpx.Response) -> VendorError | None:
    """The error that an answer is. 429 and 5xx have no meaning of Calltouch's own and are left to the engine."""
    status = response.status_code
    if status == 401:
        return AuthFailed("Calltouch refuses the API token: copy it again from Integrations, API, in the cabinet.")
    if status == 403:
        return NotPermitted(
            "Calltouch doesn't let this token read the site: check the site id, and that the token's login "
            "may see that site."
        )
    if status == 404:
        return BadSettings(
            "Calltouch has nothing there: check the site id, and the API's address if it isn't the usual one.",
            "site_id",
        )
    if 300 <= status < 400:
        return BadSettings(
            "Calltouch sends us to another page instead of answering: check the site id and the API's address.",
            "site_id",
        )
    if 400 <= status < 500 and status not in (408, 429):
        return VendorChanged(f"Calltouch refuses the request (status {status}): {_said(response)}")
    if status == 200 and not response.content.strip():
        return Transient("Calltouch answers with nothing.")
    if status == 200 and _is_web_page(response):
        return Transient(
            "Calltouch answers with a web page instead of data. If it stays so, check the address of the API "
            "and the site id."
        )
    return None


async def check(session: VendorSession[CalltouchSettings]) -> Health:
    """Read a week of both journals. The vendor has no method that names the account or lists its sites."""
    settings = session.settings
    position = _probed_week(settings)
    try:
        answer = await session.send(ask_calls(settings, position))
        page = _PAGE.decode(answer.content)
    except VendorError as error:
        return Health(ok=False, sentence=error.sentence)
    except msgspec.MsgspecError:
        return Health(
            ok=False, sentence="What answers at the address of the API isn't Calltouch: check that address."
        )
    warnings = []
    if not page.records:
        warnings.append(
            f"There is no call in the last {PROBED_DAYS} days: if that surprises you, check the site id."
        )
    try:
        read_requests(settings, position, await session.send(ask_requests(settings, position)))
    except VendorError as error:
        warnings.append(f"Requests from the site can't be read: {error.sentence}")
    account = _site_name(page) or f"site {settings.site_id}"
    return Health(ok=True, sentence=f"Calltouch answers for {account}.", account=account, warnings=tuple(warnings))


def _probed_week(settings: CalltouchSettings) -> Position:
    today = clock.now().astimezone(settings.zone).date()
    first = today - timedelta(days=PROBED_DAYS - 1)
    return {**Window(first, today, first, today, first).position(), "page": 1}


def _site_name(page: CallsPage) -> str | None:
    """The name stands in the records only, and not in every answer."""
    try:
        return _SITE.decode(page.records[0]).site_name if page.records else None
    except msgspec.MsgspecError:
        return None


def _is_web_page(response: httpx.Response) -> bool:
    return "html" in response.headers.get("content-type", "") or response.content.lstrip()[:1] == b"<"


def _said(response: httpx.Response) -> str:
    """The vendor's own words, short and without the token, which may be quoted in them."""
    if _is_web_page(response):
        return "it answers with a web page"
    words = " ".join(response.text.split())[:200]
    return _TOKEN.sub(r"\1***", words) or "it gives no reason"
