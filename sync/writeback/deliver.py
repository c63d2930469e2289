"""Delivery: the changes of one connection go out, each once, in the order of each record."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from uuid import UUID

import structlog
from sqlalchemy import text

from connectors.errors import (
    AuthFailed,
    BadSettings,
    NotReady,
    QuotaExhausted,
    RateLimited,
    Transient,
    VendorError,
)
from core.tracing import span
from schema.enums import ConnectionState
from sync.connections import Opened, open_connection, session
from sync.errors import LeaseLost
from sync.metrics import WRITES
from sync.office import Office
from sync.turns import TurnOver, no_others
from sync.writeback.desk import Desk, Overtaken
from sync.writeback.item import Item
from sync.writeback.preparing import Preparation, Ready
from sync.writeback.sending import Group, Sending, wait_after

log = structlog.get_logger(__name__)

GATHER_SECONDS = 5.0
"""Changes that go together are looked at one after the other before they are sent: not for longer than this, since
what was seen grows old."""
_STOPPING = (RateLimited, QuotaExhausted, NotReady, AuthFailed, BadSettings, Transient)


async def deliver(
    office: Office,
    workspace_id: UUID,
    connection_id: UUID,
    *,
    stop: asyncio.Event | None = None,
    turn_over: TurnOver = no_others,
) -> Counter[str]:
    """Carry out what waits in the outbox of a connection and may go now, until ``stop`` or ``turn_over``. Returns
    how many changes came to rest in which state. A connection that is paused or must be connected again keeps its
    outbox as it is."""
    opened = await open_connection(office, workspace_id, connection_id)
    if await _state(office, opened) != ConnectionState.ACTIVE or not opened.connector.writes:
        return Counter()
    lag = max(write.lag_seconds for write in opened.connector.writes)
    desk = await Desk.take(office.database, workspace_id, connection_id, lag)
    together = opened.connector.together
    async with session(office, opened, urgent=True) as client:
        preparation = Preparation(office, opened, client, desk)
        round_ = _Round(opened, desk, preparation, Sending(opened, client, desk, preparation))
        with structlog.contextvars.bound_contextvars(connection=str(connection_id)):
            while items := await desk.due(1 if together is None else together.most):
                if (stop is not None and stop.is_set()) or await turn_over():
                    break
                try:
                    await round_.carry(items)
                except (AuthFailed, BadSettings) as error:
                    await _stop_connection(office, opened, error)
                    break
                except Overtaken:
                    continue
                except LeaseLost:
                    log.info("delivery.taken_over")
                    break
                except VendorError:  # noted at the changes that it befell
                    break
    return round_.ended


class _Round:
    """Carries changes out as they fall due, and counts what became of them."""

    def __init__(self, opened: Opened, desk: Desk, preparation: Preparation, sending: Sending) -> None:
        self.ended: Counter[str] = Counter()
        self._opened = opened
        self._desk = desk
        self._preparation = preparation
        self._sending = sending

    async def carry(self, items: list[Item]) -> None:
        """The first of the changes, with those of the others that can share its request. Raises what stands in the
        way of all the others too."""
        group = Group(self._opened.connector.together)
        begun = time.monotonic()
        obstacle: VendorError | None = None
        for item in items:
            if not group.may_take(item):
                continue
            try:
                ready = await self._prepared(item)
            except VendorError as error:
                obstacle = error
                break
            if ready is not None:
                group.take(ready)
            if time.monotonic() - begun > GATHER_SECONDS:
                break
        if group.members:
            await self._sent(group.members)
        if obstacle is not None:
            raise obstacle

    async def _prepared(self, item: Item) -> Ready | None:
        """The change as it is to be sent; None if it has come to rest without. Raises what a look meets that would
        stop the others too: then nothing was sent of this one."""
        with structlog.contextvars.bound_contextvars(outbox=str(item.id)):
            try:
                with span("change.look", connector=self._opened.connector.key, write=item.write):
                    ready = await self._preparation.prepare(item)
            except _STOPPING as error:
                wait = wait_after(item, error)
                await self._desk.rest(item, item.state, error.code, error.sentence, after_seconds=wait)
                raise
            except VendorError as error:
                await self._desk.rest(item, "failed", error.code, error.sentence)
                ready = "failed"
            if isinstance(ready, str):
                self._note(item, ready)
                return None
            return ready

    async def _sent(self, group: list[Ready]) -> None:
        first = group[0]
        with (
            structlog.contextvars.bound_contextvars(outbox=str(first.item.id)),
            span(
                "change.write",
                connector=self._opened.connector.key,
                write=first.write.name,
                outbox=str(first.item.id),
                changes=len(group),
            ),
        ):
            states = await self._sending.send(group)
        for one, state in zip(group, states, strict=True):
            self._note(one.item, state)

    def _note(self, item: Item, state: str) -> None:
        log.info("delivery.ended", state=state, write=item.write, outbox=str(item.id))
        self.ended[state] += 1
        WRITES.labels(self._opened.connector.key, state).inc()


async def _state(office: Office, opened: Opened) -> str:
    async with office.database.workspace(opened.workspace_id) as db:
        state: str = (
            await db.execute(
                text("select state from connection where workspace_id = :ws and id = :id"),
                {"ws": opened.workspace_id, "id": opened.id},
            )
        ).scalar_one()
    return state


async def _stop_connection(office: Office, opened: Opened, error: VendorError) -> None:
    """Nothing will work until the user acts; the outbox is kept in order."""
    state = ConnectionState.NEEDS_REAUTH if isinstance(error, AuthFailed) else ConnectionState.BROKEN_SETTINGS
    async with office.database.workspace(opened.workspace_id) as db:
        await db.execute(
            text("update connection set state = :state, state_reason = :why where workspace_id = :ws and id = :id"),
            {"state": state.value, "why": error.sentence, "ws": opened.workspace_id, "id": opened.id},
        )
