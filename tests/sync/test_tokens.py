"""OAuth tokens: refreshed by one worker, stored before they are used, never lost."""

from __future__ import annotations

import asyncio

from sandbox.server import Sandbox
from sync.connections import open_connection, session
from tests.sync.conftest import Bench


async def test_two_workers_with_an_expired_token_refresh_once(bench: Bench, own_market: Sandbox) -> None:
    connection = await bench.connect(own_market, "amocrm")
    opened = await open_connection(bench.office, bench.workspace, connection)
    own_market.clear_log()
    own_market.advance(hours=25)  # an access token lives a day

    async def ask() -> bool:
        async with session(bench.office, opened) as client:
            return bool((await opened.connector.check(client)).ok)

    assert await asyncio.gather(ask(), ask(), ask()) == [True] * 3
    assert len(own_market.log("amocrm", path="oauth2/access_token")) == 1


async def test_the_pair_that_a_check_had_to_refresh_is_the_one_that_is_stored(
    bench: Bench, own_market: Sandbox
) -> None:
    own_market.advance(hours=25)
    connection = await bench.connect(own_market, "amocrm")
    own_market.clear_log()
    result = await bench.sync(connection)
    assert result.error is None
    assert own_market.log("amocrm", path="oauth2/access_token") == []
