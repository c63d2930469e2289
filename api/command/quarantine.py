"""``skvoz quarantine``: records that could not be understood."""

from __future__ import annotations

import click
from rich.console import Console
from rich.table import Table

from api.command.running import at_work, in_loop, workspace_option
from api.command.sync import choose
from sync.quarantine import in_quarantine, replay


@click.group("quarantine")
def command() -> None:
    """Look at the records that could not be mapped, and replay them after a mapping was mended."""


@command.command("list")
@click.argument("connections", nargs=-1)
@click.option("--raw", is_flag=True, help="Show each record as the vendor sent it. It may hold personal data.")
@workspace_option
@in_loop
async def show(connections: tuple[str, ...], raw: bool, workspace: str | None) -> None:
    """List what waits in quarantine, with the reason."""
    table = Table("Connection", "Stream", "Record", "Since", "Reason")
    console = Console()
    async with at_work(workspace) as (office, workspace_id):
        for each in await choose(office, workspace_id, connections):
            for refused in await in_quarantine(office, workspace_id, each.id):
                since = f"{refused.first_at:%Y-%m-%d %H:%M}"
                table.add_row(each.title, refused.stream, refused.external_id, since, refused.reason)
                if raw:
                    table.add_row("", "", "", "", refused.raw.decode(errors="replace"))
    console.print(table)


@command.command("replay")
@click.argument("connections", nargs=-1)
@workspace_option
@in_loop
async def again(connections: tuple[str, ...], workspace: str | None) -> None:
    """Map the records in quarantine again; the vendor is not asked."""
    async with at_work(workspace) as (office, workspace_id):
        for each in await choose(office, workspace_id, connections):
            counts = await replay(office, workspace_id, each.id)
            if counts.fetched:
                click.echo(
                    f"{each.title}: {counts.fetched - counts.quarantined} of {counts.fetched} left quarantine."
                )
