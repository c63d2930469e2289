"""The rules that make conversions and paths out of what is known of a client."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from reports import paths as columns
from reports.attribution import Credit, credits_of
from reports.models import MODELS, WHOLE
from reports.paths import NIL
from reports.told_once import SAME_CALL
from schema.enums import Channel, ConversionKind, RecordKind, Unattributed
from tests.reports.conftest import day, ident
from tests.reports.plain_paths import (
    History,
    PaidInvoice,
    Path,
    Told,
    Touch,
    WonDeal,
    columns_of,
    journey_of,
    make_paths,
    plain,
)

ANNA = ident("anna")
BRAND, SALE = ident("brand"), ident("sale")


def visit(at: datetime, campaign: UUID | None = None, channel: str = Channel.DIRECT) -> Touch:
    return Touch(
        at, RecordKind.VISIT, ident(f"v{at}"), Channel.PAID_SEARCH if campaign else channel, campaign or NIL
    )


def told(
    name: str, at: datetime, teller: str = "tracker", campaign: UUID | None = None, key: str | None = "+7"
) -> Told:
    return Told(at, ident(name), teller, key, Channel.PAID_SEARCH if campaign else None, campaign)


def deal(name: str, at: datetime, campaign: UUID | None = None, *, created: datetime | None = None) -> WonDeal:
    channel = Channel.PAID_SEARCH if campaign else None
    return WonDeal(at, ident(name), created or at, Decimal(100), "RUB", channel, campaign)


def credited(history: History) -> list[tuple[Path, Credit]]:
    """The paths with their credits as they are made for many clients at once, and one by one alike."""
    made = columns.make_paths(columns_of(history), window_days=90, currency="RUB")
    found = plain(made, 90)
    one_by_one = make_paths(history, window_days=90, currency="RUB")
    assert sorted(found, key=_key) == sorted(one_by_one, key=_key)
    return list(zip(found, credits_of(made), strict=True))


def _key(path: Path) -> tuple[str, UUID]:
    return path.kind, path.record_id


def paths(history: History, kind: ConversionKind) -> list[Path]:
    found = [path for path, _ in credited(history) if path.kind == kind]
    return sorted(found, key=lambda path: path.occurred_at)


def credits_in(history: History, kind: ConversionKind) -> list[Credit]:
    found = [(path.occurred_at, credit) for path, credit in credited(history) if path.kind == kind]
    return [credit for _, credit in sorted(found, key=lambda pair: pair[0])]


def calls(*records: Told) -> list[Path]:
    return paths(History(ANNA, calls=list(records)), ConversionKind.CALL)


def test_a_call_that_two_systems_tell_of_is_one() -> None:
    (path,) = calls(told("crm", day(0, seconds=20), "crm"), told("tracker", day(0), campaign=BRAND))
    assert (path.record_id, path.also_told_by) == (ident("tracker"), (ident("crm"),))
    assert path.occurred_at == day(0)


def test_the_origin_of_a_call_is_that_of_the_system_that_knows_it() -> None:
    (path,) = calls(told("crm", day(0), "crm"), told("tracker", day(0, seconds=20), campaign=BRAND))
    assert path.record_id == ident("crm")
    assert path.touches == (Touch(day(0), RecordKind.CALL, ident("tracker"), Channel.PAID_SEARCH, BRAND),)


def test_calls_of_one_system_are_as_many_as_it_says() -> None:
    assert len(calls(told("a", day(0)), told("b", day(0, seconds=5)))) == 2


def test_two_calls_within_a_minute_that_two_systems_tell_of_are_two() -> None:
    found = calls(
        told("t1", day(0), "tracker"),
        told("c1", day(0, seconds=5), "crm"),
        told("t2", day(0, seconds=50), "tracker"),
        told("c2", day(0, seconds=56), "crm"),
    )
    assert [(path.record_id, path.also_told_by) for path in found] == [
        (ident("t1"), (ident("c1"),)),
        (ident("t2"), (ident("c2"),)),
    ]


def test_two_minutes_are_the_same_call_and_a_second_more_is_not() -> None:
    assert len(calls(told("a", day(0)), told("b", day(0, seconds=120), "crm"))) == 1
    assert len(calls(told("a", day(0)), told("b", day(0, seconds=121), "crm"))) == 2


def test_calls_of_two_phones_are_two() -> None:
    assert len(calls(told("a", day(0), key="+71"), told("b", day(0), "crm", key="+72"))) == 2
    assert len(calls(told("a", day(0), key=None), told("b", day(0), "crm", key=None))) == 2


def test_a_form_and_the_lead_that_the_crm_made_of_it_are_one_within_a_day() -> None:
    def leads(hours: float) -> int:
        records = [told("form", day(0)), told("lead", day(hours / 24), "crm")]
        return len(paths(History(ANNA, leads=records), ConversionKind.LEAD))

    assert (leads(1), leads(24), leads(24.1)) == (1, 1, 2)


def test_the_window_holds_its_first_instant_and_the_conversion() -> None:
    touches = [visit(day(-91)), visit(day(-90), SALE), visit(day(-1)), visit(day(0), BRAND), visit(day(1), SALE)]
    (path,) = paths(History(ANNA, visits=touches, calls=[told("c", day(0))]), ConversionKind.CALL)
    assert path.touches == tuple(touches[1:4])
    assert path.had_older_touches


def test_a_conversion_has_its_own_origin_as_its_last_touch() -> None:
    history = History(ANNA, visits=[visit(day(0), SALE)], calls=[told("c", day(0), campaign=BRAND)])
    (path,) = paths(history, ConversionKind.CALL)
    assert [touch.campaign_id for touch in path.touches] == [SALE, BRAND]


def test_a_deal_has_its_own_origin_only_where_nothing_better_is_known() -> None:
    def campaign(*visits: Touch, created: float = 5) -> UUID:
        history = History(ANNA, visits=list(visits), deals=[deal("d", day(10), SALE, created=day(created))])
        return credits_in(history, ConversionKind.WON_DEAL)[0].campaign_id

    assert campaign() == SALE
    assert campaign(visit(day(1))) == SALE
    assert campaign(visit(day(1), BRAND)) == BRAND
    assert campaign(visit(day(-100), BRAND)) == SALE
    assert campaign(created=-100) == NIL


def test_the_first_won_deal_makes_a_client_new() -> None:
    history = History(ANNA, deals=[deal("later", day(9)), deal("first", day(3)), deal("last", day(20))])
    assert [path.record_id for path in paths(history, ConversionKind.NEW_CLIENT)] == [ident("first")]
    assert len(paths(history, ConversionKind.WON_DEAL)) == 3


def test_a_record_of_nobody_has_its_own_origin_only() -> None:
    history = History(None, calls=[told("a", day(0), campaign=SALE), told("b", day(1)), told("c", day(2))])
    found = credits_in(history, ConversionKind.CALL)
    assert [credit.campaign_id for credit in found] == [SALE, NIL, NIL]
    assert found[1].reason == Unattributed.NO_CLIENT
    orphan = History(None, deals=[deal("d", day(0), BRAND)])
    assert [path.kind for path, _ in credited(orphan)] == ["won_deal"]


def test_reasons_of_what_no_campaign_brought() -> None:
    def reason(*visits: Touch) -> str:
        history = History(ANNA, visits=list(visits), calls=[told("c", day(0))])
        return credits_in(history, ConversionKind.CALL)[0].reason

    assert reason() == Unattributed.NO_TOUCHES
    assert reason(visit(day(-100), BRAND)) == Unattributed.WINDOW_PASSED
    assert reason(visit(day(-5))) == Unattributed.DIRECT_ONLY
    assert reason(visit(day(-5), channel=Channel.ORGANIC), visit(day(-1))) == Unattributed.NO_CAMPAIGN
    assert reason(visit(day(-5), BRAND), visit(day(-1))) == ""


seconds = st.integers(0, 400)
records = st.lists(
    st.tuples(seconds, st.sampled_from(["tracker", "crm", "shop"]), st.sampled_from([None, BRAND])), max_size=12
)


@given(records, st.randoms(use_true_random=False))
def test_calls_told_twice_are_told_apart_in_any_order(
    rows: list[tuple[int, str, UUID | None]], shuffler: random.Random
) -> None:
    made = [told(f"c{number}", day(0, seconds=at), who, what) for number, (at, who, what) in enumerate(rows)]
    found = calls(*made)
    assert sorted(record for path in found for record in (path.record_id, *path.also_told_by)) == sorted(
        record.record_id for record in made
    )
    by_id = {record.record_id: record for record in made}
    for path in found:
        group = [by_id[record] for record in (path.record_id, *path.also_told_by)]
        assert len({record.teller for record in group}) == len(group)
        assert max(record.at for record in group) - min(record.at for record in group) <= SAME_CALL
    shuffler.shuffle(made)
    assert sorted(calls(*made), key=repr) == sorted(found, key=repr)


touches = st.lists(
    st.builds(
        lambda at, campaign, channel: visit(day(at), campaign, channel),
        st.floats(-200, 1),
        st.sampled_from([None, BRAND, SALE]),
        st.sampled_from([Channel.DIRECT, Channel.ORGANIC]),
    ),
    max_size=10,
)


@given(touches)
def test_the_rollups_credit_what_last_non_direct_gives(seen: list[Touch]) -> None:
    for path, credit in credited(History(ANNA, visits=seen, calls=[told("c", day(0))])):
        shares = MODELS["last_non_direct"].shares(journey_of(path)).tolist()
        assert credit.position == (shares.index(WHOLE) + 1 if shares else 0)
        assert (credit.campaign_id == NIL) == bool(credit.reason)
        window = timedelta(days=90)
        assert all(day(0) - window <= touch.at <= day(0) for touch in path.touches)
        assert path.had_older_touches == any(touch.at < day(0) - window for touch in seen)


def test_a_deal_knows_when_the_client_became_a_lead_and_when_it_was_opened() -> None:
    history = History(
        ANNA,
        visits=[visit(day(0), BRAND), visit(day(5), SALE), visit(day(9))],
        calls=[told("old", day(-120)), told("c", day(6))],
        deals=[deal("d", day(10), created=day(8))],
    )
    (path,) = paths(history, ConversionKind.WON_DEAL)
    assert (path.lead_at, path.opened_at) == (day(6), day(8))
    journey = journey_of(path)
    assert (journey.lead.tolist(), journey.opened.tolist()) == ([1], [1])
    assert MODELS["w_shaped"].shares(journey).tolist() == [300_000, 600_000, 100_000]
    (call, _) = sorted(paths(history, ConversionKind.CALL), key=lambda path: path.occurred_at)
    assert (call.lead_at, call.opened_at) == (day(-120), None)


def test_what_brought_a_deal_brought_the_invoices_that_are_paid_of_it() -> None:
    def paid(name: str, at: datetime, deal: str | None) -> PaidInvoice:
        return PaidInvoice(at, ident(name), Decimal(40), "RUB", ident(deal) if deal else None)

    history = History(
        ANNA,
        visits=[visit(day(0), BRAND), visit(day(150), SALE)],
        deals=[deal("d", day(10))],
        invoices=[paid("ahead", day(9), "d"), paid("later", day(200), "d"), paid("alone", day(200), None)],
    )
    found = {path.record_id: path for path in paths(history, ConversionKind.PAID_INVOICE)}
    campaigns = {path.record_id: credit.campaign_id for path, credit in credited(history)}
    assert [campaigns[ident(name)] for name in ("ahead", "later", "alone")] == [BRAND, BRAND, SALE]
    later = found[ident("later")]
    assert (later.occurred_at, later.window_until, later.value) == (day(200), day(10), Decimal(40))
    assert found[ident("ahead")].window_until is None


def test_colleagues_of_the_deals_contact_didnt_bring_it() -> None:
    bella, carl = ident("bella"), ident("carl")
    people = {bella: [visit(day(1), BRAND), visit(day(2))], carl: [visit(day(5), SALE)]}
    by_bella = deal("d", day(10))._replace(person=bella)

    def brought(at: datetime, person: UUID | None) -> UUID:
        history = History(ANNA, people=people, deals=[by_bella._replace(at=at, person=person)])
        return credits_in(history, ConversionKind.WON_DEAL)[0].campaign_id

    assert brought(day(10), bella) == BRAND
    assert brought(day(10), None) == brought(day(10), ident("stranger")) == SALE
    assert brought(day(94), bella) == SALE, "nothing of hers is within the window"


moments = st.sampled_from([-100.0, -90.0, -10.0, -9.99, -1.0, 0.0, 0.0005, 5.0, 80.0, 120.0])
origins = st.sampled_from([None, BRAND, SALE])


@given(
    st.lists(st.tuples(moments, origins, st.sampled_from([Channel.DIRECT, Channel.ORGANIC]))),
    st.lists(st.tuples(moments, st.sampled_from(["tracker", "crm"]), origins, st.sampled_from(["+1", "+2", None]))),
    st.lists(st.tuples(moments, st.sampled_from(["tracker", "crm"]), origins)),
    st.lists(st.tuples(moments, moments, origins, st.sampled_from([None, "bella", "carl", "dora"])), max_size=3),
    st.lists(st.tuples(moments, st.sampled_from([None, 0, 1, 7])), max_size=3),
    st.lists(st.tuples(st.sampled_from(["bella", "carl"]), moments, origins), max_size=4),
    st.sampled_from([ANNA, None]),
)
def test_paths_of_many_at_once_are_those_of_each(
    visits: list[Any],
    rung: list[Any],
    asked: list[Any],
    won: list[Any],
    paid: list[Any],
    theirs: list[Any],
    client: UUID | None,
) -> None:
    people: dict[UUID, list[Touch]] = {}
    for person, at, campaign in theirs if client else ():
        people.setdefault(ident(person), []).append(visit(day(at), campaign))
    history = History(
        client,
        visits=[visit(day(at), campaign, channel) for at, campaign, channel in visits],
        calls=[told(f"c{n}", day(at), who, what, key) for n, (at, who, what, key) in enumerate(rung)],
        leads=[told(f"l{n}", day(at), who, what) for n, (at, who, what) in enumerate(asked)],
        deals=[
            deal(f"d{n}", day(at), what, created=day(made))._replace(person=ident(who) if who else None)
            for n, (at, made, what, who) in enumerate(won)
        ],
        people=people,
        invoices=[
            PaidInvoice(day(at), ident(f"i{n}"), Decimal("4.10"), "EUR", None if of is None else ident(f"d{of}"))
            for n, (at, of) in enumerate(paid)
        ],
    )
    credited(history)
