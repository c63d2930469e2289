"""Whether a portal's settings work, in words for the person who typed them."""

from __future__ import annotations

import msgspec

from connectors.bitrix24.settings import Bitrix24Settings, portal
from connectors.contract import Health, VendorRequest, VendorSession
from connectors.errors import NotPermitted, Transient, VendorError

SIMPLE_MODE = 2  # [18] unverified: taken from memory of the vendor's page

_LACKING = {  # scopes, any of which will do, and what is missed without them
    ("telephony",): "calls aren't read",
    ("user", "user_basic", "user_brief"): "the names of managers aren't read",
}


class _Profile(msgspec.Struct, rename="upper"):
    name: str | None = None
    last_name: str | None = None
    admin: bool | None = None


class _ProfileAnswer(msgspec.Struct):
    result: _Profile


class _ScopeAnswer(msgspec.Struct):
    result: list[str] | dict[str, str]


class _ModeAnswer(msgspec.Struct):
    result: int | str


async def check(session: VendorSession[Bitrix24Settings]) -> Health:
    """Ask who the webhook's owner is, what it may do, and how the CRM is set up.

    Never raises for what the settings cause: the sentence says it.
    """
    try:
        profile = msgspec.json.decode((await _call(session, "profile")), type=_ProfileAnswer).result
        granted = msgspec.json.decode((await _call(session, "scope")), type=_ScopeAnswer).result
        scopes = set(granted if isinstance(granted, list) else granted.values())
        if "crm" not in scopes:
            return Health(
                False,
                "The webhook works but lacks the permission CRM (crm): tick it in the webhook's settings and save.",
                portal(session.settings),
            )
        warnings = [*_missing(scopes), *_rights(profile), *await _mode(session)]
    except (msgspec.ValidationError, msgspec.DecodeError, Transient) as error:
        reason = error.sentence if isinstance(error, Transient) else "The answer isn't Bitrix24's."
        return Health(False, f"{reason} Check that the webhook address is your portal's, or try again later.")
    except VendorError as error:
        return Health(False, error.sentence)
    owner = " ".join(filter(None, (profile.name, profile.last_name))) or "its owner"
    host = portal(session.settings)
    return Health(True, f"Connected to {host} as {owner}.", host, tuple(warnings))


async def _call(session: VendorSession[Bitrix24Settings], method: str) -> bytes:
    return (await session.send(VendorRequest(f"/{method}", "POST", json={}))).content


def _missing(scopes: set[str]) -> list[str]:
    return [
        f"The webhook lacks the permission {any_of[0]}: {missed}."
        for any_of, missed in _LACKING.items()
        if scopes.isdisjoint(any_of)
    ]


def _rights(profile: _Profile) -> list[str]:
    if profile.admin is not False:
        return []
    return ["The webhook's owner isn't an administrator: records that they may not see are missing without a word."]


async def _mode(session: VendorSession[Bitrix24Settings]) -> list[str]:
    try:
        mode = msgspec.json.decode(await _call(session, "crm.settings.mode.get"), type=_ModeAnswer).result
    except NotPermitted:
        return []
    if int(mode) != SIMPLE_MODE:
        return []
    return ["The portal works in the simple CRM mode: it has no leads, every request becomes a deal at once."]
