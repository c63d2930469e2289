"""What one unified record tells about who its client is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from schema.enums import ClientKind, IdentifierKind, RecordKind
from schema.ids import record_id
from schema.records import (
    CallRecord,
    CompanyRecord,
    ContactRecord,
    LeadRecord,
    MessageRecord,
    OrderRecord,
    Record,
    VisitRecord,
)
from sync.identity.keys import Key, call_key, desk_key, is_landline, is_nobodys_day, keys_in
from sync.identity.names import name_for_comparison
from sync.identity.traits import Traits, traits_of

_REFERRED_TO = frozenset({RecordKind.CONTACT, RecordKind.LEAD, RecordKind.VISIT})
"""Kinds of records that others name as the same client's; each carries its own id as a key."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A record that can tell who a client is. ``at`` is its own time, by which the oldest founds the client;
    ``names`` are the names on it, as they are spelled there; ``traits`` what can be weighed though it is no key."""

    record_id: UUID
    record_kind: RecordKind
    connection_id: UUID
    client_kind: ClientKind
    at: datetime
    keys: tuple[Key, ...]
    names: tuple[str, ...] = ()
    traits: Traits | None = None


def candidate_of(record: Record, connection_id: UUID, region: str) -> Candidate | None:
    """What ``record`` tells, its phones read in ``region`` (ISO 3166).

    None for a record that never tells who a client is (a deal, a user, an order of a company, …), and for a deleted
    one: its id goes to `absorb` as removed. A reference to a company joins nothing: people and firms are never one
    client.
    """
    if record.deleted:
        return None
    phones: Iterable[str] = ()
    emails: Iterable[str] = ()
    other: list[tuple[IdentifierKind, str]] = []
    references: list[tuple[RecordKind, str | None]] = []
    names: tuple[str | None, ...] = ()
    client_kind = ClientKind.PERSON
    firm: str | None = None
    responsible: str | None = None
    birthday = address = None
    match record:
        case ContactRecord():
            kind, at = RecordKind.CONTACT, record.created_at
            phones, emails = record.phones, record.emails
            other += [(IdentifierKind.MESSENGER, text) for text in record.messengers]
            parts = [record.first_name, record.middle_name, record.last_name]
            names = (" ".join(filter(None, parts)), record.name)
            firm, responsible = record.company, record.responsible
            birthday, address = record.birthday, record.address
        case CompanyRecord():
            kind, at = RecordKind.COMPANY, record.created_at
            client_kind = ClientKind.COMPANY
            phones, emails = record.phones, record.emails
            other += [(IdentifierKind.TAX_ID, record.tax_id)] if record.tax_id else []
            names = (record.name,)
        case LeadRecord():
            kind, at = RecordKind.LEAD, record.created_at
            phones, emails = record.phones, record.emails
            other += [(IdentifierKind.VISITOR, text) for text in record.visitor_ids]
            references += [(RecordKind.CONTACT, record.contact), (RecordKind.VISIT, record.visit)]
            names = (record.name,)
            firm, responsible = record.company, record.responsible
        case CallRecord():
            kind, at = RecordKind.CALL, record.started_at
            phones = (record.client_phone,) if record.client_phone else ()
            other += [(IdentifierKind.VISITOR, text) for text in record.visitor_ids]
            references += [
                (RecordKind.CONTACT, record.contact),
                (RecordKind.LEAD, record.lead),
                (RecordKind.VISIT, record.visit),
            ]
            responsible = record.responsible
        case OrderRecord() if record.company is None:
            kind, at = RecordKind.ORDER, record.created_at
            phones, emails = record.phones, record.emails
            other += [(IdentifierKind.VISITOR, text) for text in record.visitor_ids]
            references += [
                (RecordKind.CONTACT, record.contact),
                (RecordKind.LEAD, record.lead),
                (RecordKind.VISIT, record.visit),
            ]
            names = (record.name,)
        case MessageRecord():
            kind, at = RecordKind.MESSAGE, record.sent_at
            phones, emails = record.phones, record.emails
            references += [(RecordKind.CONTACT, record.contact), (RecordKind.LEAD, record.lead)]
        case VisitRecord():
            kind, at = RecordKind.VISIT, record.started_at
            other += [(IdentifierKind.VISITOR, text) for text in record.visitor_ids]
        case _:
            return None
    fields = [
        *((IdentifierKind.PHONE, text) for text in phones),
        *((IdentifierKind.EMAIL, text) for text in emails),
        *other,
    ]
    keys = [key for field, text in fields for key in keys_in(field, text, region)]
    own = [(kind, record.external_id)] if kind in _REFERRED_TO else []
    keys += _vendor_keys(connection_id, [*own, *references])
    keys += _joint_keys(
        [key.value for key in keys if key.kind == IdentifierKind.PHONE], client_kind, kind, names, at
    )
    at = at or record.updated_at or datetime.now(UTC)
    spelled = tuple(dict.fromkeys(name for name in names if name and name.strip()))
    return Candidate(
        record_id=record_id(connection_id, kind, record.external_id),
        record_kind=kind,
        connection_id=connection_id,
        client_kind=client_kind,
        at=at,
        keys=tuple({(key.kind, key.value): key for key in reversed(keys)}.values()),
        names=spelled,
        traits=traits_of(
            client_kind,
            kind,
            at,
            spelled,
            keys,
            birthday=birthday.isoformat() if birthday is not None and not is_nobodys_day(birthday) else None,
            address=address,
            firm=f"{connection_id.hex} {firm}" if firm else None,
            taken=(connection_id.hex, responsible) if responsible else None,
        ),
    )


def _joint_keys(
    phones: Iterable[str],
    client_kind: ClientKind,
    kind: RecordKind,
    names: Iterable[str | None],
    at: datetime | None,
) -> Iterator[Key]:
    """Keys of two facts that say more together: a phone and the minute of a call (the call tracker and the CRM
    log the same one), an office's phone and the full name of somebody there."""
    if kind == RecordKind.CALL and at is not None:
        for phone in phones:
            yield Key(IdentifierKind.VENDOR, call_key(phone, at), "the same call, logged by several systems")
    elif client_kind == ClientKind.PERSON:
        name = name_for_comparison(filter(None, names), client_kind)
        if name is not None and " " in name:
            for phone in phones:
                if is_landline(phone):
                    yield Key(
                        IdentifierKind.VENDOR, desk_key(phone, name), "the same name at the same office phone"
                    )


def _vendor_keys(connection_id: UUID, references: Iterable[tuple[RecordKind, str | None]]) -> Iterator[Key]:
    """Keys by the vendor's own ids: the record's own, so that others may name it before it comes, and those
    that it names."""
    for kind, external_id in references:
        if external_id:
            yield Key(
                IdentifierKind.VENDOR, record_id(connection_id, kind, external_id).hex, f"{kind} {external_id}"
            )
