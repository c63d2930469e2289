"""In what one account differs from another: the switches of this vendor."""

from __future__ import annotations

from sandbox.vendors.amocrm.account import KEY
from sandbox.vendors.contract import World
from sandbox.vendors.switches import Switches, Value

SWITCHES: dict[str, Value] = {
    "api_filter_enabled": True,  # False: filters of leads, contacts, companies are ignored in silence
    "price_with_minor_units": True,  # newer accounts show the exact price beside the whole one
    "duplicate_control": True,  # /leads/complex finds contacts that are there already
    "access_seconds": 86400,  # how long an access token lives
    "html_429": False,  # too many requests are answered in HTML, not in JSON
    "breaches_until_block": 100,  # so many 429 within a minute, and the account answers 403 to everything
    "blocked": False,  # that state; only support lifts it
    "webhook": "",  # where webhooks go, beside the addresses that the account was told over its API
    "switched_off_hooks": 0,  # those with ids up to this one are off, as after a hundred failures in two hours
}


def switches(world: World) -> Switches:
    """The account's switches."""
    return Switches(world, KEY, SWITCHES)
