"""Record types that connectors fill: one external record, said in the words of the unified model.

A reference to another record (``contact``, ``deal``, …) is that record's external id in the same connection;
``schema.ids.record_id`` turns it into our id without a look-up. Times are aware datetimes: a vendor's local
time is converted at the border, in the connector's mapping. Money is ``Decimal``. Phones and e-mails are what
the vendor has, in its own spelling: the loader normalises them by the workspace's region.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import msgspec

from schema.enums import (
    ClientKind,
    DealKind,
    DealStatus,
    Direction,
    InvoiceKind,
    MessageChannel,
    OrderState,
    PaymentKind,
)
from schema.traffic import Traffic


class _Record(msgspec.Struct, frozen=True, kw_only=True):
    external_id: str
    updated_at: datetime | None = None
    deleted: bool = False
    custom: dict[str, Any] | None = None  # the vendor's custom fields, by the vendor's own field key


class UserRecord(_Record, frozen=True, kw_only=True):
    """An employee who works in the external system."""

    name: str
    email: str | None = None
    phone: str | None = None
    active: bool = True


class ContactRecord(_Record, frozen=True, kw_only=True):
    """A person's card in a CRM or call tracker. ``company`` is the firm that it hangs on, the main one of several;
    ``companies`` are the others that it also names. ``position`` is the person's in the main firm; ``address`` is
    where he lives or has things sent, in one line."""

    name: str | None = None
    first_name: str | None = None
    middle_name: str | None = None
    last_name: str | None = None
    position: str | None = None
    birthday: date | None = None
    address: str | None = None
    phones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    messengers: tuple[str, ...] = ()
    company: str | None = None
    companies: tuple[str, ...] = ()
    responsible: str | None = None
    created_at: datetime | None = None
    traffic: Traffic | None = None


class CompanyRecord(_Record, frozen=True, kw_only=True):
    """An organisation's card."""

    name: str
    tax_id: str | None = None
    website: str | None = None
    phones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    responsible: str | None = None
    created_at: datetime | None = None


class VisitRecord(_Record, frozen=True, kw_only=True):
    """A visit (session) on the client's site. ``visitor_ids`` are cookies of analytics counters, each written
    as 'counter:value' ('ym:1775109228651162001'), so that ids of different counters never meet."""

    started_at: datetime
    visitor_ids: tuple[str, ...] = ()
    landing_url: str | None = None
    city: str | None = None
    device: str | None = None
    traffic: Traffic = Traffic()


class CallRecord(_Record, frozen=True, kw_only=True):
    """A phone call. ``client_phone`` is the client's, ``tracking_phone`` the number that was dialled."""

    started_at: datetime
    direction: Direction = Direction.INBOUND
    client_phone: str | None = None
    tracking_phone: str | None = None
    answered: bool = False
    wait_seconds: int | None = None
    talk_seconds: int | None = None
    status: str | None = None
    is_unique: bool | None = None
    is_target: bool | None = None
    recording_url: str | None = None
    visit: str | None = None
    visitor_ids: tuple[str, ...] = ()
    contact: str | None = None
    company: str | None = None
    lead: str | None = None
    deal: str | None = None
    responsible: str | None = None
    tags: tuple[str, ...] = ()
    comment: str | None = None
    traffic: Traffic | None = None


class LeadRecord(_Record, frozen=True, kw_only=True):
    """A first expression of interest: a form on the site, a request, a CRM's lead."""

    created_at: datetime
    title: str | None = None
    name: str | None = None
    phones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    visitor_ids: tuple[str, ...] = ()
    status: str | None = None
    visit: str | None = None
    contact: str | None = None
    company: str | None = None
    responsible: str | None = None
    tags: tuple[str, ...] = ()
    comment: str | None = None
    traffic: Traffic | None = None


class DealRecord(_Record, frozen=True, kw_only=True):
    """A possible or done sale. ``closed_at`` is when it was won or lost, never a planned date."""

    title: str
    created_at: datetime
    status: DealStatus
    kind: DealKind | None = None
    amount: Decimal | None = None
    currency: str | None = None
    closed_at: datetime | None = None
    expected_at: date | None = None
    lost_reason: str | None = None
    pipeline: str | None = None
    stage: str | None = None
    contact: str | None = None
    company: str | None = None
    lead: str | None = None
    responsible: str | None = None
    tags: tuple[str, ...] = ()
    traffic: Traffic | None = None


class OrderItem(msgspec.Struct, frozen=True, kw_only=True):
    """A line of an order: ``amount`` is what the line comes to, ``cost`` what its goods cost the business, both
    for the whole quantity and in the order's currency."""

    name: str
    sku: str | None = None
    quantity: Decimal = Decimal(1)
    price: Decimal | None = None
    amount: Decimal | None = None
    cost: Decimal | None = None


class OrderRecord(_Record, frozen=True, kw_only=True):
    """What a client ordered. ``amount`` is what is to be paid, discounts and delivery included; ``cost`` is the
    cost of goods sold. ``deal`` names the deal that the order belongs to: the sale is counted there, and an
    order that names none counts in no figure of sales. ``status`` is the vendor's own word."""

    created_at: datetime
    state: OrderState
    number: str | None = None
    status: str | None = None
    amount: Decimal | None = None
    currency: str | None = None
    cost: Decimal | None = None
    paid_at: datetime | None = None
    items: tuple[OrderItem, ...] = ()
    name: str | None = None
    phones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    visitor_ids: tuple[str, ...] = ()
    visit: str | None = None
    contact: str | None = None
    company: str | None = None
    deal: str | None = None
    lead: str | None = None
    responsible: str | None = None
    tags: tuple[str, ...] = ()
    comment: str | None = None
    traffic: Traffic | None = None


class InvoiceRecord(_Record, frozen=True, kw_only=True):
    """A document that asks for money (invoice) or states that the work was done (act). ``paid_at`` is when it
    was paid in full."""

    issued_at: datetime
    kind: InvoiceKind = InvoiceKind.INVOICE
    number: str | None = None
    due_at: date | None = None
    amount: Decimal | None = None
    currency: str | None = None
    status: str | None = None
    paid_at: datetime | None = None
    cancelled: bool = False
    contact: str | None = None
    company: str | None = None
    order: str | None = None
    deal: str | None = None
    responsible: str | None = None


class PaymentRecord(_Record, frozen=True, kw_only=True):
    """Money that came from a client (payment) or went back to them (refund). ``amount`` is positive in both."""

    paid_at: datetime
    amount: Decimal
    kind: PaymentKind = PaymentKind.PAYMENT
    currency: str | None = None
    method: str | None = None
    number: str | None = None
    contact: str | None = None
    company: str | None = None
    invoice: str | None = None
    order: str | None = None
    deal: str | None = None


class MessageRecord(_Record, frozen=True, kw_only=True):
    """A letter, chat message, SMS or meeting. ``phones`` and ``emails`` are the client's side of it."""

    sent_at: datetime
    channel: MessageChannel
    direction: Direction = Direction.INBOUND
    subject: str | None = None
    text: str | None = None
    phones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    contact: str | None = None
    company: str | None = None
    lead: str | None = None
    deal: str | None = None
    responsible: str | None = None


class TaskRecord(_Record, frozen=True, kw_only=True):
    """Something to be done, planned in the external system. ``responsible`` is the employee who is to do it."""

    title: str
    created_at: datetime
    text: str | None = None
    due_at: datetime | None = None
    done_at: datetime | None = None
    contact: str | None = None
    company: str | None = None
    lead: str | None = None
    deal: str | None = None
    order: str | None = None
    responsible: str | None = None


class PipelineRecord(_Record, frozen=True, kw_only=True):
    name: str
    sort: int = 0


class StageRecord(_Record, frozen=True, kw_only=True):
    """A stage of a pipeline; ``status`` says what a deal that stands in it is."""

    name: str
    pipeline: str
    sort: int = 0
    status: DealStatus = DealStatus.OPEN


class StageChangeRecord(_Record, frozen=True, kw_only=True):
    """A deal came to a stage."""

    deal: str
    stage: str
    pipeline: str | None = None
    changed_at: datetime


class CampaignRecord(_Record, frozen=True, kw_only=True):
    """A campaign of an ad platform; ``external_id`` is the platform's id, ``platform`` the connector's key."""

    platform: str
    name: str
    state: str | None = None
    currency: str | None = None


class AdGroupRecord(_Record, frozen=True, kw_only=True):
    platform: str
    campaign: str
    name: str


class AdRecord(_Record, frozen=True, kw_only=True):
    platform: str
    ad_group: str
    title: str | None = None
    landing_url: str | None = None


class KeywordRecord(_Record, frozen=True, kw_only=True):
    platform: str
    ad_group: str
    text: str


class AdSpendRecord(_Record, frozen=True, kw_only=True):
    """What a campaign cost on one day of the ad platform's calendar. Told again with other numbers, it
    becomes a new revision; the former one is kept."""

    platform: str
    campaign: str
    campaign_name: str | None = None
    day: date
    cost: Decimal
    currency: str
    vat_included: bool
    impressions: int = 0
    clicks: int = 0


class InvalidClicksRecord(_Record, frozen=True, kw_only=True):
    """Clicks on ads that a service judged to be made by robots or rivals: one of them, or those of a campaign and
    day. ``cost`` is what they cost where the service tells it; else it follows from what the day's clicks cost."""

    day: date
    clicks: int = 1
    cost: Decimal | None = None
    currency: str | None = None
    reason: str | None = None
    traffic: Traffic | None = None


PartyRecord = ContactRecord | CompanyRecord
Record = (
    UserRecord
    | ContactRecord
    | CompanyRecord
    | VisitRecord
    | CallRecord
    | LeadRecord
    | DealRecord
    | OrderRecord
    | InvoiceRecord
    | PaymentRecord
    | MessageRecord
    | TaskRecord
    | PipelineRecord
    | StageRecord
    | StageChangeRecord
    | CampaignRecord
    | AdGroupRecord
    | AdRecord
    | KeywordRecord
    | AdSpendRecord
    | InvalidClicksRecord
)

__all__ = [
    "AdGroupRecord",
    "AdRecord",
    "AdSpendRecord",
    "CallRecord",
    "CampaignRecord",
    "ClientKind",
    "CompanyRecord",
    "ContactRecord",
    "DealRecord",
    "InvalidClicksRecord",
    "InvoiceRecord",
    "KeywordRecord",
    "LeadRecord",
    "MessageRecord",
    "OrderItem",
    "OrderRecord",
    "PaymentRecord",
    "PipelineRecord",
    "Record",
    "StageChangeRecord",
    "StageRecord",
    "TaskRecord",
    "Traffic",
    "UserRecord",
    "VisitRecord",
]
