"""Verification of every emulated system over HTTP: what is in order is said to be, what is wrong is mended."""

from __future__ import annotations

import pytest

from sandbox.server import Sandbox
from tests.sync.conftest import Bench
from tests.sync.verify.conftest import forget, quick_reports, stream_of, verify

SOME = {
    "calltouch": ("calls", "select source_id from call order by started_at limit 3"),
    "bitrix24": ("deals", "select source_id from deal order by created_at limit 3"),
    "amocrm": ("contacts", "select source_id from contact order by created_at limit 3"),
    "yandex_metrica": ("visits", "select source_id from visit order by started_at limit 3"),
}
"""A stream of each system, and where to find some of its records that are not from its last days."""


@pytest.mark.parametrize("vendor", SOME)
async def test_what_a_sync_brought_is_all_there_is_and_what_gets_lost_is_named_and_fetched(
    bench: Bench, small_market: Sandbox, vendor: str
) -> None:
    stream, some = SOME[vendor]
    await quick_reports(small_market)
    connection = await bench.connect(small_market, vendor)
    await bench.sync(connection)
    before = await bench.state()

    in_order = await verify(bench, connection, sample=3)

    assert in_order.error is None
    assert in_order.wrong == 0, in_order.sentence
    assert in_order.run_id is None
    assert all(found.there == found.here for found in in_order.streams)
    assert stream_of(in_order, stream).there > 10

    lost = [id for (id,) in await bench.rows(some)]
    await forget(bench, stream, lost)

    only_told = await verify(bench, connection, fix=False, streams={stream})
    mended = await verify(bench, connection, streams={stream})

    for verified in (only_told, mended):
        assert verified.wrong == len(lost), verified.sentence
    assert stream_of(only_told, stream).mended == 0
    assert stream_of(mended, stream).mended == len(lost)
    assert (await verify(bench, connection, streams={stream})).wrong == 0
    assert await bench.state() == before
    assert await bench.unsettled() == []
