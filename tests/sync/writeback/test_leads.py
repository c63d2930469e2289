"""Calls become leads: exactly one for each number, whatever happens on the way."""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
from collections import Counter
from typing import Any
from uuid import UUID

import pytest

from core.crash import registered
from sandbox.server import Sandbox
from sync.connections import resync
from sync.writeback.undo import preview_undo, undo
from tests.sync.test_kill import KILLED, ended, reading
from tests.sync.writeback.conftest import Writing

POINTS = [point for point in registered() if point.startswith("outbox.")]
ADD = "(crm.lead.add|batch)$"  # one lead, or several together


def delivering(writing: Writing, portal: UUID, crash_at: str | None = None) -> subprocess.Popen[str]:
    return reading(writing.bench, portal, crash_at=crash_at, module="tests.sync.writeback.courier")


def adds(market: Sandbox) -> int:
    return len(market.log("bitrix24", path="crm.lead.add"))


async def test_every_answered_call_from_a_new_number_becomes_one_lead(writing: Writing) -> None:
    portal, numbers = await writing.calls_waiting()

    assert await writing.deliver(portal) == Counter(done=len(numbers))

    assert writing.leads_made() == dict.fromkeys(numbers, 1)
    told = writing.there("select TITLE, UTM_SOURCE from bitrix24_lead where ORIGINATOR_ID = 'skvoz'")
    assert all(title.startswith("Call from +7") for title, _ in told)
    assert any(source == "yandex" for _, source in told)


async def test_nothing_more_is_written_when_all_is_read_again(writing: Writing) -> None:
    portal, numbers = await writing.calls_waiting()
    await writing.deliver(portal)
    writing.market.clear_log()
    assert writing.calltouch is not None
    for connection in (writing.calltouch, portal):
        await resync(writing.bench.office, writing.bench.workspace, connection)
        await writing.bench.sync(connection)
    assert await writing.deliver(portal) == Counter()
    assert adds(writing.market) == 0
    assert writing.leads_made() == dict.fromkeys(numbers, 1)


async def test_our_leads_come_back_as_ours(writing: Writing) -> None:
    portal, numbers = await writing.calls_waiting()
    await writing.deliver(portal)
    await writing.bench.sync(portal)
    assert await writing.bench.value("select count(*) from outbox where echoed_at is not null") == len(numbers)
    assert await writing.states() == Counter(done=len(numbers))


async def test_a_lead_is_taken_back_unless_somebody_works_on_it(writing: Writing) -> None:
    portal, numbers = await writing.calls_waiting()
    await writing.deliver(portal)
    office, workspace = writing.bench.office, writing.bench.workspace
    rows = await writing.bench.rows(
        "select id, external_id, payload -> 'phones' ->> 0 from outbox order by seq limit 2"
    )
    (untouched, _, number), (touched, lead, _) = rows
    writing.ask_portal("crm.lead.update", id=lead, fields={"TITLE": "Звонил, перезвонить завтра"})
    assert (await preview_undo(office, workspace, untouched)).obstacle is None
    preview = await preview_undo(office, workspace, touched)
    assert preview.obstacle == "It was changed there since: title."
    await undo(office, workspace, untouched)
    await undo(office, workspace, touched)
    assert await writing.deliver(portal) == Counter(done=1, failed=1)
    assert writing.leads_made() == dict.fromkeys(numbers - {number}, 1)


async def test_a_number_that_the_crm_knows_makes_no_second_record(writing: Writing) -> None:
    """The card is made there after we last read: only a look there can tell."""
    portal, numbers = await writing.calls_waiting()
    number = sorted(numbers)[0]
    spelt = f"8 ({number[2:5]}) {number[5:8]}-{number[8:]}"
    known = writing.ask_portal("crm.contact.add", fields={"NAME": "Анна", "PHONE": [{"VALUE": spelt}]})

    assert await writing.deliver(portal) == Counter(done=len(numbers) - 1, skipped=1)

    assert number not in writing.leads_made()
    reason, external_id = (
        await writing.bench.rows("select reason, external_id from outbox where state = 'skipped'")
    )[0]
    assert external_id == str(known)
    assert "has it already" in reason


FAULTS: dict[str, tuple[str, dict[str, Any]]] = {
    "the answer is lost": ("drop_answer", {}),
    "500": ("status", {"status": 500}),
    "503 with a page": ("status", {"status": 503, "body": "<html>busy</html>"}),
    "the connection drops before the vendor sees it": ("drop", {}),
    "the connection drops in the answer": ("cut", {"bytes": 20}),
    "a page of HTML": ("html", {}),
    "an empty answer": ("empty", {}),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_while_writing_makes_neither_two_nor_none(writing: Writing, fault: str) -> None:
    kind, params = FAULTS[fault]
    portal, numbers = await writing.calls_waiting()
    writing.market.fault("bitrix24", kind, match=ADD, times=4, params=params)

    await writing.deliver(portal, rounds=30)

    assert await writing.states() == Counter(done=len(numbers))
    assert writing.leads_made() == dict.fromkeys(numbers, 1)


async def test_an_outage_leaves_the_outbox_in_order_and_heals(writing: Writing) -> None:
    portal, numbers = await writing.calls_waiting()
    writing.market.fault("bitrix24", "drop", match="crm", times=None)
    await writing.deliver(portal, rounds=2)
    assert await writing.states() == Counter(pending=len(numbers))
    writing.market.clear_faults()
    await writing.deliver(portal)
    assert writing.leads_made() == dict.fromkeys(numbers, 1)


async def test_when_a_pause_is_asked_for_everything_waits_in_order(writing: Writing) -> None:
    portal, numbers = await writing.calls_waiting()
    busy = {"status": 503, "body": '{"error": "QUERY_LIMIT_EXCEEDED"}', "content_type": "application/json"}
    writing.market.fault("bitrix24", "status", match=ADD, times=1, params=busy)
    await writing.deliver(portal, rounds=1)
    assert await writing.states() == Counter(pending=len(numbers))
    await writing.deliver(portal)
    assert writing.leads_made() == dict.fromkeys(numbers, 1)


async def test_a_refused_key_keeps_the_outbox(writing: Writing) -> None:
    portal, numbers = await writing.calls_waiting()
    writing.market.fault("bitrix24", "status", match=ADD, times=None, params={"status": 401})
    await writing.deliver(portal)
    assert await writing.states() == Counter(pending=len(numbers))
    assert await writing.bench.value("select state from connection where connector = 'bitrix24'") == "needs_reauth"
    assert await writing.deliver(portal) == Counter()  # and nothing is tried until someone acts


async def test_what_the_crm_refuses_is_parked_with_its_words(writing: Writing) -> None:
    """What is refused as a whole goes one by one: only the one that is refused again is parked."""
    portal, numbers = await writing.calls_waiting()
    body = '{"error": "CRM_FIELD_ERROR_VALUE_NOT_VALID", "error_description": "TITLE is bad"}'
    refusal = {"status": 400, "body": body, "content_type": "application/json"}
    writing.market.fault("bitrix24", "status", match=ADD, times=2, params=refusal)
    await writing.deliver(portal)
    assert await writing.states() == Counter(done=len(numbers) - 1, failed=1)
    assert "TITLE is bad" in await writing.bench.value("select reason from outbox where state = 'failed'")


def test_there_are_points_to_crash_at() -> None:
    assert set(POINTS) == {
        "outbox.before_send", "outbox.after_send", "outbox.before_commit", "outbox.after_commit",
    }  # fmt: skip


@pytest.mark.parametrize("point", POINTS)
async def test_a_crash_at_every_point_of_delivery_makes_neither_two_nor_none(writing: Writing, point: str) -> None:
    portal, numbers = await writing.calls_waiting()
    for place in (1,) if point == "outbox.after_send" else (1, 3):  # the first sending brings all of them there
        code, words = ended(delivering(writing, portal, f"{point}:{place}"))
        assert code == KILLED, words

    code, words = ended(delivering(writing, portal))

    assert code == 0, words
    assert await writing.states() == Counter(done=len(numbers))
    assert writing.leads_made() == dict.fromkeys(numbers, 1)


async def test_kills_at_random_moments_make_neither_two_nor_none(writing: Writing) -> None:
    portal, numbers = await writing.calls_waiting()
    chance = random.Random(11)  # noqa: S311 - a test's own dice
    for _ in range(6):
        process = delivering(writing, portal)
        await asyncio.sleep(chance.uniform(1.0, 2.2))
        process.send_signal(signal.SIGKILL)
        process.communicate()
    code, words = ended(delivering(writing, portal))
    assert code == 0, words
    assert await writing.states() == Counter(done=len(numbers))
    assert writing.leads_made() == dict.fromkeys(numbers, 1)


async def test_a_page_and_what_follows_from_it_commit_together(writing: Writing) -> None:
    """A crash before the commit of a page of calls leaves neither calls nor intents; the next run brings both."""
    calltouch, portal = await writing.connect("calltouch"), await writing.connect("bitrix24")
    await writing.bench.sync(portal)
    await writing.rule(portal, "call_to_lead")
    code, words = ended(reading(writing.bench, calltouch, crash_at="sync.page.before_commit:1"))
    assert code == KILLED, words
    assert await writing.bench.value("select count(*) from outbox") == 0
    code, words = ended(reading(writing.bench, calltouch))
    assert code == 0, words
    assert await writing.bench.value("select count(*) from outbox") > 6
    await writing.deliver(portal)
    assert set(writing.leads_made().values()) == {1}


async def test_two_workers_at_once_make_one_lead_each(writing: Writing) -> None:
    portal, numbers = await writing.calls_waiting()
    both = [delivering(writing, portal) for _ in range(2)]
    for process in both:
        assert process.communicate(timeout=120) is not None
    await writing.deliver(portal, rounds=30)
    assert writing.leads_made() == dict.fromkeys(numbers, 1)
