"""The check of the settings: whose cabinet answers, and whether its campaigns may be read."""

from __future__ import annotations

import msgspec

from connectors.contract import Health, VendorRequest, VendorSession
from connectors.errors import VendorError
from connectors.vk_ads.reads import PLANS, listed
from connectors.vk_ads.settings import VkAdsSettings
from connectors.vk_ads.wire import User


async def check(session: VendorSession[VkAdsSettings]) -> Health:
    """Ask who it is, and for one campaign."""
    settings = session.settings
    try:
        answer = await session.send(VendorRequest("/api/v2/user.json"))
        campaigns, _ = listed(await session.send(VendorRequest(PLANS.path, query={"fields": "id", "limit": 1})))
    except VendorError as error:
        return Health(ok=False, sentence=error.sentence)
    try:
        user = msgspec.json.decode(answer.content, type=User)
    except msgspec.MsgspecError:
        user = User()
    warnings = []
    if user.currency is not None and user.currency != settings.currency:
        warnings.append(
            f"The cabinet seems to count in {user.currency}, the settings say {settings.currency}: "
            "correct the currency, or costs are wrong."
        )
    if campaigns == 0:
        warnings.append(
            "There isn't a single campaign. An agency's access sees none of its clients': give the agency's client."
            if settings.agency_client is None
            else "This client of the agency has no campaign yet."
        )
    name = user.username or settings.agency_client
    return Health(
        ok=True,
        sentence=f"VK Ads answers{f' for {name}' if name else ''}; campaigns: {campaigns}.",
        account=name,
        warnings=tuple(warnings),
    )
