"""What writes of parties and opportunities share. The numbers in brackets are facts in BEHAVIOR.md.

What Skvoz made carries its key: a party as an identifier without a type, an opportunity as its reference [13]. By
it the record is found again when the answer to its creation was lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from connectors.contract import Command, VendorRequest, VendorResponse
from connectors.errors import VendorChanged
from connectors.tryton import wire
from connectors.tryton.mapping import OURS
from connectors.tryton.query import headers
from connectors.tryton.settings import TrytonSettings

NAMES = ("first_name", "middle_name", "last_name")
MECHANISMS = {"phones": "phone", "emails": "email"}


def mark(command: Command) -> str:
    return f"{OURS}{command.key}"


def name_of(values: Mapping[str, Any]) -> str:
    """[10] A name is one field there."""
    return " ".join(str(values[part]).strip() for part in NAMES if values.get(part))


def mechanisms_of(values: Mapping[str, Any]) -> list[Any]:
    told = [
        {"type": type_, "value": str(value)}
        for name, type_ in MECHANISMS.items()
        for value in values.get(name) or ()
    ]
    return [["create", told]] if told else []


def post(settings: TrytonSettings, path: str, body: Mapping[str, Any]) -> VendorRequest:
    return VendorRequest(path, "POST", json=body, headers=headers(settings))


def put(settings: TrytonSettings, path: str, body: Mapping[str, Any]) -> VendorRequest:
    return VendorRequest(path, "PUT", json=body, headers=headers(settings))


def decoded(response: VendorResponse, type_: type[Any]) -> Any:
    try:
        return msgspec.json.decode(response.content, type=type_)
    except msgspec.MsgspecError:
        raise VendorChanged("Tryton answered the question for one record in a shape that isn't known.") from None


def named_id(_settings: TrytonSettings, _command: Command, response: VendorResponse) -> str:
    return str(decoded(response, wire.Id).id)


def known_id(_settings: TrytonSettings, command: Command, _response: VendorResponse) -> str:
    """Some actions answer with what the client should open next."""
    return str(command.external_id)
