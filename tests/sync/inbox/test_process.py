"""From deliveries to records: whatever is lost, late, reordered or killed, the end is that of a plain reading."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import text
from tenacity import wait_none

from connectors.contract import RawRecord
from core import clock
from core.crash import registered
from core.database import driver
from sandbox.server import Sandbox
from schema.enums import ReceivedState
from sync.connections import open_connection, resume
from sync.inbox.desk import replay
from sync.load import load_page
from sync.mapped import Loading
from sync.packing import unpack
from tests.conftest import MASTER_KEY
from tests.sync.conftest import Bench
from tests.sync.inbox.conftest import Desk, Street, street
from tests.sync.test_kill import KILLED, ROOT

THERE = (  # byte for byte what pages hold; moves of deals that are gone are told here for ever
    "select stream, external_id, hash from source_record where deleted_at is null and stream <> 'stage_history'"
    " order by stream, external_id"
)
POINTS = [point for point in registered() if point.startswith("inbox.")]


@pytest.fixture
def desk(own_market: Sandbox) -> Iterator[Desk]:
    one = Desk(own_market)
    yield one
    one.close()


@pytest.fixture
async def busy(
    bench: Bench, jobs: Any, own_market: Sandbox, connection_ids: Callable[[str], None]
) -> AsyncIterator[Street]:
    """A portal that changes, connected and read once."""
    connection_ids("bitrix24")
    made = await street(bench, jobs, own_market, "bitrix24")
    await bench.sync(made.connection)
    yield made
    await made.http.aclose()


async def test_lost_late_and_reordered_events_end_as_a_plain_reading_does(
    busy: Street, desk: Desk, connection_ids: Callable[[str], None]
) -> None:
    first, second, third, lost = busy.ids("deal", 4)
    contact = busy.ids("contact", 1)[0]
    desk.bitrix24("crm.deal.update", id=first, fields={"TITLE": "one"})
    desk.bitrix24("crm.deal.update", id=first, fields={"TITLE": "two"})
    desk.bitrix24("crm.deal.delete", id=second)
    desk.bitrix24("crm.contact.delete", id=contact)
    desk.bitrix24("crm.deal.update", id=lost, fields={"TITLE": "nobody was told"})
    new = desk.bitrix24("crm.deal.add", fields={"TITLE": "new", "OPPORTUNITY": 100})
    events = [
        ("ONCRMDEALDELETE", second),
        ("ONCRMDEALUPDATE", new),  # before the one that tells of its making
        ("ONCRMDEALADD", new),
        ("ONCRMDEALUPDATE", first),
        ("ONCRMDEALDELETE", third),  # of a deal that is there
        ("ONCRMCONTACTDELETE", contact),
        ("ONCRMDEALDELETE", 999_999_999),  # of a deal that nobody knows
    ]
    for ts, (name, id) in enumerate(events):
        assert (await busy.knock(busy.event(name, id, ts))).status_code == 200
    processed = await busy.process()

    assert (processed.done, processed.counts.created, processed.counts.updated) == (len(events), 1, 1)
    assert processed.counts.deleted == 2
    assert processed.early  # the moves between stages can't be fetched singly: the schedule reads them soon
    assert await busy.bench.value("select next_run_at <= now() + interval '61 seconds' from connection")
    deals = "select external_id, title, deleted_at is not null from deal where external_id = any(:ids) order by 1"
    here = {
        id: (title, gone) for id, title, gone in await busy.bench.rows(deals, ids=[first, second, third, str(new)])
    }
    assert (here[first], here[str(new)], here[second][1], here[third][1]) == (
        ("two", False),
        ("new", False),
        True,
        False,
    )
    await busy.knock(busy.event("ONCRMDEALUPDATE", second, 99))  # late by far: it revives nothing
    assert (await busy.process()).counts.deleted == 0
    assert await busy.bench.value("select deleted_at is not null from deal where external_id = :id", id=second)
    told = await busy.bench.value(
        "select told_at > now() - interval '1 minute' from stream_state where stream = 'deals'"
    )
    assert told

    await busy.bench.sync(busy.connection)  # the reading by schedule finds what was lost, and nothing else new

    assert await busy.bench.value("select title from deal where external_id = :id", id=lost) == "nobody was told"
    assert await busy.bench.value("select count(*) from source_version where external_id = :id", id=first) == 1
    assert await busy.bench.unsettled() == []
    lived = await busy.bench.rows(THERE)
    await busy.bench.forget()
    connection_ids("bitrix24")
    await busy.bench.sync(await busy.bench.connect(busy.market, "bitrix24"))
    assert await busy.bench.rows(THERE) == lived


async def test_a_page_in_hand_does_not_undo_what_a_webhook_brought(busy: Street, desk: Desk) -> None:
    changed, deleted = busy.ids("deal", 2)
    deals = next(s for s in (await _opened(busy)).connector.streams if s.name == "deals")
    old = [RawRecord(id, await _raw(busy, id)) for id in (changed, deleted)]
    asked_at = clock.now()  # the run asks for a page …
    desk.bitrix24("crm.deal.update", id=changed, fields={"TITLE": "newer"})
    desk.bitrix24("crm.deal.delete", id=deleted)
    await busy.knock(busy.event("ONCRMDEALUPDATE", changed))
    await busy.knock(busy.event("ONCRMDEALDELETE", deleted))
    await busy.process()

    opened = await _opened(busy)
    loading = Loading(opened.workspace_id, opened.id, None, opened.region, deals, opened.settings)
    async with busy.bench.office.database.loading(busy.bench.workspace) as db:  # … and gets to load it now
        counts = await load_page(driver(db), loading, old, asked_at)

    assert counts.unchanged == 2
    rows = await busy.bench.rows(
        "select title, deleted_at is not null from deal where external_id = any(:ids) order by 2",
        ids=[changed, deleted],
    )
    assert (rows[0], rows[1][1]) == (("newer", False), True)


async def test_what_fails_is_tried_again_and_then_left_to_a_person(
    portal: Street, own_market: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync.vendor._backoff", wait_none())
    busy = await street(portal.bench, portal.jobs, own_market, "bitrix24")
    poisoned, sound = busy.ids("deal", 2)
    own_market.fault("bitrix24", "status", match="batch", times=6, params={"status": 502})
    await busy.knock(busy.event("ONCRMDEALUPDATE", poisoned))
    processed = await busy.process()
    assert (processed.done, processed.waiting) == (0, 1)
    (kept,) = await busy.kept()
    assert (kept.attempts, kept.reason) == (1, "Bitrix24 answered with a page instead of data (status 502).")
    await busy.knock(busy.event("ONCRMDEALUPDATE", sound))
    assert (await busy.process()).done == 1  # the one that waits for its next try holds up no other

    own_market.fault("bitrix24", "status", match="batch", times=None, params={"status": 502})
    with _in_a_hurry(busy, monkeypatch):
        for _ in range(7):
            await portal.bench.rows(
                "update received_webhook set next_try_at = now() where state = 'waiting' returning 1"
            )
            await busy.process()
    states = {one.touched[0]: (one.state, one.attempts) for one in await busy.kept()}
    assert states[f"deals {poisoned}"] == (ReceivedState.FAILED, 8)

    own_market.clear_faults()
    assert await replay(portal.bench.office, portal.bench.workspace, busy.connection) == 1
    assert (await busy.process()).counts.created == 1
    await busy.http.aclose()


@contextmanager
def _in_a_hurry(busy: Street, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("sync.vendor.ATTEMPTS", 1)
    yield
    monkeypatch.setattr("sync.vendor.ATTEMPTS", 6)


async def test_a_refused_key_stops_the_connection_and_loses_nothing(portal: Street, own_market: Sandbox) -> None:
    busy = await street(portal.bench, portal.jobs, own_market, "bitrix24")
    own_market.fault(
        "bitrix24", "status", match="batch", params={"status": 401, "body": '{"error":"INVALID_TOKEN"}'}
    )
    await busy.knock(busy.event("ONCRMDEALUPDATE", busy.ids("deal", 1)[0]))
    await busy.process()
    state = "select state from connection where id = :id"
    assert await portal.bench.value(state, id=busy.connection) == "needs_reauth"
    assert (await busy.process()).done == 0
    await resume(portal.bench.office, portal.bench.workspace, busy.connection)
    assert (await busy.process()).done == 1
    await busy.http.aclose()


@pytest.mark.parametrize("point", POINTS)
async def test_a_kill_between_the_answer_and_the_record_loses_nothing(portal: Street, point: str) -> None:
    deal = portal.ids("deal", 1)[0]
    event = portal.event("ONCRMDEALUPDATE", deal).decode()
    code, words = _telling(portal, event, crash_at=point)
    assert code == KILLED, words
    (kept,) = await portal.kept()  # it is there, and nobody needs to send it again
    assert kept.state is ReceivedState.WAITING
    async with portal.bench.office.database.app_engine.begin() as db:
        due = (await db.execute(text("select connection_id from due_inboxes(10)"))).scalars().all()
    assert due == [portal.connection]

    assert (await portal.process()).done == 1

    assert await portal.bench.rows("select external_id from deal") == [(deal,)]
    assert await portal.bench.value("select count(*) from change where type = 'deal'") == 1


def test_there_are_points_to_crash_at() -> None:
    assert POINTS == ["inbox.accept.after_commit", "inbox.process.before_done"]


def _telling(portal: Street, event: str, crash_at: str) -> tuple[int, str]:
    url = portal.bench.office.settings.database_url
    assert url is not None
    process = subprocess.run(
        [
            *(sys.executable, "-m", "tests.sync.inbox.teller"),
            *(str(portal.bench.workspace), str(portal.connection), portal.path, event),
        ],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "DATABASE_URL": url.get_secret_value(),
            "SKVOZ_MASTER_KEY": MASTER_KEY,
            "SKVOZ_ALLOW_PRIVATE_HOSTS": "127.0.0.1",
            "SKVOZ_CRASH_AT": crash_at,
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    return process.returncode, process.stdout + process.stderr


async def _opened(busy: Street) -> Any:
    return await open_connection(busy.bench.office, busy.bench.workspace, busy.connection)


async def _raw(busy: Street, id: str) -> bytes:
    async with busy.bench.office.database.loading(busy.bench.workspace) as db:
        conn = driver(db)
        row = await (
            await conn.execute(
                "select raw, dictionary_id from source_record where stream = 'deals' and external_id = %s", (id,)
            )
        ).fetchone()
        assert row is not None
        return await unpack(conn, busy.bench.workspace, *row)
