"""Records that a running BottleCRM told, and what becomes of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from connectors.bottlecrm import mapping, reads
from connectors.bottlecrm.settings import BottleCrmSettings
from connectors.contract import Skip, VendorResponse
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
    UserRecord,
)
from schema.traffic import Traffic

Recorded = Callable[..., VendorResponse]


def one(mapped: Any) -> Any:
    (record,) = mapped
    return record


def first(path: str, response: VendorResponse, half: int = 0) -> bytes:
    return reads.halves(path, response)[half][0].body


def changed(body: bytes, **values: Any) -> bytes:
    return msgspec.json.encode(msgspec.json.decode(body) | values)


def test_people_and_firms(settings: BottleCrmSettings, recorded: Recorded) -> None:
    contact = one(mapping.contact(settings, first("contacts/", recorded("contacts.json"))))
    assert isinstance(contact, ContactRecord)
    assert (contact.first_name, contact.last_name, contact.name) == ("Анна", "Петрова", "Анна Петрова")
    assert (contact.phones, contact.emails) == (("+7 916 555 00 01",), ("anna@x.test",))
    account = one(mapping.account(settings, first("accounts/", recorded("accounts.json"))))
    assert isinstance(account, CompanyRecord)
    assert (account.name, account.website) == ("Cardinal Software", "https://www.cardinalsoftware.example")
    assert account.responsible is not None
    user = one(mapping.user(settings, first("users/", recorded("users.json"))))
    assert isinstance(user, UserRecord)
    assert user.active


def test_a_lead_and_the_dash_that_stands_for_no_name(settings: BottleCrmSettings, recorded: Recorded) -> None:
    body = first("leads/", recorded("leads.json"))
    lead = one(mapping.lead(settings, body))
    assert isinstance(lead, LeadRecord)
    assert (lead.name, lead.phones, lead.status) == ("Rosa Harper", ("+1 555-555-0196",), "assigned")
    assert lead.traffic == Traffic(source="other")
    tagged = changed(body, last_name="-", source="", source_detail="utm_source=yandex&utm_campaign=brand&x=1")
    told = one(mapping.lead(settings, tagged))
    assert (told.name, told.traffic) == ("Rosa", Traffic(utm_source="yandex", utm_campaign="brand"))


def test_a_won_deal_and_one_that_is_open(settings: BottleCrmSettings, recorded: Recorded) -> None:
    body = first("opportunities/", recorded("opportunities.json"))
    deal = one(mapping.deal(settings, body))
    assert isinstance(deal, DealRecord)
    assert (deal.title, deal.status, deal.amount, deal.currency) == (
        "Deal won",
        DealStatus.WON,
        Decimal(100),
        "USD",
    )
    assert deal.stage == f"{deal.pipeline}:CLOSED_WON"
    assert deal.closed_at == datetime(2026, 11, 24, 16, 44, 42, 783523, tzinfo=UTC)
    assert deal.traffic == Traffic(source="web form", utm_source="yandex", utm_campaign="brand")
    earlier = one(mapping.deal(settings, changed(body, closed_on="2026-11-20")))
    assert earlier.closed_at == datetime(2026, 11, 20, 23, 59, 59, tzinfo=UTC)
    planned = one(mapping.deal(settings, changed(body, stage="PROPOSAL", stage_kind="open")))
    assert (planned.closed_at, planned.expected_at) == (None, date(2026, 11, 24))
    with pytest.raises(BadRecord, match="'dreaming'"):
        mapping.deal(settings, changed(body, stage_kind="dreaming"))


def test_a_pipeline_brings_its_stages(settings: BottleCrmSettings, recorded: Recorded) -> None:
    mapped = mapping.pipeline(settings, first("opportunities/pipelines/", recorded("pipelines.json")))
    assert not isinstance(mapped, Skip)
    pipeline, *stages = mapped
    assert isinstance(pipeline, PipelineRecord)
    assert [getattr(stage, "status", None) for stage in stages][-2:] == [DealStatus.WON, DealStatus.LOST]


def test_calls_and_meetings(settings: BottleCrmSettings, recorded: Recorded) -> None:
    rows = msgspec.json.decode(recorded("interactions.json").content)["interactions"]
    meeting, call = (one(mapping.interaction(settings, msgspec.json.encode(row))) for row in rows)
    assert isinstance(call, CallRecord)
    assert (call.direction, call.answered, call.talk_seconds) == (Direction.INBOUND, True, 65)
    assert call.contact == rows[1]["contact"]
    assert isinstance(meeting, MessageRecord)
    assert (meeting.channel, meeting.subject) == (MessageChannel.MEETING, "Договор")
    missed = one(mapping.interaction(settings, msgspec.json.encode(rows[1] | {"outcome": "no_answer"})))
    assert (missed.answered, missed.talk_seconds) == (False, None)
    enquiry = msgspec.json.encode(rows[1] | {"kind": "enquiry"})
    assert isinstance(mapping.interaction(settings, enquiry), Skip)


def test_an_invoice(settings: BottleCrmSettings, recorded: Recorded) -> None:
    body = first("invoices/", recorded("invoices.json"))
    invoice = one(mapping.invoice(settings, body))
    assert isinstance(invoice, InvoiceRecord)
    assert (invoice.number, invoice.amount) == ("INV-20260528-0005", Decimal("10972.80"))
    assert (invoice.issued_at, invoice.due_at) == (datetime(2026, 5, 28, tzinfo=UTC), date(2026, 6, 27))
    assert isinstance(mapping.invoice(settings, changed(body, issue_date=None)), Skip)
