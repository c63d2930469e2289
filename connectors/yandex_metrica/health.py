"""What Metrica's errors mean, and the check of the settings (BEHAVIOR.md [1]-[4], [19]-[23])."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta
from email.utils import parsedate_to_datetime

import httpx
import msgspec

from connectors.contract import Health, VendorRequest, VendorSession
from connectors.errors import (
    AuthFailed,
    BadSettings,
    NotPermitted,
    NotReady,
    QuotaExhausted,
    RateLimited,
    Transient,
    VendorChanged,
    VendorError,
    WriteRejected,
)
from connectors.yandex_metrica.reads import UNFINISHED, ask_counter, read_counter
from connectors.yandex_metrica.settings import MetricaSettings
from connectors.yandex_metrica.wire import DataUploadAnswer, Error, ErrorAnswer, GoalsAnswer, LogRequestAnswer
from core import clock

POLL_SECONDS = 10.0
QUOTA_SECONDS = 5.0
GOALS_NAMED = 5

_EXPORT = re.compile(r"/logrequest/\d+$")
_ERROR = msgspec.json.Decoder(ErrorAnswer)
_LOG_REQUEST = msgspec.json.Decoder(LogRequestAnswer)
_GOALS = msgspec.json.Decoder(GoalsAnswer)
# [21] Quotas that are free again within seconds; all others are those of an hour or a day.
_SHORT_QUOTAS = ("quota_requests_by_ip", "quota_parallel_requests")


def error_of(response: httpx.Response) -> VendorError | None:
    """The error that an answer is; an export that is being prepared is one as well: ``NotReady``."""
    status = response.status_code
    if status == 200:
        return _no_answer(response) or _unfinished(response) or _refused_file(response)
    if 300 <= status < 400:
        return BadSettings("Metrica's API isn't at this address: it sends us to another page.", "base_url")
    if response.content.lstrip()[:1] == b"<":
        if status >= 500:
            return Transient("A web page answers instead of Metrica's API. If it stays so, check its address.")
        return BadSettings("A web page answers instead of Metrica's API: check its address.", "base_url")
    error = _told(response)
    return _by_status(status, response) if error is None else _named(error, status, response)


async def check(session: VendorSession[MetricaSettings]) -> Health:
    """Ask for the counter, its goals, and whether its visits may be exported."""
    settings = session.settings
    try:
        counter = read_counter(await session.send(ask_counter(settings))).counter
        goals = _GOALS.decode((await session.send(_ask_goals(settings))).content).goals
        await session.send(VendorRequest(f"/management/v1/counter/{settings.counter_id}/logrequests"))
    except VendorError as error:
        return Health(ok=False, sentence=error.sentence)
    except msgspec.MsgspecError:
        return Health(ok=False, sentence="What answers at the API's address isn't Metrica: check that address.")
    site = counter.name or counter.site or f"counter {counter.id}"
    names = ", ".join(goal.name or str(goal.id) for goal in goals[:GOALS_NAMED])
    more = f" and {len(goals) - GOALS_NAMED} more" if len(goals) > GOALS_NAMED else ""
    told = f"goals: {names}{more}" if goals else "no goals"
    warnings = []
    if counter.status not in (None, "Active"):
        warnings.append(f"The counter's status is {counter.status}: it may not count visits any more.")
    if counter.code_status not in (None, "CS_OK"):
        warnings.append("Metrica doesn't find the counter's code on the site: check that it is installed.")
    return Health(
        ok=True,
        sentence=f"Metrica answers for {site} (time zone {counter.time_zone_name}, {told}).",
        account=site,
        warnings=tuple(warnings),
    )


def _ask_goals(settings: MetricaSettings) -> VendorRequest:
    return VendorRequest(f"/management/v1/counter/{settings.counter_id}/goals")


def _no_answer(response: httpx.Response) -> VendorError | None:
    """A success that isn't one: a gateway's page, or nothing where only a table may be empty."""
    if response.content.lstrip()[:1] == b"<":
        return Transient("A web page answers instead of Metrica's API. If it stays so, check its address.")
    if not response.content.strip() and not response.request.url.path.endswith("/download"):
        return Transient("Metrica answers with nothing.")
    return None


def _unfinished(response: httpx.Response) -> VendorError | None:
    if response.request.method != "GET" or not _EXPORT.search(response.request.url.path):
        return None
    try:
        export = _LOG_REQUEST.decode(response.content).log_request
    except msgspec.MsgspecError:
        return None  # the reading tells what is wrong with it
    if export.status in UNFINISHED:
        return NotReady("Metrica is preparing the export of visits.", POLL_SECONDS)
    return None


def _refused_file(response: httpx.Response) -> VendorError | None:
    """[28] A file of orders may be refused with 200."""
    if response.request.method != "POST" or not response.request.url.path.endswith("/simple_orders"):
        return None
    try:
        told = msgspec.json.decode(response.content, type=DataUploadAnswer).uploading
    except msgspec.MsgspecError:
        return None  # the write tells what is wrong with it
    if told.api_validation_status == "FAILED":
        return WriteRejected("Metrica refuses the order: it found the file's rows at fault.")
    return None


def _told(response: httpx.Response) -> Error | None:
    try:
        errors = _ERROR.decode(response.content).errors
    except msgspec.MsgspecError:
        return None
    return errors[0] if errors else None


def _named(error: Error, status: int, response: httpx.Response) -> VendorError:
    kind = error.error_type
    said = f"{' '.join(error.message.split())[:200] or 'no reason given'}, {kind or status}"
    if kind.startswith("quota_"):
        return _quota(kind, said, response)
    match kind:
        case "invalid_token" | "unauthorized":
            return AuthFailed(f"Metrica refuses the token: get a new one and connect again ({said}).")
        case "access_denied" | "counter_in_connect":
            return NotPermitted(
                "Metrica doesn't let this token read the counter: check the counter's number, that the token has "
                "the right metrika:read (metrika:write for conversions), and that its owner may view the counter "
                f"({said})."
            )
        case "not_found":
            return BadSettings(f"Metrica has no such counter: check its number ({said}).", "counter_id")
        case "invalid_uploading":
            return WriteRejected(f"Metrica refuses the file ({said}).")
        case "backend_error" | "timeout":
            return Transient(f"Metrica has a fault of its own ({said}).")
    if status in (420, 429):
        return RateLimited(f"Metrica asks to slow down ({said}).", QUOTA_SECONDS)
    if status >= 500:
        return Transient(f"Metrica has a fault of its own ({said}).")
    where = f" at {error.location}" if error.location else ""
    return VendorChanged(f"Metrica refuses the request{where} ({said}).")


def _quota(kind: str, said: str, response: httpx.Response) -> VendorError:
    if kind.startswith(_SHORT_QUOTAS):
        return RateLimited(f"Metrica asks to slow down ({said}).", QUOTA_SECONDS)
    return QuotaExhausted(
        f"The day's requests to Metrica of this login are used up; they begin anew at midnight UTC ({said}).",
        _midnight(response),
    )


def _by_status(status: int, _response: httpx.Response) -> VendorError | None:
    if status == 401:
        return AuthFailed("Metrica refuses the token: get a new one and connect again.")
    if status == 404:
        return BadSettings("Metrica has no such counter: check its number, and the API's address.", "counter_id")
    if status == 420:
        return RateLimited("Metrica asks to slow down.", QUOTA_SECONDS)
    return None


def _midnight(response: httpx.Response) -> datetime:
    """[4] The next midnight of GMT on the vendor's clock."""
    try:
        now = parsedate_to_datetime(response.headers["Date"]).astimezone(UTC)
    except (KeyError, ValueError):
        now = clock.now()
    return datetime.combine(now.date() + timedelta(days=1), time(), UTC)
