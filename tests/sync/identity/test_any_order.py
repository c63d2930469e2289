"""Whatever the order, the batches and the repetition: the partition follows from the final data alone.

The oracle is written apart from the code under test and knows nothing of neighbourhoods, clients or the database:
it takes all final records at once, in the plainest way.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import Any
from uuid import UUID, uuid4

import psycopg
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from schema.enums import ClientKind, IdentifierKind, RecordKind
from sync.identity import Candidate, Key, absorb, components, whole
from sync.identity.whole import regroup

Conn = psycopg.AsyncConnection[tuple[Any, ...]]

START = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = (None, "Иван Петров", "Иван", "Мария Орлова", "Мария", "Глеб Быков")
PERSONS = {"Иван": "Иван Петров", "Мария": "Мария Орлова"}  # who a short name may be
LANDLINE = "+74951112204"
PHONES = ("+79161112201", "+79161112202", "+79161112203", LANDLINE)
EMAILS = ("a@x.ru", "b@x.ru", "info@x.ru")
VISITORS = ("ym:1", "ym:2", "ym:3")
ORDER = ("vendor", "email", "visitor", "found", "phone")
CARDS = (RecordKind.CONTACT, RecordKind.COMPANY)
LONE_CALL = 12


def id_of(number: int) -> UUID:
    return UUID(int=number + 1)


@dataclass(frozen=True)
class State:
    """What one record says at one time."""

    number: int
    kind: RecordKind
    phones: frozenset[str]
    emails: frozenset[str]
    visitors: frozenset[str]
    refers_to: int | None
    name: str | None

    def candidate(self) -> Candidate:
        keys = [Key(IdentifierKind.PHONE, phone, phone) for phone in self.phones]
        keys += [Key(IdentifierKind.EMAIL, email, email) for email in self.emails]
        keys += [Key(IdentifierKind.VISITOR, visitor, visitor) for visitor in self.visitors]
        if self.kind in (RecordKind.CONTACT, RecordKind.LEAD, RecordKind.VISIT):
            keys.append(Key(IdentifierKind.VENDOR, id_of(self.number).hex, "own"))
        if self.refers_to is not None and self.refers_to != self.number:
            keys.append(Key(IdentifierKind.VENDOR, id_of(self.refers_to).hex, "other"))
        if self.kind == RecordKind.CALL and self.number != LONE_CALL:
            keys += [Key(IdentifierKind.VENDOR, f"call:{phone}", "two systems log it") for phone in self.phones]
        company = self.kind == RecordKind.COMPANY
        return Candidate(
            id_of(self.number),
            self.kind,
            UUID(int=0),
            ClientKind.COMPANY if company else ClientKind.PERSON,
            START + timedelta(days=5 * self.number),
            tuple(keys),
            (self.name,) if self.name else (),
        )


KINDS = (RecordKind.CONTACT, RecordKind.LEAD, RecordKind.CALL, RecordKind.VISIT, RecordKind.COMPANY)


@st.composite
def states(draw: st.DrawFn) -> State:
    number = draw(st.integers(0, 13))
    kind = KINDS[number % len(KINDS)]
    named = kind in (RecordKind.CONTACT, RecordKind.LEAD, RecordKind.COMPANY)
    speaks = kind != RecordKind.VISIT
    return State(
        number,
        kind,
        frozenset(draw(st.sets(st.sampled_from(PHONES), max_size=2))) if speaks else frozenset(),
        frozenset(draw(st.sets(st.sampled_from(EMAILS), max_size=1))) if named else frozenset(),
        frozenset(draw(st.sets(st.sampled_from(VISITORS), max_size=1)))
        if kind in (RecordKind.CALL, RecordKind.VISIT, RecordKind.LEAD)
        else frozenset(),
        draw(st.sampled_from((None, 0, 1, 3, 5, 6, 8))) if kind in (RecordKind.CALL, RecordKind.LEAD) else None,
        draw(st.sampled_from(NAMES)) if named else None,
    )


# ---- the oracle ---------------------------------------------------------------------------------------------


def tells_more(call: State) -> bool:
    return bool(call.visitors or call.phones - {LANDLINE})


def differ(one: str, other: str) -> bool:
    return PERSONS.get(one, one) != PERSONS.get(other, other)


def expected(final: dict[int, State]) -> dict[frozenset[int], bool]:
    """The groups of the final records, and whether each is a client."""
    carriers: dict[tuple[bool, str, str], list[State]] = defaultdict(list)
    for state in final.values():
        for key in state.candidate().keys:
            carriers[state.kind == RecordKind.COMPANY, key.kind, key.value].append(state)

    def joins_nobody(key: tuple[bool, str, str]) -> bool:
        company, kind, value = key
        if kind == "vendor":
            return False
        names = {state.name for state in carriers[key] if state.name}
        desk = not company and (True, kind, value) in carriers and value in (LANDLINE, "info@x.ru")
        return desk or any(differ(a, b) for a, b in combinations(names, 2))

    shared = {key for key in carriers if joins_nobody(key)}
    label = {number: number for number in final}

    def names_of(group: int) -> set[str]:
        said = {state.name for number, state in final.items() if label[number] == group and state.name}
        return {name for name in said if not (name in PERSONS and PERSONS[name] in said)}

    def visitors_of(group: int) -> set[str]:
        return {visitor for number, state in final.items() if label[number] == group for visitor in state.visitors}

    def days_of(group: int) -> list[int]:
        return [5 * number for number, state in final.items() if label[number] == group and state.visitors]

    def came_after_the_card_of(owner: int, caller: int) -> bool:
        cards = [
            5 * number
            for number, state in final.items()
            if label[number] == owner and state.kind == RecordKind.CONTACT and state.name
        ]
        if not cards or visitors_of(owner) or not visitors_of(caller):
            return False
        return 0 < min(days_of(caller)) - min(cards) <= 14

    def at_odds(a: int, b: int, by_phone: bool) -> bool:
        left, right = names_of(a), names_of(b)
        if left and right:
            return all(differ(x, y) for x in left for y in right)
        seen, seen_too = visitors_of(a), visitors_of(b)
        if by_phone and (came_after_the_card_of(a, b) or came_after_the_card_of(b, a)):
            return True
        if not by_phone or not seen or not seen_too or seen & seen_too:
            return False
        days, days_too = days_of(a), days_of(b)
        return max(min(days), min(days_too)) - min(max(days), max(days_too)) <= 14

    def any_at_odds(groups: Iterable[int], by_phone: bool) -> bool:
        return any(at_odds(a, b, by_phone) for a, b in combinations(sorted(groups), 2))

    plan: list[tuple[str, int, bool, str, list[State]]] = []
    for (company, kind, value), who in carriers.items():
        if (company, kind, value) in shared:
            continue
        owner = next((state for state in final.values() if id_of(state.number).hex == value), None)
        if kind == "vendor" and owner and owner.kind in (RecordKind.CONTACT, RecordKind.LEAD):
            shown = [
                state
                for state in who
                if state.kind == RecordKind.CALL
                and not any((company, "phone", p) in shared or p in owner.phones for p in state.phones)
            ]
            plan.append(("found", len(shown) + 1, company, value, [owner, *shown]))
            who = [state for state in who if state.kind != RecordKind.CALL]
        if kind == "phone" and value == LANDLINE and not company:
            who = [state for state in who if state.kind != RecordKind.CALL or not tells_more(state)]
        plan.append((kind, len(who), company, value, who))
    for kind, _, _, _, who in sorted(plan, key=lambda step: (ORDER.index(step[0]), step[1], not step[2], step[3])):
        by_phone = kind in ("found", "phone")
        groups = {label[state.number] for state in who}
        if any_at_odds(groups, by_phone):
            owned = {label[state.number] for state in who if state.name}
            if any_at_odds(owned, by_phone):
                continue
            fitting = {g for g in groups - owned if not any(at_odds(g, owner, by_phone) for owner in owned)}
            named = {g for g in fitting if names_of(g)}
            if any_at_odds(named, by_phone):
                if not owned:
                    continue
                fitting -= named
            groups = owned
            for _, number in sorted(
                (min((abs(state.number - other.number) for other in who if other.name), default=0), state.number)
                for state in who
            ):
                group = label[number]
                if group in fitting and not any(at_odds(group, other, by_phone) for other in groups - {group}):
                    groups = groups | {group}
        for number, group in list(label.items()):
            if group in groups:
                label[number] = min(groups)

    result = {}
    for group in set(label.values()):
        members = [final[number] for number, own in label.items() if own == group]
        known = any(
            state.kind in CARDS
            or (
                state.kind != RecordKind.VISIT
                and (
                    len(members) > 1
                    or any(
                        (False, key.kind, key.value) not in shared
                        for key in state.candidate().keys
                        if key.kind != "vendor"
                    )
                )
            )
            for state in members
        )
        result[frozenset(state.number for state in members)] = known
    return result


# ---- the properties -----------------------------------------------------------------------------------------


async def stored(conn: Conn, workspace_id: UUID) -> dict[UUID, UUID | None]:
    cursor = await conn.execute(
        "select record_id, client_id from identity_record where workspace_id = %s", (workspace_id,)
    )
    return dict(await cursor.fetchall())


async def check(conn: Conn, workspace_id: UUID, final: dict[int, State]) -> None:
    clients = await stored(conn, workspace_id)
    assert clients.keys() == {id_of(number) for number in final}
    groups: dict[UUID, set[int]] = defaultdict(set)
    nobodys = set()
    for number in final:
        client = clients[id_of(number)]
        if client is None:
            nobodys.add(number)
        else:
            groups[client].add(number)
    wanted = expected(final)
    assert {frozenset(group) for group in groups.values()} == {group for group, known in wanted.items() if known}
    assert nobodys == {number for group, known in wanted.items() if not known for number in group}
    cursor = await conn.execute("select id, merged_into from client where workspace_id = %s", (workspace_id,))
    rows: dict[UUID, UUID | None] = dict(await cursor.fetchall())
    assert groups.keys() <= rows.keys()
    assert all(rows[client] is None for client in groups), "a client with records is merged away"
    assert all(rows[into] is None for into in rows.values() if into is not None), "a chain of merges"

    cursor = await conn.execute(_WRONGLY_CLOSED, {"workspace": workspace_id})
    assert await cursor.fetchall() == []


async def agrees(conn: Conn, workspace_id: UUID) -> None:
    """Everything at once tells no other clients, and no other shared keys, than page by page did."""
    graph = await whole.read(conn, workspace_id)
    if graph is None:
        return
    guards = await whole.guards_of(conn, workspace_id, graph)
    group = await whole.grouped(conn, workspace_id, graph, guards)
    assert not components.differing(graph, group, guards.shared).any()
    cursor = await conn.execute(
        "select client_kind, kind, value, reason from shared_key where workspace_id = %s", (workspace_id,)
    )
    assert {(*key, reason) for key, (reason, _) in guards.reasons.items()} == set(await cursor.fetchall())


_WRONGLY_CLOSED = """
select c.id, c.closed from client c
where c.workspace_id = %(workspace)s
    and exists (select from identity_record where workspace_id = c.workspace_id and client_id = c.id)
    and c.closed = exists (
        select from identity_record r
        join identifier i on i.workspace_id = r.workspace_id and i.record_id = r.record_id
        join identifier j on j.workspace_id = i.workspace_id
            and (j.client_kind, j.kind, j.value) = (i.client_kind, i.kind, i.value)
        join identity_record o on o.workspace_id = j.workspace_id and o.record_id = j.record_id
        where r.workspace_id = c.workspace_id and r.client_id = c.id
            and (o.client_id is distinct from c.id or exists (
                select from shared_key s
                where s.workspace_id = i.workspace_id
                    and (s.client_kind, s.kind, s.value) = (i.client_kind, i.kind, i.value)
            ))
    )
"""

steps = st.lists(st.tuples(st.lists(states(), max_size=6), st.sets(st.integers(0, 13), max_size=1)), max_size=8)


def firm(number: int, phone: str | None, name: str | None) -> State:
    phones = frozenset({phone} if phone else set[str]())
    return State(number, RecordKind.COMPANY, phones, frozenset(), frozenset(), None, name)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(story=steps)
@example(  # a record gets its first key, and that one is shared from then on: its client isn't closed any more
    story=[
        ([firm(9, None, None), firm(4, "+79161112201", "Мария Орлова")], set()),
        ([firm(9, "+79161112201", "Иван Петров")], set()),
    ]
)
def test_the_partition_follows_from_the_final_data(
    story: list[tuple[list[State], set[int]]], identity_database: str
) -> None:
    async def play() -> None:
        async with await psycopg.AsyncConnection.connect(identity_database) as conn:
            workspace_id = uuid4()
            final: dict[int, State] = {}
            for batch, removed in story:
                await absorb(
                    conn,
                    workspace_id,
                    [state.candidate() for state in batch],
                    None,
                    removed=[id_of(number) for number in removed],
                )
                for number in removed:
                    final.pop(number, None)
                final |= {state.number: state for state in batch}
                await check(conn, workspace_id, final)
            other = uuid4()
            backwards = sorted(final.values(), key=lambda state: -state.number)
            for state in backwards:
                await absorb(conn, other, [state.candidate()], None)
            await absorb(conn, other, [state.candidate() for state in backwards], None)
            await check(conn, other, final)
            await agrees(conn, other)
            await conn.execute("delete from shared_key where workspace_id = %s", (other,))
            await conn.execute("update identity_record set client_id = null where workspace_id = %s", (other,))
            await regroup(conn, other, "test")
            await check(conn, other, final)
            await agrees(conn, other)
            await conn.rollback()

    asyncio.run(play())
