"""The check of the settings: which account answers, and whether it advertises."""

from __future__ import annotations

from connectors.contract import Health, VendorSession
from connectors.errors import BadSettings, VendorError
from connectors.google_ads.reads import (
    CLIENTS,
    CUSTOMER,
    KEPT_MONTHS,
    ask,
    clients_of,
    customer_of,
    months_before,
    zone_of,
)
from connectors.google_ads.settings import GoogleAdsSettings
from core import clock

NAMED = 5


async def check(session: VendorSession[GoogleAdsSettings]) -> Health:
    """Ask which account it is."""
    settings = session.settings
    try:
        customer = customer_of(await session.send(ask(settings, CUSTOMER)))
        if customer.manager:
            return Health(ok=False, sentence=await _of_a_manager(session))
        zone = zone_of(customer)
    except BadSettings:
        raise
    except VendorError as error:
        return Health(ok=False, sentence=error.sentence)
    if customer.currency_code is None:
        return Health(ok=False, sentence="Google Ads doesn't tell the account's currency.")
    name = customer.descriptive_name or customer.id
    history = months_before(clock.now().astimezone(zone).date(), KEPT_MONTHS)
    warnings = []
    if settings.since is not None and settings.since < history:
        warnings.append(f"Google Ads keeps days for {KEPT_MONTHS} months: the history begins on {history}.")
    return Health(
        ok=True,
        sentence=f"Google Ads answers for {name}: costs in {customer.currency_code}, days of {zone.key}.",
        account=name,
        warnings=tuple(warnings),
    )


async def _of_a_manager(session: VendorSession[GoogleAdsSettings]) -> str:
    """What to say of a manager's ID: the accounts below it, of which one is meant."""
    settings = session.settings
    found = clients_of(await session.send(ask(settings, CLIENTS)))
    if not found:
        return "This is a manager account, and no account that advertises is below it."
    return (
        f"This is a manager account, which has no costs. Give it as the manager's customer ID "
        f"({settings.customer_id}), and as the customer ID one of {', '.join(found[:NAMED])}."
    )
