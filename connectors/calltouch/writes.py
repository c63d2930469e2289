"""What is written into a cabinet: deals, against the calls that brought them. The numbers in brackets are facts in
BEHAVIOR.md."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from connectors.calltouch.settings import CalltouchSettings
from connectors.contract import Command, VendorRequest, VendorResponse, Write
from connectors.errors import VendorChanged, WriteRejected
from schema.enums import RecordKind

CRM = "Skvoz"
TOKEN_HEADER = "Access-Token"  # noqa: S105 - the header's name
_WHEN = "%d-%m-%Y %H:%M:%S"
_ORDERS = "/lead-service/v1/api/client-order"


class _Order(msgspec.Struct, rename="camel"):
    order_number: str | None = None
    calltouch_order_id: int | str | None = None


class _Wrong(msgspec.Struct, rename="camel"):
    order_number: str | None = None
    message: str | None = None


class _Data(msgspec.Struct, rename="camel"):
    orders: list[_Order] = msgspec.field(default_factory=list)
    validation_error_data: list[_Wrong] | None = None


class _Answer(msgspec.Struct):
    data: _Data = msgspec.field(default_factory=_Data)


def _request(settings: CalltouchSettings, what: str, body: dict[str, Any]) -> VendorRequest:
    headers = {TOKEN_HEADER: settings.token.get_secret_value(), "SiteId": settings.site_id}
    return VendorRequest(f"{_ORDERS}/{what}", "POST", json=body, headers=headers)


def _put(settings: CalltouchSettings, command: Command) -> VendorRequest:
    """[28] The number is the key: an order that is there already is changed by it."""
    values = command.values
    order: dict[str, Any] = {
        "matching": [{"type": "call", "callParams": {"callId": _whole(values["call"])}}],
        "orderNumber": values["number"],
        "orderName": values.get("title"),
        "orderDate": datetime.fromisoformat(values["at"]).astimezone(settings.zone).strftime(_WHEN),
        "status": values.get("stage"),
        "revenue": float(values["amount"]),
        "currency": (values.get("currency") or "RUB").lower(),
        "manager": values.get("manager"),
    }
    kept = {name: value for name, value in order.items() if value is not None}
    return _request(settings, "create", {"crm": CRM, "orders": [kept]})


def _remove(settings: CalltouchSettings, command: Command) -> VendorRequest:
    return _request(settings, "delete", {"crm": CRM, "orders": [{"orderNumber": command.values["number"]}]})


def _put_id(_settings: CalltouchSettings, command: Command, response: VendorResponse) -> str:
    """[29] A 200 may hold a refusal of the one order that was sent."""
    data = _decoded(response)
    for one in data.orders:
        if one.order_number == command.values["number"] and one.calltouch_order_id is not None:
            return str(one.calltouch_order_id)
    for wrong in data.validation_error_data or ():
        raise WriteRejected(f"Calltouch refuses the deal: {wrong.message or 'no reason given'}.")
    raise VendorChanged("Calltouch took a deal and did not tell its id.")


def _removed_id(_settings: CalltouchSettings, command: Command, response: VendorResponse) -> str:
    _decoded(response)
    return str(command.external_id or command.values["number"])


def _decoded(response: VendorResponse) -> _Data:
    try:
        return msgspec.json.decode(response.content, type=_Answer).data
    except msgspec.MsgspecError:
        raise VendorChanged("Calltouch answered a write in a shape that isn't known.") from None


def _whole(text: str) -> int | str:
    return int(text) if text.isdigit() else text


WRITES: tuple[Write[CalltouchSettings], ...] = (
    Write(
        name="deal.put",
        title="Put a deal against a call",
        entity=RecordKind.DEAL,
        operation="create",
        idempotency="vendor_key",
        fields=("number", "title", "amount", "currency", "stage", "manager", "at", "call"),
        request=_put,
        result=_put_id,
        undo="deal.delete",
        lag_seconds=0.0,
    ),
    Write(
        name="deal.delete",
        title="Remove a deal",
        entity=RecordKind.DEAL,
        operation="delete",
        idempotency="absolute",
        fields=("number",),
        request=_remove,
        result=_removed_id,
        lag_seconds=0.0,
    ),
)
