"""Attribution models: pure functions from paths to the share of its conversion that each touch earned.

Shares are integer millionths that add up to exactly 1,000,000 in every path that has a touch, and money is split
to the kopeck by the largest remainder: credits of a conversion add up to it exactly. A model takes many paths at
once, laid one after another in arrays, and treats each by itself; one path is a batch of one. Definitions under
one name differ between vendors, so each of ours says what it means.

Models that learn from all journeys together stand in ``reports.markov`` and ``reports.shapley``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

WHOLE = 1_000_000
"""A whole conversion in millionths."""

DAY = 86_400_000_000
"""A day in microseconds."""

UNKNOWN = -1
"""The position of a milestone that no touch of the path led to."""


@dataclass(frozen=True)
class Journeys:
    """Paths one after another, the touches of each in the order of time.

    Path ``i`` has the touches ``starts[i]`` to ``starts[i + 1]``. ``ages`` are microseconds from touch to
    conversion (of an unconverted journey, to its last touch). ``lead`` and ``opened`` are, for each path, the
    position from 0 of the last touch before the client became a lead and before the deal was opened, or
    ``UNKNOWN``.
    """

    starts: Ints
    ages: Ints
    direct: Bools
    lead: Ints
    opened: Ints

    def __len__(self) -> int:
        return len(self.starts) - 1

    @cached_property
    def sizes(self) -> Ints:
        """How many touches each path has."""
        return np.diff(self.starts)

    @cached_property
    def owners(self) -> Ints:
        """The path of each touch."""
        return np.repeat(np.arange(len(self)), self.sizes)

    @cached_property
    def positions(self) -> Ints:
        """The position of each touch in its path, from 0."""
        return np.arange(len(self.ages)) - self.starts[self.owners]

    @cached_property
    def shapes(self) -> tuple[Journeys, Ints]:
        """Paths that differ in their number of touches or in the positions of milestones, without ages, and which
        of them each path is like: all that models by position know of a path."""
        span = int(self.sizes.max(initial=0)) + 2
        lead, opened = (np.clip(places, UNKNOWN, span - 2) + 1 for places in (self.lead, self.opened))
        found, which = np.unique((self.sizes * span + lead) * span + opened, return_inverse=True)
        rest, opened = np.divmod(found, span)
        sizes, lead = np.divmod(rest, span)
        starts = laid(sizes)
        nothing = np.zeros(starts[-1], np.int64)
        return Journeys(starts, nothing, nothing.astype(np.bool_), lead - 1, opened - 1), which

    def only(self, paths: Ints) -> tuple[Ints, Ints]:
        """Where some of the paths begin when they are laid alone, and their touches."""
        sizes = self.sizes[paths]
        starts = laid(sizes)
        return starts, np.arange(starts[-1]) + np.repeat(self.starts[paths] - starts[:-1], sizes)

    def part(self, paths: Ints) -> Journeys:
        """Some of the paths by themselves."""
        starts, touches = self.only(paths)
        return Journeys(starts, self.ages[touches], self.direct[touches], self.lead[paths], self.opened[paths])

    def at(self, positions: Ints) -> Ints:
        """The touches at these positions, one a path; paths where it is ``UNKNOWN`` are passed over."""
        known = (positions >= 0) & (positions < self.sizes)
        return (self.starts[:-1] + positions)[known]


def laid(sizes: Ints) -> Ints:
    """Where each path begins, and the last one ends, when paths of these sizes lie one after another."""
    return np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)


Shares = Callable[[Journeys], Ints]
"""Gives each touch its millionths of the conversion."""


@dataclass(frozen=True, slots=True)
class Definition:
    """What an attribution model means. ``source`` says who defines it so."""

    key: str
    name_en: str
    name_ru: str
    meaning: str
    source: str


@dataclass(frozen=True, slots=True)
class Model(Definition):
    """A model that needs one path only."""

    shares: Shares


def split(amounts: Ints, weights: Ints, starts: Ints) -> Ints:
    """Split each amount over its touches in proportion to whole weights, by the largest remainder.

    Parts add up to the amount exactly; of equal remainders the later touch's comes first. An amount whose
    weights are all 0 is split evenly, and one without touches not at all. The lesser of an amount and the sum of
    its weights, times the greatest weight, must stay below 2**63.
    """
    sizes = np.diff(starts)
    owners = np.repeat(np.arange(len(sizes)), sizes)
    totals = sums(weights, starts)
    nothing = totals == 0
    if nothing.any():
        weights = np.where(nothing[owners], 1, weights)
        totals = np.where(nothing, sizes, totals)
    totals = np.maximum(totals, 1)
    # Whole multiples of the total are split without a remainder, so that no product leaves 64 bits.
    multiples, rest = np.divmod(np.abs(amounts), totals)
    parts, remainders = np.divmod(rest[owners] * weights, totals[owners])
    left = np.where(sizes > 0, rest - sums(parts, starts), 0)
    if left.any():
        parts += _greatest(remainders, left, starts, owners)
    if multiples.any():
        parts += multiples[owners] * weights
    negative = amounts < 0
    return np.where(negative[owners], -parts, parts) if negative.any() else parts


def _greatest(remainders: Ints, left: Ints, starts: Ints, owners: Ints) -> Bools:
    """In each path as many touches as are ``left``: those with the greatest remainders, of equals the later."""
    sizes = np.diff(starts)
    positions = np.arange(len(owners)) - starts[owners]
    span, width = int(remainders.max()) + 1, int(sizes.max())
    if len(sizes) * span * width < 2**63:
        # One number tells all that is sorted by: several times as quick as sorting by each.
        order = np.argsort((owners * span + (span - 1 - remainders)) * width + (width - 1 - positions))
    else:
        order = np.lexsort((-positions, -remainders, owners))
    # What is sorted stays within its path, so that the n-th of a path lies where its n-th touch does.
    chosen = np.zeros(len(owners), np.bool_)
    chosen[order[positions < left[owners]]] = True
    return chosen


def sums(values: Ints, starts: Ints) -> Ints:
    """The sum of each path's values."""
    running = laid(values)
    return running[starts[1:]] - running[starts[:-1]]


def _shares(journeys: Journeys, weights: Ints) -> Ints:
    return split(np.full(len(journeys), WHOLE), weights, journeys.starts)


def _all_to(journeys: Journeys, touches: Ints) -> Ints:
    shares = np.zeros(len(journeys.ages), np.int64)
    shares[touches] = WHOLE
    return shares


def first_touch(journeys: Journeys) -> Ints:
    """All to the first touch in the window."""
    return _all_to(journeys, journeys.at(np.zeros(len(journeys), np.int64)))


def last_touch(journeys: Journeys) -> Ints:
    """All to the last touch."""
    return _all_to(journeys, journeys.at(journeys.sizes - 1))


def last_non_direct(journeys: Journeys) -> Ints:
    """All to the last touch that isn't direct; to the last direct one only where there is nothing else."""
    return _all_to(journeys, journeys.at(nearest_non_direct(journeys.starts, journeys.direct)))


def nearest_non_direct(starts: Ints, direct: Bools) -> Ints:
    """The position in each path of the last touch that isn't direct; of the last one where all are, ``UNKNOWN``
    without touches."""
    filled = np.diff(starts) > 0
    found = np.full(len(filled), UNKNOWN)
    if filled.any():
        begins = starts[:-1][filled]
        places = np.arange(len(direct))
        highest = np.maximum.reduceat(np.where(direct, 0, len(direct)) + places, begins)
        found[filled] = highest % len(direct) - begins
    return found


def by_position(shares: Shares) -> Shares:
    """A model that knows no more of a path than its shape: each shape is credited once, however many have it."""

    def by_shape(journeys: Journeys) -> Ints:
        shapes, which = journeys.shapes
        found: Ints = shares(shapes)[shapes.starts[which][journeys.owners] + journeys.positions]
        return found

    return by_shape


@by_position
def linear(journeys: Journeys) -> Ints:
    """The same to every touch."""
    return _shares(journeys, np.ones(len(journeys.ages), np.int64))


def by_milestones(*, first: int = 0, lead: int = 0, opened: int = 0, last: int = 0, others: int = 0) -> Shares:
    """Weights for the touches that led to milestones, and for all other touches together.

    Weights are whole and relative. Where a touch led to several milestones it has their weights together; what
    isn't known of the path, or would go to other touches where there are none, is shared in proportion by the
    rest. Where nothing has a weight, all touches get the same. Raises ``ValueError`` for weights that can't be.
    """
    named = {"first": first, "lead": lead, "opened": opened, "last": last, "others": others}
    for name, weight in named.items():
        if not 0 <= weight <= WHOLE:
            raise ValueError(f"The weight of {name} must be a whole number from 0 to {WHOLE:,}, not {weight}.")
    if not any(named.values()):
        raise ValueError("At least one weight must be more than 0.")

    @by_position
    def shares(journeys: Journeys) -> Ints:
        weights = np.zeros(len(journeys.ages), np.int64)
        holds = np.zeros(len(journeys.ages), np.bool_)
        zeros = np.zeros(len(journeys), np.int64)
        for weight, positions in (
            (first, zeros),
            (lead, journeys.lead),
            (opened, journeys.opened),
            (last, journeys.sizes - 1),
        ):
            if weight:
                touches = journeys.at(positions)
                weights[touches] += weight
                holds[touches] = True
        free = sums((~holds).astype(np.int64), journeys.starts)[journeys.owners]
        return _shares(journeys, np.where(holds, weights * np.maximum(free, 1), others))

    return shares


def time_decay(half_life_days: float = 7) -> Shares:
    """Weights that halve with every ``half_life_days`` of age, continuously: 2^(−age ÷ half-life).

    Raises ``ValueError`` for a half-life that isn't more than 0.
    """
    if not half_life_days > 0:
        raise ValueError(f"The half-life must be more than 0 days, not {half_life_days}.")

    def shares(journeys: Journeys) -> Ints:
        filled = journeys.sizes > 0
        youngest = np.zeros(len(journeys), np.int64)
        if filled.any():
            youngest[filled] = np.minimum.reduceat(journeys.ages, journeys.starts[:-1][filled])
        # Relative to the youngest touch, which changes no share and keeps very old paths from vanishing.
        ages = (journeys.ages - youngest[journeys.owners]) / (half_life_days * DAY)
        return _shares(journeys, np.rint(np.exp2(-ages) * 2**30).astype(np.int64))

    return shares


def position_based(first: int = 40, others: int = 20, last: int = 40) -> Model:
    """The first and the last touch get a weight each, all others a third one together."""
    return Model(
        "position_based",
        "Position based",
        "По позиции",
        f"{first} to the first touch, {last} to the last, {others} to all others together; relative weights.",
        "40/20/40 is usual in web analytics; for a lead it is the U-shaped model of HubSpot and Ruler",
        by_milestones(first=first, last=last, others=others),
    )


def decaying(half_life_days: float = 7) -> Model:
    """Time decay with a half-life of its own."""
    return Model(
        "time_decay",
        "Time decay",
        "С учётом давности",
        f"Weights halve with every {half_life_days:g} days before the conversion, continuously.",
        "half-life of 7 days is usual in web analytics",
        time_decay(half_life_days),
    )


_DEFINITIONS = (
    Model("first_touch", "First touch", "Первое касание", "All to the first touch.", "usual", first_touch),
    Model("last_touch", "Last touch", "Последнее касание", "All to the last touch.", "usual", last_touch),
    Model(
        "last_non_direct",
        "Last non-direct",
        "Последнее непрямое",
        "All to the last touch that isn't direct; to the last direct one where there is nothing else.",
        "the default of Calltouch's statistics; Yandex.Metrica calls it last significant source",
        last_non_direct,
    ),
    Model("linear", "Linear", "Линейная", "The same to every touch (not to every channel).", "usual", linear),
    position_based(),
    Model(
        "w_shaped",
        "W-shaped",
        "W-образная",
        "30 each to the first touch, the one that made the lead and the one that opened the deal; 10 to the rest.",
        "HubSpot, Ruler",
        by_milestones(first=30, lead=30, opened=30, others=10),
    ),
    Model(
        "full_path",
        "Full path",
        "Полный путь",
        "22.5 each to the first touch, the one that made the lead, the one that opened the deal and the last"
        " before it was won; 10 to the rest.",
        "HubSpot, Ruler",
        by_milestones(first=225, lead=225, opened=225, last=225, others=100),
    ),
    decaying(),
)

MODELS: Mapping[str, Model] = {model.key: model for model in _DEFINITIONS}
"""The models that need one path only, by key, with their usual weights."""
