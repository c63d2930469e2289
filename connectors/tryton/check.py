"""Whether a database's settings work, in words for the person who typed them."""

from __future__ import annotations

import msgspec

from connectors.contract import Health, VendorSession
from connectors.errors import NotPermitted, Transient, VendorError
from connectors.tryton.query import EMPLOYEE, LOG, OPPORTUNITY, PARTY, search
from connectors.tryton.settings import TrytonSettings

_MISSED = {
    EMPLOYEE: "employees aren't read, so nobody is responsible",
    OPPORTUNITY: "opportunities aren't read: no deals",
    LOG: "the log isn't read: no history of states",
}


class _Named(msgspec.Struct):
    name: str | None = None


class _Company(msgspec.Struct):
    id: int
    party: _Named | None = None

    @property
    def name(self) -> str:
        return (self.party.name if self.party else None) or f"#{self.id}"


async def check(session: VendorSession[TrytonSettings]) -> Health:
    """Ask for the companies, and whether each model opens to the key.

    Never raises for what the settings cause: the sentence says it.
    """
    settings = session.settings
    try:
        answer = await session.send(search(settings, "company.company", ("party.name",), [], limit=100))
        companies = msgspec.json.decode(answer.content, type=list[_Company])
        own = next((one for one in companies if one.id == settings.company), None)
        if own is None:
            return Health(False, _no_company(settings, companies))
        await session.send(search(settings, PARTY, ("name",), [], limit=1))
        warnings = [missed for model, missed in _MISSED.items() if not await _opens(session, model, "id")]
        if settings.campaigns and not await _opens(session, OPPORTUNITY, "marketing_campaign"):
            return Health(
                False, "The module Marketing Campaign isn't activated: activate it, or switch campaigns off here."
            )
    except Transient as error:
        return Health(False, f"{error.sentence} Check that the address is right, or try again later.")
    except msgspec.MsgspecError:
        return Health(False, "What answers there isn't Tryton: check the address.")
    except VendorError as error:
        return Health(False, error.sentence)
    told = tuple(f"The user of the key may not see everything: {missed}." for missed in warnings)
    return Health(True, f"Connected to {own.name} in {settings.database}.", own.name, told)


def _no_company(settings: TrytonSettings, companies: list[_Company]) -> str:
    if not companies:
        return "The user of the key belongs to no company: set one on the user in Tryton."
    known = ", ".join(f"{one.id} ({one.name})" for one in companies)
    return f"There is no company number {settings.company}. The user of the key sees: {known}."


async def _opens(session: VendorSession[TrytonSettings], model: str, field: str) -> bool:
    try:
        await session.send(search(session.settings, model, (field,), [], limit=1))
    except NotPermitted:
        return False
    return True
