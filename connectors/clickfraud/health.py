"""What the service's errors mean, and the check of the settings (BEHAVIOR.md [1], [6])."""

from __future__ import annotations

import httpx
import msgspec

from connectors.clickfraud.settings import ClickFraudSettings
from connectors.clickfraud.wire import Refusal, Sites
from connectors.contract import Health, VendorRequest, VendorSession
from connectors.errors import (
    AuthFailed,
    BadSettings,
    NotPermitted,
    Transient,
    VendorChanged,
    VendorError,
)


def error_of(response: httpx.Response) -> VendorError | None:
    """The error that an answer is, if it is one; what isn't named here the engine tells by the status."""
    status = response.status_code
    if 300 <= status < 400:
        return BadSettings("The service's API isn't at this address: it sends us to another page.", "base_url")
    if response.content.lstrip()[:1] == b"<":
        if status >= 500:
            return Transient(f"A web page (status {status}) answers instead of the service's API.")
        return BadSettings("A web page answers instead of the service's API: check the address.", "base_url")
    said = _said(response)
    if status == 401:
        return AuthFailed(f"The service refuses the token: make a new one and connect again{said}")
    if status == 402:
        return NotPermitted(f"The plan of the account holds no access to the API: it needs a higher one{said}")
    if status == 403:
        return NotPermitted(f"The token lacks an ability: make one with sites:read and clicks:read{said}")
    if status == 404:
        return BadSettings(f"The service knows no such site for this token{said}", "site_id")
    if status == 422:
        return VendorChanged(f"The service refuses the request{said}")
    return None


async def check(session: VendorSession[ClickFraudSettings]) -> Health:
    """Ask for the sites that the token sees, and for clicks of the one that is meant."""
    settings = session.settings
    try:
        answer = await session.send(VendorRequest("/sites"))
        sites = msgspec.json.decode(answer.content, type=Sites).data
        await session.send(VendorRequest(f"/sites/{settings.site_id}/clicks", query={"per_page": 1}))
    except BadSettings:
        raise
    except msgspec.MsgspecError:
        return Health(ok=False, sentence="What answers there isn't the service's API: check the address.")
    except VendorError as error:
        return Health(ok=False, sentence=error.sentence)
    site = next((each for each in sites if str(each.id) == settings.site_id), None)
    if site is None:
        known = ", ".join(f"{each.id} ({each.domain})" if each.domain else str(each.id) for each in sites[:5])
        raise BadSettings(f"The token sees no site {settings.site_id}; it sees {known or 'none'}", "site_id")
    name = site.domain or settings.site_id
    return Health(ok=True, sentence=f"The service answers for {name}.", account=name)


def _said(response: httpx.Response) -> str:
    try:
        message = msgspec.json.decode(response.content, type=Refusal).message.strip().rstrip(".")
    except msgspec.MsgspecError:
        return ""
    return f" ({message})" if message else ""
