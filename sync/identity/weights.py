"""Weights of evidence: how much each level of agreement says, in bits, and how they are learnt without an example.

A level weighs log2(m/u): m, how often it is seen between records of one person; u, how often between records of
different people. u is counted over random pairs, m is estimated by expectation maximisation over pairs of common
blocks (Winkler: Using the EM Algorithm for Weight Computation in the Fellegi-Sunter Model, 1988). A name that many
bear weighs less than a rare one (Newcombe et al.: Automatic Linkage of Vital Records, 1959).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log2

import msgspec
import numpy as np

from sync.identity.comparisons import COMPARISONS, LEVELS, UNKNOWN, Vector

_ROUNDS, _SETTLED = 200, 1e-5
_LEAST = 1e-7  # no level is impossible
_SIMILAR = 4.0  # names that a slip makes of one
_SMOOTHED = 20.0  # how many pairs' worth the shipped figures count beside the data


class Weights(msgspec.Struct, frozen=True):
    """What holds in a workspace.

    ``prior`` is the weight of two random records of one kind being one person; ``m`` and ``u`` are by comparison
    and level; ``names`` is how often a word stands in names, ``rare`` (``rare_given`` of given names) how often one
    that isn't listed does. From ``upper`` on, in bits, a match is applied, from ``lower`` on it is proposed.
    """

    version: int
    prior: float
    m: dict[str, dict[str, float]]
    u: dict[str, dict[str, float]]
    names: dict[str, float]
    rare: float
    rare_given: float
    upper: float
    lower: float

    def weigh(self, vector: Vector, words: Sequence[str]) -> dict[str, float]:
        """The weight of each comparison that says anything, the prior first; ``words`` are those in common."""
        found = {"prior": self.prior}
        for comparison, level in zip(COMPARISONS, vector, strict=True):
            if level == UNKNOWN:
                continue
            u = self.u[comparison][level]
            if comparison == "name" and level != "differ":
                u = self._by_chance(words, wrong=level == "slip" or not words)
            found[comparison] = round(log2(max(self.m[comparison][level], _LEAST) / max(u, _LEAST)), 2)
        return found

    def _by_chance(self, words: Sequence[str], *, wrong: bool) -> float:
        """How likely a stranger bears these words of a name, and one more that a slip explains if one is wrong."""
        chance = _SIMILAR * self.rare if wrong else 1.0
        for word in words:
            chance *= self.names.get(word, self.rare_given if word.startswith("#") else self.rare)
        return chance


def score(weights: Mapping[str, float]) -> float:
    """The weight of all evidence together, in bits: 10 says a thousand to one that the two are one person."""
    return round(sum(weights.values()), 1)


SHIPPED = Weights(
    version=0,
    prior=-13.0,
    m={
        "name": {"full": 0.6, "slip": 0.15, "part": 0.2, "differ": 0.05},
        "patronymic": {"same": 0.95, "differ": 0.05},
        "birthday": {"same": 0.92, "slip": 0.05, "differ": 0.03},
        "phone": {"same": 0.45, "desk": 0.1, "slip": 0.01, "differ": 0.44},
        "email": {"same": 0.6, "other provider": 0.03, "slip": 0.02, "differ": 0.35},
        "address": {"same": 0.6, "part": 0.25, "differ": 0.15},
        "firm": {"same": 0.85, "differ": 0.15},
        "time": {"half an hour": 0.4, "a day": 0.15, "apart": 0.45},
        "staff": {"same": 0.9, "differ": 0.1},
        "caller": {"unknown until the card": 0.9},
    },
    u={
        "name": {"full": 2e-5, "slip": 8e-5, "part": 0.01, "differ": 0.99},
        "patronymic": {"same": 0.04, "differ": 0.96},
        "birthday": {"same": 5e-5, "slip": 1e-3, "differ": 0.999},
        "phone": {"same": 1e-5, "desk": 1e-3, "slip": 1e-6, "differ": 0.999},
        "email": {"same": 1e-5, "other provider": 1e-5, "slip": 2e-5, "differ": 0.9999},
        "address": {"same": 1e-3, "part": 0.05, "differ": 0.95},
        "firm": {"same": 2e-3, "differ": 0.998},
        "time": {"half an hour": 2.5e-4, "a day": 0.011, "apart": 0.99},
        "staff": {"same": 0.15, "differ": 0.85},
        "caller": {"unknown until the card": 3.5e-7},
    },
    names={},
    rare=1 / 400,
    rare_given=1 / 60,
    upper=6.0,
    lower=1.0,
)
"""What holds until a workspace has learnt its own: figures of a firm with some ten thousand records."""


def expect_m(
    vectors: Sequence[Vector], counts: Sequence[int], u: Mapping[str, Mapping[str, float]]
) -> dict[str, dict[str, float]]:
    """Estimate m over pairs out of common blocks, each vector met so many times, with u held fixed.

    What the data says too little about stays near the shipped figures.
    """
    codes = np.array(
        [
            [
                LEVELS[c].index(level) if level != UNKNOWN else -1
                for c, level in zip(COMPARISONS, vector, strict=True)
            ]
            for vector in vectors
        ],
        dtype=np.int64,
    ).reshape(len(vectors), len(COMPARISONS))
    weight = np.asarray(counts, dtype=np.float64)
    m = [np.array([SHIPPED.m[c][level] for level in LEVELS[c]]) for c in COMPARISONS]
    shipped = [values.copy() for values in m]
    chance = [np.array([max(u[c][level], _LEAST) for level in LEVELS[c]]) for c in COMPARISONS]
    share = 0.3
    for _ in range(_ROUNDS):
        odds = np.full(len(codes), np.log(share / (1 - share)))
        for place in range(len(COMPARISONS)):
            told = codes[:, place] >= 0
            ratio = np.log(np.maximum(m[place], _LEAST) / chance[place])
            odds[told] += ratio[codes[told, place]]
        matched = weight / (1 + np.exp(-np.clip(odds, -500, 500)))
        before = share
        share = float(np.clip(matched.sum() / weight.sum(), 1e-4, 0.9))
        for place in range(len(COMPARISONS)):
            if len(LEVELS[COMPARISONS[place]]) < 2:
                continue
            told = codes[:, place] >= 0
            seen = np.bincount(codes[told, place], weights=matched[told], minlength=len(m[place]))
            m[place] = (seen + _SMOOTHED * shipped[place]) / (seen.sum() + _SMOOTHED)
        if abs(share - before) < _SETTLED:
            break
    return {c: dict(zip(LEVELS[c], map(float, m[place]), strict=True)) for place, c in enumerate(COMPARISONS)}
