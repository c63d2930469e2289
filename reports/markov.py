"""The Markov model: how much the chance of converting falls when a channel is taken away.

Journeys are walks of a chain of order 1 from *start* over channels to *conversion* or *null*, where those end
that didn't convert. The removal effect of a channel is the share of conversions that is lost when every way into
it leads to null instead; effects are normalised to the conversions (Anderl, Becker, von Wangenheim and Schumann,
2016, "Mapping the customer journey").

The chain is learnt from all journeys together, so credits are those of the whole and not of single paths.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from reports.models import WHOLE, Ints

Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_FINE = 2**40
"""Effects become whole weights at this resolution."""


def steps(channels: Ints, starts: Ints, converted: Ints, lost: Ints, number: int) -> Counts:
    """How often a step was made, as a square array from row to column.

    ``channels`` are the touches' numbers below ``number``; a path stands for ``converted`` journeys that ended in
    a conversion and ``lost`` ones that didn't. Row and column ``number`` are start, ``number`` + 1 conversion,
    ``number`` + 2 null. Counts of several batches of journeys may be added.
    """
    start, conversion, null = number, number + 1, number + 2
    sizes = np.diff(starts)
    times = np.repeat(converted + lost, sizes)
    filled = sizes > 0
    firsts, lasts = starts[:-1][filled], starts[1:][filled] - 1
    inner = np.ones(len(channels), np.bool_)
    inner[firsts] = False
    seconds = np.flatnonzero(inner)
    converted, lost = converted[filled], lost[filled]
    rows = (channels[seconds - 1], np.full(len(firsts), start), channels[lasts], channels[lasts])
    columns = (
        channels[seconds],
        channels[firsts],
        np.full(len(lasts), conversion),
        np.full(len(lasts), null),
    )
    made = np.concatenate(rows) * (number + 3) + np.concatenate(columns)
    weights = np.concatenate((times[seconds], converted + lost, converted, lost))
    counts = np.bincount(made, weights=weights, minlength=(number + 3) ** 2)
    return counts.astype(np.int64).reshape(number + 3, number + 3)


def removal_effects(counts: Counts) -> Floats:
    """For each channel, the share of conversions that is lost without it: 0 to 1, all 0 without conversions.

    With *N* the expected number of visits to each state and *h* the chance of converting from it, the chance to
    meet channel *j* at all is N[start, j] ÷ N[j, j], and what is lost without it is that chance times h[j].
    """
    number = len(counts) - 3
    start, conversion = number, number + 1
    out = counts.sum(axis=1)
    used = np.flatnonzero(out[: start + 1])  # a state that nobody left was never met
    effects = np.zeros(number)
    if out[start] == 0:
        return effects
    rates = counts[used] / out[used, None]
    visits = np.linalg.inv(np.eye(len(used)) - rates[:, used])
    chances = visits @ rates[:, conversion]
    begin = len(used) - 1  # the start, which is the last of the states that can be left
    if chances[begin] <= 0:
        return effects
    met = visits[begin] / np.diagonal(visits)
    effects[used[:-1]] = (met * chances / chances[begin])[:-1]
    return np.clip(effects, 0.0, 1.0)


def shares(counts: Counts) -> Ints:
    """Millionths of all conversions for each channel; they add up to ``WHOLE``, to 0 without conversions."""
    return credit(counts, [WHOLE])[0]


def credit(counts: Counts, amounts: Sequence[int]) -> list[Ints]:
    """Split whole amounts (conversions in millionths, kopecks) over the channels by their removal effects."""
    weights = np.rint(removal_effects(counts) * _FINE).astype(np.int64)
    if not weights.any():
        return [np.zeros(len(weights), np.int64) for _ in amounts]
    # Python's whole numbers have no bound: totals of millions of conversions times fine weights leave 64 bits.
    return [_split_exactly(amount, weights.tolist()) for amount in amounts]


def _split_exactly(amount: int, weights: list[int]) -> Ints:
    total = sum(weights)
    parts = [abs(amount) * weight // total for weight in weights]
    rest = abs(amount) - sum(parts)
    order = sorted(range(len(weights)), key=lambda n: (abs(amount) * weights[n] % total, n), reverse=True)
    for number in order[:rest]:
        parts[number] += 1
    return np.array(parts, np.int64) * (-1 if amount < 0 else 1)
