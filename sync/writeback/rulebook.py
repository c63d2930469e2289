"""The rules of a workspace: added, checked at once against the system they write to, switched on and off."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from pydantic import ValidationError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from connectors.contract import Write
from connectors.errors import VendorError
from core.database import driver
from sync.connections import Opened, open_connection, session
from sync.errors import NotFound, SettingsProblem, SettingsRefused
from sync.office import Office
from sync.writeback.intents import intend_existing
from sync.writeback.rules import KINDS, STORED, CallToLead, Rule, RuleSettings, parsed, rule_of


@dataclass(frozen=True, slots=True)
class Shown:
    """A rule with its sentence."""

    rule: Rule
    sentence: str


async def list_rules(office: Office, workspace_id: UUID) -> list[Shown]:
    """All rules of the workspace, the oldest first, each as a sentence."""
    async with office.database.workspace(workspace_id) as db:
        rows = (await db.execute(text(f"{STORED} order by r.created_at, r.id"), {"workspace": workspace_id})).all()
        titles = await _titles(db, workspace_id)
    rules = [rule_of(workspace_id, row) for row in rows]
    return [Shown(rule, rule.settings.sentence(rule.target, lambda id: titles.get(id, str(id)))) for rule in rules]


async def get_rule(office: Office, workspace_id: UUID, rule_id: UUID) -> Rule:
    """One rule. Raises NotFound."""
    async with office.database.workspace(workspace_id) as db:
        return await _read(db, workspace_id, rule_id)


async def add_rule(
    office: Office,
    workspace_id: UUID,
    connection_id: UUID,
    kind: str,
    values: Mapping[str, Any],
    *,
    since: datetime | None = None,
    actor: str,
) -> Shown:
    """Store a rule, switched off, after checking it: the settings by themselves, then its fields, people and
    stages against the system that it writes to. Raises SettingsRefused with the problem of each field."""
    settings = parse_rule(kind, values)
    opened = await open_connection(office, workspace_id, connection_id)
    await _check(office, opened, settings)
    id = uuid4()
    async with office.database.workspace(workspace_id) as db:
        await db.execute(
            text("""
            insert into write_rule (workspace_id, id, connection_id, kind, settings, since, created_by)
            values (:ws, :id, :connection, :kind, cast(:settings as jsonb), :since, :actor)
            """),
            {
                "ws": workspace_id,
                "id": id,
                "connection": connection_id,
                "kind": kind,
                "settings": settings.model_dump_json(exclude={"kind"}),
                "since": since,
                "actor": actor,
            },
        )
    return next(shown for shown in await list_rules(office, workspace_id) if shown.rule.id == id)


async def switch_rule(office: Office, workspace_id: UUID, rule_id: UUID, *, enabled: bool) -> Rule:
    """Switch a rule on or off. Switched on for the first time without a ``since``, it begins now: history is no
    cause unless the rule says so; what is here since its beginning is put into the outbox at once.

    Raises NotFound."""
    async with office.database.workspace(workspace_id) as db:
        changed = await db.execute(
            text("""
            update write_rule set enabled = :enabled, changed_at = clock_timestamp(),
                since = case when :enabled then coalesce(since, clock_timestamp()) else since end
            where workspace_id = :ws and id = :id
            """),
            {"ws": workspace_id, "id": rule_id, "enabled": enabled},
        )
        if changed.rowcount == 0:
            raise NotFound("There is no such rule in this workspace.")
        rule = await _read(db, workspace_id, rule_id)
        if enabled:
            await intend_existing(driver(db), rule)
    return rule


async def remove_rule(office: Office, workspace_id: UUID, rule_id: UUID) -> None:
    """Remove a rule. What it has put into the outbox stays. Raises NotFound."""
    async with office.database.workspace(workspace_id) as db:
        removed = await db.execute(
            text("delete from write_rule where workspace_id = :ws and id = :id"),
            {"ws": workspace_id, "id": rule_id},
        )
        if removed.rowcount == 0:
            raise NotFound("There is no such rule in this workspace.")


def parse_rule(kind: str, values: Mapping[str, Any]) -> RuleSettings:
    """Rule settings out of what a user gave. Raises SettingsRefused with a sentence for each wrong field."""
    if kind not in KINDS:
        raise SettingsRefused(
            [SettingsProblem("kind", f"There is no kind of rule {kind!r}. Known: {', '.join(KINDS)}.")]
        )
    try:
        return parsed(kind, values)
    except ValidationError as error:
        raise SettingsRefused(
            [
                SettingsProblem(
                    ".".join(str(part) for part in problem["loc"][1:]) or None,
                    f"{'.'.join(str(part) for part in problem['loc'][1:])}: {problem['msg']}.",
                )
                for problem in error.errors(include_url=False, include_input=False)
            ]
        ) from None


async def _check(office: Office, opened: Opened, settings: RuleSettings) -> None:
    problems: list[SettingsProblem] = []
    try:
        write: Write[Any] = opened.connector.write(settings.write)
    except KeyError:
        known = ", ".join(one.title.lower() for one in opened.connector.writes) or "nothing"
        raise SettingsRefused(
            [SettingsProblem(None, f"{opened.connector.title} can't take this; what it can do: {known}.")]
        ) from None
    async with office.database.workspace(opened.workspace_id) as db:
        titles = await _titles(db, opened.workspace_id)
        source = settings.reads_from()
        if source is not None and source not in titles:
            problems.append(SettingsProblem(None, "The connection that the rule reads from isn't there."))
        if source == opened.id:
            problems.append(SettingsProblem(None, "A rule can't read from the connection that it writes to."))
        if isinstance(settings, CallToLead):
            problems += await _unknown_users(db, opened, settings)
    problems += await _unknown_fields(office, opened, write, settings)
    if problems:
        raise SettingsRefused(problems)


async def _unknown_users(db: AsyncConnection, opened: Opened, settings: CallToLead) -> list[SettingsProblem]:
    """People are checked by what was read from the system; before the first sync nobody is known to be missing."""
    named = {*settings.responsible.values(), settings.otherwise_responsible} - {None}
    rows = await db.execute(
        text("select external_id, name from user_account where workspace_id = :ws and connection_id = :id"),
        {"ws": opened.workspace_id, "id": opened.id},
    )
    known = {row.external_id: row.name for row in rows}
    told = ", ".join(f"{id} ({name})" for id, name in sorted(known.items())[:20])
    return [
        SettingsProblem("responsible", f"There is no user {id} in «{opened.title}». Known: {told}.")
        for id in sorted(str(one) for one in named)
        if known and id not in known
    ]


async def _unknown_fields(
    office: Office, opened: Opened, write: Write[Any], settings: RuleSettings
) -> list[SettingsProblem]:
    """Fields are checked by asking the system itself."""
    named = settings.vendor_fields()
    if not named or write.described is None:
        return []
    try:
        async with session(office, opened) as client:
            answer = await client.send(write.described.request(opened.settings))
            known = write.described.fields(opened.settings, answer)
    except VendorError as error:
        return [SettingsProblem("fields", f"The fields of «{opened.title}» can't be asked: {error.sentence}")]
    return [
        SettingsProblem(
            "fields", f"«{opened.title}» has no field {code} that can be written. It has {_some(known)}."
        )
        for code in named
        if code not in known
    ]


def _some(fields: Mapping[str, str]) -> str:
    told = [f"{code} ({title})" if title != code else code for code, title in sorted(fields.items())]
    return ", ".join(told[:40]) + (", …" if len(told) > 40 else "")


async def _read(db: AsyncConnection, workspace_id: UUID, rule_id: UUID) -> Rule:
    row = (await db.execute(text(f"{STORED} and r.id = :id"), {"workspace": workspace_id, "id": rule_id})).first()
    if row is None:
        raise NotFound("There is no such rule in this workspace.")
    return rule_of(workspace_id, row)


async def _titles(db: AsyncConnection, workspace_id: UUID) -> dict[UUID, str]:
    rows = await db.execute(text("select id, title from connection where workspace_id = :ws"), {"ws": workspace_id})
    return {row.id: row.title for row in rows}
