# ruff: noqa: E501 - queries read better unbroken
"""Merges and splits asked for over the API reach identity, golden records and the log."""

from __future__ import annotations

from datetime import timedelta

from core.database import driver
from schema import tables as t
from schema.enums import RecordKind, Role
from schema.ids import record_id
from schema.records import ContactRecord
from sync.identity import absorb, candidate_of, refresh_golden
from tests.api.conftest import Api
from tests.api.market import START

MERGE = """mutation ($a: ID!, $b: ID!) { mergeClients(client: $a, other: $b) {
    client { id name contacts(orderBy: [{field: NAME}]) { nodes { id name } } merges { kind actor otherId client { id } } }
    problems { message } } }"""
SPLIT = """mutation ($a: ID!, $r: [ID!]!) { splitClient(client: $a, records: $r) {
    client { id contacts { nodes { id } } } problems { field message } } }"""


async def two_cards(api: Api) -> tuple[str, str]:
    """Two persons' cards that nothing joins, each its own client; the ids of the clients."""
    market = api.market
    clients = []
    for number, name in ((1, "Анна Белова"), (2, "Вера Громова")):
        record = ContactRecord(
            external_id=str(number),
            name=name,
            phones=(f"+7916111000{number}",),
            created_at=START + timedelta(days=number),
        )
        candidate = candidate_of(record, market.connection_id, "RU")
        assert candidate is not None
        id_ = record_id(market.connection_id, RecordKind.CONTACT, record.external_id)
        async with market.database.loading(market.workspace_id) as db:
            outcome = await absorb(driver(db), market.workspace_id, [candidate], None)
        client = outcome.clients[id_]
        await market.add(
            t.Contact,
            [
                {
                    **market.unified("ocontact", number),
                    "id": id_,
                    "client_id": client,
                    "name": name,
                    "phones": list(record.phones),
                    "emails": [],
                    "created_at": record.created_at,
                }
            ],
        )
        async with market.database.loading(market.workspace_id) as db:
            await refresh_golden(driver(db), market.workspace_id, [client] if client else [])
        clients.append(f"Client:{client}")
    return clients[0], clients[1]


async def test_two_clients_become_one_and_part_again(api: Api) -> None:
    one, other = await two_cards(api)
    merged = (await api.data(MERGE, {"a": other, "b": one}))["mergeClients"]
    assert merged["problems"] == []
    assert merged["client"]["id"] == one  # the older one survives, whichever was named first
    assert [card["name"] for card in merged["client"]["contacts"]["nodes"]] == ["Анна Белова", "Вера Громова"]
    (entry,) = merged["client"]["merges"]
    assert (entry["kind"], entry["otherId"], entry["client"]) == ("merge", other, {"id": one})
    assert entry["actor"] == api.token.split("_")[2]
    assert (await api.data("query ($id: ID!) { client(id: $id) { id } }", {"id": other}))["client"]["id"] == one
    card = merged["client"]["contacts"]["nodes"][1]["id"]
    parted = (await api.data(SPLIT, {"a": one, "r": [card]}))["splitClient"]
    assert len(parted["client"]["contacts"]["nodes"]) == 1
    query = "query ($id: ID!) { contact(id: $id) { client { id name } } }"
    found = (await api.data(query, {"id": card}))["contact"]["client"]
    assert found == {"id": other, "name": "Вера Громова"}


async def test_what_can_not_be_decided_is_said_in_a_sentence(api: Api) -> None:
    one, _ = await two_cards(api)
    again = (await api.data(MERGE, {"a": one, "b": one}))["mergeClients"]
    assert again == {"client": None, "problems": [{"message": "The two are one client already."}]}
    everything = await api.data(SPLIT, {"a": one, "r": []})
    assert everything["splitClient"]["problems"][0]["field"] == "records"
    wrong = (await api.data(SPLIT, {"a": one, "r": [one]}))["splitClient"]
    assert [each["field"] for each in wrong["problems"]] == ["records"]
    analyst = await api.as_role(Role.ANALYST)
    assert await analyst.code(MERGE, {"a": one, "b": one}) == "FORBIDDEN"
