"""What Calltouch's refusals mean, and the check of the settings (BEHAVIOR.md [1]-[4], [13], [14], [29])."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import msgspec

from connectors.calltouch.leadservice import refusal_of
from connectors.calltouch.orders import ask_orders, read_orders
from connectors.calltouch.reads import ask_calls, ask_requests, read_requests
from connectors.calltouch.settings import CalltouchSettings
from connectors.calltouch.values import instant, learnt_zone, local_time
from connectors.calltouch.wire import Call, CallsPage, Site
from connectors.calltouch.writes import ask_whether_writable
from connectors.contract import Health, Position, VendorSession
from connectors.errors import (
    AuthFailed,
    BadRecord,
    BadSettings,
    NotPermitted,
    QuotaExhausted,
    Transient,
    VendorChanged,
    VendorError,
    WriteRejected,
)
from connectors.windows import Window
from core import clock

PROBED_DAYS = 7
DAY_SPENT = re.compile(r"(?i)балл|суточн|дневн|в сутки|в день|points|daily")  # [14] the words of a spent budget
POINTS_ZONE = ZoneInfo("Europe/Moscow")  # [14] at whose midnight the points begin anew
_TOKEN = re.compile(r"(?i)(clientApiId=)[^&\s\"']+")
_PAGE = msgspec.json.Decoder(CallsPage)
_SITE = msgspec.json.Decoder(Site)
_CALL = msgspec.json.Decoder(Call)


def error_of(response: httpx.Response) -> VendorError | None:
    """The error that an answer is. 429 (but for the day's budget) and 5xx have no meaning of Calltouch's own and
    are left to the engine."""
    status = response.status_code
    if status in (402, 403, 429) and DAY_SPENT.search(_said(response)):
        return QuotaExhausted(
            f"The day's points of the Calltouch project are spent: {_said(response)}", _midnight(response)
        )
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
    if status in (400, 422):
        refused = next(_refused(response), None)
        if refused is not None:
            return WriteRejected(f"Calltouch refuses it: {refused}")
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
    """Read a week of the journals, and ask whether the token may write. The vendor has no method that names the
    account or lists its sites."""
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
    warnings = [*_about_calls(settings, page), *_about_settings(settings)]
    try:
        read_requests(settings, position, await session.send(ask_requests(settings, position)))
    except VendorError as error:
        warnings.append(f"Requests from the site can't be read: {error.sentence}")
    if settings.orders != "ignored":
        try:
            read_orders(settings, position, await session.send(ask_orders(settings, position)))
        except VendorError as error:
            warnings.append(f"The deals of the cabinet can't be read: {error.sentence}")
    try:
        await session.send(ask_whether_writable(settings))
    except (AuthFailed, NotPermitted):
        warnings.append(
            "This token may read but not write: deals, requests, tags, comments and costs won't reach the cabinet. "
            "If they should, take a token of a login that may change the site."
        )
    except VendorError:
        pass  # an empty change may be refused for being empty: the token itself was taken
    account = _site_name(page) or f"site {settings.site_id}"
    return Health(ok=True, sentence=f"Calltouch answers for {account}.", account=account, warnings=tuple(warnings))


def _about_calls(settings: CalltouchSettings, page: CallsPage) -> Iterator[str]:
    """What a week of calls lets one doubt."""
    if not page.records:
        yield f"There is no call in the last {PROBED_DAYS} days: if that surprises you, check the site id."
        return
    try:
        call = _CALL.decode(page.records[-1])
        moment, local = instant(call.timestamp), local_time(call.date)
    except (msgspec.MsgspecError, BadRecord):
        return
    if moment is None or local is None:
        return
    told, expected = learnt_zone(moment, local, settings.zone).utcoffset(local), settings.zone.utcoffset(local)
    if told != expected and told is not None:
        hours = told.total_seconds() / 3600
        yield (
            f"The cabinet writes its times at UTC{hours:+g}, which isn't {settings.time_zone}: set the time zone "
            "of the cabinet, or its days begin and end at another hour here."
        )


def _about_settings(settings: CalltouchSettings) -> Iterator[str]:
    if settings.since is not None and settings.since > clock.now().astimezone(settings.zone).date():
        yield f"The first day to read, {settings.since}, hasn't come yet: until then nothing is read."
    if settings.orders == "deals":
        yield (
            "Deals of the cabinet are read as deals: if the CRM that they come from is connected too, revenue is "
            "counted twice."
        )


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


def _refused(response: httpx.Response) -> Iterator[str]:
    """[29] The reasons that a refusal gives for single items, in whatever words it keeps them."""
    try:
        data = msgspec.json.decode(response.content, type=dict[str, Any]).get("data")
    except msgspec.MsgspecError:
        return
    for item in (data.get("validationErrorData") if isinstance(data, dict) else None) or ():
        yield refusal_of(item)


def _midnight(response: httpx.Response) -> datetime:
    """The next midnight of the points, on the vendor's clock."""
    try:
        now = parsedate_to_datetime(response.headers["Date"])
    except (KeyError, ValueError):
        now = clock.now()
    tomorrow = now.astimezone(POINTS_ZONE).date() + timedelta(days=1)
    return datetime.combine(tomorrow, time(), POINTS_ZONE).astimezone(UTC)
