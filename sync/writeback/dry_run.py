"""What a rule would write, as a difference, before it goes live. Nothing is written, neither here nor there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from connectors.contract import Command, Standing
from core.database import driver
from sync.connections import open_connection, session
from sync.office import Office
from sync.writeback.causes import Intent, intents_of
from sync.writeback.deciding import decide
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
    if since is not None:
        rule = replace(rule, since=since)
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
    write = rule.write
    lookup = write.read if intent.external_id is not None else write.by_match
    command = Command(intent.key, intent.payload, intent.external_id)
    request = None if lookup is None else lookup.request(settings, command)
    if lookup is None or request is None:
        return None
    found: Standing | None = lookup.found(settings, command, await client.send(request))
    return found


def _proposed(rule: Rule, intent: Intent, standing: Standing | None) -> Proposed:
    if intent.external_id is None:
        if standing is not None:
            return Proposed(intent, f"nothing: there is {standing.title} already", [])
        base: Mapping[str, Any] = intent.base or {}
        lines = [Line(name, base.get(name), value) for name, value in intent.payload.items()]
        return Proposed(intent, "change" if base else "make", lines)
    if standing is None:
        return Proposed(intent, "nothing: the record isn't there any more", [])
    outcome = decide(intent.payload, intent.base, standing, intent.cause_at, rule.settings.policy, rule.region)
    lines = [Line(name, outcome.before.get(name), value) for name, value in outcome.write.items()]
    if outcome.waiting:
        return Proposed(intent, f"wait for a person: {', '.join(outcome.waiting)}", lines)
    return Proposed(intent, "change" if lines else "nothing: it stands there already", lines)
