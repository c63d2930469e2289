"""What mutations answer, whatever they do: problems of the input, and the same thing once for each key."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import GraphQLNonNull, get_named_type
from sqlalchemy import text

from api.graphql.schema import build_schema
from api.graphql.sentences import SENTENCES
from connectors.file.store import keep
from core.settings import Settings
from tests.api.conftest import Api
from tests.api.market import uuid

CONNECTION = f"ConnectedSystem:{uuid('kconnection', 1)}"
CLIENT = f"Client:{uuid('client', 1)}"
MAKING = ("connect", "create", "add", "start", "resync", "rotate")
"""How the names of mutations begin that make something new each time."""
NAMED_BY_CALLER = {"createMetric"}
"""What bears a name that its caller chose: made twice it is there once."""

COSTS = "Дата;Кампания;Источник;Расход\n01.03.2026;Весна;vk;1 234,50\n"
CONNECT = """mutation ($settings: JSON!) { made: connectSystem(
    connector: "file", settings: $settings, idempotencyKey: "k") { connection { id } problems { code } } }"""
MADE = {
    "connection": CONNECT,
    "note": f"""mutation {{ made: createNote(client: "{CLIENT}", text: "x", idempotencyKey: "k") {{
        note {{ id }} problems {{ code }} }} }}""",
    "api_token": """mutation { made: createToken(role: ANALYST, label: "x", idempotencyKey: "k") {
        id token problems { code } } }""",
    "sync_run": f"""mutation {{ made: startSync(connection: "{CONNECTION}", idempotencyKey: "k") {{
        run {{ id }} problems {{ code }} }} }}""",
}


def mutations() -> dict[str, Any]:
    kind: Any = build_schema()._schema.type_map["Mutation"]
    fields: dict[str, Any] = kind.fields
    return fields


def test_every_mutation_tells_what_is_wrong_with_its_input() -> None:
    for name, field in mutations().items():
        payload: Any = get_named_type(field.type)
        assert not isinstance(field.type, GraphQLNonNull), name
        assert "problems" in getattr(payload, "fields", {}), f"{name} gives a {payload} without problems"
        assert str(payload.fields["problems"].type) == "[InputProblem!]!", name


def test_every_mutation_that_makes_something_takes_a_key() -> None:
    making = {name for name in mutations() if name.startswith(MAKING)} - NAMED_BY_CALLER
    assert {"connectSystem", "createToken", "createNote", "createWebhook"} <= making
    assert {name for name in making if "idempotencyKey" not in mutations()[name].args} == set()


def test_every_sentence_is_there_in_russian_and_takes_the_same_values() -> None:
    for code, sentences in SENTENCES.items():
        assert "ru" in sentences, code
        parts = {language: sentence.count("{") for language, sentence in sentences.items()}
        assert len(set(parts.values())) == 1, code


class Killed(Exception):
    pass


@pytest.mark.parametrize("table", list(MADE))
async def test_what_was_made_goes_with_its_answer_or_not_at_all(
    api: Api, settings: Settings, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    """Cut off between making a thing and noting its key, a caller who asks again gets one, not two."""
    reference = keep(settings.files_path, COSTS.encode())
    variables = {"settings": {"kind": "costs", "file": reference}} if table == "connection" else None

    async def count() -> int:
        async with api.market.database.workspace(api.market.workspace_id) as db:
            return int((await db.execute(text(f'select count(*) from "{table}"'))).scalar_one())  # noqa: S608

    def cut_off(point: str) -> None:
        raise Killed(point)

    before = await count()
    with monkeypatch.context() as patched:
        patched.setattr("api.graphql.once.crash_point", cut_off)
        assert await api.code(MADE[table], variables) == "INTERNAL"
    assert await count() == before
    first = await api.data(MADE[table], variables)
    assert first["made"]["problems"] == []
    assert await api.data(MADE[table], variables) == first
    assert await count() == before + 1


RESYNC = """mutation ($from: Date!, $streams: [String!]) {
    resyncConnection(id: "%s", from: $from, streams: $streams) {
        run { state } connection { id } sentence streams { stream title readsFrom } problems { code } } }"""


async def test_reading_again_says_what_will_be_read(api: Api) -> None:
    asked = {"from": "2026-03-01", "streams": ["deals", "pipelines"]}
    answer = (await api.data(RESYNC % CONNECTION, asked))["resyncConnection"]
    assert answer["problems"] == []
    assert (answer["run"]["state"], answer["connection"]["id"]) == ("QUEUED", CONNECTION)
    read = {each["stream"]: each["readsFrom"] for each in answer["streams"]}
    assert read == {"deals": "2026-02-28T21:00:00+00:00", "pipelines": None}  # the workspace lives in Moscow
    assert answer["sentence"] == "It is read by the sync that was asked for with it."
    later = (await api.data(RESYNC % CONNECTION, {**asked, "from": "2026-03-09"}))["resyncConnection"]
    assert later["streams"] == answer["streams"]
    waiting = await api.data(f'{{ connection(id: "{CONNECTION}") {{ runs {{ totalCount }} }} }}')
    assert waiting["connection"]["runs"]["totalCount"] == 1


@pytest.mark.parametrize(
    ("query", "field", "code", "russian"),
    [
        (
            f'updateConnection(id: "{CONNECTION}", intervalSeconds: 5)',
            "intervalSeconds",
            "TOO_OFTEN",
            "Подключение синхронизируется не чаще раза в минуту.",
        ),
        (
            'connectSystem(connector: "fax", settings: {})',
            "connector",
            "NO_SUCH_CONNECTOR",
            "Коннектора «fax» нет; какие есть, говорит `connectors`.",
        ),
        (
            f'resyncConnection(id: "{CONNECTION}", from: "2999-01-01")',
            "from",
            "IN_FUTURE",
            "Этот день ещё не наступил: укажите сегодняшний или более ранний.",
        ),
        (
            'createWebhook(url: "https://example.com/", events: ["call.eaten"])',
            "events",
            "NO_SUCH_EVENT",
            "События «call.eaten» нет: бывают call.created, client.*, * и подобные.",
        ),
        (
            f'createToken(role: ANALYST, label: "{"x" * 201}")',
            "label",
            "TOO_LONG",
            "Здесь помещается не больше 200 знаков.",
        ),
        (
            'rotateWebhookSecret(id: "Webhook:00000000-0000-4000-8000-000000000001", overlapHours: 999)',
            "overlapHours",
            "OUT_OF_RANGE",
            "Укажите число от 0 до 168.",
        ),
    ],
)
async def test_problems_are_told_in_the_callers_language(
    shared_api: Api, query: str, field: str, code: str, russian: str
) -> None:
    body = {"query": f"mutation {{ told: {query} {{ problems {{ field code message }} }} }}"}
    answer = (await shared_api.post(body, **{"Accept-Language": "ru"})).json()["data"]["told"]
    assert answer["problems"] == [{"field": field, "code": code, "message": russian}]
    english = (await shared_api.post(body)).json()["data"]["told"]["problems"][0]["message"]
    assert english.isascii()
    assert english.endswith(".")
