"""``skvoz sync``: read connections now, in this process, with progress."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import click
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column, Table
from sqlalchemy import select

from api.command.running import at_work, in_loop, workspace_option
from api.command.screen import duration, open_console, quiet_logs
from connectors import own
from connectors.registry import connector
from schema.enums import RunState, RunTrigger
from schema.tables import Connection
from sync.connections import resync
from sync.errors import NotFound
from sync.office import Office
from sync.rereading import reread
from sync.run import Progress as Step
from sync.run import run_connection
from sync.run_life import RunResult

_TELLING_SECONDS = 3.0
"""An estimate from less than this is a guess."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A connection as commands show it."""

    id: UUID
    connector: str
    title: str
    state: str


@click.command("sync")
@click.argument("connections", nargs=-1)
@click.option("--again", is_flag=True, help="Read everything again from the beginning, not only what is new.")
@click.option(
    "--from",
    "since",
    metavar="DATE",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Read once more everything from this day on (2026-03-31), beside what is new.",
)
@workspace_option
@in_loop
async def command(connections: tuple[str, ...], again: bool, since: datetime | None, workspace: str | None) -> None:
    """Read CONNECTIONS (ids, titles or connector keys; all of them if none is named) now and show progress.

    Interrupted, it goes on next time from the last page that was stored.
    """
    if again and since is not None:
        raise click.UsageError("Use either --again or --from.")
    console = open_console()
    if console.is_terminal:
        quiet_logs()
    async with at_work(workspace) as (office, workspace_id):
        chosen = await choose(office, workspace_id, connections)
        if again:
            for each in chosen:
                await resync(office, workspace_id, each.id)
        if since is not None:
            for each in chosen:
                await reread(office, workspace_id, each.id, since.date())
        results = await sync_all(console, office, workspace_id, chosen)
    console.print(counts_table(chosen, results))
    if any(result.state is not RunState.SUCCEEDED for result in results):
        raise click.exceptions.Exit(1)


async def choose(office: Office, workspace_id: UUID, names: tuple[str, ...]) -> list[Chosen]:
    """Connections by id, title or connector key; without names, all that aren't paused. Raises NotFound."""
    async with office.database.workspace(workspace_id) as db:
        rows = (
            await db.execute(
                select(Connection.id, Connection.connector, Connection.title, Connection.state)
                .where(Connection.workspace_id == workspace_id)
                .order_by(Connection.created_at)
            )
        ).all()
    known = [Chosen(*row) for row in rows]
    if not names:
        return [each for each in known if each.state != "paused" and each.connector != own.KEY]
    chosen: list[Chosen] = []
    for name in names:
        matching = [each for each in known if name in {str(each.id), each.title, each.connector}]
        if not matching:
            titles = ", ".join(f"{each.title} ({each.connector})" for each in known) or "none yet"
            raise NotFound(f"There is no connection {name!r}. Connected: {titles}.")
        chosen.extend(each for each in matching if each not in chosen)
    return chosen


async def sync_all(console: Console, office: Office, workspace_id: UUID, chosen: list[Chosen]) -> list[RunResult]:
    """Read all of them side by side, a progress bar for each stream."""
    title = min(max((len(each.title) for each in chosen), default=0), 24)
    stream = max(map(len, _stream_titles(chosen)), default=0)
    roomy = console.width >= title + stream + 75
    names = title, stream if roomy else min(stream, max(16, console.width - title - 36))
    with Progress(
        TextColumn("{task.description}", table_column=Column(no_wrap=True)),
        *([BarColumn(bar_width=20)] if roomy else []),
        TextColumn("{task.fields[counts]}", table_column=Column(no_wrap=True)),
        TimeElapsedColumn(),
        console=console,
    ) as shown:
        bars = [_Bars(shown, each, names) for each in chosen]
        return list(
            await asyncio.gather(
                *(
                    run_connection(office, workspace_id, each.id, trigger=RunTrigger.COMMAND, tell=of_it.tell)
                    for each, of_it in zip(chosen, bars, strict=True)
                )
            )
        )


def _stream_titles(chosen: list[Chosen]) -> list[str]:
    return [stream.title for each in chosen for stream in connector(each.connector).streams]


class _Bars:
    """The bars of one connection's streams, in the connector's order; one is seen once its stream is read."""

    def __init__(self, shown: Progress, connection: Chosen, names: tuple[int, int]) -> None:
        self._shown = shown
        self._tasks: dict[str, TaskID] = {}
        self._begun: dict[str, tuple[float, float]] = {}
        for stream in connector(connection.connector).streams:
            name = f"{_cut(connection.title, names[0])} {_cut(stream.title, names[1])}"
            self._tasks[stream.name] = shown.add_task(name, start=False, total=None, visible=False, counts="")

    def tell(self, step: Step) -> None:
        task = self._tasks[step.stream]
        self._shown.start_task(task)
        counts = step.counts
        told = step.error or f"{counts.fetched:,} read, {counts.created:,} new" + (
            (f", {counts.updated:,} changed" if counts.updated else "")
            + (f", {counts.quarantined:,} in quarantine" if counts.quarantined else "")
        )
        if step.finished:
            self._shown.update(task, visible=True, total=1, completed=1, counts=told)
        else:
            total = 1 if step.done is not None else None
            told += self._left(step)
            self._shown.update(task, visible=True, total=total, completed=step.done or 0, counts=told)

    def _left(self, step: Step) -> str:
        """How long the rest takes at the pace since the first page: a resumed run doesn't begin at nothing."""
        if not step.done or not step.counts.fetched:
            return ""
        at, share = self._begun.setdefault(step.stream, (time.monotonic(), step.done))
        left = seconds_left(time.monotonic() - at, share, step.done)
        return "" if left is None else f", about {duration(left)} left"


def seconds_left(elapsed: float, began_at: float, done: float) -> float | None:
    """How long the rest takes when the share that is behind us grew from ``began_at`` to ``done`` (0 to 1) in
    ``elapsed`` seconds. None where that is too little to tell by."""
    if elapsed < _TELLING_SECONDS or done <= began_at or done >= 1:
        return None
    return elapsed * (1 - done) / (done - began_at)


def _cut(text: str, length: int) -> str:
    return f"{text:<{length}}" if len(text) <= length else f"{text[: length - 1]}…"


def counts_table(chosen: list[Chosen], results: list[RunResult]) -> Table:
    """What each run did; fetched is the sum of created, updated, unchanged, skipped and quarantined."""
    troubles = [
        f"{each.title}: {result.error or result.state}"
        for each, result in zip(chosen, results, strict=True)
        if result.state is not RunState.SUCCEEDED
    ]
    table = Table(
        title="Syncs",
        caption="\n".join(["Fetched = created + updated + unchanged + skipped + quarantined", *troubles]),
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=0,
    )
    table.add_column("Connection", overflow="fold")
    for heading in ("Fetched", "Created", "Updated", "Unchanged", "Skipped", "Quarantined", "Deleted"):
        table.add_column(heading, justify="right", no_wrap=True, min_width=len(heading))
    for each, result in zip(chosen, results, strict=True):
        counts = result.counts
        mark = "[green]✓[/green]" if result.state is RunState.SUCCEEDED else "[red]✗[/red]"
        numbers = (
            counts.fetched,
            counts.created,
            counts.updated,
            counts.unchanged,
            counts.skipped,
            counts.quarantined,
            counts.deleted,
        )
        table.add_row(f"{mark} {escape(each.title)}", *(f"{number:,}" for number in numbers))
    return table
