"""What people decide about who is who: split, merge, keys that join nobody. Kept, and obeyed by every sync.

Each decision has a preview that changes nothing. They work in the caller's transaction, like `absorb`; afterwards
the caller refreshes the golden records and the figures of the clients touched.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID, uuid4

from core.errors import SkvozError
from schema.enums import ClientKind, IdentifierKind
from sync.identity import reading, writing
from sync.identity.absorb import Outcome, write
from sync.identity.clusters import Apart, Member, NodeKey, decision_key, is_decision
from sync.identity.founding import moves
from sync.identity.grouping import partition
from sync.identity.reading import APART, LISTED, SAME, Conn
from sync.identity.settling import Settling, settle


class DecisionRefused(SkvozError):
    """What was asked for can't be decided; the sentence says why."""

    code = "DECISION_REFUSED"


@dataclass(frozen=True, slots=True)
class Move:
    """Records that would go from one client to another, or to none. ``to`` is a client's id from then on: that of
    a client that was merged once comes back with its founding record."""

    origin: UUID
    to: UUID | None
    records: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """What a decision would do: the records and the deals that would change client."""

    moves: tuple[Move, ...]
    deals: frozenset[UUID]


async def preview_split(conn: Conn, workspace_id: UUID, client_id: UUID, records: Collection[UUID]) -> Preview:
    """What taking ``records`` out of a client would do. Raises DecisionRefused."""
    settling, _ = await _split(conn, workspace_id, client_id, records)
    return await _preview(conn, workspace_id, settling)


async def split(conn: Conn, workspace_id: UUID, client_id: UUID, records: Collection[UUID], actor: str) -> Outcome:
    """Take ``records`` out of a client, for ever: no sync joins them with the rest again, and keys that both sides
    carry stay with the rest. ``actor`` is the token that asked. Raises DecisionRefused."""
    settling, together = await _split(conn, workspace_id, client_id, records)
    [apart] = settling.parted
    sides = dict.fromkeys(sorted(apart.taken_out), 0) | dict.fromkeys(sorted(apart.rest), 1)
    await writing.write_decision(conn, workspace_id, uuid4(), APART, sides, actor)
    if together is not None:
        await _keep_same(conn, workspace_id, together, [settling.members[id] for id in apart.taken_out], actor)
    return await write(conn, workspace_id, settling, {"decision": "split"}, actor, None)


async def preview_merge(conn: Conn, workspace_id: UUID, client_id: UUID, other_id: UUID) -> Preview:
    """What making two clients one would do. Raises DecisionRefused."""
    settling, _, _ = await _merge(conn, workspace_id, client_id, other_id)
    return await _preview(conn, workspace_id, settling)


async def merge(conn: Conn, workspace_id: UUID, client_id: UUID, other_id: UUID, actor: str) -> Outcome:
    """Make two clients one, with all their records, whatever keys and names say; the older one survives. Decisions
    that kept them apart are taken back. Raises DecisionRefused."""
    settling, decision_id, joined = await _merge(conn, workspace_id, client_id, other_id)
    await writing.drop_apart(conn, workspace_id, settling.together)
    await _keep_same(conn, workspace_id, decision_id, joined, actor)
    return await write(conn, workspace_id, settling, {"decision": "merge"}, actor, None)


async def say_same(
    conn: Conn, workspace_id: UUID, record_id: UUID, other_id: UUID, decision_id: UUID, actor: str
) -> Outcome:
    """Two records, and all that is one client with either, are one client, whatever their keys and names say.
    Raises DecisionRefused."""
    members = await _both_records(conn, workspace_id, record_id, other_id)
    if len({member.client_kind for member in members.values()}) > 1:
        raise DecisionRefused("A person and a company can't be one client.")
    for client in {member.client_id for member in members.values() if member.client_id is not None}:
        members |= await reading.members_of(conn, workspace_id, client)
    changed = _with_key(members, members.keys(), decision_id)
    settling = await settle(conn, workspace_id, before=members, after=changed)
    await _keep_same(conn, workspace_id, decision_id, list(changed.values()), actor)
    return await write(conn, workspace_id, settling, {"decision": "same"}, actor, None)


async def say_different(
    conn: Conn, workspace_id: UUID, record_id: UUID, other_id: UUID, decision_id: UUID, actor: str
) -> Outcome:
    """Two records, and all that is one client with either, are different clients. Raises DecisionRefused."""
    members = await _both_records(conn, workspace_id, record_id, other_id)
    one, other = (members[id].client_id for id in (record_id, other_id))
    if one is not None and one == other:
        raise DecisionRefused("The two are one client already; take records out of it (splitClient).")
    sides: dict[UUID, int] = {}
    for side, (id, client) in enumerate(((record_id, one), (other_id, other))):
        around = await reading.members_of(conn, workspace_id, client) if client is not None else {}
        sides |= dict.fromkeys((id, *sorted(around)), side)
        members |= around
    await writing.write_decision(conn, workspace_id, decision_id, APART, sides, actor)
    seeds = {key for member in members.values() for key in member.keys}
    settling = await settle(conn, workspace_id, before={}, after={}, seeds=seeds)
    return await write(conn, workspace_id, settling, {"decision": "different"}, actor, None)


async def take_back(conn: Conn, workspace_id: UUID, decision_id: UUID, actor: str) -> Outcome:
    """Undo a decision: from now on the records are whose their keys say."""
    await reading.lock(conn, workspace_id)
    records = await writing.drop_decision(conn, workspace_id, decision_id)
    members = await reading.members(conn, workspace_id, records)
    changed = {
        id: member for id, member in members.items() if _same(member.client_kind, decision_id) in member.keys
    }
    after = {
        id: replace(member, keys=member.keys - {_same(member.client_kind, decision_id)})
        for id, member in changed.items()
    }
    seeds = {key for member in members.values() for key in member.keys}
    settling = await settle(conn, workspace_id, before=changed, after=after, seeds=seeds)
    await writing.drop_keys(
        conn, workspace_id, [(id, _same(member.client_kind, decision_id)) for id, member in changed.items()]
    )
    return await write(conn, workspace_id, settling, {"decision": "taken back"}, actor, None)


async def _both_records(conn: Conn, workspace_id: UUID, record_id: UUID, other_id: UUID) -> dict[UUID, Member]:
    members = await reading.members(conn, workspace_id, (record_id, other_id))
    if len(members) < 2:
        raise DecisionRefused("One of the two records is there no more.")
    return members


async def list_key(conn: Conn, workspace_id: UUID, kind: IdentifierKind, value: str) -> Outcome:
    """Let a (normalised) key join nobody from now on; the clients that it held together are parted at once."""
    await reading.lock(conn, workspace_id)
    keys = _both(kind, value)
    settling = await settle(conn, workspace_id, before={}, after={}, seeds=keys, listed=keys)
    await writing.write_shared(conn, workspace_id, dict.fromkeys(keys, (LISTED, 0)))
    return await write(conn, workspace_id, settling, {"listed": [kind, value]}, LISTED, None)


async def unlist_key(conn: Conn, workspace_id: UUID, kind: IdentifierKind, value: str) -> Outcome:
    """Let a listed key join again, unless the names on it still say that several people share it."""
    await reading.lock(conn, workspace_id)
    keys = _both(kind, value)
    await writing.drop_shared(conn, workspace_id, keys)
    settling = await settle(conn, workspace_id, before={}, after={}, seeds=keys)
    return await write(conn, workspace_id, settling, {"unlisted": [kind, value]}, LISTED, None)


async def _split(
    conn: Conn, workspace_id: UUID, client_id: UUID, records: Collection[UUID]
) -> tuple[Settling, UUID | None]:
    await reading.lock(conn, workspace_id)
    members = await reading.members_of(conn, workspace_id, client_id)
    out = frozenset(records)
    if not members:
        raise DecisionRefused(f"There is no client {client_id} with any record.")
    if not out or not out < members.keys():
        raise DecisionRefused("Name some of the client's records, and not all of them, to take out.")
    left = [member for id, member in members.items() if id not in out]
    together = uuid4() if len(out) > 1 else None
    changed = _with_key(members, out, together) if together else {}
    settling = await settle(
        conn,
        workspace_id,
        before=members,
        after=members | changed,
        parting=lambda shared: Apart(out, _rest(client_id, left, shared)),
        complete={member.client_id for member in left if member.client_id is not None},
    )
    return settling, together


def _rest(client_id: UUID, left: Sequence[Member], shared: Collection[NodeKey]) -> frozenset[UUID]:
    """Of the records left in a client, those that hold together with its founder (or the oldest one left), and
    those joined by hand. Others belonged to it only through what is taken out, and go where their keys lead."""
    oldest = min(left, key=lambda member: (member.at, member.record_id))
    spokesman = next((member for member in left if member.record_id == client_id), oldest)
    group = next(group for group in partition(left, shared) if spokesman in group)
    decided = [member for member in left if any(is_decision(key) for key in member.keys)]
    return frozenset(member.record_id for member in (*group, *decided))


async def _merge(
    conn: Conn, workspace_id: UUID, client_id: UUID, other_id: UUID
) -> tuple[Settling, UUID, Sequence[Member]]:
    await reading.lock(conn, workspace_id)
    one = await reading.members_of(conn, workspace_id, client_id)
    other = await reading.members_of(conn, workspace_id, other_id)
    for id, members in ((client_id, one), (other_id, other)):
        if not members:
            raise DecisionRefused(f"There is no client {id} with any record.")
    if one.keys() & other.keys():
        raise DecisionRefused("The two are one client already.")
    if next(iter(one.values())).client_kind != next(iter(other.values())).client_kind:
        raise DecisionRefused("A person and a company can't be one client.")
    decision_id = uuid4()
    members = one | other
    changed = _with_key(members, members.keys(), decision_id)
    settling = await settle(
        conn,
        workspace_id,
        before=members,
        after=changed,
        together=members.keys(),
    )
    return settling, decision_id, list(changed.values())


def _with_key(members: dict[UUID, Member], chosen: Collection[UUID], decision_id: UUID) -> dict[UUID, Member]:
    return {
        id: replace(members[id], keys=members[id].keys | {_same(members[id].client_kind, decision_id)})
        for id in chosen
    }


def _same(client_kind: str, decision_id: UUID) -> NodeKey:
    return NodeKey(client_kind, IdentifierKind.VENDOR.value, decision_key(decision_id))


def _both(kind: IdentifierKind, value: str) -> set[NodeKey]:
    return {NodeKey(client_kind.value, kind.value, value) for client_kind in ClientKind}


async def _keep_same(
    conn: Conn, workspace_id: UUID, decision_id: UUID, members: Sequence[Member], actor: str
) -> None:
    await writing.write_decision(
        conn, workspace_id, decision_id, SAME, {member.record_id: 0 for member in members}, actor
    )
    key = decision_key(decision_id)
    await writing.add_keys(
        conn,
        workspace_id,
        [
            (IdentifierKind.VENDOR.value, key, m.record_id, m.record_kind, m.client_kind, "decided by hand")
            for m in members
        ],
    )


async def _preview(conn: Conn, workspace_id: UUID, settling: Settling) -> Preview:
    moved: dict[tuple[UUID, UUID | None], Any] = moves(settling.groups, settling.founding)
    return Preview(
        tuple(
            Move(origin, to, tuple(sorted(member.record_id for member in who)))
            for (origin, to), who in sorted(moved.items(), key=lambda item: (item[0][0], str(item[0][1])))
        ),
        frozenset(await reading.deals_of(conn, workspace_id, settling.moved_records())),
    )
