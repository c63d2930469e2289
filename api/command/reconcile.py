"""``skvoz reconcile``: our figures beside what a connected system reports itself."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import click
from rich.markup import escape
from rich.table import Table

from api.command.report import DAY
from api.command.running import at_work, in_loop, workspace_option
from api.command.screen import open_console
from api.command.sync import choose
from core import clock
from core.database import driver
from reports.reconciliation import By, Measure, Reconciled, Row, reconcile
from reports.terms import read_terms


@click.command("reconcile")
@click.argument("connection")
@click.option(
    "--measure",
    type=click.Choice([str(each) for each in Measure]),
    required=True,
    help="cost or clicks of an ad platform, calls or unique calls of a call tracker.",
)
@click.option("--from", "start", type=DAY, help="First day (YYYY-MM-DD). Default: 30 days before the last.")
@click.option("--to", "end", type=DAY, help="Last day. Default: today.")
@click.option("--by", type=click.Choice([str(each) for each in By]), default="source", show_default=True)
@workspace_option
@in_loop
async def command(
    connection: str, measure: str, start: datetime | None, end: datetime | None, by: str, workspace: str | None
) -> None:
    """Set our figures beside those of CONNECTION (its id, title or connector's key), with what they differ by.

    In every row theirs and the differences add up to ours exactly.
    """
    last = end.date() if end else clock.now().date()
    first = start.date() if start else last - timedelta(days=30)
    console = open_console()
    async with at_work(workspace) as (office, workspace_id):
        chosen = await choose(office, workspace_id, (connection,))
        async with office.database.workspace(workspace_id) as db:
            terms = await read_terms(driver(db), workspace_id)
            for each in chosen:
                found = await reconcile(driver(db), terms, each.id, Measure(measure), first, last, by=By(by))
                console.print(_table(found, f"{each.title}: {measure.replace('_', ' ')}, {first} to {last}"))


def _table(found: Reconciled, title: str) -> Table:
    table = Table(title=escape(title))
    table.add_column("")
    table.add_column("theirs", justify="right")
    table.add_column("differences")
    table.add_column("ours", justify="right")
    for row in found.rows:
        table.add_row(escape(str(row.day or row.name or "(no source)")), *_cells(row))
    table.add_section()
    table.add_row("all", *_cells(found.totals), style="bold")
    if found.synced_until is not None:
        table.caption = f"All that happened there before {found.synced_until:%Y-%m-%d %H:%M} UTC is here."
    return table


def _cells(row: Row) -> tuple[str, str, str]:
    said = "\n".join(
        f"{_number(amount):>12}  {cause.replace('_', ' ')}" for cause, amount in row.differences.items()
    )
    return _number(row.theirs), said, _number(row.ours)


def _number(amount: Decimal) -> str:
    return f"{amount:,.2f}" if amount % 1 else f"{amount:,.0f}"
