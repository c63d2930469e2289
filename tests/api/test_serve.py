"""The server as it runs: over TCP, with faults of the database, to its clean end."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from api.graphql.plan import Plan
from api.serve import AddressInUse, serve
from api.tokens import create_token
from core.secrets import load_keyring
from core.settings import Settings
from schema.enums import Role
from sync.office import Office
from tests.api.conftest import Api, bearer, serving
from tests.api.market import Market


async def test_it_answers_until_it_is_cancelled(settings: Settings, market: Market) -> None:
    token = await create_token(market.database, market.workspace_id, Role.OWNER, "test")
    async with serving(settings, market) as address:
        async with httpx.AsyncClient(base_url=address, headers=bearer(token)) as http:
            answers = await asyncio.gather(
                *(http.post("/graphql", json={"query": "{ clients { totalCount } }"}) for _ in range(40))
            )
            assert {answer.text for answer in answers} == {'{"data":{"clients":{"totalCount":6}}}'}
        again = settings.model_copy(update={"port": int(address.rsplit(":", 1)[1])})
        with pytest.raises(AddressInUse, match="SKVOZ_PORT"):
            await serve(Office(market.database, load_keyring(settings), again))
    async with httpx.AsyncClient(base_url=address) as http:
        with pytest.raises(httpx.ConnectError):
            await http.get("/healthz")


async def test_a_statement_that_takes_too_long_is_ended(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.graphql.run.STATEMENT_TIMEOUT_MS", 50)
    with monkeypatch.context() as slow:
        endless = Plan(b"select to_json(pg_sleep(30)::text)", (), ())
        slow.setattr("api.graphql.plan.Planner.plan", lambda *_: endless)
        answer = await api.ask("{ clients { totalCount } }")
    assert answer["errors"][0]["extensions"]["code"] == "TIMEOUT"
    assert (await api.data("{ calls { totalCount } }"))["calls"]["totalCount"] == 30


async def test_connections_that_the_server_ended_are_replaced(api: Api) -> None:
    await asyncio.gather(*(api.data("{ clients { totalCount } }") for _ in range(8)))
    async with api.market.database.app_pool.connection() as connection:
        await connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where usename = 'skvoz_app' and datname = current_database() and pid <> pg_backend_pid()"
        )
    await asyncio.sleep(0.1)
    answers = [await api.ask("{ clients { totalCount } }") for _ in range(10)]
    assert answers[-1] == {"data": {"clients": {"totalCount": 6}}}
