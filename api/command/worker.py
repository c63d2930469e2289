"""``skvoz worker``: scheduled and requested syncs."""

from __future__ import annotations

import click

from api.command.running import in_loop
from core.settings import load_settings
from sync.jobs import Jobs
from sync.office import open_office


@click.command("worker")
@click.option("--concurrency", default=4, show_default=True, help="Syncs at the same time in this process.")
@in_loop
async def command(concurrency: int) -> None:
    """Work on scheduled and requested syncs until interrupted.

    Start as many workers as you like, on as many machines: they share the queue, the vendors' rate limits and
    the leases of the streams. An interrupted run stops after the page in hand and goes on next time.
    """
    async with open_office(load_settings()) as office, Jobs(office).opened() as jobs:
        click.echo("Waiting for work. Ctrl-C stops after the page in hand.")
        try:
            await jobs.work(concurrency=concurrency)
        finally:
            jobs.stop_runs()
