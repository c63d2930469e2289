"""From 1C's cards to unified records. The numbers in brackets are facts in BEHAVIOR.md."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from connectors.contract import Mapped, Skip
from connectors.errors import BadRecord
from connectors.onec.fields import ADDRESS, EMAIL, MESSENGER, PHONES, SITE, Row
from connectors.onec.settings import OneCSettings
from connectors.people import birthday
from schema.enums import DealStatus
from schema.records import (
    CompanyRecord,
    ContactRecord,
    DealRecord,
    LeadRecord,
    PipelineRecord,
    StageRecord,
    UserRecord,
)

Map = Callable[[OneCSettings, Row], Mapped]
_STATUSES = {"ВРаботе": DealStatus.OPEN, "Выиграна": DealStatus.WON, "Проиграна": DealStatus.LOST}
INTERESTS = "interests"  # the one funnel of 1C:CRM's interests
_LOST = "потерян"


def by_role(name: str, map_row: Map) -> Callable[[OneCSettings, bytes], Mapped]:
    """The mapping of a role's records, whatever they are called in the base."""

    def mapped(settings: OneCSettings, body: bytes) -> Mapped:
        role = settings.names.role(name)
        if role is None:
            return Skip("The settings leave this list out.")
        return map_row(settings, Row.of(role, body, settings.zone))

    return mapped


def user(_settings: OneCSettings, row: Row) -> Mapped:
    if row.flag("service"):
        return Skip("A user of the system's own.")
    return [
        UserRecord(
            external_id=row.key,
            deleted=row.deleted,
            name=row.text("name") or f"#{row.key}",
            email=next(iter(row.contact(EMAIL)), None),
            phone=next(iter(row.contact(*PHONES)), None),
            active=not row.flag("inactive"),
        )
    ]


def partner(_settings: OneCSettings, row: Row) -> Mapped:
    """A firm or a private person. Which of both a partner is, documents don't say: they name it as both."""
    if row.flag("folder"):
        return Skip("A folder of partners.")
    if row.flag("supplier") and row.flag("client") is False:
        return Skip("A supplier, no client.")
    common = _card(row)
    if row.is_private:
        return [_person(row, common)]
    name = row.text("name") or row.text("full_name") or f"#{row.key}"
    site = next(iter(row.contact(SITE)), None)
    return [CompanyRecord(name=name, tax_id=row.text("tax_id"), website=site, **common)]


def counterparty(_settings: OneCSettings, row: Row) -> Mapped:
    """The legal party behind a partner: it alone has the tax number [12]."""
    if row.is_private:
        return Skip("A private person: the partner tells of it.")
    return [CompanyRecord(name=row.text("name") or f"#{row.key}", tax_id=row.text("tax_id"), **_card(row))]


def contact(_settings: OneCSettings, row: Row) -> Mapped:
    return [_person(row, _card(row), company=row.ref("partner"), position=row.shown("position"))]


def prospect(_settings: OneCSettings, row: Row) -> Mapped:
    if row.ref("partner") is not None:
        return Skip("Has become a partner.")
    return [_person(row, _card(row))]


def pipeline(_settings: OneCSettings, row: Row) -> Mapped:
    name = row.text("name") or f"#{row.key}"
    return [PipelineRecord(external_id=row.key, deleted=row.deleted, name=name)]


def stage(_settings: OneCSettings, row: Row) -> Mapped:
    name = row.text("name") or f"#{row.key}"
    status = DealStatus.OPEN
    if row.flag("finished"):
        status = DealStatus.LOST if _LOST in name.casefold() else DealStatus.WON
    sort = row.money("sort")
    return [
        StageRecord(
            external_id=row.key,
            deleted=row.deleted,
            name=name,
            pipeline=row.ref("pipeline") or INTERESTS,
            sort=int(sort or 0),
            status=status,
        )
    ]


def lead(settings: OneCSettings, row: Row) -> Mapped:
    created_at = row.date
    if created_at is None:
        raise BadRecord("The request lacks its date.")
    return [
        LeadRecord(
            external_id=row.key,
            deleted=row.deleted,
            created_at=created_at,
            title=row.text("title"),
            name=row.text("name"),
            phones=_filled(row.text("phone")),
            emails=_filled(row.text("email")),
            status=row.text("status"),
            contact=row.ref_to("party", *sets_of(settings, "contacts")),
            company=row.ref_to("party", *sets_of(settings, "partners")),
            responsible=row.ref("responsible"),
            comment=row.text("comment"),
            traffic=row.traffic(),
            custom=row.custom(),
        )
    ]


def deal(settings: OneCSettings, row: Row) -> Mapped:
    created_at = row.moment("created") or row.date
    if created_at is None:
        raise BadRecord("The deal lacks the date on which it began.")
    status = _deal_status(row)
    partner = row.ref("partner")
    return [
        DealRecord(
            external_id=row.key,
            deleted=row.deleted,
            title=row.text("title") or f"#{row.key}",
            created_at=created_at,
            status=status,
            amount=row.money("amount"),
            currency=currency(settings, row),
            closed_at=None if status is DealStatus.OPEN else row.moment("closed"),
            expected_at=found.date() if (found := row.moment("expected")) else None,
            lost_reason=row.shown("lost_reason") if status is DealStatus.LOST else None,
            pipeline=row.ref("pipeline"),
            stage=row.ref("stage"),
            contact=row.ref("contact") or partner,
            company=partner,
            lead=row.ref_to("base", *sets_of(settings, "leads")),
            responsible=row.ref("responsible"),
            traffic=row.traffic(),
            custom=row.custom(),
        )
    ]


def sets_of(settings: OneCSettings, *roles: str) -> tuple[str, ...]:
    """What the sets of these roles are called in the base."""
    return tuple(role.set for name in roles if (role := settings.names.role(name)) is not None)


def currency(settings: OneCSettings, row: Row) -> str:
    """The ISO code: a currency's presentation is one in most bases [9]."""
    told = (row.shown("currency") or "").upper().rstrip(".")
    if told in ("", "РУБ"):
        return settings.currency if not told else "RUB"
    if len(told) == 3 and told.isascii() and told.isalpha():
        return told
    raise BadRecord(
        f"The currency is called {told!r}, which is no ISO code: mend its name in 1C, then replay this."
    )


def _deal_status(row: Row) -> DealStatus:
    told = row.text("status")
    if told is not None:
        try:
            return _STATUSES[told]
        except KeyError:
            raise BadRecord(f"The deal's status {told!r} is none of {', '.join(_STATUSES)}.") from None
    if not row.flag("finished"):
        return DealStatus.OPEN
    return DealStatus.LOST if row.ref("lost_reason") else DealStatus.WON  # [13]


def _card(row: Row) -> dict[str, Any]:
    return {
        "external_id": row.key,
        "deleted": row.deleted,
        "phones": row.contact(*PHONES),
        "emails": row.contact(EMAIL),
        "responsible": row.ref("responsible"),
        "created_at": row.moment("created"),
        "custom": row.custom(),
    }


def _person(row: Row, common: dict[str, Any], **more: Any) -> ContactRecord:
    return ContactRecord(
        name=row.text("name"),
        first_name=row.text("first_name"),
        middle_name=row.text("middle_name"),
        last_name=row.text("last_name"),
        birthday=birthday(row.text("birthday")),
        address=next(iter(row.contact(ADDRESS)), None),
        messengers=tuple(f"skype:{each}" for each in row.contact(MESSENGER)),
        traffic=row.traffic(),
        **common,
        **more,
    )


def _filled(value: str | None) -> tuple[str, ...]:
    return (value,) if value else ()
