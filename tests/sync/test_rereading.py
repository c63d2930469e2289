"""Reading once more from a date on."""

from __future__ import annotations

import asyncio
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from connectors.registry import connector
from sandbox.server import Sandbox
from schema.enums import RunState
from sync import run as running
from sync.errors import NotFound, Refused
from sync.rereading import Asked, reread
from tests.sync.conftest import START, Bench

LATER = START + timedelta(days=20)
MOMENT = datetime(LATER.year, LATER.month, LATER.day, tzinfo=ZoneInfo("Europe/Moscow"))


async def ask(bench: Bench, connection: Any, since: date = LATER, streams: list[str] | None = None) -> Asked:
    return await reread(bench.office, bench.workspace, connection, since, streams)


async def cursors(bench: Bench) -> list[tuple[Any, ...]]:
    return await bench.rows("select stream, cursor - 'until' - 'read_to' from stream_state order by stream")


@pytest.mark.parametrize("vendor", ["calltouch", "bitrix24"])
async def test_what_was_lost_since_a_date_is_read_again_and_the_cursor_stays(
    bench: Bench, market: Sandbox, vendor: str
) -> None:
    connection = await bench.connect(market, vendor)
    whole = (await bench.sync(connection)).counts.fetched
    usual = (await bench.sync(connection)).counts.fetched
    before, known = await cursors(bench), await bench.value("select count(*) from call")
    lost = await bench.rows(
        "with gone as (delete from call where started_at >= :at returning external_id)"
        " delete from source_record s using gone where s.external_id = gone.external_id returning 1",
        at=MOMENT,
    )
    assert lost

    asked = await ask(bench, connection)
    again = (await bench.sync(connection)).counts.fetched

    assert {each.since for each in asked.streams} <= {MOMENT, None}
    assert not asked.under_way
    assert usual < again < whole
    assert await bench.value("select count(*) from call") == known
    assert await cursors(bench) == before
    assert await bench.value("select count(*) from stream_state where reread_from is not null") == 0
    assert (await bench.sync(connection)).counts.fetched == usual


async def test_a_reading_that_was_stopped_goes_on_where_it_was(bench: Bench, market: Sandbox) -> None:
    connection = await bench.connect(market, "calltouch")
    await bench.sync(connection)
    await ask(bench, connection, START)
    stop = asyncio.Event()
    stopped = await bench.sync(connection, stop=stop, tell=lambda step: stop.set() if step.counts.fetched else None)
    assert stopped.state is RunState.WAITING
    position = "select position from stream_state where position is not null"
    standing = await bench.value(position)
    await ask(bench, connection, LATER)  # a later day is covered by what is under way
    assert await bench.value(position) == standing

    finished = await bench.sync(connection)

    assert finished.state is RunState.SUCCEEDED
    assert finished.counts.fetched > stopped.counts.fetched
    assert await bench.value("select count(*) from stream_state where reread_from is not null") == 0
    await ask(bench, connection, LATER)
    await ask(bench, connection, LATER)
    await bench.sync(connection)
    assert await bench.value("select count(*) from stream_state where reread_from is not null") == 0


async def test_a_stream_that_is_being_read_leaves_it_to_the_next_run(
    bench: Bench, market: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = await bench.connect(market, "calltouch")
    await bench.sync(connection)
    usual = (await bench.sync(connection)).counts.fetched
    fetch, first = running._fetch, connector("calltouch").streams[0].name
    told: list[Any] = []

    async def asking_meanwhile(*given: Any) -> Any:
        if not told:
            told.append(None)
            told[0] = await ask(bench, connection, START, [first])
        return await fetch(*given)

    monkeypatch.setattr("sync.run._fetch", asking_meanwhile)
    assert (await bench.sync(connection)).counts.fetched == usual
    assert told[0].under_way
    assert (await bench.sync(connection)).counts.fetched > usual
    assert (await bench.sync(connection)).counts.fetched == usual


async def test_only_streams_that_need_it_are_asked(bench: Bench, market: Sandbox) -> None:
    connection = await bench.connect(market, "bitrix24")
    streams = (await ask(bench, connection)).streams
    assert {each.since for each in streams} == {MOMENT, None}
    waiting = "select stream from stream_state where reread_from is not null order by stream"
    asked = [stream for (stream,) in await bench.rows(waiting)]
    assert asked == sorted(each.stream for each in streams if each.since)
    # The earliest day holds until it was read.
    assert (await ask(bench, connection, LATER + timedelta(days=1), ["deals"])).streams[0].since == MOMENT


async def test_what_cant_be_read_is_said(bench: Bench, market: Sandbox) -> None:
    connection = await bench.connect(market, "calltouch")
    with pytest.raises(Refused) as refused:
        await ask(bench, connection, date(2999, 1, 1), ["calls", "letters"])
    assert [(each.field, each.code) for each in refused.value.problems] == [
        ("from", "IN_FUTURE"),
        ("streams", "NO_SUCH_STREAM"),
    ]
    with pytest.raises(Refused, match="Name a stream"):
        await ask(bench, connection, LATER, [])
    with pytest.raises(NotFound):
        await ask(bench, bench.workspace)
