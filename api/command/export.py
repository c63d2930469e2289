"""``skvoz export``: tables for analysts as files."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from api.command.running import at_work, in_loop, workspace_option
from api.command.screen import open_console
from api.exports.asking import Asked, ExportRefused, Format
from api.exports.credits import credits_schema
from api.exports.door import open_export
from api.exports.formats import written
from api.exports.reading import schema_of
from schema.analytics import VIEWS
from schema.enums import Role

DAY = click.DateTime(["%Y-%m-%d"])


@click.command("export")
@click.argument("name", required=False, metavar="TABLE")
@click.option("--to-file", "path", type=click.Path(dir_okay=False, path_type=Path), help="Where it goes.")
@click.option(
    "--format", "form", type=click.Choice([str(each) for each in Format]), help="Default: by the file's end."
)
@click.option("--from", "start", type=DAY, help="First day (YYYY-MM-DD).")
@click.option("--to", "end", type=DAY, help="Last day.")
@click.option(
    "--after", type=int, metavar="CURSOR", help="Only what changed since the export that told this cursor."
)
@click.option("--masked", is_flag=True, help="With personal data masked, as analysts see it.")
@workspace_option
@in_loop
async def command(
    name: str | None,
    path: Path | None,
    form: str | None,
    start: datetime | None,
    end: datetime | None,
    after: int | None,
    masked: bool,
    workspace: str | None,
) -> None:
    """Write a table for analysts to a file: clients, history, touches, credits, spend or report.

    Without TABLE: the tables with all their columns and what they mean. The last line tells the cursor from which
    the next export goes on; its rows replace those of the same clients.
    """
    console = open_console()
    if name is None:
        _show_tables(console)
        return
    chosen = _format(path, form)
    path = path or Path(f"{name}.{chosen}")
    async with at_work(workspace) as (office, workspace_id), AsyncExitStack() as stack:
        asked = Asked(
            workspace_id,
            Role.ANALYST if masked else Role.OWNER,
            start.date() if start else None,
            end.date() if end else None,
            after,
        )
        export = await open_export(stack, office.database, name, asked)
        counted = _Counted()
        rows = await _write(console, path, written(export, chosen, counted), counted)
    console.print(f"{rows:,} rows of {name} are in {path}.")
    console.print(f"Next time only what changed: --after {export.cursor}")


class _Counted:
    """Remembers how many rows are out."""

    def __init__(self) -> None:
        self.rows = 0

    def __call__(self, rows: int) -> None:
        self.rows = rows


async def _write(console: Console, path: Path, parts: AsyncIterator[bytes], counted: _Counted) -> int:
    """Beside the file first: a broken export leaves the former one as it was."""
    beside = path.with_name(f".{path.name}.part")
    try:
        with beside.open("wb") as file, console.status("Exporting …") as status:
            async for part in parts:
                file.write(part)
                status.update(f"Exporting … {counted.rows:,} rows")
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    return counted.rows


def _format(path: Path | None, form: str | None) -> Format:
    if form is not None:
        return Format(form)
    if path is None:
        return Format.PARQUET
    try:
        return Format(path.suffix.removeprefix("."))
    except ValueError:
        ends = ", ".join(f".{each}" for each in Format)
        raise ExportRefused(f"End the file's name with {ends}, or say --format.") from None


def _show_tables(console: Console) -> None:
    for name, schema in [*((view.name, schema_of(view, 0)) for view in VIEWS), ("credits", credits_schema())]:
        table = Table("Column", "Type", "Meaning", title=f"{name}: {schema.metadata[b'meaning'].decode()}")
        for field in schema:
            table.add_row(field.name, str(field.type), field.metadata[b"meaning"].decode())
        console.print(table)
