"""What is written into a base."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from connectors.contract import Described, VendorRequest, VendorResponse, Write
from connectors.onec import metadata
from connectors.onec.finding import by_key, by_mark, by_phone, lookup, open_deal, party
from connectors.onec.marking import marking
from connectors.onec.settings import OneCSettings
from connectors.onec.writing import CALL, CONTACT, DEAL, EVENT, PARTNER, Kind, create, named, update
from schema.enums import RecordKind


def _described(kind: Kind) -> Described[OneCSettings]:
    def request(_settings: OneCSettings) -> VendorRequest:
        return VendorRequest("/$metadata")

    def fields(settings: OneCSettings, response: VendorResponse) -> Mapping[str, str]:
        role = kind.of(settings)
        found = metadata.read(response.content, {role.set}).properties.get(role.set, set())
        return {name: name for name in sorted(found) if name not in ("Ref_Key", "DataVersion")}

    return Described(request, fields)


def _write(
    name: str, title: str, entity: RecordKind, kind: Kind, *, creates: bool, lists: bool = False
) -> Write[OneCSettings]:
    words = tuple(word for word in kind.words if word != "kind" or kind.role == EVENT.role)
    return Write(
        name=name,
        title=title,
        entity=entity,
        operation="create" if creates else "update",
        idempotency="marker" if creates else "absolute",
        fields=(*words, "phones", "emails") if lists else words,
        request=create(kind) if creates else update(kind),
        result=named,
        by_marker=lookup(kind, by_mark) if creates else None,
        by_match=lookup(kind, by_phone) if creates and lists else None,
        read=lookup(kind, by_key),
        described=_described(kind),
        replaces_lists=lists,
    )


WRITES: tuple[Write[OneCSettings], ...] = (
    _write("partner.create", "Make a partner", RecordKind.COMPANY, PARTNER, creates=True, lists=True),
    _write("partner.update", "Change a partner", RecordKind.COMPANY, PARTNER, creates=False),
    _write("contact.create", "Make a contact person", RecordKind.CONTACT, CONTACT, creates=True, lists=True),
    _write("contact.update", "Change a contact person", RecordKind.CONTACT, CONTACT, creates=False),
    replace(
        _write("deal.create", "Make a deal (interest)", RecordKind.DEAL, DEAL, creates=True),
        fields=(*DEAL.words, "first_name", "phones", "emails"),
        by_party=(party(PARTNER), party(CONTACT)),
        card="partner.create",
        by_match=open_deal(),
        undo="deal.delete",
    ),
    *marking("contact", "a partner or contact person", RecordKind.CONTACT, ("partners", "contacts")),
    *marking("deal", "a deal (interest)", RecordKind.DEAL, ("deals",)),
    _write("deal.update", "Change a deal (interest)", RecordKind.DEAL, DEAL, creates=False),
    _write("call.create", "Make a telephone call", RecordKind.CALL, CALL, creates=True),
    _write("event.create", "Make an event", RecordKind.MESSAGE, EVENT, creates=True),
)
