"""From BottleCRM's records to unified ones. The numbers in brackets are facts in BEHAVIOR.md."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from connectors.bottlecrm import wire
from connectors.bottlecrm.settings import BottleCrmSettings
from connectors.contract import Mapped, Skip
from connectors.errors import BadRecord
from schema.enums import DealStatus, Direction, MessageChannel
from schema.records import (
    CallRecord,
    CompanyRecord,
    ContactRecord,
    DealRecord,
    InvoiceRecord,
    LeadRecord,
    MessageRecord,
    PipelineRecord,
    Record,
    StageRecord,
    UserRecord,
)
from schema.traffic import Traffic

_STATUSES = {"open": DealStatus.OPEN, "won": DealStatus.WON, "lost": DealStatus.LOST}
_CHANNELS = {
    "meeting": MessageChannel.MEETING,
    "email": MessageChannel.EMAIL,
    "whatsapp": MessageChannel.MESSENGER,
    "sms": MessageChannel.SMS,
}
_CANCELLED = frozenset({"cancelled", "canceled", "void"})
_TAG_MARK = "="


def user(_settings: BottleCrmSettings, body: bytes) -> Mapped:
    row = msgspec.json.decode(body, type=wire.Profile)
    return [
        UserRecord(
            external_id=row.id,
            name=row.user_details.name or row.user_details.email or row.id,
            email=row.user_details.email or None,
            phone=row.phone or None,
            active=row.is_active,
        )
    ]


def pipeline(_settings: BottleCrmSettings, body: bytes) -> Mapped:
    """[6] A stage is known by its code within a pipeline."""
    row = msgspec.json.decode(body, type=wire.Pipeline)
    told: list[Record] = [PipelineRecord(external_id=row.id, name=row.name, sort=0 if row.is_default else 1)]
    told += [
        StageRecord(
            external_id=stage_id(row.id, stage.code),
            name=stage.label,
            pipeline=row.id,
            sort=stage.order,
            status=_STATUSES.get(stage.kind, DealStatus.OPEN),
        )
        for stage in row.stages
    ]
    return told


def stage_id(pipeline_id: str, code: str) -> str:
    return f"{pipeline_id}:{code}"


def account(_settings: BottleCrmSettings, body: bytes) -> Mapped:
    row = msgspec.json.decode(body, type=wire.Account)
    return [
        CompanyRecord(
            name=row.name or row.id,
            website=row.website or None,
            phones=_present(row.phone),
            emails=_present(row.email),
            responsible=_first(row.assigned_to),
            **_common(row),
        )
    ]


def contact(_settings: BottleCrmSettings, body: bytes) -> Mapped:
    row = msgspec.json.decode(body, type=wire.Contact)
    return [
        ContactRecord(
            name=_name(row.first_name, row.last_name),
            first_name=_said(row.first_name),
            last_name=_said(row.last_name),
            position=row.title or None,
            phones=_present(row.phone),
            emails=_present(row.email),
            company=row.account or next((each.id for each in row.linked_accounts), None),
            responsible=_first(row.assigned_to),
            traffic=_traffic(row.source, row.source_detail),
            **_common(row),
        )
    ]


def lead(_settings: BottleCrmSettings, body: bytes) -> Mapped:
    row = msgspec.json.decode(body, type=wire.Lead)
    common = _common(row)
    if common["created_at"] is None:
        raise BadRecord("The lead lacks created_at.")
    return [
        LeadRecord(
            title=row.title or None,
            name=_name(row.first_name, row.last_name),
            phones=_present(row.phone),
            emails=_present(row.email),
            status=row.status or None,
            contact=next((each.id for each in row.contacts), None),
            responsible=_first(row.assigned_to),
            tags=_tags(row.tags),
            comment=row.description or None,
            traffic=_traffic(row.source, row.source_detail),
            **common,
        )
    ]


def deal(_settings: BottleCrmSettings, body: bytes) -> Mapped:
    row = msgspec.json.decode(body, type=wire.Deal)
    common = _common(row)
    status = _STATUSES.get(row.stage_kind or "open")
    if common["created_at"] is None or status is None:
        raise BadRecord(
            f"The deal lacks created_at, or its stage is of the kind {row.stage_kind!r}, which isn't known."
        )
    return [
        DealRecord(
            title=row.name or row.id,
            status=status,
            amount=_money(row.amount),
            currency=row.currency or None,
            closed_at=None if status is DealStatus.OPEN else _closed_at(row),
            expected_at=row.closed_on if status is DealStatus.OPEN else None,
            pipeline=row.pipeline,
            stage=stage_id(row.pipeline, row.stage) if row.pipeline and row.stage else None,
            contact=next((each.id for each in row.contacts), None),
            company=None if row.account is None else row.account.id,
            responsible=_first(row.assigned_to),
            tags=_tags(row.tags),
            traffic=_traffic(row.lead_source, row.source_detail),
            **common,
        )
    ]


def interaction(_settings: BottleCrmSettings, body: bytes) -> Mapped:
    """A call, or a letter, message or meeting [8]."""
    row = msgspec.json.decode(body, type=wire.Interaction)
    direction = Direction.INBOUND if row.direction == "inbound" else Direction.OUTBOUND
    links: dict[str, Any] = {
        "contact": row.contact,
        "company": row.account,
        "lead": row.lead,
        "deal": row.opportunity,
        "responsible": row.logged_by,
    }
    if row.kind == "call":
        answered = row.outcome == "connected"
        return [
            CallRecord(
                external_id=row.id,
                started_at=row.occurred_at,
                direction=direction,
                answered=answered,
                talk_seconds=row.duration_seconds if answered else None,
                status=row.outcome or None,
                comment="\n".join(filter(None, (row.subject, row.body))) or None,
                **links,
            )
        ]
    channel = _CHANNELS.get(row.kind)
    if channel is None:
        return Skip("An enquiry: the lead itself tells of it.")
    return [
        MessageRecord(
            external_id=row.id,
            sent_at=row.occurred_at,
            channel=channel,
            direction=direction,
            subject=row.subject or None,
            text=row.body or None,
            **links,
        )
    ]


def invoice(_settings: BottleCrmSettings, body: bytes) -> Mapped:
    row = msgspec.json.decode(body, type=wire.Invoice)
    if row.issue_date is None:
        return Skip("A draft without a date: nobody was asked for money yet.")
    return [
        InvoiceRecord(
            external_id=row.id,
            number=row.invoice_number or None,
            issued_at=datetime.combine(row.issue_date, time(), UTC),
            due_at=row.due_date,
            amount=_money(row.total_amount),
            currency=row.currency or None,
            status=row.status or None,
            cancelled=(row.status or "").casefold() in _CANCELLED,
            contact=row.contact,
            company=row.account,
        )
    ]


def _common(row: Any) -> dict[str, Any]:
    return {
        "external_id": row.id,
        "updated_at": row.updated_at,
        "created_at": row.created_at,
        "custom": dict(row.custom_fields) or None,
    }


def _said(text: str | None) -> str | None:
    """A last name is required there: a dash stands for none [9]."""
    return None if text is None or text.strip() in ("", "-", "—") else text.strip()


def _name(*parts: str | None) -> str | None:
    return " ".join(filter(None, map(_said, parts))) or None


def _present(*texts: str | None) -> tuple[str, ...]:
    return tuple(text for text in texts if text)


def _first(assigned: list[wire.Profile]) -> str | None:
    return next((each.id for each in assigned), None)


def _tags(tags: list[wire.Tag]) -> tuple[str, ...]:
    return tuple(each.name for each in tags if each.name)


def _money(text: str | None) -> Decimal | None:
    try:
        return None if text is None else Decimal(text)
    except InvalidOperation:
        raise BadRecord(f"{text!r} is not an amount of money.") from None


def _closed_at(row: wire.Deal) -> datetime | None:
    """The change of stage, if it was on the day that is told; else the day's end [6]."""
    if row.closed_on is None:
        return row.stage_changed_at
    if row.stage_changed_at is not None and row.stage_changed_at.astimezone(UTC).date() == row.closed_on:
        return row.stage_changed_at
    return datetime.combine(row.closed_on, time(23, 59, 59), UTC)


def _traffic(source: str | None, detail: str | None) -> Traffic | None:
    """[7] The source is one of the organisation's list; UTM tags stand in the detail as ours wrote them."""
    tags = tags_of(detail)
    if not tags and not source:
        return None
    return Traffic(source=source or None, **tags)


def tags_of(detail: str | None) -> Mapping[str, str]:
    """The UTM tags in a detail of the form ``utm_source=yandex&utm_medium=cpc``."""
    found: dict[str, str] = {}
    for part in (detail or "").split("&"):
        name, mark, value = part.partition(_TAG_MARK)
        if mark and name in TAGS and value:
            found[name] = value
    return found


TAGS = ("utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term")
