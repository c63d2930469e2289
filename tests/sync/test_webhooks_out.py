"""Webhooks out, against a receiver that really listens."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
from sqlalchemy import text

from core.database import driver
from core.secrets import Secret
from schema.enums import ChangeKind, ChangeType
from sync import webhooks_out as out
from sync.errors import NotFound
from sync.feed import Changes, append
from sync.jobs import Jobs
from sync.office import Office
from sync.webhooks_out import WebhookRefused
from tests.sync.conftest import Bench


@dataclass
class Receiver:
    """A plain HTTP server: keeps what it is sent, and answers what it is told to."""

    port: int = 0
    status: int = 200
    body: str = "thank you"
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    heard: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                headers = {
                    name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:] if line)
                }
                self.got.append((headers, await reader.readexactly(int(headers["content-length"]))))
                self.heard.set()
                answer = self.body.encode()
                writer.write(f"HTTP/1.1 {self.status} X\r\nContent-Length: {len(answer)}\r\n\r\n".encode() + answer)
                await writer.drain()
        writer.close()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    server = await asyncio.start_server(made.answer, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    async with server:
        yield made


async def tell(bench: Bench, what: ChangeType, kind: ChangeKind, *ids: UUID) -> None:
    changes = Changes()
    changes.add(what, kind, ids)
    async with bench.office.database.loading(bench.workspace) as db:
        await append(driver(db), bench.workspace, changes)


async def hook(bench: Bench, receiver: Receiver, *events: str) -> tuple[UUID, Secret]:
    return await out.create_webhook(bench.office, bench.workspace, receiver.url, events or ["*"], None, "test")


async def send(bench: Bench, id: UUID) -> int:
    return await out.deliver(bench.office, bench.workspace, id)


def verified(secret: Secret, headers: dict[str, str], body: bytes) -> bool:
    """The receiver's own check, written anew from the documentation."""
    parts = [part.split("=", 1) for part in headers["skvoz-signature"].split(",")]
    told = next(value for name, value in parts if name == "t")
    mark = hmac.new(secret.reveal().encode(), f"{told}.".encode() + body, hashlib.sha256).hexdigest()
    return any(hmac.compare_digest(mark, value) for name, value in parts if name == "v1")


async def test_a_receiver_is_told_what_it_asked_for(bench: Bench, receiver: Receiver) -> None:
    await tell(bench, ChangeType.CALL, ChangeKind.CREATED, uuid4())  # before the webhook: not its business
    id, secret = await hook(bench, receiver, "call.created", "client.*")
    call, client = uuid4(), uuid4()
    await tell(bench, ChangeType.CALL, ChangeKind.CREATED, call)
    await tell(bench, ChangeType.CALL, ChangeKind.CHANGED, call)
    await tell(bench, ChangeType.CLIENT, ChangeKind.CHANGED, client)
    assert await send(bench, id) == 2
    messages = [orjson.loads(body) for _, body in receiver.got]
    assert [(each["event"], each["recordIds"]) for each in messages] == [
        ("call.created", [f"Call:{call}"]),
        ("client.changed", [f"Client:{client}"]),
    ]
    for headers, body in receiver.got:
        assert verified(secret, headers, body)
        assert not verified(Secret("whsec_other"), headers, body)
        assert not verified(secret, headers, body + b" ")
        assert headers["skvoz-delivery"] == orjson.loads(body)["id"]
    assert await send(bench, id) == 0
    assert await bench.rows("select state, attempts from webhook_delivery") == [("delivered", 1)] * 2
    assert await bench.rows("select status, response, error from webhook_attempt") == [(200, "thank you", None)] * 2


async def test_many_records_come_in_messages_of_a_hundred(bench: Bench, receiver: Receiver) -> None:
    id, _ = await hook(bench, receiver)
    ids = [uuid4() for _ in range(250)]
    await tell(bench, ChangeType.STAGE_CHANGE, ChangeKind.CREATED, *ids)
    assert await send(bench, id) == 3
    told = [each for _, body in receiver.got for each in orjson.loads(body)["recordIds"]]
    assert sorted(told) == sorted(f"StageChange:{each}" for each in ids)


async def test_a_failure_is_tried_again_later_and_later(bench: Bench, receiver: Receiver, clock: Clock) -> None:
    receiver.status, receiver.body = 503, "x" * 5000
    id, _ = await hook(bench, receiver)
    await tell(bench, ChangeType.DEAL, ChangeKind.CREATED, uuid4())
    pauses = []
    for _ in range(100):
        assert await send(bench, id) == 1
        assert await send(bench, id) == 0
        state, due = (await bench.rows("select state, next_try_at from webhook_delivery"))[0]
        if state != "pending":
            break
        pauses.append((due - clock.now).total_seconds())
        clock.now = due
    assert pauses[:6] == [10, 40, 160, 640, 2560, 10240]
    assert set(pauses[7:]) == {43200}
    assert timedelta(days=2.5) <= timedelta(seconds=sum(pauses)) <= timedelta(days=3)
    assert await bench.value("select max(length(response)) from webhook_attempt") == 500
    assert state == "failed"
    # The bytes are the same each time; the time and the signature are those of the try.
    assert len({body for _, body in receiver.got}) == 1
    assert len({headers["skvoz-signature"] for headers, _ in receiver.got}) > 5


async def test_lasting_failure_disables_and_resuming_loses_nothing(
    bench: Bench, receiver: Receiver, clock: Clock
) -> None:
    receiver.status = 500
    id, _ = await hook(bench, receiver)
    await tell(bench, ChangeType.DEAL, ChangeKind.CREATED, uuid4())
    await send(bench, id)
    clock.now += timedelta(days=3, minutes=1)
    await send(bench, id)
    state, reason = (await bench.rows("select state, state_reason from webhook"))[0]
    assert state == "disabled"
    assert reason.startswith("Every message has failed since 20")
    assert reason.endswith("The answer was 500.")
    meanwhile = uuid4()
    await tell(bench, ChangeType.DEAL, ChangeKind.CREATED, meanwhile)
    assert await send(bench, id) == 0
    receiver.status = 200
    receiver.got.clear()
    await out.resume_webhook(bench.office, bench.workspace, id)
    assert await send(bench, id) == 1
    assert orjson.loads(receiver.got[0][1])["recordIds"] == [f"Deal:{meanwhile}"]
    (failed,) = await bench.rows("select id from webhook_delivery where state = 'failed'")
    await out.replay(bench.office, bench.workspace, failed[0])
    assert await send(bench, id) == 1
    assert receiver.got[1][0]["skvoz-delivery"] == str(failed[0])
    assert await bench.rows("select distinct state from webhook_delivery") == [("delivered",)]
    assert await bench.value("select failing_since from webhook") is None


async def test_gone_disables_at_once(bench: Bench, receiver: Receiver) -> None:
    receiver.status = 410
    id, _ = await hook(bench, receiver)
    await tell(bench, ChangeType.DEAL, ChangeKind.CREATED, uuid4())
    await send(bench, id)
    assert await bench.value("select state from webhook") == "disabled"


async def test_redirects_arent_followed_and_silence_is_told(bench: Bench, receiver: Receiver) -> None:
    receiver.status = 302
    id, _ = await hook(bench, receiver)
    await tell(bench, ChangeType.DEAL, ChangeKind.CREATED, uuid4())
    await send(bench, id)
    assert await bench.rows("select status from webhook_attempt") == [(302,)]
    assert await bench.value("select state from webhook_delivery") == "pending"
    async with bench.office.database.workspace(bench.workspace) as db:
        await db.execute(text("update webhook set url = 'http://127.0.0.1:1/hook'"))
        await db.execute(text("update webhook_delivery set next_try_at = now()"))
    await send(bench, id)
    error = await bench.value("select error from webhook_attempt where status is null")
    assert error == "The receiver can't be reached (ConnectError)."


async def test_two_secrets_hold_while_one_is_replaced(bench: Bench, receiver: Receiver, clock: Clock) -> None:
    id, former = await hook(bench, receiver)
    secret = await out.rotate_secret(bench.office, bench.workspace, id)
    await tell(bench, ChangeType.DEAL, ChangeKind.CREATED, uuid4())
    await send(bench, id)
    assert [verified(each, *receiver.got[0]) for each in (former, secret)] == [True, True]
    clock.now += timedelta(hours=25)
    await tell(bench, ChangeType.DEAL, ChangeKind.CREATED, uuid4())
    await send(bench, id)
    assert [verified(each, *receiver.got[1]) for each in (former, secret)] == [False, True]
    stored = str(await bench.rows("select secrets, data_key from webhook"))
    assert secret.reveal() not in stored
    assert former.reveal() not in stored


async def test_what_happens_while_paused_is_told_afterwards(bench: Bench, receiver: Receiver) -> None:
    id, _ = await hook(bench, receiver)
    await out.pause_webhook(bench.office, bench.workspace, id)
    await tell(bench, ChangeType.DEAL, ChangeKind.CREATED, uuid4())
    assert await send(bench, id) == 0
    await out.resume_webhook(bench.office, bench.workspace, id)
    assert await send(bench, id) == 1
    await out.remove_webhook(bench.office, bench.workspace, id)
    assert await bench.rows("select from webhook_delivery") == []
    with pytest.raises(NotFound):
        await out.pause_webhook(bench.office, bench.workspace, id)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/hook",
        "https://169.254.169.254/latest",
        "https://10.0.0.1/",
        "https://user:secret@example.com/",
        "https://[::1]/",
        "ftp://example.com/",
        "nothing",
        "https://",
        "https://127.1:8080/",
    ],
)
async def test_addresses_inside_are_refused(office: Office, bench: Bench, url: str) -> None:
    closed = office.settings.model_copy(update={"allow_private_hosts": ()})
    strict = Office(office.database, office.keyring, closed)
    with pytest.raises(WebhookRefused) as refused:
        await out.create_webhook(strict, bench.workspace, url, ["*"], None, "test")
    assert [each.field for each in refused.value.problems] == ["url"]


@pytest.mark.parametrize("events", [[], ["nothing"], ["call.eaten"], ["call"], ["*.created"]])
async def test_unknown_events_are_refused(bench: Bench, receiver: Receiver, events: list[str]) -> None:
    with pytest.raises(WebhookRefused) as refused:
        await out.create_webhook(bench.office, bench.workspace, receiver.url, events, None, "test")
    assert [each.field for each in refused.value.problems] == ["events"]


async def test_workers_deliver_by_themselves(bench: Bench, receiver: Receiver) -> None:
    await hook(bench, receiver)
    await tell(bench, ChangeType.DEAL, ChangeKind.CREATED, uuid4())
    async with Jobs(bench.office).opened() as jobs:
        await jobs._enqueue_webhooks(0)
        working = asyncio.create_task(jobs.work(concurrency=1))
        try:
            async with asyncio.timeout(20):
                await receiver.heard.wait()
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
    await jobs_pruned(bench)


async def jobs_pruned(bench: Bench) -> None:
    """The job of retention removes what is old and leaves the rest."""
    async with bench.office.database.owner_engine.begin() as db:
        await db.execute(text("update change set at = at - interval '31 days'"))
    async with Jobs(bench.office).opened() as jobs:
        await jobs._prune_feed(0)
    assert await bench.rows("select from change") == []
    assert await bench.value("select position from feed_horizon") >= 1


@dataclass
class Clock:
    """The time, which a test moves."""

    now: datetime


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock(datetime.now(UTC))
    read: Callable[[], Any] = lambda: made.now  # noqa: E731
    monkeypatch.setattr("sync.webhooks_out.clock.now", read)
    return made
