"""How what stands in Aspro.Cloud is found: by our key, by its id, by a client's phone or e-mail. The numbers in
brackets are facts in BEHAVIOR.md."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec

from connectors.aspro_cloud.errors import ANSWERED, refused
from connectors.aspro_cloud.mapping import PERSON
from connectors.aspro_cloud.reads import LIMIT, rows
from connectors.aspro_cloud.settings import AsproCloudSettings
from connectors.aspro_cloud.values import text, texts
from connectors.aspro_cloud.writing import ACCOUNT, ACTIVE, CONTACT, DEALS, EMAILS, LEAD, PHONES, Kind, Row, mark
from connectors.contract import Command, Lookup, Standing, VendorRequest, VendorResponse
from connectors.errors import VendorChanged
from schema.enums import RecordKind


def by_mark(kind: Kind) -> Lookup[AsproCloudSettings]:
    def request(_settings: AsproCloudSettings, command: Command) -> VendorRequest:
        return VendorRequest(f"/{kind.path}/list", query={"filter[ref]": mark(command), "limit": LIMIT})

    def found(settings: AsproCloudSettings, command: Command, response: VendorResponse) -> Standing | None:
        for row in _rows(response):
            if text(row.get("ref")) == mark(command):  # a filter may be ignored: the row itself must tell
                return kind.standing(settings, row, command)
        return None

    return Lookup(request, found)


def by_id(kind: Kind) -> Lookup[AsproCloudSettings]:
    def request(_settings: AsproCloudSettings, command: Command) -> VendorRequest | None:
        if command.external_id is None:
            return None
        return VendorRequest(f"/{kind.path}/get/{command.external_id}", accept=ANSWERED)

    def found(settings: AsproCloudSettings, command: Command, response: VendorResponse) -> Standing | None:
        if refused(response):
            return None
        try:
            row = msgspec.json.decode(response.content)["response"]
        except (msgspec.MsgspecError, KeyError, TypeError):
            raise VendorChanged("Aspro.Cloud answered the question for one record without a record.") from None
        merged = text(row.get("merged_to")) or text(row.get("merged_to_id"))
        return None if merged not in (None, "0") else kind.standing(settings, row, command)

    return Lookup(request, found)


def _sought(spelling: Callable[[Command], str | None]) -> Lookup[AsproCloudSettings]:
    """[18] The search compares letters, not numbers: each spelling is asked for by itself."""

    def request(_settings: AsproCloudSettings, command: Command) -> VendorRequest | None:
        wanted = spelling(command)
        return (
            None if wanted is None else VendorRequest(f"/{ACCOUNT}/list", query={"search": wanted, "limit": LIMIT})
        )

    return Lookup(request, _same_card)


def _email(command: Command) -> str | None:
    return next((str(email) for email in command.values.get("emails") or ()), None)


def _end_of_phone(mark: str) -> Callable[[Command], str | None]:
    """The last four digits of the first phone, as people write them."""

    def spelling(command: Command) -> str | None:
        digits = next((_digits(phone) for phone in command.values.get("phones") or ()), "")
        return f"{digits[-4:-2]}{mark}{digits[-2:]}" if len(digits) >= 7 else None

    return spelling


def _same_card(settings: AsproCloudSettings, command: Command, response: VendorResponse) -> Standing | None:
    phones = {_digits(one) for one in command.values.get("phones") or ()}
    emails = {str(one).strip().casefold() for one in command.values.get("emails") or ()}
    for row in _rows(response):
        theirs = {_digits(one) for one in texts(*(row.get(name) for name in PHONES))}
        letters = {one.casefold() for one in texts(*(row.get(name) for name in EMAILS))}
        alive = text(row.get("type")) == str(PERSON) and text(row.get("merged_to")) in (None, "0")
        if alive and (phones & theirs or emails & letters):
            return replace(CONTACT.standing(settings, row, command), kind=RecordKind.CONTACT)
    return None


def _ask_deals(_settings: AsproCloudSettings, command: Command) -> VendorRequest | None:
    contact = command.values.get("contact")
    if not contact:
        return None
    query: dict[str, str | int | list[str]] = {
        "filter[contact_id]": str(contact),
        "filter[active]": ACTIVE["open"],
        "limit": LIMIT,
    }
    return VendorRequest(f"/{LEAD}/list", query=query)


def _open_deal(settings: AsproCloudSettings, command: Command, response: VendorResponse) -> Standing | None:
    """A filter may be ignored [3]: each deal must name the contact and say that it is open."""
    for row in _rows(response):
        if (text(row.get("contact_id")), text(row.get("active"))) == (command.values["contact"], ACTIVE["open"]):
            return replace(DEALS.standing(settings, row, command), kind=RecordKind.DEAL)
    return None


def _digits(phone: Any) -> str:
    """The last ten digits, which are the same in every spelling of a number."""
    return "".join(each for each in str(phone) if each.isdigit())[-10:]


def _rows(response: VendorResponse) -> list[Row]:
    records, _ = rows(response)
    return [msgspec.json.decode(record.body) for record in records]


BY_CARD = (_sought(_email), _sought(_end_of_phone("-")), _sought(_end_of_phone("")))
OPEN_DEAL: Lookup[AsproCloudSettings] = Lookup(_ask_deals, _open_deal)
