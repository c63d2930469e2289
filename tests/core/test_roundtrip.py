"""Statements that are sent together: one transaction, nothing left behind, whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID

import psycopg
import pytest
from psycopg.pq import PipelineStatus, TransactionStatus

from core import roundtrip
from core.database import Database, PsycopgConnection
from core.roundtrip import run_together


@pytest.fixture
async def connection(blank: Database) -> AsyncIterator[PsycopgConnection]:
    async with blank.app_pool.connection() as connection:
        yield connection


async def names(connection: PsycopgConnection) -> int:
    found = await connection.execute("select count(*) from pg_prepared_statements where name like 'together%'")
    (row,) = await found.fetchall()
    return int(row[0])


async def test_settings_hold_for_the_statements_sent_with_them_and_no_longer(
    connection: PsycopgConnection,
) -> None:
    set_it = (b"select set_config('skvoz.test', $1, true)", ("here",))
    read_it = (b"select current_setting('skvoz.test', true)", ())
    assert await run_together(connection, [set_it, read_it]) == b"here"
    assert not await run_together(connection, [read_it])
    assert connection.info.transaction_status is TransactionStatus.IDLE


async def test_values_arrive_as_what_they_are(connection: PsycopgConnection) -> None:
    values = (7, None, "не \\ ' $1", datetime(2026, 3, 1, tzinfo=UTC), UUID(int=5), ["a", None, "b,c"], True)
    sql = (
        b"select json_build_array($1::int, $2::text, $3::text, $4::timestamptz = '2026-03-01Z', $5::uuid, "
        b"$6::text[], $7::bool)"
    )
    assert (
        await run_together(connection, [(sql, values)])
        == (
            '[7, null, "не \\\\ \' $1", true, "00000000-0000-0000-0000-000000000005", ["a",null,"b,c"], true]'
        ).encode()
    )


async def test_a_statement_is_prepared_once_and_its_types_belong_to_it(connection: PsycopgConnection) -> None:
    sql = b"select $1::text"
    for value in ("a", "b", "c"):
        assert await run_together(connection, [(sql, (value,))]) == value.encode()
    assert await names(connection) == 1
    assert await run_together(connection, [(sql, (70_000,))]) == b"70000"
    assert await names(connection) == 2


async def test_the_longest_unused_makes_room(
    connection: PsycopgConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roundtrip, "_MOST_PREPARED", 3)
    for number in range(10):
        assert await run_together(connection, [(b"select %d" % number, ())]) == b"%d" % number
    assert await names(connection) == 3


async def test_after_an_error_the_connection_is_as_good_as_before(connection: PsycopgConnection) -> None:
    good = (b"select 1", ())
    await run_together(connection, [good])
    with pytest.raises(psycopg.errors.DivisionByZero):
        await run_together(connection, [good, (b"select 1 / $1::int", (0,)), good])
    with pytest.raises(psycopg.errors.SyntaxError):
        await run_together(connection, [(b"selec", ())])
    assert await run_together(connection, [good]) == b"1"
    assert connection.pgconn.pipeline_status == PipelineStatus.OFF


async def test_errors_leave_prepared_what_was_and_nothing_beside(connection: PsycopgConnection) -> None:
    sql = b"select 1 / $1::int"
    assert await run_together(connection, [(b"select 1", ()), (sql, (1,))]) == b"1"
    for _ in range(20):
        with pytest.raises(psycopg.errors.DivisionByZero):
            await run_together(connection, [(b"select 1", ()), (sql, (0,))])
        with pytest.raises(psycopg.errors.DivisionByZero):
            await run_together(connection, [(sql, (0,)), (b"select 'never parsed'", ())])
    assert await names(connection) == 2
    assert await run_together(connection, [(b"select 'never parsed'", ())]) == b"never parsed"


async def test_who_no_longer_waits_ends_the_statement(connection: PsycopgConnection) -> None:
    asked = asyncio.create_task(run_together(connection, [(b"select pg_sleep(60)::text", ())]))
    await asyncio.sleep(0.05)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert await run_together(connection, [(b"select 2", ())]) == b"2"


async def test_an_answer_longer_than_what_is_read_at_once(connection: PsycopgConnection) -> None:
    many = await run_together(connection, [(b"select repeat($1, 3000000)", ("x" * 3,))])
    assert many is not None
    assert len(many) == 9_000_000
    long = "y" * 9_000_000
    assert await run_together(connection, [(b"select length($1)::text", (long,))]) == b"9000000"


async def test_a_dead_connection_is_told(connection: PsycopgConnection) -> None:
    for sql in (b"select pg_terminate_backend(pg_backend_pid())::text", b"select 1"):
        with pytest.raises(psycopg.OperationalError):
            await run_together(connection, [(sql, ())])
