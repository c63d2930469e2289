"""What a vendor's answers can do to the one who asks: strange pauses, compressed giants, pages in a circle."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from connectors.contract import Page, Position, VendorRequest, VendorResponse
from connectors.errors import VendorChanged
from connectors.registry import all_connectors, connector
from sandbox.server import Sandbox
from schema.enums import RunState
from sync.vendor import VendorClient, retry_after
from tests.sync.conftest import Bench

NOW = "Mon, 02 Mar 2026 10:00:00 GMT"


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ("7", 7.0),
        ("999999", 999999.0),
        ("Mon, 02 Mar 2026 10:00:30 GMT", 30.0),
        ("Mon, 02 Mar 2026 09:00:00 GMT", None),
        ("-1", None),
        ("soon", None),
        ("²", None),
        ("", None),
    ],
)
def test_a_pause_is_a_number_or_a_date_of_the_vendors_clock_or_nothing(told: str, seconds: float | None) -> None:
    assert retry_after(httpx.Headers({b"retry-after": told.encode(), b"date": NOW.encode()})) == seconds


async def test_a_small_body_that_unfolds_to_a_giant_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sync.vendor.MAX_BODY", 100_000)
    bomb = gzip.compress(bytes(5_000_000))
    assert len(bomb) < 10_000
    answer = httpx.MockTransport(lambda _: httpx.Response(200, content=bomb, headers={"content-encoding": "gzip"}))
    found = connector("calltouch")
    settings = found.settings.model_validate(
        {"base_url": "https://calltouch.test", "site_id": "1", "token": "t" * 8}
    )
    async with httpx.AsyncClient(transport=answer) as http:
        client = VendorClient(found, settings, http, cast("Any", None), None, None, Path())
        with pytest.raises(VendorChanged, match="sent more than"):
            await client._fetch(VendorRequest("/calls"))


async def test_pages_that_lead_in_a_circle_end_the_stream_and_not_the_others(
    bench: Bench, market: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = connector("bitrix24")
    asked: list[Position] = []

    def circle(_settings: Any, position: Position, _response: VendorResponse) -> Page:
        asked.append(position)
        return Page([], next={"start": 50 if position["start"] == 0 else 0})

    streams = tuple(
        replace(stream, read=circle) if stream.name == "users" else stream
        for stream in found.streams
        if stream.name in ("users", "pipelines")
    )
    monkeypatch.setitem(all_connectors(), "bitrix24", replace(found, streams=streams))
    result = await bench.sync(await bench.connect(market, "bitrix24"))
    assert result.state is RunState.FAILED
    assert result.error is not None
    assert "lead in a circle" in result.error
    assert len(asked) <= 3
    assert await bench.value("select count(*) from pipeline")
    assert await bench.value("select cursor from stream_state where stream = 'users'") is None
