"""The call tracker told by itself: hooks of calls, requests and chats, from the pretend cabinet to the tables."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import httpx
import pytest
import uvicorn

from api.app import create_app
from sandbox.server import Sandbox, start
from sync.inbox.doors import open_door
from sync.inbox.process import process_inbox
from sync.jobs import Jobs
from tests.sync.conftest import START, Bench


@pytest.fixture
def tracker(tmp_path: Path) -> Any:
    with start(
        tmp_path / "market", seed=5, calls=60, days=20, start=START, limits=0, only=("calltouch",)
    ) as market:
        yield market


@pytest.fixture
async def address(bench: Bench) -> AsyncIterator[str]:
    """The application over TCP: the cabinet sends to it as to any receiver."""
    async with Jobs(bench.office).opened() as jobs:
        config = uvicorn.Config(create_app(bench.office, jobs), port=0, log_level="critical", lifespan="off")
        server = uvicorn.Server(config)
        serving = asyncio.ensure_future(server.serve())
        for _ in range(1000):
            if server.started:
                break
            await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        server.should_exit = True
        await serving


async def came(bench: Bench) -> None:
    """Wait until hooks have come, of each kind one at least, and come no more."""
    before = -1
    for _ in range(200):
        kinds, count = (
            await bench.rows(
                "select count(distinct split_part(touched[1], ' ', 1)), count(*) from received_webhook"
            )
        )[0]
        if kinds == 3 and count == before:
            return
        before = count
        await asyncio.sleep(0.1)
    raise AssertionError("the hooks did not come")


async def test_what_the_cabinet_tells_is_here_after_the_next_reading(
    bench: Bench, tracker: Sandbox, address: str
) -> None:
    connection: UUID = await bench.connect(tracker, "calltouch")
    await bench.sync(connection)
    before = {kind: await bench.value(f"select count(*) from {kind}") for kind in ("call", "lead")}  # noqa: S608
    door = address + urlsplit((await open_door(bench.office, bench.workspace, connection)).url).path
    switches = {"webhook_url": door, "chats_webhook_url": f"{door}?about=chats"}
    session = await bench.value("select external_id from visit order by external_id desc limit 1")
    async with httpx.AsyncClient(base_url=tracker.credentials["calltouch"]["base_url"]) as cabinet:
        (await cabinet.put("/_switches", json=switches)).raise_for_status()
        await asyncio.to_thread(tracker.advance, days=2)
        said = {"name": "Пётр", "phone": "8 (999) 000-11-22", "text": "Сколько?", "sessionId": int(session)}
        (await cabinet.post("/_chat", json=said)).raise_for_status()
    await came(bench)

    processed = await process_inbox(bench.office, bench.workspace, connection)

    assert (processed.failed, processed.waiting, processed.early) == (0, 0, True)
    assert await bench.rows("select distinct state from received_webhook") == [("done",)]
    chat = await bench.rows(
        "select l.name, l.phones, l.comment, v.external_id from lead l"
        " left join visit v on v.workspace_id = l.workspace_id and v.id = l.visit_id where l.stream = 'chats'"
    )
    assert chat == [("Пётр", ["+79990001122"], "Сколько?", session)]
    named = await bench.rows(
        "select distinct unnest(touched) from received_webhook where array_to_string(touched, ' ') !~ 'chats'"
    )
    await bench.sync(connection)
    for kind, table in (("calls", "call"), ("requests", "lead")):
        told = {name.split()[1] for (name,) in named if name.startswith(kind)}
        here = {id for (id,) in await bench.rows(f"select external_id from {table}")}  # noqa: S608
        assert told
        assert told <= here
        assert len(here) > before[table]
    assert await bench.unsettled() == []


async def test_a_visit_is_one_whatever_tells_of_it(bench: Bench, tracker: Sandbox) -> None:
    """Visits come with calls and with requests; both tell of the client's whole history."""
    await bench.sync(await bench.connect(tracker, "calltouch"))
    visits = await bench.rows("select external_id, count(*) from visit group by external_id having count(*) > 1")
    assert visits == []
    both = await bench.value(
        "select count(*) from visit v where exists (select from call c where c.visit_id = v.id)"
        " and exists (select from lead l where l.visit_id = v.id)"
    )
    told = await bench.value("select count(*) from visit")
    assert (
        told
        > await bench.value("select count(distinct visit_id) from call")
        + await bench.value("select count(distinct visit_id) from lead")
        - both
    )
