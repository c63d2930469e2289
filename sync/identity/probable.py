"""Which records probably belong together: the candidates of new and changed records, and what speaks for each.

Work is local: only the blocks of changed records are looked at, under an index. A block that too many records
stand in says nothing and is left out; when one passes that number either way, all its records are weighed anew, so
that the matches depend only on what is stored in the end.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import msgspec

from core.arrays import plain, texts, uuids
from schema.enums import IdentifierKind
from sync.identity import reading, writing
from sync.identity.candidates import Candidate
from sync.identity.clusters import Member, NodeKey
from sync.identity.comparisons import COMPARISONS, Vector, compare, rests_on_a_name_alone, words_in_common
from sync.identity.crowds import LARGEST_BLOCK, MOST_NAMESAKES, Crowds, crowds_among, is_common
from sync.identity.keys import Key, is_landline
from sync.identity.likely import is_probable, probable_key
from sync.identity.reading import Conn
from sync.identity.traits import Traits, bearers_of, blocks_of, crowds_of, slot_of
from sync.identity.weights import SHIPPED, Weights, score

NO_CROWDS = Crowds()


@dataclass(frozen=True, slots=True)
class Match:
    """Two records, how they compare, and the weight of each comparison."""

    one: UUID
    other: UUID
    vector: Vector
    weights: Mapping[str, float]
    score: float
    of_call: bool

    def other_than(self, record_id: UUID) -> UUID:
        """The one of the two that isn't this."""
        return self.other if self.one == record_id else self.one

    def waterfall(self) -> dict[str, list[Any]]:
        """For each comparison that says anything its level and its weight, the prior first."""
        levels = dict(zip(COMPARISONS, self.vector, strict=True))
        return {name: [levels.get(name), bits] for name, bits in self.weights.items()}

    def key(self, upper: float) -> Key:
        """The key that both records carry."""
        applies = self.score >= upper and not rests_on_a_name_alone(self.vector)
        value = probable_key(self.one, self.other, of_call=self.of_call, applies=applies, score=self.score)
        return Key(IdentifierKind.VENDOR, value, msgspec.json.encode(self.waterfall()).decode())


def weigh(
    one: UUID, ours: Traits, other: UUID, theirs: Traits, weights: Weights, crowds: Crowds = NO_CROWDS
) -> Match | None:
    """What speaks for two records being one client's; None if nothing does, or a key says so anyway."""
    if _have_a_key_in_common(ours, theirs):
        return None
    vector = compare(ours, theirs)
    if vector is None:
        return None
    vector = crowds.hush(vector, ours, theirs)
    told = weights.weigh(vector, words_in_common(ours, theirs))
    return Match(one, other, vector, told, score(told), ours.is_call or theirs.is_call)


def _have_a_key_in_common(one: Traits, other: Traits) -> bool:
    return any(mailbox in other.mailboxes for mailbox in one.mailboxes) or any(
        phone in other.phones and not is_landline(phone) for phone in one.phones
    )


def all_matches(told: Mapping[UUID, Traits], weights: Weights) -> list[Match]:
    """The matches among records, without a database, of a weight that is worth asking about at least."""
    blocks = {id: blocks_of(traits) for id, traits in told.items()}
    standing: dict[int, list[UUID] | None] = {}
    for id, own in blocks.items():
        for block in own:
            who = standing.setdefault(block, [])
            if who is not None:
                who.append(id)
    crowds = crowds_among(told)
    found = (
        weigh(one, told[one], other, told[other], weights, crowds)
        for one, other in sorted(_pairs(told, blocks, standing))
    )
    return [match for match in found if match is not None and match.score >= weights.lower]


@dataclass(slots=True)
class Linked:
    """What weighing changed: the keys of probable matches that records get and lose, by record."""

    got: dict[UUID, list[Key]] = field(default_factory=lambda: defaultdict(list))
    lost: dict[UUID, set[NodeKey]] = field(default_factory=lambda: defaultdict(set))

    def records(self) -> set[UUID]:
        """The records that get or lose any."""
        return self.got.keys() | self.lost.keys()

    def applied_to(self, member: Member) -> Member:
        """A record with its keys from now on."""
        got = {NodeKey(member.client_kind, key.kind, key.value) for key in self.got.get(member.record_id, ())}
        return replace(member, keys=(member.keys - self.lost.get(member.record_id, set())) | got)


async def link(
    conn: Conn,
    workspace_id: UUID,
    given: Mapping[UUID, Candidate],
    gone: Collection[UUID],
    before: Mapping[UUID, Member],
) -> Linked:
    """Store the traits of records given, forget those of the records ``gone``, and weigh what they may match."""
    told = {id: candidate.traits for id, candidate in given.items() if candidate.traits is not None}
    known = [id for id in (*given, *gone) if id in before]
    old = await _stored_traits(conn, workspace_id, known) if known else {}
    new = {id: traits for id, traits in told.items() if old.get(id) != traits}
    left = {id: traits for id, traits in old.items() if id not in told or id in new}
    linked = Linked()
    if not new and not left:
        return linked
    blocks = {id: blocks_of(traits) for id, traits in new.items()}
    ours = {id: blocks[id] | crowds_of(traits) for id, traits in new.items()}
    theirs = {id: blocks_of(traits) | crowds_of(traits) for id, traits in left.items()}
    await _write_blocks(conn, workspace_id, new, left, ours, theirs)
    changes = Counter(block for blocks in ours.values() for block in blocks)
    changes.subtract(block for blocks in theirs.values() for block in blocks)
    most = LARGEST_BLOCK + 1 + max((0, *changes.values()))
    standing = await _in_blocks(conn, workspace_id, changes.keys(), most)
    again = {
        id
        for block, change in changes.items()
        if (who := standing[block]) is not None
        and (len(who) > LARGEST_BLOCK) != (len(who) - change > LARGEST_BLOCK)
        for id in who
    }
    again |= await _renown_changed(conn, workspace_id, new, left, standing)
    again -= new.keys()
    mine: dict[UUID, Traits] = dict(new)
    if again:
        stored = await _stored_traits(conn, workspace_id, again)
        mine |= stored
        blocks |= {id: blocks_of(traits) for id, traits in stored.items()}
        ours |= {id: blocks[id] | crowds_of(traits) for id, traits in stored.items()}
        more = {block for id in stored for block in ours[id]} - standing.keys()
        standing |= await _in_blocks(conn, workspace_id, more, LARGEST_BLOCK + 1)
    pairs = _pairs(mine, blocks, standing)
    await _weigh_all(conn, workspace_id, mine, pairs, {*mine, *left}, before, linked)
    return linked


async def _renown_changed(
    conn: Conn,
    workspace_id: UUID,
    new: Mapping[UUID, Traits],
    left: Mapping[UUID, Traits],
    standing: Mapping[int, list[UUID] | None],
) -> set[UUID]:
    """The records whose name has become common by what changed, or is so no more."""
    former: dict[int, list[Traits]] = defaultdict(list)
    for traits in left.values():
        if (name := bearers_of(traits)) is not None:
            former[name].append(traits)
    touched = set(former) | {name for traits in new.values() if (name := bearers_of(traits)) is not None}
    bearers = {
        name: who
        for name in touched
        if (who := standing[name]) is not None and len(who) + len(former[name]) > MOST_NAMESAKES
    }
    unread = {id for who in bearers.values() for id in who} - new.keys()
    stored = await _stored_traits(conn, workspace_id, unread) if unread else {}
    found = set[UUID]()
    for name, who in bearers.items():
        before = [stored[id] for id in who if id not in new] + former[name]
        if is_common(before) != is_common([stored[id] if id not in new else new[id] for id in who]):
            found.update(who)
    return found


async def relink(conn: Conn, workspace_id: UUID, ids: Collection[UUID]) -> Linked:
    """Weigh what stored records may match again, by the weights that hold now."""
    linked = Linked()
    mine = await _stored_traits(conn, workspace_id, ids)
    blocks = {id: blocks_of(traits) for id, traits in mine.items()}
    everything = {block for own in blocks.values() for block in own}
    standing = await _in_blocks(conn, workspace_id, everything, LARGEST_BLOCK + 1)
    await _weigh_all(conn, workspace_id, mine, _pairs(mine, blocks, standing), mine, {}, linked)
    return linked


async def _weigh_all(
    conn: Conn,
    workspace_id: UUID,
    mine: Mapping[UUID, Traits],
    pairs: Collection[tuple[UUID, UUID]],
    weighed: Collection[UUID],
    before: Mapping[UUID, Member],
    linked: Linked,
) -> None:
    """Weigh pairs, and tell what that changes about the records ``weighed``."""
    partners = {id for pair in pairs for id in pair} - mine.keys()
    traits = {**mine, **(await _stored_traits(conn, workspace_id, partners) if partners else {})}
    weights = await weights_of(conn, workspace_id)
    likely = [
        (one, other)
        for one, other in pairs
        if (match := weigh(one, traits[one], other, traits[other], weights)) and match.score >= weights.lower
    ]
    crowds = await _crowds(conn, workspace_id, {id: traits[id] for pair in likely for id in pair})
    found: dict[str, tuple[Match, Key]] = {}
    for one, other in likely:
        match = weigh(one, traits[one], other, traits[other], weights, crowds)
        if match is not None and match.score >= weights.lower:
            key = match.key(weights.upper)
            found[key.value] = match, key
    await _compare_with_stored(conn, workspace_id, weighed, found, before, linked)


async def _compare_with_stored(
    conn: Conn,
    workspace_id: UUID,
    weighed: Collection[UUID],
    found: Mapping[str, tuple[Match, Key]],
    before: Mapping[UUID, Member],
    linked: Linked,
) -> None:
    """Tell the matches of the records ``weighed`` that are new from those that stand, and from those that fall."""
    unread = [id for id in weighed if id not in before]
    members = {**before, **(await reading.members(conn, workspace_id, unread) if unread else {})}
    standing = {key.value: key for id in weighed if id in members for key in members[id].keys if is_probable(key)}
    for value, (match, key) in found.items():
        if value not in standing:
            for id in (match.one, match.other):
                linked.got[id].append(key)
    fallen = [key for value, key in standing.items() if value not in found]
    for id, value in await _carriers(conn, workspace_id, [key.value for key in fallen]):
        linked.lost[id].add(standing[value])


def _pairs(
    mine: Mapping[UUID, Traits], blocks: Mapping[UUID, Iterable[int]], standing: Mapping[int, list[UUID] | None]
) -> set[tuple[UUID, UUID]]:
    """Each pair of a record of ``mine`` and another of a block that isn't too large, once."""
    return {
        (id, other) if id < other else (other, id)
        for id in mine
        for block in blocks[id]
        if (who := standing[block]) is not None and len(who) <= LARGEST_BLOCK
        for other in who
        if other != id
    }


async def _crowds(conn: Conn, workspace_id: UUID, told: Mapping[UUID, Traits]) -> Crowds:
    """The crowds that any of these records is in."""
    names = {name for traits in told.values() if (name := bearers_of(traits)) is not None}
    slots = {slot for traits in told.values() if (slot := slot_of(traits)) is not None}
    if not names and not slots:
        return NO_CROWDS
    standing = await _in_blocks(conn, workspace_id, names | slots, LARGEST_BLOCK + 1)
    unread = {id for name in names for id in standing[name] or ()} - told.keys()
    traits = {**told, **(await _stored_traits(conn, workspace_id, unread) if unread else {})}
    return Crowds(
        frozenset(
            name for name in names if (who := standing[name]) is None or is_common([traits[id] for id in who])
        ),
        frozenset(slot for slot in slots if standing[slot] is None),
    )


async def candidates_for(
    conn: Conn, workspace_id: UUID, record_id: UUID, traits: Traits, weights: Weights
) -> list[Match]:
    """What speaks for a record that isn't stored being one client with records that are."""
    blocks = {record_id: blocks_of(traits)}
    standing = await _in_blocks(conn, workspace_id, blocks[record_id], LARGEST_BLOCK + 1)
    pairs = _pairs({record_id: traits}, blocks, standing)
    partners = {id for pair in pairs for id in pair} - {record_id}
    theirs = await _stored_traits(conn, workspace_id, partners) if partners else {}
    crowds = await _crowds(conn, workspace_id, theirs)
    found = [weigh(record_id, traits, id, theirs[id], weights, crowds) for id in sorted(theirs)]
    return [match for match in found if match is not None]


async def weights_of(conn: Conn, workspace_id: UUID) -> Weights:
    """The weights that were applied last, with the thresholds set by hand; the shipped ones until there are any."""
    cursor = await conn.execute(
        "select version, weights::text, upper, lower from match_weights where workspace_id = %s"
        " and applied_at is not null order by applied_at desc, version desc limit 1",
        (workspace_id,),
    )
    row = await cursor.fetchone()
    if row is None:
        return SHIPPED
    version, told, upper, lower = row
    weights = msgspec.json.decode(told, type=Weights)
    return msgspec.structs.replace(
        weights,
        version=version,
        upper=weights.upper if upper is None else upper,
        lower=weights.lower if lower is None else lower,
    )


async def _stored_traits(conn: Conn, workspace_id: UUID, ids: Iterable[UUID]) -> dict[UUID, Traits]:
    cursor = await conn.execute(
        """select w.id, t.traits from unnest(%s::uuid[]) as w (id) cross join lateral (
            select traits::text from match_traits where workspace_id = %s and record_id = w.id offset 0) t""",
        (uuids(ids), workspace_id),
        binary=True,
    )
    decoder = msgspec.json.Decoder(Traits)
    return {id: decoder.decode(traits) for id, traits in await cursor.fetchall()}


async def _in_blocks(
    conn: Conn, workspace_id: UUID, blocks: Collection[int], most: int
) -> dict[int, list[UUID] | None]:
    """Who stands in blocks; None for one in which so many stand, or more."""
    cursor = await conn.execute(
        """select b.block, m.records from unnest(%(blocks)s::bigint[]) as b (block) cross join lateral (
            select case when count(*) < %(most)s then array_agg(record_id) end as records from (
                select record_id from match_block
                where workspace_id = %(workspace)s and block = b.block limit %(most)s) few
            ) m where m.records is not null""",
        {"blocks": plain(blocks), "workspace": workspace_id, "most": most},
        binary=True,
    )
    found: dict[int, list[UUID] | None] = dict.fromkeys(blocks)
    found.update(await cursor.fetchall())
    return found


async def _write_blocks(
    conn: Conn,
    workspace_id: UUID,
    new: Mapping[UUID, Traits],
    left: Mapping[UUID, Traits],
    ours: Mapping[UUID, frozenset[int]],
    theirs: Mapping[UUID, frozenset[int]],
) -> None:
    """Bring the stored traits and blocks up to date."""
    forgotten = [id for id in left if id not in new]
    if forgotten:
        await conn.execute(
            "delete from match_traits where workspace_id = %s and record_id = any(%s::uuid[])",
            (workspace_id, uuids(forgotten)),
        )
    nothing = frozenset[int]()
    out = [(block, id) for id, blocks in theirs.items() for block in blocks - ours.get(id, nothing)]
    if out:
        await conn.execute(
            """delete from match_block m using unnest(%s::bigint[], %s::uuid[]) as k (block, record_id)
            where m.workspace_id = %s and m.block = k.block and m.record_id = k.record_id""",
            (plain(block for block, _ in out), uuids(id for _, id in out), workspace_id),
        )
    if new:
        encoder = msgspec.json.Encoder()
        await conn.execute(
            """insert into match_traits (workspace_id, record_id, traits)
            select %s, k.id, k.traits::jsonb from unnest(%s::uuid[], %s::text[]) as k (id, traits)
            on conflict (workspace_id, record_id) do update set traits = excluded.traits""",
            (workspace_id, uuids(new), texts(encoder.encode(traits).decode() for traits in new.values())),
        )
    into = sorted((block, id) for id, blocks in ours.items() for block in blocks - theirs.get(id, nothing))
    if into:
        await conn.execute(
            """insert into match_block (workspace_id, block, record_id)
            select %s, * from unnest(%s::bigint[], %s::uuid[]) on conflict do nothing""",
            (workspace_id, plain(block for block, _ in into), uuids(id for _, id in into)),
        )


async def _carriers(conn: Conn, workspace_id: UUID, values: Collection[str]) -> list[tuple[UUID, str]]:
    """The records that carry these probable matches."""
    if not values:
        return []
    cursor = await conn.execute(
        """select i.record_id, k.value from unnest(%s::text[]) as k (value) cross join lateral (
            select record_id from identifier
            where workspace_id = %s and kind = %s and value = k.value offset 0) i""",
        (texts(values), workspace_id, IdentifierKind.VENDOR.value),
    )
    return await cursor.fetchall()


async def write_partners(conn: Conn, workspace_id: UUID, linked: Linked, partners: Mapping[UUID, Member]) -> None:
    """Store the keys that the partners of given records get and lose."""
    await writing.drop_keys(conn, workspace_id, [(id, key) for id in partners for key in linked.lost.get(id, ())])
    await writing.add_keys(
        conn,
        workspace_id,
        [
            (key.kind, key.value, id, member.record_kind, member.client_kind, key.raw)
            for id, member in partners.items()
            for key in linked.got.get(id, ())
        ],
    )
