"""``skvoz report``: which campaigns bring clients, on the terminal."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path

import click
import orjson

from api.command.running import at_work, in_loop, workspace_option
from api.command.screen import open_console
from core import clock
from core.database import driver
from reports.campaigns import Grain, campaign_report
from reports.render import as_json, as_table

DAY = click.DateTime(["%Y-%m-%d"])


@click.command("report")
@click.option("--from", "start", type=DAY, help="First day (YYYY-MM-DD). Default: 30 days before the last.")
@click.option("--to", "end", type=DAY, help="Last day. Default: today.")
@click.option(
    "--by",
    type=click.Choice([str(grain) for grain in Grain]),
    default="campaign",
    show_default=True,
    help="What a row is.",
)
@click.option(
    "--as-known-at",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"]),
    help="The report as it was known at that moment (UTC), before what was learnt later.",
)
@click.option("--json", "path", type=click.Path(path_type=Path, allow_dash=True), help="Write JSON there (- here).")
@workspace_option
@in_loop
async def command(
    start: datetime | None,
    end: datetime | None,
    by: str,
    as_known_at: datetime | None,
    path: Path | None,
    workspace: str | None,
) -> None:
    """Show the campaign report: spend, visits, calls, leads, new clients, won deals, revenue and what follows.

    Deals are credited to the last touch that isn't direct; what couldn't be attributed stands in rows of its own,
    each with the reason.
    """
    last = end.date() if end else clock.now().date()
    first = start.date() if start else last - timedelta(days=30)
    known = as_known_at.replace(tzinfo=as_known_at.tzinfo or clock.now().tzinfo) if as_known_at else None
    async with at_work(workspace) as (office, workspace_id), office.database.workspace(workspace_id) as db:
        report = await campaign_report(driver(db), workspace_id, first, last, by=Grain(by), as_known_at=known)
    if path is None:
        console = open_console()
        console.print(as_table(report, title=_title(first, last, known), width=console.width))
        return
    _write(path, orjson.dumps(as_json(report), option=orjson.OPT_INDENT_2))


def _write(path: Path, text: bytes) -> None:
    if str(path) == "-":
        click.echo(text)
    else:
        path.write_bytes(text)


def _title(first: date, last: date, known: datetime | None) -> str:
    return f"Campaigns, {first} to {last}" + (f", as known at {known:%Y-%m-%d %H:%M} UTC" if known else "")
