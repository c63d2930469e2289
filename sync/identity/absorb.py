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

from schema.enums import IdentifierKind, MergeKind, RecordKind
from sync.identity import journal, probable, queue, reading, writing
from sync.identity.candidates import Candidate
from sync.identity.clusters import Member, NodeKey
from sync.identity.following import clients_of, counted_alone, follow
from sync.identity.keys import Key
from sync.identity.likely import is_probable
from sync.identity.names import name_for_comparison
from sync.identity.reading import Conn
from sync.identity.settling import Settling, settle

RULE = "rule"
"""The actor of what follows from the keys alone."""


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

    def add(self, other: Outcome) -> None:
        """Count what another step of the same work did in."""
        self.clients |= other.clients
        self.touched |= other.touched
        self.unowned |= other.unowned
        self.new_clients |= other.new_clients
        self.decided += other.decided
        self.founded += other.founded
        self.merged += other.merged
        self.parted += other.parted
        self.moved += other.moved


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
    linked = await probable.link(conn, workspace_id, given, gone, before)
    given = {id: _with_matches(candidate, before.get(id), linked) for id, candidate in given.items()}
    after = {id: _member(candidate, before.get(id)) for id, candidate in given.items()}
    changed_records = {
        id for id, member in after.items() if (old := before.get(id)) is None or _differ(member, old)
    }
    partners = await reading.members(conn, workspace_id, linked.records() - given.keys() - set(gone))
    if not partners and not changed_records and not before.keys() & set(gone):
        return Outcome({id: member.client_id for id, member in after.items()})
    cause = journal.lost_keys(before, after)
    settling = await settle(
        conn,
        workspace_id,
        before={id: before[id] for id in before if id in changed_records or id not in after} | partners,
        after={id: after[id] for id in changed_records}
        | {id: linked.applied_to(member) for id, member in partners.items()},
    )
    concerned = {id: RecordKind(after[id].record_kind) for id in changed_records}
    concerned |= {id: RecordKind(before[id].record_kind) for id in gone if id in before}
    async with conn.pipeline():
        await writing.write_keys(conn, workspace_id, before, (given[id] for id in changed_records))
        await probable.write_partners(conn, workspace_id, linked, partners)
        await writing.drop_records(conn, workspace_id, gone)
        await writing.write_records(
            conn,
            workspace_id,
            [(given[id], after[id].name, settling.client_of(after[id])) for id in changed_records],
        )
        left = [(id, before[id].record_kind, None) for id in gone if id in before]
        await writing.move(conn, workspace_id, left)
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
    moved = settling.moved_records()
    elsewhere = [
        (id, settling.members[id].record_kind, founding.client_of[id]) for id in sorted(moved.difference(written))
    ]
    log = await journal.told(conn, workspace_id, settling, cause)
    async with conn.pipeline():
        await writing.drop_shared(conn, workspace_id, settling.unshared)
        await writing.write_shared(conn, workspace_id, {**settling.newly_shared, **settling.shared_otherwise})
        await writing.write_clients(conn, workspace_id, founding)
        await writing.move(conn, workspace_id, elsewhere)
        if log:
            await writing.write_log(conn, workspace_id, log, actor, run_id)
    await queue.propose(
        conn,
        workspace_id,
        settling.weighed,
        settling.proposals,
        {id: settling.client_of(member) for id, member in settling.members.items()},
    )
    outcome = Outcome(founded=len(founding.founded), new_clients={row.id for row in founding.founded})
    for entry in log:
        if entry.kind == MergeKind.MERGE:
            outcome.merged += 1
        else:
            outcome.parted += 1
        outcome.moved += len(entry.records)
    outcome.decided = [(entry.kind, entry.client, entry.other) for entry in log]
    for id in moved:
        outcome.touched |= {
            client for client in (settling.members[id].client_id, founding.client_of[id]) if client is not None
        }
    outcome.touched |= founding.pointed.keys()
    kinds = {id: RecordKind(settling.members[id].record_kind) for id in moved}
    followed = await follow(conn, workspace_id, kinds | dict(concerned or {}))
    outcome.touched |= clients_of(followed)
    outcome.unowned = counted_alone(followed)
    outcome.unowned |= {
        id for id in moved if settling.members[id].client_id is None or founding.client_of[id] is None
    }
    return outcome


def _with_decisions(candidate: Candidate, decided: Iterable[str]) -> Candidate:
    keys = tuple(Key(IdentifierKind.VENDOR, value, "decided by hand") for value in decided)
    return replace(candidate, keys=candidate.keys + keys) if keys else candidate


def _with_matches(candidate: Candidate, before: Member | None, linked: probable.Linked) -> Candidate:
    """A record with the probable matches that it keeps and those that it gets."""
    lost = linked.lost.get(candidate.record_id, ())
    keys = [
        Key(key.kind, key.value, "")
        for key in (before.keys if before is not None else ())
        if is_probable(key) and key not in lost
    ]
    keys += linked.got.get(candidate.record_id, ())
    return replace(candidate, keys=(*candidate.keys, *keys)) if keys else candidate


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
