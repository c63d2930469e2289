"""What is written into Altcraft. The numbers in brackets are facts in BEHAVIOR.md.

Whatever is sent many times has the effect of once: an import finds the profile that it made, an order has our key
for its external id, and consent is set, not added. Goals have no key, so none are registered [14].
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from connectors.altcraft.errors import absent, taken
from connectors.altcraft.mapping import map_profile, status_of
from connectors.altcraft.reads import ONE_PROFILE, ask, ask_profile, profile_of
from connectors.altcraft.settings import AltcraftSettings
from connectors.altcraft.wire import Made, Verdict
from connectors.contract import Command, Lookup, Standing, VendorRequest, VendorResponse, Write
from connectors.errors import VendorChanged, WriteRejected
from schema.enums import RecordKind
from schema.records import ContactRecord

_NAMES = {"first_name": "_fname", "last_name": "_lname"}
_CARD = (*_NAMES, "phones", "emails")


def _data(values: Any) -> dict[str, Any]:
    data: dict[str, Any] = {theirs: values[ours] for ours, theirs in _NAMES.items() if values.get(ours)}
    if values.get("phones"):
        data["phones"] = list(values["phones"])
    if values.get("emails"):
        data["email"] = values["emails"][0]
    return data


def _matched(values: Any) -> dict[str, Any]:
    """[5] By what a person is looked for; it stands beside ``data``, not in it. Raises WriteRejected."""
    emails, phones = values.get("emails"), values.get("phones")
    if emails and phones:
        return {"matching": "email_phone", "email": emails[0], "phone": phones[0]}
    if emails:
        return {"matching": "email", "email": emails[0]}
    if phones:
        return {"matching": "phone", "phone": phones[0]}
    raise WriteRejected("A profile needs an e-mail or a phone: without them it couldn't be found again.")


def _make(settings: AltcraftSettings, command: Command) -> VendorRequest:
    """[14] An import never makes a second profile, and starts no scenario."""
    body = {
        "db_id": settings.db_id,
        **_matched(command.values),
        "data": _data(command.values),
        "skip_triggers": True,
    }
    return ask("/profiles/import", body)


def _change(settings: AltcraftSettings, command: Command) -> VendorRequest:
    who = {"matching": "profile_id", "profile_id": str(command.external_id)}
    body = {"db_id": settings.db_id, **who, "data": _data(command.values), "skip_triggers": True}
    return ask("/profiles/update", body)


def _became_client(settings: AltcraftSettings, command: Command) -> VendorRequest:
    """The one change that may start scenarios: it says that somebody became a client."""
    values = command.values
    if settings.client_field is None and settings.segment_id is None:
        raise WriteRejected(
            "Name a field for 'became a client' or a segment for clients in the connection's settings."
        )
    data = _data(values)
    if settings.client_field is not None:
        data[settings.client_field] = _instant(values["at"])
    body: dict[str, Any] = {"db_id": settings.db_id, **_matched(values), "data": data, "skip_triggers": False}
    if settings.segment_id is not None:
        body["add_to_segments"] = [settings.segment_id]
    return ask("/profiles/import", body)


def _sale(settings: AltcraftSettings, command: Command) -> VendorRequest:
    """An order with our key for its external id: sent again it is the same order."""
    values = command.values
    if settings.endpoint is None:
        raise WriteRejected("Name the touch point of orders in the connection's settings.")
    order = {
        "external_id": command.key,
        **_matched(values),
        "endpoint": settings.endpoint,
        "status": "delivered",
        "total_price": str(values["amount"]),
        "currency": values["currency"],
        "create_time": _instant(values["at"]),
    }
    return ask("/market/orders/import", {"data": [order], "skip_triggers": True})


def _consent(settings: AltcraftSettings, command: Command) -> VendorRequest:
    """[10] Only a consent is told: nobody's refusal is ever lifted or made from here."""
    values = command.values
    if settings.resource_id is None:
        raise WriteRejected("Name the resource for consent in the connection's settings.")
    if values.get("consent") != "subscribed":
        raise WriteRejected("Only a consent that was given is told to Altcraft; it is withdrawn there.")
    if values.get("emails"):
        address = {"channel": "email", "email": values["emails"][0]}
    elif values.get("phones"):
        address = {"channel": "sms", "phone": values["phones"][0]}
    else:
        raise WriteRejected("A consent needs the e-mail or the phone that it is for.")
    body = {
        "db_id": settings.db_id,
        "profile_id": str(command.external_id),
        "resource_id": settings.resource_id,
        "status": "subscribed",
        "skip_triggers": True,
        **address,
    }
    return ask("/subscriptions/set", body)


def _made(_settings: AltcraftSettings, _command: Command, response: VendorResponse) -> str:
    try:
        return msgspec.json.decode(taken(response), type=Made).profile_id
    except msgspec.MsgspecError:
        raise VendorChanged("Altcraft took a profile and did not tell its id.") from None


def _same(_settings: AltcraftSettings, command: Command, response: VendorResponse) -> str:
    taken(response)
    return str(command.external_id)


def _ordered(_settings: AltcraftSettings, command: Command, response: VendorResponse) -> str:
    """The verdict on the whole says nothing of its rows."""
    content = taken(response)
    try:
        rows = msgspec.json.decode(content, type=dict[str, Any]).get("result")
        for row in rows if isinstance(rows, list) else []:
            verdict = msgspec.convert(row, Verdict)
            if verdict.error:
                raise WriteRejected(f"Altcraft refuses the order: {verdict.error_text}")
    except msgspec.MsgspecError:
        raise VendorChanged("Altcraft answered an order in an unknown shape.") from None
    return command.key


def _search(settings: AltcraftSettings, command: Command) -> VendorRequest | None:
    try:
        return ask(ONE_PROFILE, {"db_id": settings.db_id, **_matched(command.values)})
    except WriteRejected:
        return None


def _ask_one(settings: AltcraftSettings, command: Command) -> VendorRequest | None:
    return None if command.external_id is None else ask_profile(settings, command.external_id)


def _standing(settings: AltcraftSettings, _command: Command, response: VendorResponse) -> Standing | None:
    if absent(response):
        return None
    body = profile_of(taken(response))
    if body is None:
        return None
    (card,) = map_profile(settings, body)  # type: ignore[misc]  # a profile is never left out
    if not isinstance(card, ContactRecord):
        raise VendorChanged("Altcraft answered the question for a profile without one.")
    values = {
        "first_name": card.first_name,
        "last_name": card.last_name,
        "phones": list(card.phones),
        "emails": list(card.emails),
        "consent": status_of((card.custom or {}).get(f"consent_email_{settings.resource_id}")),
    }
    return Standing(card.external_id, card.name or card.external_id, values)


def _instant(value: Any) -> str:
    """A moment as Altcraft takes it, with its zone."""
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    if moment.tzinfo is None:
        raise WriteRejected("A moment without a time zone can't be told.")
    return moment.isoformat()


_READ = Lookup(_ask_one, _standing)
WRITES: tuple[Write[AltcraftSettings], ...] = (
    Write(
        name="contact.create",
        title="Make a profile",
        entity=RecordKind.CONTACT,
        operation="create",
        idempotency="vendor_key",
        fields=_CARD,
        request=_make,
        result=_made,
        by_match=Lookup(_search, _standing),
    ),
    Write(
        name="contact.update",
        title="Change a profile",
        entity=RecordKind.CONTACT,
        operation="update",
        idempotency="absolute",
        fields=_CARD,
        request=_change,
        result=_same,
        read=_READ,
        replaces_lists=True,
    ),
    Write(
        name="client.put",
        title="Tell that somebody became a client",
        entity=RecordKind.CONTACT,
        operation="create",
        idempotency="vendor_key",
        fields=(*_CARD, "at"),
        request=_became_client,
        result=_made,
    ),
    Write(
        name="sale.put",
        title="Tell of a sale as an order",
        entity=RecordKind.DEAL,
        operation="create",
        idempotency="vendor_key",
        fields=("phones", "emails", "amount", "currency", "at"),
        request=_sale,
        result=_ordered,
    ),
    Write(
        name="consent.put",
        title="Tell of a consent",
        entity=RecordKind.CONTACT,
        operation="update",
        idempotency="absolute",
        fields=("phones", "emails", "consent"),
        request=_consent,
        result=_same,
        read=_READ,
        resent=("phones", "emails"),
    ),
)
