"""Delivery: the changes of one connection go out, each once.

A change is marked before it is sent and noted as done with the id that the system gave it. Whatever happens in
between leaves it *unknown*: then it is looked for, and sent again only when it isn't there.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import text

from connectors.contract import Command, Lookup, Standing, VendorResponse, Write
from connectors.errors import (
    AuthFailed,
    BadSettings,
    ChangedMeanwhile,
    NotPermitted,
    NotReady,
    NotSent,
    QuotaExhausted,
    RateLimited,
    Transient,
    VendorError,
)
from core import clock
from core.crash import crash_point
from core.tracing import span
from schema.enums import ConnectionState
from sync.connections import Opened, open_connection, session
from sync.errors import LeaseLost, NotFound
from sync.metrics import WRITES
from sync.office import Office
from sync.turns import TurnOver, no_others
from sync.vendor import VendorClient
from sync.writeback.deciding import decide
from sync.writeback.desk import Desk
from sync.writeback.follow_up import follow_up
from sync.writeback.item import Item
from sync.writeback.redaction import Redaction
from sync.writeback.rulebook import get_rule
from sync.writeback.rules import Rule, Wins
from sync.writeback.values import ADDED_ONLY, same

log = structlog.get_logger(__name__)

MOST_SENDS = 5
"""A change that was sent so often without a known outcome is dead: a person must look."""
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 600.0
STALE_SECONDS = 10.0
"""A worker that slept so long between marking and sending doesn't send: another may have taken over."""


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
    ended: Counter[str] = Counter()
    async with session(office, opened, urgent=True) as client:
        courier = _Courier(office, opened, client, desk)
        while (item := await desk.next()) is not None:
            if (stop is not None and stop.is_set()) or await turn_over():
                break
            with structlog.contextvars.bound_contextvars(outbox=str(item.id), connection=str(connection_id)):
                try:
                    with span(
                        "change.write", connector=opened.connector.key, write=item.write, outbox=str(item.id)
                    ):
                        state = await courier.carry(item)
                except (RateLimited, QuotaExhausted, NotReady) as error:
                    await desk.rest(item, item.state, error.code, error.sentence, after_seconds=_wait(item, error))
                    break
                except (AuthFailed, BadSettings) as error:
                    await desk.rest(item, item.state, error.code, error.sentence, after_seconds=FIRST_PAUSE)
                    await _stop_connection(office, opened, error)
                    break
                except Transient as error:  # while looking, or before the first byte: nothing was sent
                    await desk.rest(item, item.state, error.code, error.sentence, after_seconds=_pause(item))
                    break
                except LeaseLost:
                    log.info("delivery.taken_over")
                    break
                except VendorError as error:
                    await desk.rest(item, "failed", error.code, error.sentence)
                    state = "failed"
                log.info("delivery.ended", state=state, write=item.write)
                ended[state] += 1
                WRITES.labels(opened.connector.key, state).inc()
    return ended


class _Courier:
    """Carries out single changes of one connection."""

    def __init__(self, office: Office, opened: Opened, client: VendorClient[Any], desk: Desk) -> None:
        self._office = office
        self._opened = opened
        self._client = client
        self._desk = desk
        self._redaction = Redaction(opened.settings)

    async def carry(self, item: Item) -> str:
        """One change from wherever it stands. Returns the state that it rests in. Raises a VendorError of a look;
        errors of the sending itself are dealt with here."""
        write: Write[Any] = self._opened.connector.write(item.write)
        match write.operation:
            case "create":
                return await self._create(item, write)
            case "update":
                return await self._update(item, write)
            case "delete":
                return await self._delete(item, write)

    async def _create(self, item: Item, write: Write[Any]) -> str:
        if write.by_marker is not None:
            made = await self._look(item, "look", write.by_marker, item.command)
            if made is not None:  # the answer was lost, or the database was restored to a time before it
                await self._desk.done(item, made.external_id, _of(item, made), made.changed_at)
                return "done"
        command = await self._tied(item, write)
        other = await self._desk.made_lately(item) if write.by_party else None
        for lookup in filter(None, (write.by_match, *write.also_by_match)):
            other = other or await self._look(item, "look", lookup, command)
        if other is not None:
            return await self._there_already(item, other)
        return await self._send(item, write, command, None)

    async def _tied(self, item: Item, write: Write[Any]) -> Command:
        """The command with the client's card, where the system has one."""
        for lookup in write.by_party:
            card = await self._look(item, "look", lookup, item.command)
            if card is not None and card.kind is not None:
                return replace(item.command, values={**item.payload, card.kind.value: card.external_id})
        return item.command

    async def _there_already(self, item: Item, other: Standing) -> str:
        """Nothing is made twice: what the client has there gets a comment or task instead, if the rule says so."""
        rule = await self._rule(item)
        instead = None if rule is None else follow_up(rule, item, other)
        reason = f"{self._opened.connector.title} has it already: {other.title}."
        if instead is not None and instead.write is not None:
            reason = f"{reason} It gets a {instead.write.partition('.')[0]} instead."
        await self._desk.rest(item, "skipped", "EXISTS", reason, external_id=other.external_id, instead=instead)
        return "skipped"

    async def _update(self, item: Item, write: Write[Any]) -> str:
        standing = await self._standing(item, write, item.payload)
        if standing is None:
            return await self._gone(item, write)
        policy = await self._policy(item)
        outcome = decide(
            item.payload, await self._desk.base(item), standing, item.cause_at, policy, self._opened.region
        )
        await self._desk.decided(item, outcome.decisions)
        if outcome.write:
            values = _whole_lists(outcome.write, standing) if write.replaces_lists else outcome.write
            resent = {name: standing.values[name] for name in write.resent if name in standing.values}
            command = Command(item.key, {**resent, **values}, item.external_id)
            return await self._send(item, write, command, outcome.before)
        if outcome.waiting:
            fields = ", ".join(outcome.waiting)
            reason = f"Changed there too since then: {fields}. A person must decide which value holds."
            await self._desk.rest(item, "failed", "CONFLICT", reason)
            return "failed"
        if outcome.decisions:
            await self._desk.rest(item, "skipped", "THEIRS", "What stands there now holds, by the rule.")
            return "skipped"
        already = None if item.attempts else "It stood there already."
        await self._desk.done(item, standing.external_id, _of(item, standing), standing.changed_at, already)
        return "done"

    async def _delete(self, item: Item, write: Write[Any]) -> str:
        if write.read is None:  # what can't be looked at is removed on the word of whoever asked
            return await self._send(item, write, item.command, None)
        standing = await self._standing(item, write, item.base or {})
        if standing is None:
            await self._desk.done(
                item, item.external_id, None, None, None if item.attempts else "It was gone already."
            )
            return "done"
        changed = [
            name
            for name, value in (item.base or {}).items()
            if not same(name, value, standing.values.get(name), self._opened.region)
        ]
        if changed:
            reason = f"It was worked on since ({', '.join(changed)}), so it isn't removed."
            await self._desk.rest(item, "failed", "CONFLICT", reason)
            return "failed"
        return await self._send(item, write, item.command, standing.values)

    async def _standing(self, item: Item, write: Write[Any], values: Mapping[str, Any]) -> Standing | None:
        if write.read is None:
            raise BadSettings(f"{self._opened.connector.title} can't show what stands there now.")
        return await self._look(item, "read", write.read, Command(item.key, values, item.external_id))

    async def _gone(self, item: Item, write: Write[Any]) -> str:
        """What was merged away has a survivor: the client's one other card there. It gets the change, which is
        decided anew against what stands on it."""
        survivor = await self._desk.survivor(item, write.entity)
        if survivor is not None:
            await self._desk.redirect(item, survivor)
            return await self._update(replace(item, external_id=survivor), write)
        reason = "The record isn't there any more: it was deleted or merged into another one."
        await self._desk.rest(item, "failed", "GONE", reason)
        return "failed"

    async def _send(self, item: Item, write: Write[Any], command: Command, before: Mapping[str, Any] | None) -> str:
        if item.attempts >= MOST_SENDS:
            reason = (
                f"It was sent {item.attempts} times and never seen there. Look into the system, then replay it."
            )
            await self._desk.rest(item, "dead", "TOO_OFTEN", reason)
            return "dead"
        request = write.request(self._opened.settings, command)
        shown = self._redaction.of_request(request)

        async def about_to() -> None:
            begun = time.monotonic()
            await self._desk.sending(item, before)
            crash_point("outbox.before_send")
            if time.monotonic() - begun > STALE_SECONDS:
                raise LeaseLost("This worker slept too long to be sure that it may still send.")

        try:
            answer = await self._client.send_once(request, about_to)
            crash_point("outbox.after_send")
        except VendorError as error:
            await self._desk.attempt(item, "send", shown, None, error.sentence)
            return await self._unsent(item, write, error)
        return await self._answered(item, write, command, shown, answer)

    async def _unsent(self, item: Item, write: Write[Any], error: VendorError) -> str:
        """What an error of the sending means for the change: nothing happened, or nobody knows, or never."""
        if isinstance(error, RateLimited | QuotaExhausted | NotReady | AuthFailed | BadSettings | NotSent):
            await self._desk.rest(
                item, "pending", error.code, error.sentence, after_seconds=_wait(item, error), sent=False
            )
            raise error
        if isinstance(error, ChangedMeanwhile) and write.operation == "update":
            await self._desk.rest(item, "pending", error.code, error.sentence, after_seconds=_pause(item))
            return "pending"
        if isinstance(error, Transient):
            reason = (
                f"{error.sentence} Whether it took effect isn't known: it is looked for before it is sent again."
            )
            await self._desk.rest(item, "unknown", error.code, reason, after_seconds=self._lag(item, write))
            return "unknown"
        await self._desk.rest(item, "failed", error.code, error.sentence)
        return "failed"

    async def _answered(
        self, item: Item, write: Write[Any], command: Command, shown: Mapping[str, Any], answer: VendorResponse
    ) -> str:
        told = self._redaction.of_response(answer)
        try:
            external_id = write.result(self._opened.settings, command, answer)
        except NotPermitted as error:
            await self._desk.attempt(item, "send", shown, told, error.sentence)
            await self._desk.rest(item, "failed", error.code, error.sentence)
            return "failed"
        except VendorError as error:
            await self._desk.attempt(item, "send", shown, told, error.sentence)
            return await self._unreadable(item, write, error)
        await self._desk.attempt(item, "send", shown, told, f"Taken; its id there is {external_id}.")
        stored, version = await self._as_stored(item, write, command, external_id)
        await self._desk.done(item, external_id, stored, version)
        return "done"

    async def _unreadable(self, item: Item, write: Write[Any], error: VendorError) -> str:
        if error.code == "WRITE_REJECTED":
            await self._desk.rest(item, "failed", error.code, error.sentence)
            return "failed"
        await self._desk.rest(item, "unknown", error.code, error.sentence, after_seconds=self._lag(item, write))
        return "unknown"

    async def _as_stored(
        self, item: Item, write: Write[Any], command: Command, external_id: str
    ) -> tuple[Mapping[str, Any] | None, Any]:
        """What the system made of our values, for the echo; what we sent, where it can't be read back just now."""
        if write.operation == "delete":
            return None, None
        if write.read is not None:
            written = Command(command.key, command.values, external_id)
            try:
                standing = await self._look(item, "read", write.read, written)
            except VendorError:
                standing = None
            if standing is not None:
                told = {name: standing.values.get(name) for name in command.values if name in standing.values}
                return told, standing.changed_at
        return command.values, None

    async def _look(self, item: Item, step: str, lookup: Lookup[Any], command: Command) -> Standing | None:
        request = lookup.request(self._opened.settings, command)
        if request is None:
            return None
        answer = await self._client.send(request)
        if lookup.follow is not None:
            following = lookup.follow(self._opened.settings, command, answer)
            if following is None:
                return None
            request, answer = following, await self._client.send(following)
        standing = lookup.found(self._opened.settings, command, answer)
        outcome = (
            "Nothing is there." if standing is None else f"There is {standing.title} ({standing.external_id})."
        )
        await self._desk.attempt(
            item, step, self._redaction.of_request(request), self._redaction.of_response(answer), outcome
        )
        return standing

    async def _policy(self, item: Item) -> Any:
        """Who wins, by the rule that wanted the change; a change by hand wins, since a person has looked."""
        rule = await self._rule(item)
        return _by_hand if rule is None else rule.settings.policy

    async def _rule(self, item: Item) -> Rule | None:
        """The rule that wanted the change, if it is still there."""
        if item.rule_id is None:
            return None
        try:
            return await get_rule(self._office, self._opened.workspace_id, item.rule_id)
        except NotFound:
            return None

    def _lag(self, item: Item, write: Write[Any]) -> float:
        return max(write.lag_seconds, _pause(item)) if item.attempts else write.lag_seconds


def _by_hand(_field: str) -> Wins:
    return "by_hand"


def _whole_lists(values: Mapping[str, Any], standing: Standing) -> dict[str, Any]:
    """Where a list is written whole, what stands there stays in front of what is added."""
    return {
        name: list(dict.fromkeys([*(standing.values.get(name) or ()), *value])) if name in ADDED_ONLY else value
        for name, value in values.items()
    }


def _of(item: Item, standing: Standing) -> dict[str, Any]:
    return {name: standing.values.get(name) for name in item.payload if name in standing.values}


def _pause(item: Item) -> float:
    """Seconds until the next try: longer each time, and not the same for all."""
    return min(FIRST_PAUSE * 2.0**item.attempts, LONGEST_PAUSE) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter


def _wait(item: Item, error: VendorError) -> float:
    if isinstance(error, RateLimited | NotReady) and error.wait_seconds is not None:
        return min(error.wait_seconds, 3600.0)
    if isinstance(error, QuotaExhausted) and error.until is not None:
        return max((error.until - clock.now()).total_seconds(), _pause(item))
    return _pause(item)


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
