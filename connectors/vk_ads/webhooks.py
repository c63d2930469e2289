"""What VK Ads tells by itself: a form that was filled (BEHAVIOR.md [23]-[25])."""

from __future__ import annotations

import msgspec

from connectors.contract import Delivery, Touched, Webhooks
from connectors.errors import BadRecord
from connectors.vk_ads.settings import VkAdsSettings
from connectors.vk_ads.wire import Lead, Notice

# The vendor's samples name the resource in two ways [23].
LEADS = frozenset({"LEAD", "OKLEADAD"})


def _read(_settings: VkAdsSettings, delivery: Delivery) -> list[Touched]:
    """The lead that a notice holds. Notices of other resources only tell that something changed: they are read with
    the next sync."""
    try:
        notice = msgspec.json.decode(delivery.content, type=Notice)
        if notice.resource not in LEADS:
            return []
        lead = msgspec.json.decode(notice.data, type=Lead)
    except msgspec.MsgspecError as error:
        raise BadRecord(f"The body isn't a notice of VK Ads: {error}.") from None
    return [Touched("leads", str(lead.id), body=bytes(notice.data))]


def _delivery_id(_settings: VkAdsSettings, delivery: Delivery) -> str | None:
    try:
        return msgspec.json.decode(delivery.content, type=Notice).id
    except msgspec.MsgspecError:
        return None


WEBHOOKS: Webhooks[VkAdsSettings] = Webhooks(
    events=("LEAD",),
    setup=(
        "The cabinet has no page for it: whoever looks after the API access sends, signed with its token, "
        'POST https://ads.vk.com/api/v3/subscription.json with {"resource": "LEAD", "callback_url": "the door\'s '
        'address"}; where LEAD is refused, OKLEADAD. Leads are read with each sync as well.'
    ),
    read=_read,
    delivery_id=_delivery_id,
)
