"""What a person decided holds whatever the records say, and however they come again."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Sequence
from random import Random
from uuid import UUID, uuid4

import psycopg
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from schema.enums import RecordKind
from sync.identity import absorb
from sync.identity.decisions import merge, split
from tests.sync.identity.test_absorb import A, B, C, World, call, contact, lead, visit
from tests.sync.identity.test_absorb import Conn as AnyConn
from tests.sync.identity.test_any_order import Conn, State, agrees, id_of, states, stored

UNSHRUNK = (Phase.explicit, Phase.reuse, Phase.generate)
"""A story of decisions takes long to shorten, and is short already."""


async def test_a_merge_by_hand_takes_every_record_of_both_along(conn: AnyConn) -> None:
    world = World(conn)
    first = [contact("1", "Иван Петров", A), call("a", A, visitors=("ym:1",)), visit("v", "ym:1")]
    second = [lead("2", None, B, at=2), call("b", B, at=3, visitors=("ym:2",)), call("d", B, at=4)]
    third = [contact("3", "Мария Орлова", C, at=5)]
    await world.take(*first, *second, *third)
    client, other = await world.contact("1"), await world.client(RecordKind.LEAD, "2")
    assert client is not None
    assert other is not None
    assert len({client, other, await world.contact("3")}) == 3
    await merge(conn, world.workspace_id, client, other, "token")
    for _ in range(2):
        rows = await world.rows(
            "select client_id, count(*) from identity_record where workspace_id = %(w)s group by 1"
        )
        assert dict(rows) == {client: 6, await world.contact("3"): 1}
        for record in (*second, *third, *first):
            await world.take(record)


@settings(max_examples=12, deadline=None, phases=UNSHRUNK, suppress_health_check=list(HealthCheck))
@given(told=st.lists(states(), min_size=4, max_size=14), chance=st.randoms(use_true_random=False))
def test_what_was_decided_holds_in_any_order(told: list[State], chance: Random, identity_database: str) -> None:
    async def play() -> None:
        async with await psycopg.AsyncConnection.connect(identity_database) as conn:
            await decide_and_repeat(conn, uuid4(), list({state.number: state for state in told}.values()), chance)
            await conn.rollback()

    asyncio.run(play())


async def decide_and_repeat(conn: Conn, workspace_id: UUID, final: Sequence[State], chance: Random) -> None:
    """Merge two clients, part them otherwise, and let all records come again in another order after each."""
    await absorb(conn, workspace_id, [state.candidate() for state in final], None)
    persons = {id_of(state.number) for state in final if state.kind != RecordKind.COMPANY}
    groups = await groups_of(conn, workspace_id, persons)
    if len(groups) < 2:
        return
    one, other = chance.sample(sorted(groups), 2)
    both = groups[one] | groups[other]
    await merge(conn, workspace_id, one, other, "token")
    for _ in range(2):
        found = await groups_of(conn, workspace_id, persons)
        assert any(both <= group for group in found.values())
        await come_again(conn, workspace_id, final, chance)

    found = await groups_of(conn, workspace_id, persons)
    client, group = next((client, group) for client, group in found.items() if both <= group)
    out = set(chance.sample(sorted(group), chance.randint(1, len(group) - 1)))
    await split(conn, workspace_id, client, out, "token")
    before = sorted(map(sorted, (await groups_of(conn, workspace_id, persons)).values()))
    for _ in range(2):
        found = await groups_of(conn, workspace_id, persons)
        assert sorted(map(sorted, found.values())) == before
        clients = await stored(conn, workspace_id)
        gone, left = ({clients[record] for record in side} for side in (out, both - out))
        assert len(gone) == 1  # nobody's, if they are visits alone
        assert len(left) <= 1
        assert gone == {None} or gone != left
        await agrees(conn, workspace_id)
        await come_again(conn, workspace_id, final, chance)


async def come_again(conn: Conn, workspace_id: UUID, final: Sequence[State], chance: Random) -> None:
    for state in chance.sample(final, len(final)):
        await absorb(conn, workspace_id, [], None, removed=[id_of(state.number)])
    for state in chance.sample(final, len(final)):
        await absorb(conn, workspace_id, [state.candidate()], None)


async def groups_of(conn: Conn, workspace_id: UUID, among: Collection[UUID]) -> dict[UUID, set[UUID]]:
    groups: dict[UUID, set[UUID]] = defaultdict(set)
    for record, client in (await stored(conn, workspace_id)).items():
        if client is not None and record in among:
            groups[client].add(record)
    return dict(groups)
