"""What a shop tells by itself [15]: three events of orders, unsigned, each sent once and never again.

A body is only read for ids: the order is fetched anew, and so is the customer of a new one.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from connectors.advantshop.mapping import NOBODY
from connectors.advantshop.settings import AdvantshopSettings
from connectors.advantshop.values import present
from connectors.contract import Delivery, Touched, Webhooks
from connectors.errors import BadRecord

SETUP = (
    "In the shop's admin area open Settings → API → Webhooks (Настройки → API → Webhooks) and add this address "
    "three times: for the events OrderCreated, OrderStatusChanged and OrderPaymentStatusChanged."
)


class _Buyer(msgspec.Struct, rename="pascal"):
    customer_id: str | None = None


class _Told(msgspec.Struct, rename="pascal"):
    id: int
    customer: _Buyer | None = None


def read_delivery(_settings: AdvantshopSettings, delivery: Delivery) -> Sequence[Touched]:
    """The order that a delivery speaks of, and its customer if it names one. Raises BadRecord."""
    try:
        told = msgspec.json.decode(delivery.content, type=_Told)
    except msgspec.MsgspecError:
        raise BadRecord("The body isn't an ADVANTSHOP webhook: it names no order.") from None
    touched = [Touched("orders", str(told.id))]
    customer = present(told.customer.customer_id) if told.customer is not None else None
    if customer is not None and customer != NOBODY:
        touched.append(Touched("customers", customer))
    return touched


WEBHOOKS: Webhooks[AdvantshopSettings] = Webhooks(
    events=("OrderCreated", "OrderStatusChanged", "OrderPaymentStatusChanged"),
    setup=SETUP,
    read=read_delivery,
)
