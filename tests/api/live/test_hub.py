"""Several processes, and connections that are lost."""

from __future__ import annotations

import asyncio

from sqlalchemy import text

from schema.enums import ChangeKind, ChangeType
from tests.api.live.conftest import Server, Socket, opened
from tests.api.market import uuid
from tests.api.test_serve import serving

CHANGED = "subscription { clientChanged { id } }"


async def _told(socket: Socket, id: str, *numbers: int) -> None:
    """These clients are told of, in however many events."""
    wanted = {f"Client:{uuid('client', number)}" for number in numbers}
    got: set[str] = set()
    while got < wanted:
        got |= {client["id"] for client in (await socket.next(id))["clientChanged"]}
    assert got == wanted


async def test_every_process_tells_its_own_callers(server: Server) -> None:
    async with serving(server.settings, server.market) as address:
        second = Server(address, server.settings, server.market, server.token)
        async with opened(server) as one, opened(second) as two:
            ids = [await one.subscribe(CHANGED), await two.subscribe(CHANGED)]
            await one.ready()
            await two.ready()
            await server.tell(ChangeType.CLIENT, ChangeKind.CHANGED, 1)
            await _told(one, ids[0], 1)
            await _told(two, ids[1], 1)


async def test_nothing_is_lost_when_the_listener_is(server: Server) -> None:
    """The server's listening connection is ended again and again while changes go on."""
    async with opened(server) as socket:
        id = await socket.subscribe(CHANGED)
        await socket.ready()
        for number in (1, 2, 3):
            assert await _end_listener(server) >= 1
            await server.tell(ChangeType.CLIENT, ChangeKind.CHANGED, number)
            await _told(socket, id, number)
            await asyncio.sleep(0.3)


async def _end_listener(server: Server) -> int:
    async with server.market.database.app_engine.begin() as db:
        found = await db.execute(
            text(
                "select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = current_database()"
                " and (query ilike 'listen %' or query = 'select 1') and pid <> pg_backend_pid()"
            )
        )
        return int(found.scalar_one())


async def test_nobody_listens_when_nobody_follows(server: Server) -> None:
    async with opened(server) as socket:
        id = await socket.subscribe(CHANGED)
        await socket.ready()
        assert await _listeners(server) == 1
        await socket.send(id=id, type="complete")
        await socket.ready()
        assert await _listeners(server) == 0


async def _listeners(server: Server) -> int:
    async with server.market.database.app_engine.begin() as db:
        found = await db.execute(
            text(
                "select count(*) from pg_stat_activity"
                " where datname = current_database() and query ilike 'listen %'"
            )
        )
        return int(found.scalar_one())
