"""Whether a shop's settings work, in words for the person who typed them."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from connectors.advantshop.exchange import read_exchange
from connectors.advantshop.reads import STATUSES_PAGE, listed
from connectors.advantshop.settings import AdvantshopSettings, account
from connectors.contract import Health, VendorRequest, VendorSession
from connectors.errors import NotPermitted, Transient, VendorChanged, VendorError


async def check(session: VendorSession[AdvantshopSettings]) -> Health:
    """Ask for the managers and the statuses, and whether the exchange with 1C opens where it is to be used.

    Never raises for what the settings cause: the sentence says it.
    """
    shop = account(session.settings)
    try:
        answer = await session.send(VendorRequest("/managers"))
        msgspec.json.decode(answer.content, type=list[msgspec.Raw])
        statuses = VendorRequest("/orderstatus/getlist", "POST", json={"Page": 1, "ItemsPerPage": STATUSES_PAGE})
        rows, _ = listed(await session.send(statuses))
        warnings = await _exchange(session)
    except (msgspec.MsgspecError, VendorChanged):
        return Health(False, "What answers there isn't ADVANTSHOP's API: check the shop address.")
    except Transient as error:
        return Health(False, f"{error.sentence} Check that the shop address is right, or try again later.")
    except VendorError as error:
        return Health(False, error.sentence)
    if not rows:
        warnings.append("The shop has no statuses of orders: no order can be told to be done or cancelled.")
    return Health(True, f"Connected to the shop {shop}.", shop, tuple(warnings))


async def _exchange(session: VendorSession[AdvantshopSettings]) -> list[str]:
    if not session.settings.exchange:
        return [
            f"Without the exchange with 1C the shop can't say which orders changed: those of the last "
            f"{session.settings.reread_days} days are read again each time, and the day of payment isn't known."
        ]
    today = f"{datetime.now(UTC).astimezone(session.settings.zone):%Y.%m.%d}"
    try:
        answer = await session.send(VendorRequest("/1c/exportorders", query={"from": today, "to": today}))
        read_exchange(answer.content)
    except VendorChanged as error:
        raise NotPermitted(f"The exchange with 1C doesn't answer as it should: {error.sentence}") from None
    return []
