"""What a server that faces the internet is asked: the questions of graphql-cop, rates, stored documents."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from api.rates import Rates, TooManyRequests
from core.errors import SettingsError
from core.settings import Settings
from schema.enums import Role
from tests.api.conftest import Api, application, asking
from tests.api.market import Market

QUERY = "{ clients { totalCount } }"
HASH = hashlib.sha256(QUERY.encode()).hexdigest()
ANSWER = {"data": {"clients": {"totalCount": 6}}}


@asynccontextmanager
async def api_with(settings: Settings, market: Market, **changed: Any) -> AsyncIterator[Api]:
    """The application with other settings."""
    async with application(settings.model_copy(update=changed), market) as app, asking(app, market) as api:
        yield api


def registered(digest: str = HASH, version: int = 1) -> dict[str, Any]:
    return {"persistedQuery": {"version": version, "sha256Hash": digest}}


# The questions of graphql-cop, by their names there: each is a request, and whether a token changes the answer.
COP: dict[str, dict[str, Any]] = {
    "alias_overloading": {"query": "{ " + " ".join(f"a{n}: __typename" for n in range(101)) + " }"},
    "batch_query": [{"query": "{ __typename }"}] * 10,  # type: ignore[dict-item]
    "directive_overloading": {"query": "{ __typename @aa@aa@aa@aa@aa@aa@aa@aa@aa@aa }"},
    "circular_query_introspection": {
        "query": "{ __schema { types { " + "fields { type { " * 6 + "name" + " } }" * 6 + "} } }"
    },
    "field_duplication": {"query": "{ " + "__typename " * 500 + "}"},
    "field_suggestions": {"query": "{ clientz { id } }"},
}


@pytest.mark.parametrize("name", COP)
async def test_graphql_cop_finds_nothing_with_a_token(api: Api, name: str) -> None:
    answer = (await api.post(COP[name])).json()
    assert answer.get("data") is None
    assert answer["errors"]
    assert "Did you mean" not in str(answer)
    assert len(answer["errors"]) < 10  # it counts errors for each directive


async def test_graphql_cop_without_a_token(app: Starlette) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://skvoz") as http:
        asked = [{"query": "{ __typename }"}, {"query": "{ __schema { queryType { name } } }"}, *COP.values()]
        answers = [await http.post("/graphql", json=body) for body in asked]
        answers.append(await http.get("/graphql", params={"query": "{ __typename }"}))
        answers.append(await http.get("/graphql", params={"query": "mutation { __typename }"}))
        answers.append(await http.post("/graphql", data={"query": "{ __typename }"}))
        answers.append(await http.get("/graphql", headers={"Accept": "text/html"}))
    assert {answer.status_code for answer in answers} == {401}
    assert all("data" not in answer.json() for answer in answers)


async def test_graphql_cop_with_a_token_finds_get_and_introspection_only(api: Api) -> None:
    get = await api.http.get("/graphql", params={"query": "{ __typename }"})
    assert get.json() == {"data": {"__typename": "Query"}}
    assert (await api.data("{ __schema { queryType { name } } }"))["__schema"]["queryType"]["name"] == "Query"
    mutation = await api.http.get("/graphql", params={"query": "mutation { __typename }"})
    assert mutation.status_code == 405
    form = await api.http.post("/graphql", data={"query": "{ __typename }"})
    assert form.status_code == 415
    traced = await api.post({"query": "{ __typename }"}, **{"X-Apollo-Tracing": "1"})
    assert "tracing" not in traced.text
    for accept in ("text/html", "*/*"):  # no explorer where the API is
        page = await api.http.get("/graphql", headers={"Accept": accept})
        assert "<html" not in page.text.lower()


async def test_introspection_can_be_turned_off(settings: Settings, market: Market) -> None:
    async with api_with(settings, market, introspection=False) as api:
        for query in ("{ __schema { queryType { name } } }", '{ __type(name: "Client") { name } }'):
            answer = await api.ask(query)
            assert "data" not in answer
            assert {each["extensions"]["code"] for each in answer["errors"]} == {"GRAPHQL_VALIDATION_FAILED"}
        assert await api.ask(QUERY) == ANSWER
        assert await api.data("{ __typename }") == {"__typename": "Query"}


async def test_the_cost_is_told_by_a_header(api: Api) -> None:
    asked = {"query": "{ clients(first: 10) { nodes { calls(first: 5) { nodes { id } } } } }"}
    told = (await api.post(asked, **{"X-Query-Cost": "true"})).json()
    assert told["extensions"]["cost"] == {"estimated": 1 + 10 * (1 + 1 + 5), "limit": 20_000}
    assert "extensions" not in (await api.post(asked)).json()


async def test_a_query_that_registers_itself(api: Api) -> None:
    unknown = await api.post({"extensions": registered()})
    assert unknown.status_code == 200
    (error,) = unknown.json()["errors"]
    assert error == {"message": "PersistedQueryNotFound", "extensions": {"code": "PERSISTED_QUERY_NOT_FOUND"}}
    graphql = await api.post({"extensions": registered()}, accept="application/graphql-response+json")
    assert graphql.status_code == 400
    assert graphql.headers["content-type"].startswith("application/graphql-response+json")
    assert (await api.post({"query": QUERY, "extensions": registered()})).json() == ANSWER
    assert (await api.post({"extensions": registered()})).json() == ANSWER
    get = await api.http.get("/graphql", params={"extensions": json.dumps(registered())})
    assert get.json() == ANSWER


@pytest.mark.parametrize(
    "extensions",
    [registered("0" * 64), registered(version=2), {"persistedQuery": 3}, {"persistedQuery": {"version": 1}}],
    ids=["another hash", "another version", "no object", "no hash"],
)
async def test_a_query_is_registered_under_its_own_hash_only(api: Api, extensions: dict[str, Any]) -> None:
    answer = (await api.post({"query": QUERY, "extensions": extensions})).json()
    assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    assert (await api.post({"extensions": registered("0" * 64)})).json()["errors"][0]["message"] == (
        "PersistedQueryNotFound"
    )


async def test_trusted_documents(settings: Settings, market: Market, tmp_path: Path) -> None:
    file = tmp_path / "documents.json"
    file.write_text(json.dumps({"clients": QUERY}))
    async with api_with(settings, market, trusted_documents=file) as api:
        assert (await api.post({"documentId": "clients"})).json() == ANSWER
        assert (await api.post({"documentId": f"sha256:{HASH}"})).json() == ANSWER
        assert (await api.post({"extensions": registered()})).json() == ANSWER
        assert (await api.http.get("/graphql", params={"documentId": "clients"})).json() == ANSWER
        assert await api.data("{ __typename }") == {"__typename": "Query"}
        unknown = (await api.post({"documentId": "nothing"})).json()
        assert unknown["errors"][0]["extensions"]["code"] == "DOCUMENT_NOT_TRUSTED"


async def test_nothing_but_trusted_documents(settings: Settings, market: Market, tmp_path: Path) -> None:
    file = tmp_path / "documents.json"
    file.write_text(json.dumps({"clients": QUERY}))
    async with api_with(settings, market, trusted_documents=file, trusted_documents_only=True) as api:
        assert (await api.post({"documentId": "clients"})).json() == ANSWER
        assert await api.ask(QUERY) == ANSWER
        other = "{ calls { totalCount } }"
        assert await api.code(other) == "DOCUMENT_NOT_TRUSTED"
        digest = hashlib.sha256(other.encode()).hexdigest()
        sent = (await api.post({"query": other, "extensions": registered(digest)})).json()
        assert sent["errors"][0]["extensions"]["code"] == "DOCUMENT_NOT_TRUSTED"
        again = (await api.post({"extensions": registered(digest)})).json()
        assert again["errors"][0]["message"] == "PersistedQueryNotFound"


@pytest.mark.parametrize("content", ["[1]", "{", '{"a": 3}', None])
async def test_a_file_of_trusted_documents_that_is_none(
    settings: Settings, market: Market, tmp_path: Path, content: str | None
) -> None:
    file = tmp_path / "documents.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(SettingsError, match="SKVOZ_TRUSTED_DOCUMENTS"):
        async with api_with(settings, market, trusted_documents=file):
            pass


async def test_each_token_has_its_rate(settings: Settings, market: Market) -> None:
    async with api_with(settings, market, requests_per_minute=60) as api:
        answers = [await api.post({"query": "{ __typename }"}) for _ in range(14)]
        statuses = [answer.status_code for answer in answers]
        assert statuses[:10] == [200] * 10  # ten seconds' worth may come at once
        assert 429 in statuses[10:]
        refused = answers[statuses.index(429)]
        assert refused.json()["errors"][0]["extensions"]["code"] == "TOO_MANY_REQUESTS"
        assert int(refused.headers["retry-after"]) >= 1
        other = await api.as_role(Role.ANALYST)
        assert (await other.post({"query": "{ __typename }"})).status_code == 200


def test_processes_count_together() -> None:
    now = 100.0
    one = Rates(60, clock=lambda: now)
    two = Rates(60, fd=one.fd, clock=lambda: now)
    for number in range(10):
        (one, two)[number % 2].count("a")
    for each in (one, two):
        with pytest.raises(TooManyRequests):
            each.count("a")
    two.count("b")
    now += 1
    two.count("a")
    with pytest.raises(TooManyRequests) as raised:
        one.count("a")
    assert raised.value.wait_seconds == 1
    one.close()


def test_many_keys_make_room_by_idleness() -> None:
    now = 100.0
    rates = Rates(6000, clock=lambda: now)
    for number in range(200_000):
        now += 0.001
        rates.count(f"key {number}")
    for _ in range(1000):
        rates.count("the busy one")
    with pytest.raises(TooManyRequests):
        rates.count("the busy one")
    rates.close()


def test_wrong_keys_are_counted_by_all_processes_together() -> None:
    now = 100.0
    one = Rates(0, clock=lambda: now)
    two = Rates(0, fd=one.fd, clock=lambda: now)
    for number in range(30):
        (one, two)[number % 2].count_wrong("10.0.0.1")
    for each in (one, two):
        with pytest.raises(TooManyRequests):
            each.count_wrong("10.0.0.1")
    two.count_wrong("10.0.0.2")
    now += 2
    two.count_wrong("10.0.0.1")
    with pytest.raises(TooManyRequests) as raised:
        one.count_wrong("10.0.0.1")
    assert raised.value.wait_seconds == 2
    one.close()


PREFLIGHT = {
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,content-type",
}


async def test_pages_of_other_origins_are_told_nothing_unless_allowed(api: Api) -> None:
    asked = await api.http.request(
        "OPTIONS", "/graphql", headers={"Origin": "https://app.example.com", **PREFLIGHT}
    )
    answered = await api.post({"query": QUERY}, Origin="https://app.example.com")
    assert answered.json() == ANSWER
    for answer in (asked, answered):
        assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_pages_of_allowed_origins_may_ask_with_a_key_and_never_with_cookies(
    settings: Settings, market: Market
) -> None:
    async with api_with(settings, market, cors_origins=("https://app.example.com",)) as api:
        ours, other = {"Origin": "https://app.example.com"}, {"Origin": "https://evil.example"}
        del api.http.headers["Authorization"]  # a browser asks beforehand without it
        asked = await api.http.request("OPTIONS", "/graphql", headers={**ours, **PREFLIGHT})
        assert asked.status_code == 200
        assert asked.headers["access-control-allow-origin"] == "https://app.example.com"
        assert {"authorization", "content-type"} <= {
            each.strip().lower() for each in asked.headers["access-control-allow-headers"].split(",")
        }
        refused = await api.http.request("OPTIONS", "/graphql", headers={**other, **PREFLIGHT})
        assert refused.status_code == 400
        assert "access-control-allow-origin" not in refused.headers
        key = {"Authorization": f"Bearer {api.token}"}
        answered = await api.post({"query": QUERY}, **ours, **key)
        assert answered.headers["access-control-allow-origin"] == "https://app.example.com"
        assert answered.headers["vary"] == "Origin"
        assert "access-control-allow-origin" not in (await api.post({"query": QUERY}, **other, **key)).headers
        unknown = await api.post({"query": QUERY}, **ours)
        assert unknown.status_code == 401  # and the page can read why
        assert unknown.headers["access-control-allow-origin"] == "https://app.example.com"
        for answer in (asked, refused, answered, unknown):
            assert "access-control-allow-credentials" not in answer.headers


def test_no_limit_counts_nothing() -> None:
    rates = Rates(0)
    for _ in range(100_000):
        rates.count("a")
    rates.close()
