"""What the log of merges keeps: which records moved, and the evidence that joined them or the reason to part."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from schema.enums import MergeKind
from sync.identity import reading
from sync.identity.clusters import Member, NodeKey, carriers_of
from sync.identity.founding import Group, moves
from sync.identity.likely import PROBABLE, is_probable, only_asks, score_of
from sync.identity.reading import Conn
from sync.identity.settling import Settling

_MOST_EVIDENCE = 50  # keys in one row of the log


class Entry(NamedTuple):
    """A row of the log: survivor and merged one, or the client that is parted and the one that went out."""

    kind: MergeKind
    client: UUID
    other: UUID | None
    records: list[UUID]
    evidence: dict[str, Any]


def lost_keys(before: Mapping[UUID, Member], after: Mapping[UUID, Member]) -> dict[str, Any]:
    """Why clients may part: the keys that records carry no more."""
    lost = [
        {"record": str(id), "kind": key.kind, "value": key.value}
        for id, old in before.items()
        for key in sorted(old.keys - (after[id].keys if id in after else frozenset()))
    ]
    return {"lost": lost[:_MOST_EVIDENCE]} if lost else {}


async def told(
    conn: Conn,
    workspace_id: UUID,
    settling: Settling,
    cause: dict[str, Any],
) -> list[Entry]:
    """What the log is to keep of what a settling merges and parts."""
    moved = moves(settling.groups, settling.founding)
    if not moved:
        return []
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
    entries = []
    for (old, new), who in sorted(moved.items(), key=lambda item: (item[0][0], str(item[0][1]))):
        records = sorted(member.record_id for member in who)
        if (old, new) in joining and new is not None:
            evidence: dict[str, Any] = {"keys": _told(joining[old, new], raw)}
            entries.append(Entry(MergeKind.MERGE, new, old, records, evidence))
        else:
            evidence = {**cause, **({"shared": shared_now} if shared_now else {})}
            entries.append(Entry(MergeKind.SPLIT, old, new, records, evidence))
    return entries


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
        if key not in shared
        and not only_asks(key)
        and len({member.client_id or member.record_id for member in who}) > 1
    ]
    return {key: carriers[key] for key in sorted(joining)[:_MOST_EVIDENCE]}


def _told(joining: dict[NodeKey, list[Member]], raw: dict[tuple[UUID, NodeKey], str]) -> list[dict[str, Any]]:
    return [
        _told_match(key, who, raw)
        if is_probable(key)
        else {
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


def _told_match(key: NodeKey, who: Sequence[Member], raw: dict[tuple[UUID, NodeKey], str]) -> dict[str, Any]:
    """A probable match as evidence: its weight in bits, and that of each comparison."""
    first = min(who, key=lambda member: member.record_id)
    return {
        "kind": PROBABLE,
        "value": score_of(key),
        "weights": msgspec.json.decode(raw.get((first.record_id, key), "{}")),
        "records": [
            {"record": str(member.record_id), "kind": member.record_kind}
            for member in sorted(who, key=lambda member: member.record_id)
        ],
    }
