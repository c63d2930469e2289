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

from core.database import driver
from sync.connections import Opened, open_connection
from sync.errors import NotFound, SettingsProblem, SettingsRefused
from sync.office import Office
from sync.writeback.checking import check, prepare, titles_of
from sync.writeback.intents import intend_existing
from sync.writeback.rules import KINDS, STORED, Language, Rule, RuleSettings, parsed, rule_of


@dataclass(frozen=True, slots=True)
class Shown:
    """A rule with its sentence."""

    rule: Rule
    sentence: str


async def list_rules(office: Office, workspace_id: UUID, language: Language = "en") -> list[Shown]:
    """All rules of the workspace, the oldest first, each as a sentence."""
    async with office.database.workspace(workspace_id) as db:
        rows = (await db.execute(text(f"{STORED} order by r.created_at, r.id"), {"workspace": workspace_id})).all()
        titles = await titles_of(db, workspace_id)
    rules = [rule_of(workspace_id, row) for row in rows]
    said = {
        rule.id: rule.settings.sentence(rule.target, lambda id: titles.get(id, str(id)), language) for rule in rules
    }
    return [Shown(rule, said[rule.id]) for rule in rules]


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
    """Store a rule, switched off, after checking it; see `store_rule`."""
    id = await store_rule(office, workspace_id, connection_id, kind, values, since=since, actor=actor)
    return next(shown for shown in await list_rules(office, workspace_id) if shown.rule.id == id)


async def check_rule(
    office: Office,
    workspace_id: UUID,
    connection_id: UUID,
    kind: str,
    values: Mapping[str, Any],
    language: Language = "en",
) -> str:
    """The sentence of a rule that could be stored. Raises as `store_rule` does."""
    settings, opened = await _checked(office, workspace_id, connection_id, kind, values)
    async with office.database.workspace(workspace_id) as db:
        titles = await titles_of(db, workspace_id)
    return settings.sentence(opened.title, lambda id: titles.get(id, str(id)), language)


async def draft_rule(
    office: Office,
    workspace_id: UUID,
    connection_id: UUID,
    kind: str,
    values: Mapping[str, Any],
    *,
    since: datetime | None = None,
) -> Rule:
    """A rule that was checked and isn't stored: for a dry run before anything is decided. Raises as `store_rule`
    does."""
    settings, opened = await _checked(office, workspace_id, connection_id, kind, values)
    async with office.database.workspace(workspace_id) as db:
        query = text("select phone_region, time_zone from workspace where id = :ws")
        region, zone = (await db.execute(query, {"ws": workspace_id})).one()
    return Rule(
        uuid4(),
        workspace_id,
        opened.id,
        opened.connector.key,
        opened.title,
        settings,
        False,
        since,
        1,
        region,
        zone,
    )


async def store_rule(
    office: Office,
    workspace_id: UUID,
    connection_id: UUID,
    kind: str,
    values: Mapping[str, Any],
    *,
    since: datetime | None = None,
    actor: str,
    within: AsyncConnection | None = None,
) -> UUID:
    """Store a rule, switched off, after checking it: the settings by themselves, then its fields, people and
    stages against the system that it writes to; in the transaction ``within``, if given. Returns its id.

    Raises SettingsRefused with the problem of each field, or NotFound."""
    settings, _ = await _checked(office, workspace_id, connection_id, kind, values)
    id = uuid4()
    async with office.database.within(workspace_id, within) as db:
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
    return id


async def switch_rule(office: Office, workspace_id: UUID, rule_id: UUID, *, enabled: bool) -> Rule:
    """Switch a rule on or off. Switched on for the first time without a ``since``, it begins now: history is no
    cause unless the rule says so; what is here since its beginning is put into the outbox at once. What the rule
    needs there is made first.

    Raises NotFound, or SettingsRefused when that can't be made."""
    if enabled:
        rule = await get_rule(office, workspace_id, rule_id)
        await prepare(office, await open_connection(office, workspace_id, rule.connection_id), rule)
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


async def _checked(
    office: Office, workspace_id: UUID, connection_id: UUID, kind: str, values: Mapping[str, Any]
) -> tuple[RuleSettings, Opened]:
    settings = parse_rule(kind, values)
    opened = await open_connection(office, workspace_id, connection_id)
    await check(office, opened, settings)
    return settings, opened


async def _read(db: AsyncConnection, workspace_id: UUID, rule_id: UUID) -> Rule:
    row = (await db.execute(text(f"{STORED} and r.id = :id"), {"workspace": workspace_id, "id": rule_id})).first()
    if row is None:
        raise NotFound("There is no such rule in this workspace.")
    return rule_of(workspace_id, row)
