"""How values of vendors' fields become those of unified ones: pure functions."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, get_args

import msgspec
import pytest

from schema.enums import CustomFieldType, DealKind, DealStatus, RecordKind
from schema.records import ContactRecord, DealRecord
from schema.traffic import Traffic
from sync.field_rules import ACCEPTS, MAPPABLE, FieldRule, Holds, applied
from sync.targets import TARGETS

DEAL = DealRecord(
    external_id="1",
    title="Kitchen",
    created_at=datetime(2026, 3, 1, tzinfo=UTC),
    status=DealStatus.OPEN,
    amount=Decimal(5),
    currency="USD",
    tags=("a",),
    traffic=Traffic(utm_source="vk", utm_medium="cpc"),
)


def deal_with(value: Any, *targets: str, options: dict[str, str] | None = None) -> DealRecord:
    record = msgspec.structs.replace(DEAL, custom={"K": value})
    rules = [FieldRule(RecordKind.DEAL, "K", MAPPABLE[RecordKind.DEAL][each], options or {}) for each in targets]
    told: DealRecord = applied(RecordKind.DEAL, record, rules)
    assert applied(RecordKind.DEAL, record, rules[::-1]) == told  # whatever the order of the rules
    return told


@pytest.mark.parametrize(
    ("value", "target", "expected"),
    [
        ("84", "lost_reason", "Дорого"),
        (84, "lost_reason", "Дорого"),
        (["84", "other"], "lost_reason", "Дорого, other"),
        ("  ", "title", "Kitchen"),
        ([], "title", "Kitchen"),
        ({"id": 1}, "title", "Kitchen"),
        (1500, "amount", Decimal(1500)),
        ("1 500,50", "amount", Decimal("1500.50")),
        ("NaN", "amount", Decimal(5)),
        ("1e99", "amount", Decimal(5)),
        ("many", "amount", Decimal(5)),
        ("2026-04-05T03:00:00+03:00", "expected_at", date(2026, 4, 5)),
        ("05.04.2026", "expected_at", date(2026, 4, 5)),
        ("2026-02-31", "expected_at", None),
        ("2026-04-05T10:00:00+03:00", "closed_at", datetime(2026, 4, 5, 7, tzinfo=UTC)),
        ("2026-04-05T10:00:00", "closed_at", None),  # whose clock it is can't be told
        ("Допродажа", "kind", DealKind.UPSELL),
        ("win-back", "kind", DealKind.WIN_BACK),
        ("?", "kind", None),
        (["b", "a"], "tags", ("a", "b")),
    ],
)
def test_a_value_is_taken_where_it_is_understood(value: Any, target: str, expected: Any) -> None:
    assert getattr(deal_with(value, target, options={"84": "Дорого"}), target) == expected


def test_money_brings_its_currency_and_tags_join_the_origin() -> None:
    told = deal_with("10|EUR", "amount")
    assert (told.amount, told.currency) == (Decimal(10), "EUR")
    assert deal_with("10|EUR", "utm_campaign").traffic == Traffic(
        utm_source="vk", utm_medium="cpc", utm_campaign="10|EUR"
    )
    assert deal_with(None, "title", "amount", "utm_source") == deal_with(None)


def test_phones_are_added_to_those_of_the_card() -> None:
    card = ContactRecord(external_id="1", phones=("+79161234567",), custom={"K": ["+79160000000", "+79161234567"]})
    rule = FieldRule(RecordKind.CONTACT, "K", MAPPABLE[RecordKind.CONTACT]["phones"])
    assert applied(RecordKind.CONTACT, card, [rule]).phones == ("+79161234567", "+79160000000")
    other = FieldRule(RecordKind.DEAL, "K", MAPPABLE[RecordKind.DEAL]["title"])
    assert applied(RecordKind.CONTACT, card, [other]) is card


def test_what_can_be_filled_is_there_to_be_filled() -> None:
    records = {kind: record for record, (kind, _) in TARGETS.items()}
    assert set(ACCEPTS) == set(get_args(Holds))
    assert not any(CustomFieldType.OTHER in fit for fit in ACCEPTS.values())
    for kind, fields in MAPPABLE.items():
        for name, field in fields.items():
            holder = Traffic if field.path else records[kind]
            assert name in holder.__struct_fields__, (kind, name)
