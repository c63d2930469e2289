"""``skvoz worker``: scheduled and requested syncs."""

from __future__ import annotations

import asyncio

import click

from api.command.running import in_loop
from core.errors import SkvozError
from core.settings import load_settings
from sync.jobs import Jobs
from sync.office import open_office


@click.command("worker")
@click.option("--concurrency", default=8, show_default=True, help="Syncs at the same time in this process.")
@in_loop
async def command(concurrency: int) -> None:
    """Work on scheduled and requested syncs until interrupted.

    Start as many workers as you like, on as many machines: they share the queue, the vendors' rate limits and
    the leases of the streams. An interrupted run stops after the page in hand and goes on next time. With
    SKVOZ_METRICS_PORT it answers Prometheus.
    """
    settings = load_settings()
    async with open_office(settings) as office, Jobs(office).opened() as jobs:
        click.echo("Waiting for work. Ctrl-C stops after the page in hand.")
        try:
            async with asyncio.TaskGroup() as tasks:
                if settings.metrics_port is not None:
                    from api.serve import serve_metrics  # not at the top: all of the API comes with it, 20 MB

                    tasks.create_task(serve_metrics(office, settings.metrics_port))
                tasks.create_task(jobs.work(concurrency=concurrency))
        except* SkvozError as errors:
            raise errors.exceptions[0] from None
        finally:
            jobs.stop_runs()
