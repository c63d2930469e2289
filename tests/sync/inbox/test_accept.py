"""At the door: what is let in, what is refused, and that nothing is lost or doubled there."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from connectors.registry import connector
from schema.enums import ReceivedState
from sync.inbox.desk import body_of, replay
from sync.inbox.doors import NoWebhooks, close_door, open_door, rotate_door, show_door
from tests.conftest import Postgres
from tests.sync.inbox.conftest import Street


async def test_ten_equal_deliveries_at_once_have_one_effect(portal: Street) -> None:
    deal = portal.ids("deal", 1)[0]
    event = portal.event("ONCRMDEALUPDATE", deal)
    answers = await asyncio.gather(*(portal.knock(event) for _ in range(10)))
    assert {answer.status_code for answer in answers} == {200}
    (kept,) = await portal.kept()
    assert (kept.arrivals, kept.state, kept.touched) == (
        10,
        ReceivedState.WAITING,
        (f"deals {deal}", "stage_history"),
    )

    processed = await portal.process()

    assert (processed.done, processed.counts.created) == (1, 1)
    assert (await portal.knock(event)).status_code == 200  # late by a minute: looked at once more, and nothing new
    processed = await portal.process()
    assert (processed.done, processed.counts.created, processed.counts.unchanged) == (1, 0, 1)
    told = "select count(*) from change where type = 'deal'"
    assert await portal.bench.value(told) == 1
    assert await portal.bench.value("select count(*) from source_version") == 0
    runs = "select trigger, state, fetched, created + updated + unchanged + skipped + quarantined from sync_run"
    assert await portal.bench.rows(runs) == [("webhook", "succeeded", 1, 1)] * 2


async def test_what_is_not_from_there_is_refused_and_leaves_nothing(portal: Street) -> None:
    event = portal.event("ONCRMDEALUPDATE", 1)
    public, secret = portal.path.split("/")[2:]
    altered = secret[:-1] + ("A" if secret[-1] != "A" else "B")
    refused: dict[str, tuple[tuple[bytes, str | None], int]] = {
        "a token of another portal": ((portal.event("ONCRMDEALUPDATE", 1, token="x" * 32), None), 401),
        "no token": ((portal.event("ONCRMDEALUPDATE", 1, token=""), None), 401),
        "no form at all": ((b"\xff\xfe", None), 401),
        "a secret that is one letter off": ((event, f"/hooks/{public}/{altered}"), 404),
        "an id that is nobody's": ((event, f"/hooks/{'0' * 16}/{secret}"), 404),
    }
    for what, (knock, status) in refused.items():
        answer = await portal.knock(*knock)
        assert answer.status_code == status, what
        assert secret not in answer.text, what
    assert await portal.kept() == []
    metrics = (await portal.http.get("/metrics")).text
    assert 'skvoz_webhooks_received_total{connector="unknown",outcome="forged"} 3.0' in metrics
    assert 'skvoz_webhooks_received_total{connector="unknown",outcome="unknown_door"} 2.0' in metrics
    assert secret not in metrics


async def test_what_cannot_be_understood_is_kept_with_the_reason(portal: Street) -> None:
    malformed = {
        b"event=&data%5BFIELDS%5D%5BID%5D=7": "The body names no event of Bitrix24.",
        b"event=ONCRMDEALUPDATE&data%5BFIELDS%5D=7": "The event doesn't name its record.",
        b"event=ONCRMDEALUPDATE&data%5BFIELDS%5D%5BID%5D=": "The event doesn't name its record.",
    }
    for content in malformed:
        signed = content + f"&auth%5Bapplication_token%5D={portal.token}".encode()
        for _ in range(2):
            assert (await portal.knock(signed)).status_code == 202
    kept = await portal.kept()
    assert sorted(one.reason or "" for one in kept) == sorted(malformed.values())
    assert {(one.state, one.arrivals) for one in kept} == {(ReceivedState.MALFORMED, 2)}
    assert (await portal.process()).done == 0
    shown = await body_of(portal.bench.office, portal.bench.workspace, kept[0].id)
    assert "event = " in shown
    assert portal.token not in shown
    assert portal.token not in str(await portal.bench.rows("select * from received_webhook"))


async def test_a_malformed_one_is_read_by_a_mended_connector(
    portal: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    deal = portal.ids("deal", 1)[0]
    webhooks = connector("bitrix24").webhooks
    assert webhooks is not None
    right = webhooks.read

    def broken(*_: object) -> list[object]:
        raise ZeroDivisionError

    object.__setattr__(webhooks, "read", broken)
    try:
        assert (await portal.knock(portal.event("ONCRMDEALUPDATE", deal))).status_code == 202
    finally:
        object.__setattr__(webhooks, "read", right)
    (kept,) = await portal.kept()
    assert kept.reason == "It could not be understood (ZeroDivisionError)."
    assert (await portal.process()).done == 0

    assert await replay(portal.bench.office, portal.bench.workspace, portal.connection) == 1
    assert (await portal.process()).counts.created == 1
    assert [one.state for one in await portal.kept()] == [ReceivedState.DONE]


async def test_odd_requests_are_never_an_error_of_ours(portal: Street) -> None:
    assert (await portal.knock(b"x" * 1_000_001)).status_code == 413
    assert (await portal.http.get(portal.path)).status_code == 200  # somebody tries whether anyone is there
    assert (await portal.http.delete(portal.path)).status_code == 405
    unread = portal.event("ONTASKADD", 7)  # an event of something that isn't read
    assert (await portal.knock(unread, **{"content-type": "nonsense"})).status_code == 200
    assert [one.state for one in await portal.kept()] == [ReceivedState.DONE]


async def test_an_address_can_be_replaced_while_both_hold(portal: Street) -> None:
    office, workspace, connection = portal.bench.office, portal.bench.workspace, portal.connection
    shown = await show_door(office, workspace, connection)
    assert urlsplit(shown.url).path == portal.path  # it can be looked up again, and is nowhere in the clear
    secret = portal.path.rpartition("/")[2]
    assert secret not in str(await portal.bench.rows("select * from door"))
    assert (await open_door(office, workspace, connection)).url == shown.url

    new = urlsplit((await rotate_door(office, workspace, connection)).url).path

    assert new != portal.path
    for path in (portal.path, new):
        assert (await portal.knock(portal.event("ONCRMDEALUPDATE", 1), path)).status_code == 200
    newest = urlsplit((await rotate_door(office, workspace, connection, timedelta(0))).url).path
    for path, status in ((portal.path, 404), (new, 404), (newest, 200)):
        assert (await portal.knock(portal.event("ONCRMDEALUPDATE", 1), path)).status_code == status
    assert await close_door(office, workspace, connection)
    assert (await portal.knock(portal.event("ONCRMDEALUPDATE", 1), newest)).status_code == 404


async def test_a_system_that_tells_nothing_has_no_door(portal: Street) -> None:
    other = await portal.bench.connect(portal.market, "yandex_direct")
    with pytest.raises(NoWebhooks, match="tells nothing by itself"):
        await open_door(portal.bench.office, portal.bench.workspace, other)


async def test_nothing_is_promised_while_the_database_is_away(portal: Street, postgres: Postgres) -> None:
    event = portal.event("ONCRMDEALUPDATE", portal.ids("deal", 1)[0])
    url = portal.bench.office.settings.database_url
    assert url is not None
    name = urlsplit(url.get_secret_value()).path[1:]
    postgres.shut(name)
    try:
        answer = await portal.knock(event)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
    finally:
        postgres.reopen(name)
    assert (await portal.knock(event)).status_code == 200
    assert (await portal.process()).done == 1


async def test_a_burst_is_taken_whole_and_costs_few_requests(
    portal: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.doors._PATIENCE_SECONDS", 60.0)  # a busy machine is no failure
    deals, contacts = portal.ids("deal", 20), portal.ids("contact", 20)
    events = [portal.event("ONCRMDEALUPDATE", id, ts) for id in deals for ts in range(8)]
    events += [portal.event("ONCRMCONTACTADD", id, ts) for id in contacts for ts in range(7)]
    portal.market.clear_log()

    answers = await asyncio.gather(*(portal.knock(event) for event in events))

    assert {answer.status_code for answer in answers} == {200}
    assert portal.market.log("bitrix24") == []  # the vendor isn't asked before it is answered
    processed = await portal.process()
    assert processed.done == len(events)
    assert processed.counts.created == len(deals) + len(contacts)
    assert len(portal.market.log("bitrix24")) < len(events) / 2
    here = await portal.bench.rows("select external_id from deal")
    assert {id for (id,) in here} == set(deals)
