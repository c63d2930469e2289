"""Whether a server's settings work, in words for the person who typed them."""

from __future__ import annotations

import msgspec

from connectors.bottlecrm.reads import PATHS
from connectors.bottlecrm.settings import BottleCrmSettings
from connectors.contract import Health, VendorRequest, VendorSession
from connectors.errors import NotPermitted, Transient, VendorChanged, VendorError

_MISSED = {
    "users/": "members aren't read, so nobody is responsible",
    "accounts/": "accounts aren't read: no companies",
    "leads/": "leads aren't read",
    "opportunities/": "deals aren't read",
    "invoices/": "invoices aren't read",
}


class _Org(msgspec.Struct):
    name: str


class _Me(msgspec.Struct):
    role: str | None = None


class _Profile(msgspec.Struct):
    user_obj: _Me


async def check(session: VendorSession[BottleCrmSettings]) -> Health:
    """Ask whose token it is, and whether each list opens to it.

    Never raises for what the settings cause: the sentence says it.
    """
    try:
        answer = await session.send(VendorRequest("/profile/"))
        me = msgspec.json.decode(answer.content, type=_Profile).user_obj
        await session.send(VendorRequest("/contacts/", query={"limit": 1}))
        closed = [missed for path, missed in _MISSED.items() if not await _opens(session, path)]
        name = await _organisation(session)
    except Transient as error:
        return Health(False, f"{error.sentence} Check that the address is right, or try again later.")
    except msgspec.MsgspecError:
        return Health(False, "What answers there isn't BottleCRM: check the address.")
    except NotPermitted as error:
        return Health(False, f"{error.sentence} Give the token the scope contacts:read.")
    except VendorError as error:
        return Health(False, error.sentence)
    warnings = [f"The token doesn't open everything: {missed}." for missed in closed]
    if me.role not in (None, "ADMIN"):
        warnings.append("The token's owner isn't an admin, so only the records that are theirs are read.")
    return Health(True, f"Connected to {name or 'BottleCRM'}.", name, tuple(warnings))


async def _opens(session: VendorSession[BottleCrmSettings], path: str) -> bool:
    assert path in PATHS  # noqa: S101 - a list that is read
    try:
        await session.send(VendorRequest(f"/{path}", query={"limit": 1}))
    except (NotPermitted, VendorChanged):
        return False
    return True


async def _organisation(session: VendorSession[BottleCrmSettings]) -> str | None:
    try:
        answer = await session.send(VendorRequest("/org/settings/"))
    except (NotPermitted, VendorChanged):
        return None
    return msgspec.json.decode(answer.content, type=_Org).name
