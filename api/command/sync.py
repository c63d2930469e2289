"""``skvoz sync``: read connections now, in this process, with progress."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from uuid import UUID

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from sqlalchemy import select

from api.command.running import at_work, in_loop, workspace_option
from schema.enums import RunState, RunTrigger
from schema.tables import Connection
from sync.connections import resync
from sync.errors import NotFound
from sync.office import Office
from sync.run import Progress as Step
from sync.run import RunResult, run_connection


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
@workspace_option
@in_loop
async def command(connections: tuple[str, ...], again: bool, workspace: str | None) -> None:
    """Read CONNECTIONS (ids, titles or connector keys; all of them if none is named) now and show progress.

    Interrupted, it goes on next time from the last page that was stored.
    """
    console = Console()
    async with at_work(workspace) as (office, workspace_id):
        chosen = await choose(office, workspace_id, connections)
        if again:
            for each in chosen:
                await resync(office, workspace_id, each.id)
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
        return [each for each in known if each.state != "paused"]
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
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[counts]}"),
        TimeElapsedColumn(),
        console=console,
        transient=False,
    ) as bars:
        return list(
            await asyncio.gather(*(_sync_one(office, workspace_id, each, _Bars(bars, each)) for each in chosen))
        )


async def _sync_one(office: Office, workspace_id: UUID, each: Chosen, bars: _Bars) -> RunResult:
    return await run_connection(office, workspace_id, each.id, trigger=RunTrigger.COMMAND, tell=bars.tell)


class _Bars:
    """The bars of one connection's streams."""

    def __init__(self, bars: Progress, connection: Chosen) -> None:
        self._bars = bars
        self._connection = connection
        self._tasks: dict[str, TaskID] = {}

    def tell(self, step: Step) -> None:
        if step.stream not in self._tasks:
            name = f"{self._connection.title[:24]:<24} {step.title[:28]:<28}"
            self._tasks[step.stream] = self._bars.add_task(name, total=None, counts="")
        counts = step.counts
        told = step.error or f"{counts.fetched:,} read, {counts.created:,} new, {counts.updated:,} changed" + (
            f", {counts.quarantined:,} in quarantine" if counts.quarantined else ""
        )
        if step.finished:
            self._bars.update(self._tasks[step.stream], total=1, completed=1, counts=told)
        else:
            total = 1 if step.done is not None else None
            self._bars.update(self._tasks[step.stream], total=total, completed=step.done or 0, counts=told)


def counts_table(chosen: list[Chosen], results: list[RunResult]) -> Table:
    """What each run did; fetched is the sum of created, updated, unchanged, skipped and quarantined."""
    table = Table(title="Syncs")
    for column in (
        "Connection",
        "Fetched",
        "= Created",
        "+ Updated",
        "+ Unchanged",
        "+ Skipped",
        "+ Quarantined",
        "Deleted",
    ):
        table.add_column(column, justify="left" if column == "Connection" else "right")
    table.add_column("State")
    for each, result in zip(chosen, results, strict=True):
        counts = result.counts
        table.add_row(
            each.title,
            *(
                f"{number:,}"
                for number in (
                    counts.fetched,
                    counts.created,
                    counts.updated,
                    counts.unchanged,
                    counts.skipped,
                    counts.quarantined,
                    counts.deleted,
                )
            ),
            result.error or str(result.state),
        )
    return table
