"""Changes that no sync can see: deletions, edits and links behind everybody's back, found by verification."""

from __future__ import annotations

from typing import Any

from sandbox.server import Sandbox
from schema.enums import RunState
from tests.sync.conftest import Bench
from tests.sync.verify.conftest import stream_of, there, verify


def wrong(verified: Any, stream: str, kind: str) -> list[str]:
    return sorted(
        each.external_id for part in stream_of(verified, stream).parts for each in part.wrong if each.kind == kind
    )


async def some(bench: Bench, table: str, number: int) -> list[str]:
    rows = await bench.rows(
        f"select source_id from {table} where deleted_at is null order by md5(source_id) limit {number}"  # noqa: S608
    )
    return sorted(id for (id,) in rows)


async def test_what_was_deleted_edited_and_rehung_in_silence_is_named_and_mended(
    bench: Bench, small_market: Sandbox
) -> None:
    connection = await bench.connect(small_market, "bitrix24")
    await bench.sync(connection)
    contacts = await bench.value("select count(*) from contact where deleted_at is null")
    gone, edited, rehung = await some(bench, "deal", 3)
    other = await bench.value("select external_id from contact order by md5(external_id) limit 1")
    there(small_market, "delete from bitrix24_deal where ID = ?", gone)
    there(small_market, "update bitrix24_deal set TITLE = 'Edited in silence' where ID = ?", edited)
    there(small_market, "update bitrix24_deal set CONTACT_ID = ? where ID = ?", other, rehung)
    assert (await bench.sync(connection)).counts.updated == 0

    verified = await verify(bench, connection, sample=1000)

    assert verified.error is None
    assert wrong(verified, "deals", "extra") == [gone]
    assert wrong(verified, "deals", "different") == [edited]
    assert wrong(verified, "deals", "links") == [rehung]
    assert verified.wrong == 3
    assert (stream_of(verified, "deals").mended, stream_of(verified, "deals").deleted) == (2, 1)
    assert "1 was deleted there" in stream_of(verified, "deals").sentence
    assert await bench.rows("select source_id from deal where deleted_at is not null") == [(gone,)]
    assert await bench.value("select title from deal where source_id = :id", id=edited) == "Edited in silence"
    assert await bench.value("select count(*) from contact where deleted_at is null") == contacts
    run = await bench.rows(
        "select trigger, fetched, created, updated, unchanged, skipped, quarantined, deleted from sync_run"
        " where id = :run",
        run=verified.run_id,
    )
    assert run == [("verify", 2, 0, 2, 0, 0, 0, 1)]
    kept = await bench.rows("select state, wrong, mended, deleted, alarms from verification")
    assert kept == [("succeeded", 3, 2, 1, [])]
    named = await bench.rows(
        "select extra, different, links from verification_part where stream = 'deals' and extra || links <> '{}'"
    )
    assert sorted(id for row in named for ids in row for id in ids) == sorted([gone, edited, rehung])
    assert (await verify(bench, connection)).wrong == 0
    assert await bench.unsettled() == []


async def test_since_when_a_record_is_missing_is_told_by_the_sync_that_should_have_brought_it(
    bench: Bench, small_market: Sandbox
) -> None:
    connection = await bench.connect(small_market, "calltouch")
    first = await bench.sync(connection)
    await bench.sync(connection)
    (lost,) = await some(bench, "call", 1)
    await bench.rows("delete from source_record where external_id = :id and stream = 'calls' returning 1", id=lost)

    verified = await verify(bench, connection, fix=False)

    (found,) = [each for part in stream_of(verified, "calls").parts for each in part.wrong]
    began = await bench.value(
        "select started_at from stream_run where run_id = :run and stream = 'calls'", run=first.run_id
    )
    assert (found.external_id, found.kind, found.since, found.run_id) == (lost, "missing", began, first.run_id)
    assert verified.run_id is None
    assert await bench.value("select count(*) from source_record where external_id = :id", id=lost) == 0
    assert await bench.rows("select wrong, mended, run_id from verification") == [(1, 0, None)]


async def test_a_card_in_the_bin_counts_as_deleted_and_comes_back_when_it_is_taken_out(
    bench: Bench, small_market: Sandbox
) -> None:
    connection = await bench.connect(small_market, "amocrm")
    await bench.sync(connection)
    (binned,) = await some(bench, "contact", 1)
    (row,) = there(small_market, "select * from amocrm_contacts where id = ?", binned)
    there(small_market, "delete from amocrm_contacts where id = ?", binned)

    verified = await verify(bench, connection)

    assert wrong(verified, "contacts", "extra") == [binned]
    state = "select deleted_at is null from contact where source_id = :id"
    assert await bench.value(state, id=binned) is False
    marks = ", ".join("?" for _ in row)
    there(small_market, f"insert into amocrm_contacts values ({marks})", *row)  # noqa: S608
    again = await verify(bench, connection)
    assert wrong(again, "contacts", "missing") == [binned]
    assert await bench.value(state, id=binned) is True
    assert await bench.unsettled() == []


async def test_an_empty_list_and_one_that_breaks_off_delete_nothing(bench: Bench, small_market: Sandbox) -> None:
    connection = await bench.connect(small_market, "bitrix24")
    await bench.sync(connection)
    before = await bench.state()
    deals = there(small_market, "select ID from bitrix24_deal")
    there(small_market, "update bitrix24_deal set DATE_MODIFY = DATE_MODIFY - 4000000000")

    empty = await verify(bench, connection, streams={"deals"})

    found = stream_of(empty, "deals")
    assert (found.there, found.deleted) == (0, 0)
    assert found.brake is not None
    assert "nothing was marked as deleted" in empty.sentence
    assert await bench.state() == before
    assert (await bench.rows("select alarms from verification"))[0][0] == list(empty.alarms) != []
    there(small_market, "update bitrix24_deal set DATE_MODIFY = DATE_MODIFY + 4000000000")
    there(small_market, "delete from bitrix24_deal where ID = ?", deals[0][0])
    small_market.fault("bitrix24", "status", match="batch", times=None, params={"status": 400})

    broken = await verify(bench, connection, streams={"deals"})

    assert stream_of(broken, "deals").error is not None or broken.error is not None
    assert await bench.state() == before
    assert await bench.value("select state from sync_run order by queued_at desc limit 1") == RunState.SUCCEEDED
