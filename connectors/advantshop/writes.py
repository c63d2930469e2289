"""What is written into a shop. The numbers in brackets are facts in BEHAVIOR.md.

Leads and orders are not made: over the API neither can be looked for by anything of ours, so after an answer that
was lost nobody could tell whether to make it again [17].
"""

from __future__ import annotations

from typing import Any

import msgspec

from connectors.advantshop import wire
from connectors.advantshop.errors import absent, refusal
from connectors.advantshop.settings import AdvantshopSettings
from connectors.advantshop.values import emails, full_name, phones
from connectors.contract import Command, Lookup, Standing, VendorRequest, VendorResponse, Write
from connectors.errors import VendorChanged, WriteRejected
from schema.enums import RecordKind

_CARD = {
    "first_name": "firstName",
    "middle_name": "patronymic",
    "last_name": "lastName",
    "responsible": "managerId",
}


class _One(msgspec.Struct):
    obj: wire.Order


class _Made(msgspec.Struct):
    id: str


def taken(response: VendorResponse) -> None:
    """Raises WriteRejected with the shop's own words where it refuses a change [2]."""
    words = refusal(response)
    if words is not None:
        raise WriteRejected(f"ADVANTSHOP refuses the change: {words}")


# --- orders


def _change_status(_settings: AdvantshopSettings, command: Command) -> VendorRequest:
    body = {"OrderId": _number(command.external_id), "StatusId": _number(command.values["stage"])}
    return VendorRequest("/order/changestatus", "POST", json=body)


def _set_paid(_settings: AdvantshopSettings, command: Command) -> VendorRequest:
    """[16] The shop knows no way back."""
    if command.values["paid"] is not True:
        raise WriteRejected("ADVANTSHOP can mark an order as paid, and not as unpaid.")
    return VendorRequest("/order/setpaid", "POST", json={"OrderId": _number(command.external_id)})


def _of_order(_settings: AdvantshopSettings, command: Command, response: VendorResponse) -> str:
    taken(response)
    return str(command.external_id)


def _ask_order(_settings: AdvantshopSettings, command: Command) -> VendorRequest | None:
    return None if command.external_id is None else VendorRequest(f"/order/get/{command.external_id}")


def _order(_settings: AdvantshopSettings, _command: Command, response: VendorResponse) -> Standing | None:
    if absent(response):
        return None
    try:
        told = msgspec.json.decode(response.content, type=_One).obj
    except msgspec.MsgspecError:
        raise VendorChanged("ADVANTSHOP answered the question for one order without an order.") from None
    values = {"stage": str(told.status.id), "paid": told.is_paid}
    return Standing(str(told.id), f"order {told.number or told.id}", values)


# --- customers


def _card(values: dict[str, Any]) -> dict[str, Any]:
    card = {theirs: values[ours] for ours, theirs in _CARD.items() if values.get(ours) is not None}
    if "managerId" in card:
        card["managerId"] = _number(card["managerId"])
    return card


def _make(_settings: AdvantshopSettings, command: Command) -> VendorRequest:
    """[16] An e-mail is needed, and two customers never have the same: so nothing is made twice."""
    values = dict(command.values)
    if not values.get("emails"):
        raise WriteRejected("ADVANTSHOP makes no customer without an e-mail.", "email")
    card = _card(values) | {"email": values["emails"][0]}
    if values.get("phones"):
        card["phone"] = _digits(values["phones"][0])
    return VendorRequest("/customers/add", "POST", json=card)


def _made(_settings: AdvantshopSettings, _command: Command, response: VendorResponse) -> str:
    taken(response)
    try:
        return msgspec.json.decode(response.content, type=_Made).id
    except msgspec.MsgspecError:
        raise VendorChanged("ADVANTSHOP took a customer and did not tell its id.") from None


def _change(_settings: AdvantshopSettings, command: Command) -> VendorRequest:
    """[16] The e-mail is written in any case: without one it would be emptied."""
    values = dict(command.values)
    told: list[str] = list(values.get("emails") or ())
    if len(told) != 1:
        raise WriteRejected("A customer of ADVANTSHOP has exactly one e-mail, which can't be changed from here.")
    return VendorRequest(f"/customers/{command.external_id}", "POST", json=_card(values) | {"email": told[0]})


def _of_customer(_settings: AdvantshopSettings, command: Command, response: VendorResponse) -> str:
    taken(response)
    return str(command.external_id)


def _ask_customer(_settings: AdvantshopSettings, command: Command) -> VendorRequest | None:
    return None if command.external_id is None else VendorRequest(f"/customers/{command.external_id}")


def _customer(_settings: AdvantshopSettings, _command: Command, response: VendorResponse) -> Standing | None:
    return None if absent(response) else _standing(response.content)


def _standing(content: bytes) -> Standing:
    try:
        told = msgspec.json.decode(content, type=wire.Customer)
    except msgspec.MsgspecError:
        raise VendorChanged("ADVANTSHOP answered the question for one customer without a customer.") from None
    values = {
        "first_name": told.first_name,
        "middle_name": told.patronymic,
        "last_name": told.last_name,
        "responsible": None if told.manager_id is None else str(told.manager_id),
        "phones": list(phones(told.phone)),
        "emails": list(emails(told.email)),
    }
    name = full_name(told.last_name, told.first_name, told.patronymic)
    return Standing(told.id, name or told.email or told.id, values)


def _search(_settings: AdvantshopSettings, command: Command) -> VendorRequest | None:
    told = command.values.get("emails")
    return VendorRequest("/customers", query={"email": told[0], "itemsPerPage": 100}) if told else None


class _Found(msgspec.Struct):
    customers: list[msgspec.Raw] | None = None


def _same(_settings: AdvantshopSettings, command: Command, response: VendorResponse) -> Standing | None:
    """[16] The search finds parts of an e-mail too: only the very same one counts."""
    try:
        rows = msgspec.json.decode(response.content, type=_Found).customers or []
    except msgspec.MsgspecError:
        raise VendorChanged("ADVANTSHOP's list of customers isn't the known envelope.") from None
    wanted = str(command.values["emails"][0]).strip().casefold()
    found = [_standing(bytes(row)) for row in rows]
    return next((one for one in found if wanted in map(str.casefold, one.values["emails"])), None)


def _number(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        raise WriteRejected(
            f"{value!r} is no id of ADVANTSHOP: its statuses, managers and orders have numbers."
        ) from None


def _digits(phone: str) -> int:
    return int("".join(filter(str.isdecimal, phone)) or 0)


WRITES: tuple[Write[AdvantshopSettings], ...] = (
    Write(
        name="deal.update",
        title="Change an order's status",
        entity=RecordKind.DEAL,
        operation="update",
        idempotency="absolute",
        fields=("stage",),
        request=_change_status,
        result=_of_order,
        read=Lookup(_ask_order, _order),
    ),
    Write(
        name="deal.pay",
        title="Mark an order as paid",
        entity=RecordKind.DEAL,
        operation="update",
        idempotency="absolute",
        fields=("paid",),
        request=_set_paid,
        result=_of_order,
        read=Lookup(_ask_order, _order),
    ),
    Write(
        name="contact.create",
        title="Make a customer",
        entity=RecordKind.CONTACT,
        operation="create",
        idempotency="vendor_key",
        fields=(*_CARD, "phones", "emails"),
        request=_make,
        result=_made,
        by_match=Lookup(_search, _same),
    ),
    Write(
        name="contact.update",
        title="Change a customer's name or manager",
        entity=RecordKind.CONTACT,
        operation="update",
        idempotency="absolute",
        fields=tuple(_CARD),
        request=_change,
        result=_of_customer,
        read=Lookup(_ask_customer, _customer),
        resent=("emails",),
    ),
)
