"""What comes in at a door: looked at by the vendor's own means, and stored before it is answered.

Nothing is done with it here: that is for a worker. Equal deliveries are one, however often and however
simultaneously they come; what can't be understood is kept with the reason.
"""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

import orjson
import structlog
from sqlalchemy import text

from connectors.contract import Delivery, Touched, Webhooks
from connectors.errors import BadRecord
from core.crash import crash_point
from core.errors import SkvozError
from schema.enums import ReceivedState
from sync.connections import Opened, open_connection
from sync.inbox.doors import Entrance, find_door, listening
from sync.inbox.sealing import Envelope
from sync.office import Office

log = structlog.get_logger(__name__)

_TRANSPORTS = ("host", "connection", "content-length", "transfer-encoding", "accept", "user-agent", "cookie")
_MOST_NAMED = 1000


class NoSuchDoor(SkvozError):
    """The address is nobody's, or no longer."""

    code = "NO_SUCH_DOOR"


class Forged(SkvozError):
    """The delivery isn't from the system that the door is for."""

    code = "FORGED"


class Outcome(StrEnum):
    """What became of a delivery at the door."""

    STORED = "stored"
    REPEATED = "repeated"
    MALFORMED = "malformed"
    EMPTY = "empty"


@dataclass(frozen=True, slots=True)
class Accepted:
    """A delivery that is stored for good, unless it was empty: that is how some try whether anybody is there."""

    entrance: Entrance
    connector: str
    outcome: Outcome


class Openings:
    """Connections with their settings opened, known for a few seconds: a burst needn't open them each time. What
    is changed in the settings therefore holds at the door seconds later."""

    _KNOWN_FOR_SECONDS = 3.0
    _MOST = 1000

    def __init__(self) -> None:
        self._known: OrderedDict[UUID, tuple[float, Opened]] = OrderedDict()

    async def of(self, office: Office, entrance: Entrance) -> Opened:
        """The connection behind a door. Raises NotFound."""
        known = self._known.get(entrance.connection_id)
        if known is not None and known[0] > time.monotonic():
            return known[1]
        opened = await open_connection(office, entrance.workspace_id, entrance.connection_id)
        self._known[opened.id] = (time.monotonic() + self._KNOWN_FOR_SECONDS, opened)
        if len(self._known) > self._MOST:
            self._known.popitem(last=False)
        return opened


async def accept(
    office: Office, public_id: str, secret: str, delivery: Delivery, openings: Openings | None = None
) -> Accepted:
    """Store what came to a door. When this returns, it is committed. Raises NoSuchDoor or Forged."""
    async with office.database.app_engine.connect() as db:
        entrance = await find_door(db, public_id, secret)
    if entrance is None:
        raise NoSuchDoor("There is no such door.")
    if not delivery.content and not delivery.query:
        return Accepted(entrance, "unknown", Outcome.EMPTY)
    opened = await (openings or Openings()).of(office, entrance)
    webhooks = listening(opened.connector)
    if not is_genuine(opened, webhooks, delivery):
        raise Forged(f"This isn't from {opened.connector.title}.")
    try:
        touched, reason = tuple(read(opened, webhooks, delivery)), None
    except BadRecord as error:
        touched, reason = (), error.sentence
    repeated = await _store(office, opened, webhooks, delivery, touched, reason)
    crash_point("inbox.accept.after_commit")
    outcome = Outcome.REPEATED if repeated else Outcome.STORED
    return Accepted(entrance, opened.connector.key, outcome if reason is None else Outcome.MALFORMED)


def is_genuine(opened: Opened, webhooks: Webhooks[Any], delivery: Delivery) -> bool:
    """Whether the vendor's own means, where there are any, speak for a delivery. One that they can't be applied
    to isn't genuine."""
    if webhooks.genuine is None:
        return True
    try:
        return webhooks.genuine(opened.settings, delivery)
    except (ValueError, KeyError, TypeError, BadRecord):
        return False


def read(opened: Opened, webhooks: Webhooks[Any], delivery: Delivery) -> list[Touched]:
    """The records that a delivery speaks of, each known stream's. Raises BadRecord with the reason."""
    try:
        touched = webhooks.read(opened.settings, delivery)
    except BadRecord:
        raise
    except Exception as error:  # a stranger's bytes may upset a connector in any way: they are kept for a look
        log.warning("webhook.unread", connector=opened.connector.key, error=type(error).__name__)
        raise BadRecord(f"It could not be understood ({type(error).__name__}).") from error
    known = {stream.name for stream in opened.connector.streams}
    return [each for each in touched if each.stream in known]


async def _store(
    office: Office,
    opened: Opened,
    webhooks: Webhooks[Any],
    delivery: Delivery,
    touched: tuple[Touched, ...],
    reason: str | None,
) -> bool:
    """Whether it had come before. A repetition of what the vendor numbers itself is nothing new. Equal bytes
    without a number may be a second event (times are told in seconds): those make what was done wait again, and
    cost one more look."""
    own = None if webhooks.delivery_id is None or reason is not None else _own_id(opened, webhooks, delivery)
    state = ReceivedState.WAITING if touched else ReceivedState.DONE
    if reason is not None:
        state = ReceivedState.MALFORMED
    headers = {k: v for k, v in delivery.headers.items() if k.lower() not in _TRANSPORTS}
    async with office.database.workspace(opened.workspace_id) as db:
        envelope = await Envelope.of(db, office, opened.workspace_id, opened.id)
        arrivals = (
            await db.execute(
                text("""
                insert into received_webhook as r (workspace_id, id, connection_id, digest, content, headers, query,
                    touched, state, reason, done_at)
                values (:ws, :id, :connection, :digest, :content, :headers, :query, :touched, :state, :reason,
                    case when :state = 'done' then clock_timestamp() end)
                on conflict (workspace_id, connection_id, digest) do update set
                    arrivals = r.arrivals + 1,
                    state = case when :opens and r.state in ('done', 'failed') then 'waiting' else r.state end,
                    attempts = case when :opens and r.state in ('done', 'failed') then 0 else r.attempts end,
                    next_try_at = case when :opens and r.state in ('done', 'failed') then clock_timestamp()
                        else r.next_try_at end
                returning arrivals
                """),
                {
                    "ws": opened.workspace_id,
                    "id": uuid4(),
                    "connection": opened.id,
                    "digest": _digest(own, delivery),
                    "content": envelope.seal(delivery.content),
                    "headers": orjson.dumps(headers).decode(),
                    "query": orjson.dumps(dict(delivery.query)).decode(),
                    "touched": _named(touched),
                    "state": state.value,
                    "reason": reason,
                    "opens": own is None and bool(touched),
                },
            )
        ).scalar_one()
    return bool(arrivals > 1)


def _own_id(opened: Opened, webhooks: Webhooks[Any], delivery: Delivery) -> str | None:
    try:
        return webhooks.delivery_id(opened.settings, delivery) if webhooks.delivery_id is not None else None
    except (ValueError, KeyError, TypeError, BadRecord):
        return None


def _digest(own: str | None, delivery: Delivery) -> bytes:
    if own is not None:
        return hashlib.sha256(b"id\0" + own.encode()).digest()
    whole = hashlib.sha256(b"bytes\0" + delivery.content)
    whole.update(b"\0" + orjson.dumps(dict(delivery.query), option=orjson.OPT_SORT_KEYS))
    return whole.digest()


def _named(touched: tuple[Touched, ...]) -> list[str]:
    names = (f"{each.stream} {each.external_id}".strip()[:200] for each in touched[:_MOST_NAMED])
    return list(dict.fromkeys(names))
