"""Who a client was on a day, and its evidence as a picture: over GraphQL, HTTP and the command line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID
from xml.etree import ElementTree

from core.database import driver
from schema import tables as t
from schema.enums import RecordKind, Role
from schema.ids import record_id
from schema.records import ContactRecord
from sync.decisions import merge_clients, split_client
from sync.identity import absorb, candidate_of
from tests.api.conftest import Api
from tests.api.market import START

THEN = """query ($c: ID!, $t: DateTime!) { clientAsOf(client: $c, asOf: $t) {
    client records { kind record client } changes { kind origin to records evidence actor } } }"""
NAMES = ("Тимур <Шарапов> & «Ко»", "Глеб Быков")
PHONES = ("+79161110001", "+79035554433")
IDS = ("w0", "w1")


async def two_clients(api: Api) -> list[str]:
    """Two cards of two people, and the uuids of their clients."""
    market = api.market
    rows, candidates = [], []
    for number, (name, phone) in enumerate(zip(NAMES, PHONES, strict=True)):
        record = ContactRecord(external_id=IDS[number], name=name, phones=(phone,), created_at=START)
        candidate = candidate_of(record, market.connection_id, "RU")
        assert candidate is not None
        candidates.append(candidate)
        id = record_id(market.connection_id, RecordKind.CONTACT, IDS[number])
        row = {**market.unified("wcontact", number), "id": id, "name": name, "phones": [phone], "emails": []}
        rows.append({**row, "created_at": record.created_at})
    async with market.database.loading(market.workspace_id) as db:
        outcome = await absorb(driver(db), market.workspace_id, candidates, None)
    await market.add(t.Contact, [{**row, "client_id": outcome.clients[row["id"]]} for row in rows])
    return [str(candidate.record_id) for candidate in candidates]


async def test_a_client_can_be_asked_for_as_of_a_day(api: Api) -> None:
    one, other = await two_clients(api)
    database, workspace = api.market.database, api.market.workspace_id
    before = datetime.now(UTC)
    await merge_clients(database, workspace, UUID(one), UUID(other), "somebody")
    between = datetime.now(UTC)
    ids = [f"Client:{one}", f"Client:{other}"]
    survivor = (await api.data("query ($c: ID!) { client(id: $c) { id } }", {"c": ids[1]}))["client"]["id"]
    gone = next(id for id in ids if id != survivor)
    await split_client(database, workspace, UUID(survivor[7:]), [UUID(gone[7:])], "somebody")

    async def then(id: str, at: datetime, asker: Api = api) -> dict[str, object]:
        found: dict[str, object] = (await asker.data(THEN, {"c": id, "t": at.isoformat()}))["clientAsOf"]
        return found

    for id in ids:
        assert (await api.data("query ($c: ID!) { client(id: $c) { id } }", {"c": id}))["client"]["id"] == id
        at_first = await then(id, before)
        assert (at_first["client"], at_first["records"]) == (
            id,
            [{"kind": "CONTACT", "record": f"Contact:{id[7:]}", "client": id}],
        )
        as_one = await then(id, between)
        assert as_one["client"] == survivor
        assert len(as_one["records"]) == 2  # type: ignore[arg-type]
    changes = (await then(gone, before))["changes"]
    assert [(each["kind"], each["actor"]) for each in changes] == [("merge", "somebody"), ("split", "somebody")]  # type: ignore[attr-defined]
    masked = await then(gone, before, await api.as_role(Role.ANALYST))
    assert {each["evidence"] for each in masked["changes"]} == {None}  # type: ignore[attr-defined]
    assert (await api.data(THEN, {"c": "Client:" + "0" * 32, "t": before.isoformat()}))["clientAsOf"] is None
    assert await then(gone, before - timedelta(days=400)) is not None  # it stands on no source record


async def test_the_evidence_is_drawn(api: Api) -> None:
    one, other = await two_clients(api)
    await merge_clients(api.market.database, api.market.workspace_id, UUID(one), UUID(other), "somebody")
    path = f"/clients/Client:{other}/evidence.svg"
    answer = await api.http.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/svg+xml")
    ElementTree.fromstring(answer.text)  # noqa: S314 - our own
    assert "decided by hand" in answer.text
    assert "without it the client falls apart" in answer.text
    assert "Тимур &lt;Шарапов&gt; &amp; «Ко»" in answer.text
    russian = await api.http.get(path, headers={"Accept-Language": "ru"})
    assert "решено человеком" in russian.text
    masked = await (await api.as_role(Role.ANALYST)).http.get(path)
    assert masked.status_code == 200
    assert not any(said in masked.text for said in (*NAMES, *PHONES, "Тимур", "Глеб"))
    assert (await api.http.get(path, headers={"Authorization": "Bearer nobody"})).status_code == 401
    assert (await api.http.get(f"/clients/Contact:{other}/evidence.svg")).status_code == 404
    assert (await api.http.post(path)).status_code == 405
