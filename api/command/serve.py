"""``skvoz serve``: the API."""

from __future__ import annotations

import click

from api.command.running import in_loop
from api.processes import serve_in_processes
from api.serve import serve
from core.settings import load_settings
from sync.office import open_office


@click.command("serve")
@click.option(
    "--processes", type=click.IntRange(min=1), default=1, help="How many processes answer: one for each core."
)
@in_loop
async def command(processes: int) -> None:
    """Serve the GraphQL API on SKVOZ_HOST:SKVOZ_PORT until interrupted.

    Scheduled syncs are done by `skvoz worker`, on this machine or others.
    """
    settings = load_settings()

    def ready() -> None:
        click.echo(f"GraphQL at http://{settings.host}:{settings.port}/graphql")

    async with open_office(settings) as office:
        if processes == 1:
            await serve(office, ready=ready)
        else:
            await serve_in_processes(settings, processes, ready=ready)
