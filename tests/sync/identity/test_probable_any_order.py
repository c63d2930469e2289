"""Probable matches follow from the final data alone too: whatever the order, the batches and the repetition.

The oracle weighs every pair of the final records that stand in a block together, with no database and nothing kept.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import Any
from unittest.mock import patch
from uuid import UUID, uuid4

import psycopg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schema.records import CallRecord, ContactRecord, LeadRecord, Record
from sync.identity import Candidate, absorb, candidate_of, crowds, probable
from sync.identity.clusters import carriers_of
from sync.identity.crowds import Crowds
from sync.identity.likely import edges_of
from sync.identity.probable import weigh
from sync.identity.reading import members
from sync.identity.traits import Traits, bearers_of, blocks_of, slot_of
from sync.identity.weights import SHIPPED
from tests.sync.identity.test_any_order import agrees

Conn = psycopg.AsyncConnection[tuple[Any, ...]]

START = datetime(2026, 1, 1, 9, tzinfo=UTC)
CRM = UUID(int=1)
LARGEST, NAMESAKES = 3, 2  # so that blocks and names pass them often
NAMES = (None, "Тимур Шарапов", "Тимур Шарпов", "Timur Sharapov", "Тимур", "Глеб Быков", "Глеб")
PHONES = ("+79161112201", "+79161112202", "+79161112203", "+74951112204")
EMAILS = ("sharapov77@mail.ru", "sharapov77@bk.ru", "gleb.bykov@mail.ru")


@dataclass(frozen=True)
class State:
    number: int
    minute: int
    name: str | None
    phone: str | None
    email: str | None
    staff: str

    def record(self) -> Record:
        at = START + timedelta(minutes=self.minute)
        id = str(self.number)
        phones = (self.phone,) if self.phone else ()
        emails = (self.email,) if self.email else ()
        match self.number % 3:
            case 0:
                return ContactRecord(
                    external_id=id,
                    created_at=at,
                    name=self.name,
                    phones=phones,
                    emails=emails,
                    responsible=self.staff,
                )
            case 1:
                return CallRecord(external_id=id, started_at=at, client_phone=self.phone, responsible=self.staff)
            case _:
                return LeadRecord(external_id=id, created_at=at, name=self.name, phones=phones, emails=emails)

    def candidate(self) -> Candidate:
        found = candidate_of(self.record(), CRM, "RU")
        assert found is not None
        return found


states = st.builds(
    State,
    st.integers(0, 11),
    st.sampled_from((0, 5, 20, 50, 70, 3000)),
    st.sampled_from(NAMES),
    st.sampled_from((None, *PHONES)),
    st.sampled_from((None, None, *EMAILS)),
    st.sampled_from(("7", "7", "8")),
)
stories = st.lists(st.tuples(st.lists(states, max_size=6), st.sets(st.integers(0, 11), max_size=2)), max_size=6)


def namesakes(told: list[Traits]) -> int:
    """To how many people these belong: one who has a phone or a mailbox in common with another is the same."""
    people = [{*traits.phones, *traits.mailboxes} or {object()} for traits in told]
    while True:
        met = next((pair for pair in combinations(people, 2) if pair[0] & pair[1]), None)
        if met is None:
            return len(people)
        people = [one for one in people if one is not met[0] and one is not met[1]] + [met[0] | met[1]]


def expected_crowds(final: list[Candidate]) -> Crowds:
    """The names that too many bear, and the half hours in which too many came."""
    bearers: dict[int | None, list[Traits]] = defaultdict(list)
    slots: dict[int | None, list[Traits]] = defaultdict(list)
    for candidate in final:
        if candidate.traits is not None:
            bearers[bearers_of(candidate.traits)].append(candidate.traits)
            slots[slot_of(candidate.traits)].append(candidate.traits)
    return Crowds(
        {name for name, who in bearers.items() if name and (len(who) > LARGEST or namesakes(who) > NAMESAKES)},
        {slot for slot, who in slots.items() if slot and len(who) > LARGEST},
    )


def expected_edges(final: list[Candidate]) -> set[tuple[UUID, UUID, float]]:
    """Every pair of a block that isn't too large whose weight is enough to ask about it."""
    blocks: dict[int, list[Candidate]] = defaultdict(list)
    for candidate in final:
        if candidate.traits is not None:
            for block in blocks_of(candidate.traits):
                blocks[block].append(candidate)
    found = set()
    crowded = expected_crowds(final)
    for who in blocks.values():
        if len(who) > LARGEST:
            continue
        for one, other in combinations(sorted(who, key=lambda candidate: candidate.record_id), 2):
            assert one.traits is not None
            assert other.traits is not None
            match = weigh(one.record_id, one.traits, other.record_id, other.traits, SHIPPED, crowded)
            if match is not None and match.score >= SHIPPED.lower:
                found.add((one.record_id, other.record_id, match.score))
    return found


async def look(conn: Conn, workspace_id: UUID) -> tuple[Any, Any, Any]:
    """The edges, the groups of records, and the proposals as they are stored."""
    cursor = await conn.execute(
        "select record_id, client_id from identity_record where workspace_id = %s", (workspace_id,)
    )
    rows: dict[UUID, UUID | None] = dict(await cursor.fetchall())
    carriers = carriers_of((await members(conn, workspace_id, rows)).values())
    edges = {(*sorted((edge.one.record_id, edge.other.record_id)), edge.score) for edge in edges_of(carriers, ())}
    groups: dict[UUID | None, set[UUID]] = defaultdict(set)
    for record, client in rows.items():
        groups[client].add(record)
    cursor = await conn.execute(
        "select record_id, other_id, score, client_id, other_client_id from match_proposal where workspace_id = %s",
        (workspace_id,),
    )
    proposed = set()
    for one, other, score, client, other_client in await cursor.fetchall():
        assert (client, other_client) == (rows[one], rows[other])
        assert client is None or client != other_client
        proposed.add((one, other, score))
    nobodys = frozenset(groups.pop(None, set()))
    return edges, (nobodys, {frozenset(group) for group in groups.values()}), proposed


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(story=stories)
def test_probable_matches_follow_from_the_final_data(
    story: list[tuple[list[State], set[int]]], identity_database: str
) -> None:
    async def play() -> None:
        async with await psycopg.AsyncConnection.connect(identity_database) as conn:
            workspace_id, at_once, backwards = uuid4(), uuid4(), uuid4()
            final: dict[int, State] = {}
            for batch, removed in story:
                told = {state.number: state for state in batch}
                gone = [replace(NOBODY, number=number).candidate().record_id for number in removed - told.keys()]
                await absorb(conn, workspace_id, [s.candidate() for s in told.values()], None, removed=gone)
                for number in removed:
                    final.pop(number, None)
                final |= told
            candidates = [state.candidate() for state in final.values()]
            found = await look(conn, workspace_id)
            assert found[0] == expected_edges(candidates)
            await absorb(conn, at_once, candidates, None)
            assert await look(conn, at_once) == found
            for candidate in sorted(candidates, key=lambda candidate: candidate.record_id, reverse=True):
                await absorb(conn, backwards, [candidate], None)
            await absorb(conn, backwards, candidates, None)
            assert await look(conn, backwards) == found
            await agrees(conn, backwards)
            await conn.rollback()

    with (
        patch.object(probable, "LARGEST_BLOCK", LARGEST),
        patch.object(probable, "MOST_NAMESAKES", NAMESAKES),
        patch.object(crowds, "LARGEST_BLOCK", LARGEST),
        patch.object(crowds, "MOST_NAMESAKES", NAMESAKES),
    ):
        asyncio.run(play())


NOBODY = State(0, 0, None, None, None, "7")
