"""Which client a group of records is: ids that stay while groups merge and part.

A client's id is that of its founding record. The group that holds the founder has a claim to the client; where
several claims meet, the older client survives and the others point to it. A client whose founder is gone, or
tells nobody any more, is claimed by the oldest record that it had.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID, uuid4

from schema.enums import RecordKind
from sync.identity.clusters import Member, NodeKey


@dataclass(slots=True)
class ClientRow:
    """A client as the table knows it."""

    id: UUID
    kind: str
    founded_at: datetime
    merged_into: UUID | None = None
    closed: bool = False


@dataclass(slots=True)
class Group:
    """Records that belong together; ``is_client`` unless nothing in them tells who it is."""

    members: list[Member]
    is_client: bool


@dataclass(slots=True)
class Founding:
    """What becomes of clients: ``client_of`` each record of a changed group, new clients, the clients whose
    ``merged_into`` is another now, and those (not new ones) that are ``closed`` from now on, or no more."""

    client_of: dict[UUID, UUID | None] = field(default_factory=dict)
    founded: list[ClientRow] = field(default_factory=list)
    pointed: dict[UUID, UUID | None] = field(default_factory=dict)
    closed: dict[UUID, bool] = field(default_factory=dict)


def changed(groups: Iterable[Group]) -> list[Group]:
    """The groups that aren't exactly one client of before."""
    groups = list(groups)
    sizes = Counter(member.client_id for group in groups for member in group.members)

    def same(group: Group) -> bool:
        before = {member.client_id for member in group.members}
        if not group.is_client:
            return before == {None}
        only = next(iter(before))
        return len(before) == 1 and only is not None and sizes[only] == len(group.members)

    return [group for group in groups if not same(group)]


def found(groups: Sequence[Group], rows: Iterable[ClientRow], inhabited: Collection[UUID] = ()) -> Founding:
    """Give each of the changed ``groups`` its client.

    ``rows`` are the clients that the records were in, those whose id is one of the records', and those merged
    into any of them. ``inhabited`` are those ids that other records live under, although the record with this
    id isn't among them (it was deleted once, and came back).
    """
    by_id = {row.id: row for row in rows}
    claims = _claims(groups, by_id)
    claimants: dict[int, list[ClientRow]] = defaultdict(list)
    for id, number in claims.items():
        claimants[number].append(by_id[id])
    result = Founding()
    winner: dict[int, UUID] = {}
    for number, group in enumerate(groups):
        if group.is_client:
            mine = claimants[number]
            winner[number] = _survivor(mine) if mine else _new(group, by_id, inhabited, result)
        result.client_of |= dict.fromkeys([member.record_id for member in group.members], winner.get(number))
    survivors = set(winner.values())
    for row in by_id.values():
        if row.id in survivors:
            points_to = None
        elif row.id in claims:
            points_to = winner[claims[row.id]]
        else:
            points_to = row.merged_into
        if points_to != row.merged_into:
            result.pointed[row.id] = points_to
    for row in by_id.values():  # merged ones without a claim go where their survivor went
        if row.id not in survivors and row.id not in claims and row.merged_into is not None:
            further = result.pointed.get(row.merged_into)
            if further is not None:
                result.pointed[row.id] = further
    return result


def close(
    founding: Founding,
    groups: Sequence[Group],
    carriers: Mapping[NodeKey, Sequence[Member]],
    shared: Collection[NodeKey],
    were_closed: Collection[UUID],
) -> None:
    """Say which of the clients are closed: those without a key that is shared or stands on another's record too."""
    number_of = {member: number for number, group in enumerate(groups) for member in group.members}
    open_groups: set[int] = set()
    for key, who in carriers.items():
        if len(who) > 1 or key in shared:
            numbers = {number_of[member] for member in who}
            if len(numbers) > 1 or key in shared:
                open_groups |= numbers
    new = {row.id: row for row in founding.founded}
    for number, group in enumerate(groups):
        first = group.members[0]
        client = founding.client_of.get(first.record_id, first.client_id)
        if client is None:
            continue
        closed = number not in open_groups
        if client in new:
            new[client].closed = closed
        elif closed != (client in were_closed):
            founding.closed[client] = closed


def _claims(groups: Sequence[Group], rows: dict[UUID, ClientRow]) -> dict[UUID, int]:
    """Which group each client falls to."""
    claims: dict[UUID, int] = {}
    for number, group in enumerate(groups):
        if group.is_client:
            for member in group.members:
                row = rows.get(member.record_id)
                if row is not None and member.client_id == (row.merged_into or row.id):
                    claims[row.id] = number
    heirless = {id for id, row in rows.items() if id not in claims and row.merged_into is None}
    if heirless:
        heirs: dict[UUID, tuple[tuple[datetime, UUID], int]] = {}
        for number, group in enumerate(groups):
            for member in group.members if group.is_client else ():
                if member.client_id in heirless:
                    heir = (member.at, member.record_id), number
                    heirs[member.client_id] = min(heirs.get(member.client_id, heir), heir)
        claims |= {id: number for id, (_, number) in heirs.items()}
    return claims


def _survivor(claimants: Iterable[ClientRow]) -> UUID:
    return min(claimants, key=lambda row: (row.merged_into is not None, row.founded_at, row.id)).id


def _new(group: Group, rows: dict[UUID, ClientRow], inhabited: Collection[UUID], result: Founding) -> UUID:
    """Found a client by the oldest record that isn't a visit, and whose id is free."""
    founders = sorted(
        (member.at, member.record_id)
        for member in group.members
        if member.record_kind != RecordKind.VISIT and member.record_id not in inhabited
    )
    at, id = founders[0] if founders else (min(member.at for member in group.members), uuid4())
    if id not in rows:
        result.founded.append(ClientRow(id, group.members[0].client_kind, at))
    return id


def moves(groups: Iterable[Group], founding: Founding) -> dict[tuple[UUID, UUID | None], list[Member]]:
    """The records that go from one client to another (or to none), by (from, to)."""
    moved: dict[tuple[UUID, UUID | None], list[Member]] = defaultdict(list)
    for group in groups:
        for member in group.members:
            to = founding.client_of[member.record_id]
            if member.client_id is not None and member.client_id != to:
                moved[member.client_id, to].append(member)
    return moved
