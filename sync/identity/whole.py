"""All records of a workspace at once: who is who by everything that is stored, reckoned in arrays.

`absorb` keeps clients right a page at a time. This tells the same from nothing: it proves that the two agree, and
brings clients up to rules that have changed. Records and keys are numbers in arrays here; for most components
of their graph numbers are enough (`sync.identity.components`). The others are grouped by the same function as ever
(`sync.identity.grouping.partition`).

A key is known by 64 bits of its hash. Among three million keys two different ones meet by chance once in a million
workspaces, and then only make `partition` look at two components as one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import LiteralString
from uuid import UUID

import numpy as np

from core.arrays import plain, uuids
from schema.enums import ClientKind, IdentifierKind
from sync.identity import reading, writing
from sync.identity.absorb import Outcome, write
from sync.identity.clusters import NodeKey, count_people, name_several_people, office_key
from sync.identity.components import (
    KEY_KINDS,
    RECORD_KINDS,
    TAX_ID,
    VENDOR,
    Graph,
    Marks,
    Numbers,
    Parts,
    Places,
    differ_within,
    differing,
    folded,
    parts_of,
    settled,
    unclear,
)
from sync.identity.grouping import partition
from sync.identity.keys import is_landline
from sync.identity.likely import PROBABLE
from sync.identity.reading import APART, CAP, LISTED, OFFICE, Conn
from sync.identity.settling import settle

_PAGE = 20_000

_COMPANY_BIT, _PROBABLE_BIT, _LANDLINE_BIT = 64, 128, 256
_OF_FIRMS = 0x5851F42D4C957F2D
"""What tells the hash of a firm's key from that of the same key among people."""

_HASH: LiteralString = """(hashtextextended(value, array_position(%(key_kinds)s::text[], kind))
    # case when client_kind = %(company)s then %(of_firms)s::bigint else 0 end)"""
_RECORDS: LiteralString = """
    select string_agg(uuid_send(record_id), ''), string_agg(uuid_send(coalesce(client_id, %(nobody)s)), ''),
        string_agg(timestamptz_send(at), ''), string_agg(int8send(coalesce(hashtextextended(name, 0), 0)), ''),
        string_agg(int2send((array_position(%(record_kinds)s::text[], record_kind) - 1)::int2), '')
    from identity_record where workspace_id = %(workspace)s"""
_PAIRS: LiteralString = f"""
    select string_agg(uuid_send(record_id), ''), string_agg(int8send({_HASH}), ''),
        string_agg(int2send((array_position(%(key_kinds)s::text[], kind) - 1
            + case when client_kind = %(company)s then 64 else 0 end
            + case when value like %(probable)s then 128 else 0 end
            + case when kind = %(phone)s and value not like %(mobile)s then 256 else 0 end)::int2), '')
    from identifier where workspace_id = %(workspace)s"""  # noqa: S608  # of constants; values are bound
_LISTED: LiteralString = f"""
    select {_HASH} from shared_key where workspace_id = %(workspace)s and reason = %(listed)s"""  # noqa: S608
_ASKED: LiteralString = f"""
    select k.client_kind, k.kind, k.value, k.hash, k.hash in ({_LISTED}),
        array_agg(distinct r.name) filter (where r.name is not null)
    from (
        select client_kind, kind, value, record_id, {_HASH} as hash from identifier
        where workspace_id = %(workspace)s and {_HASH} = any(%(hashes)s::bigint[])
    ) k
    join identity_record r on r.workspace_id = %(workspace)s and r.record_id = k.record_id
    group by k.client_kind, k.kind, k.value, k.hash"""  # noqa: S608  # of constants; values are bound


async def read(conn: Conn, workspace_id: UUID) -> Graph | None:
    """Everything that identity knows about the records of a workspace; None if that is nothing."""
    values = {
        **_bound(workspace_id),
        "nobody": UUID(int=0),
        "record_kinds": list(RECORD_KINDS),
        "probable": f"{PROBABLE}:%",
        "phone": IdentifierKind.PHONE.value,
        "mobile": "+79%",
    }
    records = await (await conn.execute(_RECORDS, values, binary=True)).fetchone()
    pairs = await (await conn.execute(_PAIRS, values, binary=True)).fetchone()
    if records is None or pairs is None or records[0] is None:
        return None
    ids, clients, at, names, kinds = records
    carriers, hashes, bits = (column or b"" for column in pairs)
    own, carried = folded(ids), folded(carriers)
    by_id, by_carrier = np.argsort(own), np.argsort(carried)
    carrier = np.empty(len(carried), dtype=np.intp)
    carrier[by_carrier] = by_id[np.searchsorted(own[by_id], carried[by_carrier])]  # what is in order is found fast
    hash = np.frombuffer(hashes, ">i8").astype(np.int64)
    order = np.argsort(hash)
    hash = hash[order]
    begins = np.ones(len(hash), dtype=np.bool_)
    begins[1:] = hash[1:] != hash[:-1]
    first = np.flatnonzero(begins)
    flags = np.frombuffer(bits, ">i2").astype(np.int16)[order[first]]
    return Graph(
        ids,
        folded(clients),
        np.frombuffer(at, ">i8").astype(np.int64),
        np.frombuffer(names, ">i8").astype(np.int64),
        np.frombuffer(kinds, ">i2").astype(np.int16),
        carrier[order],
        np.cumsum(begins) - 1,
        first,
        hash[first],
        flags & (_COMPANY_BIT - 1),
        (flags & _COMPANY_BIT) > 0,
        (flags & _PROBABLE_BIT) > 0,
        (flags & _LANDLINE_BIT) > 0,
    )


def _bound(workspace_id: UUID) -> dict[str, object]:
    return {
        "workspace": workspace_id,
        "key_kinds": list(KEY_KINDS),
        "company": ClientKind.COMPANY.value,
        "of_firms": _OF_FIRMS,
    }


@dataclass(frozen=True, slots=True)
class Guards:
    """Which keys join nobody, with the reason and the number of people on them; ``shared`` and ``landline`` (of
    people) mark the keys of a graph."""

    shared: Marks
    landline: Marks
    reasons: Mapping[NodeKey, tuple[str, int]]


async def guards_of(conn: Conn, workspace_id: UUID, graph: Graph) -> Guards:
    """What the stored records and the list of never-keys say about each key. Only keys on records with several
    names, keys that firms and people have in common, and phones that may be landlines are asked about by name."""
    size = len(graph.first)
    guarded = (graph.kind != VENDOR) & (graph.kind != TAX_ID)
    told = graph.names[graph.carrier]
    named = told != 0
    asked = guarded & differ_within(graph.key[named], told[named], size)
    asked[_places(graph, graph.hashes[graph.company] ^ _OF_FIRMS)] = True
    asked &= guarded
    asked |= graph.maybe_landline & ~graph.company
    values = {**_bound(workspace_id), "listed": LISTED}
    listed = [hash for (hash,) in await (await conn.execute(_LISTED, values, binary=True)).fetchall()]
    asked[_places(graph, np.array(listed, dtype=np.int64))] = True
    firms = set(graph.hashes[graph.company].tolist())
    shared, landline = np.zeros(size, dtype=np.bool_), np.zeros(size, dtype=np.bool_)
    reasons: dict[NodeKey, tuple[str, int]] = {}
    hashes = plain(graph.hashes[asked].tolist())
    cursor = await conn.execute(_ASKED, {**values, "hashes": hashes}, binary=True)
    for client_kind, kind, value, hash, is_listed, names in await cursor.fetchall():
        key, place = NodeKey(client_kind, kind, value), np.searchsorted(graph.hashes, hash)
        landline[place] = kind == IdentifierKind.PHONE and is_landline(value)
        reason = None
        if is_listed:
            reason = LISTED
        elif not guarded[place]:
            continue
        elif office_key(key) is not None and hash ^ _OF_FIRMS in firms:
            reason = OFFICE
        elif names is not None and len(names) > 1 and name_several_people(names, client_kind):
            reason = CAP
        if reason is not None:
            shared[place] = True
            reasons[key] = reason, count_people(names or (), client_kind)
    return Guards(shared, landline, reasons)


def _places(graph: Graph, hashes: Numbers) -> Places:
    """Where the keys with these hashes are, of those that there are."""
    if not len(graph.hashes):
        return np.zeros(0, dtype=np.intp)
    places = np.minimum(np.searchsorted(graph.hashes, hashes), len(graph.hashes) - 1)
    return np.asarray(places[graph.hashes[places] == hashes])


async def grouped(conn: Conn, workspace_id: UUID, graph: Graph, guards: Guards) -> Places:
    """The group of each record that belongs together by everything stored, as the place of one of its records."""
    parts = parts_of(graph, guards.shared)
    disputed = unclear(graph, parts, guards.landline) | await _several_people(conn, workspace_id, graph, parts)
    decided = await _decided(conn, workspace_id, graph)
    disputed[parts.root[decided]] = True
    group, disputed = settled(graph, parts, guards.shared, disputed)
    for places in _pages(parts.root, disputed[parts.root]):
        ids = graph.record_ids(places)
        place_of = dict(zip(ids, places.tolist(), strict=True))
        members = await reading.members(conn, workspace_id, ids)
        apart = await reading.apart(conn, workspace_id, ids) if len(decided) else []
        for parted in partition(list(members.values()), guards.reasons.keys(), apart):
            where = [place_of[member.record_id] for member in parted]
            group[where] = where[0]
    return group


async def _several_people(conn: Conn, workspace_id: UUID, graph: Graph, parts: Parts) -> Marks:
    """The components, by root, whose names clearly belong to several people."""
    size = len(graph)
    named = np.flatnonzero(graph.names)
    several = differ_within(parts.root[named], graph.names[named], size)
    told = named[several[parts.root[named]]]
    told = told[np.lexsort((graph.names[told], parts.root[told]))]
    new = np.diff(parts.root[told], prepend=-1) != 0
    new[1:] |= graph.names[told][1:] != graph.names[told][:-1]
    told = told[new]  # one record for each name of a component
    cursor = await conn.execute(
        """select w.place, r.client_kind, r.name from unnest(%s::uuid[]) with ordinality as w (id, place)
        cross join lateral (
            select client_kind, name from identity_record where workspace_id = %s and record_id = w.id offset 0
        ) r""",
        (uuids(graph.record_ids(told)), workspace_id),
        binary=True,
    )
    names: dict[tuple[int, str], set[str]] = {}
    for place, kind, name in await cursor.fetchall():
        names.setdefault((int(parts.root[told[place - 1]]), kind), set()).add(name)
    found = np.zeros(size, dtype=np.bool_)
    found[[root for (root, kind), all_names in names.items() if name_several_people(all_names, kind)]] = True
    return found


async def _decided(conn: Conn, workspace_id: UUID, graph: Graph) -> Places:
    """The records that a person's decision keeps from others."""
    cursor = await conn.execute(
        "select distinct record_id from identity_decision where workspace_id = %s and verdict = %s",
        (workspace_id, APART),
    )
    decided = b"".join([id.bytes for (id,) in await cursor.fetchall()])
    return np.flatnonzero(np.isin(folded(graph.ids), folded(decided))) if decided else np.zeros(0, dtype=np.intp)


def _pages(group: Places, chosen: Marks) -> Iterator[Places]:
    """The chosen records by whole groups, about a page at a time."""
    places = np.flatnonzero(chosen)
    places = places[np.argsort(group[places], kind="stable")]
    begins = np.flatnonzero(np.diff(group[places], prepend=-1))
    start = 0
    while start < len(places):
        ends = begins[begins >= start + _PAGE]
        end = int(ends[0]) if len(ends) else len(places)
        yield places[start:end]
        start = end


@dataclass(frozen=True, slots=True)
class Difference:
    """Records that belong together by everything stored, but are stored as of these ``clients`` (None: nobody's),
    of which there are several, or one that has other records too, or that nothing tells."""

    records: tuple[UUID, ...]
    clients: tuple[UUID | None, ...]


@dataclass(frozen=True, slots=True)
class Checked:
    """How the stored clients agree with a grouping of everything from nothing: of all ``records``, in so many
    ``groups``, so many are ``elsewhere``; the first of the ``differences``; the keys that should join nobody, and
    those that should join again."""

    records: int = 0
    groups: int = 0
    elsewhere: int = 0
    differences: tuple[Difference, ...] = ()
    unguarded: tuple[NodeKey, ...] = ()
    overguarded: tuple[NodeKey, ...] = ()

    @property
    def agrees(self) -> bool:
        """Whether nothing differs."""
        return not (self.elsewhere or self.unguarded or self.overguarded)


async def check(conn: Conn, workspace_id: UUID, most: int = 20) -> Checked:
    """Compare all clients and shared keys with what all records say by today's rules; tells the first ``most``
    differences. It changes nothing, but holds the workspace's identity until the transaction ends."""
    await reading.lock(conn, workspace_id)
    graph = await read(conn, workspace_id)
    if graph is None:
        return Checked()
    guards = await guards_of(conn, workspace_id, graph)
    group = await grouped(conn, workspace_id, graph, guards)
    differs = np.flatnonzero(differing(graph, group, guards.shared))
    differs = differs[np.argsort(group[differs], kind="stable")]
    wholes = np.split(differs, np.flatnonzero(np.diff(group[differs])) + 1)[:most] if len(differs) else []
    told = [graph.record_ids(places) for places in wholes]
    client_of = await reading.clients_of_records(conn, workspace_id, [id for ids in told for id in ids])
    added, dropped = await _guards_beside_stored(conn, workspace_id, guards)
    return Checked(
        len(graph),
        len(np.unique(group)),
        len(differs),
        tuple(Difference(tuple(ids), tuple(dict.fromkeys(map(client_of.get, ids)))) for ids in told),
        tuple(sorted(added)),
        tuple(sorted(dropped)),
    )


async def regroup(conn: Conn, workspace_id: UUID, actor: str) -> Outcome:
    """Bring the shared keys and the clients of a workspace up to what all its records say by today's rules; the log
    of merges keeps what was joined and parted.

    It works in the caller's transaction and holds the workspace's identity until that ends. Where `absorb` has
    worked by the same rules, it changes nothing.
    """
    await reading.lock(conn, workspace_id)
    total = Outcome()
    graph = await read(conn, workspace_id)
    if graph is None:
        return total
    guards = await guards_of(conn, workspace_id, graph)
    group = await grouped(conn, workspace_id, graph, guards)
    await write_guards(conn, workspace_id, guards)
    for places in _pages(group, differing(graph, group, guards.shared)):
        members = await reading.members(conn, workspace_id, graph.record_ids(places))
        settling = await settle(conn, workspace_id, before=members, after=members)
        total.add(await write(conn, workspace_id, settling, {"rules": "regrouped"}, actor, None))
    return total


async def write_guards(conn: Conn, workspace_id: UUID, guards: Guards) -> None:
    """Store which keys join nobody from now on."""
    added, dropped = await _guards_beside_stored(conn, workspace_id, guards)
    await writing.drop_shared(conn, workspace_id, dropped)
    await writing.write_shared(conn, workspace_id, {key: guards.reasons[key] for key in added})


async def _guards_beside_stored(
    conn: Conn, workspace_id: UUID, guards: Guards
) -> tuple[list[NodeKey], list[NodeKey]]:
    """The keys that aren't stored as shared, or for another reason, and those that are and shouldn't be."""
    cursor = await conn.execute(
        "select client_kind, kind, value, reason from shared_key where workspace_id = %s", (workspace_id,)
    )
    stored = {NodeKey(*key): reason for *key, reason in await cursor.fetchall()}
    added = [key for key, (why, _) in guards.reasons.items() if why not in (LISTED, stored.get(key))]
    return added, [key for key, why in stored.items() if key not in guards.reasons and why != LISTED]
