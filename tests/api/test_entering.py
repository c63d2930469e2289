# ruff: noqa: E501 - queries read better unbroken
"""What people enter over the API is a record like any other; what another system keeps is changed there."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text

from api.tokens import create_token
from core.database import driver
from reports.rebuild import difference_from_rebuild, rebuild
from schema import tables as t
from schema.enums import Role
from schema.records import CallRecord
from sync.identity import absorb, candidate_of
from tests.api.conftest import Api, bearer
from tests.api.market import START, uuid

CLIENT = "client { id name phone email kind responsible { id } contacts { nodes { id name phones connection { connector } } } fields { field value rule confidence others } deals { nodes { id title } } } problems { field code message }"
PHONE = "8 (916) 555-44-33"


async def create(api: Api, arguments: str) -> Any:
    answer = await api.data(f"mutation {{ createClient({arguments}) {{ founded {CLIENT} }} }}")
    return answer["createClient"]


async def rows(api: Api, query: str) -> list[Any]:
    async with api.market.database.loading(api.market.workspace_id) as db:
        return list((await db.execute(text(query), {"ws": api.market.workspace_id})).all())


async def test_a_client_is_entered_found_again_and_pinned(api: Api) -> None:
    made = await create(
        api, f'name: "Анна Белова", phones: ["{PHONE}"], emails: ["Anna@X.ru"], idempotencyKey: "1"'
    )
    assert made["founded"]
    assert made["problems"] == []
    client = made["client"]
    assert (client["name"], client["phone"], client["email"], client["kind"]) == (
        "Анна Белова",
        "+79165554433",
        "anna@x.ru",
        "PERSON",
    )
    assert client["contacts"]["nodes"][0]["connection"] == {"connector": "skvoz"}
    again = await create(
        api, f'name: "Анна Белова", phones: ["{PHONE}"], emails: ["Anna@X.ru"], idempotencyKey: "1"'
    )
    assert again["client"]["id"] == client["id"]
    assert again["founded"]
    known = await create(api, 'name: "А. Белова", phones: ["+7 916 555 44 33"]')
    assert known["client"]["id"] == client["id"]
    assert not known["founded"]
    assert len(known["client"]["contacts"]["nodes"]) == 2
    edited = (
        await api.data(
            f'mutation {{ editClient(id: "{client["id"]}", name: "Белова Анна Ивановна", phone: "89161112233", kind: COMPANY) {{ {CLIENT} }} }}'
        )
    )["editClient"]
    assert edited["problems"] == []
    assert (edited["client"]["name"], edited["client"]["phone"], edited["client"]["kind"]) == (
        "Белова Анна Ивановна",
        "+79161112233",
        "COMPANY",
    )
    told = {each["field"]: each for each in edited["client"]["fields"]}
    assert told["name"]["rule"] == "PINNED"
    assert set(told["name"]["others"]) == {"Анна Белова", "А. Белова"}
    await create(api, f'name: "Аня", phones: ["{PHONE}"]')  # a newer word doesn't move what is pinned
    unpinned = (await api.data(f'mutation {{ unpinClient(id: "{client["id"]}") {{ {CLIENT} }} }}'))["unpinClient"][
        "client"
    ]
    assert (unpinned["name"], unpinned["phone"], unpinned["kind"]) == ("Аня", "+79165554433", "PERSON")
    told = await api.data(
        """query ($value: String!, $other: String!) {
          some: clients(filter: {identifiers: {some: {kind: {eq: PHONE}, value: {eq: $value}, records: {gte: 3}}}}) { nodes { id } }
          none: clients(filter: {identifiers: {some: {value: {eq: $other}}}}) { nodes { id } }
          split: clients(filter: {merges: {some: {kind: {eq: "split"}}}}) { nodes { id } } }""",
        {"value": "+79165554433", "other": "+79000000000"},
    )
    assert told == {"some": {"nodes": [{"id": client["id"]}]}, "none": {"nodes": []}, "split": {"nodes": []}}
    let_go = await api.data(
        f'mutation {{ a: editClient(id: "{client["id"]}", name: "Z") {{ {CLIENT} }} b: editClient(id: "{client["id"]}", name: null) {{ {CLIENT} }} }}'
    )
    assert (let_go["a"]["client"]["name"], let_go["b"]["client"]["name"]) == ("Z", "Аня")
    (changes,) = await rows(
        api,
        "select count(*) filter (where kind = 'created' and type = 'contact') from change where workspace_id = :ws",
    )
    assert changes[0] == 3


async def test_each_wrong_field_is_told_in_the_callers_language(api: Api) -> None:
    query = 'mutation { createClient(name: " ", phones: ["12"], emails: ["x"], taxId: "1") { client { id } problems { field code message } } }'
    answer = (await api.post({"query": query}, **{"Accept-Language": "ru"})).json()["data"]["createClient"]
    assert answer["client"] is None
    assert [(each["field"], each["code"]) for each in answer["problems"]] == [
        ("name", "EMPTY"),
        ("phones", "PHONE_INVALID"),
        ("emails", "EMAIL_INVALID"),
        ("taxId", "ONLY_COMPANIES"),
    ]
    assert answer["problems"][1]["message"].startswith("«12» — не телефон")


async def test_a_deal_is_entered_for_any_client_goes_through_stages_and_counts(api: Api) -> None:
    await api.market.add(t.Pipeline, [{**api.market.unified("pipeline", 2), "name": "Other", "sort": 2}])
    won = {
        **api.market.unified("stage", 3),
        "pipeline_id": uuid("pipeline", 2),
        "name": "Won",
        "sort": 3,
        "status": "won",
    }
    await api.market.add(t.Stage, [won])
    async with api.market.database.loading(api.market.workspace_id) as db:
        await rebuild(driver(db), api.market.workspace_id, None)
    client = (await create(api, f'name: "Анна", phones: ["{PHONE}"]'))["client"]["id"]
    wrong = await api.data(
        f'mutation {{ createDeal(client: "{client}", title: "Окна", amount: "-1", currency: "RUR", pipeline: "Pipeline:{uuid("pipeline", 1)}", stage: "Stage:{uuid("stage", 3)}") {{ problems {{ field code }} }} }}'
    )
    assert [(each["field"], each["code"]) for each in wrong["createDeal"]["problems"]] == [
        ("amount", "AMOUNT_NEGATIVE"),
        ("currency", "UNKNOWN_CURRENCY"),
        ("stage", "STAGE_OF_OTHER_PIPELINE"),
    ]
    fields = "id title status amount currency closedAt client { id } stage { name } stageChanges { stage { name } }"
    made = await api.data(
        f'mutation {{ createDeal(client: "{client}", title: "Окна", amount: "1500.5", stage: "Stage:{uuid("stage", 1)}") {{ queued deal {{ {fields} }} problems {{ field code }} }} }}'
    )
    deal = made["createDeal"]["deal"]
    assert (deal["status"], deal["amount"], deal["currency"], deal["client"]["id"]) == (
        "OPEN",
        "1500.50",
        "RUB",
        client,
    )
    moved = await api.data(
        f'mutation {{ editDeal(id: "{deal["id"]}", stage: "Stage:{uuid("stage", 3)}", pipeline: "Pipeline:{uuid("pipeline", 2)}") {{ queued deal {{ {fields} }} problems {{ field code message }} }} }}'
    )
    assert moved["editDeal"]["problems"] == []
    assert not moved["editDeal"]["queued"]
    deal = moved["editDeal"]["deal"]
    assert (deal["status"], deal["closedAt"] is not None) == ("WON", True)
    assert [each["stage"]["name"] for each in deal["stageChanges"]] == ["Stage 1", "Won"]
    emptied = await api.data(
        """mutation ($id: ID!, $title: String) {
            a: editDeal(id: $id, expectedAt: "2026-05-01", lostReason: "X") { deal { expectedAt lostReason amount } }
            b: editDeal(id: $id, expectedAt: null, lostReason: null) { deal { expectedAt lostReason amount } }
            c: editDeal(id: $id, title: $title) { problems { field code } } }""",
        {"id": deal["id"], "title": None},
    )
    assert emptied["a"]["deal"] == {"expectedAt": "2026-05-01", "lostReason": "X", "amount": "1500.50"}
    assert emptied["b"]["deal"] == {"expectedAt": None, "lostReason": None, "amount": "1500.50"}
    assert emptied["c"]["problems"] == [{"field": "title", "code": "EMPTY"}]
    assert await rows(api, "select from rollup_month where workspace_id = :ws and revenue = 1500.50")
    async with api.market.database.loading(api.market.workspace_id) as db:
        assert await difference_from_rebuild(driver(db), api.market.workspace_id) == []
    (versions,) = await rows(api, "select count(*) from source_version where workspace_id = :ws")
    assert versions[0] == 3
    assert (await api.data(f'mutation {{ removeDeal(id: "{deal["id"]}") {{ removed problems {{ code }} }} }}'))[
        "removeDeal"
    ] == {"removed": True, "problems": []}


async def test_what_another_system_keeps_is_queued_there_or_refused_with_what_to_do(api: Api) -> None:
    await api.market.add(
        t.Contact,
        [{**api.market.unified("ocontact", 1), "first_name": "Анна", "phones": [], "emails": []}],
    )
    contact = f"Contact:{uuid('ocontact', 1)}"
    query = 'mutation ($id: ID!) { editContact(id: $id, firstName: "Анна-Мария", idempotencyKey: "k") { queued change { id state write payload base connection { id } } problems { field code } } }'
    edited = (await api.data(query, {"id": contact}))["editContact"]
    assert edited["queued"]
    assert edited["problems"] == []
    assert edited["change"]["payload"] == {"first_name": "Анна-Мария"}
    assert edited["change"]["base"] == {"first_name": "Анна"}
    assert (await api.data(query, {"id": contact}))["editContact"]["change"]["id"] == edited["change"]["id"]
    polled = await api.data(
        "query ($id: ID!) { outboxChange(id: $id) { state attempts { step } } }", {"id": edited["change"]["id"]}
    )
    assert polled["outboxChange"]["state"] == "PENDING"
    refused = await api.data(
        f'mutation {{ editContact(id: "{contact}", position: "Директор") {{ queued problems {{ field code message }} }} }}'
    )
    (problem,) = refused["editContact"]["problems"]
    assert (problem["field"], problem["code"]) == ("position", "KEPT_ELSEWHERE")
    assert "change it there" in problem["message"]
    emptied = await api.data(
        f'mutation {{ editContact(id: "{contact}", firstName: null) {{ queued problems {{ field code }} }} }}'
    )
    assert emptied["editContact"]["problems"] == [{"field": "firstName", "code": "KEPT_ELSEWHERE"}]
    deal = await api.data(
        f'mutation {{ editDeal(id: "Deal:{uuid("deal", 1)}", lostReason: "X") {{ problems {{ field code }} }} }}'
    )
    assert deal["editDeal"]["problems"] == [{"field": "lostReason", "code": "KEPT_ELSEWHERE"}]
    skipped = await api.data(
        "mutation ($id: ID!) { skipChange(id: $id) { change { state } problems { code } } }",
        {"id": edited["change"]["id"]},
    )
    assert skipped["skipChange"]["change"] == {"state": "SKIPPED"}


async def test_a_manager_gets_nobody_elses_client_by_typing_their_phone(api: Api) -> None:
    for number in (1, 2):
        await api.market.add(t.User, [{**api.market.unified("user", number), "name": f"U{number}", "active": True}])
    await api.data("mutation { updateWorkspace(managersSee: OWN) { workspace { id } } }")
    await create(api, f'name: "Анна", phones: ["{PHONE}"], responsible: "User:{uuid("user", 1)}"')
    token = await create_token(
        api.market.database, api.market.workspace_id, Role.MANAGER, "m", None, [uuid("user", 2)]
    )
    api.http.headers.update(bearer(token))
    taken = await create(api, f'name: "Анна", phones: ["{PHONE}"]')
    assert taken["client"] is None
    assert taken["problems"][0]["code"] == "KNOWN_CLIENT"
    own = await create(api, 'name: "Борис", phones: ["89160001122"]')
    assert own["client"]["responsible"]["id"] == f"User:{uuid('user', 2)}"


async def test_a_caller_without_a_card_gets_one_with_the_first_deal(api: Api) -> None:
    """And a card that is said to be a client's is, though no key tells; one entered here is edited at once."""
    call = CallRecord(external_id="c1", started_at=START, client_phone="+79165554433", answered=True)
    market = api.market
    candidate = candidate_of(call, market.connection_id, "RU")
    assert candidate is not None
    async with market.database.loading(market.workspace_id) as db:
        outcome = await absorb(driver(db), market.workspace_id, [candidate], None)
    caller = f"Client:{outcome.clients[candidate.record_id]}"
    contacts = "client { id contacts(orderBy: [{field: NAME}]) { nodes { name } } }"
    made = await api.data(
        f'mutation {{ createDeal(client: "{caller}", title: "Окна") {{ deal {{ {contacts} contact {{ id }} }} }} }}'
    )
    assert made["createDeal"]["deal"]["client"] == {"id": caller, "contacts": {"nodes": [{"name": "—"}]}}
    added = await api.data(
        f'mutation {{ createContact(client: "{caller}", firstName: "Вера", emails: ["v@x.ru"]) {{ contact {{ id {contacts} }} problems {{ message }} }} }}'
    )
    assert added["createContact"]["problems"] == []
    assert added["createContact"]["contact"]["client"]["id"] == caller
    id = added["createContact"]["contact"]["id"]
    edited = await api.data(
        f'mutation {{ editContact(id: "{id}", lastName: "Громова", position: "Директор", phones: []) {{ queued contact {{ firstName lastName position emails }} problems {{ message }} }} }}'
    )
    assert edited["editContact"] == {
        "queued": False,
        "contact": {"firstName": "Вера", "lastName": "Громова", "position": "Директор", "emails": ["v@x.ru"]},
        "problems": [],
    }
    gone = await api.data(f'mutation {{ removeContact(id: "{id}") {{ removed }} }}')
    assert gone["removeContact"]["removed"]
    refused = await api.data(
        f'mutation {{ removeDeal(id: "Deal:{uuid("deal", 1)}") {{ removed problems {{ code }} }} }}'
    )
    assert refused["removeDeal"] == {"removed": False, "problems": [{"code": "KEPT_ELSEWHERE"}]}


async def test_an_organisations_card_is_entered_edited_and_taken_away(api: Api) -> None:
    card = "company { id name taxId website phones client { id name kind } connection { connector } } problems { field code message }"
    wrong = (
        await api.post(
            {
                "query": f'mutation {{ createCompany(client: "Client:{uuid("client", 1)}", name: " ", website: "no site") {{ {card} }} }}'
            },
            **{"Accept-Language": "ru"},
        )
    ).json()["data"]["createCompany"]
    assert wrong["company"] is None
    assert [(each["field"], each["code"]) for each in wrong["problems"]] == [
        ("client", "DIFFERENT_KINDS"),
        ("name", "EMPTY"),
        ("website", "SITE_INVALID"),
    ]
    assert wrong["problems"][2]["message"] == "«no site» — не адрес сайта вида https://example.com."
    query = f'mutation {{ createCompany(name: "Чистота", taxId: "7707083893", website: "chistota.example", phones: ["{PHONE}"], idempotencyKey: "c") {{ queued {card} }} }}'
    made = (await api.data(query))["createCompany"]
    assert made["problems"] == []
    assert (made["company"]["website"], made["company"]["client"]["kind"]) == ("chistota.example", "COMPANY")
    assert made["company"]["connection"] == {"connector": "skvoz"}
    assert (await api.data(query))["createCompany"]["company"]["id"] == made["company"]["id"]
    branch = (
        await api.data(
            f'mutation {{ createCompany(client: "{made["company"]["client"]["id"]}", name: "Филиал") {{ {card} }} }}'
        )
    )["createCompany"]
    assert branch["company"]["client"]["id"] == made["company"]["client"]["id"]
    id = made["company"]["id"]
    edited = await api.data(
        f'mutation {{ editCompany(id: "{id}", name: "Чистота и порядок", phones: []) {{ queued {card} }} }}'
    )
    assert (edited["editCompany"]["queued"], edited["editCompany"]["company"]["name"]) == (
        False,
        "Чистота и порядок",
    )
    assert (edited["editCompany"]["company"]["taxId"], edited["editCompany"]["company"]["phones"]) == (
        "7707083893",
        [],
    )
    assert (await api.data(f'mutation {{ removeCompany(id: "{id}") {{ removed problems {{ code }} }} }}'))[
        "removeCompany"
    ] == {"removed": True, "problems": []}


async def test_an_organisation_that_another_system_keeps_is_changed_there(api: Api) -> None:
    await api.market.add(
        t.Company, [{**api.market.unified("firm", 1), "name": "Чистота", "phones": [], "emails": []}]
    )
    query = 'mutation ($id: ID!, $tax: String) { editCompany(id: $id, name: "Порядок", taxId: $tax) { queued change { write payload base } problems { field code } } }'
    id = f"Company:{uuid('firm', 1)}"
    assert (await api.data(query, {"id": id, "tax": "7707083893"}))["editCompany"] == {
        "queued": False,
        "change": None,
        "problems": [{"field": "taxId", "code": "KEPT_ELSEWHERE"}],
    }
    assert (await api.data(query, {"id": id}))["editCompany"] == {
        "queued": True,
        "change": {"write": "company.update", "payload": {"name": "Порядок"}, "base": {"name": "Чистота"}},
        "problems": [],
    }
