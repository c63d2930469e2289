"""All records of a workspace at once: who is who by everything that is stored, in seconds for millions of records.

`absorb` keeps clients right a page at a time. This tells the same from nothing: it proves that the two agree, and
brings clients up to rules that have changed. Records and keys are numbers in arrays here; most components of their
graph hold nothing that could keep two of their records apart, and numbers are enough for those. The others are
grouped by the same function as ever (`sync.identity.grouping.partition`).

A key is known by 64 bits of its hash. Among three million keys two different ones meet by chance once in a million
workspaces, and then only make `partition` look at two components as one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import LiteralString
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from schema.enums import ClientKind, IdentifierKind, RecordKind
from sync.identity import reading, writing
from sync.identity.absorb import Outcome, write
from sync.identity.clusters import CARDS, NodeKey, count_people, name_several_people, office_key
from sync.identity.grouping import OTHER_VISITOR_WITHIN, partition
from sync.identity.keys import is_landline
from sync.identity.likely import PROBABLE
from sync.identity.reading import APART, CAP, LISTED, OFFICE, Conn
from sync.identity.settling import settle

Numbers = NDArray[np.int64]
Places = NDArray[np.intp]
Marks = NDArray[np.bool_]

_RECORD_KINDS = tuple(kind.value for kind in RecordKind)
_KEY_KINDS = tuple(kind.value for kind in IdentifierKind)
_VENDOR, _TAX_ID, _VISITOR, _PHONE = (
    _KEY_KINDS.index(kind.value)
    for kind in (IdentifierKind.VENDOR, IdentifierKind.TAX_ID, IdentifierKind.VISITOR, IdentifierKind.PHONE)
)
_CALL, _CONTACT, _LEAD, VISIT = (
    _RECORD_KINDS.index(kind.value)
    for kind in (RecordKind.CALL, RecordKind.CONTACT, RecordKind.LEAD, RecordKind.VISIT)
)
_CARDS = [_RECORD_KINDS.index(kind) for kind in CARDS]
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


@dataclass(frozen=True, slots=True)
class Graph:
    """Records and who carries which key, column by column. A pair is a record (its place) and a key; pairs stand in
    the order of their keys. ``first`` is where a key's pairs begin; ``kind`` and ``company`` are the key's."""

    ids: bytes
    clients: Numbers
    at: Numbers
    names: Numbers
    record_kinds: NDArray[np.int16]
    carrier: Places
    key: Places
    first: Places
    hashes: Numbers
    kind: NDArray[np.int16]
    company: Marks
    probable: Marks
    maybe_landline: Marks

    def __len__(self) -> int:
        return len(self.at)

    def record_ids(self, which: Places) -> list[UUID]:
        """The ids of the records at these places."""
        return [UUID(bytes=self.ids[16 * place : 16 * place + 16]) for place in which.tolist()]


async def read(conn: Conn, workspace_id: UUID) -> Graph | None:
    """Everything that identity knows about the records of a workspace; None if that is nothing."""
    values = {
        **_bound(workspace_id),
        "nobody": UUID(int=0),
        "record_kinds": list(_RECORD_KINDS),
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
    own = folded(ids)
    by_id = np.argsort(own)
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
        by_id[np.searchsorted(own[by_id], folded(carriers)[order])],
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
        "key_kinds": list(_KEY_KINDS),
        "company": ClientKind.COMPANY.value,
        "of_firms": _OF_FIRMS,
    }


def folded(ids: bytes) -> Numbers:
    """Ids of 128 bits as numbers of 64: ids are digests, so that no two of a workspace's are the same."""
    halves = np.frombuffer(ids, ">i8").astype(np.int64)
    return np.asarray(halves[::2] ^ halves[1::2])


def components(size: int, one: Places, other: Places) -> Places:
    """The smallest node of each node's connected component. Trees of nodes are hooked onto smaller ones and
    flattened, all at once, until no edge leads from one to another (Shiloach and Vishkin, 1982)."""
    root = np.arange(size)
    while len(one):
        one, other = root[one], root[other]
        apart = one != other
        one, other = one[apart], other[apart]
        np.minimum.at(root, np.maximum(one, other), np.minimum(one, other))
        while True:
            above = root[root]
            if np.array_equal(above, root):
                break
            root = above
    return root


@dataclass(frozen=True, slots=True)
class Whole:
    """``root``: the smallest place in each record's component; ``disputed``: the components, by root, that hold
    something that could keep two of their records apart."""

    root: Places
    disputed: Marks


def split(graph: Graph, shared: Marks, landline: Marks, bound: Places) -> Whole:
    """The components over all keys that aren't ``shared``; ``landline`` keys may be an office's phone, records
    ``bound`` are those that a person's decision keeps from others."""
    size = len(graph)
    count = np.diff(graph.first, append=len(graph.key))
    joins = ~shared & (count > 1)
    root = _joined(graph, joins)
    disputed = np.zeros(size, dtype=np.bool_)
    disputed[root[bound]] = True
    calls = graph.record_kinds == _CALL
    cards = (graph.record_kinds == _CONTACT) | (graph.record_kinds == _LEAD)
    with_calls = _any(graph, calls)
    unclear = joins & (
        graph.probable
        | ((graph.kind == _VENDOR) & with_calls & _any(graph, cards))
        | (landline & with_calls & ~graph.company)
    )
    disputed[root[graph.carrier[graph.first[unclear]]]] = True
    named = np.flatnonzero(graph.names)
    disputed |= differ_within(root[named], graph.names[named], size)
    return Whole(root, disputed | _several_visitors(graph, joins, root) | _seen_after_a_card(graph, root))


def _joined(graph: Graph, joins: Marks) -> Places:
    chosen = joins[graph.key]
    first = graph.carrier[graph.first][graph.key[chosen]]
    return components(len(graph), first, graph.carrier[chosen])


def _any(graph: Graph, marked: Marks) -> Marks:
    """Whether any carrier of each key is marked."""
    if not len(graph.first):
        return np.zeros(0, dtype=np.bool_)
    return np.logical_or.reduceat(marked[graph.carrier], graph.first)


def differ_within(group: Places, value: Numbers, size: int) -> Marks:
    """The groups whose values are not all the same."""
    low = np.full(size, np.iinfo(np.int64).max)
    high = np.full(size, np.iinfo(np.int64).min)
    np.minimum.at(low, group, value)
    np.maximum.at(high, group, value)
    return low < high


def _several_visitors(graph: Graph, joins: Marks, root: Places) -> Marks:
    """The components in which phones join several visitors who may be several people: more than two of them, or two
    within the time in which a phone is thought to be borrowed."""
    size = len(root)
    strong = _joined(graph, joins & (graph.kind != _PHONE))
    knowing = np.zeros(size, dtype=np.bool_)
    knowing[graph.carrier[(graph.kind == _VISITOR)[graph.key]]] = True
    known = np.zeros(size, dtype=np.bool_)
    known[strong[knowing]] = True
    groups = np.flatnonzero(known)
    number = np.bincount(root[groups], minlength=size)
    if not (number > 1).any():
        return number > 1
    begin = np.full(size, np.iinfo(np.int64).max)
    end = np.full(size, np.iinfo(np.int64).min)
    np.minimum.at(begin, strong, graph.at)
    np.maximum.at(end, strong, graph.at)
    last_begin = np.full(size, np.iinfo(np.int64).min)
    first_end = np.full(size, np.iinfo(np.int64).max)
    np.maximum.at(last_begin, root[groups], begin[groups])
    np.minimum.at(first_end, root[groups], end[groups])
    within = OTHER_VISITOR_WITHIN // timedelta(microseconds=1)
    near = np.zeros(size, dtype=np.bool_)
    two = np.flatnonzero(number == 2)
    near[two] = last_begin[two] - first_end[two] <= within
    return near | (number > 2)


def _seen_after_a_card(graph: Graph, root: Places) -> Marks:
    """The components in which the site knew somebody after a card with a name was made: he may not be its owner."""
    size = len(root)
    knowing = graph.carrier[(graph.kind == _VISITOR)[graph.key]]
    cards = np.flatnonzero((graph.record_kinds == _CONTACT) & (graph.names != 0))
    carded = np.full(size, np.iinfo(np.int64).max)
    seen = np.full(size, np.iinfo(np.int64).min)
    np.minimum.at(carded, root[cards], graph.at[cards])
    np.maximum.at(seen, root[knowing], graph.at[knowing])
    return seen > carded


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
    guarded = (graph.kind != _VENDOR) & (graph.kind != _TAX_ID)
    told = graph.names[graph.carrier]
    named = told != 0
    asked = guarded & differ_within(graph.key[named], told[named], size)
    asked |= guarded & ~graph.company & np.isin(graph.hashes ^ _OF_FIRMS, graph.hashes[graph.company])
    asked |= graph.maybe_landline & ~graph.company
    values = {**_bound(workspace_id), "listed": LISTED}
    listed = [hash for (hash,) in await (await conn.execute(_LISTED, values, binary=True)).fetchall()]
    asked |= np.isin(graph.hashes, listed)
    firms = set(graph.hashes[graph.company].tolist())
    shared, landline = np.zeros(size, dtype=np.bool_), np.zeros(size, dtype=np.bool_)
    reasons: dict[NodeKey, tuple[str, int]] = {}
    hashes = "{" + ",".join(map(str, graph.hashes[asked].tolist())) + "}"
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


async def grouped(conn: Conn, workspace_id: UUID, graph: Graph, guards: Guards) -> Places:
    """The group of each record that belongs together by everything stored, as the place of one of its records."""
    cursor = await conn.execute(
        "select record_id from identity_decision where workspace_id = %s and verdict = %s", (workspace_id, APART)
    )
    decided = {id.bytes for (id,) in await cursor.fetchall()}
    bound = np.array(
        [place for place in range(len(graph)) if graph.ids[16 * place : 16 * place + 16] in decided]
        if decided
        else [],
        dtype=np.intp,
    )
    whole = split(graph, guards.shared, guards.landline, bound)
    group = whole.root.copy()
    for places in _pages(whole.root, whole.disputed[whole.root]):
        ids = graph.record_ids(places)
        place_of = dict(zip(ids, places.tolist(), strict=True))
        members = await reading.members(conn, workspace_id, ids)
        apart = await reading.apart(conn, workspace_id, ids) if decided else []
        for parted in partition(list(members.values()), guards.reasons.keys(), apart):
            where = [place_of[member.record_id] for member in parted]
            group[where] = where[0]
    return group


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


def clients_among(graph: Graph, group: Places, shared: Marks) -> Marks:
    """Which groups, by the place that stands for them, are clients (`sync.identity.clusters.tells`)."""
    size = len(graph)
    alone = np.bincount(group, minlength=size)[group] == 1
    speaking = (graph.kind != _VENDOR) & ~shared
    spoken = np.zeros(size, dtype=np.bool_)
    spoken[graph.carrier[speaking[graph.key]]] = True
    tells = np.isin(graph.record_kinds, _CARDS) | ((graph.record_kinds != VISIT) & (~alone | spoken))
    found = np.zeros(size, dtype=np.bool_)
    found[group[tells]] = True
    return found


def differing(graph: Graph, group: Places, shared: Marks) -> Marks:
    """The records of the groups that aren't exactly one stored client."""
    size = len(graph)
    has_client = graph.clients != 0
    differs = clients_among(graph, group, shared)[group] != has_client
    differs |= differ_within(group, graph.clients, size)[group]
    _, client = np.unique(graph.clients, return_inverse=True)
    differs |= has_client & differ_within(client[has_client], group[has_client], size)[client]
    found = np.zeros(size, dtype=np.bool_)
    found[group[differs]] = True
    return np.asarray(found[group])


async def regroup(conn: Conn, workspace_id: UUID, actor: str) -> Outcome:
    """Bring the shared keys and the clients of a workspace up to what all its records say by today's rules.

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
    cursor = await conn.execute(
        "select client_kind, kind, value, reason from shared_key where workspace_id = %s", (workspace_id,)
    )
    stored = {NodeKey(*key): reason for *key, reason in await cursor.fetchall()}
    told = {key: reason for key, (reason, _) in guards.reasons.items()}
    await writing.drop_shared(
        conn, workspace_id, [key for key, reason in stored.items() if key not in told and reason != LISTED]
    )
    await writing.write_shared(
        conn,
        workspace_id,
        {key: why for key, why in guards.reasons.items() if stored.get(key) != why[0] and why[0] != LISTED},
    )
