"""``skvoz why``: why records are one client, or two clients are not; on a day; as a picture."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast
from uuid import UUID

import click
from rich.console import Console
from rich.markup import escape

from api.command.report import DAY
from api.command.running import at_work, in_loop, workspace_option
from api.command.screen import open_console
from api.evidence.drawing import draw
from api.language import Language
from core.database import PsycopgConnection, driver
from core.errors import SettingsError
from sync.identity.explain import Evidence, why, why_not
from sync.identity.graph import Graph, graph_of
from sync.identity.replay import Change, Past, as_of


@click.command("why")
@click.argument("client", type=click.UUID)
@click.argument("other", type=click.UUID, required=False)
@click.option(
    "--as-of", "day", type=DAY, help="Who it was at the end of a day (YYYY-MM-DD, UTC), and what changed."
)
@click.option("--svg", "file", type=click.Path(dir_okay=False, path_type=Path), help="Draw the evidence into FILE.")
@click.option("--lang", type=click.Choice(["en", "ru"]), default="en", help="Language of the picture's labels.")
@workspace_option
@in_loop
async def command(
    client: UUID, other: UUID | None, day: datetime | None, file: Path | None, lang: str, workspace: str | None
) -> None:
    """Say why the records of CLIENT are one client, and which single key would part it.

    With OTHER: why the two are not one. With --as-of: which records were the client on that day, and what has
    joined or parted them since.
    """
    if (other is not None) + (day is not None) + (file is not None) > 1:
        raise SettingsError("Ask for one at a time: another client, --as-of, or --svg.")
    console = open_console()
    async with at_work(workspace) as (office, workspace_id), office.database.workspace(workspace_id) as db:
        conn = driver(db)
        if other is not None:
            for sentence in await why_not(conn, workspace_id, client, other):
                console.print(escape(sentence))
        elif day is not None:
            end = day.replace(tzinfo=UTC) + timedelta(days=1)
            _show_past(console, await as_of(conn, workspace_id, client, end), client)
        elif file is not None:
            _draw(console, await graph_of(conn, workspace_id, client), file, cast("Language", lang))
        else:
            await _show(console, conn, workspace_id, client)


async def _show(console: Console, conn: PsycopgConnection, workspace_id: UUID, client: UUID) -> None:
    explained = await why(conn, workspace_id, client)
    console.print(f"{explained.records:,} records are one client.")
    for key in explained.joined_by:
        console.print(escape(_told(key)))
    for kind, value, reason in explained.shared:
        console.print(escape(f"{kind} {value} joins nobody ({reason})."))


def _draw(console: Console, graph: Graph, file: Path, language: Language) -> None:
    file.write_text(draw(graph, language), encoding="utf-8")
    console.print(escape(f"Drew {len(graph.nodes):,} records and {len(graph.edges):,} keys into {file}."))


def _show_past(console: Console, past: Past, asked: UUID) -> None:
    led = "" if past.client == asked else f" The id led to {past.client} then."
    console.print(f"{len(past.records):,} records were one client.{led}")
    for record in past.records:
        now = "" if record.client == past.client else f" (now of {record.client or 'nobody'})"
        console.print(escape(f"{record.kind} {record.id}{now}"))
    for change in past.changes:
        console.print(escape(_said(change)))


def _said(change: Change) -> str:
    """A merge or a split in a sentence, with what joined the two."""
    keys = ", ".join(f"{key['kind']} {key['value']}" for key in change.evidence.get("keys", ())[:3])
    what = f"{change.origin} {'became part of' if change.kind == 'merge' else 'lost records to'} {change.to}"
    why = f", by {keys}" if keys else ""
    return f"{change.at:%Y-%m-%d %H:%M}: {what} ({len(change.records):,} records{why}; {change.actor})."


def _told(key: Evidence) -> str:
    said = ", ".join(f"{kind} {id} ({raw})" for kind, id, raw in key.records)
    return f"{key.kind} {key.value}{' holds it together alone' if key.parts else ''}: {said}"
