"""Deals that Skvoz makes in a portal, each tied to the client's card. Numbers in brackets are facts in BEHAVIOR.md.

The card is looked for first; where there is none, card and deal are made by one batch [32], the card first. If the
portal stops between the two, the next try finds the card by the client's phone and makes the deal alone.
"""

from __future__ import annotations

import msgspec

from connectors.bitrix24.settings import Bitrix24Settings
from connectors.bitrix24.together import Outcomes
from connectors.bitrix24.together import command as command_of
from connectors.bitrix24.writing import (
    CODES,
    DEAL_CODES,
    MULTIFIELDS,
    ORIGINATOR,
    UTM,
    Rows,
    by_id,
    by_origin,
    change,
    decoded,
    described,
    found_by,
    listing,
    made_id,
    owners,
    remove,
    same_id,
    wire_fields,
)
from connectors.contract import Command, Lookup, Standing, VendorRequest, VendorResponse, Write
from connectors.errors import Transient, VendorChanged, WriteRejected
from schema.enums import RecordKind

_CARD = frozenset({"first_name", "middle_name", "last_name", *MULTIFIELDS})
_PASSING = frozenset(
    {"QUERY_LIMIT_EXCEEDED", "OPERATION_TIME_LIMIT", "INTERNAL_SERVER_ERROR", "ERROR_UNEXPECTED_ANSWER"}
)
_MOST_LEADS = 20  # [29]
_MADE_CARD = "$result[c0]"


class _Answer(msgspec.Struct):
    result: int | str | Outcomes


def _make(_settings: Bitrix24Settings, command: Command) -> VendorRequest:
    mark = {"ORIGINATOR_ID": ORIGINATOR, "ORIGIN_ID": command.key}
    card = {name: value for name, value in command.values.items() if name in _CARD}
    deal = {name: value for name, value in command.values.items() if name not in _CARD}
    fields = wire_fields(deal, DEAL_CODES) | mark
    if "contact" in deal or "company" in deal or not card:
        return VendorRequest("crm.deal.add", "POST", json={"fields": fields})
    if "responsible" in deal:
        card["responsible"] = deal["responsible"]
    commands = {
        "c0": command_of("crm.contact.add", {"fields": wire_fields(card, CODES) | mark}),
        "c1": command_of("crm.deal.add", {"fields": fields | {"CONTACT_ID": _MADE_CARD}}, _MADE_CARD),
    }
    return VendorRequest("batch", "POST", json={"halt": 1, "cmd": commands})


def _made(settings: Bitrix24Settings, command: Command, response: VendorResponse) -> str:
    """Raises WriteRejected with the portal's words where a command of the batch was refused."""
    answer = decoded(response, _Answer).result
    if not isinstance(answer, Outcomes):
        return made_id(settings, command, response)
    refusals = answer.result_error
    for refused in refusals.values() if isinstance(refusals, dict) else refusals:
        if str(refused.error).upper() in _PASSING:
            raise Transient(f"Bitrix24 did not finish making the deal: {refused.words}")
        raise WriteRejected(f"Bitrix24 refuses the deal: {refused.words}")
    made = answer.result.get("c1") if isinstance(answer.result, dict) else None
    id = bytes(made or b"").strip(b'"').decode()
    if not id.isdigit():
        raise VendorChanged("Bitrix24 made a deal and did not tell its id.")
    return id


def _card(settings: Bitrix24Settings, command: Command, response: VendorResponse) -> Standing | None:
    for kind in (RecordKind.CONTACT, RecordKind.COMPANY):
        ids = owners(response).get(kind.name)
        if ids:
            return Standing(str(ids[0]), f"{kind.value} {ids[0]}", kind=kind)
    return None


def _open_deal(command: Command) -> dict[str, str] | None:
    for party in ("contact", "company"):
        if party in command.values:
            return {f"={DEAL_CODES[party]}": str(command.values[party]), "=CLOSED": "N"}
    return None


def _leads(_settings: Bitrix24Settings, _command: Command, response: VendorResponse) -> VendorRequest | None:
    ids = owners(response).get("LEAD")
    if not ids:
        return None
    asked = {
        "filter": {"@ID": ids[-_MOST_LEADS:], "=STATUS_SEMANTIC_ID": "P"},
        "order": {"ID": "DESC"},
        "select": ["ID", "TITLE"],
        "start": -1,
    }
    return VendorRequest("crm.lead.list", "POST", json=asked)


def _open_lead(_settings: Bitrix24Settings, _command: Command, response: VendorResponse) -> Standing | None:
    rows = decoded(response, Rows).result
    if not rows:
        return None
    title = str(rows[0].get("TITLE") or f"lead {rows[0]['ID']}")
    return Standing(str(rows[0]["ID"]), title, kind=RecordKind.LEAD)


DEAL_WRITES: tuple[Write[Bitrix24Settings], ...] = (
    Write(
        name="deal.create",
        title="Make a deal",
        entity=RecordKind.DEAL,
        operation="create",
        idempotency="marker",
        fields=(*DEAL_CODES, *sorted(_CARD)),
        request=_make,
        result=_made,
        by_marker=listing("crm.deal.list", by_origin, DEAL_CODES, RecordKind.DEAL),
        by_party=(Lookup(found_by("PHONE"), _card), Lookup(found_by("EMAIL"), _card)),
        by_match=listing("crm.deal.list", _open_deal, DEAL_CODES, RecordKind.DEAL),
        also_by_match=(Lookup(found_by("PHONE", "LEAD"), _open_lead, _leads),),
        read=listing("crm.deal.list", by_id, DEAL_CODES, RecordKind.DEAL),
        described=described("deal"),
        origin=UTM,
        undo="deal.delete",
    ),
    Write(
        name="deal.update",
        title="Change a deal, or close it",
        entity=RecordKind.DEAL,
        operation="update",
        idempotency="absolute",
        fields=tuple(name for name in DEAL_CODES if name != "pipeline"),  # [35]
        request=change("crm.deal.update", DEAL_CODES),
        result=same_id,
        read=listing("crm.deal.list", by_id, DEAL_CODES, RecordKind.DEAL),
        described=described("deal"),
    ),
    Write(
        name="deal.delete",
        title="Remove a deal",
        entity=RecordKind.DEAL,
        operation="delete",
        idempotency="absolute",
        fields=(),
        request=remove("crm.deal.delete"),
        result=same_id,
        read=listing("crm.deal.list", by_id, DEAL_CODES, RecordKind.DEAL),
    ),
)
