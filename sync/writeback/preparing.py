"""Before a change goes out: what stands there is looked at, and what is still to be written follows from that.

Nothing is made or written that is there already, and nothing is written over that somebody else has changed, unless
the rule says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from connectors.contract import Command, Lookup, Standing, VendorRequest, Write
from connectors.errors import BadSettings
from sync.connections import Opened
from sync.errors import NotFound
from sync.office import Office
from sync.vendor import VendorClient
from sync.writeback.deciding import decide
from sync.writeback.desk import Desk
from sync.writeback.follow_up import follow_up
from sync.writeback.item import Item
from sync.writeback.redaction import Redaction
from sync.writeback.rulebook import get_rule
from sync.writeback.rules import Rule, Wins
from sync.writeback.values import ADDED_ONLY, same


@dataclass(frozen=True, slots=True)
class Ready:
    """A change that is to be sent as it stands. ``before``: what stood there, of the fields that it writes over."""

    item: Item
    write: Write[Any]
    command: Command
    request: VendorRequest
    before: Mapping[str, Any] | None

    @property
    def whose(self) -> frozenset[tuple[str, str]]:
        """By what the client of something new is known: two changes of one client can't both be new."""
        if self.write.operation != "create":
            return frozenset()
        parties = {(name, str(self.command.values[name])) for name in _PARTIES if self.command.values.get(name)}
        return frozenset(
            parties | {(name, str(one)) for name in ADDED_ONLY for one in self.command.values.get(name) or ()}
        )


_PARTIES = ("contact", "company")
_CARD = frozenset({"first_name", "middle_name", "last_name", "responsible", *ADDED_ONLY})
CARD_SECONDS = 300.0
"""A record looks again for its client's card after this time, if nothing was heard of it."""


class Preparation:
    """Looks at single changes of one connection before they are sent."""

    def __init__(self, office: Office, opened: Opened, client: VendorClient[Any], desk: Desk) -> None:
        self._office = office
        self._opened = opened
        self._client = client
        self._desk = desk
        self._redaction = Redaction(opened.settings)

    async def prepare(self, item: Item) -> Ready | str:
        """The change as it is to be sent now, or the state in which it has come to rest without. Raises the
        VendorError of a look."""
        write: Write[Any] = self._opened.connector.write(item.write)
        match write.operation:
            case "create":
                return await self._create(item, write)
            case "update":
                return await self._update(item, write)
            case "delete":
                return await self._delete(item, write)

    def _ready(self, item: Item, write: Write[Any], command: Command, before: Mapping[str, Any] | None) -> Ready:
        return Ready(item, write, command, write.request(self._opened.settings, command), before)

    async def _create(self, item: Item, write: Write[Any]) -> Ready | str:
        if write.by_marker is not None:
            made = await self.look(item, "look", write.by_marker, item.command)
            if made is not None:  # the answer was lost, or the database was restored to a time before it
                await self._desk.done(item, made.external_id, found_of(item, made), made.changed_at)
                return "done"
        command = await self._tied(item, write)
        other = await self._desk.made_lately(item) if write.by_party else None
        for lookup in filter(None, (write.by_match, *write.also_by_match)):
            other = other or await self.look(item, "look", lookup, command)
        if other is not None:
            return await self._there_already(item, other)
        nobody = not any(name in command.values for name in _PARTIES)
        if write.card is not None and nobody and (item.payload.get("phones") or item.payload.get("emails")):
            return await self._after_its_card(item, write, write.card)
        return self._ready(item, write, command, None)

    async def _after_its_card(self, item: Item, write: Write[Any], card: str) -> Ready | str:
        """The client's card is a change of its own, which goes first."""
        making: Write[Any] = self._opened.connector.write(card)
        values = {name: item.payload[name] for name in making.fields if name in _CARD and name in item.payload}
        if "name" in making.fields:
            values["name"] = item.payload.get("first_name") or (values.get("phones") or values["emails"])[0]
        state, external_id, reason = await self._desk.card(item, card, values)
        if external_id is not None:
            told = {**item.payload, making.entity.value: external_id}
            return self._ready(item, write, replace(item.command, values=told), None)
        if state in ("pending", "sending", "unknown"):
            await self._desk.rest(
                item, "pending", "CARD", "It waits for the client's card.", after_seconds=CARD_SECONDS
            )
            return "pending"
        await self._desk.rest(item, "failed", "CARD", f"The client's card couldn't be made: {reason}")
        return "failed"

    async def _tied(self, item: Item, write: Write[Any]) -> Command:
        """The command with the client's card, where the system has one."""
        for lookup in write.by_party:
            card = await self.look(item, "look", lookup, item.command)
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

    async def _update(self, item: Item, write: Write[Any]) -> Ready | str:
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
            command = Command(item.key, {**_resent(write, standing), **values}, item.external_id)
            return self._ready(item, write, command, outcome.before)
        if outcome.waiting:
            fields = ", ".join(outcome.waiting)
            reason = f"Changed there too since then: {fields}. A person must decide which value holds."
            await self._desk.rest(item, "failed", "CONFLICT", reason)
            return "failed"
        if outcome.decisions:
            await self._desk.rest(item, "skipped", "THEIRS", "What stands there now holds, by the rule.")
            return "skipped"
        already = None if item.attempts else "It stood there already."
        await self._desk.done(item, standing.external_id, found_of(item, standing), standing.changed_at, already)
        return "done"

    async def _delete(self, item: Item, write: Write[Any]) -> Ready | str:
        if write.read is None:  # what can't be looked at is removed on the word of whoever asked
            return self._ready(item, write, item.command, None)
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
        command = Command(item.key, _resent(write, standing), item.external_id)
        return self._ready(item, write, command, standing.values)

    async def _standing(self, item: Item, write: Write[Any], values: Mapping[str, Any]) -> Standing | None:
        if write.read is None:
            raise BadSettings(f"{self._opened.connector.title} can't show what stands there now.")
        return await self.look(item, "read", write.read, Command(item.key, values, item.external_id))

    async def _gone(self, item: Item, write: Write[Any]) -> Ready | str:
        """What was merged away has a survivor: the client's one other card there. It gets the change, which is
        decided anew against what stands on it."""
        survivor = await self._desk.survivor(item, write.entity)
        if survivor is not None:
            await self._desk.redirect(item, survivor)
            return await self._update(replace(item, external_id=survivor), write)
        reason = "The record isn't there any more: it was deleted or merged into another one."
        await self._desk.rest(item, "failed", "GONE", reason)
        return "failed"

    async def look(self, item: Item, step: str, lookup: Lookup[Any], command: Command) -> Standing | None:
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


def _by_hand(_field: str) -> Wins:
    return "by_hand"


def _resent(write: Write[Any], standing: Standing) -> dict[str, Any]:
    """What stands there of the fields that the system wants told again with every change."""
    return {name: standing.values[name] for name in write.resent if name in standing.values}


def _whole_lists(values: Mapping[str, Any], standing: Standing) -> dict[str, Any]:
    """Where a list is written whole, what stands there stays in front of what is added."""
    return {
        name: list(dict.fromkeys([*(standing.values.get(name) or ()), *value])) if name in ADDED_ONLY else value
        for name, value in values.items()
    }


def found_of(item: Item, standing: Standing) -> dict[str, Any]:
    """What stands there in the fields that the change writes."""
    return {name: standing.values.get(name) for name in item.payload if name in standing.values}
