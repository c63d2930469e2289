"""Every model is checked against its definition, read plainly for one path at a time."""

from __future__ import annotations

from fractions import Fraction
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports import markov, shapley
from reports.models import DAY, MODELS, UNKNOWN, WHOLE, Journeys, by_milestones, linear, split, time_decay

Path = list[tuple[int, bool]]  # age in days and direct, the oldest first


def journeys(*paths: Path, lead: int = UNKNOWN, opened: int = UNKNOWN) -> Journeys:
    touches = [touch for path in paths for touch in path]
    return Journeys(
        np.cumsum([0, *map(len, paths)]),
        np.array([age * DAY for age, _ in touches], np.int64),
        np.array([direct for _, direct in touches], np.bool_),
        np.array([lead] * len(paths), np.int64),
        np.array([opened] * len(paths), np.int64),
    )


def path(size: int) -> Path:
    return [(size - number, False) for number in range(size)]


def shares(key: str, journey: Path, **milestones: int) -> list[int]:
    return MODELS[key].shares(journeys(journey, **milestones)).tolist()  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("key", "size", "expected"),
    [
        ("first_touch", 3, [WHOLE, 0, 0]),
        ("last_touch", 3, [0, 0, WHOLE]),
        ("linear", 4, [250_000] * 4),
        ("linear", 3, [333_333, 333_333, 333_334]),
        ("position_based", 1, [WHOLE]),
        ("position_based", 2, [500_000, 500_000]),
        ("position_based", 4, [400_000, 100_000, 100_000, 400_000]),
    ],
)
def test_shares_of_usual_models(key: str, size: int, expected: list[int]) -> None:
    assert shares(key, path(size)) == expected


def test_the_last_non_direct_touch_has_all_and_a_direct_one_only_where_it_is_alone() -> None:
    assert shares("last_non_direct", [(3, False), (2, False), (1, True)]) == [0, WHOLE, 0]
    assert shares("last_non_direct", [(3, True), (2, True)]) == [0, WHOLE]


def test_time_decay_halves_continuously() -> None:
    assert shares("time_decay", [(7, False), (0, False)]) == [333_333, 666_667]
    assert shares("time_decay", [(21, False), (14, False), (7, False)]) == [142_857, 285_714, 571_429]
    half = time_decay(0.5)(journeys([(1, False), (0, False)]))
    assert half.tolist() == [200_000, 800_000]


def test_very_old_touches_keep_their_ratio() -> None:
    assert time_decay(0.01)(journeys([(1000, False), (1000, False)])).tolist() == [500_000, 500_000]


def test_the_stages_of_the_deal_have_their_touches() -> None:
    assert shares("w_shaped", path(5), lead=1, opened=3) == [300_000, 300_000, 50_000, 300_000, 50_000]
    assert shares("full_path", path(5), lead=1, opened=3) == [225_000, 225_000, 100_000, 225_000, 225_000]


@pytest.mark.parametrize(
    ("size", "lead", "opened", "expected"),
    [
        (1, 0, 0, [WHOLE]),
        (2, 0, 1, [666_667, 333_333]),  # nobody to take the 10: 60 to 30
        (2, 0, 0, [900_000, 100_000]),  # all three on the first
        (3, UNKNOWN, 1, [428_571, 428_572, 142_857]),  # no lead known: 30, 30 and 10
        (2, UNKNOWN, UNKNOWN, [750_000, 250_000]),
    ],
)
def test_what_a_path_lacks_is_shared_by_the_rest(size: int, lead: int, opened: int, expected: list[int]) -> None:
    assert shares("w_shaped", path(size), lead=lead, opened=opened) == expected


def test_weights_are_refused_with_a_reason() -> None:
    with pytest.raises(ValueError, match="weight of last must be a whole number"):
        by_milestones(first=1, last=-1)
    with pytest.raises(ValueError, match="At least one weight"):
        by_milestones()
    with pytest.raises(ValueError, match="more than 0 days"):
        time_decay(0)


a_path = st.lists(st.tuples(st.integers(0, 400), st.booleans()), max_size=9).map(lambda p: sorted(p, reverse=True))
milestone = st.integers(-1, 8)


def plainly(key: str, journey: Path, lead: int, opened: int) -> list[int]:
    """The shares of one path as the model's definition says them, one touch after another."""
    size = len(journey)
    last = size - 1
    named = {number for number, (_, direct) in enumerate(journey) if not direct}
    whole = {"first_touch": 0, "last_touch": last, "last_non_direct": max(named, default=last)}
    if key in whole:
        return [WHOLE if number == whole[key] else 0 for number in range(size)]
    if key == "time_decay":
        youngest = min((age for age, _ in journey), default=0)
        return plainly_split(WHOLE, [round(2 ** ((youngest - age) / 7) * 2**30) for age, _ in journey])
    milestones = {
        "linear": ({}, 1),
        "position_based": ({0: [40], last: [40]} if last else {0: [80]}, 20),
        "w_shaped": (weights_at((0, 30), (lead, 30), (opened, 30)), 10),
        "full_path": (weights_at((0, 225), (lead, 225), (opened, 225), (last, 225)), 100),
    }
    at, others = milestones[key]
    held = {number: sum(weights) for number, weights in at.items() if 0 <= number < size}
    free = size - len(held)
    return plainly_split(WHOLE, [held[n] * max(free, 1) if n in held else others for n in range(size)])


def weights_at(*pairs: tuple[int, int]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for number, weight in pairs:
        found.setdefault(number, []).append(weight)
    return found


def plainly_split(amount: int, weights: list[int]) -> list[int]:
    total = sum(weights)
    parts = [abs(amount) * weight // total for weight in weights]
    ranks = sorted(range(len(weights)), key=lambda n: (abs(amount) * weights[n] % total, n), reverse=True)
    for number in ranks[: abs(amount) - sum(parts)]:
        parts[number] += 1
    return [-part if amount < 0 else part for part in parts]


@given(st.lists(a_path, max_size=6), st.lists(milestone, min_size=6, max_size=6), st.data())
def test_shares_of_many_paths_are_those_of_each_as_the_definition_says(
    paths: list[Path], leads: list[int], data: st.DataObject
) -> None:
    opens = data.draw(st.permutations(leads))
    many = journeys(*paths)
    laid = Journeys(
        many.starts, many.ages, many.direct, np.array(leads)[: len(paths)], np.array(opens)[: len(paths)]
    )
    for key, model in MODELS.items():
        found = model.shares(laid).tolist()
        plain = [plainly(key, path, lead, opened) for path, lead, opened in zip(paths, leads, opens, strict=False)]
        assert found == [share for part in plain for share in part]
        assert [sum(part) for part in plain] == [WHOLE if path else 0 for path in paths]


amounts = st.integers(-(10**13), 10**13)


@given(
    st.lists(st.tuples(amounts, st.lists(st.integers(0, 10**6), min_size=1, max_size=5).filter(any)), max_size=5)
)
def test_splitting_many_amounts_is_splitting_each(asked: list[tuple[int, list[int]]]) -> None:
    parts = split(
        np.array([amount for amount, _ in asked], np.int64),
        np.array([weight for _, weights in asked for weight in weights], np.int64),
        np.cumsum([0, *(len(weights) for _, weights in asked)]),
    )
    assert parts.tolist() == [part for amount, weights in asked for part in plainly_split(amount, weights)]


@given(amounts, st.lists(st.integers(0, 10**6), min_size=1, max_size=12))
def test_splitting_is_exact_and_nearest(amount: int, weights: list[int]) -> None:
    parts = split(np.array([amount]), np.array(weights, np.int64), np.array([0, len(weights)])).tolist()
    assert sum(parts) == amount
    total = sum(weights)
    for part, weight in zip(parts, weights, strict=True):
        ideal = Fraction(amount * weight, total) if total else Fraction(amount, len(weights))
        assert abs(part - ideal) < 1


# --- Markov ---

walks = st.lists(
    st.tuples(st.lists(st.integers(0, 3), min_size=1, max_size=5), st.integers(0, 2), st.integers(0, 2)), max_size=8
)
Walks = list[tuple[list[int], int, int]]


def counted(found: Walks) -> markov.Counts:
    return markov.steps(
        np.array([channel for channels, _, _ in found for channel in channels], np.int64),
        np.cumsum([0, *(len(channels) for channels, _, _ in found)]),
        np.array([won for _, won, _ in found], np.int64),
        np.array([lost for _, _, lost in found], np.int64),
        4,
    )


def chance(counts: markov.Counts, without: int | None) -> float:
    """The chance of converting when ways into ``without`` lead to null, by walking until nobody is left."""
    here = np.zeros(len(counts))
    here[4] = 1.0
    rates = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    converted = 0.0
    for _ in range(400):
        here = here @ rates
        converted += here[5]
        here[5:] = 0
        if without is not None:
            here[without] = 0
    return converted


@given(walks)
def test_removal_effects_are_those_of_walking_the_chain_without_the_channel(found: Walks) -> None:
    counts = counted(found)
    effects = markov.removal_effects(counts)
    whole = chance(counts, None)
    for channel, effect in enumerate(effects.tolist()):
        lost = (whole - chance(counts, channel)) / whole if whole else 0.0
        assert effect == pytest.approx(lost, abs=1e-6)
    converted = any(won for _, won, _ in found)
    assert markov.shares(counts).sum() == (WHOLE if converted else 0)


def test_markov_by_hand() -> None:
    # a → b → conversion, a → null, b → conversion. Without a: ⅓ converts, without b: nothing.
    counts = counted([([0, 1], 1, 0), ([0], 0, 1), ([1], 1, 0)])
    assert markov.removal_effects(counts).tolist() == pytest.approx([0.5, 1, 0, 0])
    assert markov.shares(counts).tolist() == [333_333, 666_667, 0, 0]
    assert [part.tolist() for part in markov.credit(counts, [2 * WHOLE, 100])] == [
        [666_667, 1_333_333, 0, 0],
        [33, 67, 0, 0],
    ]


def test_journeys_that_did_not_convert_count() -> None:
    walks_won: Walks = [([0, 1], 1, 0), ([0], 1, 0), ([1], 1, 0)]
    assert markov.shares(counted(walks_won)).tolist()[:2] == [500_000, 500_000]
    # Six more end in null after b: a converts 5 of 8, b 1 of 4, the start 1 of 3. Without a 5/12 of the
    # conversions are lost, without b 2/3.
    lost: Walks = [([1], 0, 6)]
    assert markov.removal_effects(counted(walks_won + lost)).tolist()[:2] == pytest.approx([5 / 12, 2 / 3])
    assert markov.shares(counted(walks_won + lost)).tolist()[:2] == [384_615, 615_385]


# --- Shapley ---


@given(st.lists(st.tuples(st.integers(1, 15), st.integers(0, 4), st.integers(0, 4)), max_size=12))
def test_shapley_values_are_averages_over_all_orders(journeys_of: list[tuple[int, int, int]]) -> None:
    rates = shapley.Rates()
    columns = np.array(journeys_of, np.int64).reshape(-1, 3)
    rates.add(columns[:, 0], columns[:, 1], columns[:, 2])
    worth = rates.worth()
    for game in (0b1111, 0b0101, 0b1000):
        players = [number for number in range(4) if game >> number & 1]
        orders = list(permutations(players))
        expected = dict.fromkeys(players, 0.0)
        for order in orders:
            here = 0
            for player in order:
                expected[player] += (worth.get(here | 1 << player, 0) - worth.get(here, 0)) / len(orders)
                here |= 1 << player
        assert shapley.values(game, worth) == pytest.approx(expected)
        assert sum(expected.values()) == pytest.approx(worth.get(game, 0))


@given(walks)
def test_shapley_shares_add_up_and_touches_of_a_channel_share_evenly(found: Walks) -> None:
    channels = np.array([channel for walk, _, _ in found for channel in walk], np.int64)
    many = journeys(*(path(len(walk)) for walk, _, _ in found))
    sets = shapley.sets_of(channels, many.starts)
    assert sets.tolist() == [sum(1 << channel for channel in set(walk)) for walk, _, _ in found]
    rates = shapley.Rates()
    rates.add(sets, np.array([w for _, w, _ in found], np.int64), np.array([n for _, _, n in found], np.int64))
    parts = shapley.shares(many, channels, rates.worth())
    for number, (walk, _, _) in enumerate(found):
        mine = parts[many.starts[number] : many.starts[number + 1]].tolist()
        assert sum(mine) == WHOLE
        assert min(mine) >= 0
        for channel in set(walk):
            own = [share for share, at in zip(mine, walk, strict=True) if at == channel]
            assert max(own) - min(own) <= 1


def test_shapley_by_hand() -> None:
    # a alone converts 2 of 10, b alone 1 of 10, both 5 of 10: a adds ½(0.2 + 0.4) and b ½(0.1 + 0.3).
    worth = {0b01: 0.2, 0b10: 0.1, 0b11: 0.5}
    assert shapley.values(0b11, worth) == pytest.approx({0: 0.3, 1: 0.2})
    both = journeys(path(3), path(1))
    assert shapley.shares(both, np.array([0, 1, 0, 1]), worth).tolist() == [300_000, 400_000, 300_000, WHOLE]


def test_a_channel_that_lowers_the_rate_gets_nothing_of_what_others_brought() -> None:
    assert shapley.shares(journeys(path(2)), np.array([0, 1]), {0b01: 0.9, 0b11: 0.1}).tolist() == [WHOLE, 0]


def test_more_channels_than_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="group some of them"):
        shapley.sets_of(np.array([70]), np.array([0, 1]))


def test_linear_is_per_touch_not_per_channel() -> None:
    assert linear(journeys(path(2), path(1))).tolist() == [500_000, 500_000, WHOLE]
