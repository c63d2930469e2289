"""Arrays tell the same groups as `partition` does, wherever they dare to tell any."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import groupby
from random import Random
from uuid import UUID

import numpy as np

from schema.enums import ClientKind, IdentifierKind, RecordKind
from sync.identity.clusters import Member, NodeKey, name_several_people
from sync.identity.components import KEY_KINDS, RECORD_KINDS, Graph, Marks, parts_of, settled, unclear
from sync.identity.grouping import partition

PERSON = ClientKind.PERSON.value
START = datetime(2025, 3, 1, tzinfo=UTC)
KINDS = (RecordKind.CALL, RecordKind.CONTACT, RecordKind.LEAD, RecordKind.VISIT)


def members_of(rng: Random) -> list[Member]:
    """A few records of callers, visitors and owners of cards, two weeks apart or less."""
    members = []
    for number in range(rng.randrange(2, 8)):
        kind = rng.choice(KINDS)
        keys = set()
        if kind is not RecordKind.VISIT and rng.random() < 0.8:
            keys.add(NodeKey(PERSON, IdentifierKind.PHONE.value, f"+7916000000{rng.choice('1112')}"))
        if kind in (RecordKind.CONTACT, RecordKind.LEAD) and rng.random() < 0.3:
            keys.add(NodeKey(PERSON, IdentifierKind.EMAIL.value, f"p{rng.choice('12')}@mail.ru"))
        if kind is not RecordKind.CONTACT and rng.random() < 0.5:
            keys.add(NodeKey(PERSON, IdentifierKind.VISITOR.value, f"ym:{rng.choice('112334')}"))
        named = kind in (RecordKind.CONTACT, RecordKind.LEAD) and rng.random() < 0.8
        name = rng.choice(("ivan petrov", "ivan petrov", "ivan", "maria orlova")) if named else None
        at = START + timedelta(days=rng.randrange(40))
        members.append(Member(UUID(int=number + 1), kind.value, PERSON, at, name, frozenset(keys)))
    return members


def graph_of(members: list[Member]) -> tuple[Graph, list[NodeKey]]:
    pairs = sorted((key, place) for place, member in enumerate(members) for key in member.keys)
    keys = [key for key, _ in groupby(pairs, lambda pair: pair[0])]
    number = {key: place for place, key in enumerate(keys)}
    of = np.array([number[key] for key, _ in pairs], dtype=np.intp)
    names = {None: 0, "ivan petrov": 1, "ivan": 2, "maria orlova": 3}
    never = np.zeros(len(keys), dtype=np.bool_)
    graph = Graph(
        b"".join(member.record_id.bytes for member in members),
        np.zeros(len(members), dtype=np.int64),
        np.array([int(member.at.timestamp() * 1_000_000) for member in members]),
        np.array([names[member.name] for member in members]),
        np.array([RECORD_KINDS.index(member.record_kind) for member in members], dtype=np.int16),
        np.array([place for _, place in pairs], dtype=np.intp),
        of,
        np.searchsorted(of, np.arange(len(keys))),
        np.arange(len(keys)),
        np.array([KEY_KINDS.index(key.kind) for key in keys], dtype=np.int16),
        *(never,) * 3,
    )
    return graph, keys


def test_arrays_tell_what_partition_tells() -> None:
    rng, told, parted = Random(5), 0, 0  # noqa: S311 - a seed makes a failure repeatable
    for _ in range(1_500):
        members = members_of(rng)
        graph, keys = graph_of(members)
        shared: Marks = np.array([rng.random() < 0.05 for _ in keys], dtype=np.bool_)
        parts = parts_of(graph, shared)
        disputed = unclear(graph, parts, np.zeros(len(keys), dtype=np.bool_))
        for root in range(len(members)):
            names = {m.name for m, at in zip(members, parts.root, strict=True) if at == root and m.name}
            disputed[root] |= name_several_people(names, PERSON)
        group, disputed = settled(graph, parts, shared, disputed)
        joining_nobody = {key for key, is_shared in zip(keys, shared, strict=True) if is_shared}
        grouped = partition(members, joining_nobody)
        expected = {m.record_id.int - 1: number for number, who in enumerate(grouped) for m in who}
        sure = [place for place in range(len(members)) if not disputed[parts.root[place]]]
        assert all(
            (group[one] == group[other]) == (expected[one] == expected[other]) for one in sure for other in sure
        ), (members, joining_nobody)
        told += len(sure)
        parted += int((group[sure] != parts.root[sure]).any())
    assert told > 5_000
    assert parted > 50
