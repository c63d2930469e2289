"""The queue of probable matches: what is proposed, what a person says to it, and that every sync obeys."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest

from schema.enums import ProposalState, RecordKind
from schema.ids import record_id
from schema.records import CallRecord, ContactRecord, LeadRecord, Record
from sync.identity.decisions import DecisionRefused
from sync.identity.explain import why, why_not
from sync.identity.queue import proposal_id, waiting
from sync.identity.review import decide
from tests.sync.identity.test_absorb import BITRIX, Conn, World, day

A, B, C, D = "+79161112201", "+79035554433", "+79217778866", "+79850001122"


def card(id: str, name: str, phone: str, minutes: int = 0, responsible: str | None = None) -> Record:
    at = day(0) + timedelta(minutes=minutes)
    return ContactRecord(external_id=id, name=name, phones=(phone,), created_at=at, responsible=responsible)


def form(id: str, name: str, phone: str, minutes: int = 0) -> Record:
    return LeadRecord(external_id=id, name=name, phones=(phone,), created_at=day(0) + timedelta(minutes=minutes))


def rung(id: str, phone: str, minutes: int, responsible: str | None = None) -> Record:
    at = day(0) + timedelta(minutes=minutes)
    return CallRecord(external_id=id, client_phone=phone, started_at=at, responsible=responsible)


FORM = record_id(BITRIX, RecordKind.LEAD, "f")
CARD = record_id(BITRIX, RecordKind.CONTACT, "1")
PROPOSAL = proposal_id(FORM, CARD)
ASKED = (form("f", "Кристина Шилова", A), card("1", "Кристина Шилова", B, 600))
"""A full name and the same day: worth a question, no more."""


async def queue(world: World) -> list[tuple[Any, ...]]:
    return await world.rows("select id, state, pending from match_proposal where workspace_id = %(w)s")


async def test_a_rare_name_and_the_same_half_hour_make_one_client_and_the_log_tells_the_weights(conn: Conn) -> None:
    world = World(conn)
    await world.take(form("f", "Timur Sharapov", A), card("1", "ТИМУР Шарапов ", B, 20))
    assert await world.client(RecordKind.LEAD, "f") == await world.contact("1")
    assert await queue(world) == []
    await world.take(card("1", "Тимур Шарапов", B, 20))
    assert await world.client(RecordKind.LEAD, "f") == await world.contact("1")
    await world.take(card("1", "Глеб Быков", B, 20))
    assert await world.client(RecordKind.LEAD, "f") != await world.contact("1")


async def test_the_day_of_birth_on_two_cards_makes_one_client_unless_it_stands_for_none(conn: Conn) -> None:
    def born(id: str, phone: str, day_of_birth: date) -> Record:
        return ContactRecord(
            external_id=id,
            name="Кристина Шилова",
            phones=(phone,),
            created_at=day(9 * int(id)),
            birthday=day_of_birth,
        )

    world = World(conn)
    await world.take(born("1", A, date(1987, 5, 12)), born("2", B, date(1987, 5, 12)))
    assert await world.contact("1") == await world.contact("2")
    await world.take(born("1", A, date(1970, 1, 1)), born("2", B, date(1970, 1, 1)))
    assert await world.contact("1") != await world.contact("2")


async def test_a_later_match_is_logged_with_its_waterfall(conn: Conn) -> None:
    world = World(conn)
    await world.take(form("f", "Тимур Шарапов", A))
    await world.take(card("1", "Тимур Шарапов", B, 20))
    rows = await world.rows("select evidence from merge_log where workspace_id = %(w)s")
    assert rows == []  # new records merge nothing
    await world.take(card("3", "Глеб Быков", D, 22))
    await world.take(card("3", "Тимур Шарапов", D, 22))
    [(evidence,)] = await world.rows("select evidence from merge_log where workspace_id = %(w)s")
    told = [key for key in evidence["keys"] if key["kind"] == "probable"]
    assert told
    assert told[0]["value"] == pytest.approx(sum(bits for _, bits in told[0]["weights"].values()), abs=0.06)
    assert told[0]["weights"]["time"][0] == "half an hour"


async def test_a_card_made_of_an_unknown_caller_s_call_is_his(conn: Conn) -> None:
    world = World(conn)
    await world.take(rung("c", A, 0, "7"), card("1", "Тимур", B, 20, "7"))
    assert await world.call("c", BITRIX) == await world.contact("1")
    await world.take(card("2", "Глеб", C, 25, "7"))  # whose is the call now?
    assert await world.call("c", BITRIX) not in {await world.contact("1"), await world.contact("2")}
    assert len(await queue(world)) == 2


async def test_a_known_number_is_its_owner_s_unless_the_call_led_to_another_s_card(conn: Conn) -> None:
    world = World(conn)
    await world.take(card("0", "Глеб", A, -900, "8"), rung("c", A, 0, "7"))
    assert await world.call("c", BITRIX) == await world.contact("0")
    await world.take(card("1", "Тимур", B, 20, "7"))  # borrowed?
    assert await world.call("c", BITRIX) not in {await world.contact("0"), await world.contact("1")}
    assert len(await queue(world)) == 1
    await world.take(form("f", "Тимур", B, -40))  # so he was expected anyway
    assert await world.call("c", BITRIX) == await world.contact("0")


async def test_what_is_less_likely_is_asked_and_what_is_said_is_obeyed(conn: Conn) -> None:
    world = World(conn)
    await world.take(*ASKED)
    assert await queue(world) == [(PROPOSAL, "open", True)]
    outcome = await decide(conn, world.workspace_id, PROPOSAL, ProposalState.SAME, "token")
    assert {FORM, CARD} >= outcome.touched
    assert await world.client(RecordKind.LEAD, "f") == await world.contact("1")
    assert await queue(world) == [(PROPOSAL, "same", False)]
    await world.take(form("f", "Глеб", A), ASKED[1])
    assert await world.client(RecordKind.LEAD, "f") == await world.contact("1")
    await decide(conn, world.workspace_id, PROPOSAL, ProposalState.OPEN, "token")
    assert await world.client(RecordKind.LEAD, "f") != await world.contact("1")


async def test_what_is_different_stays_different_until_it_is_taken_back(conn: Conn) -> None:
    world = World(conn)
    await world.take(*ASKED)
    await decide(conn, world.workspace_id, PROPOSAL, ProposalState.DIFFERENT, "token")
    assert await queue(world) == [(PROPOSAL, "different", False)]
    await world.take(card("1", "Кристина Шилова", A, 600))  # now even the phone says so
    assert await world.client(RecordKind.LEAD, "f") != await world.contact("1")
    await decide(conn, world.workspace_id, PROPOSAL, ProposalState.OPEN, "token")
    assert await world.client(RecordKind.LEAD, "f") == await world.contact("1")


async def test_later_is_remembered_when_the_record_changes(conn: Conn) -> None:
    world = World(conn)
    await world.take(*ASKED)
    await decide(conn, world.workspace_id, PROPOSAL, ProposalState.LATER, "token")
    await world.remove(RecordKind.CONTACT, "1")
    assert await queue(world) == [(PROPOSAL, "later", False)]
    await world.take(ASKED[1])
    assert await queue(world) == [(PROPOSAL, "later", True)]


async def test_another_word_replaces_the_first(conn: Conn) -> None:
    world = World(conn)
    await world.take(*ASKED)
    for said in (ProposalState.SAME, ProposalState.DIFFERENT, ProposalState.SAME):
        await decide(conn, world.workspace_id, PROPOSAL, said, "token")
        same = await world.client(RecordKind.LEAD, "f") == await world.contact("1")
        assert same == (said is ProposalState.SAME)
    with pytest.raises(DecisionRefused, match="no such proposal"):
        await decide(conn, world.workspace_id, UUID(int=5), ProposalState.SAME, "token")


async def test_why_tells_probable_matches_and_why_not_those_that_are_not_enough(conn: Conn) -> None:
    world = World(conn)
    await world.take(form("f", "Timur Sharapov", A), card("1", "Тимур Шарапов", B, 20))
    client = await world.contact("1")
    assert client is not None
    [evidence] = (await why(conn, world.workspace_id, client)).joined_by
    assert (evidence.kind, evidence.parts) == ("probable", True)
    assert evidence.value.endswith(" bits")
    await world.take(form("g", "Кристина Шилова", C), card("2", "Кристина Шилова", D, 600))
    ours, theirs = await world.client(RecordKind.LEAD, "g"), await world.contact("2")
    assert ours is not None
    assert theirs is not None
    [waits] = await waiting(conn, world.workspace_id, 10)
    assert waits.waterfall["time"][0] == "a day"
    said = await why_not(conn, world.workspace_id, ours, theirs)
    assert said[0].startswith(f"They are likely to be one, by {waits.score} bits")
