"""Whether a portal's settings work, in words for the person who typed them."""

from __future__ import annotations

import msgspec

from connectors.aspro_cloud.settings import AsproCloudSettings, account
from connectors.aspro_cloud.wire import Scalar
from connectors.contract import Health, VendorRequest, VendorSession
from connectors.errors import NotPermitted, Transient, VendorChanged, VendorError

_MODULES = {  # a list of each module, and what is missed without it
    "/crm/account/list": "the CRM isn't read: no contacts, companies and deals",
    "/fin/invoice/list": "invoices aren't read",
    "/fin/act/list": "acts aren't read",
    "/fin/customer_payment/list": "payments aren't read",
    "/task/tasks/list": "tasks aren't read",
}


class _Me(msgspec.Struct):
    name: Scalar = None
    username: Scalar = None
    timezone: Scalar = None


class _Answer(msgspec.Struct):
    response: _Me


async def check(session: VendorSession[AsproCloudSettings]) -> Health:
    """Ask whose key it is, and whether each module opens to it.

    Never raises for what the settings cause: the sentence says it.
    """
    portal = account(session.settings)
    try:
        answer = await session.send(VendorRequest("/core/user/get"))
        me = msgspec.json.decode(answer.content, type=_Answer).response
        closed = [missed for path, missed in _MODULES.items() if not await _opens(session, path)]
    except Transient as error:
        return Health(False, f"{error.sentence} Check that the portal address is right, or try again later.")
    except msgspec.MsgspecError:
        return Health(False, "What answers there isn't Aspro.Cloud: check the portal address.")
    except NotPermitted:
        return Health(False, "The API key may not ask who it belongs to: give it the module Users in the portal.")
    except VendorError as error:
        return Health(False, error.sentence)
    if len(closed) == len(_MODULES):
        return Health(False, "The API key opens no module: tick CRM, Finance and Tasks at the key in the portal.")
    warnings = [f"The API key doesn't open a module: {missed}." for missed in closed]
    if me.timezone and me.timezone != session.settings.timezone:
        warnings.append(
            f"The key's owner has the time zone {me.timezone}, the settings say {session.settings.timezone}."
        )
    owner = str(me.name or me.username or "its owner")
    return Health(True, f"Connected to {portal} as {owner}.", portal, tuple(warnings))


async def _opens(session: VendorSession[AsproCloudSettings], path: str) -> bool:
    try:
        await session.send(VendorRequest(path, query={"limit": 1}))
    except (NotPermitted, VendorChanged):
        return False
    return True
