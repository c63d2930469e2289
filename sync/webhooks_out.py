"""Webhooks out: the change feed, carried to addresses of the users' own.

A message holds ids and no personal data: the receiver reads with a key of its own, under that key's role. It is
signed as ``Skvoz-Signature: t=<unix time>,v1=<hex>``, the HMAC-SHA256 of ``<t>.<body>``; while a secret is being
replaced there is one ``v1`` for each. A receiver that answers 2xx has taken the message; otherwise it is sent again
for three days, less and less often. It may come twice, and out of order.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import httpx
import orjson
import structlog
from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from core import clock
from core.database import driver
from core.errors import AddressError
from core.network import check_address, guarded_client
from core.secrets import Secret
from schema.enums import ChangeKind, ChangeType, DeliveryState, WebhookState
from schema.tables import Webhook, WebhookAttempt, WebhookDelivery
from sync.errors import NotFound, Refused, SettingsProblem
from sync.feed import Change, end_of_feed, read_after
from sync.office import Office

log = structlog.get_logger(__name__)

SIGNATURE = "Skvoz-Signature"
TRIED_FOR = timedelta(days=3)
"""How long a message is tried, and a webhook may fail without a break before it is disabled."""
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=10), timedelta(hours=12)
OVERLAP = timedelta(hours=24)
"""How long a replaced secret signs beside the new one."""
_IDS_IN_MESSAGE = 100
_ROWS_AT_ONCE, _MESSAGES_AT_ONCE, _FAILURES_AT_ONCE = 50, 100, 3
_EXCERPT = 500
_TIMEOUT = httpx.Timeout(10.0)
_MOST_WEBHOOKS = 50
_LIKE = "The address must be like https://example.com/hook."


class WebhookRefused(Refused):
    """The webhook can't be as asked."""

    def __init__(self, field: str, sentence: str, code: str, **values: object) -> None:
        super().__init__([SettingsProblem(field, sentence, code, values)])


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one try."""

    status: int | None
    duration_ms: int
    response: str | None
    error: str | None

    @property
    def taken(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    def sentence(self) -> str:
        return self.error or f"The answer was {self.status}."


def sign(body: bytes, at: int, keys: Collection[Secret]) -> str:
    """The value of the header ``Skvoz-Signature``: one ``v1`` for each secret that holds."""
    told = f"{at}.".encode() + body
    marks = [hmac.new(key.reveal().encode(), told, hashlib.sha256).hexdigest() for key in keys]
    return ",".join([f"t={at}", *(f"v1={mark}" for mark in marks)])


def pause_after(attempts: int) -> timedelta:
    """How long to wait after so many tries: 10 s, 40 s, … up to 12 hours."""
    return min(FIRST_PAUSE * int(4 ** min(attempts - 1, 20)), LONGEST_PAUSE)


async def create_webhook(
    office: Office,
    workspace_id: UUID,
    url: str,
    events: Sequence[str],
    description: str | None,
    actor: str,
    *,
    within: AsyncConnection | None = None,
) -> tuple[UUID, Secret]:
    """A webhook that hears of what commits from now on; its secret is shown only now. ``within``: the transaction
    that it is made in, if not one of its own. Raises WebhookRefused."""
    _check_events(events)
    await _check_url(office, url)
    id, secret = uuid4(), _new_secret()
    wrapped = office.keyring.new_data_key(workspace=workspace_id, connection=id)
    key = office.keyring.unwrap(wrapped, workspace=workspace_id, connection=id)
    async with office.database.within(workspace_id, within) as db:
        count = (await db.execute(text("select count(*) from webhook"))).scalar_one()
        if count >= _MOST_WEBHOOKS:
            sentence = f"A workspace has {_MOST_WEBHOOKS} webhooks at most: remove one first."
            raise WebhookRefused("url", sentence, "TOO_MANY_WEBHOOKS", most=_MOST_WEBHOOKS)
        await db.execute(
            insert(Webhook).values(
                workspace_id=workspace_id,
                id=id,
                url=url,
                description=description,
                events=list(dict.fromkeys(events)),
                position=await end_of_feed(driver(db), workspace_id),
                secrets={"current": key.seal(secret, field="current")},
                data_key=wrapped,
                created_by=actor,
            )
        )
    return id, secret


async def rotate_secret(
    office: Office,
    workspace_id: UUID,
    webhook_id: UUID,
    overlap: timedelta = OVERLAP,
    *,
    within: AsyncConnection | None = None,
) -> Secret:
    """A new secret; the former one signs beside it for ``overlap``. ``within``: the transaction that it is made in,
    if not one of its own. Raises NotFound."""
    async with office.database.within(workspace_id, within) as db:
        row = await _locked(db, workspace_id, webhook_id)
        key = office.keyring.unwrap(row.data_key, workspace=workspace_id, connection=webhook_id)
        secret = _new_secret()
        former = key.open(row.secrets["current"], field="current")
        sealed = {"current": key.seal(secret, field="current"), "previous": key.seal(former, field="previous")}
        await _set(db, workspace_id, webhook_id, secrets=sealed, previous_until=clock.now() + overlap)
    return secret


async def pause_webhook(office: Office, workspace_id: UUID, webhook_id: UUID) -> None:
    """Tell it nothing until it is resumed; what happens meanwhile waits in the feed. Raises NotFound."""
    async with office.database.workspace(workspace_id) as db:
        await _locked(db, workspace_id, webhook_id)
        await _set(db, workspace_id, webhook_id, state=WebhookState.PAUSED.value)


async def resume_webhook(office: Office, workspace_id: UUID, webhook_id: UUID) -> None:
    """Go on where it was; what had been given up stays so until it is replayed. Raises NotFound."""
    async with office.database.workspace(workspace_id) as db:
        await _locked(db, workspace_id, webhook_id)
        await _set(
            db, workspace_id, webhook_id, state=WebhookState.ACTIVE.value, state_reason=None, failing_since=None
        )
        await db.execute(
            update(WebhookDelivery)
            .where(*_pending(workspace_id, webhook_id))
            .values(next_try_at=clock.now(), give_up_at=clock.now() + TRIED_FOR)
        )


async def remove_webhook(office: Office, workspace_id: UUID, webhook_id: UUID) -> None:
    """Remove it with its log. Raises NotFound."""
    async with office.database.workspace(workspace_id) as db:
        await _locked(db, workspace_id, webhook_id)
        await db.execute(delete(Webhook).where(Webhook.workspace_id == workspace_id, Webhook.id == webhook_id))


async def replay(office: Office, workspace_id: UUID, delivery_id: UUID) -> None:
    """Send a message again, whatever became of it: the same bytes under the same id. Raises NotFound."""
    async with office.database.workspace(workspace_id) as db:
        changed = await db.execute(
            update(WebhookDelivery)
            .where(WebhookDelivery.workspace_id == workspace_id, WebhookDelivery.id == delivery_id)
            .values(
                state=DeliveryState.PENDING.value,
                next_try_at=clock.now(),
                give_up_at=clock.now() + TRIED_FOR,
                delivered_at=None,
            )
        )
        if changed.rowcount == 0:
            raise NotFound("There is no such delivery in this workspace.")


async def deliver(office: Office, workspace_id: UUID, webhook_id: UUID) -> int:
    """Make messages of what the feed has new, and send those that are due. Returns how many were sent.

    Called by one worker at a time for a webhook (the job's lock). Where a worker dies after sending and before
    noting it, the message is sent again.
    """
    async with guarded_client(office.settings, timeout=_TIMEOUT) as http:
        sent = failures = 0
        while await _gather(office, workspace_id, webhook_id):
            pass
        for _ in range(_MESSAGES_AT_ONCE):
            due = await _next_due(office, workspace_id, webhook_id)
            if due is None:
                break
            hook, delivery = due
            answer = await _post(office, http, hook, delivery)
            await _note(office, hook, delivery, answer)
            sent += 1
            failures += not answer.taken
            if failures == _FAILURES_AT_ONCE:  # a receiver that doesn't answer must not hold up others
                break
    return sent


async def _gather(office: Office, workspace_id: UUID, webhook_id: UUID) -> bool:
    """Turn changes into messages and move on, both or neither. False when the feed is read to its end."""
    async with office.database.workspace(workspace_id) as db:
        hook = await _locked(db, workspace_id, webhook_id, missing_ok=True)
        if hook is None or hook.state != WebhookState.ACTIVE:
            return False
        changes = await read_after(driver(db), workspace_id, hook.position, limit=_ROWS_AT_ONCE)
        rows = [
            row
            for change in changes
            if _wants(hook.events, change)
            for row in _messages(workspace_id, hook.id, change)
        ]
        if rows:
            await db.execute(insert(WebhookDelivery), rows)
        if changes:
            await _set(db, workspace_id, webhook_id, position=changes[-1].position)
    return len(changes) == _ROWS_AT_ONCE


def _messages(workspace_id: UUID, webhook_id: UUID, change: Change) -> list[dict[str, Any]]:
    event, made = f"{change.type}.{change.kind}", clock.now()
    name = "".join(word.title() for word in change.type.split("_"))
    rows = []
    for start in range(0, len(change.ids), _IDS_IN_MESSAGE):
        id = uuid4()
        end = start + _IDS_IN_MESSAGE
        message: dict[str, Any] = {
            "id": str(id),
            "event": event,
            "createdAt": made.isoformat(),
            "workspaceId": f"Workspace:{workspace_id}",
            "recordIds": [f"{name}:{each}" for each in change.ids[start:end]],
        }
        if change.others is not None:
            message["otherIds"] = [f"{name}:{each}" if each else None for each in change.others[start:end]]
        rows.append(
            {
                "workspace_id": workspace_id,
                "id": id,
                "webhook_id": webhook_id,
                "event": event,
                "body": orjson.dumps(message).decode(),
                "next_try_at": made,
                "give_up_at": made + TRIED_FOR,
            }
        )
    return rows


async def _next_due(office: Office, workspace_id: UUID, webhook_id: UUID) -> tuple[Any, Any] | None:
    async with office.database.workspace(workspace_id) as db:
        hook = (
            await db.execute(
                select(Webhook.__table__).where(Webhook.workspace_id == workspace_id, Webhook.id == webhook_id)
            )
        ).one_or_none()
        if hook is None or hook.state != WebhookState.ACTIVE:
            return None
        delivery = (
            await db.execute(
                select(WebhookDelivery.__table__)
                .where(*_pending(workspace_id, webhook_id), WebhookDelivery.next_try_at <= clock.now())
                .order_by(WebhookDelivery.next_try_at, WebhookDelivery.created_at)
                .limit(1)
            )
        ).one_or_none()
    return None if delivery is None else (hook, delivery)


async def _post(office: Office, http: httpx.AsyncClient, hook: Any, delivery: Any) -> Answer:
    body, at = delivery.body.encode(), int(clock.now().timestamp())
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Skvoz-Webhooks",
        "Skvoz-Delivery": str(delivery.id),
        "Skvoz-Event": delivery.event,
        SIGNATURE: sign(body, at, _secrets(office, hook)),
    }
    began = time.perf_counter()
    status, response, error = None, None, None
    try:
        async with http.stream("POST", hook.url, content=body, headers=headers) as answer:
            status = answer.status_code
            response = await _excerpt(answer)
    except AddressError as refused:
        error = str(refused)
    except httpx.TimeoutException:
        error = "The receiver didn't answer within 10 seconds."
    except (httpx.HTTPError, httpx.InvalidURL) as failed:
        error = f"The receiver can't be reached ({type(failed).__name__})."
    return Answer(status, round((time.perf_counter() - began) * 1000), response, error)


async def _excerpt(answer: httpx.Response) -> str:
    """The beginning of the answer, without reading more of it."""
    got = b""
    async for part in answer.aiter_bytes():
        got += part
        if len(got) >= _EXCERPT * 4:
            break
    return got.decode("utf-8", errors="replace").replace("\x00", "")[:_EXCERPT]


async def _note(office: Office, hook: Any, delivery: Any, answer: Answer) -> None:
    """Keep the try, and decide when the next one is."""
    now, attempts = clock.now(), delivery.attempts + 1
    async with office.database.workspace(hook.workspace_id) as db:
        current = await _locked(db, hook.workspace_id, hook.id, missing_ok=True)
        if current is None:
            return  # removed meanwhile
        await db.execute(
            insert(WebhookAttempt).values(
                workspace_id=hook.workspace_id,
                delivery_id=delivery.id,
                number=attempts,
                status=answer.status,
                duration_ms=answer.duration_ms,
                response=answer.response,
                error=answer.error,
            )
        )
        changes: dict[str, Any] = {"attempts": attempts}
        if answer.taken:
            changes |= {"state": DeliveryState.DELIVERED.value, "delivered_at": now}
            await _set(db, hook.workspace_id, hook.id, failing_since=None)
        else:
            later = now + pause_after(attempts)
            if later >= delivery.give_up_at:
                changes["state"] = DeliveryState.FAILED.value
            changes["next_try_at"] = later
            await _note_failure(db, current, answer, now)
        await db.execute(
            update(WebhookDelivery)
            .where(WebhookDelivery.workspace_id == hook.workspace_id, WebhookDelivery.id == delivery.id)
            .values(**changes)
        )


async def _note_failure(db: AsyncConnection, hook: Any, answer: Answer, now: datetime) -> None:
    since = hook.failing_since or now
    changes: dict[str, Any] = {"failing_since": since}
    if answer.status == httpx.codes.GONE:
        reason = "The receiver answered 410: it wants no more messages."
        changes |= {"state": WebhookState.DISABLED.value, "state_reason": reason}
    elif now - since >= TRIED_FOR:
        reason = f"Every message has failed since {since:%Y-%m-%d %H:%M} UTC. {answer.sentence()}"
        changes |= {"state": WebhookState.DISABLED.value, "state_reason": reason}
    await _set(db, hook.workspace_id, hook.id, **changes)
    if "state" in changes:
        log.warning("webhook.disabled", webhook=str(hook.id))


def _secrets(office: Office, hook: Any) -> list[Secret]:
    key = office.keyring.unwrap(hook.data_key, workspace=hook.workspace_id, connection=hook.id)
    found = [key.open(hook.secrets["current"], field="current")]
    if "previous" in hook.secrets and hook.previous_until is not None and hook.previous_until > clock.now():
        found.append(key.open(hook.secrets["previous"], field="previous"))
    return found


def _new_secret() -> Secret:
    return Secret(f"whsec_{secrets.token_urlsafe(32)}")


def _wants(events: Sequence[str], change: Change) -> bool:
    return not {"*", f"{change.type}.*", f"{change.type}.{change.kind}"}.isdisjoint(events)


def _check_events(events: Sequence[str]) -> None:
    if not events:
        raise WebhookRefused("events", "Name an event at least, such as call.created, client.* or *.", "NO_EVENTS")
    for event in events:
        what, _, kind = event.partition(".")
        known = what in set(ChangeType) and (kind == "*" or kind in set(ChangeKind))
        if event != "*" and not known:
            sentence = f"There is no event {event[:100]!r}: use call.created, client.*, * and their kind."
            raise WebhookRefused("events", sentence, "NO_SUCH_EVENT", event=event[:100])


async def _check_url(office: Office, url: str) -> None:
    try:
        parts = urlsplit(url)
        if len(url) > 2000 or parts.fragment or not parts.hostname:
            raise WebhookRefused("url", _LIKE, "BAD_URL")
        await check_address(office.settings, url)
    except AddressError as error:
        raise WebhookRefused("url", str(error), "ADDRESS_REFUSED", reason=str(error)) from None
    except ValueError:
        raise WebhookRefused("url", _LIKE, "BAD_URL") from None


def _pending(workspace_id: UUID, webhook_id: UUID) -> tuple[Any, ...]:
    return (
        WebhookDelivery.workspace_id == workspace_id,
        WebhookDelivery.webhook_id == webhook_id,
        WebhookDelivery.state == DeliveryState.PENDING.value,
    )


async def _locked(db: AsyncConnection, workspace_id: UUID, webhook_id: UUID, *, missing_ok: bool = False) -> Any:
    row = (
        await db.execute(
            select(Webhook.__table__)
            .where(Webhook.workspace_id == workspace_id, Webhook.id == webhook_id)
            .with_for_update()
        )
    ).one_or_none()
    if row is None and not missing_ok:
        raise NotFound("There is no such webhook in this workspace.")
    return row


async def _set(db: AsyncConnection, workspace_id: UUID, webhook_id: UUID, **values: Any) -> None:
    await db.execute(
        update(Webhook)
        .where(Webhook.workspace_id == workspace_id, Webhook.id == webhook_id)
        .values(**values, changed_at=text("now()"))
    )
