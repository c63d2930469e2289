"""``skvoz why-missing``: why a record isn't in the campaign report, or what became of all records of a kind."""

from __future__ import annotations

from datetime import datetime, timedelta

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from api.command.report import DAY
from api.command.running import at_work, in_loop, workspace_option
from api.command.screen import open_console
from connectors.registry import all_connectors
from core import clock
from core.database import driver
from core.errors import SettingsError
from reports.missing import Tested, Traced, why_missing
from reports.missing_in_bulk import FIGURE_OF, Missing, whats_missing
from reports.terms import read_terms
from schema.enums import RecordKind


@click.command("why-missing")
@click.argument("record", required=False)
@click.option("--all", "kind", type=click.Choice([str(each) for each in FIGURE_OF]), help="All records of a kind.")
@click.option("--from", "start", type=DAY, help="First day (YYYY-MM-DD). Default: 30 days before the last.")
@click.option("--to", "end", type=DAY, help="Last day. Default: today.")
@workspace_option
@in_loop
async def command(
    record: str | None, kind: str | None, start: datetime | None, end: datetime | None, workspace: str | None
) -> None:
    """Say which tests RECORD passed and failed on its way to the campaign report.

    RECORD is the id of a visit, call, lead, order, deal, invoice or payment, here or in the external system, or a
    click id of an ad platform's conversion. With --all: how many records of a kind came through, and where the
    others stayed; the numbers add up to the report and to the source records.
    """
    if (record is None) == (kind is None):
        raise SettingsError("Name a record, or a kind with --all.")
    last = end.date() if end else clock.now().date()
    first = start.date() if start else last - timedelta(days=30)
    console = open_console()
    async with at_work(workspace) as (office, workspace_id), office.database.workspace(workspace_id) as db:
        terms = await read_terms(driver(db), workspace_id)
        if record is not None:
            days = (first, last) if start or end else (None, None)
            for each in await why_missing(driver(db), terms, record, *days):
                _show(console, each)
            return
        wanted = RecordKind(str(kind))
        streams = [
            (key, stream.name)
            for key, connector in all_connectors().items()
            for stream in connector.streams
            if wanted in stream.makes
        ]
        found = await whats_missing(driver(db), terms, wanted, first, last, streams)
    console.print(_table(found, f"{wanted}s, {first} to {last}"))


def _show(console: Console, each: Traced) -> None:
    of = f" ({each.connector})" if each.connector else ""
    console.print(escape(f"{each.kind or 'record'} {each.source_id}{of}"), style="bold")
    for test in each.tests:
        sign = {True: "[green]✓[/]", False: "[red]✗[/]", None: "·"}[test.passed]
        console.print(f"  {sign} {test.test}: {escape(test.said)}", highlight=False)
        if test.fix and test.passed is False:
            console.print(f"    {escape(test.fix)}", style="dim", highlight=False)
    console.print(f"  [bold]{escape(_verdict(each.failed))}[/]")


def _verdict(failed: Tested | None) -> str:
    return "In the report." if failed is None else f"Missing from the campaigns: {failed.test}."


def _table(found: Missing, title: str) -> Table:
    table = Table(title=title)
    table.add_column("what became of them")
    table.add_column("number", justify="right")
    table.add_column("money", justify="right")
    for line in found.lines:
        what = str(line.outcome).replace("_", " ") + (f": {line.reason.replace('_', ' ')}" if line.reason else "")
        table.add_row(what, f"{line.number:,}", f"{line.money:,.2f}" if line.money else "")
    table.add_section()
    table.add_row(f"in the report ({found.figure})", f"{found.counted:,}", f"{found.report_money:,.2f}")
    table.add_row("records of these days", f"{found.records:,}", "")
    table.add_row("records of other days", f"{found.other_days:,}", "")
    table.add_row("more than one of a source record", f"{-found.more_of_one:,}", "")
    table.add_row("in quarantine", f"{found.unreadable:,}", "")
    table.add_row("source records of something else", f"{found.skipped:,}", "")
    table.add_row("source records", f"{found.sources:,}", "")
    return table
