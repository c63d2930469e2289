"""What the service tells by itself: events of clicks, signed (BEHAVIOR.md [8])."""

from __future__ import annotations

import hashlib
import hmac

import msgspec

from connectors.clickfraud.settings import ClickFraudSettings
from connectors.clickfraud.wire import SIGNATURE, Click, Notice
from connectors.contract import Delivery, Touched, Webhooks
from connectors.errors import BadRecord


def _genuine(settings: ClickFraudSettings, delivery: Delivery) -> bool:
    """Signed with the secret; without one only the unguessable address vouches."""
    if settings.webhook_secret is None:
        return True
    right = hmac.new(settings.webhook_secret.get_secret_value().encode(), delivery.content, hashlib.sha256)
    told = delivery.headers.get(SIGNATURE, "").removeprefix("sha256=")
    return hmac.compare_digest(told.encode(), right.hexdigest().encode())


def _read(_settings: ClickFraudSettings, delivery: Delivery) -> list[Touched]:
    """The click of an event; events of other things are no matter of ours."""
    try:
        notice = msgspec.json.decode(delivery.content, type=Notice)
        if not notice.event.startswith("click."):
            return []
        click = msgspec.json.decode(notice.data, type=Click)
    except msgspec.MsgspecError as error:
        raise BadRecord(f"The body isn't an event of a click: {error}.") from None
    return [Touched("clicks", str(click.id), body=bytes(notice.data))]


def _delivery_id(_settings: ClickFraudSettings, delivery: Delivery) -> str | None:
    try:
        return msgspec.json.decode(delivery.content, type=Notice).id
    except msgspec.MsgspecError:
        return None


WEBHOOKS: Webhooks[ClickFraudSettings] = Webhooks(
    events=("click.blocked", "click.suspicious", "click.cleared"),
    setup=(
        "In the service open Settings → API & Webhooks → Add webhook, paste the door's address, and choose the "
        "events of clicks. Copy the signing secret into the connection's settings."
    ),
    read=_read,
    genuine=_genuine,
    delivery_id=_delivery_id,
)
