"""Probable matches among the keys: pairs of records that evidence without a key speaks for.

Each pair is a key of its own on both records (`probable_key`), so that what is true of keys is true of it: it is
followed, explained, logged and undone like one. Its value says on what it rests, whether its weight is enough to be
applied, and the weight in bits. Whether it may be used depends on the records around it, and on nothing else.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from hashlib import blake2b
from typing import NamedTuple
from uuid import UUID

from schema.enums import IdentifierKind, RecordKind
from sync.identity.clusters import Apart, Member, NodeKey
from sync.identity.keys import is_call_key, is_landline
from sync.identity.names import clearly_differ
from sync.identity.traits import SLOT

PROBABLE = "probable"
_VENDOR, _PHONE = IdentifierKind.VENDOR.value, IdentifierKind.PHONE.value
_CALL, _CONTACT = RecordKind.CALL.value, RecordKind.CONTACT.value
_PREFIX = f"{PROBABLE}:"
_OF_CALL, _NAME = "call", "name"
_APPLY, _ASK = "apply", "ask"
CLEARLY = 4.0
"""By how many bits the match of a call and a card must outweigh all others of the two."""

_MADE_WITHIN = timedelta(seconds=SLOT)
_SILENT = frozenset({_CALL, RecordKind.VISIT.value})
"""Records that tell no name."""


def probable_key(one: UUID, other: UUID, *, of_call: bool, applies: bool, score: float) -> str:
    """The value of the key that stands on both records of a probable match."""
    pair = blake2b(min(one, other).bytes + max(one, other).bytes, digest_size=16).hexdigest()
    return f"{PROBABLE}:{_OF_CALL if of_call else _NAME}:{_APPLY if applies else _ASK}:{score:.1f}:{pair}"


def is_probable(key: NodeKey) -> bool:
    """Whether a key is a probable match."""
    return key.kind == _VENDOR and key.value.startswith(_PREFIX)


def only_asks(key: NodeKey) -> bool:
    """Whether a key is a probable match whose weight isn't enough to be applied."""
    return is_probable(key) and key.value.split(":")[2] == _ASK


def score_of(key: NodeKey) -> float:
    """The weight of a probable match, in bits."""
    return float(key.value.split(":")[3])


class Edge(NamedTuple):
    """A probable match of two records; of a call and a card, the call is ``one``."""

    key: NodeKey
    of_call: bool
    applies: bool
    score: float
    one: Member
    other: Member

    @property
    def order(self) -> tuple[float, NodeKey]:
        """By weight, the heaviest first."""
        return -self.score, self.key


def edges_of(carriers: Mapping[NodeKey, Sequence[Member]], shared: Collection[NodeKey]) -> list[Edge]:
    """The probable matches among the carriers of keys, the heaviest first."""
    found = []
    for key, who in carriers.items():
        if len(who) == 2 and is_probable(key) and key not in shared:
            _, basis, verdict, bits, _ = key.value.split(":")
            one, other = sorted(who, key=lambda member: (member.record_kind != _CALL, member.record_id))
            found.append(Edge(key, basis == _OF_CALL, verdict == _APPLY, float(bits), one, other))
    return sorted(found, key=lambda edge: edge.order)


def unexplained(
    edges: Iterable[Edge], carriers: Mapping[NodeKey, Sequence[Member]], shared: Collection[NodeKey]
) -> list[Edge]:
    """Those of the calls' matches that could hold: nobody's card has the caller's number when he calls, and nothing
    but this call explains why the card was made."""
    return [
        edge
        for edge in edges
        if edge.of_call
        and not any(
            member.record_kind not in _SILENT and member.at <= edge.one.at + _MADE_WITHIN
            for member in _beside(edge.one, carriers, shared)
        )
        and _came_of_nothing(edge.other, carriers, shared)
    ]


def doubted(
    edges: Iterable[Edge], carriers: Mapping[NodeKey, Sequence[Member]], shared: Collection[NodeKey]
) -> set[Member]:
    """The calls whose number may have been borrowed: it stands on older cards, but just after the call the one who
    took it made a card for somebody of another name, which nothing else explains. The number alone doesn't say
    which of the two called."""
    found = set[Member]()
    for edge in edges:
        if not edge.of_call or edge.other.name is None or not _came_of_nothing(edge.other, carriers, shared):
            continue
        owners = [member for member in _beside(edge.one, carriers, shared) if member.name]
        if any(owner.at < edge.one.at for owner in owners) and all(
            clearly_differ(owner.name or "", edge.other.name, edge.other.client_kind) for owner in owners
        ):
            found.add(edge.one)
            found.update(twin for key in edge.one.keys if is_call_key(key.value) for twin in carriers[key])
    return found


def _came_of_nothing(
    card: Member, carriers: Mapping[NodeKey, Sequence[Member]], shared: Collection[NodeKey]
) -> bool:
    """Whether no record before a card explains why it was made: nobody called from its number just then, and no
    form or other card has a key of it."""
    return not any(
        timedelta() <= card.at - member.at <= (_MADE_WITHIN if member.record_kind == _CALL else _EVER)
        for member in _beside(card, carriers, shared)
        if member.record_kind not in _EXPLAINING_NOTHING
    )


_EXPLAINING_NOTHING = frozenset({RecordKind.COMPANY.value, RecordKind.VISIT.value})
_EVER = timedelta.max


def _beside(
    member: Member, carriers: Mapping[NodeKey, Sequence[Member]], shared: Collection[NodeKey]
) -> Iterable[Member]:
    """The records that have a key of a person's own in common with this one."""
    for key in member.keys:
        if key in shared or is_probable(key) or (key.kind == _PHONE and is_landline(key.value)):
            continue
        for other in carriers[key]:
            if other is not member:
                yield other


def without_rivals(edges: Sequence[Edge], group_of: Mapping[Member, object]) -> list[Edge]:
    """Those of the calls' matches (the heaviest first) that are clearly the best of their call and of their card,
    by groups of records. Once a call and a card have found each other, no other match of theirs counts."""
    touching: dict[int, list[Edge]] = defaultdict(list)
    for edge in edges:
        for side in (edge.one, edge.other):
            touching[id(group_of[side])].append(edge)
    taken: set[int] = set()

    def free(edge: Edge) -> bool:
        return id(group_of[edge.one]) not in taken and id(group_of[edge.other]) not in taken

    found = []
    for edge in edges:
        ends = id(group_of[edge.one]), id(group_of[edge.other])
        rivals = (other for end in ends for other in touching[end] if _rival(edge, other, group_of))
        if free(edge) and not any(free(rival) and rival.score > edge.score - CLEARLY for rival in rivals):
            found.append(edge)
            if edge.applies:
                taken.update(ends)
    return found


def _rival(edge: Edge, other: Edge, group_of: Mapping[Member, object]) -> bool:
    """Whether two matches can't both hold: another card, or another caller. One number is one caller."""
    if group_of[edge.other] is not group_of[other.other]:
        return True
    return group_of[edge.one] is not group_of[other.one] and not any(
        key.kind == _PHONE and key in other.one.keys for key in edge.one.keys
    )


@dataclass(frozen=True, slots=True)
class Proposal:
    """Two records that a person is asked about: probably one client, and not yet."""

    key: NodeKey
    score: float
    one: Member
    other: Member


def proposals(
    groups: Sequence[Sequence[Member]],
    carriers: Mapping[NodeKey, Sequence[Member]],
    shared: Collection[NodeKey],
    apart: Sequence[Apart],
) -> list[Proposal]:
    """What to ask a person about: for each two groups that could be one client, their heaviest probable match."""
    edges = edges_of(carriers, shared)
    if not edges:
        return []
    number_of = {member: number for number, group in enumerate(groups) for member in group}
    possible = [edge for edge in edges if not edge.of_call] + unexplained(edges, carriers, shared)
    borrowed = doubted(edges, carriers, shared)
    possible += [edge for edge in edges if edge.of_call and edge.one in borrowed]
    best: dict[tuple[int, int], Edge] = {}
    for edge in sorted(possible, key=lambda edge: edge.order):
        ends = number_of[edge.one], number_of[edge.other]
        if ends[0] != ends[1]:
            best.setdefault((min(ends), max(ends)), edge)
    return [
        Proposal(edge.key, edge.score, *sorted((edge.one, edge.other), key=lambda member: member.record_id))
        for edge in best.values()
        if _may_be_one(groups[number_of[edge.one]], groups[number_of[edge.other]], apart)
        and not (edge.of_call and _has_card(groups[number_of[edge.one]]))
    ]


def _has_card(group: Sequence[Member]) -> bool:
    return any(member.record_kind == _CONTACT for member in group)


def _may_be_one(group: Sequence[Member], other: Sequence[Member], apart: Sequence[Apart]) -> bool:
    """Whether neither a decision nor the names keep two groups apart."""
    ids, other_ids = ({member.record_id for member in side} for side in (group, other))
    for decision in apart:
        for one, two in ((ids, other_ids), (other_ids, ids)):
            if decision.taken_out & one and decision.rest & two:
                return False
    names, other_names = ({member.name for member in side if member.name} for side in (group, other))
    if not names or not other_names:
        return True
    kind = group[0].client_kind
    return not all(clearly_differ(a, b, kind) for a in names for b in other_names)
