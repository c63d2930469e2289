"""Records and keys as grouping sees them, and which keys join nobody: pure functions of a set of records.

A *shared* key joins nobody: one on records that clearly name different people, or an office's phone or mailbox.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations
from typing import NamedTuple
from uuid import UUID

from schema.enums import ClientKind, IdentifierKind, RecordKind
from sync.identity.keys import is_landline, is_role_mailbox
from sync.identity.names import clearly_differ

_VENDOR, _PHONE, _EMAIL = (
    kind.value for kind in (IdentifierKind.VENDOR, IdentifierKind.PHONE, IdentifierKind.EMAIL)
)
_VISIT, _PERSON = RecordKind.VISIT.value, ClientKind.PERSON.value
CARDS = frozenset({RecordKind.CONTACT.value, RecordKind.COMPANY.value})
UNLIMITED = frozenset({IdentifierKind.VENDOR.value, IdentifierKind.TAX_ID.value})
"""Kinds of keys that are never shared, however many carry them."""


class NodeKey(NamedTuple):
    """A key among clients of one kind: an office phone that a firm and its people carry is two."""

    client_kind: str
    kind: str
    value: str


@dataclass(slots=True, eq=False)
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
    return key.value.startswith("same:") and key.kind == _VENDOR


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
    if key.client_kind != _PERSON:
        return None
    if (key.kind == _PHONE and is_landline(key.value)) or (key.kind == _EMAIL and is_role_mailbox(key.value)):
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


def tells(group: Sequence[Member], shared: Collection[NodeKey]) -> bool:
    """Whether a group is a client: visits alone aren't, nor is a call or a lead that nothing but shared keys
    (or its own id) speaks for. A card in a CRM always is."""
    return any(
        member.record_kind in CARDS
        or (
            member.record_kind != _VISIT
            and (len(group) > 1 or any(_speaks(key) and key not in shared for key in member.keys))
        )
        for member in group
    )


def _speaks(key: NodeKey) -> bool:
    """Whether a key alone says something about a person; a vendor's id does only in company."""
    return key.kind != _VENDOR
