"""Changes go out: one by one, or several in one request where the system takes them so.

A change is marked before it is sent and noted as done with the id that the system gave it. Whatever happens in
between leaves it *unknown*: then it is looked for, and sent again only when it isn't there. Of several changes in
one request each has an outcome of its own.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from typing import Any

from connectors.contract import Command, Together, VendorResponse, Write
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
    WriteRejected,
)
from core import clock
from core.crash import crash_point
from sync.connections import Opened
from sync.errors import LeaseLost
from sync.vendor import VendorClient
from sync.writeback.desk import Desk
from sync.writeback.item import Item
from sync.writeback.preparing import Preparation, Ready
from sync.writeback.redaction import Redaction

MOST_SENDS = 5
"""A change that was sent so often without a known outcome is dead: a person must look."""
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 600.0
STALE_SECONDS = 10.0
"""A worker that slept so long between marking and sending doesn't send: another may have taken over."""
_STOPPING = RateLimited | QuotaExhausted | NotReady | AuthFailed | BadSettings | NotSent


class Group:
    """Changes that can share one request. What was sent before with an unknown outcome goes alone: should it be
    what the system stumbles over, it takes no other with it."""

    def __init__(self, together: Together[Any] | None) -> None:
        self._together = together
        self._kind: str | None = None
        self._whose: set[tuple[str, str]] = set()
        self.members: list[Ready] = []

    def may_take(self, item: Item) -> bool:
        """Whether it is worth looking at a change: it may turn out yet to be of another kind."""
        if not self.members:
            return True
        if self._together is None or self._kind is None or len(self.members) >= self._together.most:
            return False
        return item.write == self.members[0].item.write and _fresh(item)

    def take(self, one: Ready) -> None:
        """Let the change join, if it can. Who is new in one change can't be new in another of the same request."""
        kind = self._together.kind(one.request) if self._together is not None and _fresh(one.item) else None
        if self.members and (kind is None or kind != self._kind or self._whose & one.whose):
            return
        self._kind = kind
        self._whose |= one.whose
        self.members.append(one)


def _fresh(item: Item) -> bool:
    return item.state == "pending" and not item.attempts


class Sending:
    """Sends changes of one connection that were prepared, and notes what became of them."""

    def __init__(self, opened: Opened, client: VendorClient[Any], desk: Desk, preparation: Preparation) -> None:
        self._opened = opened
        self._client = client
        self._desk = desk
        self._preparation = preparation
        self._redaction = Redaction(opened.settings)

    async def send(self, group: Sequence[Ready]) -> list[str]:
        """Send them, in one request if they are several. Returns the states that they rest in. Raises what stands
        in the way of all further sending, once it is noted at each of them."""
        first = group[0]
        if len(group) == 1 and first.item.attempts >= MOST_SENDS:
            times = first.item.attempts
            reason = f"It was sent {times} times and never seen there. Look into the system, then replay it."
            await self._desk.rest(first.item, "dead", "TOO_OFTEN", reason)
            return ["dead"]
        together = self._opened.connector.together
        request = first.request
        if len(group) > 1 and together is not None:
            request = together.pack(self._opened.settings, [one.request for one in group])

        async def about_to() -> None:
            begun = time.monotonic()
            await self._desk.sending([(one.item, one.before) for one in group])
            crash_point("outbox.before_send")
            if time.monotonic() - begun > STALE_SECONDS:
                raise LeaseLost("This worker slept too long to be sure that it may still send.")

        try:
            answer = await self._client.send_once(request, about_to)
            crash_point("outbox.after_send")
        except VendorError as error:
            return await self._noted(group, [error] * len(group), whole=True)
        if len(group) == 1:
            return await self._noted(group, [answer])
        assert together is not None  # noqa: S101 - without it a group has one member
        answers: Sequence[VendorResponse | VendorError]
        try:
            answers = together.split(self._opened.settings, [one.request for one in group], answer)
        except VendorError as error:
            answers = [error] * len(group)
        return await self._noted(group, answers)

    async def _noted(
        self, group: Sequence[Ready], answers: Sequence[VendorResponse | VendorError], *, whole: bool = False
    ) -> list[str]:
        """What became of each. ``whole``: the error answers the request itself, not one of its changes. What had no
        effect only because another was refused goes again at once."""
        states: list[str] = []
        stopped: VendorError | None = None
        spared = any(not isinstance(answer, NotSent) for answer in answers)
        for one, answer in zip(group, answers, strict=True):
            shown = self._redaction.of_request(one.request)
            if isinstance(answer, VendorResponse):
                states.append(await self._answered(one, shown, answer, len(group)))
                continue
            await self._desk.attempt(one.item, "send", shown, None, answer.sentence)
            if spared and isinstance(answer, NotSent):
                await self._desk.rest(one.item, "pending", answer.code, answer.sentence, sent=False)
                states.append("pending")
                continue
            if isinstance(answer, _STOPPING):
                wait = wait_after(one.item, answer)
                await self._desk.rest(
                    one.item, one.item.state, answer.code, answer.sentence, after_seconds=wait, sent=False
                )
                stopped = answer
                continue
            states.append(await self._unsent(one.item, one.write, answer, whole=whole, alone=len(group) == 1))
        if stopped is not None:
            raise stopped
        return states

    async def _unsent(self, item: Item, write: Write[Any], error: VendorError, *, whole: bool, alone: bool) -> str:
        """What an error of the sending means for the change: nothing happened, or nobody knows, or never."""
        if isinstance(error, ChangedMeanwhile) and write.operation == "update":
            await self._desk.rest(item, "pending", error.code, error.sentence, after_seconds=pause_after(item))
            return "pending"
        if isinstance(error, Transient):
            reason = (
                f"{error.sentence} Whether it took effect isn't known: it is looked for before it is sent again."
            )
            await self._desk.rest(item, "unknown", error.code, reason, after_seconds=_lag(item, write))
            return "unknown"
        if whole and not alone:
            reason = f"{error.sentence} It was sent with others, which may be to blame: next it goes alone."
            await self._desk.rest(item, "pending", error.code, reason)
            return "pending"
        return await self._refused(item, write, error, answered=not whole)

    async def _answered(self, one: Ready, shown: Mapping[str, Any], answer: VendorResponse, shared: int) -> str:
        item, write = one.item, one.write
        told = self._redaction.of_response(answer)
        try:
            external_id = write.result(self._opened.settings, one.command, answer)
        except VendorError as error:
            await self._desk.attempt(item, "send", shown, told, error.sentence)
            return await self._refused(item, write, error, answered=True)
        along = f", with {shared - 1} more in one request" if shared > 1 else ""
        await self._desk.attempt(item, "send", shown, told, f"Taken{along}; its id there is {external_id}.")
        stored, version = await self._as_stored(item, write, one.command, external_id)
        await self._desk.done(item, external_id, stored, version)
        return "done"

    async def _refused(self, item: Item, write: Write[Any], error: VendorError, *, answered: bool) -> str:
        """A refusal is one for good; of an ``answered`` change of which nothing can be told nobody knows the
        outcome."""
        if answered and not isinstance(error, NotPermitted | WriteRejected):
            await self._desk.rest(item, "unknown", error.code, error.sentence, after_seconds=_lag(item, write))
            return "unknown"
        await self._desk.rest(item, "failed", error.code, error.sentence)
        return "failed"

    async def _as_stored(
        self, item: Item, write: Write[Any], command: Command, external_id: str
    ) -> tuple[Mapping[str, Any] | None, Any]:
        """What the system made of our values, for the echo; what we sent, where it can't be read back just now."""
        if write.operation == "delete":
            return None, None
        if write.read is not None:
            written = Command(command.key, command.values, external_id)
            try:
                standing = await self._preparation.look(item, "read", write.read, written)
            except VendorError:
                standing = None
            if standing is not None:
                told = {name: standing.values.get(name) for name in command.values if name in standing.values}
                return told, standing.changed_at
        return command.values, None


def pause_after(item: Item) -> float:
    """Seconds until the next try: longer each time, and not the same for all."""
    return min(FIRST_PAUSE * 2.0**item.attempts, LONGEST_PAUSE) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter


def wait_after(item: Item, error: VendorError) -> float:
    """Seconds until the next try after an error that names them; else as `pause_after`."""
    if isinstance(error, RateLimited | NotReady) and error.wait_seconds is not None:
        return min(error.wait_seconds, 3600.0)
    if isinstance(error, QuotaExhausted) and error.until is not None:
        return max((error.until - clock.now()).total_seconds(), pause_after(item))
    return pause_after(item)


def _lag(item: Item, write: Write[Any]) -> float:
    return max(write.lag_seconds, pause_after(item)) if item.attempts else write.lag_seconds
