"""From Aspro.Cloud's records to unified ones. The numbers in brackets are facts in BEHAVIOR.md."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from connectors.aspro_cloud import wire
from connectors.aspro_cloud.settings import AsproCloudSettings
from connectors.aspro_cloud.values import day, moment, money, ref, text, texts, whole
from connectors.contract import Mapped, Skip
from connectors.errors import BadRecord
from schema.enums import DealStatus, InvoiceKind, PaymentKind
from schema.records import (
    CompanyRecord,
    ContactRecord,
    DealRecord,
    InvoiceRecord,
    LeadRecord,
    PaymentRecord,
    PipelineRecord,
    Record,
    StageRecord,
    TaskRecord,
    UserRecord,
)
from schema.traffic import Traffic, present, traffic_of_url

ORGANISATION, PERSON = 1, 2  # [5]
_STATUSES = {1: DealStatus.OPEN, 2: DealStatus.LOST, 3: DealStatus.WON}  # [6]
_STATUS_WORDS = {DealStatus.OPEN: "in progress", DealStatus.LOST: "lost", DealStatus.WON: "won"}
EXECUTED = 10  # [11] the status of a payment that was made
DONE = 5  # [9] the status of a task
TEMPLATE = 30  # [9] the type of a task from which others are made
_CUSTOM = "cf_"


def user(settings: AsproCloudSettings, body: bytes) -> Mapped:
    row = msgspec.json.decode(body, type=wire.User)
    names = " ".join(texts(row.first_name, row.last_name))
    login = text(row.username)
    return [
        UserRecord(
            external_id=str(row.id),
            name=text(row.name) or names or login or f"#{row.id}",
            email=text(row.email) or (login if login and "@" in login else None),
            phone=next(iter(texts(row.phone_mobile, row.phone)), None),
            active=whole(row.active) != 0,
        )
    ]


def pipeline(settings: AsproCloudSettings, body: bytes) -> Mapped:
    row = msgspec.json.decode(body, type=wire.Pipeline)
    return [
        PipelineRecord(external_id=str(row.id), name=text(row.name) or f"#{row.id}", sort=whole(row.ordering) or 0)
    ]


def stage(settings: AsproCloudSettings, body: bytes) -> Mapped:
    """A stage says nothing of won or lost: the deal does [6]."""
    row = msgspec.json.decode(body, type=wire.Stage)
    return [
        StageRecord(
            external_id=str(row.id),
            name=text(row.name) or f"#{row.id}",
            pipeline=ref(row.pipeline_id) or "",
            sort=whole(row.ordering) or 0,
        )
    ]


def account(settings: AsproCloudSettings, body: bytes) -> Mapped:
    row = msgspec.json.decode(body, type=wire.Account)
    kind = whole(row.type if row.type is not None else row.type_id)
    common: dict[str, Any] = {
        "external_id": str(row.id),
        "updated_at": moment(row.updated_date, settings.zone),
        "deleted": ref(row.merged_to) is not None,  # [5] what it was merged into stands for it
        "custom": _custom(body),
        "phones": texts(row.phone, row.phone2, row.phone3),
        "emails": texts(row.email, row.email_personal),
        "responsible": ref(row.owner_id, row.manager_id),
        "created_at": moment(row.created_date, settings.zone),
    }
    if kind == ORGANISATION:
        return [
            CompanyRecord(
                name=text(row.name) or f"#{row.id}",
                tax_id=text(row.vat) or text(row.tax),
                website=text(row.web),
                **common,
            )
        ]
    if kind != PERSON:
        raise BadRecord(f"The account is of type {kind}, neither an organisation (1) nor a person (2).")
    messengers = (("telegram", row.telegram), ("skype", row.skype))
    return [
        ContactRecord(
            name=text(row.name),
            first_name=text(row.first_name),
            middle_name=text(row.middle_name),
            last_name=text(row.last_name),
            address=text(row.address),
            messengers=tuple(f"{name}:{found}" for name, value in messengers if (found := text(value))),
            **common,
        )
    ]


def lead(settings: AsproCloudSettings, body: bytes) -> Mapped:
    """The deal, and, where somebody left a phone or an e-mail on it, the request that it began as."""
    row = msgspec.json.decode(body, type=wire.Lead)
    created_at = moment(row.created_date, settings.zone)
    status = _STATUSES.get(whole(row.active) or 0)
    if created_at is None or status is None:
        raise BadRecord("The deal lacks created_date, or its 'active' is none of 1, 2 and 3.")
    custom = _custom(body) or {}
    traffic = _traffic(settings, custom)
    customer = ref(row.customer_id, row.company_id)
    # A customer is an organisation or a person, which the deal doesn't say: the one that exists will be found [5].
    contact = ref(row.contact_id) or customer
    common: dict[str, Any] = {
        "external_id": str(row.id),
        "updated_at": moment(row.updated_date, settings.zone),
        "deleted": ref(row.merged_to_id) is not None,
        "created_at": created_at,
        "title": text(row.name) or f"#{row.id}",
        "company": customer,
        "responsible": ref(row.assignee_id, row.manager_id),
        "traffic": traffic,
    }
    phones, emails = texts(row.contact_phone, row.contact_mobile), texts(row.contact_email)
    told: list[Record] = []
    if phones or emails:
        told.append(
            LeadRecord(
                name=text(row.contact_name),
                phones=phones,
                emails=emails,
                status=_STATUS_WORDS[status],
                contact=ref(row.contact_id),
                **common,
            )
        )
    told.append(
        DealRecord(
            status=status,
            amount=money(row.budget, row.amount),
            currency=settings.currency,
            closed_at=None if status is DealStatus.OPEN else moment(row.closing_date, settings.zone),
            expected_at=day(row.deadline),
            lost_reason=_lost_reason(row) if status is DealStatus.LOST else None,
            pipeline=ref(row.pipeline_id),
            stage=ref(row.pipeline_stage_id, row.stage_id),
            contact=contact,
            lead=str(row.id) if told else None,
            custom=custom | {name: found for name in ("source_id",) if (found := ref(row.source_id))} or None,
            **common,
        )
    )
    return told


def task(settings: AsproCloudSettings, body: bytes) -> Mapped:
    row = msgspec.json.decode(body, type=wire.Task)
    if whole(row.type) == TEMPLATE:
        return Skip("A template of tasks, not something to be done.")
    created_at = moment(row.created_date, settings.zone)
    if created_at is None:
        raise BadRecord("The task lacks created_date.")
    bound = ref(row.model_id)
    on = (text(row.module), text(row.model))
    account = ref(row.crm_account_id) or (bound if on == ("crm", "account") else None)
    done = whole(row.status) == DONE
    return [
        TaskRecord(
            external_id=str(row.id),
            updated_at=moment(row.updated_date, settings.zone),
            title=text(row.name) or f"#{row.id}",
            text=text(row.description),
            created_at=created_at,
            due_at=moment(row.deadline, settings.zone),
            done_at=_done_at(row, settings) if done else None,
            contact=account,
            company=account,
            deal=bound if on == ("crm", "lead") else None,
            responsible=ref(row.responsible_id),
        )
    ]


def invoice(settings: AsproCloudSettings, body: bytes) -> Mapped:
    return [_document(settings, body, InvoiceKind.INVOICE)]


def act(settings: AsproCloudSettings, body: bytes) -> Mapped:
    return [_document(settings, body, InvoiceKind.ACT)]


def payment(settings: AsproCloudSettings, body: bytes) -> Mapped:
    row = msgspec.json.decode(body, type=wire.Payment)
    if whole(row.status) != EXECUTED and not whole(row.is_complete):
        return Skip("A payment that is planned and not made.")
    paid_at = moment(row.date, settings.zone) or moment(row.complete_date, settings.zone)
    amount = money(row.total)
    if paid_at is None or amount is None:
        raise BadRecord("The payment lacks its date or its total.")
    customer = ref(row.crm_company_id)
    return [
        PaymentRecord(
            external_id=str(row.id),
            updated_at=moment(row.updated_date, settings.zone),
            paid_at=paid_at,
            kind=PaymentKind.REFUND if amount < 0 else PaymentKind.PAYMENT,
            amount=abs(amount),
            currency=_currency(settings, row.currency_id, None),
            number=text(row.reference) or text(row.name),
            contact=customer,
            company=customer,
        )
    ]


def _document(settings: AsproCloudSettings, body: bytes, kind: InvoiceKind) -> InvoiceRecord:
    row = msgspec.json.decode(body, type=wire.Document)
    dates = (row.invoice_date, row.act_date, row.date, row.created_date)
    issued_at = next((found for each in dates if (found := moment(each, settings.zone))), None)
    amount = money(row.total)
    if issued_at is None or amount is None:
        raise BadRecord("The document lacks its date or its total.")
    customer = ref(row.customer_id)
    numbers = texts(row.invoice_number_print, row.invoice_number, row.act_number, row.number)
    return InvoiceRecord(
        external_id=str(row.id),
        updated_at=moment(row.updated_date, settings.zone),
        number=next(iter(numbers), None),
        kind=kind,
        issued_at=issued_at,
        due_at=day(row.due_date),
        amount=amount,
        currency=_currency(settings, row.currency_id, row.currency_code),
        status=text(row.status_id),
        paid_at=moment(row.paid_date, settings.zone),
        contact=customer,
        company=customer,
        deal=ref(row.model_id) if (text(row.module), text(row.model)) == ("crm", "lead") else None,
        responsible=ref(row.assignee_id),
    )


def _currency(settings: AsproCloudSettings, number: wire.Scalar, code: wire.Scalar) -> str:
    """The ISO code: the document's own, else by the portal's number [12]."""
    told = text(code)
    if told is not None and len(told) == 3:
        return told.upper()
    own = ref(number)
    if own is None or not settings.currencies:
        return settings.currency
    try:
        return settings.currencies[own]
    except KeyError:
        raise BadRecord(
            f"Currency number {own} isn't among the settings' other currencies: add it, then replay this record."
        ) from None


def _done_at(row: wire.Task, settings: AsproCloudSettings) -> datetime | None:
    return moment(row.closed_date, settings.zone) or moment(row.updated_date, settings.zone)


def _lost_reason(row: wire.Lead) -> str | None:
    """The comment; the reason itself is a number of another list."""
    number = ref(row.closing_status_id)
    return text(row.closing_comment) or (f"reason {number}" if number else None)


def _custom(body: bytes) -> dict[str, Any] | None:
    """The filled custom fields; of one that comes as a number and as a value, the value [13]."""
    row = msgspec.json.decode(body, type=dict[str, Any])
    found: dict[str, Any] = {}
    for name, value in row.items():
        if name.startswith(_CUSTOM) and value not in (None, "", "0000-00-00", "0000-00-00 00:00:00"):
            found[name.removesuffix("_value")] = row.get(f"{name}_value") or value
    return found or None


def _traffic(settings: AsproCloudSettings, custom: dict[str, Any]) -> Traffic | None:
    if settings.tags:
        told = {tag: present(str(custom[field])) for tag, field in settings.tags.items() if field in custom}
        return Traffic(**told) if any(told.values()) else None
    for value in custom.values():
        if isinstance(value, str) and "utm_" in value:
            return traffic_of_url(value if "?" in value else f"?{value.lstrip('?&')}")
    return None
