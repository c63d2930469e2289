"""Learning the weights of a workspace from its own records, without anybody's examples."""

from __future__ import annotations

from asyncio import to_thread
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations
from math import log2
from random import Random
from uuid import UUID

import msgspec

from sync.identity import versions
from sync.identity.comparisons import COMPARISONS, LEVELS, UNKNOWN, Vector, compare
from sync.identity.crowds import LARGEST_BLOCK
from sync.identity.names import given_name
from sync.identity.reading import Conn
from sync.identity.traits import Traits, named_blocks
from sync.identity.weights import SHIPPED, Weights, expect_m

LEAST = 1_000
"""Records from which on a workspace knows better than the shipped figures."""

_SAMPLE, _RANDOM_PAIRS, _MOST_PAIRS = 20_000, 100_000, 200_000
_SMOOTHED = 2_000.0  # how many random pairs the shipped figures count for
_LISTED = 5_000  # names whose frequency is kept
_RECORDS_PER_MATCH = 0.85  # by which the shipped prior fits some seven thousand records
_PRIOR = (-24.0, -8.0)


def learn(traits: Sequence[Traits], records: int, version: int) -> tuple[Weights, int]:
    """Weights out of a sample of records (of so many in all), and the number of pairs that they were learnt from.

    The result follows from the sample alone: chance is seeded.
    """
    named = [each for each in traits if each.names]
    chance = Random(version)  # noqa: S311 - a sample, no secret
    u = _by_chance(named, chance)
    m, pairs = _among_matches(named, u)
    prior = round(min(max(-log2(records / _RECORDS_PER_MATCH), _PRIOR[0]), _PRIOR[1]), 2)
    # The longer a log, the rarer a chance meeting in it: what is left of the prior stays the same.
    u["caller"] = {level: share * 2 ** (prior - SHIPPED.prior) for level, share in SHIPPED.u["caller"].items()}
    words = Counter(given_name(word) for each in named for word in each.names)
    count = max(len(named), 1)
    rare = max(1 / count, 1e-6)
    return (
        msgspec.structs.replace(
            SHIPPED,
            version=version,
            prior=prior,
            m=m,
            u=u,
            names={word: round(seen / count, 7) for word, seen in words.most_common(_LISTED) if seen > 1},
            rare=rare,
            rare_given=rare,
        ),
        pairs,
    )


_CHOSEN: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (("phone ", "mailbox "), ("phone", "email")),
    (("name ", "word "), ("name", "time")),
)
"""Blocks to learn from, each with the comparisons that pairs chosen by them can't teach."""


def _among_matches(
    named: Sequence[Traits], u: Mapping[str, Mapping[str, float]]
) -> tuple[dict[str, dict[str, float]], int]:
    """m: the mean of what pairs chosen in different ways teach, and how many pairs there were."""
    taught: dict[str, list[dict[str, float]]] = defaultdict(list)
    pairs = 0
    for kinds, masked in _CHOSEN:
        met = _within(named, kinds, masked)
        if not met:
            continue
        pairs += sum(met.values())
        for comparison, levels in expect_m(list(met), list(met.values()), u).items():
            if comparison not in masked:
                taught[comparison].append(levels)
    return {
        comparison: {
            level: sum(each[level] for each in taught[comparison]) / len(taught[comparison]) for level in levels
        }
        if taught[comparison]
        else SHIPPED.m[comparison]
        for comparison, levels in LEVELS.items()
    }, pairs


def _by_chance(named: Sequence[Traits], chance: Random) -> dict[str, dict[str, float]]:
    """u: how often random pairs show each level."""
    seen: dict[str, Counter[str]] = defaultdict(Counter)
    for _ in range(_RANDOM_PAIRS if len(named) > 1 else 0):
        one, other = chance.choice(named), chance.choice(named)
        vector = compare(one, other, all_pairs=True) if one is not other else None
        for comparison, level in zip(COMPARISONS, vector or (), strict=False):
            if level != UNKNOWN:
                seen[comparison][level] += 1
    learnt = {}
    for comparison, levels in LEVELS.items():
        total = sum(seen[comparison].values())
        learnt[comparison] = {
            level: (seen[comparison][level] + _SMOOTHED * SHIPPED.u[comparison][level]) / (total + _SMOOTHED)
            for level in levels
        }
    return learnt


def _within(named: Sequence[Traits], kinds: tuple[str, ...], masked: tuple[str, ...]) -> Counter[Vector]:
    """How often each vector is met among the pairs of common blocks of some kinds. What those have in common is
    ``masked``: it says nothing about pairs that were chosen by it."""
    blocks: dict[str, list[int]] = defaultdict(list)
    for number, traits in enumerate(named):
        for block in named_blocks(traits):
            if block.startswith(kinds):
                blocks[block].append(number)
    pairs: set[tuple[int, int]] = set()
    for block in sorted(blocks):
        if len(blocks[block]) <= LARGEST_BLOCK:
            pairs.update(combinations(blocks[block], 2))
        if len(pairs) > _MOST_PAIRS:
            break
    hidden = [comparison in masked for comparison in COMPARISONS]
    vectors = (compare(named[one], named[other], all_pairs=True) for one, other in pairs)
    return Counter(
        tuple(UNKNOWN if hide else level for level, hide in zip(vector, hidden, strict=True))
        for vector in vectors
        if vector is not None
    )


async def count_records(conn: Conn, workspace_id: UUID) -> int:
    """How many records of a workspace can be weighed."""
    cursor = await conn.execute("select count(*) from match_traits where workspace_id = %s", (workspace_id,))
    row = await cursor.fetchone()
    return row[0] if row else 0


async def learn_weights(conn: Conn, workspace_id: UUID, actor: str) -> int | None:
    """Learn a workspace's weights from its stored records and keep them as a new version, with the thresholds that
    were set by hand; returns its number.

    None if there are too few records. It doesn't hold before it is applied (`sync.identity.versions.apply`).
    """
    records = await count_records(conn, workspace_id)
    if records < LEAST:
        return None
    cursor = await conn.execute(
        "select clock_timestamp(), traits::text from match_traits where workspace_id = %s"
        " order by record_id limit %s",
        (workspace_id, _SAMPLE),
    )
    decoder = msgspec.json.Decoder(Traits)
    rows = await cursor.fetchall()
    sample = [decoder.decode(traits) for _, traits in rows]
    holds = await versions.holding(conn, workspace_id)
    version = holds.version + 1
    weights, pairs = await to_thread(learn, sample, records, version)
    return await versions.add(
        conn,
        workspace_id,
        weights,
        pairs,
        actor,
        learnt_at=rows[0][0],
        upper=holds.upper,
        lower=holds.lower,
    )
