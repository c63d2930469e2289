"""Why records are one client, and why two clients are not: read from the stored keys, nothing is changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from uuid import UUID

from core.errors import SkvozError
from schema.enums import IdentifierKind
from sync.identity import reading
from sync.identity.clusters import UNLIMITED, Member, NodeKey, carriers_of
from sync.identity.grouping import partition
from sync.identity.likely import PROBABLE, is_probable, only_asks, score_of
from sync.identity.names import clearly_differ
from sync.identity.reading import Conn


class NoSuchClient(SkvozError):
    """There is no client with that id, or it has no records."""

    code = "NO_SUCH_CLIENT"


@dataclass(frozen=True, slots=True)
class Evidence:
    """A key that stands on several records of a client, each with how its system spells it. ``parts``: without this
    one key the client would fall apart."""

    kind: str
    value: str
    records: tuple[tuple[str, UUID, str], ...]
    parts: bool


@dataclass(frozen=True, slots=True)
class Explanation:
    """What holds a client together: its records, the keys that join them, and those of its keys that are shared and
    join nobody, with the reason."""

    records: int
    joined_by: tuple[Evidence, ...]
    shared: tuple[tuple[str, str, str], ...]


async def why(conn: Conn, workspace_id: UUID, client_id: UUID) -> Explanation:
    """Why the records of a client (also one that was merged away) are one. Raises NoSuchClient."""
    members = await _records_of(conn, workspace_id, client_id)
    carriers = carriers_of(members)
    shared = await _shared(conn, workspace_id, carriers)
    groups = len(partition(members, shared.keys(), (), carriers))
    joining = sorted(
        key for key, who in carriers.items() if len(who) > 1 and key not in shared and not only_asks(key)
    )
    raw = await reading.raw_keys(
        conn, workspace_id, [(member.record_id, key) for key in joining for member in carriers[key]]
    )
    return Explanation(
        len(members),
        tuple(
            Evidence(
                PROBABLE if is_probable(key) else key.kind,
                f"{score_of(key)} bits" if is_probable(key) else key.value,
                tuple((m.record_kind, m.record_id, raw.get((m.record_id, key), key.value)) for m in carriers[key]),
                parts=len(partition(members, {*shared, key}, (), carriers)) > groups,
            )
            for key in joining
        ),
        tuple((key.kind, key.value, reason) for key, reason in sorted(shared.items())),
    )


async def why_not(conn: Conn, workspace_id: UUID, client_id: UUID, other_id: UUID) -> tuple[str, ...]:
    """Why two clients are not one: sentences, the decisive ones first. Raises NoSuchClient."""
    ours = await _records_of(conn, workspace_id, client_id)
    theirs = await _records_of(conn, workspace_id, other_id)
    if {member.record_id for member in ours} & {member.record_id for member in theirs}:
        return ("They are one client.",)
    ids = [{member.record_id for member in side} for side in (ours, theirs)]
    found = []
    for decision in await reading.apart(conn, workspace_id, ids[0] | ids[1]):
        sides = decision.taken_out, decision.rest
        if any(sides[number] & ids[0] and sides[not number] & ids[1] for number in (0, 1)):
            found.append("Somebody decided that they are apart.")
    if ours[0].client_kind != theirs[0].client_kind:
        return (*found, "One is a person and the other a company; those are never one client.")
    common = carriers_of(ours).keys() & carriers_of(theirs).keys()
    likely = max((score_of(key) for key in common if is_probable(key)), default=None)
    common = {key for key in common if not is_probable(key)}
    if likely is not None:
        found.append(
            f"They are likely to be one, by {likely} bits; that is not enough, or something speaks against it."
        )
    if not common:
        return (*found, "No record of the one has a key in common with a record of the other.")
    shared = await _shared(conn, workspace_id, common)
    found += [
        f"Both have the {key.kind} {key.value}, but {_REASONS[reason]}." for key, reason in sorted(shared.items())
    ]
    names = [sorted({member.name for member in side if member.name}) for side in (ours, theirs)]
    held = sorted(common - shared.keys())
    if not held:
        return tuple(found)
    keys = ", ".join(f"{key.kind} {key.value}" for key in held)
    if all(names) and all(clearly_differ(one, other, ours[0].client_kind) for one, other in product(*names)):
        found.append(f"Both have {keys}, but their names differ: {names[0][0]}, {names[1][0]}.")
    else:
        found.append(
            f"Both have {keys}, but stronger keys say that they are different people{_visitors(ours, theirs)}."
        )
    return tuple(found)


_REASONS = {
    reading.CAP: "people with clearly different names carry it, so it joins nobody",
    reading.OFFICE: "a firm's card carries it too, so it is an office's and joins nobody",
    reading.LISTED: "it is on the list of keys that join nobody",
}


async def _records_of(conn: Conn, workspace_id: UUID, client_id: UUID) -> list[Member]:
    members = await reading.members_of(conn, workspace_id, client_id)
    if not members:
        raise NoSuchClient(f"There is no client {client_id} with any record.")
    return sorted(members.values(), key=lambda member: (member.at, member.record_id))


async def _shared(conn: Conn, workspace_id: UUID, keys: Iterable[NodeKey]) -> dict[NodeKey, str]:
    guarded = [key for key in keys if key.kind not in UNLIMITED]
    return (await reading.met(conn, workspace_id, guarded, ())).shared


def _visitors(ours: Iterable[Member], theirs: Iterable[Member]) -> str:
    sides = [
        {key for member in side for key in member.keys if key.kind == IdentifierKind.VISITOR}
        for side in (ours, theirs)
    ]
    if all(sides) and not sides[0] & sides[1]:
        return " (the site knows them as different visitors)"
    return ""
