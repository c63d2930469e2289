"""Whether an account's settings work, in words for the person who typed them."""

from __future__ import annotations

from typing import Any

import msgspec

from connectors.amocrm.settings import AmoCrmSettings
from connectors.contract import Health, VendorRequest, VendorSession
from connectors.errors import NotPermitted, Transient, VendorError


class _Clock(msgspec.Struct):
    timezone: str | None = None


class _Embedded(msgspec.Struct):
    datetime_settings: _Clock | list[Any] | None = None


class _Account(msgspec.Struct):
    id: int
    name: str
    currency: str | None = None
    is_api_filter_enabled: bool | None = None
    embedded: _Embedded | list[Any] | None = msgspec.field(name="_embedded", default=None)


async def check(session: VendorSession[AmoCrmSettings]) -> Health:
    """Ask for the account and whether its users may be listed.

    Never raises for what the settings cause: the sentence says it.
    """
    try:
        answer = await session.send(
            VendorRequest("/api/v4/account", query={"with": "datetime_settings,is_api_filter_enabled"})
        )
        account = msgspec.json.decode(answer.content, type=_Account)
        warnings = [*_differences(session.settings, account), *await _users(session)]
    except Transient as error:
        return Health(False, f"{error.sentence} Check that the account address is right, or try again later.")
    except msgspec.DecodeError:
        return Health(False, "What answers there isn't amoCRM: check the account address.")
    except VendorError as error:
        return Health(False, error.sentence)
    return Health(True, f"Connected to the account {account.name!r}.", account.name, tuple(warnings))


def _differences(settings: AmoCrmSettings, account: _Account) -> list[str]:
    warnings = []
    if account.is_api_filter_enabled is False:
        warnings.append(
            "API filtering is off in this account: changes are found by reading from the newest down, which takes "
            "more requests. amoCRM's support can switch it on."
        )
    if account.currency and account.currency != settings.currency:
        warnings.append(f"The account's currency is {account.currency}, the settings say {settings.currency}.")
    embedded = account.embedded if isinstance(account.embedded, _Embedded) else _Embedded()
    clock = embedded.datetime_settings if isinstance(embedded.datetime_settings, _Clock) else _Clock()
    if clock.timezone and clock.timezone != settings.timezone:
        warnings.append(f"The account's time zone is {clock.timezone}, the settings say {settings.timezone}.")
    return warnings


async def _users(session: VendorSession[AmoCrmSettings]) -> list[str]:
    try:
        await session.send(VendorRequest("/api/v4/users", query={"limit": 1}))
    except NotPermitted:
        return ["The token's user isn't an administrator: the names of managers aren't read."]
    return []
