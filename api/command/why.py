"""``skvoz why``: why records are one client, or two clients are not."""

from __future__ import annotations

from uuid import UUID

import click
from rich.markup import escape

from api.command.running import at_work, in_loop, workspace_option
from api.command.screen import open_console
from core.database import driver
from sync.identity.explain import Evidence, why, why_not


@click.command("why")
@click.argument("client", type=click.UUID)
@click.argument("other", type=click.UUID, required=False)
@workspace_option
@in_loop
async def command(client: UUID, other: UUID | None, workspace: str | None) -> None:
    """Say why the records of CLIENT are one client, and which single key would part it.

    With OTHER: why the two are not one.
    """
    console = open_console()
    async with at_work(workspace) as (office, workspace_id), office.database.workspace(workspace_id) as db:
        if other is not None:
            for sentence in await why_not(driver(db), workspace_id, client, other):
                console.print(escape(sentence))
            return
        explained = await why(driver(db), workspace_id, client)
    console.print(f"{explained.records:,} records are one client.")
    for key in explained.joined_by:
        console.print(escape(_told(key)))
    for kind, value, reason in explained.shared:
        console.print(escape(f"{kind} {value} joins nobody ({reason})."))


def _told(key: Evidence) -> str:
    said = ", ".join(f"{kind} {id} ({raw})" for kind, id, raw in key.records)
    return f"{key.kind} {key.value}{' holds it together alone' if key.parts else ''}: {said}"
