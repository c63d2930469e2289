"""The neighbourhood of changed records, grouped anew: who is whose from now on, before anything is written."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from schema.enums import ClientKind, RecordKind
from sync.identity import reading
from sync.identity.clusters import (
    UNLIMITED,
    Apart,
    Member,
    NodeKey,
    carriers_of,
    count_people,
    name_several_people,
    office_key,
    tells,
)
from sync.identity.founding import ClientRow, Founding, Group, changed, close, found
from sync.identity.grouping import partition
from sync.identity.likely import Proposal, is_probable, proposals
from sync.identity.reading import CAP, OFFICE, Conn

_FOUNDING_NOBODY = RecordKind.VISIT.value  # its id is never a client's


@dataclass(slots=True)
class Settling:
    """A neighbourhood, grouped anew: what would change, before anything is written."""

    members: dict[UUID, Member]
    groups: list[Group]
    founding: Founding
    rows: dict[UUID, ClientRow]
    newly_shared: dict[NodeKey, tuple[str, int]]
    unshared: set[NodeKey]
    shared: set[NodeKey]
    together: Collection[UUID]
    proposals: list[Proposal]
    weighed: set[UUID]
    """The records that probable matches speak of, or spoke of before."""
    parted: list[Apart]
    """The decision that ``parting`` made."""
    shared_otherwise: dict[NodeKey, tuple[str, int]]
    """Keys that stay shared, from now on for another reason."""

    def client_of(self, member: Member) -> UUID | None:
        """The client of a record of the neighbourhood from now on."""
        return self.founding.client_of.get(member.record_id, member.client_id)

    def moved_records(self) -> set[UUID]:
        """The records whose client is another from now on."""
        return {id for id, client in self.founding.client_of.items() if client != self.members[id].client_id}


async def settle(
    conn: Conn,
    workspace_id: UUID,
    *,
    before: dict[UUID, Member],
    after: dict[UUID, Member],
    seeds: Iterable[NodeKey] = (),
    listed: Collection[NodeKey] = (),
    parting: Callable[[Collection[NodeKey]], Apart] | None = None,
    together: Collection[UUID] = (),
    complete: Collection[UUID] = (),
) -> Settling:
    """Group the neighbourhood of changed records (``before`` → ``after``; in ``before`` alone: taken out) and of
    ``seeds``, as if ``listed`` keys were shared, the decision that ``parting`` makes of the shared keys made, and
    those that keep records of ``together`` from each other taken back. All records of the clients ``complete`` must
    be among those given. It only reads."""
    touched = set(seeds)
    for member in (*before.values(), *after.values()):
        touched |= member.keys
    touched |= {
        key._replace(client_kind=ClientKind.PERSON.value)
        for key in touched
        if key.client_kind == ClientKind.COMPANY and key.kind not in UNLIMITED
    }
    members = dict(after)
    out_of_sight = members.keys() | before.keys()
    closed: set[UUID] = set()
    stored = await _gather(conn, workspace_id, touched, members, out_of_sight, closed, complete=complete)
    guarded = {key for key in touched if key.kind not in UNLIMITED}
    firms = {key: firm for key in guarded if (firm := office_key(key)) is not None}
    on_firms = await reading.carried(conn, workspace_id, set(firms.values()), out_of_sight)
    on_firms |= {
        key for member in after.values() if member.client_kind == ClientKind.COMPANY for key in member.keys
    }
    offices = {key for key, firm in firms.items() if firm in on_firms}
    left_by_firms = {
        key for member in before.values() if member.client_kind == ClientKind.COMPANY for key in member.keys
    }
    freed, renamed = set[NodeKey](), dict[NodeKey, tuple[str, int]]()
    for key in sorted(stored.keys() & guarded & offices):
        if stored[key] == CAP:  # an office's number it is, however many used it before its firm was known
            names = await reading.names_on(conn, workspace_id, key, out_of_sight)
            renamed[key] = OFFICE, count_people(names | _names(key, members), key.client_kind)
    for key in sorted((stored.keys() & guarded) - offices):
        if stored.get(key) == OFFICE or (
            stored.get(key) == CAP and (firms.get(key) in left_by_firms or _lost_a_name(key, before, after))
        ):
            names = await reading.names_on(conn, workspace_id, key, out_of_sight)
            names |= _names(key, members)
            if not name_several_people(names, key.client_kind):
                freed.add(key)
            elif stored[key] == OFFICE:
                renamed[key] = CAP, count_people(names, key.client_kind)
    if freed:
        for key in freed:
            del stored[key]
        stored |= await _gather(conn, workspace_id, freed, members, members.keys() | before.keys(), closed, freed)
    carriers = carriers_of(members.values())
    newly: dict[NodeKey, tuple[str, int]] = {}
    for key in guarded - stored.keys():
        names = {member.name for member in carriers.get(key, ()) if member.name}
        if key in offices and key in carriers:
            newly[key] = OFFICE, count_people(names, key.client_kind)
        elif len(names) > 1 and name_several_people(names, key.client_kind):
            newly[key] = CAP, count_people(names, key.client_kind)
    shared = {*stored, *newly, *listed}
    decisions = [
        decision
        for decision in await reading.apart(conn, workspace_id, members)
        if decision.taken_out.isdisjoint(together) or decision.rest.isdisjoint(together)
    ]
    made = [parting(shared)] if parting is not None else []
    decisions += made
    parted = partition(list(members.values()), shared, decisions, carriers)
    groups = [Group(group, tells(group, shared)) for group in parted]
    everyone = groups
    groups = changed(groups)
    gone = [member.client_id for id, member in before.items() if id not in after and member.client_id]
    ids = {member.client_id for group in groups for member in group.members if member.client_id is not None}
    ids |= {m.record_id for group in groups for m in group.members if m.record_kind != _FOUNDING_NOBODY}
    # A record that gets its first key was in a client that no stored key leads to: is that one closed?
    kept = [member.client_id for member in after.values() if member.client_id]
    rows = {row.id: row for row in await reading.clients(conn, workspace_id, ids.union(gone, kept))}
    came_back = [
        row.id
        for row in rows.values()
        if row.merged_into is None and (founder := members.get(row.id)) is not None and founder.client_id != row.id
    ]
    inhabited = await reading.inhabited(conn, workspace_id, came_back)
    founding = found(groups, rows.values(), inhabited)
    close(founding, everyone, carriers, shared, closed | {row.id for row in rows.values() if row.closed})
    weighed = {member.record_id for key, who in carriers.items() if is_probable(key) for member in who}
    weighed |= {member.record_id for member in before.values() if any(map(is_probable, member.keys))}
    proposed = proposals(parted, carriers, shared, decisions) if weighed else []
    return Settling(
        members, groups, founding, rows, newly, freed, shared, together, proposed, weighed, made, renamed
    )


async def _gather(
    conn: Conn,
    workspace_id: UUID,
    keys: Iterable[NodeKey],
    members: dict[UUID, Member],
    out_of_sight: Collection[UUID],
    closed: set[UUID],
    passing: Collection[NodeKey] = (),
    complete: Collection[UUID] = (),
) -> dict[NodeKey, str]:
    """Add to ``members`` everyone who can be reached over keys that aren't shared, to ``closed`` the clients met
    that are closed; returns the shared keys met. Clients that are ``complete`` aren't read again."""
    known = set(out_of_sight)
    known_clients = set(complete)
    shared: dict[NodeKey, str] = {}
    looked_up: set[NodeKey] = set()
    frontier = set(keys)
    while frontier:
        guarded = [key for key in frontier if key.kind not in UNLIMITED and key not in passing]
        met = await reading.met(conn, workspace_id, guarded, frontier.difference(guarded))
        shared |= met.shared
        closed |= met.closed
        looked_up |= frontier
        lone, clients = met.records - known, met.clients - known_clients
        if not lone and not clients:
            break
        found = await reading.members(conn, workspace_id, lone, clients)
        new = [member for id, member in found.items() if id not in known]
        members.update((member.record_id, member) for member in new)
        known.update(member.record_id for member in new)
        known_clients |= clients
        frontier = {key for member in new if member.client_id not in closed for key in member.keys} - looked_up
    return shared


def _names(key: NodeKey, members: Mapping[UUID, Member]) -> set[str]:
    """The names of those in sight that have the key."""
    return {member.name for member in members.values() if member.name and key in member.keys}


def _lost_a_name(key: NodeKey, before: dict[UUID, Member], after: dict[UUID, Member]) -> bool:
    """Whether a key may be shared no more: only a name that goes can undo what several names did."""
    return any(
        key in old.keys
        and old.name is not None
        and ((new := after.get(id)) is None or key not in new.keys or new.name != old.name)
        for id, old in before.items()
    )
