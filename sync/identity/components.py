"""Records and keys as arrays: the components of their graph, and in which of them something keeps records apart.

Most components hold nothing that could: they are one group each. In most of the others one caller, whom the site
knows and who has told no name, has used the phone of somebody else: he stays outside. What is left is for
`sync.identity.grouping.partition`, by whose rules all of this goes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from schema.enums import IdentifierKind, RecordKind
from sync.identity.clusters import CARDS
from sync.identity.grouping import OTHER_VISITOR_WITHIN

Numbers = NDArray[np.int64]
Places = NDArray[np.intp]
Marks = NDArray[np.bool_]

RECORD_KINDS = tuple(kind.value for kind in RecordKind)
KEY_KINDS = tuple(kind.value for kind in IdentifierKind)
VENDOR, TAX_ID, VISITOR, PHONE = (
    KEY_KINDS.index(kind.value)
    for kind in (IdentifierKind.VENDOR, IdentifierKind.TAX_ID, IdentifierKind.VISITOR, IdentifierKind.PHONE)
)
CALL, CONTACT, LEAD, VISIT = (
    RECORD_KINDS.index(kind.value)
    for kind in (RecordKind.CALL, RecordKind.CONTACT, RecordKind.LEAD, RecordKind.VISIT)
)
_CARDS = [RECORD_KINDS.index(kind) for kind in CARDS]
_NEAR = OTHER_VISITOR_WITHIN // timedelta(microseconds=1)
_NEVER = np.iinfo(np.int64)


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
class Parts:
    """What keys join: ``strong`` is the smallest place in each record's component over all keys but phones,
    ``root`` that over all keys; ``joins`` marks the keys that join at all."""

    strong: Places
    root: Places
    joins: Marks


def parts_of(graph: Graph, shared: Marks) -> Parts:
    """The components over all keys that aren't ``shared``."""
    joins = ~shared & (np.diff(graph.first, append=len(graph.key)) > 1)
    strong = _joined(graph, joins & (graph.kind != PHONE), np.arange(len(graph)))
    return Parts(strong, _joined(graph, joins & (graph.kind == PHONE), strong), joins)


def _joined(graph: Graph, joins: Marks, group: Places) -> Places:
    """Groups (by the smallest place in each), joined by keys."""
    chosen = joins[graph.key]
    first = graph.carrier[graph.first][graph.key[chosen]]
    return components(len(graph), group[first], group[graph.carrier[chosen]])[group]


def unclear(graph: Graph, parts: Parts, landline: Marks) -> Marks:
    """The components, by root, with a key that doesn't simply join all who carry it: a probable match, a card on
    which a call hangs, a phone that may be an office's (``landline``)."""
    calls = graph.record_kinds == CALL
    cards = (graph.record_kinds == CONTACT) | (graph.record_kinds == LEAD)
    asked = parts.joins & (graph.probable | (graph.kind == VENDOR) | (landline & ~graph.company))
    with_calls = _any(graph, calls, asked)
    keys = asked & (
        graph.probable
        | ((graph.kind == VENDOR) & with_calls & _any(graph, cards, asked))
        | (landline & with_calls & ~graph.company)
    )
    found = np.zeros(len(graph), dtype=np.bool_)
    found[parts.root[graph.carrier[graph.first[keys]]]] = True
    return found


def _any(graph: Graph, marked: Marks, asked: Marks) -> Marks:
    """Whether any carrier of each of the keys ``asked`` about is marked."""
    found = np.zeros(len(graph.first), dtype=np.bool_)
    pairs = np.flatnonzero(asked[graph.key])
    found[graph.key[pairs[marked[graph.carrier[pairs]]]]] = True
    return found


@dataclass(frozen=True, slots=True)
class _Groups:
    """What is told of groups that strong keys join, by the place that stands for each: whether by a name, whether
    to the site, when first and last (``begin``, ``end``), and when the first card with a name was made."""

    named: Marks
    visited: Marks
    begin: Numbers
    end: Numbers
    carded: Numbers


def _groups(graph: Graph, strong: Places) -> _Groups:
    size = len(graph)
    found = _Groups(
        np.zeros(size, dtype=np.bool_),
        np.zeros(size, dtype=np.bool_),
        np.full(size, _NEVER.max),
        np.full(size, _NEVER.min),
        np.full(size, _NEVER.max),
    )
    found.named[strong[graph.names != 0]] = True
    knowing = graph.carrier[(graph.kind == VISITOR)[graph.key]]
    found.visited[strong[knowing]] = True
    np.minimum.at(found.begin, strong[knowing], graph.at[knowing])
    np.maximum.at(found.end, strong[knowing], graph.at[knowing])
    cards = np.flatnonzero((graph.record_kinds == CONTACT) & (graph.names != 0))
    np.minimum.at(found.carded, strong[cards], graph.at[cards])
    return found


def settled(graph: Graph, parts: Parts, shared: Marks, disputed: Marks) -> tuple[Places, Marks]:
    """The group of each record, as the place of one of its records, where components (by root) are not
    ``disputed`` already, and hold no names of several people; and which components only `partition` can tell.

    Without such names a phone is only held back from a group whom the site knows and nobody names
    (`sync.identity.grouping`). A component without one is one group.
    """
    size, root = len(graph), parts.root
    groups = _groups(graph, parts.strong)
    visited = np.flatnonzero(groups.visited)
    nameless = visited[~groups.named[visited]]
    visitors = np.bincount(root[visited], minlength=size)
    strangers = np.bincount(root[nameless], minlength=size)
    begin, last_begin = _span(root[nameless], groups.begin[nameless], groups.begin[nameless], size)
    first_end, latest_begin = _span(root[visited], groups.end[visited], groups.begin[visited], size)
    doubtful = (strangers > 0) & (visitors > 2)
    two = np.flatnonzero((strangers > 0) & (visitors == 2))
    doubtful[two] = latest_begin[two] - first_end[two] <= _NEAR
    cards = np.flatnonzero((groups.carded != _NEVER.max) & ~groups.visited)
    cards = cards[strangers[root[cards]] > 0]
    made, of = groups.carded[cards], root[cards]
    doubtful[of[(made < last_begin[of]) & (begin[of] - made <= _NEAR)]] = True
    doubtful &= ~disputed
    outside = _strangers(graph, parts, groups, shared, doubtful & (strangers == 1), begin)
    group = np.where(outside[root] & groups.visited[parts.strong] & ~groups.named[parts.strong], size, 0)
    group += np.where(group > 0, parts.strong, root)
    stands = np.full(2 * size, size)
    np.minimum.at(stands, group, np.arange(size))
    return stands[group], disputed | (doubtful & ~outside)


def _span(of: Places, low: Numbers, high: Numbers, size: int) -> tuple[Numbers, Numbers]:
    """The least of ``low`` and the most of ``high`` by what they are of."""
    least, most = np.full(size, _NEVER.max), np.full(size, _NEVER.min)
    np.minimum.at(least, of, low)
    np.maximum.at(most, of, high)
    return least, most


def _strangers(graph: Graph, parts: Parts, groups: _Groups, shared: Marks, asked: Marks, begin: Numbers) -> Marks:
    """Of the components ``asked`` about, those whose only phone keeps the only group there whom the site knows and
    nobody names (since ``begin``, by root) from its owners: those on whose records it stands with a name."""
    size = len(asked)
    pairs = np.flatnonzero((parts.joins & (graph.kind == PHONE))[graph.key] & asked[parts.root[graph.carrier]])
    keys, carriers = graph.key[pairs], graph.carrier[pairs]
    linking = differ_within(keys, parts.strong[carriers], len(graph.first))
    one_phone = np.bincount(parts.root[graph.carrier[graph.first[linking]]], minlength=size) == 1
    hidden = ((graph.kind == VISITOR) & shared)[graph.key]
    one_phone[parts.root[graph.carrier[hidden]]] = False  # the same visitor, though his cookie joins nobody
    told = carriers[linking[keys] & (graph.names[carriers] != 0)]
    owner = np.unique(parts.strong[told])
    of = parts.root[owner]
    stranger = np.zeros(size, dtype=np.intp)
    nameless = np.flatnonzero(groups.visited & ~groups.named)
    stranger[parts.root[nameless]] = nameless
    since, until = begin[of], groups.end[stranger[of]]
    seen = groups.visited[owner]
    near = np.zeros(len(owner), dtype=np.bool_)
    near[seen] = np.maximum(groups.begin[owner], since)[seen] - np.minimum(groups.end[owner], until)[seen] <= _NEAR
    carded = ~seen & (groups.carded[owner] < since)
    near[carded] = since[carded] - groups.carded[owner][carded] <= _NEAR
    found = np.zeros(size, dtype=np.bool_)
    found[of[near]] = True
    return np.asarray(found & one_phone & asked)


def differ_within(group: Places, value: Numbers, size: int) -> Marks:
    """The groups whose values are not all the same."""
    low = np.full(size, np.iinfo(np.int64).max)
    high = np.full(size, np.iinfo(np.int64).min)
    np.minimum.at(low, group, value)
    np.maximum.at(high, group, value)
    return low < high


def clients_among(graph: Graph, group: Places, shared: Marks) -> Marks:
    """Which groups, by the place that stands for them, are clients (`sync.identity.clusters.tells`)."""
    size = len(graph)
    alone = np.bincount(group, minlength=size)[group] == 1
    speaking = (graph.kind != VENDOR) & ~shared
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
