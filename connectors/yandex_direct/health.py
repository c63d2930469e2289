"""What Direct's errors mean, and the check of the settings (BEHAVIOR.md [1]-[4], [25]-[28])."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx
import msgspec

from connectors.contract import Health, VendorSession
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
)
from connectors.yandex_direct.mapping import currency_of
from connectors.yandex_direct.reads import ask_client, read_client, read_clients, service
from connectors.yandex_direct.settings import DirectSettings
from connectors.yandex_direct.wire import Error, ErrorAnswer
from core import clock

WAIT_UNTOLD = 5.0
WAIT_AT_MOST = 60.0
WAIT_QUEUE = 10.0
FEW_POINTS = 0.1
LOGINS_NAMED = 5

_ERROR = msgspec.json.Decoder(ErrorAnswer)

# What Direct calls by number, and what it means for us (BEHAVIOR.md [26]). A number that isn't here is our mistake.
ERRORS: dict[int, Callable[[str], VendorError]] = {
    52: lambda said: Transient(f"Yandex's login service doesn't answer Direct: {said}"),
    53: lambda said: AuthFailed(f"Direct refuses the token: get a new one and connect again ({said})"),
    54: lambda said: NotPermitted(
        f"This token has no right to that cabinet: check the advertiser's login and the token's own role ({said})"
    ),
    55: lambda said: NotPermitted(f"Direct doesn't allow this method to the token: {said}"),
    56: lambda said: RateLimited(f"Direct's limit of calls of one method is reached: {said}", WAIT_QUEUE),
    58: lambda said: NotPermitted(
        "The token's application has no access to Direct's API yet: file the access request in Direct "
        f"(Tools, API, My requests) and wait until it is accepted ({said})"
    ),
    506: lambda said: RateLimited(f"Too many requests to this cabinet at once: {said}", WAIT_QUEUE),
    513: lambda said: BadSettings(
        f"That login has no cabinet in Direct: check the advertiser's login ({said})", "login"
    ),
    1000: lambda said: Transient(f"Direct has a fault of its own: {said}"),
    1001: lambda said: Transient(f"Direct has a fault of its own: {said}"),
    1002: lambda said: Transient(f"Direct has a fault of its own: {said}"),
    3000: lambda said: NotPermitted(
        f"This cabinet may not use Direct's API: open the API's settings in Direct and accept its terms ({said})"
    ),
    9000: lambda said: NotReady(f"Direct is preparing as many reports as it may: {said}", WAIT_QUEUE),
}


def error_of(response: httpx.Response) -> VendorError | None:
    """The error that an answer is, with status 200 too; a report under way is one as well: ``NotReady``."""
    status = response.status_code
    if status in (201, 202):
        return NotReady("Direct is preparing the report.", _wait(response))
    if 300 <= status < 400:
        return BadSettings("Direct's API isn't at this address: it sends us to another page.", "base_url")
    if response.content.lstrip()[:1] == b"<":
        return _web_page(status)
    error = _told(response)
    if error is not None:
        return _named(error, response)
    if status == 401:
        return AuthFailed("Direct refuses the token: get a new one and connect again.")
    if status == 403:
        return NotPermitted("Direct refuses this token any access.")
    if status == 404:
        return BadSettings("Direct's API isn't at this address.", "base_url")
    if 400 <= status < 500 and status not in (408, 429):
        return VendorChanged(f"Direct refuses the request with status {status} and gives no reason.")
    return None


async def check(session: VendorSession[DirectSettings]) -> Health:
    """Ask whose cabinet it is, and for one campaign of it."""
    settings = session.settings
    try:
        answer = await session.send(ask_client(settings))
        client = read_client(answer)
        await session.send(
            service(
                settings,
                "campaigns",
                {"SelectionCriteria": {}, "FieldNames": ["Id"], "Page": {"Limit": 1, "Offset": 0}},
            )
        )
    except (AuthFailed, Transient, RateLimited, QuotaExhausted) as error:
        return Health(ok=False, sentence=error.sentence)
    except VendorError as error:
        return Health(ok=False, sentence=await _of_an_agency(session) or error.sentence)
    if currency_of(client.currency) is None:
        return Health(
            ok=False,
            sentence=f"The cabinet of {client.login} counts in Direct's own units: move it to a currency first.",
            account=client.login,
        )
    warnings = []
    if client.archived == "YES":
        warnings.append("This advertiser is archived in the agency's cabinet: there will be no new costs.")
    if _few_points(answer.headers):
        warnings.append(
            "Less than a tenth of the day's API points is left: the list of campaigns may have to wait."
        )
    return Health(
        ok=True,
        sentence=f"Direct answers for {client.login}, costs in {client.currency}.",
        account=client.login,
        warnings=tuple(warnings),
    )


async def _of_an_agency(session: VendorSession[DirectSettings]) -> str | None:
    """What to say if the token is an agency's and no client's login is given; None if that isn't the fault."""
    settings = session.settings
    if settings.login is not None:
        return None
    request = service(
        settings,
        "agencyclients",
        {"SelectionCriteria": {}, "FieldNames": ["Login"], "Page": {"Limit": LOGINS_NAMED, "Offset": 0}},
    )
    try:
        clients = read_clients(await session.send(request))
    except VendorError:
        return None
    if not clients:
        return None
    logins = ", ".join(client.login for client in clients)
    return f"This is an agency's token: set the advertiser's login to the client to read, such as {logins}."


def _told(response: httpx.Response) -> Error | None:
    """The error in a body, if there is one. Reports are tables, in which no error can stand."""
    if response.content.lstrip()[:1] != b"{":
        return None
    try:
        return _ERROR.decode(response.content).error
    except msgspec.MsgspecError:
        return None


def _named(error: Error, response: httpx.Response) -> VendorError:
    said = ": ".join(part for part in (error.error_string.strip(), error.error_detail.strip()) if part)
    try:
        code = int(error.error_code)
    except ValueError:
        return VendorChanged(f"Direct gives an error without a number: {error.error_code} {said}")
    said = f"{said or 'no reason given'}, error {code}"
    if "client-login" in said.casefold():
        return BadSettings(f"Direct wants another advertiser's login ({said})", "login")
    if code == 1002 and "oauth" in said.casefold():
        return ERRORS[53](said)
    if code == 152:
        return QuotaExhausted(
            f"The cabinet's API points are used up; Direct adds some every hour ({said})", _next_hour(response)
        )
    if code in ERRORS:
        return ERRORS[code](said)
    if response.status_code >= 500:
        return Transient(f"Direct has a fault of its own: {said}")
    return VendorChanged(f"Direct refuses the request: {said}")


def _web_page(status: int) -> VendorError:
    if 400 <= status < 500:
        return BadSettings(
            f"A web page (status {status}) answers instead of Direct's API: check its address.", "base_url"
        )
    # The gateway's page: a report may be queued already, so the same request is sent again.
    return Transient("A web page answers instead of Direct's API. If it stays so, check the API's address.")


def _wait(response: httpx.Response) -> float:
    try:
        told = float(response.headers.get("retryIn", ""))
    except ValueError:
        return WAIT_UNTOLD
    return min(told, WAIT_AT_MOST) if told > 0 else WAIT_UNTOLD


def _next_hour(response: httpx.Response) -> datetime:
    """An hour from now on the vendor's clock."""
    try:
        now = parsedate_to_datetime(response.headers["Date"]).astimezone(UTC)
    except (KeyError, ValueError):
        now = clock.now()
    return now + timedelta(hours=1)


def _few_points(headers: httpx.Headers) -> bool:
    """``Units: spent/left/daily``."""
    try:
        _spent, left, daily = (int(part) for part in headers.get("Units", "").split("/"))
    except ValueError:
        return False
    return left < daily * FEW_POINTS
