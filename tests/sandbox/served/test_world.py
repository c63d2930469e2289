"""The stream of happenings: the same for the same seed, whole after any stop, and of the market's manners."""

from __future__ import annotations

import sqlite3
from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from itertools import islice, pairwise

import phonenumbers
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.vendors.yandex_direct.statistics import split
from sandbox.world.happenings import (
    AdDay,
    Called,
    CardMade,
    DealMoved,
    DealOpened,
    FormSent,
    Happening,
    Visited,
)
from sandbox.world.market import StillMarket
from sandbox.world.stream import Plan, Stream

PLAN = Plan(seed=3, calls=200, start=date(2026, 1, 5), days=40)


def memory() -> sqlite3.Connection:
    return sqlite3.connect(":memory:", isolation_level=None)


def tell(plan: Plan) -> list[Happening]:
    db = memory()
    found = list(Stream(plan, db).tell(plan.ends))
    db.close()
    return found


def test_the_same_seed_tells_the_same_world() -> None:
    assert tell(PLAN) == tell(PLAN)
    assert tell(PLAN) != tell(replace(PLAN, seed=4))


def test_happenings_are_numbered_without_gaps_in_the_order_of_time() -> None:
    told = tell(PLAN)
    assert [happening.seq for happening in told] == list(range(1, len(told) + 1))
    assert all(a.at <= b.at for a, b in pairwise(told))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(stops=st.lists(st.tuples(st.integers(0, 40 * 86_400), st.integers(0, 400)), max_size=6))
def test_stopping_anywhere_and_going_on_tells_the_same_world(stops: list[tuple[int, int]]) -> None:
    """Each stop: up to an instant, but no more than so many happenings; then a new process from the file."""
    db, told = memory(), []
    for second, most in sorted(stops):
        stream = Stream(PLAN, db)
        told += list(islice(stream.tell(PLAN.begins + timedelta(seconds=second)), most))
        stream.save()
    told += list(Stream(PLAN, db).tell(PLAN.ends))
    db.close()
    assert told == tell(PLAN)


def test_the_size_asked_for_is_about_the_size_told() -> None:
    calls = sum(isinstance(h, Called) for h in tell(replace(PLAN, calls=2000, days=90)))
    assert 1700 < calls < 2300


def test_what_is_pointed_to_happened_before() -> None:
    visits, cards, deals = set(), {}, {}
    for happening in tell(replace(PLAN, calls=600, days=120)):
        match happening:
            case Visited():
                visits.add(happening.visit)
            case Called() | FormSent():
                assert happening.visit is None or happening.visit in visits
            case CardMade():
                cards[happening.card] = happening
            case DealOpened():
                card = cards[happening.card]
                assert (card.person, card.crm) == (happening.person, happening.crm)
                assert happening.visit is None or happening.visit in visits
                deals[happening.deal] = "open"
            case DealMoved():
                assert deals[happening.deal] == "open", "a closed deal moved"
                deals[happening.deal] = happening.stage if isinstance(happening.stage, str) else "open"
    assert set(deals.values()) == {"open", "won", "lost"}


def test_days_of_statistics_are_told_again_and_settle() -> None:
    told: dict[tuple[date, int], list[AdDay]] = {}
    for happening in tell(replace(PLAN, calls=1500, days=60)):
        if isinstance(happening, AdDay):
            told.setdefault((happening.day, happening.campaign), []).append(happening)
    late = [(h.at.date() - day).days for (day, _), versions in told.items() for h in versions]
    assert max(late) > 3, "some days are mended later than three days on"
    assert sum(days > 3 for days in late) < len(late) / 50
    settled = [versions for versions in told.values() if len(versions) > 3]
    assert any(versions[-1].cost != versions[2].cost for versions in settled)


def test_every_kind_of_mess_is_there_and_follows_its_level() -> None:
    """What a level promises is counted on the cards and forms themselves."""
    counts = {}
    for level in ("low", "normal", "high"):
        told = tell(replace(PLAN, calls=1500, days=60, mess=level))
        cards = [h for h in told if isinstance(h, CardMade)]
        market = StillMarket(PLAN.seed)
        spelled = [p for card in cards for p in card.phones if not p.startswith("+7") or " " in p or "(" in p]
        counts[level] = {
            "odd phones": len(spelled) / len(cards),
            "no phone": sum(not card.phones for card in cards) / len(cards),
            "typos": sum(card.first_name != market.person(card.person).first_name for card in cards) / len(cards),
            "lost tags": sum(
                bool(h.traffic.campaign) and not h.traffic.utm for h in told if isinstance(h, Visited)
            ),
        }
    for kind in counts["low"]:
        assert counts["low"][kind] < counts["normal"][kind] < counts["high"][kind], kind


def test_the_market_has_shared_phones_double_cards_and_people_of_both_branches() -> None:
    cards = [h for h in tell(replace(PLAN, calls=3000, days=90)) if isinstance(h, CardMade)]
    branches: dict[int, Counter[str]] = {}
    for card in cards:
        branches.setdefault(card.person, Counter())[card.crm] += 1
    both = sum(len(crms) == 2 for crms in branches.values()) / len(branches)
    assert 0.05 < both < 0.12
    assert any(max(crms.values()) > 1 for crms in branches.values())
    market = StillMarket(PLAN.seed)
    desks: dict[str, set[int]] = {}
    for card in cards:
        person = market.person(card.person)
        if person.firm:
            office = market.firm(person.firm).office_phone
            if any(office[-7:] in "".join(filter(str.isdigit, phone)) for phone in card.phones):
                desks.setdefault(office, set()).add(person.id)
    assert max(len(people) for people in desks.values()) >= 3


def test_people_have_phones_of_their_own_that_a_strict_library_accepts() -> None:
    market = StillMarket(9)
    owners: dict[str, int] = {}
    for person_id in range(1, 4000):
        for phone in market.person(person_id).phones:
            assert phonenumbers.is_valid_number(phonenumbers.parse(phone)), phone
            assert owners.setdefault(phone, person_id) == person_id


def test_firms_have_three_to_forty_people_and_right_tax_ids() -> None:
    market = StillMarket(9)
    sizes = Counter(market.firm_of(person_id) for person_id in range(1024, 1024 * 9))
    del sizes[None]
    assert min(sizes.values()) >= 1
    assert max(sizes.values()) <= 60
    for firm_id in sizes:
        digits = [int(d) for d in market.firm(firm_id).tax_id]
        weights = (2, 4, 10, 3, 5, 9, 4, 6, 8)
        assert len(digits) == 10
        assert digits[9] == sum(w * d for w, d in zip(weights, digits, strict=False)) % 11 % 10


@pytest.mark.parametrize("total", [0, 1, 7, 12_345])
def test_splitting_loses_nothing(total: int) -> None:
    parts = split(total, [40, 55, 5, 80, 110, 10])
    assert sum(parts) == total
    assert min(parts) >= 0
