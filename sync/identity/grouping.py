"""Which records are one client: union-find over keys, held back by guards. Pure functions of a set of records.

A key never joins two groups that are clearly different people already, so what a stronger key says about a record
comes before what a weaker one says. A landline joins no call that tells more about its caller. A phone alone joins
no caller to somebody whom the site knew as another visitor these days, or not at all, nor to its owner if the call
led to somebody else's card: it may be borrowed. And a CRM that hangs a call on a card has found it by the phone:
that says no more than the phone does.

Keys are taken in one order that follows from the data alone (strength, number of carriers, value), so the groups
don't depend on the order in which records came.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import combinations
from typing import NamedTuple
from uuid import UUID

from schema.enums import ClientKind, IdentifierKind, RecordKind
from sync.identity.clusters import Apart, Member, NodeKey, carriers_of, is_decision, name_several_people
from sync.identity.keys import is_landline
from sync.identity.likely import doubted, edges_of, is_probable, unexplained, without_rivals
from sync.identity.names import clearly_differ

_VENDOR, _TAX_ID, _VISITOR, _PHONE = (
    kind.value
    for kind in (IdentifierKind.VENDOR, IdentifierKind.TAX_ID, IdentifierKind.VISITOR, IdentifierKind.PHONE)
)
_CALL, _CONTACT, _PERSON = RecordKind.CALL.value, RecordKind.CONTACT.value, ClientKind.PERSON.value

STRENGTH = {
    IdentifierKind.VENDOR.value: 0,  # the system itself says that it is the same one
    IdentifierKind.TAX_ID.value: 1,
    IdentifierKind.EMAIL.value: 2,
    IdentifierKind.MESSENGER.value: 3,
    IdentifierKind.VISITOR.value: 4,
    IdentifierKind.PHONE.value: 7,
}
"""In which order kinds of keys join, the strongest first."""

DECIDED = -1
"""The strength of a decision that records are one client: nothing that keys tell comes before it."""

MADE_OF_CALL = 5
"""The strength of a probable match of a call and the card that was made of it."""

FOUND_BY_PHONE = 6
"""The strength of a card's (or a CRM lead's) own id on a call."""

ALIKE = 8
"""The strength of other probable matches."""

OTHER_VISITOR_WITHIN = timedelta(days=14)
"""How near in time two visitors must be to be two people although they use one phone: later, the same person may
well have another browser, or the browser another cookie."""

_FOUND_BY_PHONE = frozenset({RecordKind.CONTACT.value, RecordKind.LEAD.value})
"""What a CRM hangs a call on by its phone; a visit it can only know from the site."""

TAKEN_OUT, REST = False, True  # the sides of a decision that records are apart


class Join(NamedTuple):
    """Records that a key would make one. Joins are taken in their own order."""

    strength: int
    carriers: int
    key: NodeKey
    who: list[Member]


def partition(
    members: Sequence[Member],
    shared: Collection[NodeKey] = (),
    apart: Sequence[Apart] = (),
    carriers: Mapping[NodeKey, list[Member]] | None = None,
) -> list[list[Member]]:
    """The groups that are one client each. ``members`` must hold everyone who can be reached by keys that
    aren't ``shared``.

    Most components of the graph hold nothing that could keep two of their records apart and are one group each.
    Only the others are joined key by key, in order.
    """
    if carriers is None:
        carriers = carriers_of(members)
    joins = joins_of(carriers, shared)
    edges = edges_of(carriers, shared)
    likely = {member for edge in edges for member in (edge.one, edge.other)}
    groups: list[list[Member]] = []
    disputed: list[Member] = []
    bound = {record for decision in apart for side in (decision.taken_out, decision.rest) for record in side}
    for component, visitors in _components(members, joins, carriers):
        if (len(component) > 1 or component[0] in likely) and (
            visitors > 1
            or (visitors and _came_after_a_card(component))
            or _several_people(component)
            or (likely and not likely.isdisjoint(component))
            or (bound and any(member.record_id in bound for member in component))
        ):
            disputed += component
        else:
            groups.append(component)
    if disputed:
        among = set(disputed)
        grouping = _Groups(disputed, apart)
        ordered = sorted((join for join in joins if join.who[0] in among), key=lambda join: join[:3])
        for join in ordered:
            if join.strength < MADE_OF_CALL:
                grouping.join(join)
        calls = unexplained(edges, carriers, shared)
        for edge in without_rivals(calls, grouping.group_of):
            if edge.applies:
                grouping.join(Join(MADE_OF_CALL, 2, edge.key, [edge.one, edge.other]))
        borrowed = doubted(edges, carriers, shared)
        for join in ordered:
            if join.strength > MADE_OF_CALL:
                who = [member for member in join.who if member not in borrowed] if borrowed else join.who
                grouping.join(join._replace(who=who) if join.key.kind == _PHONE else join)
        for edge in edges:
            if edge.applies and not edge.of_call:
                grouping.join(Join(ALIKE, 2, edge.key, [edge.one, edge.other]))
        groups += grouping.all()
    return groups


def joins_of(carriers: Mapping[NodeKey, list[Member]], shared: Collection[NodeKey]) -> list[Join]:
    """What each key joins, by its strength: not the calls that it says too little about."""
    joins = []
    for key, who in carriers.items():
        if len(who) < 2 or key in shared or is_probable(key):
            continue
        strength = STRENGTH[key.kind]
        if is_decision(key):
            strength = DECIDED
        elif key.kind == _VENDOR:
            card = next((member for member in who if member.record_id.hex == key.value), None)
            if card is not None and card.record_kind in _FOUND_BY_PHONE:
                told = [member for member in who if member.record_kind != _CALL]
                found = [m for m in who if m.record_kind == _CALL and _says_more(m, card, shared)]
                joins.append(Join(FOUND_BY_PHONE, len(found) + 1, key, [card, *found]))
                who = told
        elif key.kind == _PHONE and key.client_kind == _PERSON and is_landline(key.value):
            who = [m for m in who if m.record_kind != _CALL or _tells_only_a_landline(m)]
        joins.append(Join(strength, len(who), key, who))
    return [join for join in joins if join.carriers > 1]


def _says_more(call: Member, card: Member, shared: Collection[NodeKey]) -> bool:
    """Whether it means more than a phone in common, or than a phone that several people share, that a call hangs
    on a card."""
    return not any(key.kind == _PHONE and (key in shared or key in card.keys) for key in call.keys)


def _tells_only_a_landline(member: Member) -> bool:
    """Whether nothing but a landline tells who called. Of a call that knows its visitor, the landline only says
    from which desk it came."""
    return all(key.kind == _VENDOR or (key.kind == _PHONE and is_landline(key.value)) for key in member.keys)


def _came_after_a_card(component: Sequence[Member]) -> bool:
    """Whether the site knew somebody within two weeks after a card was made, who may be another than its owner."""
    carded = [member.at for member in component if _is_card(member)]
    return bool(carded) and any(
        timedelta() < member.at - at <= OTHER_VISITOR_WITHIN
        for member in component
        if any(key.kind == _VISITOR for key in member.keys)
        for at in carded
    )


def _is_card(member: Member) -> bool:
    return member.record_kind == _CONTACT and member.name is not None


def _several_people(component: Sequence[Member]) -> bool:
    names = {member.name for member in component if member.name}
    return len(names) > 1 and name_several_people(names, component[0].client_kind)


def _components(
    members: Sequence[Member], joins: Sequence[Join], carriers: Mapping[NodeKey, list[Member]]
) -> Iterator[tuple[list[Member], int]]:
    """The connected components, each with the number of groups in it that know visitors and that nothing but
    phones joins."""
    place = {member: number for number, member in enumerate(members)}
    parent = list(range(len(members)))

    def find(number: int) -> int:
        while parent[number] != number:
            parent[number] = number = parent[parent[number]]
        return number

    def unite(who: Sequence[Member]) -> None:
        first = find(place[who[0]])
        for member in who:
            parent[find(place[member])] = first

    for join in joins:
        if join.strength < MADE_OF_CALL:
            unite(join.who)
    knowing = {find(place[member]) for key, who in carriers.items() if key.kind == _VISITOR for member in who}
    for join in joins:
        if join.strength > MADE_OF_CALL:
            unite(join.who)
    components: dict[int, list[Member]] = defaultdict(list)
    for number, member in enumerate(members):
        components[find(number)].append(member)
    visitors: dict[int, int] = defaultdict(int)
    for number in knowing:
        visitors[find(number)] += 1
    for number, component in components.items():
        yield component, visitors[number]


@dataclass(slots=True)
class _Group:
    """``seen``: the first and the last time that a record told the group's visitors; ``carded``: when the first
    card with a name was made."""

    members: list[Member]
    names: frozenset[str]
    visitors: frozenset[str]
    seen: tuple[datetime, datetime]
    carded: datetime | None = None
    sides: frozenset[tuple[int, bool]] = field(default_factory=frozenset)


class _Groups:
    """Union-find whose groups know the names and visitors in them and the decisions that bind them."""

    def __init__(self, members: Sequence[Member], apart: Sequence[Apart]) -> None:
        self.group_of: dict[Member, _Group] = {}
        for member in members:
            names = frozenset((member.name,)) if member.name else frozenset[str]()
            visitors = frozenset(key.value for key in member.keys if key.kind == _VISITOR)
            carded = member.at if _is_card(member) else None
            self.group_of[member] = _Group([member], names, visitors, (member.at, member.at), carded)
        if apart:
            group_of = {member.record_id: group for member, group in self.group_of.items()}
            for number, decision in enumerate(apart):
                for side, records in ((TAKEN_OUT, decision.taken_out), (REST, decision.rest)):
                    for record in records & group_of.keys():
                        group_of[record].sides |= {(number, side)}

    def all(self) -> list[list[Member]]:
        return [group.members for group in {id(group): group for group in self.group_of.values()}.values()]

    def join(self, join: Join) -> None:
        groups = list({id(group): group for m in join.who if (group := self.group_of[m])}.values())
        if len(groups) < 2:
            return
        odds = _Odds(join)
        if odds.among(groups):
            groups = self._of_the_owner(groups, join.who, odds)
        if len(groups) > 1:
            self._merge(groups, join.key.client_kind)

    def _of_the_owner(self, groups: list[_Group], carriers: Sequence[Member], odds: _Odds) -> list[_Group]:
        """The groups that a key joins although its carriers can't all be one client: not those that a person took
        out from among the others; then those of the person on whose own records it stands with a name, those
        without a name, and, of several visitors, the one who used it at the time of those records (a card is made
        of a call), or first. None if that doesn't settle it."""
        took_out = {number for group in groups for number, side in group.sides if side is REST}
        groups = [group for group in groups if not any((n, TAKEN_OUT) in group.sides for n in took_out)]
        if not odds.among(groups):
            return groups
        owners = {id(self.group_of[member]) for member in carriers if member.name}
        owned = [group for group in groups if id(group) in owners]
        if odds.among(owned):
            return []
        fitting = [
            group
            for group in groups
            if id(group) not in owners and not any(odds.between(group, owner) for owner in owned)
        ]
        named = [group for group in fitting if group.names or group.sides]
        if odds.among(named):
            if not owned:
                return []
            fitting = [group for group in fitting if not group.names and not group.sides]
        used: dict[int, list[tuple[float, datetime, UUID]]] = defaultdict(list)
        named_at = [member.at for member in carriers if member.name]
        for member in carriers:
            apart = min((abs(member.at - at).total_seconds() for at in named_at), default=0.0)
            used[id(self.group_of[member])].append((apart, member.at, member.record_id))
        chosen = list(owned)
        for group in sorted(fitting, key=lambda group: min(used[id(group)])):
            if not any(odds.between(group, other) for other in chosen):
                chosen.append(group)
        return chosen

    def _merge(self, groups: list[_Group], kind: str) -> None:
        largest = max(groups, key=lambda group: len(group.members))
        names = frozenset[str]().union(*(group.names for group in groups))
        largest.names = _fullest(names, kind) if len(names) > 1 else names
        knowing = [group for group in groups if group.visitors] or groups
        largest.seen = min(group.seen[0] for group in knowing), max(group.seen[1] for group in knowing)
        largest.carded = min((group.carded for group in groups if group.carded), default=None)
        largest.visitors = frozenset[str]().union(*(group.visitors for group in groups))
        largest.sides = frozenset[tuple[int, bool]]().union(*(group.sides for group in groups))
        for group in groups:
            if group is not largest:
                largest.members += group.members
                for member in group.members:
                    self.group_of[member] = largest


class _Odds:
    """What keeps two groups from being joined by a key. A decision and a tax id join whatever the names say."""

    def __init__(self, join: Join) -> None:
        self._kind = join.key.client_kind
        self._names = not is_decision(join.key) and join.key.kind != _TAX_ID
        self._visitors = join.strength >= MADE_OF_CALL

    def among(self, groups: Iterable[_Group]) -> bool:
        speaking = [group for group in groups if group.sides or group.names or group.visitors]
        return any(self.between(one, other) for one, other in combinations(speaking, 2))

    def between(self, one: _Group, other: _Group) -> bool:
        if one.sides and other.sides and any((number, not side) in other.sides for number, side in one.sides):
            return True
        if self._names and one.names and other.names:
            return all(
                clearly_differ(name, other_name, self._kind) for name in one.names for other_name in other.names
            )
        return self._visitors and (
            _other_visitors(one, other) or _unknown_to_the_site(one, other) or _unknown_to_the_site(other, one)
        )


def _other_visitors(one: _Group, other: _Group) -> bool:
    """Whether the site knew two groups as different visitors at about one time."""
    return bool(
        one.visitors
        and other.visitors
        and one.visitors.isdisjoint(other.visitors)
        and max(one.seen[0], other.seen[0]) - min(one.seen[1], other.seen[1]) <= OTHER_VISITOR_WITHIN
    )


def _unknown_to_the_site(owner: _Group, caller: _Group) -> bool:
    """Whether a caller whom the site knows came soon after the card of an owner whom it has never seen: had the
    owner come by the site, his first call would tell."""
    return bool(
        owner.carded
        and not owner.visitors
        and caller.visitors
        and timedelta() < caller.seen[0] - owner.carded <= OTHER_VISITOR_WITHIN
    )


def _fullest(names: frozenset[str], kind: str) -> frozenset[str]:
    """Without the names that another one says more fully: 'Ivan' beside 'Ivan Petrov' would let any Ivan in."""
    size = {name: len(name.split()) for name in names}
    return frozenset(
        name
        for name in names
        if not any(size[other] > size[name] and not clearly_differ(name, other, kind) for other in names)
    )
