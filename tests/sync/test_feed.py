"""The change feed: nothing is skipped, whoever is slow; loads, merges, splits and removals tell what they did."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from uuid import UUID, uuid4

import psycopg
import pytest
from sqlalchemy import text

from core.database import Database, driver
from core.roles import Role
from sandbox.server import Sandbox
from schema.enums import ChangeKind, ChangeType
from sync.connections import remove_connection
from sync.decisions import merge_clients, split_client
from sync.feed import Change, Changes, append, end_of_feed, read_after
from sync.office import Office, create_workspace
from tests.sync.conftest import Bench


def one(kind: ChangeKind = ChangeKind.CREATED) -> tuple[UUID, Changes]:
    id, changes = uuid4(), Changes()
    changes.add(ChangeType.CALL, kind, [id])
    return id, changes


async def feed(database: Database, workspace: UUID, after: int = 0) -> list[Change]:
    async with database.workspace(workspace) as db:
        return await read_after(driver(db), workspace, after, limit=10_000)


@pytest.fixture
async def workspace(office: Office) -> UUID:
    return await create_workspace(office, "test", "Test")


async def test_a_long_transaction_hides_nothing_from_a_reader(database: Database, workspace: UUID) -> None:
    """It began first and commits last: a reader who has read on meanwhile still gets what it did."""
    async with database.loading(workspace) as slow:
        await slow.execute(text("select pg_current_xact_id()"))  # the oldest transaction by number
        first, changes = one()
        async with database.loading(workspace) as quick:
            await append(driver(quick), workspace, changes)
        read = await feed(database, workspace)
        assert [change.ids for change in read] == [[first]]
        second, changes = one()
        await append(driver(slow), workspace, changes)
        assert await feed(database, workspace, read[-1].position) == []  # not committed, so not told
    (late,) = await feed(database, workspace, read[-1].position)
    assert late.ids == [second]


async def test_who_appends_waits_for_who_has_appended(database: Database, workspace: UUID) -> None:
    """Positions follow commits: a second writer can't get ahead of one that has its position and isn't done."""
    first, changes = one()
    second, others = one()
    async with database.loading(workspace) as slow:
        await append(driver(slow), workspace, changes)

        async def write() -> None:
            async with database.loading(workspace) as db:
                await append(driver(db), workspace, others)

        waiting = asyncio.create_task(write())
        await _blocked(database)
        assert await feed(database, workspace) == []
    await waiting
    assert [change.ids for change in await feed(database, workspace)] == [[first], [second]]


async def test_other_workspaces_dont_wait(database: Database, office: Office, workspace: UUID) -> None:
    other = await create_workspace(office, "other", "Other")
    _, changes = one()
    _, others = one()
    async with database.loading(workspace) as slow:
        await append(driver(slow), workspace, changes)
        async with asyncio.timeout(5), database.loading(other) as db:
            await append(driver(db), other, others)
        assert len(await feed(database, other)) == 1


async def test_many_writers_and_a_reader_who_never_looks_back(database: Database, workspace: UUID) -> None:
    """Eight writers with pauses at every step; the reader gets each change once, in an order that never turns."""
    written: list[UUID] = []

    async def write(number: int) -> None:
        for turn in range(10):
            id, changes = one()
            async with database.loading(workspace) as db:
                await db.execute(text("select pg_current_xact_id()"))
                await asyncio.sleep((number * 7 + turn * 3) % 5 / 500)
                await append(driver(db), workspace, changes)
                await asyncio.sleep((number * 3 + turn) % 4 / 500)
            written.append(id)

    writers = asyncio.gather(*(write(number) for number in range(8)))
    read: list[Change] = []
    while not writers.done() or len(read) < 80:
        found = await feed(database, workspace, read[-1].position if read else 0)
        read += found
        if writers.done() and not found:
            break
        await asyncio.sleep(0)
    await writers
    assert Counter(id for change in read for id in change.ids) == Counter(written)
    positions = [change.position for change in read]
    assert positions == sorted(set(positions))


async def test_a_load_tells_what_it_did_and_an_unchanged_one_nothing(bench: Bench, market: Sandbox) -> None:
    connection = await bench.connect(market, "bitrix24")
    await bench.sync(connection)
    created: Counter[str] = Counter()
    for type_, kind, ids in await bench.rows("select type, kind, ids from change"):
        if kind == "created":
            created[type_] += len(ids)
    for table, type_ in (("contact", "contact"), ("deal", "deal"), ("client", "client"), ("user_account", "user")):
        assert created[type_] == await bench.value(f"select count(*) from {table}"), table  # noqa: S608
    end = await bench.value("select max(position) from change")
    await bench.sync(connection)
    assert await bench.rows("select type, kind from change where position > :end", end=end) == []


async def test_merge_and_split_are_told(bench: Bench, market: Sandbox) -> None:
    await bench.sync(await bench.connect(market, "bitrix24"))
    one_id, two_id = (
        id
        for (id,) in await bench.rows(
            "select c.id from client c where c.kind = 'person' and exists (select from contact k where"
            " k.client_id = c.id) order by c.founded_at, c.id limit 2"
        )
    )
    database, end = bench.office.database, await bench.value("select max(position) from change")
    await merge_clients(database, bench.workspace, one_id, two_id, "test")
    merged = [each for each in await feed(database, bench.workspace, end) if each.kind is ChangeKind.MERGED]
    assert [(list(each.ids), list(each.others or ())) for each in merged] == [([two_id], [one_id])]
    end = await bench.value("select max(position) from change")
    (contact,) = await bench.rows("select id from contact where id = :id", id=two_id)
    await split_client(database, bench.workspace, one_id, list(contact), "test")
    (split,) = [each for each in await feed(database, bench.workspace, end) if each.kind is ChangeKind.SPLIT]
    assert (list(split.ids), list(split.others or ())) == ([one_id], [two_id])


async def test_a_removed_connection_tells_what_went(bench: Bench, market: Sandbox) -> None:
    connection = await bench.connect(market, "calltouch")
    await bench.sync(connection)
    calls = {id for (id,) in await bench.rows("select id from call")}
    end = await bench.value("select max(position) from change")
    await remove_connection(bench.office, bench.workspace, connection, with_data=True)
    told = {
        id
        for change in await feed(bench.office.database, bench.workspace, end)
        if (change.type, change.kind) == (ChangeType.CALL, ChangeKind.DELETED)
        for id in change.ids
    }
    assert told == calls != set()


async def test_old_changes_go_and_the_horizon_stays(database: Database, workspace: UUID) -> None:
    _, old = one()
    recent, changes = one()
    for each in (old, changes):
        async with database.loading(workspace) as db:
            await append(driver(db), workspace, each)
    async with database.owner_engine.begin() as db:
        await db.execute(text("update change set at = at - interval '31 days' where position = 1"))
    async with database.app_engine.begin() as db:
        removed = await db.execute(text("select prune_changes(:kept)"), {"kept": timedelta(days=30)})
        assert removed.scalar_one() == 1
    assert [change.ids for change in await feed(database, workspace)] == [[recent]]
    async with database.workspace(workspace) as db:
        assert (await db.execute(text("select position from feed_horizon"))).scalar_one() == 1
        assert await end_of_feed(driver(db), workspace) == 2


async def test_the_app_may_add_to_the_feed_and_not_rewrite_it(database: Database, workspace: UUID) -> None:
    _, changes = one()
    async with database.workspace(workspace) as db:
        await append(driver(db), workspace, changes)
    for statement in ("update change set at = now()", "delete from change"):
        with pytest.raises(Exception, match="permission denied"):
            async with database.workspace(workspace) as db:
                await db.execute(text(statement))


async def _blocked(database: Database) -> None:
    """Wait until somebody waits for the feed."""
    async with await psycopg.AsyncConnection.connect(database.conninfo(Role.OWNER), autocommit=True) as db:
        for _ in range(500):
            found = await db.execute("select from pg_locks where locktype = 'advisory' and not granted")
            if await found.fetchone() is not None:
                return
            await asyncio.sleep(0.01)
    raise AssertionError("nobody waits")
