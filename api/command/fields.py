"""``skvoz fields``: the fields that an account has of its own, and what they fill."""

from __future__ import annotations

from uuid import UUID

import click
from rich.table import Table
from sqlalchemy import text

from api.command.running import at_work, in_loop, workspace_option
from api.command.screen import open_console
from api.command.sync import choose
from schema.enums import RecordKind
from sync.connections import open_connection
from sync.custom_fields import refresh_fields
from sync.errors import NotFound
from sync.field_mappings import remove_mapping, set_mapping
from sync.field_rules import ACCEPTS, MAPPABLE
from sync.mapping_again import MappingPreview, map_waiting, preview_mapping
from sync.office import Office

ACTOR = "command line"
_KIND = click.Choice([kind.value for kind in MAPPABLE])


@click.group("fields")
def command() -> None:
    """The fields that an account has of its own: list them, and let them fill fields of the unified model.

    \b
    skvoz fields list bitrix24
    skvoz fields map bitrix24 deal UF_CRM_1690000001 lost_reason --dry-run
    """


@command.command("list")
@click.argument("connection")
@click.option("--refresh", is_flag=True, help="Ask the vendor first; syncs do so once an hour.")
@click.option("--samples", is_flag=True, help="Show a few values of each. They may be personal data.")
@workspace_option
@in_loop
async def show(connection: str, refresh: bool, samples: bool, workspace: str | None) -> None:
    """List the fields of CONNECTION (id, title or connector key): their types, use, and what they fill."""
    table = Table("Of", "Key", "Name", "Type", "Filled", "Fills", *(["Samples"] if samples else []))
    async with at_work(workspace) as (office, workspace_id):
        id = await _one(office, workspace_id, connection)
        if refresh:
            for change in await refresh_fields(office, workspace_id, id):
                click.echo(change.sentence)
        async with office.database.workspace(workspace_id) as db:
            for row in await db.execute(_LISTED, {"ws": workspace_id, "id": id}):
                of_type = f"{row.type}, several" if row.multiple else row.type
                share = f"{row.filled / row.sampled:.0%}" if row.sampled else ""
                gone = " (gone)" if row.gone_at else ""
                line = [row.record_kind, row.key, row.label + gone, of_type, share, ", ".join(row.fills)]
                table.add_row(*line, *([", ".join(map(str, row.samples or []))] if samples else []))
    open_console().print(table)


@command.command("changes")
@click.argument("connection")
@workspace_option
@in_loop
async def changes(connection: str, workspace: str | None) -> None:
    """List what became of the fields of CONNECTION, newest first."""
    table = Table("When", "Of", "Field", "Change", "Before", "After")
    async with at_work(workspace) as (office, workspace_id):
        id = await _one(office, workspace_id, connection)
        async with office.database.workspace(workspace_id) as db:
            for row in await db.execute(_CHANGES, {"ws": workspace_id, "id": id}):
                field = f"{row.label} ({row.key})"
                when = f"{row.at:%Y-%m-%d %H:%M}"
                table.add_row(when, row.record_kind, field, row.change, row.before or "", row.after or "")
    open_console().print(table)


@command.command("targets")
@click.argument("kind", type=_KIND, required=False)
def targets(kind: str | None) -> None:
    """List the unified fields that can be filled, and from which types of fields."""
    table = Table("Of", "Field", "From", "What it says")
    for of, fields in MAPPABLE.items():
        for each in fields.values() if kind in (None, of.value) else ():
            table.add_row(of.value, each.name, ", ".join(sorted(ACCEPTS[each.holds])), each.meaning)
    open_console().print(table)


@command.command("map")
@click.argument("connection")
@click.argument("kind", type=_KIND)
@click.argument("key")
@click.argument("fills")
@click.option("--dry-run", is_flag=True, help="Only show what it would do to the records that are here.")
@workspace_option
@in_loop
async def set_one(connection: str, kind: str, key: str, fills: str, dry_run: bool, workspace: str | None) -> None:
    """Let the field KEY of the KIND records of CONNECTION fill the unified field FILLS, in stored records too."""
    of = RecordKind(kind)
    async with at_work(workspace) as (office, workspace_id):
        id = await _one(office, workspace_id, connection)
        open_console().print(difference(await preview_mapping(office, workspace_id, id, of, key, fills)))
        if dry_run:
            return
        await set_mapping(office, workspace_id, id, of, key, fills, ACTOR)
        count = await map_waiting(office, await open_connection(office, workspace_id, id))
    click.echo(f"Set. {count} stored records were mapped anew.")


@command.command("unmap")
@click.argument("connection")
@click.argument("kind", type=_KIND)
@click.argument("fills")
@workspace_option
@in_loop
async def unset_one(connection: str, kind: str, fills: str, workspace: str | None) -> None:
    """Take back what fills the unified field FILLS of the KIND records of CONNECTION."""
    async with at_work(workspace) as (office, workspace_id):
        id = await _one(office, workspace_id, connection)
        if not await remove_mapping(office, workspace_id, id, RecordKind(kind), fills, ACTOR):
            raise NotFound(f"Nothing fills {fills} of {kind} records there: see `skvoz fields list`.")
        count = await map_waiting(office, await open_connection(office, workspace_id, id))
    click.echo(f"Taken back. {count} stored records were mapped anew.")


def difference(found: MappingPreview) -> Table:
    """What a mapping would do, as a table."""
    title = f"{found.changing} of the {found.looked_at} newest records of {found.records} change"
    if found.not_understood:
        title += f"; {found.not_understood} have a value that doesn't fit, and stay"
    table = Table("Record", "Value", "Now", "Then", title=title)
    for each in found.samples:
        table.add_row(each.external_id, str(each.value), each.before or "", each.after or "")
    return table


async def _one(office: Office, workspace_id: UUID, connection: str) -> UUID:
    found = await choose(office, workspace_id, (connection,))
    if len(found) != 1:
        raise NotFound(f"{connection!r} names {len(found)} connections: use the id of one.")
    return found[0].id


_LISTED = text("""
select f.record_kind, f.key, f.label, f.type, f.multiple, f.sampled, f.filled, f.samples, f.gone_at,
    array(select m.target from field_mapping m where m.workspace_id = f.workspace_id
        and m.connection_id = f.connection_id and m.record_kind = f.record_kind and m.key = f.key) as fills
from custom_field f where f.workspace_id = :ws and f.connection_id = :id order by f.record_kind, f.label, f.key
""")
_CHANGES = text("""
select at, record_kind, key, label, change, before, after from schema_change
where workspace_id = :ws and connection_id = :id order by at desc, id limit 200
""")
