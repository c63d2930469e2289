"""Take records into the graph of who is who, or out of it, and settle which clients follow.

Work is local: the neighbourhood of the records' keys, before and after, is read, grouped in memory
(`sync.identity.clusters`) and written back where it differs. The groups depend only on what is stored in the
end, never on the order, the batches or the repetition in which it came.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from schema.enums import ClientKind, IdentifierKind, MergeKind, RecordKind
from sync.identity import reading, writing
from sync.identity.candidates import Candidate
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
from sync.identity.following import clients_of, follow, nobodys_deals
from sync.identity.founding import ClientRow, Founding, Group, changed, close, found, moves
from sync.identity.grouping import partition
from sync.identity.keys import Key
from sync.identity.names import name_for_comparison
from sync.identity.reading import CAP, OFFICE, Conn

RULE = "rule"
"""The actor of what follows from the keys alone."""

_MOST_EVIDENCE = 50  # keys in one row of the log


@dataclass(slots=True)
class Outcome:
    """What taking records in did. ``clients``: the client of each record given, None where nothing tells;
    ``touched``: all clients that got or lost a record, merged ones too; ``unowned``: records and
    deals that were nobody's before or are from now on, but for records that are new."""

    clients: dict[UUID, UUID | None] = field(default_factory=dict)
    touched: set[UUID] = field(default_factory=set)
    unowned: set[UUID] = field(default_factory=set)
    founded: int = 0
    merged: int = 0
    parted: int = 0
    moved: int = 0
    new_clients: set[UUID] = field(default_factory=set)
    decided: list[tuple[str, UUID, UUID | None]] = field(default_factory=list)
    """What the log got: merge, survivor, merged one; or split, parted one, the one that went out."""


async def absorb(
    conn: Conn,
    workspace_id: UUID,
    candidates: Sequence[Candidate],
    run_id: UUID | None,
    *,
    removed: Sequence[UUID] = (),
) -> Outcome:
    """Replace what these records tell, take the ``removed`` ones out, and settle whose all concerned are.

    It works in the caller's transaction (which must read committed data) and holds the workspace's identity
    until that ends; it moves the stored rows of records, and of what follows them, to their new clients. The rows
    of the candidates themselves are the caller's to write, with ``Outcome.clients``.
    """
    await reading.lock(conn, workspace_id)
    given = {candidate.record_id: candidate for candidate in candidates}
    gone = [record_id for record_id in dict.fromkeys(removed) if record_id not in given]
    if not given and not gone:
        return Outcome()
    before = await reading.members(conn, workspace_id, [*given, *gone])
    decided = await reading.same_keys(conn, workspace_id, given)
    given = {id: _with_decisions(candidate, decided.get(id, ())) for id, candidate in given.items()}
    after = {id: _member(candidate, before.get(id)) for id, candidate in given.items()}
    changed_records = {
        id for id, member in after.items() if (old := before.get(id)) is None or _differ(member, old)
    }
    if not changed_records and not before.keys() & set(gone):
        return Outcome({id: member.client_id for id, member in after.items()})
    cause = _lost_keys(before, after)
    settling = await settle(
        conn,
        workspace_id,
        before={id: before[id] for id in before if id in changed_records or id not in after},
        after={id: after[id] for id in changed_records},
    )
    await writing.write_keys(conn, workspace_id, before, (given[id] for id in changed_records))
    await writing.drop_records(conn, workspace_id, gone)
    await writing.write_records(
        conn,
        workspace_id,
        [(given[id], after[id].name, settling.client_of(after[id])) for id in changed_records],
    )
    concerned = {id: RecordKind(after[id].record_kind) for id in changed_records}
    concerned |= {id: RecordKind(before[id].record_kind) for id in gone if id in before}
    if gone:
        await writing.move(conn, workspace_id, [(id, before[id].record_kind, None) for id in gone if id in before])
    outcome = await write(
        conn, workspace_id, settling, cause, RULE, run_id, written=changed_records, concerned=concerned
    )
    outcome.unowned -= given.keys() - before.keys()
    outcome.clients = {id: settling.client_of(member) for id, member in after.items()}
    for id in concerned:
        outcome.touched |= {
            client
            for client in (before[id].client_id if id in before else None, outcome.clients.get(id))
            if client is not None
        }
    return outcome


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
    apart: Sequence[Apart] = (),
    together: Collection[UUID] = (),
) -> Settling:
    """Group the neighbourhood of changed records (``before`` → ``after``; in ``before`` alone: taken out) and of
    ``seeds``, as if ``listed`` keys were shared, the decisions ``apart`` made, and those that keep records of
    ``together`` from each other taken back. It only reads."""
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
    stored = await _gather(conn, workspace_id, touched, members, out_of_sight, closed)
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
    freed = set[NodeKey]()
    for key in sorted(guarded - offices):
        if stored.get(key) == OFFICE or (
            stored.get(key) == CAP and (firms.get(key) in left_by_firms or _lost_a_name(key, before, after))
        ):
            names = await reading.names_on(conn, workspace_id, key, out_of_sight)
            names |= {member.name for member in members.values() if member.name and key in member.keys}
            if not name_several_people(names, key.client_kind):
                freed.add(key)
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
    decisions += apart
    groups = [
        Group(group, tells(group, shared))
        for group in partition(list(members.values()), shared, decisions, carriers)
    ]
    everyone = groups
    groups = changed(groups)
    gone = [member.client_id for id, member in before.items() if id not in after and member.client_id]
    ids = {id for group in groups for member in group.members for id in (member.record_id, member.client_id) if id}
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
    return Settling(members, groups, founding, rows, newly, freed, shared, together)


async def write(
    conn: Conn,
    workspace_id: UUID,
    settling: Settling,
    cause: dict[str, Any],
    actor: str,
    run_id: UUID | None,
    written: Collection[UUID] = (),
    concerned: Mapping[UUID, RecordKind] | None = None,
) -> Outcome:
    """Write what a settling changes, but for the keys and rows of the records ``written`` by the caller. What
    follows the records ``concerned`` is looked at too, whether those moved or not."""
    founding = settling.founding
    await writing.drop_shared(conn, workspace_id, settling.unshared)
    await writing.write_shared(conn, workspace_id, settling.newly_shared)
    await writing.write_clients(conn, workspace_id, founding)
    moved = settling.moved_records()
    await writing.move(
        conn,
        workspace_id,
        [(id, settling.members[id].record_kind, founding.client_of[id]) for id in sorted(moved - set(written))],
    )
    outcome = Outcome(founded=len(founding.founded), new_clients={row.id for row in founding.founded})
    await _log(conn, workspace_id, settling, cause, actor, run_id, outcome)
    for id in moved:
        outcome.touched |= {
            client for client in (settling.members[id].client_id, founding.client_of[id]) if client is not None
        }
    outcome.touched |= founding.pointed.keys()
    kinds = {id: RecordKind(settling.members[id].record_kind) for id in moved}
    followed = await follow(conn, workspace_id, kinds | dict(concerned or {}))
    outcome.touched |= clients_of(followed)
    outcome.unowned = nobodys_deals(followed)
    outcome.unowned |= {
        id for id in moved if settling.members[id].client_id is None or founding.client_of[id] is None
    }
    return outcome


async def _gather(
    conn: Conn,
    workspace_id: UUID,
    keys: Iterable[NodeKey],
    members: dict[UUID, Member],
    out_of_sight: Collection[UUID],
    closed: set[UUID],
    passing: Collection[NodeKey] = (),
) -> dict[NodeKey, str]:
    """Add to ``members`` everyone who can be reached over keys that aren't shared, to ``closed`` the clients met
    that are closed; returns the shared keys met."""
    known = set(out_of_sight)
    known_clients = set[UUID]()
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


def _lost_a_name(key: NodeKey, before: dict[UUID, Member], after: dict[UUID, Member]) -> bool:
    """Whether a key may be shared no more: only a name that goes can undo what several names did."""
    return any(
        key in old.keys
        and old.name is not None
        and ((new := after.get(id)) is None or key not in new.keys or new.name != old.name)
        for id, old in before.items()
    )


def _with_decisions(candidate: Candidate, decided: Iterable[str]) -> Candidate:
    keys = tuple(Key(IdentifierKind.VENDOR, value, "decided by hand") for value in decided)
    return replace(candidate, keys=candidate.keys + keys) if keys else candidate


def _member(candidate: Candidate, before: Member | None) -> Member:
    kind = candidate.client_kind.value
    return Member(
        candidate.record_id,
        candidate.record_kind.value,
        kind,
        candidate.at,
        name_for_comparison(candidate.names, kind),
        frozenset(NodeKey(kind, str(key.kind), key.value) for key in candidate.keys),
        before.client_id if before is not None else None,
    )


def _differ(new: Member, old: Member) -> bool:
    return new.keys != old.keys or new.name != old.name or new.at != old.at


def _lost_keys(before: dict[UUID, Member], after: dict[UUID, Member]) -> dict[str, Any]:
    """Why clients may part: the keys that records carry no more."""
    lost = [
        {"record": str(id), "kind": key.kind, "value": key.value}
        for id, old in before.items()
        for key in sorted(old.keys - (after[id].keys if id in after else frozenset()))
    ]
    return {"lost": lost[:_MOST_EVIDENCE]} if lost else {}


async def _log(
    conn: Conn,
    workspace_id: UUID,
    settling: Settling,
    cause: dict[str, Any],
    actor: str,
    run_id: UUID | None,
    outcome: Outcome,
) -> None:
    moved = moves(settling.groups, settling.founding)
    if not moved:
        return
    group_of = {member.record_id: group for group in settling.groups for member in group.members}
    joining = {
        merged: _joining(group_of[who[0].record_id], settling.shared)
        for merged, who in moved.items()
        if _merges(settling, *merged)
    }
    raw = await reading.raw_keys(
        conn,
        workspace_id,
        {(member.record_id, key) for keys in joining.values() for key, who in keys.items() for member in who},
    )
    shared_now = [{"kind": key.kind, "value": key.value} for key in sorted(settling.newly_shared)]
    rows: list[tuple[str, UUID, UUID | None, list[UUID], dict[str, Any]]] = []
    for (old, new), who in sorted(moved.items(), key=lambda item: (item[0][0], str(item[0][1]))):
        records = sorted(member.record_id for member in who)
        if (old, new) in joining and new is not None:
            evidence: dict[str, Any] = {"keys": _told(joining[old, new], raw)}
            rows.append((MergeKind.MERGE, new, old, records, evidence))
            outcome.merged += 1
        else:
            evidence = {**cause, **({"shared": shared_now} if shared_now else {})}
            rows.append((MergeKind.SPLIT, old, new, records, evidence))
            outcome.parted += 1
        outcome.moved += len(records)
    outcome.decided = [(kind, client, other) for kind, client, other, _, _ in rows]
    await writing.write_log(conn, workspace_id, rows, actor, run_id)


def _merges(settling: Settling, old: UUID, new: UUID | None) -> bool:
    """Whether records go from one client to another because the one became part of the other."""
    into = settling.founding.pointed.get(old, settling.rows[old].merged_into if old in settling.rows else None)
    return new is not None and into == new


def _joining(group: Group, shared: Collection[NodeKey]) -> dict[NodeKey, list[Member]]:
    """The keys of a group that stand on records of several former clients (or of none), with these records."""
    carriers = carriers_of(group.members)
    joining = [
        key
        for key, who in carriers.items()
        if key not in shared and len({member.client_id or member.record_id for member in who}) > 1
    ]
    return {key: carriers[key] for key in sorted(joining)[:_MOST_EVIDENCE]}


def _told(joining: dict[NodeKey, list[Member]], raw: dict[tuple[UUID, NodeKey], str]) -> list[dict[str, Any]]:
    return [
        {
            "kind": key.kind,
            "value": key.value,
            "records": [
                {
                    "record": str(member.record_id),
                    "kind": member.record_kind,
                    "raw": raw.get((member.record_id, key)),
                }
                for member in sorted(who, key=lambda member: member.record_id)
            ],
        }
        for key, who in joining.items()
    ]
