"""What a rule would write, as a difference, before it goes live. Nothing is written, neither here nor there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from connectors.contract import Command, Lookup, Standing
from core.database import driver
from sync.connections import open_connection, session
from sync.office import Office
from sync.writeback.causes import Intent, intents_of
from sync.writeback.deciding import decide
from sync.writeback.follow_up import follow_up
from sync.writeback.rulebook import get_rule
from sync.writeback.rules import Rule
from sync.writeback.undo import Line


@dataclass(frozen=True, slots=True)
class Proposed:
    """One change that would be made. ``verdict``: what would become of it as things stand there now."""

    intent: Intent
    verdict: str
    lines: list[Line]


@dataclass(frozen=True, slots=True)
class DryRun:
    """What a rule would do: the first changes in full, and how many there are in all (up to a limit)."""

    rule: Rule
    shown: list[Proposed]
    total: int


MOST = 10_000
"""More changes than this aren't counted."""


async def dry_run(
    office: Office, workspace_id: UUID, rule_id: UUID, *, since: datetime | None = None, show: int = 20
) -> DryRun:
    """What the rule would write because of all that is here since ``since`` (by default the rule's own beginning).
    For the first ``show`` changes the system is asked what stands there. Raises NotFound or a VendorError."""
    rule = await get_rule(office, workspace_id, rule_id)
    return await dry_run_of(office, rule if since is None else replace(rule, since=since), show=show)


async def dry_run_of(office: Office, rule: Rule, *, show: int = 20) -> DryRun:
    """What a rule would write that may not even be stored yet. Raises NotFound or a VendorError."""
    workspace_id = rule.workspace_id
    async with office.database.workspace(workspace_id) as db:
        intents = await intents_of(driver(db), rule, None, limit=MOST)
        known = await (
            await driver(db).execute(
                "select key from outbox where workspace_id = %s and key = any(%s)",
                (workspace_id, [intent.key for intent in intents]),
            )
        ).fetchall()
    seen = {key for (key,) in known}
    fresh = [intent for intent in intents if intent.key not in seen]
    opened = await open_connection(office, workspace_id, rule.connection_id)
    shown: list[Proposed] = []
    async with session(office, opened, urgent=True) as client:
        for intent in fresh[:show]:
            standing = await _standing(client, rule, opened.settings, intent)
            shown.append(_proposed(rule, intent, standing))
    return DryRun(rule, shown, len(fresh))


async def _standing(client: Any, rule: Rule, settings: Any, intent: Intent) -> Standing | None:
    """What stands there now: the record itself, or another one for the same person."""
    write = rule.write_named(intent.write)
    command = Command(intent.key, intent.payload, intent.external_id)
    if intent.external_id is not None:
        return None if write.read is None else await look(client, settings, write.read, command)
    for lookup in write.by_party:
        card = await look(client, settings, lookup, command)
        if card is not None and card.kind is not None:
            command = replace(command, values={**command.values, card.kind.value: card.external_id})
            break
    for match in filter(None, (write.by_match, *write.also_by_match)):
        other = await look(client, settings, match, command)
        if other is not None:
            return other
    return None


async def look(client: Any, settings: Any, lookup: Lookup[Any], command: Command) -> Standing | None:
    """What a look finds, by one request or two."""
    request = lookup.request(settings, command)
    if request is None:
        return None
    answer = await client.send(request)
    if lookup.follow is not None:
        request = lookup.follow(settings, command, answer)
        if request is None:
            return None
        answer = await client.send(request)
    return lookup.found(settings, command, answer)


def _known(rule: Rule, intent: Intent, standing: Standing) -> Proposed:
    instead = follow_up(rule, intent, standing)
    if instead is None:
        return Proposed(intent, f"nothing: there is {standing.title} already", [])
    lines = [Line(name, None, value) for name, value in instead.payload.items()]
    what = (instead.write or "").partition(".")[0]
    return Proposed(intent, f"make a {what}: there is {standing.title} already", lines)


def _proposed(rule: Rule, intent: Intent, standing: Standing | None) -> Proposed:
    if intent.external_id is None:
        if standing is not None:
            return _known(rule, intent, standing)
        base: Mapping[str, Any] = intent.base or {}
        lines = [Line(name, base.get(name), value) for name, value in intent.payload.items()]
        return Proposed(intent, "change" if base else "make", lines)
    if standing is None:
        return Proposed(intent, "nothing: the record isn't there any more", [])
    if rule.write_named(intent.write).operation == "delete":
        return Proposed(
            intent, "remove", [Line(name, value, None) for name, value in standing.values.items() if value]
        )
    outcome = decide(intent.payload, intent.base, standing, intent.cause_at, rule.settings.policy, rule.region)
    lines = [Line(name, outcome.before.get(name), value) for name, value in outcome.write.items()]
    if outcome.waiting:
        return Proposed(intent, f"wait for a person: {', '.join(outcome.waiting)}", lines)
    return Proposed(intent, "change" if lines else "nothing: it stands there already", lines)
