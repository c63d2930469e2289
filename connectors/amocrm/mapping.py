"""From amoCRM's records to unified ones. The numbers in brackets are facts in BEHAVIOR.md."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

import msgspec

from connectors.amocrm import fields, wire
from connectors.amocrm.settings import AmoCrmSettings
from connectors.contract import Mapped
from connectors.errors import BadRecord
from schema.enums import DealStatus, Direction
from schema.records import (
    CallRecord,
    CompanyRecord,
    ContactRecord,
    DealRecord,
    PipelineRecord,
    StageChangeRecord,
    StageRecord,
    UserRecord,
)

_FINAL = {142: DealStatus.WON, 143: DealStatus.LOST}  # [9] in every pipeline
_DIRECTIONS = {"call_in": Direction.INBOUND, "call_out": Direction.OUTBOUND}
_OUTCOMES = {  # [16]
    "1": "left message",
    "2": "call back later",
    "3": "not available",
    "4": "conversation",
    "5": "wrong number",
    "6": "no answer",
    "7": "busy",
}
_TALKED = "4"
_UNANSWERED = frozenset({"1", "3", "6", "7"})
_OWNER = re.compile(r"/api/v4/(leads|contacts|companies)/")


def user(settings: AmoCrmSettings, body: bytes) -> Mapped:
    row = msgspec.json.decode(body, type=wire.User)
    return [
        UserRecord(
            external_id=str(row.id),
            name=_text(row.name) or _text(row.email) or f"#{row.id}",
            email=_text(row.email),
            phone=_text(row.phone_number),
            active=row.rights is None or row.rights.is_active is not False,
        )
    ]


def pipeline(settings: AmoCrmSettings, body: bytes) -> Mapped:
    row = msgspec.json.decode(body, type=wire.Pipeline)
    return [PipelineRecord(external_id=str(row.id), name=_text(row.name) or f"#{row.id}", sort=row.sort or 0)]


def stage(settings: AmoCrmSettings, body: bytes) -> Mapped:
    row = msgspec.json.decode(body, type=wire.Status)
    return [
        StageRecord(
            external_id=stage_id(row.pipeline_id, row.id),
            name=_text(row.name) or f"#{row.id}",
            pipeline=str(row.pipeline_id),
            sort=row.sort or 0,
            status=_FINAL.get(row.id, DealStatus.OPEN),
        )
    ]


def stage_id(pipeline: int, status: int) -> str:
    """A stage is known by both numbers: 142 and 143 stand in every pipeline."""
    return f"{pipeline}:{status}"


def company(settings: AmoCrmSettings, body: bytes) -> Mapped:
    row = msgspec.json.decode(body, type=wire.Company)
    held = fields.by_code(row.custom_fields_values)
    return [
        CompanyRecord(
            external_id=str(row.id),
            updated_at=_moment(row.updated_at),
            deleted=bool(row.is_deleted),
            custom=fields.custom(held, ZoneInfo(settings.timezone)),
            name=_text(row.name) or f"#{row.id}",
            tax_id=fields.tax_id(held),
            website=fields.first(held, fields.SITE),
            phones=fields.texts(held, fields.PHONE),
            emails=fields.texts(held, fields.EMAIL),
            responsible=_ref(row.responsible_user_id),
            created_at=_moment(row.created_at),
        )
    ]


def contact(settings: AmoCrmSettings, body: bytes) -> Mapped:
    row = msgspec.json.decode(body, type=wire.Contact)
    held = fields.by_code(row.custom_fields_values)
    return [
        ContactRecord(
            external_id=str(row.id),
            updated_at=_moment(row.updated_at),
            deleted=bool(row.is_deleted),
            custom=fields.custom(held, ZoneInfo(settings.timezone)),
            name=_text(row.name),
            first_name=_text(row.first_name),
            last_name=_text(row.last_name),
            position=fields.first(held, fields.POSITION),
            birthday=fields.birthday(held, ZoneInfo(settings.timezone)),
            address=fields.address(held),
            phones=fields.texts(held, fields.PHONE),
            emails=fields.texts(held, fields.EMAIL),
            messengers=fields.messengers(held),
            company=_main(row.embedded.companies if row.embedded else None),
            companies=_others(row.embedded.companies if row.embedded else None),
            responsible=_ref(row.responsible_user_id),
            created_at=_moment(row.created_at),
            traffic=fields.traffic(held),
        )
    ]


def deal(settings: AmoCrmSettings, body: bytes) -> Mapped:
    row = msgspec.json.decode(body, type=wire.Lead)
    created_at = _moment(row.created_at)
    if created_at is None or row.status_id is None or row.pipeline_id is None:
        raise BadRecord("The lead lacks created_at, status_id or pipeline_id.")
    held = fields.by_code(row.custom_fields_values)
    embedded = row.embedded or wire.Embedded()
    status = _FINAL.get(row.status_id, DealStatus.OPEN)
    return [
        DealRecord(
            external_id=str(row.id),
            updated_at=_moment(row.updated_at),
            deleted=bool(row.is_deleted),
            custom=fields.custom(held, ZoneInfo(settings.timezone)),
            title=_text(row.name) or f"#{row.id}",
            created_at=created_at,
            status=status,
            amount=_money(row.price if row.price_with_minor_units is None else row.price_with_minor_units),
            currency=settings.currency,
            closed_at=None if status is DealStatus.OPEN else _moment(row.closed_at),
            lost_reason=_loss_reason(embedded) if status is DealStatus.LOST else None,
            pipeline=str(row.pipeline_id),
            stage=stage_id(row.pipeline_id, row.status_id),
            contact=_main(embedded.contacts),
            company=_main(embedded.companies),
            responsible=_ref(row.responsible_user_id),
            tags=tuple(name for tag in embedded.tags or () if (name := _text(tag.name))),
            traffic=fields.traffic(held),
        )
    ]


def stage_change(settings: AmoCrmSettings, body: bytes) -> Mapped:
    row = msgspec.json.decode(body, type=wire.StatusEvent)
    if not row.value_after:
        raise BadRecord("The event doesn't say to which stage the lead came.")
    status = row.value_after[0].lead_status
    return [
        StageChangeRecord(
            external_id=row.id,
            deal=str(row.entity_id),
            stage=stage_id(status.pipeline_id, status.id),
            pipeline=str(status.pipeline_id),
            changed_at=datetime.fromtimestamp(row.created_at, UTC),
        )
    ]


def call(settings: AmoCrmSettings, body: bytes) -> Mapped:
    row = msgspec.json.decode(body, type=wire.Note)
    if row.note_type not in _DIRECTIONS:
        raise BadRecord(f"note_type is {row.note_type!r}, not a call.")
    params = row.params if isinstance(row.params, wire.CallParams) else wire.CallParams()
    duration = _whole(params.duration)
    status = _text(params.call_status)
    answered = status not in _UNANSWERED and (status == _TALKED or (duration or 0) > 0)
    owner = {owner_of(row): str(row.entity_id)}
    return [
        CallRecord(
            external_id=call_id(row),
            updated_at=_moment(row.updated_at),
            started_at=datetime.fromtimestamp(row.created_at, UTC),
            direction=_DIRECTIONS[row.note_type],
            client_phone=_text(params.phone),
            answered=answered,
            talk_seconds=duration if answered else 0,
            status=_OUTCOMES.get(status or "", status),
            recording_url=_text(params.link),
            contact=owner.get("contacts"),
            company=owner.get("companies"),
            deal=owner.get("leads"),
            responsible=_ref(row.responsible_user_id),
            comment=_text(params.call_result),
        )
    ]


def call_id(note: wire.Note) -> str:
    """The telephony's own id of the call, for one call may hang as a note on several cards [15]."""
    uniq = _text(note.params.uniq) if isinstance(note.params, wire.CallParams) else None
    return uniq or f"note:{note.id}"


def owner_of(note: wire.Note) -> str | None:
    """'leads', 'contacts' or 'companies': what the note hangs on."""
    link = note.links.self_.href if note.links is not None and note.links.self_ is not None else ""
    found = _OWNER.search(link)
    return found[1] if found else None


def _text(value: wire.Scalar) -> str | None:
    if value is None or isinstance(value, bool):
        return None
    return str(value).strip() or None


def _ref(value: int | None) -> str | None:
    """0 stands for a robot or nobody."""
    return str(value) if value else None


def _moment(value: int | None) -> datetime | None:
    return datetime.fromtimestamp(value, UTC) if value else None


def _whole(value: wire.Scalar) -> int | None:
    found = _text(value)
    try:
        return None if found is None else int(float(found))
    except (ValueError, OverflowError):
        raise BadRecord(f"{found!r} is not a number of seconds.") from None


def _money(value: wire.Scalar) -> Decimal | None:
    found = _text(value)
    try:
        return None if found is None else Decimal(found)
    except InvalidOperation:
        raise BadRecord(f"{found!r} is not an amount of money.") from None


def _main(links: list[wire.Linked] | None) -> str | None:
    """The main one of the linked cards, else the first."""
    chosen = next((each for each in links or () if each.is_main), None) or next(iter(links or ()), None)
    return None if chosen is None else str(chosen.id)


def _others(links: list[wire.Linked] | None) -> tuple[str, ...]:
    """The linked cards but for the main one."""
    main = _main(links)
    return tuple(id for each in links or () if (id := str(each.id)) != main)


def _loss_reason(embedded: wire.Embedded) -> str | None:
    reason = embedded.loss_reason
    if isinstance(reason, list):
        reason = reason[0] if reason else None
    return None if reason is None else _text(reason.name)
