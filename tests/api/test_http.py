"""GraphQL over HTTP: media types, status codes, malformed bodies, keys."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from api.tokens import create_token, revoke_token
from schema.enums import Role
from tests.api.conftest import Api, bearer

GRAPHQL_JSON = "application/graphql-response+json"


async def test_both_media_types(api: Api) -> None:
    for accept, expected in (
        (GRAPHQL_JSON, GRAPHQL_JSON),
        ("application/json", "application/json"),
        ("*/*", "application/json"),
        (f"application/json;q=0.5, {GRAPHQL_JSON}", GRAPHQL_JSON),
        (f"{GRAPHQL_JSON};q=0.1, application/json", "application/json"),
    ):
        answer = await api.post({"query": "{ __typename }"}, accept=accept)
        assert (answer.status_code, answer.headers["content-type"]) == (200, f"{expected}; charset=utf-8")
        assert answer.json() == {"data": {"__typename": "Query"}}
    assert (await api.post({"query": "{ __typename }"}, accept="text/plain")).status_code == 406


@pytest.mark.parametrize("query", ["{", "{ nothing }", "query A { __typename } query B { __typename }"])
async def test_what_was_not_executed_has_no_data(api: Api, query: str) -> None:
    answer = await api.post({"query": query}, accept=GRAPHQL_JSON)
    assert answer.status_code == 400
    assert "data" not in answer.json()
    assert answer.json()["errors"]


@pytest.mark.parametrize("query", ["{", "{ nothing }"])
async def test_plain_json_keeps_200_for_a_well_formed_request(api: Api, query: str) -> None:
    answer = await api.post({"query": query}, accept="application/json")
    assert answer.status_code == 200
    assert "data" not in answer.json()


async def test_a_bad_variable_is_a_400(api: Api) -> None:
    body = {"query": "query ($id: ID!) { client(id: $id) { id } }", "variables": {}}
    assert (await api.post(body, accept=GRAPHQL_JSON)).status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        b"null",
        b"5",
        b'"x"',
        b"[]",
        b'[{"query": "{ __typename }"}]',
        b"{",
        b"\xff\xfe",
        b"{}",
        b'{"query": 7}',
        b'{"query": "{ __typename }", "variables": []}',
        b'{"query": "{ __typename }", "operationName": 3}',
        b'{"query": "{ __typename }", "extensions": 3}',
        b"[" * 100_000,
        b'{"query": "{ __typename }", "variables": {"x": ' + b"9" * 5000 + b"x}}",
    ],
)
async def test_malformed_bodies_are_400(api: Api, body: bytes) -> None:
    answer = await api.post(body, **{"content-type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


async def test_bodies_that_are_refused_before_they_are_read(api: Api) -> None:
    json_type = {"content-type": "application/json"}
    large = b'{"query": "' + b" " * 1_000_001 + b'"}'
    assert (await api.post(large, **json_type)).status_code == 413

    async def endless() -> Any:
        while True:
            yield b" " * 65_536

    answer = await api.http.post("/graphql", content=endless(), headers=json_type)
    assert answer.status_code == 413
    packed = await api.post(b"{}", **json_type, **{"content-encoding": "gzip"})
    assert packed.status_code == 415
    assert (await api.post(b"{}", **{"content-type": "text/plain"})).status_code == 415
    assert (await api.post(b"{}", **{"content-type": "application/json; charset=cp1251"})).status_code == 415


async def test_get_is_for_queries_only(api: Api) -> None:
    answer = await api.http.get(
        "/graphql",
        params={"query": "query ($n: Int) { clients(first: $n) { totalCount } }", "variables": '{"n": 1}'},
    )
    assert answer.json()["data"]["clients"]["totalCount"] == 6
    refused = await api.http.get("/graphql", params={"query": 'mutation { revokeToken(id: "x") { revoked } }'})
    assert (refused.status_code, refused.headers["allow"]) == (405, "POST")
    assert (await api.http.get("/graphql")).status_code == 400
    assert (
        await api.http.get("/graphql", params={"query": "{ __typename }", "variables": "[["})
    ).status_code == 400
    for method in ("PUT", "DELETE", "PATCH"):
        answer = await api.http.request(method, "/graphql")
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST")


async def test_a_key_is_needed(api: Api) -> None:
    for headers in (
        {"Authorization": ""},
        {"Authorization": "Bearer nonsense"},
        {"Authorization": f"Bearer {api.token[:-1]}x"},
        {"Authorization": f"Basic {api.token}"},
    ):
        answer = await api.http.post("/graphql", json={"query": "{ __typename }"}, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_a_wrong_secret_with_a_right_id_is_refused(api: Api) -> None:
    other = await create_token(api.market.database, api.market.workspace_id, Role.OWNER, "other")
    from api.tokens import _checksum

    body = "_".join([*api.token[:-6].split("_")[:3], other[:-6].split("_")[3]])
    answer = await api.http.post(
        "/graphql", json={"query": "{ __typename }"}, headers=bearer(body + _checksum(body))
    )
    assert answer.status_code == 401


async def test_guessing_is_braked(api: Api) -> None:
    token = await create_token(api.market.database, api.market.workspace_id, Role.OWNER, "soon gone")
    from api.tokens import public_id

    await revoke_token(api.market.database, api.market.workspace_id, public_id(token))
    codes = [
        (await api.http.post("/graphql", json={"query": "{ __typename }"}, headers=bearer(token))).status_code
        for _ in range(35)
    ]
    assert codes == [401] * 30 + [429] * 5
    assert (await api.post({"query": "{ __typename }"})).status_code == 200


async def test_safe_headers_everywhere(api: Api) -> None:
    for path in ("/graphql", "/healthz", "/metrics", "/graphiql", "/nothing"):
        headers = (await api.http.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert "default-src 'none'" in headers["content-security-policy"]
    assert (await api.post({"query": "{ __typename }"})).headers["cache-control"] == "no-store"


async def test_health_and_metrics(api: Api) -> None:
    assert (await api.http.get("/healthz")).json() == {"status": "ok", "database": "reachable", "schema": "current"}
    await api.post({"query": "{ __typename }"})
    text = (await api.http.get("/metrics")).text
    assert 'skvoz_http_requests_total{path="/graphql",status="200"} 1.0' in text
    await api.market.database.app_pool.close()


async def test_our_own_faults_show_a_reference_only(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: Any) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("api.graphql.run._run", broken)
    answer = await api.ask("{ clients { totalCount } }")
    (error,) = answer["errors"]
    assert answer["data"] == {"clients": None}
    assert error["extensions"]["code"] == "INTERNAL"
    assert error["extensions"]["reference"] in error["message"]
    assert "secret detail" not in str(answer)


async def test_no_field_is_suggested(api: Api) -> None:
    answer = await api.ask("{ clientz { id } }")
    assert "Did you mean" not in str(answer)
    assert answer["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"


async def test_the_explorer_is_served_without_a_key_and_from_here(app: Any) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://skvoz") as http:
        page = await http.get("/graphiql")
        assert page.status_code == 200
        assert "http://" not in page.text.replace("http://www.w3.org", "")
        assert "https://" not in page.text
        assert (await http.get("/graphiql/../../pyproject.toml")).status_code == 404
        assert (await http.get("/graphiql/%2e%2e/%2e%2e/pyproject.toml")).status_code == 404
