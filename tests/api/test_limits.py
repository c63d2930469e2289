"""What one request may ask is decided before the database is touched, in time proportional to its length."""

from __future__ import annotations

import time

import pytest

from tests.api.conftest import Api


@pytest.fixture
def api(shared_api: Api) -> Api:
    return shared_api


def bomb(levels: int, *, under_fields: bool) -> str:
    """Fragments that each spread the next one twice: 2**levels selections when written out."""
    if under_fields:
        spread = (
            "a: calls {{ nodes {{ client {{ ...F{next} }} }} }} b: calls {{ nodes {{ client {{ ...F{next} }} }} }}"
        )
    else:
        spread = "...F{next} ...F{next}"
    fragments = [f"fragment F{n} on Client {{ {spread.format(next=n + 1)} }}" for n in range(levels)]
    return " ".join(["{ clients { nodes { ...F0 } } }", *fragments, f"fragment F{levels} on Client {{ id }}"])


@pytest.mark.parametrize("under_fields", [False, True])
@pytest.mark.parametrize("levels", [20, 40])
async def test_fragment_bombs_are_answered_at_once(api: Api, levels: int, under_fields: bool) -> None:
    began = time.process_time()
    answer = await api.ask(bomb(levels, under_fields=under_fields))
    assert time.process_time() - began < 5  # 2**40 of anything would not end
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"QUERY_TOO_EXPENSIVE"}


@pytest.mark.parametrize(
    "query",
    [
        "{ " + "calls { nodes { client { " * 10 + "id" + " } } }" * 10 + " }",
        "{ " + " ".join(f"a{n}: __typename" for n in range(101)) + " }",
        "{ " + "__typename " * 500 + "}",
        "{ __typename " + "@include(if: true) " * 10 + "}",
        "{ __typename " + "@aa " * 10 + "}",
        " ".join(f"query Q{n} {{ __typename }}" for n in range(2000)),
        "{ __typename } #" + "x" * 200_000,
        "{ clients(first: 1000) { nodes { calls(first: 1000) { nodes { id } } } } }",
        "{ " + "x" * 30 + "(a: [" + "1," * 20_000 + "]) }",
    ],
    ids=[
        "depth",
        "aliases",
        "fields",
        "directives",
        "unknown directives",
        "operations",
        "comment",
        "cost",
        "tokens",
    ],
)
async def test_beyond_the_limits(api: Api, query: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def touched(*_: object) -> None:
        raise AssertionError("the database was touched")

    monkeypatch.setattr("api.graphql.run._run", touched)
    code = (await api.ask(query))["errors"][0]["extensions"]["code"]
    assert code in ("QUERY_TOO_EXPENSIVE", "GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED")


async def test_a_fragment_cycle_is_refused(api: Api) -> None:
    query = "{ clients { nodes { ...A } } } fragment A on Client { ...B } fragment B on Client { ...A }"
    answer = await api.ask(query)
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"GRAPHQL_VALIDATION_FAILED"}


async def test_variables_count_in_the_cost(api: Api) -> None:
    query = "query ($n: Int) { clients(first: $n) { nodes { calls(first: $n) { nodes { id } } } } }"
    assert await api.code(query, {"n": 1000}) == "QUERY_TOO_EXPENSIVE"
    await api.data(query, {"n": 10})


async def test_the_cost_is_told_when_asked(api: Api) -> None:
    body = {
        "query": "{ clients(first: 10) { nodes { calls(first: 5) { nodes { id } } } } }",
        "extensions": {"cost": True},
    }
    answer = (await api.post(body)).json()
    assert answer["extensions"]["cost"] == {"estimated": 1 + 10 * (1 + 1 + 5), "limit": 20_000}


async def test_the_introspection_of_tools_is_within_the_limits(api: Api) -> None:
    from graphql import build_client_schema, get_introspection_query

    data = await api.data(get_introspection_query(descriptions=True, input_value_deprecation=True))
    assert "Client" in build_client_schema(data).type_map
