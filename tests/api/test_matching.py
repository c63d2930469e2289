# ruff: noqa: E501 - queries read better unbroken
"""The queue of probable matches over the API: side by side, with its weights, decided and undone."""

from __future__ import annotations

from datetime import timedelta

import pytest

from core.database import driver
from schema import tables as t
from schema.enums import RecordKind, Role
from schema.ids import record_id
from schema.records import ContactRecord
from sync.identity import absorb, candidate_of, refresh_golden
from tests.api.conftest import Api
from tests.api.market import START

QUEUE = """query ($w: MatchProposalFilter) { matchProposals(filter: $w) { nodes {
    id state pending score probability waterfall client { id name } otherClient { id }
    record { __typename ... on Contact { name phones } } otherRecord { __typename ... on Contact { name phones } } } } }"""
SAY = "mutation ($p: ID!) { %s(proposal: $p) { proposal { state pending } problems { field code message } } }"
NAMES = ("Тимур Шарапов", "Шарапов Тимур")
PHONES = ("+79161110001", "+79035554433")


async def two_cards(api: Api) -> None:
    """Two cards of one name, made on one day, with phones of their own."""
    market = api.market
    candidates, rows = [], []
    for number, (name, phone) in enumerate(zip(NAMES, PHONES, strict=True)):
        record = ContactRecord(
            external_id=f"m{number}", name=name, phones=(phone,), created_at=START + timedelta(hours=number)
        )
        candidate = candidate_of(record, market.connection_id, "RU")
        assert candidate is not None
        candidates.append(candidate)
        rows.append(
            {
                **market.unified("mcontact", number),
                "id": record_id(market.connection_id, RecordKind.CONTACT, record.external_id),
                "name": name,
                "phones": [phone],
                "emails": [],
                "created_at": record.created_at,
            }
        )
    async with market.database.loading(market.workspace_id) as db:
        outcome = await absorb(driver(db), market.workspace_id, candidates, None)
    await market.add(t.Contact, [{**row, "client_id": outcome.clients[row["id"]]} for row in rows])
    async with market.database.loading(market.workspace_id) as db:
        await refresh_golden(driver(db), market.workspace_id, outcome.touched)


async def test_a_proposal_stands_side_by_side_with_its_weights(api: Api) -> None:
    await two_cards(api)
    where = {"state": {"eq": "OPEN"}, "pending": {"eq": True}, "score": {"gte": 1}}
    [found] = (await api.data(QUEUE, {"w": where}))["matchProposals"]["nodes"]
    assert {found[side]["name"] for side in ("record", "otherRecord")} == set(NAMES)
    assert found["waterfall"]["name"][0] == "full"
    assert found["score"] == pytest.approx(sum(bits for _, bits in found["waterfall"].values()), abs=0.06)
    assert found["probability"] == pytest.approx(1 / (1 + 2 ** -found["score"]))
    assert found["client"]["id"] != found["otherClient"]["id"]


async def test_what_is_said_is_done_and_undone(api: Api) -> None:
    await two_cards(api)
    [found] = (await api.data(QUEUE))["matchProposals"]["nodes"]
    one, other = found["client"]["id"], found["otherClient"]["id"]
    clients = "query ($a: ID!, $b: ID!) { a: client(id: $a) { id } b: client(id: $b) { id } }"

    async def say(word: str) -> tuple[object, bool]:
        answer = (await api.data(SAY % word, {"p": found["id"]}))[word]
        assert answer["problems"] == []
        two = await api.data(clients, {"a": one, "b": other})
        return (answer["proposal"] or {}).get("state"), two["a"]["id"] == two["b"]["id"]

    assert await say("postponeMatch") == ("LATER", False)
    assert await say("acceptMatch") == ("SAME", True)
    assert await say("reopenMatch") == ("OPEN", False)
    assert await say("rejectMatch") == ("DIFFERENT", False)
    assert (await api.data(QUEUE, {"w": {"pending": {"eq": True}}}))["matchProposals"]["nodes"] == []


async def test_analysts_see_masked_sides_and_decide_nothing(api: Api) -> None:
    await two_cards(api)
    analyst = await api.as_role(Role.ANALYST)
    [found] = (await analyst.data(QUEUE))["matchProposals"]["nodes"]
    assert found["record"]["name"] in {"Т*** Ш***", "Ш*** Т***"}
    assert "Шарапов" not in str(found)
    assert not any(phone in str(found) for phone in PHONES)
    assert await analyst.code(SAY % "acceptMatch", {"p": found["id"]}) == "FORBIDDEN"


async def test_what_a_record_would_match_is_told_beforehand(api: Api) -> None:
    await two_cards(api)
    ask = "query ($i: WouldMatchInput!) { whatWouldMatch(input: $i) { client keys score waterfall applied } }"
    [by_key] = (await api.data(ask, {"i": {"phones": ["8 (916) 111-00-01"]}}))["whatWouldMatch"]
    assert (by_key["keys"], by_key["applied"]) == ([f"phone {PHONES[0]}"], True)
    by_name = (await api.data(ask, {"i": {"name": "Timur Sharapov", "emails": ["new.one@mail.ru"]}}))[
        "whatWouldMatch"
    ]
    assert all(each["waterfall"]["name"][0] == "full" for each in by_name)
    assert (await api.data(ask, {"i": {"name": "Глеб Быков"}}))["whatWouldMatch"] == []
