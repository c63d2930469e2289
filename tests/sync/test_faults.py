"""Faults of a vendor or the wire, injected over real HTTP: nothing lost, nothing doubled, counts that add up."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from typing import Any

import pytest

from connectors.errors import BadRecord
from connectors.registry import connector
from sandbox.server import Sandbox
from schema.enums import ConnectionState, RunState
from sync.connections import resync
from sync.quarantine import in_quarantine, replay
from tests.sync.conftest import Bench
from tests.sync.test_run import add_up

PASSING: dict[str, tuple[str, dict[str, Any]]] = {
    "the connection drops in the middle of a body": ("cut", {"bytes": 100}),
    "the connection drops before an answer": ("drop", {}),
    "the answer is lost": ("drop_answer", {}),
    "429 with seconds": ("status", {"status": 429, "retry_after": 1}),
    "429 with a date": ("status", {"status": 429, "retry_after_date": 1}),
    "429 with a senseless header": ("status", {"status": 429, "retry_after": "soon"}),
    "429 with nothing": ("status", {"status": 429}),
    "500": ("status", {"status": 500}),
    "503": ("status", {"status": 503}),
    "a page of HTML in a 200": ("html", {}),
    "an empty body in a 200": ("empty", {}),
}


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Back off for hundredths of a second, not for half a minute."""
    from tenacity import wait_random_exponential

    monkeypatch.setattr("sync.vendor._backoff", wait_random_exponential(multiplier=0.01, max=0.05))


@pytest.mark.parametrize("fault", PASSING)
async def test_a_passing_fault_leaves_no_trace(
    bench: Bench, own_market: Sandbox, connection_ids: Callable[[str], None], fault: str
) -> None:
    kind, params = PASSING[fault]
    connection_ids("calltouch")
    connection = await bench.connect(own_market, "calltouch")
    own_market.fault("calltouch", kind, match="calls-diary|requests", times=2, after=1, params=params)

    result = await bench.sync(connection)

    assert (result.state, result.error) == (RunState.SUCCEEDED, None)
    assert add_up(result.counts)
    disturbed = await bench.state()
    await bench.forget()
    own_market.clear_faults()
    await bench.sync(await bench.connect(own_market, "calltouch"))
    assert await bench.state() == disturbed


async def test_nobody_asks_before_the_vendor_allows_it_again(bench: Bench, own_market: Sandbox) -> None:
    connection = await bench.connect(own_market, "calltouch")
    own_market.clear_log()
    own_market.fault("calltouch", "status", match="calls-diary", params={"status": 429, "retry_after": 2})
    await bench.sync(connection)
    log = own_market.log("calltouch")
    refused = next(number for number, entry in enumerate(log) if entry["status"] == 429)
    assert log[refused + 1]["at"] - log[refused]["at"] >= 2


async def test_an_hour_of_429_parks_the_run(bench: Bench, own_market: Sandbox) -> None:
    connection = await bench.connect(own_market, "calltouch")
    own_market.fault(
        "calltouch", "status", match="calls-diary", times=None, params={"status": 429, "retry_after": 3600}
    )
    result = await bench.sync(connection)
    assert result.state is RunState.WAITING
    assert await bench.value("select resume_at > now() + interval '50 minutes' from sync_run")


async def test_a_lasting_fault_fails_the_stream_and_not_the_others(bench: Bench, own_market: Sandbox) -> None:
    connection = await bench.connect(own_market, "calltouch")
    own_market.fault("calltouch", "status", match="calls-diary", times=None, params={"status": 502})

    result = await bench.sync(connection)

    assert result.state is RunState.FAILED
    assert await bench.value("select count(*) from call") == 0
    assert await bench.value("select count(*) from lead") > 0
    assert "not available" in await bench.value("select error from stream_state where stream = 'calls'")
    own_market.clear_faults()
    healed = await bench.sync(connection)
    assert healed.state is RunState.SUCCEEDED
    assert await bench.value("select count(*) from call") > 0
    assert await bench.unsettled() == []


async def test_a_refused_key_stops_the_connection_until_the_user_acts(bench: Bench, own_market: Sandbox) -> None:
    connection = await bench.connect(own_market, "calltouch")
    own_market.fault("calltouch", "status", match="calls-diary", times=None, params={"status": 401})
    result = await bench.sync(connection)
    assert result.state is RunState.FAILED
    state, reason = (await bench.rows("select state, state_reason from connection"))[0]
    assert state == ConnectionState.NEEDS_REAUTH
    assert reason


async def test_an_expired_token_is_renewed_once_and_the_run_goes_on(bench: Bench, own_market: Sandbox) -> None:
    connection = await bench.connect(own_market, "amocrm")
    own_market.clear_log()
    own_market.fault("amocrm", "expired_token", match="/api/v4/", after=3)
    result = await bench.sync(connection)
    assert (result.state, result.error) == (RunState.SUCCEEDED, None)
    assert len(own_market.log("amocrm", path="oauth2/access_token")) == 1
    # The new pair is the one that is kept: the next run needs no other.
    assert (await bench.sync(connection)).state is RunState.SUCCEEDED
    assert len(own_market.log("amocrm", path="oauth2/access_token")) == 1


async def test_a_poisoned_record_is_set_aside_and_heals(bench: Bench, own_market: Sandbox) -> None:
    connection = await bench.connect(own_market, "calltouch")
    own_market.fault(
        "calltouch",
        "edit",
        match="calls-diary",
        times=None,
        params={"find": '"callId":900000003,', "replace": '"callId":900000003,"timestamp":{},"poisoned":true,'},
    )
    result = await bench.sync(connection)
    assert result.state is RunState.SUCCEEDED
    assert add_up(result.counts)
    assert result.counts.quarantined == 1
    reason = await bench.value("select reason from quarantine where resolved_at is null")
    assert "another shape" in reason
    calls = await bench.value("select count(*) from call")

    own_market.clear_faults()
    await resync(bench.office, bench.workspace, connection)
    await bench.sync(connection)

    assert await bench.value("select count(*) from call") == calls + 1
    assert await bench.value("select count(*) from quarantine where resolved_at is null") == 0
    assert await bench.unsettled() == []


async def test_quarantine_is_replayed_through_a_mended_mapping(
    bench: Bench, market: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = connector("calltouch").stream("calls")
    object.__setattr__(calls, "map", _refuses_every_tenth(calls.map))
    connection = await bench.connect(market, "calltouch")
    try:
        result = await bench.sync(connection)
    finally:
        object.__setattr__(calls, "map", calls.map.__wrapped__)  # type: ignore[attr-defined]
    assert add_up(result.counts)
    assert result.counts.quarantined > 5
    waiting = await in_quarantine(bench.office, bench.workspace, connection)
    assert {refused.reason for refused in waiting} == {"An unlucky number."}
    assert all(b"callId" in refused.raw for refused in waiting)

    counts = await replay(bench.office, bench.workspace, connection)

    assert (counts.created, counts.quarantined) == (result.counts.quarantined, 0)
    assert await in_quarantine(bench.office, bench.workspace, connection) == []
    assert await bench.unsettled() == []
    replayed = await bench.state()
    await bench.forget()
    again = await bench.connect(market, "calltouch")
    assert again != connection
    assert (await bench.sync(again)).counts.quarantined == 0
    assert len(replayed["call"]) == await bench.value("select count(*) from call")


def _refuses_every_tenth(right: Callable[[Any, bytes], Any]) -> Callable[[Any, bytes], Any]:
    @wraps(right)
    def broken(settings: Any, body: bytes) -> Any:
        if b'0,"siteId"' in body or re.search(rb'"callId":\d+0[,}]', body):
            raise BadRecord("An unlucky number.")
        return right(settings, body)

    return broken


async def test_a_redirect_is_not_followed(bench: Bench, own_market: Sandbox) -> None:
    connection = await bench.connect(own_market, "calltouch")
    own_market.clear_log()
    own_market.fault(
        "calltouch",
        "redirect",
        match="calls-diary",
        times=None,
        params={"location": f"{own_market.base_url}/amocrm/api/v4/account"},
    )
    result = await bench.sync(connection)
    assert result.state is not RunState.SUCCEEDED
    assert own_market.log("amocrm") == []


async def test_a_giant_answer_ends_in_an_error_and_not_in_memory(
    bench: Bench, own_market: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync.vendor.MAX_BODY", 2_000_000)
    connection = await bench.connect(own_market, "calltouch")
    own_market.fault("calltouch", "giant", match="calls-diary", times=None, params={"bytes": 50_000_000})
    result = await bench.sync(connection)
    assert result.state is RunState.FAILED
    assert result.error is not None
    assert "more than" in result.error


async def test_a_vendor_who_trickles_does_not_hold_the_worker(
    bench: Bench, own_market: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync.vendor.TOTAL_SECONDS", 1.0)
    connection = await bench.connect(own_market, "calltouch")
    own_market.fault("calltouch", "trickle", match="calls-diary", times=1, params={"bytes": 1, "seconds": 0.5})
    result = await bench.sync(connection)
    assert result.state is RunState.SUCCEEDED


async def test_pages_that_shift_while_they_are_read_lose_nothing(bench: Bench, own_market: Sandbox) -> None:
    connection = await bench.connect(own_market, "bitrix24")
    own_market.fault("bitrix24", "shift_pages", match="crm", times=3, after=4)
    await bench.sync(connection)
    await bench.sync(connection)
    with own_market.truth() as truth:
        there = {record.vendor_id for record in truth.records("bitrix24", "contact")}
    here = {id for (id,) in await bench.rows("select external_id from contact")}
    assert there <= here
    assert await bench.unsettled() == []
