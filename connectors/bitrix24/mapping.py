"""From Bitrix24's records to unified ones. The numbers in brackets are facts in BEHAVIOR.md."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from connectors.bitrix24 import wire
from connectors.bitrix24.settings import Bitrix24Settings
from connectors.contract import Mapped, Skip
from connectors.errors import BadRecord
from connectors.people import address, birthday
from schema.enums import DealStatus, Direction
from schema.records import (
    CallRecord,
    CompanyRecord,
    ContactRecord,
    DealRecord,
    LeadRecord,
    PipelineRecord,
    StageChangeRecord,
    StageRecord,
    UserRecord,
)
from schema.traffic import Traffic, present

GENERAL_PIPELINE = "0"
DEAL_STAGES = "DEAL_STAGE"

_SEMANTICS = {  # [16] both spellings: STAGE_SEMANTIC_ID / SEMANTICS, and EXTRA.SEMANTICS
    "S": DealStatus.WON,
    "SUCCESS": DealStatus.WON,
    "F": DealStatus.LOST,
    "FAILURE": DealStatus.LOST,
    "APOLOGY": DealStatus.LOST,
}
_SYSTEM_STAGES = {"WON": DealStatus.WON, "LOSE": DealStatus.LOST, "APOLOGY": DealStatus.LOST}
_DIRECTIONS = {  # [21] a callback is asked for by the client, an information call is made by a robot
    "1": Direction.OUTBOUND,
    "2": Direction.INBOUND,
    "3": Direction.INBOUND,
    "4": Direction.INBOUND,
    "5": Direction.OUTBOUND,
}
_ANSWERED = "200"
_OUTCOMES = {  # [22]
    _ANSWERED: "answered",
    "304": "missed",
    "603": "declined",
    "603-S": "cancelled",
    "486": "busy",
    "404": "wrong number",
    "480": "unavailable",
    "484": "wrong number",
    "503": "unavailable",
    "403": "forbidden",
    "402": "no money",
    "423": "blocked",
}
_PHONE = re.compile(r"\+?\d{7,15}")
_CATEGORY_OF_STAGE = re.compile(r"C(\d+):")
_CUSTOM_PREFIXES = ("UF_", "PARENT_ID_")
_CUSTOM_FIELDS = frozenset({"SOURCE_ID", "SOURCE_DESCRIPTION"})  # [19] codes of the portal's own list


def user(settings: Bitrix24Settings, body: bytes) -> Mapped:
    row = msgspec.json.decode(body, type=wire.User)
    email = text(row.email)
    return [
        UserRecord(
            external_id=str(row.id),
            name=full_name(row.name, row.second_name, row.last_name) or email or f"#{row.id}",
            email=email,
            phone=text(row.personal_mobile) or text(row.work_phone),
            active=row.active in (True, "Y", "true", 1),
        )
    ]


def pipeline(settings: Bitrix24Settings, body: bytes) -> Mapped:
    row = msgspec.json.decode(body, type=wire.Category)
    return [PipelineRecord(external_id=str(row.id), name=text(row.name) or f"#{row.id}", sort=whole(row.sort) or 0)]


def stage(settings: Bitrix24Settings, body: bytes) -> Mapped:
    row = msgspec.json.decode(body, type=wire.Status)
    if not is_deal_stage(row):
        return Skip("an entry of another list of the portal")
    extra = row.extra.semantics if isinstance(row.extra, wire.StageExtra) else None
    return [
        StageRecord(
            external_id=str(row.status_id),
            name=text(row.name) or str(row.status_id),
            pipeline=row.entity_id.removeprefix(DEAL_STAGES).lstrip("_") or GENERAL_PIPELINE,
            sort=whole(row.sort) or 0,
            status=_status(row.semantics, None) or _status(extra, str(row.status_id)) or DealStatus.OPEN,
        )
    ]


def is_deal_stage(row: wire.Status) -> bool:
    return row.entity_id == DEAL_STAGES or row.entity_id.startswith(f"{DEAL_STAGES}_")


def company(settings: Bitrix24Settings, body: bytes) -> Mapped:
    fields = _fields(body)
    row = msgspec.convert(fields, wire.Company)
    if row.is_my_company == "Y":
        return Skip("the portal owner's own legal entity")
    return [
        CompanyRecord(
            external_id=str(row.id),
            updated_at=moment(row.date_modify),
            custom=custom(fields),
            name=text(row.title) or f"#{row.id}",
            website=next(iter(values(row.web)), None),
            phones=values(row.phone),
            emails=values(row.email),
            responsible=ref(row.assigned_by_id),
            created_at=moment(row.date_create),
        )
    ]


def contact(settings: Bitrix24Settings, body: bytes) -> Mapped:
    fields = _fields(body)
    row = msgspec.convert(fields, wire.Contact)
    return [
        ContactRecord(
            external_id=str(row.id),
            updated_at=moment(row.date_modify),
            custom=custom(fields),
            name=full_name(row.name, row.second_name, row.last_name),
            first_name=text(row.name),
            middle_name=text(row.second_name),
            last_name=text(row.last_name),
            position=text(row.post),
            birthday=birthday(row.birthdate),
            address=address(
                text(row.address_postal_code), text(row.address_city), text(row.address), text(row.address_2)
            ),
            phones=values(row.phone),
            emails=values(row.email),
            messengers=messengers(row.im),
            company=ref(row.company_id),
            responsible=ref(row.assigned_by_id),
            created_at=moment(row.date_create),
            traffic=traffic(row),
        )
    ]


def lead(settings: Bitrix24Settings, body: bytes) -> Mapped:
    fields = _fields(body)
    row = msgspec.convert(fields, wire.Lead)
    return [
        LeadRecord(
            external_id=str(row.id),
            updated_at=moment(row.date_modify),
            custom=custom(fields),
            created_at=required(moment(row.date_create), "DATE_CREATE"),
            title=text(row.title),
            name=full_name(row.name, row.second_name, row.last_name),
            phones=values(row.phone),
            emails=values(row.email),
            status=text(row.status_id),
            contact=ref(row.contact_id),
            company=ref(row.company_id),
            responsible=ref(row.assigned_by_id),
            comment=text(row.comments),
            traffic=traffic(row),
        )
    ]


def deal(settings: Bitrix24Settings, body: bytes) -> Mapped:
    fields = _fields(body)
    row = msgspec.convert(fields, wire.Deal)
    if row.is_recurring == "Y":
        return Skip("a template from which deals are made")
    stage_id = text(row.stage_id)
    status = _status(row.stage_semantic_id, stage_id) or DealStatus.OPEN
    is_open = status is DealStatus.OPEN
    return [
        DealRecord(
            external_id=str(row.id),
            updated_at=moment(row.date_modify),
            custom=custom(fields),
            title=text(row.title) or f"#{row.id}",
            created_at=required(moment(row.date_create), "DATE_CREATE"),
            status=status,
            amount=money(row.opportunity),
            currency=text(row.currency_id),
            # [17] CLOSEDATE may be a plan or the fact; the move into a final stage is the fact.
            closed_at=None if is_open else moment(row.moved_time),
            expected_at=day(row.closedate) if is_open else None,
            pipeline=_pipeline(row.category_id, stage_id),
            stage=stage_id,
            contact=ref(row.contact_id),
            company=ref(row.company_id),
            lead=ref(row.lead_id),
            responsible=ref(row.assigned_by_id),
            traffic=traffic(row),
        )
    ]


def stage_change(settings: Bitrix24Settings, body: bytes) -> Mapped:
    row = msgspec.json.decode(body, type=wire.StageMove)
    return [
        StageChangeRecord(
            external_id=str(row.id),
            deal=str(row.owner_id),
            stage=str(row.stage_id),
            pipeline=_pipeline(row.category_id, str(row.stage_id)),
            changed_at=required(moment(row.created_time), "CREATED_TIME"),
        )
    ]


def call(settings: Bitrix24Settings, body: bytes) -> Mapped:
    row = msgspec.json.decode(body, type=wire.Call)
    kind = str(row.call_type)
    if kind not in _DIRECTIONS:
        raise BadRecord(f"CALL_TYPE is {row.call_type!r}; known are 1 to 5.")
    code = text(row.call_failed_code)
    answered = code == _ANSWERED
    line = text(row.portal_number)
    owner = {text(row.crm_entity_type): ref(row.crm_entity_id)}
    return [
        CallRecord(
            external_id=str(row.id),
            started_at=required(moment(row.call_start_date), "CALL_START_DATE"),
            direction=_DIRECTIONS[kind],
            client_phone=text(row.phone_number),
            # [23] a line is a number only when it was rented as one ("reg133788", "REST_APP:" are others).
            tracking_phone=line if line and _PHONE.fullmatch(line) else None,
            answered=answered,
            talk_seconds=whole(row.call_duration) if answered else 0,
            status=_OUTCOMES.get(code or "", text(row.call_failed_reason) or code),
            recording_url=text(row.call_record_url),
            contact=owner.get("CONTACT"),
            company=owner.get("COMPANY"),
            lead=owner.get("LEAD"),
            deal=owner.get("DEAL"),
            responsible=ref(row.portal_user_id),
            comment=text(row.comment),
        )
    ]


# --- single values


def text(value: wire.Scalar) -> str | None:
    """The text without space around it; None for what the vendor writes for "nothing"."""
    if value is None or isinstance(value, bool):
        return None
    return str(value).strip() or None


def ref(value: wire.Scalar) -> str | None:
    """The id of another record; the vendor writes no reference as null, "" or 0."""
    found = text(value)
    return None if found in (None, "0") else found


def whole(value: wire.Scalar) -> int | None:
    found = text(value)
    try:
        return None if found is None else int(float(found))
    except (ValueError, OverflowError):
        raise BadRecord(f"{found!r} is not a number.") from None


def money(value: wire.Scalar) -> Decimal | None:
    found = text(value)
    try:
        amount = None if found is None else Decimal(found)
    except InvalidOperation:
        raise BadRecord(f"{found!r} is not an amount of money.") from None
    if amount is not None and not amount.is_finite():
        raise BadRecord(f"{found!r} is not an amount of money.")
    return amount


def moment(value: Any) -> datetime | None:
    """A time with its offset. The vendor writes no time as null, "" or, leaking a PHP object, ``{}`` [15]."""
    if not isinstance(value, str) or not value.strip():
        return None
    try:
        found = datetime.fromisoformat(value.strip())
    except ValueError:
        raise BadRecord(f"{value!r} is not a time.") from None
    if found.tzinfo is None:
        raise BadRecord(f"{value!r} is a time without an offset: whose clock it is can't be told.")
    return found


def day(value: Any) -> date | None:
    """A date field: the first ten characters, never converted, for its hours are an artefact [14]."""
    if not isinstance(value, str) or not value.strip():
        return None
    try:
        return date.fromisoformat(value.strip()[:10])
    except ValueError:
        raise BadRecord(f"{value!r} is not a date.") from None


def required(value: datetime | None, name: str) -> datetime:
    if value is None:
        raise BadRecord(f"{name} is empty.")
    return value


def full_name(*parts: wire.Scalar) -> str | None:
    return " ".join(filter(None, map(text, parts))) or None


def values(field: wire.Multifields) -> tuple[str, ...]:
    """The values of a multifield, in the card's order, each once."""
    return tuple(dict.fromkeys(found for each in _listed(field) if (found := text(each.value))))


def messengers(field: wire.Multifields) -> tuple[str, ...]:
    """Written as 'telegram:@name'. Links of the portal's own open channels ('imol|…') name a chat, not a person."""
    return tuple(
        f"{(text(each.value_type) or 'other').lower()}:{found}"
        for each in _listed(field)
        if (found := text(each.value)) and not found.startswith("imol|")
    )


def custom(fields: Mapping[str, Any]) -> dict[str, Any] | None:
    """The filled fields that the portal's owner made, and the source codes that only the portal understands."""
    return {name: value for name, value in fields.items() if is_custom(name) and _filled(value)} or None


def is_custom(name: str) -> bool:
    """Whether a field is kept among the custom ones."""
    return name.startswith(_CUSTOM_PREFIXES) or name in _CUSTOM_FIELDS


def traffic(row: wire.Contact | wire.Lead | wire.Deal) -> Traffic | None:
    found = Traffic(
        utm_source=present(text(row.utm_source)),
        utm_medium=present(text(row.utm_medium)),
        utm_campaign=present(text(row.utm_campaign)),
        utm_content=present(text(row.utm_content)),
        utm_term=present(text(row.utm_term)),
    )
    return None if found == Traffic() else found


def _fields(body: bytes) -> dict[str, Any]:
    return msgspec.json.decode(body, type=dict[str, Any])


def _filled(value: Any) -> bool:
    """An empty list of values comes as ``false``."""
    return value is not None and value is not False and value not in ("", [], {})


def _listed(field: wire.Multifields) -> list[wire.Multifield]:
    if isinstance(field, list):
        return field
    return list(field.values()) if isinstance(field, dict) else []


def _status(semantics: wire.Scalar, stage_id: str | None) -> DealStatus | None:
    known = _SEMANTICS.get((text(semantics) or "").upper())
    if known is None and semantics is None and stage_id is not None:
        return _SYSTEM_STAGES.get(stage_id.rpartition(":")[2])
    return known


def _pipeline(category: wire.Scalar, stage_id: str | None) -> str:
    """The pipeline's number, else what the stage's name says: 'C7:NEW' stands in pipeline 7, 'NEW' in 0."""
    named = text(category)
    if named is not None:
        return named
    found = _CATEGORY_OF_STAGE.match(stage_id or "")
    return found[1] if found else GENERAL_PIPELINE
