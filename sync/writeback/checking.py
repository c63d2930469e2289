"""Whether a rule can work: its people, pipelines, stages and fields against the system that it writes to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from connectors.contract import Write
from connectors.errors import VendorError
from schema.enums import RecordKind
from sync.connections import Opened, session
from sync.errors import SettingsProblem, SettingsRefused
from sync.office import Office
from sync.writeback.kinds.base import RuleSettings
from sync.writeback.kinds.entry import Entry
from sync.writeback.rules import Rule

_MOST_TOLD = 40


async def check(office: Office, opened: Opened, settings: RuleSettings) -> None:
    """Raises SettingsRefused with everything that is wrong. What was never read from the system (its people and
    pipelines, before the first sync) isn't known to be missing."""
    writes = {one.name: one for one in opened.connector.writes}
    if not {settings.write, *settings.also_writes} <= writes.keys():
        known = ", ".join(one.title.lower() for one in opened.connector.writes) or "nothing"
        raise SettingsRefused(
            [SettingsProblem(None, f"{opened.connector.title} {settings.lacking}; what it can do: {known}.")]
        )
    write = writes[settings.write]
    problems: list[SettingsProblem] = []
    async with office.database.workspace(opened.workspace_id) as db:
        titles = await titles_of(db, opened.workspace_id)
        source = settings.reads_from()
        if source is not None and source not in titles:
            problems.append(SettingsProblem(None, "The connection that the rule reads from isn't there."))
        if source == opened.id:
            problems.append(SettingsProblem(None, "A rule can't read from the connection that it writes to."))
        if isinstance(settings, Entry) and settings.if_known != "skip" and write.by_match is None:
            sentence = (
                f"{opened.connector.title} can't be asked for what a client has there already: set this to skip."
            )
            problems.append(SettingsProblem("if_known", sentence))
        problems += await _unknown_users(db, opened, settings)
        if write.entity is RecordKind.DEAL:
            problems += await _unknown_place(db, opened, settings)
    problems += await _unknown_fields(office, opened, write, settings)
    if problems:
        raise SettingsRefused(problems)


async def prepare(office: Office, opened: Opened, rule: Rule) -> None:
    """Make in the account what the rule's write needs, such as the field that holds our mark; done twice it is done
    once. Raises SettingsRefused in the vendor's words."""
    needs = rule.write.prepare
    if needs is None:
        return
    try:
        async with session(office, opened, urgent=True) as client:
            missing = needs.missing(opened.settings, await client.send(needs.request(opened.settings)))
            if missing is not None:
                await client.send(missing)
    except VendorError as error:
        sentence = f"What the rule needs can't be made in «{opened.title}»: {error.sentence}"
        raise SettingsRefused([SettingsProblem(None, sentence)]) from None


async def titles_of(db: AsyncConnection, workspace_id: UUID) -> dict[UUID, str]:
    """What the workspace's connections are called."""
    rows = await db.execute(text("select id, title from connection where workspace_id = :ws"), {"ws": workspace_id})
    return {row.id: row.title for row in rows}


async def _unknown_users(db: AsyncConnection, opened: Opened, settings: RuleSettings) -> list[SettingsProblem]:
    named = settings.users()
    if not named:
        return []
    known = await _known(db, opened, "select external_id, name from user_account where true")
    return [
        SettingsProblem("responsible", f"There is no user {id} in «{opened.title}». Known: {_some(known)}.")
        for id in named
        if known and id not in known
    ]


async def _unknown_place(db: AsyncConnection, opened: Opened, settings: RuleSettings) -> list[SettingsProblem]:
    """Whether the pipeline is there, and the stage one of its own."""
    pipeline, stage = getattr(settings, "pipeline", None), getattr(settings, "stage", None)
    problems = []
    if pipeline is not None:
        known = await _known(db, opened, "select external_id, name from pipeline where deleted_at is null")
        if known and pipeline not in known:
            sentence = f"There is no pipeline {pipeline} in «{opened.title}». Known: {_some(known)}."
            problems.append(SettingsProblem("pipeline", sentence))
            pipeline = None
    if stage is not None:
        known = await _known(
            db,
            opened,
            "select s.external_id, s.name from stage s join pipeline p on p.workspace_id = s.workspace_id"
            " and p.id = s.pipeline_id where s.deleted_at is null"
            " and (cast(:pipeline as text) is null or p.external_id = :pipeline)",
            "s.",
            pipeline=pipeline,
        )
        if known and stage not in known:
            place = f"pipeline {pipeline} of «{opened.title}»" if pipeline else f"«{opened.title}»"
            problems.append(
                SettingsProblem("stage", f"There is no stage {stage} in {place}. Known: {_some(known)}.")
            )
    return problems


async def _known(
    db: AsyncConnection, opened: Opened, query: str, alias: str = "", **params: str | None
) -> dict[str, str]:
    """Names by the ids that records have there."""
    rows = await db.execute(
        text(f"{query} and {alias}workspace_id = :ws and {alias}connection_id = :id"),
        {"ws": opened.workspace_id, "id": opened.id, **params},
    )
    return {row.external_id: row.name for row in rows}


async def _unknown_fields(
    office: Office, opened: Opened, write: Write[Any], settings: RuleSettings
) -> list[SettingsProblem]:
    """Fields are checked by asking the system itself."""
    named = settings.vendor_fields()
    if not named or write.described is None:
        return []
    try:
        async with session(office, opened, urgent=True) as client:
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


def _some(named: Mapping[str, str]) -> str:
    told = [f"{code} ({title})" if title != code else code for code, title in sorted(named.items())]
    return ", ".join(told[:_MOST_TOLD]) + (", …" if len(told) > _MOST_TOLD else "")
