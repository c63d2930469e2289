"""The rules that make conversions and paths out of what is known of a client."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from reports.attribution import last_non_direct
from reports.comparison import journeys_of
from reports.models import MODELS, WHOLE
from reports.paths import NIL, SAME_CALL, History, PaidInvoice, Path, Told, Touch, WonDeal, make_paths
from schema.enums import Channel, ConversionKind, RecordKind, Unattributed
from tests.reports.conftest import day, ident

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


def paths(history: History, kind: ConversionKind) -> list[Path]:
    return [path for path in make_paths(history, window_days=90, currency="RUB") if path.kind == kind]


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
    def credited(*visits: Touch, created: float = 5) -> UUID:
        history = History(ANNA, visits=list(visits), deals=[deal("d", day(10), SALE, created=day(created))])
        return last_non_direct(paths(history, ConversionKind.WON_DEAL)[0]).campaign_id

    assert credited() == SALE
    assert credited(visit(day(1))) == SALE
    assert credited(visit(day(1), BRAND)) == BRAND
    assert credited(visit(day(-100), BRAND)) == SALE
    assert credited(created=-100) == NIL


def test_the_first_won_deal_makes_a_client_new() -> None:
    history = History(ANNA, deals=[deal("later", day(9)), deal("first", day(3)), deal("last", day(20))])
    assert [path.record_id for path in paths(history, ConversionKind.NEW_CLIENT)] == [ident("first")]
    assert len(paths(history, ConversionKind.WON_DEAL)) == 3


def test_a_record_of_nobody_has_its_own_origin_only() -> None:
    history = History(None, calls=[told("a", day(0), campaign=SALE), told("b", day(1)), told("c", day(2))])
    found = paths(history, ConversionKind.CALL)
    assert [last_non_direct(path).campaign_id for path in found] == [SALE, NIL, NIL]
    assert last_non_direct(found[1]).reason == Unattributed.NO_CLIENT
    orphan = History(None, deals=[deal("d", day(0), BRAND)])
    assert [path.kind for path in make_paths(orphan, window_days=90, currency="RUB")] == ["won_deal"]


def test_reasons_of_what_no_campaign_brought() -> None:
    def reason(*visits: Touch) -> str:
        history = History(ANNA, visits=list(visits), calls=[told("c", day(0))])
        return last_non_direct(paths(history, ConversionKind.CALL)[0]).reason

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
    for path in make_paths(History(ANNA, visits=seen, calls=[told("c", day(0))]), window_days=90, currency="RUB"):
        credit = last_non_direct(path)
        shares = MODELS["last_non_direct"].shares(journeys_of([path])).tolist()
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
    journey = journeys_of([path])
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
    credited = {name: last_non_direct(found[ident(name)]).campaign_id for name in ("ahead", "later", "alone")}
    assert credited == {"ahead": BRAND, "later": BRAND, "alone": SALE}
    later = found[ident("later")]
    assert (later.occurred_at, later.window_until, later.value) == (day(200), day(10), Decimal(40))
    assert found[ident("ahead")].window_until is None


def test_colleagues_of_the_deals_contact_didnt_bring_it() -> None:
    bella, carl = ident("bella"), ident("carl")
    people = {bella: [visit(day(1), BRAND), visit(day(2))], carl: [visit(day(5), SALE)]}
    by_bella = deal("d", day(10))._replace(person=bella)

    def brought(at: datetime, person: UUID | None) -> UUID:
        history = History(ANNA, people=people, deals=[by_bella._replace(at=at, person=person)])
        return last_non_direct(paths(history, ConversionKind.WON_DEAL)[0]).campaign_id

    assert brought(day(10), bella) == BRAND
    assert brought(day(10), None) == brought(day(10), ident("stranger")) == SALE
    assert brought(day(94), bella) == SALE, "nothing of hers is within the window"
