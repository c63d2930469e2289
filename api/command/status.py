"""``skvoz status``: how every connection stands."""

from __future__ import annotations

from datetime import datetime

import click
import orjson
from rich import box
from rich.console import Console, Group
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from api.command.running import at_work, in_loop, workspace_option
from api.command.screen import duration, open_console
from api.command.sync import choose
from sync.status import ConnectionStatus, QueueStatus, Status, StreamStatus, workspace_status
from sync.weighing import weighing

_MARKS = {"good": "[green]●[/green]", "waiting": "[yellow]●[/yellow]", "bad": "[red]●[/red]", "off": "[dim]○[/dim]"}
_LATE_SECONDS = 7200
"""A list that is further behind catches the eye."""


@click.command("status")
@click.argument("connections", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
@workspace_option
@in_loop
async def command(connections: tuple[str, ...], as_json: bool, workspace: str | None) -> None:
    """Show how CONNECTIONS (ids, titles or connector keys; all of them if none is named) stand.

    Per list of records: how far behind it is, what the last sync did, what is wrong. Per connection: the next sync,
    requests used of the system's limits, and what waits in quarantine, outbox and inbox. Ends with 1 if one of them
    needs a person.
    """
    async with at_work(workspace) as (office, workspace_id):
        only = [each.id for each in await choose(office, workspace_id, connections)] if connections else None
        status = await workspace_status(office.database, workspace_id, only)
        weighed = await weighing(office.database, workspace_id)
    if as_json:
        click.echo(orjson.dumps(status, default=str, option=orjson.OPT_INDENT_2))
    else:
        console = open_console()
        show(console, status)
        if weighed.proposed is not None:
            console.print(f"[yellow]{weighed.sentence}[/yellow] See: skvoz review")
    if any(_mark(each) == "bad" for each in status.connections):
        raise click.exceptions.Exit(1)


def show(console: Console, status: Status) -> None:
    """Print it, fit for 80 columns."""
    if not status.connections:
        console.print("Nothing is connected yet. `skvoz connectors` tells what can be, `skvoz connect` does it;")
        console.print("`skvoz demo` shows everything with a pretend market.")
        return
    for each in status.connections:
        console.print(Group(_head(each), *([Padding(_streams(each), (0, 0, 0, 2))] if each.streams else ())))
        for line in _facts(each, status.at):
            console.print(Padding(f"[dim]{line}[/dim]", (0, 0, 0, 2)))
        console.print()
    if not status.workers:
        console.print("[yellow]No worker is running: nothing happens by schedule.[/yellow] Start one: skvoz worker")
    else:
        console.print(f"[dim]{status.workers} worker{'s' if status.workers > 1 else ''} running.[/dim]")


def _mark(each: ConnectionStatus) -> str:
    if each.state == "paused":
        return "off"
    if each.state != "active" or (each.last_run is not None and each.last_run.state == "failed"):
        return "bad"
    if each.breaker is not None or each.last_run is None or each.last_run.state == "waiting":
        return "waiting"
    return "good"


def _head(each: ConnectionStatus) -> str:
    name = f"[bold]{escape(each.title)}[/bold]"
    named = name if each.title == each.connector else f"{name} [dim]({each.connector})[/dim]"
    return f"{_MARKS[_mark(each)]} {named}  {escape(each.sentence)}"


def _streams(each: ConnectionStatus) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("List", no_wrap=True, overflow="ellipsis", max_width=24)
    for heading in ("Behind", "Read", "New", "Changed"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("State", overflow="fold")
    for one in each.streams:
        counts = (one.fetched, one.created, one.updated)
        numbers = ["" if number is None else f"{number:,}" for number in counts]
        table.add_row(escape(one.title), _behind(one), *numbers, _state(one))
    return table


def _behind(one: StreamStatus) -> str:
    if one.lag_seconds is None:
        return "[dim]never[/dim]"
    late = one.lag_seconds > _LATE_SECONDS
    return f"[yellow]{duration(one.lag_seconds)}[/yellow]" if late else duration(one.lag_seconds)


def _state(one: StreamStatus) -> str:
    if one.error is not None:
        return f"[red]{escape(one.error)}[/red]"
    if not one.reading:
        if one.lag_seconds is None:
            return ""
        return "[green]fresh[/green]" if one.lag_seconds <= _LATE_SECONDS else "[yellow]behind[/yellow]"
    share = "" if one.done is None else f" {one.done:.0%}"
    left = "" if one.seconds_left is None else f", about {duration(one.seconds_left)} left"
    return f"reading{share}{left}"


def _facts(each: ConnectionStatus, at: datetime) -> list[str]:
    facts = [_last(each, at), _next(each, at)]
    facts += [
        f"{budget.used:,} of {budget.allowed:,} requests in {duration(budget.window_seconds)}"
        + (f", on hold for {duration((budget.held_until - at).total_seconds())}" if budget.held_until else "")
        for budget in each.budgets
    ]
    facts.append(f"[red]{each.quarantined:,} in quarantine[/red]" if each.quarantined else "")
    facts += [_queue("outbox", each.outbox, at), _queue("inbox", each.inbox, at)]
    if each.breaker is not None:
        since = duration((at - each.breaker.opened_at).total_seconds())
        facts.append(f"out of reach for {since}, {each.breaker.failures:,} faults in a row")
    if each.verified_at is not None:
        ago = duration((at - each.verified_at).total_seconds())
        facts.append(f"verified {ago} ago: {escape(each.verified or 'no result')}")
    return [" · ".join(filter(None, facts))]


def _last(each: ConnectionStatus, at: datetime) -> str:
    run = each.last_run
    if run is None:
        return "never synced"
    if run.finished_at is None:
        since = "" if run.started_at is None else f", begun {duration((at - run.started_at).total_seconds())} ago"
        return f"sync {run.state}{since}"
    return f"synced {duration((at - run.finished_at).total_seconds())} ago ({run.requests:,} requests)"


def _next(each: ConnectionStatus, at: datetime) -> str:
    if each.next_run_at is None:
        return ""
    seconds = (each.next_run_at - at).total_seconds()
    return f"next in {duration(seconds)}" if seconds > 0 else "next one is due"


def _queue(name: str, queue: QueueStatus, at: datetime) -> str:
    if not queue.waiting and not queue.parked:
        return ""
    parts = []
    if queue.waiting:
        oldest = "" if queue.oldest_at is None else f" for {duration((at - queue.oldest_at).total_seconds())}"
        parts.append(f"{queue.waiting:,} waiting{oldest}")
    if queue.parked:
        parts.append(f"[red]{queue.parked:,} parked[/red]")
    return f"{name} {', '.join(parts)}"
