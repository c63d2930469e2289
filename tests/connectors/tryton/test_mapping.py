"""Records that a running Tryton told, and what becomes of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from connectors.contract import Skip
from connectors.errors import BadRecord
from connectors.tryton import mapping
from connectors.tryton.notes import Note
from connectors.tryton.settings import TrytonSettings
from schema.enums import DealStatus
from schema.records import CompanyRecord, ContactRecord, DealRecord, LeadRecord, StageChangeRecord, UserRecord
from schema.traffic import Traffic

Sample = Callable[[str, int], bytes]


def one(mapped: Any) -> Any:
    (record,) = mapped
    return record


def test_a_firm_and_a_person_are_told_apart(settings: TrytonSettings, sample: Sample) -> None:
    firm = one(mapping.party(settings, sample("parties.json", 5)))
    assert isinstance(firm, CompanyRecord)
    assert (firm.name, firm.phones) == ("ООО Ромашка", ("+7 495 123-45-67", "8 (916) 000-11-22"))
    assert (firm.emails, firm.tax_id) == (("info@example.test",), None)  # our own mark is no tax number
    assert firm.updated_at == datetime(2026, 11, 24, 16, 5, 16, 284624, tzinfo=UTC)
    person = one(mapping.party(settings, sample("parties.json", 2)))
    assert isinstance(person, ContactRecord)
    assert (person.name, person.first_name, person.last_name) == ("Manager One", "Manager One", None)


def test_a_party_that_was_put_away_is_deleted(settings: TrytonSettings, sample: Sample) -> None:
    assert one(mapping.party(settings, sample("parties.json", 6))).deleted


def test_a_person_works_for_whom_the_named_relation_leads_to(settings: TrytonSettings, sample: Sample) -> None:
    row = msgspec.json.decode(sample("parties.json", 2))
    row["relations"] = [{"type": {"name": "knows"}, "to": 9}, {"type": {"name": "Works at"}, "to": 5}]
    told = settings.model_copy(update={"works_at": "works at"})
    assert one(mapping.party(told, msgspec.json.encode(row))).company == "5"
    row["identifiers"] = [{"type": "ru_vat", "code": "7701234567"}]
    assert one(mapping.party(settings, msgspec.json.encode(row))).tax_id == "7701234567"


def test_an_opportunity_with_its_campaign(settings: TrytonSettings, sample: Sample) -> None:
    deal = one(mapping.opportunity(settings, sample("opportunities.json", 5)))
    assert isinstance(deal, DealRecord)
    assert (deal.title, deal.status, deal.amount, deal.currency) == (
        "Контекст",
        DealStatus.OPEN,
        Decimal(120000),
        "RUB",
    )
    assert (deal.contact, deal.company, deal.responsible, deal.stage) == ("5", "5", "1", "lead")
    assert deal.traffic == Traffic(utm_source="yandex", utm_medium="cpc", utm_campaign="brand_msk")
    # It was never changed: its creation is its last change.
    assert deal.updated_at == deal.created_at == datetime(2026, 11, 24, 16, 40, 46, 972201, tzinfo=UTC)


def test_a_lost_one_was_closed_with_its_last_change(settings: TrytonSettings, sample: Sample) -> None:
    body = sample("opportunities.json", 1)
    deal = one(mapping.opportunity(settings, body))
    assert (deal.status, deal.lost_reason, deal.amount) == (DealStatus.LOST, "x", Decimal(120000))
    assert deal.closed_at == datetime(2026, 11, 24, 16, 5, 16, 471972, tzinfo=UTC)
    row = msgspec.json.decode(body)
    row["end_date"]["day"] = 20
    earlier = one(mapping.opportunity(settings, msgspec.json.encode(row)))
    assert earlier.closed_at == datetime(2026, 11, 20, 20, 59, 59, tzinfo=UTC)  # the end of Moscow's day


def test_what_a_call_left_in_the_comment_is_a_lead(settings: TrytonSettings, sample: Sample) -> None:
    lead, deal = mapping.opportunity(settings, sample("opportunities.json", 6))  # type: ignore[misc]  # no Skip
    assert isinstance(lead, LeadRecord)
    assert isinstance(deal, DealRecord)
    assert (lead.name, lead.phones) == ("Иван", ("+79160001122",))
    assert lead.traffic == deal.traffic == Traffic(utm_source="yandex", utm_campaign="brand")
    assert (deal.lead, deal.contact) == ("6", None)


def test_a_comment_says_what_was_written(settings: TrytonSettings) -> None:
    note = Note("Перезвонить", "Иван\nПетров", ("+79160001122",), ("a@b.test",), {"utm_source": "yandex"})
    read = Note.of(note.comment())
    assert (read.text, read.name, read.phones) == ("Перезвонить", "Иван Петров", ("+79160001122",))
    assert (read.emails, read.tags) == (("a@b.test",), {"utm_source": "yandex"})
    assert Note.of(None) == Note()


def test_a_state_nobody_knows_is_set_aside(settings: TrytonSettings, sample: Sample) -> None:
    row = msgspec.json.decode(sample("opportunities.json", 5)) | {"state": "dreaming"}
    with pytest.raises(BadRecord, match="dreaming"):
        mapping.opportunity(settings, msgspec.json.encode(row))


def test_the_log_tells_states_and_buttons(settings: TrytonSettings, sample: Sample) -> None:
    moved = one(mapping.event(settings, sample("history.json", 14)))
    assert isinstance(moved, StageChangeRecord)
    assert (moved.deal, moved.stage) == ("4", "opportunity")
    assert [one(mapping.event(settings, sample("history.json", id))).stage for id in (7, 15, 20)] == [
        "lost",
        "lost",
        "cancelled",
    ]
    row = msgspec.json.decode(sample("history.json", 7)) | {"resource": None}
    assert isinstance(mapping.event(settings, msgspec.json.encode(row)), Skip)


def test_an_employee(settings: TrytonSettings, sample: Sample) -> None:
    user = one(mapping.employee(settings, sample("employees.json", 1)))
    assert user == UserRecord(external_id="1", name="Manager One", email="one@agency.example")
