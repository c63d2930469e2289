"""Runs against the emulated vendors over real HTTP, into a real PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import permutations

import pytest

from sandbox.server import Sandbox
from schema.enums import RunState
from sync.errors import LeaseLost
from sync.load import Counts
from tests.sync.conftest import VENDORS, Bench


def add_up(counts: Counts) -> bool:
    return counts.fetched == sum(
        (counts.created, counts.updated, counts.unchanged, counts.skipped, counts.quarantined)
    )


@pytest.mark.parametrize("vendor", VENDORS)
async def test_a_first_run_reads_everything_and_a_second_one_changes_nothing(
    bench: Bench, market: Sandbox, vendor: str
) -> None:
    connection = await bench.connect(market, vendor)
    first = await bench.sync(connection)
    assert (first.state, first.error) == (RunState.SUCCEEDED, None)
    assert add_up(first.counts)
    assert first.counts.created > 50
    assert first.counts.quarantined == 0
    before = await bench.state()
    versions = await bench.value("select count(*) from path")

    again = await bench.sync(connection)

    assert again.state is RunState.SUCCEEDED
    assert add_up(again.counts)
    assert (again.counts.created, again.counts.updated, again.counts.deleted) == (0, 0, 0)
    assert await bench.state() == before
    assert await bench.value("select count(*) from path") == versions
    assert await bench.unsettled() == []


async def test_the_counts_of_a_run_stand_in_its_rows(bench: Bench, market: Sandbox) -> None:
    result = await bench.sync(await bench.connect(market, "bitrix24"))
    names = Counts.__slots__
    told = tuple(getattr(result.counts, name) for name in names)
    sums = ", ".join(f"sum({name})::int" for name in names)
    assert await bench.rows(f"select {', '.join(names)} from sync_run") == [told]  # noqa: S608
    assert await bench.rows(f"select {sums} from stream_run") == [told]  # noqa: S608
    assert await bench.value("select count(*) from stream_run where finished_at is null") == 0


async def test_the_order_of_syncs_changes_nothing(
    bench: Bench, market: Sandbox, connection_ids: Callable[[str], None]
) -> None:
    """A client found in two CRMs and the call tracker is one client, and the figures are the same, whichever
    system was read first."""
    orders = [order for number, order in enumerate(permutations(VENDORS)) if number % 8 == 0]
    states = []
    for order in orders:
        for vendor in order:
            connection_ids(vendor)
            await bench.sync(await bench.connect(market, vendor))
        assert await bench.unsettled() == []
        states.append(await bench.state())
        await bench.forget()
    assert len(states) == 3
    for name in states[0]:
        assert states[1][name] == states[0][name], name
        assert states[2][name] == states[0][name], name


async def test_what_happens_later_is_all_that_a_later_run_writes(bench: Bench, own_market: Sandbox) -> None:
    connection = await bench.connect(own_market, "calltouch")
    await bench.sync(connection)
    calls = await bench.value("select count(*) from call")
    own_market.advance(days=3)

    result = await bench.sync(connection)

    assert result.counts.created > 0
    assert await bench.value("select count(*) from call") > calls
    assert await bench.unsettled() == []


async def test_an_edited_record_leaves_its_former_state_behind(bench: Bench, own_market: Sandbox) -> None:
    connection = await bench.connect(own_market, "bitrix24")
    await bench.sync(connection)
    own_market.advance(days=10)
    result = await bench.sync(connection)
    assert result.counts.updated > 0
    # Every replaced state is a version, with the run that had brought it, and its time is without gaps.
    assert await bench.value("select count(*) from source_version") == result.counts.updated
    assert (
        await bench.value(
            "select count(*) from source_version v join source_record r using"
            " (workspace_id, connection_id, stream, external_id) where v.superseded_at <> r.changed_at"
        )
        == 0
    )
    assert await bench.unsettled() == []


async def test_what_breaks_on_our_side_is_told_and_the_next_run_heals_it(
    bench: Bench, market: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = await bench.connect(market, "calltouch")

    async def broken(*_: object) -> Counts:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr("sync.run.load_page", broken)
        with pytest.raises(ZeroDivisionError):
            await bench.sync(connection)
    assert await bench.value("select error_code from sync_run where state = 'failed'") == "INTERNAL"
    assert (await bench.sync(connection)).state is RunState.SUCCEEDED
    assert await bench.value("select count(*) from call") > 0


async def test_a_stopped_run_goes_on_with_what_is_left(bench: Bench, market: Sandbox) -> None:
    connection = await bench.connect(market, "bitrix24")
    stop = asyncio.Event()
    stopped = await bench.sync(connection, stop=stop, tell=lambda step: stop.set())
    assert stopped.state is RunState.WAITING
    assert await bench.value("select next_run_at <= now() from connection")

    finished = await bench.sync(connection)

    assert (finished.state, finished.run_id) == (RunState.SUCCEEDED, stopped.run_id)
    assert add_up(finished.counts)
    assert await bench.unsettled() == []


async def test_two_workers_on_one_connection_do_not_spoil_it(bench: Bench, market: Sandbox) -> None:
    """The later one takes the stream over; what the earlier one has in hand is refused."""
    connection = await bench.connect(market, "bitrix24")
    results = await asyncio.gather(bench.sync(connection), bench.sync(connection), return_exceptions=True)
    assert any(not isinstance(result, BaseException) for result in results)
    assert all(isinstance(each, LeaseLost) for each in results if isinstance(each, BaseException)), results
    assert (await bench.sync(connection)).state is RunState.SUCCEEDED
    with market.truth() as truth:
        there = {record.vendor_id for record in truth.records("bitrix24", "contact")}
    assert {id for (id,) in await bench.rows("select external_id from contact")} == there
    assert await bench.unsettled() == []
