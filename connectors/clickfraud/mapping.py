"""From judged clicks to unified records: pure functions of a record's bytes."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal, InvalidOperation

import msgspec

from connectors.clickfraud.settings import ClickFraudSettings
from connectors.clickfraud.wire import BLOCKED, PLATFORMS, SUSPICIOUS, Click
from connectors.contract import Mapped
from connectors.errors import BadRecord
from schema.records import InvalidClicksRecord
from schema.traffic import Traffic, traffic_of_url

_CLICK = msgspec.json.Decoder(Click)


def map_click(settings: ClickFraudSettings, body: bytes) -> Mapped:
    """One click. One that is clean is told as deleted: it may have been judged otherwise before [5]."""
    click = _CLICK.decode(body)
    verdict = click.verdict.casefold()
    fraudulent = verdict in BLOCKED or (settings.suspicious and verdict in SUSPICIOUS)
    cost = _money(click.cost)
    return [
        InvalidClicksRecord(
            external_id=str(click.id),
            deleted=not fraudulent,
            day=_moment(click.clicked_at).astimezone(settings.zone).date(),
            cost=cost if click.currency else None,
            currency=click.currency if cost is not None else None,
            reason=", ".join(click.reasons) or None,
            traffic=_traffic(click),
        )
    ]


def _traffic(click: Click) -> Traffic:
    """The campaign by the platform's own id, else by what stands in the page's address."""
    platform = PLATFORMS.get((click.platform or "").casefold())
    if platform is not None and click.campaign_id:
        return Traffic(platform=platform, campaign=str(click.campaign_id), click_id=click.gclid)
    return traffic_of_url(click.landing_url)


def _money(told: str | float | int | None) -> Decimal | None:
    if told is None:
        return None
    try:
        amount = Decimal(str(told))
    except InvalidOperation:
        raise BadRecord(f"cost {told!r} is no sum of money.") from None
    if not amount.is_finite() or amount < 0:
        raise BadRecord(f"cost {told!r} is no sum of money.")
    return amount.quantize(Decimal("0.01"))


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise BadRecord(f"{text!r} is no time.") from None
    if found.tzinfo is None:
        raise BadRecord(f"{text!r} has no time zone.")
    return found
