"""``skvoz serve``: the API."""

from __future__ import annotations

import click

from api.command.running import in_loop
from api.serve import serve
from core.settings import load_settings
from sync.office import open_office


@click.command("serve")
@in_loop
async def command() -> None:
    """Serve the GraphQL API on SKVOZ_HOST:SKVOZ_PORT until interrupted.

    Scheduled syncs are done by `skvoz worker`, on this machine or others.
    """
    settings = load_settings()
    async with open_office(settings) as office:
        await serve(office, ready=lambda: click.echo(f"GraphQL at http://{settings.host}:{settings.port}/graphql"))
