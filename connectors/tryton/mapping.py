"""From Tryton's records to unified ones. The numbers in brackets are facts in BEHAVIOR.md."""

from __future__ import annotations

import re
from datetime import datetime, time
from typing import Any

import msgspec

from connectors.contract import Mapped, Skip
from connectors.errors import BadRecord
from connectors.tryton import wire
from connectors.tryton.notes import Note
from connectors.tryton.settings import TrytonSettings
from schema.enums import DealStatus
from schema.records import (
    CompanyRecord,
    ContactRecord,
    DealRecord,
    LeadRecord,
    PipelineRecord,
    Record,
    StageChangeRecord,
    StageRecord,
    UserRecord,
)
from schema.traffic import Traffic

PIPELINE = "opportunities"
STATUSES = {  # [9]
    "lead": DealStatus.OPEN,
    "opportunity": DealStatus.OPEN,
    "converted": DealStatus.OPEN,
    "won": DealStatus.WON,
    "lost": DealStatus.LOST,
    "cancelled": DealStatus.LOST,
}
BUTTONS = {"lost": "lost", "cancel": "cancelled"}  # [11] told by the button alone
OURS = "skvoz:"
_PHONES = frozenset({"phone", "mobile"})
_MESSENGERS = frozenset({"skype", "jabber", "irc"})
_FORMS = re.compile(
    r"\b(ооо|оао|зао|пао|ао|нко|ано|гуп|муп|фгуп|тоо|llc|llp|ltd|limited|inc|corp|corporation|gmbh|ag|kg|sarl|sas|"
    r"s\.?a|s\.?l|s\.?p\.?a|srl|b\.?v|n\.?v|oy|ab|plc|компания|завод|агентство|company|agency|group)\b",
    re.IGNORECASE,
)


def employee(_settings: TrytonSettings, body: bytes) -> Mapped:
    row = msgspec.json.decode(body, type=wire.Employee)
    party = row.party or wire.EmployeeParty()
    return [
        UserRecord(
            external_id=str(row.id),
            name=party.name or f"#{row.id}",
            email=party.email or None,
            phone=party.phone or None,
            active=row.active,
        )
    ]


def state(_settings: TrytonSettings, body: bytes) -> Mapped:
    """[9] The states are fixed; what they are called is the user's language."""
    row = msgspec.json.decode(body, type=wire.State)
    told: list[Record] = [
        StageRecord(
            external_id=row.state,
            name=row.label,
            pipeline=PIPELINE,
            sort=row.sort,
            status=STATUSES.get(row.state, DealStatus.OPEN),
        )
    ]
    if row.sort == 0:
        told.insert(0, PipelineRecord(external_id=PIPELINE, name="Tryton"))
    return told


def party(settings: TrytonSettings, body: bytes) -> Mapped:
    row = msgspec.json.decode(body, type=wire.Party)
    reached = [one for one in row.contact_mechanisms if one.active and one.value]
    common: dict[str, Any] = {
        "external_id": str(row.id),
        "updated_at": row.changed,
        "deleted": not row.active,
        "phones": _values(reached, _PHONES),
        "emails": _values(reached, frozenset({"email"})),
        "created_at": row.created,
    }
    websites = _values(reached, frozenset({"website"}))
    tax_ids = [one.code for one in row.identifiers if one.type]
    if tax_ids or websites or _FORMS.search(row.name or ""):
        return [
            CompanyRecord(
                name=row.name or f"#{row.id}",
                tax_id=next(iter(tax_ids), None),
                website=next(iter(websites), None),
                **common,
            )
        ]
    return [
        ContactRecord(
            name=row.name or None,
            first_name=row.name or None,  # [10] a name is one field there: it is compared and written as a whole
            messengers=tuple(f"{one.type}:{one.value}" for one in reached if one.type in _MESSENGERS),
            company=_works_at(settings, row),
            **common,
        )
    ]


def opportunity(settings: TrytonSettings, body: bytes) -> Mapped:
    """The deal, and, where it was made from a call or a form, the request that it began as [12]."""
    row = msgspec.json.decode(body, type=wire.Opportunity)
    status = STATUSES.get(row.state)
    if status is None or row.created is None:
        raise BadRecord(f"The opportunity is in the state {row.state!r}, which isn't known, or lacks create_date.")
    note = Note.of(row.comment)
    party_id = None if row.party is None else str(row.party)
    common: dict[str, Any] = {
        "external_id": str(row.id),
        "updated_at": row.changed,
        "created_at": row.created,
        "title": row.description or f"#{row.number or row.id}",
        # [10] A party is a person or a firm, which the deal doesn't say: the one that exists will be found.
        "contact": party_id,
        "company": party_id,
        "responsible": None if row.employee is None else str(row.employee),
        "traffic": _traffic(row, note),
    }
    told: list[Record] = []
    if note.phones or note.emails:
        told.append(LeadRecord(name=note.name, phones=note.phones, emails=note.emails, status=row.state, **common))
    told.append(
        DealRecord(
            status=status,
            amount=None if row.amount is None else row.amount.value,
            currency=None if row.currency is None else row.currency.code,
            closed_at=None if status is DealStatus.OPEN else _closed_at(settings, row),
            lost_reason=row.lost_reason if status is DealStatus.LOST else None,
            pipeline=PIPELINE,
            stage=row.state,
            lead=str(row.id) if told else None,
            **common,
        )
    )
    return told


def event(_settings: TrytonSettings, body: bytes) -> Mapped:
    """[11] A line of the log says in which state an opportunity came to be."""
    row = msgspec.json.decode(body, type=wire.Event)
    model, _, number = (row.resource or "").partition(",")
    reached = _reached(row)
    if reached is None or model != "sale.opportunity" or row.created is None:
        return Skip("Not a change of an opportunity's state.")
    return [
        StageChangeRecord(
            external_id=str(row.id), deal=number, stage=reached, pipeline=PIPELINE, changed_at=row.created
        )
    ]


def _reached(row: wire.Event) -> str | None:
    if row.event == "button":
        return BUTTONS.get(row.target or "")
    field, _, target = (row.target or "").partition(":")
    return target if row.event == "transition" and field == "state" else None


def _values(reached: list[wire.Mechanism], types: frozenset[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.value for one in reached if one.type in types and one.value))


def _works_at(settings: TrytonSettings, row: wire.Party) -> str | None:
    for relation in row.relations:
        named = relation.type is not None and (relation.type.name or "").casefold() == settings.works_at.casefold()
        if named and relation.to is not None:
            return str(relation.to)
    return None


def _closed_at(settings: TrytonSettings, row: wire.Opportunity) -> datetime | None:
    """[9] The end is a day: the moment of the last change if that was on the same day, else the day's end."""
    if row.end_date is None:
        return row.changed
    if row.changed is not None and row.changed.astimezone(settings.zone).date() == row.end_date.date:
        return row.changed
    return datetime.combine(row.end_date.date, time(23, 59, 59), settings.zone)


def _traffic(row: wire.Opportunity, note: Note) -> Traffic | None:
    names = {
        "utm_campaign": row.marketing_campaign,
        "utm_source": row.marketing_source,
        "utm_medium": row.marketing_medium,
    }
    told = {name: tag.name for name, tag in names.items() if tag is not None and tag.name}
    return Traffic(**(told or note.tags)) if told or note.tags else None
