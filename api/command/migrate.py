"""``skvoz migrate``: bring the database to the newest schema."""

from __future__ import annotations

import click

from api.command.running import in_loop
from core.database import open_database
from core.settings import load_settings
from schema.migrate import migrate, newest_revision


@click.command("migrate")
@in_loop
async def command() -> None:
    """Bring the database to the newest schema.

    `serve`, `worker` and `sync` do this at their start too; several processes at once migrate only once.
    """
    async with open_database(load_settings()) as database:
        changed = await migrate(database)
    click.echo(
        f"The schema is now at {newest_revision()}."
        if changed
        else f"Already at {newest_revision()}: nothing to do."
    )
