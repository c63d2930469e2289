# ruff: noqa: E501 - queries read better unbroken
"""Notes and tasks, keys of idempotency, problems in the caller's language, previews of decisions."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import text

from api.language import preferred
from core.database import driver
from schema.enums import Role
from tests.api.conftest import Api
from tests.api.market import START, uuid
from tests.api.test_deciding import MERGE, two_cards

CLIENT = f"Client:{uuid('client', 1)}"
NOTE = """mutation ($client: ID!, $text: String!, $key: String) { createNote(client: $client, text: $text, idempotencyKey: $key) {
    note { id text client { id } } problems { field code message } } }"""


async def test_notes_and_tasks_are_written_changed_and_removed(api: Api) -> None:
    written = (await api.data(NOTE, {"client": CLIENT, "text": " Call back \n"}))["createNote"]
    note = written["note"]["id"]
    assert written == {"note": {"id": note, "text": "Call back", "client": {"id": CLIENT}}, "problems": []}
    edit = "mutation ($id: ID!, $text: String!) { editNote(id: $id, text: $text) { note { text } problems { field code } } }"
    assert (await api.data(edit, {"id": note, "text": "Called"}))["editNote"]["note"] == {"text": "Called"}
    deal = f"Deal:{uuid('deal', 4)}"
    task = (
        await api.data(
            f'mutation {{ createTask(client: "{CLIENT}", deal: "{deal}", title: "Offer", dueAt: "2026-04-01T12:00:00+03:00") {{ task {{ id title dueAt doneAt deal {{ id }} }} problems {{ code }} }} }}'
        )
    )["createTask"]["task"]
    assert (task["dueAt"], task["doneAt"], task["deal"]) == ("2026-04-01T09:00:00+00:00", None, {"id": deal})
    done = (
        await api.data(f'mutation {{ editTask(id: "{task["id"]}", done: true) {{ task {{ title doneAt }} }} }}')
    )["editTask"]
    assert done["task"]["title"] == "Offer"
    assert done["task"]["doneAt"] is not None
    free = f'mutation ($due: DateTime) {{ kept: editTask(id: "{task["id"]}", dueAt: $due) {{ task {{ dueAt }} }} freed: editTask(id: "{task["id"]}", dueAt: null, assignee: null) {{ task {{ dueAt assignee {{ id }} }} problems {{ code }} }} }}'
    freed = await api.data(free)
    assert freed["kept"]["task"]["dueAt"] == task["dueAt"]  # a variable that isn't given is no null
    assert freed["freed"] == {"task": {"dueAt": None, "assignee": None}, "problems": []}
    read = f'{{ client(id: "{CLIENT}") {{ notes {{ nodes {{ text author }} }} tasks(filter: {{doneAt: {{isNull: false}}}}) {{ totalCount }} }} deal(id: "{deal}") {{ tasks {{ nodes {{ title }} }} }} }}'
    data = await api.data(read)
    assert data["client"]["notes"]["nodes"] == [{"text": "Called", "author": api.token.split("_")[2]}]
    assert (data["client"]["tasks"]["totalCount"], data["deal"]["tasks"]["nodes"]) == (1, [{"title": "Offer"}])
    remove = f'mutation {{ removeNote(id: "{note}") {{ removed }} }}'
    assert (await api.data(remove))["removeNote"] == {"removed": True}
    assert (await api.data(remove))["removeNote"] == {"removed": False}
    assert (await api.data(read))["client"]["notes"]["nodes"] == []
    gone = (await api.data(edit, {"id": note, "text": "x"}))["editNote"]
    assert gone == {"note": None, "problems": [{"field": "id", "code": "NOT_FOUND"}]}


async def test_the_notes_of_a_merged_client_are_the_survivors(api: Api) -> None:
    one, other = await two_cards(api)
    await api.data(NOTE, {"client": other, "text": "Before"})
    await api.data(MERGE, {"a": one, "b": other})
    found = await api.data(f'{{ client(id: "{one}") {{ notes {{ nodes {{ text client {{ id }} }} }} }} }}')
    assert found["client"]["notes"]["nodes"] == [{"text": "Before", "client": {"id": one}}]


async def test_one_key_writes_once(api: Api) -> None:
    asked = {"client": CLIENT, "text": "Once", "key": "k-1"}
    answers = await asyncio.gather(*(api.data(NOTE, asked) for _ in range(4)))
    assert all(answer == answers[0] for answer in answers)
    assert answers[0]["createNote"]["note"] is not None
    assert (await api.data("{ notes { totalCount } }"))["notes"]["totalCount"] == 1
    reused = {"field": "idempotencyKey", "code": "IDEMPOTENCY_KEY_REUSED"}
    other = (await api.data(NOTE, {**asked, "text": "Other"}))["createNote"]
    sentence = "This key was used for another request: choose a new one."
    assert other == {"note": None, "problems": [{**reused, "message": sentence}]}
    token = (
        'mutation { createToken(role: ANALYST, label: "x", idempotencyKey: "k-1") { id problems { field code } } }'
    )
    assert (await api.data(token))["createToken"] == {"id": None, "problems": [reused]}
    manager = await api.as_role(Role.MANAGER)  # another caller's keys are its own
    assert (await manager.data(NOTE, asked))["createNote"]["note"]["id"] != answers[0]["createNote"]["note"]["id"]


async def test_a_key_is_free_again_when_nothing_was_written(api: Api) -> None:
    wrong = {"client": CLIENT, "text": " ", "key": "k-2"}
    assert (await api.data(NOTE, wrong))["createNote"]["problems"][0]["code"] == "EMPTY"
    assert (await api.data(NOTE, {**wrong, "text": "Now"}))["createNote"]["note"]["text"] == "Now"


async def test_a_token_asked_for_again_is_the_same_and_stored_sealed(api: Api) -> None:
    query = 'mutation { createToken(role: ANALYST, label: "x", idempotencyKey: "t-1") { id token } }'
    first, second = await api.data(query), await api.data(query)
    assert first == second
    async with api.market.database.workspace(api.market.workspace_id) as connection:
        stored = (await connection.execute(text("select answer::text from idempotency"))).scalar_one()
    assert first["createToken"]["token"] not in stored
    listed = await api.data("{ tokens { nodes { id } } }")
    assert [each["id"] for each in listed["tokens"]["nodes"]].count(first["createToken"]["id"]) == 1


async def test_a_sync_with_a_key_is_asked_for_once(api: Api) -> None:
    query = f'mutation {{ startSync(connection: "ConnectedSystem:{uuid("kconnection", 1)}", idempotencyKey: "s-1") {{ run {{ id }} }} }}'
    first = await api.data(query)
    async with api.market.database.workspace(api.market.workspace_id) as connection:
        await connection.execute(text("update sync_run set state = 'succeeded'"))
    assert await api.data(query) == first


@pytest.mark.parametrize(
    ("values", "problem", "english", "russian"),
    [
        ({"text": " "}, ("text", "EMPTY"), "Write something here.", "Напишите здесь что-нибудь."),
        ({"text": "x" * 20_001}, ("text", "TOO_LONG"), "At most 20000 characters fit here.", "Здесь помещается не больше 20000 знаков."),
        ({"client": "rubbish"}, ("client", "WRONG_ID"), "This isn't the id of a Client.", "Это не идентификатор Client."),
        ({"client": f"Client:{uuid('client', 99)}"}, ("client", "NOT_FOUND"), "There is no such Client for you.", "Такого объекта (Client) у вас нет."),
    ],
)  # fmt: skip
async def test_problems_stand_on_their_field_in_the_callers_language(
    api: Api, values: dict[str, str], problem: tuple[str, str], english: str, russian: str
) -> None:
    body = {"query": NOTE, "variables": {"client": CLIENT, "text": "x", **values}}
    for language, sentence in (("en", english), ("ru-RU,ru;q=0.9,en;q=0.5", russian), ("de", english)):
        answer = (await api.post(body, **{"Accept-Language": language})).json()["data"]["createNote"]
        assert answer["note"] is None
        assert answer["problems"] == [{"field": problem[0], "code": problem[1], "message": sentence}]


@pytest.mark.parametrize(
    ("accept", "language"),
    [
        ("", "en"),
        ("ru", "ru"),
        ("en;q=0.1, ru;q=0.2", "ru"),
        ("ru;q=0, en", "en"),
        ("ru;q=x", "en"),
        ("de, *", "en"),
    ],
)
def test_the_language_is_the_one_liked_best(accept: str, language: str) -> None:
    assert preferred(accept) == language


PREVIEW = """query ($a: ID!, $b: ID!) { previewMerge(client: $a, other: $b) { moves { client to records }
    fields { client field before after } deals money { status currency amount deals }
    credits { campaign campaignName reason channel calls leads newClients wonDeals revenue sentence }
    problems { code message } } }"""


async def test_a_preview_tells_what_the_merge_then_does(api: Api) -> None:
    one, other = await two_cards(api)
    card = (await api.data(f'{{ client(id: "{other}") {{ contacts {{ nodes {{ id }} }} }} }}'))["client"][
        "contacts"
    ]["nodes"][0]["id"]
    async with api.market.database.workspace(api.market.workspace_id) as connection:
        await driver(connection).execute("update contact set external_id = external_id")
    await api.market.deal(
        40,
        1,
        client_id=other.removeprefix("Client:"),
        contact_id=card.removeprefix("Contact:"),
        status="won",
        created_at=START,
    )
    found = (await api.data(PREVIEW, {"a": one, "b": other}))["previewMerge"]
    assert found["problems"] == []
    assert found["moves"] == [{"client": other, "to": one, "records": [card]}]
    assert found["deals"] == [f"Deal:{uuid('deal', 40)}"]
    assert found["money"] == [{"status": "won", "currency": "RUB", "amount": "40000.00", "deals": 1}]
    # The deal wasn't in the figures yet: what the merge settles counts it, for a reason as no campaign brought it.
    (credit,) = found["credits"]
    assert (credit["campaign"], credit["campaignName"], credit["wonDeals"], credit["newClients"]) == (
        None,
        None,
        1,
        1,
    )
    assert (credit["reason"], credit["revenue"]) == ("no_touches", "40000.00")
    assert credit["sentence"] == "Revenue of «what has no campaign» rises by 40000.00 RUB."
    gone = [each for each in found["fields"] if each["client"] == other]
    assert {"client": other, "field": "name", "before": "Вера Громова", "after": None} in gone
    query = "query ($id: ID!) { client(id: $id) { id name phone merges { kind } } }"
    before = (await api.data(query, {"id": one}))["client"]
    assert before["merges"] == []  # nothing was changed by asking
    assert (await api.data(query, {"id": other}))["client"]["id"] == other
    after = (await api.data(MERGE, {"a": one, "b": other}))["mergeClients"]["client"]
    told = {each["field"]: each["after"] for each in found["fields"] if each["client"] == one}
    assert after["name"] == told.get("name", before["name"])


async def test_a_preview_of_what_can_not_be_says_why(api: Api) -> None:
    one, _ = await two_cards(api)
    found = (await api.data(PREVIEW, {"a": one, "b": one}))["previewMerge"]
    assert (found["moves"], found["problems"][0]["code"]) == ([], "ONE_ALREADY")
    split = f'{{ previewSplit(client: "{one}", records: []) {{ problems {{ field code }} }} }}'
    assert (await api.data(split))["previewSplit"]["problems"] == [{"field": "records", "code": "SOME_RECORDS"}]
