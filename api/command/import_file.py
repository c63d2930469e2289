"""``skvoz import``: costs, calls, contacts and deals out of CSV and Excel files."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ParamSpec, TypeVar
from uuid import UUID

import click
import msgspec
from rich.console import Console
from rich.table import Table

from api.command.running import at_work, in_loop, workspace_option
from api.command.sync import Chosen, choose, counts_table, sync_all
from connectors.errors import BadSettings
from connectors.file import CONNECTOR
from connectors.file.fields import Kind
from connectors.file.preview import Preview, preview_of
from connectors.file.settings import FileSettings
from connectors.file.store import keep
from schema.enums import RunState
from sync.connections import create_connection, open_connection, update_connection
from sync.errors import NotFound, SettingsProblem, SettingsRefused
from sync.office import Office
from sync.parsing import parse_settings
from sync.quarantine import in_quarantine

P = ParamSpec("P")
T = TypeVar("T")

FAULTS_SHOWN = 20
PREVIEWED = "preview"  # stands for the reference of a file that isn't kept


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--kind", type=click.Choice([str(kind) for kind in Kind]), required=True, help="What the rows are.")
@click.option(
    "--map", "mapped", multiple=True, metavar="COLUMN=FIELD", help="Which column is which field; - leaves one out."
)
@click.option("--set", "given", multiple=True, metavar="NAME=VALUE", help="Another setting, such as source=vk.")
@click.option("--title", help="The connection that the rows belong to; made if it isn't there.")
@click.option("--preview", is_flag=True, help="Only show how the file is understood; nothing is stored.")
@workspace_option
@in_loop
async def command(
    file: Path,
    kind: str,
    mapped: tuple[str, ...],
    given: tuple[str, ...],
    title: str | None,
    preview: bool,
    workspace: str | None,
) -> None:
    """Import a table FILE (.csv, .txt, .xlsx).

    The columns are guessed from their names and contents; --preview shows the guess. The same file again changes
    nothing, and the next month's file adds its rows to the same connection. Rows that can't be understood go to
    quarantine with their number and the reason.
    """
    content = await asyncio.to_thread(file.read_bytes)
    told: dict[str, Any] = {"kind": kind, "file_name": file.name, **dict(map(_pair, given))}
    columns = dict(map(_pair, mapped))
    console = Console()
    if preview:
        _show(console, _previewed(content, told | {"columns": columns}))
        return
    async with at_work(workspace) as (office, workspace_id):
        reference = _refusing(keep, office.settings.files_path, content)
        title = title or f"{kind.capitalize()} from files"
        chosen = await _connected(office, workspace_id, title, told | {"file": reference}, columns)
        results = await sync_all(console, office, workspace_id, [chosen])
        console.print(counts_table([chosen], results))
        for refused in reversed(await in_quarantine(office, workspace_id, chosen.id, limit=FAULTS_SHOWN)):
            console.print(f"[yellow]Quarantined[/yellow] {refused.reason}", highlight=False)
    if results[0].state is not RunState.SUCCEEDED:
        raise click.exceptions.Exit(1)


async def _connected(
    office: Office, workspace_id: UUID, title: str, told: dict[str, Any], columns: dict[str, str]
) -> Chosen:
    """The connection of that title with this file: made, or given the file. What was mapped before stays mapped."""
    try:
        found = await choose(office, workspace_id, (title,))
        known = next(each for each in found if each.connector == CONNECTOR.key)
    except (NotFound, StopIteration):
        id, health = await create_connection(
            office, workspace_id, CONNECTOR.key, title, told | {"columns": columns}
        )
        click.echo(health.sentence)
        return Chosen(id, CONNECTOR.key, title, "active")
    present = (await open_connection(office, workspace_id, known.id)).settings
    former: Mapping[str, str] = getattr(present, "columns", {})
    if getattr(present, "kind", None) != told["kind"]:
        raise SettingsRefused(
            [SettingsProblem("kind", f"The connection «{title}» takes files of another kind: name another one.")]
        )
    health_now = await update_connection(
        office, workspace_id, known.id, values=told | {"columns": {**former, **columns}}
    )
    if health_now is not None:
        click.echo(health_now.sentence)
    return known


def _previewed(content: bytes, values: dict[str, Any]) -> Preview:
    settings = parse_settings(CONNECTOR, values | {"file": PREVIEWED})
    if not isinstance(settings, FileSettings):
        raise TypeError(settings)
    return _refusing(preview_of, content, settings)


def _refusing(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call it; what is wrong with the file is told like what is wrong with settings."""
    try:
        return function(*args, **kwargs)
    except BadSettings as error:
        raise SettingsRefused([SettingsProblem(error.field, error.sentence)]) from None


def _show(console: Console, found: Preview) -> None:
    table = Table("Column", "Field", "Told by", "First values", title=f"{found.records} records; {found.form}")
    for column in found.columns:
        table.add_row(column.name, column.field or "—", column.why or "", " · ".join(column.samples))
    console.print(table)
    for row, records in found.shown:
        for record in records:
            told = {
                name: value
                for name, value in msgspec.to_builtins(record).items()
                if value not in (None, [], (), False, "") and name != "external_id"
            }
            facts = ", ".join(f"{name}: {value}" for name, value in told.items())
            console.print(f"Row {row} → {type(record).__name__.removesuffix('Record')} {facts}", highlight=False)
    for _, sentence in found.faults[:FAULTS_SHOWN]:
        console.print(f"[yellow]Would be quarantined:[/yellow] {sentence}", highlight=False)
    if len(found.faults) > FAULTS_SHOWN:
        console.print(f"… and {len(found.faults) - FAULTS_SHOWN} more.")
    for warning in found.warnings:
        console.print(f"Note: {warning}", highlight=False)
    console.print(f"Fields: {', '.join(found.fields)}", highlight=False)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.rpartition("=")
    if not equals:
        raise click.BadParameter(f"{text!r} is not of the form NAME=VALUE.")
    return name, value
