"""Credits by several models side by side, for journeys of any origin: converted and not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from reports import markov, shapley
from reports.models import (
    MODELS,
    UNKNOWN,
    WHOLE,
    Definition,
    Ints,
    Journeys,
    Model,
    decaying,
    position_based,
    split,
)

MARKOV = Definition(
    "markov",
    "Markov",
    "Марковская",
    "By how much the chance of converting falls without the channel: a chain of order 1 with start, conversion and"
    " null, in which journeys that didn't convert count; removal effects, normalised to the conversions.",
    "Anderl, Becker, von Wangenheim, Schumann, 2016, Mapping the customer journey",
)
SHAPLEY = Definition(
    "shapley",
    "Shapley",
    "По Шепли",
    "What a channel adds to the conversion rate of the set of distinct channels that it is seen with, on average"
    " over all orders; shared evenly by the channel's touches.",
    "Shapley, 1953, A value for n-person games; conversion rate of the exact set as its worth",
)

DEFINITIONS: Mapping[str, Definition] = {**MODELS, MARKOV.key: MARKOV, SHAPLEY.key: SHAPLEY}
"""All models by key, with their meaning."""


def chosen(names: Iterable[str]) -> list[str]:
    """The keys of the models that are named, in the order of ``DEFINITIONS``; 'all' names every one.

    Raises ``ValueError`` for an unknown name.
    """
    wanted = set(names)
    if unknown := wanted - DEFINITIONS.keys() - {"all"}:
        raise ValueError(
            f"There is no model {', '.join(sorted(unknown))}; there are {', '.join(DEFINITIONS)}, and 'all'."
        )
    return [key for key in DEFINITIONS if key in wanted or "all" in wanted]


def with_settings(
    *, position: tuple[int, int, int] | None = None, half_life_days: float | None = None
) -> dict[str, Model]:
    """The models of one path, with weights of one's own for first, middle and last touch, and a half-life.

    Raises ``ValueError`` for weights or a half-life that can't be.
    """
    models = dict(MODELS)
    if position is not None:
        models["position_based"] = position_based(*position)
    if half_life_days is not None:
        models["time_decay"] = decaying(half_life_days)
    return models


@dataclass(frozen=True, slots=True)
class Credits:
    """What each unit (a channel, a campaign) is credited with by one model: conversions in millionths, and value
    in the smallest unit of the currency. Both add up exactly to what the credited journeys have."""

    conversions: Ints
    value: Ints


class Learner:
    """What the data-driven models know of all journeys: it hears of them in batches, in any order."""

    def __init__(self, units: int) -> None:
        self.counts = np.zeros((units + 3, units + 3), np.int64)
        self.rates = shapley.Rates()
        self._worth: dict[int, float] | None = None

    def grow(self, units: int) -> None:
        """Make room for so many units; what is known of the former ones stays."""
        former = len(self.counts) - 3
        if units > former:
            counts = np.zeros((units + 3, units + 3), np.int64)
            moved = np.concatenate((np.arange(former), np.arange(units, units + 3)))
            counts[np.ix_(moved, moved)] = self.counts
            self.counts = counts

    def hear(self, starts: Ints, units: Ints, channels: Ints, converted: Ints) -> None:
        """Journeys by their touches' units and channels; ``converted`` is 1 or 0 for each."""
        self.hear_of_units(starts, units, converted)
        self.hear_of_channels(starts, channels, converted)

    def hear_of_units(self, starts: Ints, units: Ints, converted: Ints) -> None:
        """As far as the Markov model is concerned."""
        self.counts += markov.steps(units, starts, converted, 1 - converted, len(self.counts) - 3)

    def hear_of_channels(self, starts: Ints, channels: Ints, converted: Ints) -> None:
        """As far as the Shapley model is concerned."""
        self.rates.add(shapley.sets_of(channels, starts), converted, 1 - converted)
        self._worth = None

    @property
    def worth(self) -> dict[int, float]:
        if self._worth is None:
            self._worth = self.rates.worth()
        return self._worth


def shares(key: str, journeys: Journeys, channels: Ints, learner: Learner, models: Mapping[str, Model]) -> Ints:
    """The shares of touches by any model but Markov's, which has none for single paths."""
    if key == SHAPLEY.key:
        return shapley.shares(journeys, channels, learner.worth)
    return models[key].shares(journeys)


def credit(
    key: str,
    journeys: Journeys,
    units: Ints,
    channels: Ints,
    values: Ints,
    learner: Learner,
    models: Mapping[str, Model] = MODELS,
) -> Credits:
    """Credit converted journeys to their units by one model. Those without touches are passed over."""
    number = len(learner.counts) - 3
    if key == MARKOV.key:
        touched = journeys.sizes > 0
        return Credits(*markov.credit(learner.counts, [int(touched.sum()) * WHOLE, int(values[touched].sum())]))
    parts = shares(key, journeys, channels, learner, models)
    money = split(values, parts, journeys.starts)
    return Credits(_by_unit(units, parts, number), _by_unit(units, money, number))


def _by_unit(units: Ints, parts: Ints, number: int) -> Ints:
    """Exact as long as a sum stays below 2**53: nine thousand million conversions, ninety billion of money."""
    return np.bincount(units, weights=parts, minlength=number).astype(np.int64)


def led_to(times: Sequence[datetime], milestone: datetime | None) -> int:
    """The position of the last touch that was there when a milestone was reached, or ``UNKNOWN``."""
    if milestone is None:
        return UNKNOWN
    return sum(at <= milestone for at in times) - 1
