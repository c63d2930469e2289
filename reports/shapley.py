"""The Shapley model: what each channel adds to the conversion rate of the channels that it is seen with.

The worth of a set of distinct channels is the conversion rate of the journeys that had exactly this set; a set
that nobody had is worth nothing. A journey that converted is a game between its own channels: the Shapley value
of a channel is what it adds on average over all orders in which the set may come together. (The usual "conversions
of all subsets" as the worth would give nothing but equal parts to distinct channels.)

What a channel takes away doesn't make it owe others: values below 0 count as 0. The values of a set add up to its
conversion rate, which is more than 0 where there is a conversion, so something always remains to be shared by.
A channel's part is shared evenly by its touches.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import comb

import numpy as np

from reports.models import WHOLE, Ints, Journeys, split

CHANNELS_AT_MOST = 62
"""A set of channels is the bits of one number."""

_FINE = 2**30
"""Values become whole weights at this resolution."""


@dataclass(slots=True)
class Rates:
    """How many journeys had each set of channels, and how many of them converted. Batches may be added."""

    journeys: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))
    converted: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, sets: Ints, converted: Ints, lost: Ints) -> None:
        """Count journeys by the sets of their channels (``sets_of``); those without a touch are passed over."""
        for values, number in ((self.journeys, converted + lost), (self.converted, converted)):
            found, which = np.unique(sets, return_inverse=True)
            totals = np.bincount(which, weights=number, minlength=len(found)).astype(np.int64)
            for channels, total in zip(found.tolist(), totals.tolist(), strict=True):
                if channels and total:
                    values[channels] += total

    def worth(self) -> dict[int, float]:
        """The conversion rate of each set that anybody had and anybody converted with."""
        return {channels: number / self.journeys[channels] for channels, number in self.converted.items()}


def sets_of(channels: Ints, starts: Ints) -> Ints:
    """The distinct channels of each path, as bits; 0 for a path without touches.

    Raises ``ValueError`` for more channels than ``CHANNELS_AT_MOST``.
    """
    if len(channels) and channels.max() >= CHANNELS_AT_MOST:
        raise ValueError(
            f"The Shapley model can tell {CHANNELS_AT_MOST} channels apart, not {int(channels.max()) + 1}:"
            " group some of them."
        )
    sets = np.zeros(len(starts) - 1, np.int64)
    filled = np.diff(starts) > 0
    if filled.any():
        sets[filled] = np.bitwise_or.reduceat(np.int64(1) << channels, starts[:-1][filled])
    return sets


def values(game: int, worth: Mapping[int, float]) -> dict[int, float]:
    """The Shapley value of each channel of the set ``game``; they add up to the worth of the set."""
    players = _members(game)
    found = dict.fromkeys(players, 0.0)
    size = len(players)
    for channels, rate in worth.items():
        if channels & ~game:
            continue
        members = channels.bit_count()
        # A channel of this set completes it; any other would have come to it.
        completes = 1 / (size * comb(size - 1, members - 1))
        joins = 1 / (size * comb(size - 1, members)) if members < size else 0.0
        for player in players:
            found[player] += rate * completes if channels >> player & 1 else -rate * joins
    return found


def shares(journeys: Journeys, channels: Ints, worth: Mapping[int, float]) -> Ints:
    """Millionths for each touch; ``channels`` are the touches' numbers. A set that ``worth`` doesn't know is
    shared evenly by its channels."""
    sets = sets_of(channels, journeys.starts)
    found, which = np.unique(sets, return_inverse=True)
    table = np.zeros((len(found), int(channels.max(initial=0)) + 1), np.int64)
    for row, game in enumerate(found.tolist()):
        _fill(table[row], values(game, worth).items())
    keys = journeys.owners * table.shape[1] + channels
    _, first, of, times = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
    # The channels of a path in the order in which it met them: what is left over doesn't depend on numbers.
    met = np.argsort(first)
    place = np.empty_like(met)
    place[met] = np.arange(len(met))
    first, of, times = first[met], place[of], times[met]
    owners = journeys.owners[first]
    parts = split(
        np.full(len(journeys), WHOLE),
        table[which[owners], channels[first]],
        np.searchsorted(owners, np.arange(len(journeys) + 1)).astype(np.int64),
    )
    order = np.argsort(of, kind="stable")
    edges = np.concatenate(([0], np.cumsum(times))).astype(np.int64)
    shared = np.empty_like(channels)
    shared[order] = split(parts, np.ones(len(channels), np.int64), edges)
    return shared


def _fill(row: Ints, found: Iterable[tuple[int, float]]) -> None:
    for channel, value in found:
        row[channel] = max(0, round(value * _FINE))


def _members(channels: int) -> list[int]:
    return [number for number in range(channels.bit_length()) if channels >> number & 1]
