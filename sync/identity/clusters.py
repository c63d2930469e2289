"""Which records belong together, by their keys: pure functions of a set of records.

Guards keep different people apart. A *shared* key joins nobody: one on records that clearly name different people,
or an office's phone or mailbox. A landline joins no call that tells more about its caller. A key never joins two
groups that are clearly different people already: what a stronger key says about a record comes before what a weaker
one says. And a CRM that hangs a call on a card has found it by the phone, so a call from a shared phone doesn't
belong to the card either.

Keys are taken in one order that follows from the data alone (strength of the kind, number of carriers, value),
so the partition doesn't depend on the order in which records came.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import combinations
from typing import NamedTuple
from uuid import UUID

from schema.enums import ClientKind, IdentifierKind, RecordKind
from sync.identity.keys import is_landline, is_role_mailbox
from sync.identity.names import clearly_differ

CARDS = frozenset({RecordKind.CONTACT.value, RecordKind.COMPANY.value})
FOUND_BY_PHONE = frozenset({RecordKind.CONTACT.value, RecordKind.LEAD.value})
"""What a CRM hangs a call on by its phone; a visit it can only know from the site."""

STRENGTH = {
    IdentifierKind.VENDOR.value: 0,  # the system itself says that it is the same one
    IdentifierKind.TAX_ID.value: 1,
    IdentifierKind.EMAIL.value: 2,
    IdentifierKind.MESSENGER.value: 3,
    IdentifierKind.VISITOR.value: 4,
    IdentifierKind.PHONE.value: 5,
}
"""In which order kinds of keys join, the strongest first."""

TAKEN_OUT, REST = False, True  # the sides of a decision that records are apart

UNLIMITED = frozenset({IdentifierKind.VENDOR.value, IdentifierKind.TAX_ID.value})
"""Kinds of keys that are never shared, however many carry them."""


class NodeKey(NamedTuple):
    """A key among clients of one kind: an office phone that a firm and its people carry is two."""

    client_kind: str
    kind: str
    value: str


@dataclass(slots=True)
class Member:
    """A record as clustering sees it; ``name`` is comparable (`sync.identity.names`), ``client_id`` the client
    that it has been in until now."""

    record_id: UUID
    record_kind: str
    client_kind: str
    at: datetime
    name: str | None
    keys: frozenset[NodeKey]
    client_id: UUID | None = None


def decision_key(decision_id: UUID) -> str:
    """A decision that records are one client joins them as a key of a vendor would; this is its value."""
    return f"same:{decision_id.hex}"


def is_decision(key: NodeKey) -> bool:
    """Whether a key is a decision: it joins whatever the names say."""
    return key.value.startswith("same:") and key.kind == IdentifierKind.VENDOR


@dataclass(frozen=True, slots=True)
class Apart:
    """A decision of a person: no record that was taken out is one client with one of the rest."""

    taken_out: frozenset[UUID]
    rest: frozenset[UUID]


def name_several_people(names: Iterable[str], kind: str) -> bool:
    """Whether two of the comparable names clearly belong to different people. More names never undo it."""
    return any(clearly_differ(one, other, kind) for one, other in combinations(set(names), 2))


def office_key(key: NodeKey) -> NodeKey | None:
    """The key that a firm's card carries if this key of a person is the firm's desk and not the person's own;
    None where a firm's card says nothing about that (a mobile phone on it may well be the owner's)."""
    if key.client_kind != ClientKind.PERSON:
        return None
    if (key.kind == IdentifierKind.PHONE and is_landline(key.value)) or (
        key.kind == IdentifierKind.EMAIL and is_role_mailbox(key.value)
    ):
        return key._replace(client_kind=ClientKind.COMPANY.value)
    return None


def count_people(names: Iterable[str], kind: str) -> int:
    """About how many people the comparable names belong to: fuller names first, each to the first that fits."""
    people: list[str] = []
    for name in sorted(set(names), key=lambda name: (-len(name.split()), name)):
        if all(clearly_differ(name, person, kind) for person in people):
            people.append(name)
    return len(people)


def carriers_of(members: Iterable[Member]) -> dict[NodeKey, list[Member]]:
    """Who carries each key."""
    carriers: dict[NodeKey, list[Member]] = defaultdict(list)
    for member in members:
        for key in member.keys:
            carriers[key].append(member)
    return carriers


def partition(
    members: Sequence[Member],
    shared: Collection[NodeKey] = (),
    apart: Sequence[Apart] = (),
    carriers: Mapping[NodeKey, list[Member]] | None = None,
) -> list[list[Member]]:
    """The groups that are one client each. ``members`` must hold everyone who can be reached by keys that
    aren't ``shared``."""
    groups = _Groups(members, apart)
    if carriers is None:
        carriers = carriers_of(members)
    kinds = {member.record_id.hex: member.record_kind for member in members}
    joining: list[tuple[int, int, NodeKey, list[Member]]] = []
    for key, who in carriers.items():
        if len(who) > 1 and key not in shared:
            joined = _joined_by(key, who, kinds, shared)
            joining.append((STRENGTH[key.kind], len(joined), key, joined))
    joining.sort(key=lambda join: join[:3])
    for _, _, key, who in joining:
        groups.join(key, who)
    return groups.all()


def _joined_by(
    key: NodeKey, who: list[Member], kinds: Mapping[str, str], shared: Collection[NodeKey]
) -> list[Member]:
    """The carriers whom a key may join: not the calls that it says too little about."""
    if key.kind == IdentifierKind.VENDOR and kinds.get(key.value) in FOUND_BY_PHONE:
        return [member for member in who if not _on_shared_phone(member, shared)]
    if key.kind == IdentifierKind.PHONE and key.client_kind == ClientKind.PERSON and is_landline(key.value):
        return [member for member in who if member.record_kind != RecordKind.CALL or _tells_only_a_landline(member)]
    return who


def _on_shared_phone(member: Member, shared: Collection[NodeKey]) -> bool:
    return member.record_kind == RecordKind.CALL and any(
        key in shared and key.kind == IdentifierKind.PHONE for key in member.keys
    )


def _tells_only_a_landline(member: Member) -> bool:
    """Whether nothing but a landline tells who called. Of a call that knows its visitor, the landline only says
    from which desk it came."""
    return all(
        key.kind == IdentifierKind.VENDOR or (key.kind == IdentifierKind.PHONE and is_landline(key.value))
        for key in member.keys
    )


def tells(group: Sequence[Member], shared: Collection[NodeKey]) -> bool:
    """Whether a group is a client: visits alone aren't, nor is a call or a lead that nothing but shared keys
    (or its own id) speaks for. A card in a CRM always is."""
    return any(
        member.record_kind in CARDS
        or (
            member.record_kind != RecordKind.VISIT
            and (len(group) > 1 or any(_speaks(key) and key not in shared for key in member.keys))
        )
        for member in group
    )


def _speaks(key: NodeKey) -> bool:
    """Whether a key alone says something about a person; a vendor's id does only in company."""
    return key.kind != IdentifierKind.VENDOR


@dataclass(slots=True)
class _Group:
    members: list[Member]
    names: frozenset[str]
    sides: frozenset[tuple[int, bool]] = field(default_factory=frozenset)


class _Groups:
    """Union-find whose groups know the names in them and the decisions that bind them."""

    def __init__(self, members: Sequence[Member], apart: Sequence[Apart]) -> None:
        self._of: dict[UUID, _Group] = {}
        for member in members:
            names = frozenset((member.name,)) if member.name else frozenset[str]()
            self._of[member.record_id] = _Group([member], names)
        for number, decision in enumerate(apart):
            for side, records in ((TAKEN_OUT, decision.taken_out), (REST, decision.rest)):
                for record in records & self._of.keys():
                    self._of[record].sides |= {(number, side)}

    def all(self) -> list[list[Member]]:
        return [group.members for group in {id(group): group for group in self._of.values()}.values()]

    def join(self, key: NodeKey, carriers: Sequence[Member]) -> None:
        groups = list({id(group): group for m in carriers if (group := self._of[m.record_id])}.values())
        if len(groups) < 2:
            return
        guarded = not is_decision(key) and key.kind != IdentifierKind.TAX_ID
        if self._at_odds(groups, key.client_kind, guarded):
            groups = self._of_the_owner(groups, carriers, key.client_kind, guarded)
        if len(groups) > 1:
            self._merge(groups, key.client_kind)

    def _of_the_owner(
        self, groups: list[_Group], carriers: Sequence[Member], kind: str, guarded: bool
    ) -> list[_Group]:
        """The groups that a key joins although its carriers can't all be one client: not those that a person took
        out from among the others; then those of the person on whose own records it stands with a name, and those
        without a name. None if that doesn't settle it."""
        took_out = {number for group in groups for number, side in group.sides if side is REST}
        groups = [group for group in groups if not any((n, TAKEN_OUT) in group.sides for n in took_out)]
        if not self._at_odds(groups, kind, guarded):
            return groups
        owners = {id(self._of[member.record_id]) for member in carriers if member.name}
        owned = [group for group in groups if id(group) in owners]
        if not owned or self._at_odds(owned, kind, guarded):
            return []
        others = [group for group in groups if id(group) not in owners]
        nameless = [group for group in others if not group.names and not group.sides]
        fitting = [
            group
            for group in others
            if (group.names or group.sides)
            and not any(self._opposed(group, owner, kind, guarded) for owner in owned)
        ]
        return owned + nameless + ([] if self._at_odds(fitting, kind, guarded) else fitting)

    def _at_odds(self, groups: Iterable[_Group], kind: str, guarded: bool) -> bool:
        speaking = [group for group in groups if group.sides or (guarded and group.names)]
        return any(self._opposed(one, other, kind, guarded) for one, other in combinations(speaking, 2))

    @staticmethod
    def _opposed(one: _Group, other: _Group, kind: str, guarded: bool) -> bool:
        if one.sides and other.sides and any((number, not side) in other.sides for number, side in one.sides):
            return True
        if not guarded or not one.names or not other.names:
            return False
        return all(clearly_differ(name, other_name, kind) for name in one.names for other_name in other.names)

    def _merge(self, groups: list[_Group], kind: str) -> None:
        largest = max(groups, key=lambda group: len(group.members))
        names = frozenset[str]().union(*(group.names for group in groups))
        largest.names = _fullest(names, kind) if len(names) > 1 else names
        largest.sides = frozenset[tuple[int, bool]]().union(*(group.sides for group in groups))
        for group in groups:
            if group is not largest:
                largest.members += group.members
                for member in group.members:
                    self._of[member.record_id] = largest


def _fullest(names: frozenset[str], kind: str) -> frozenset[str]:
    """Without the names that another one says more fully: 'Ivan' beside 'Ivan Petrov' would let any Ivan in."""
    size = {name: len(name.split()) for name in names}
    return frozenset(
        name
        for name in names
        if not any(size[other] > size[name] and not clearly_differ(name, other, kind) for other in names)
    )
