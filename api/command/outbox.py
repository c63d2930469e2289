"""``skvoz outbox``: what waits to be written to other systems, and what was."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

import click
from rich.table import Table

from api.command.rules import ACTOR, setting
from api.command.running import at_work, in_loop, workspace_option
from api.command.screen import open_console
from api.command.sync import choose
from sync.errors import NotFound
from sync.office import Office
from sync.writeback.item import Item
from sync.writeback.outbox import (
    OPEN,
    attempts_of,
    decide_conflict,
    edit,
    in_outbox,
    open_conflicts,
    replay,
    skip,
)
from sync.writeback.undo import preview_undo, undo

_ALL = (*OPEN, "done", "skipped")


@click.group("outbox")
def command() -> None:
    """Look at changes on their way to other systems; replay, skip or undo them."""


@command.command("list")
@click.argument("connections", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Those that are done or skipped too.")
@click.option("--requests", is_flag=True, help="Show every request and answer. They may hold personal data.")
@workspace_option
@in_loop
async def show(connections: tuple[str, ...], everything: bool, requests: bool, workspace: str | None) -> None:
    """List what waits, with the reason."""
    table = Table("Id", "Connection", "Write", "There", "State", "Since", "Reason")
    async with at_work(workspace) as (office, workspace_id):
        for each in await choose(office, workspace_id, connections):
            states = _ALL if everything else OPEN
            for item in await in_outbox(office.database, workspace_id, connection_id=each.id, states=states):
                since = f"{item.created_at:%Y-%m-%d %H:%M}"
                told = (item.write, item.external_id or "", item.state, since, item.reason or "")
                table.add_row(str(item.id)[:8], each.title, *told)
                if requests:
                    for one in await attempts_of(office.database, workspace_id, item.id):
                        table.add_row(
                            "", "", one.step, "", "", f"{one.at:%H:%M:%S}", f"{one.outcome} {one.request}"
                        )
    open_console().print(table)


@command.command("replay")
@click.argument("changes", nargs=-1, required=True)
@workspace_option
@in_loop
async def again(changes: tuple[str, ...], workspace: str | None) -> None:
    """Try CHANGES (ids or their beginnings) again. Each is looked for first, so that nothing is made twice."""
    async with at_work(workspace) as (office, workspace_id):
        for change in changes:
            await replay(office.database, workspace_id, (await _find(office, workspace_id, change)).id)
    click.echo("They go out with the next delivery.")


@command.command("skip")
@click.argument("changes", nargs=-1, required=True)
@workspace_option
@in_loop
async def leave_out(changes: tuple[str, ...], workspace: str | None) -> None:
    """Leave CHANGES out, so that later ones of the same record can go."""
    async with at_work(workspace) as (office, workspace_id):
        for change in changes:
            await skip(office.database, workspace_id, (await _find(office, workspace_id, change)).id, ACTOR)
    click.echo("Left out.")


@command.command("undo")
@click.argument("change")
@click.option("--yes", is_flag=True, help="Don't ask.")
@workspace_option
@in_loop
async def take_back(change: str, yes: bool, workspace: str | None) -> None:
    """Take a written CHANGE back, after a look at what that would change there."""
    async with at_work(workspace) as (office, workspace_id):
        item = await _find(office, workspace_id, change)
        preview = await preview_undo(office, workspace_id, item.id)
        table = Table("Field", "Now", "Then", title=preview.sentence)
        for line in preview.lines:
            table.add_row(line.field, str(line.now or ""), str(line.then or ""))
        open_console().print(table)
        if preview.obstacle:
            raise click.ClickException(preview.obstacle)
        if yes or click.confirm("Take it back?"):
            await undo(office, workspace_id, item.id)
            click.echo("It goes out with the next delivery.")


@command.command("conflicts")
@workspace_option
@in_loop
async def conflicts(workspace: str | None) -> None:
    """List the fields that wait for a person: what was known to stand there, what stands there, what we want."""
    table = Table("Change", "There", "Field", "Was", "Theirs", "Ours", "Ours comes from", "Since")
    async with at_work(workspace) as (office, workspace_id):
        titles = {each.id: each.title for each in await choose(office, workspace_id, ())}
        for one in await open_conflicts(office.database, workspace_id):
            there = f"{titles.get(one.connection_id, '')} {one.external_id}"
            values = [str(value or "") for value in (one.base, one.theirs, one.ours)]
            source = f"{one.source or one.cause_kind}, {one.cause_at:%Y-%m-%d %H:%M}"
            table.add_row(str(one.outbox_id)[:8], there, one.field, *values, source, f"{one.at:%Y-%m-%d %H:%M}")
    open_console().print(table)


@command.command("decide")
@click.argument("change")
@click.argument("field")
@click.argument("decision", type=click.Choice(["ours", "theirs"]))
@workspace_option
@in_loop
async def decide(change: str, field: str, decision: Literal["ours", "theirs"], workspace: str | None) -> None:
    """Decide a FIELD of a CHANGE that waits. Ours is written only if what was looked at still stands there."""
    async with at_work(workspace) as (office, workspace_id):
        item = await _find(office, workspace_id, change)
        await decide_conflict(office.database, workspace_id, item.id, field, decision, ACTOR)
    click.echo("It goes out with the next delivery." if decision == "ours" else "What stands there holds.")


@command.command("edit")
@click.argument("change")
@click.option("--set", "values", multiple=True, required=True, metavar="NAME=VALUE", help="null takes a field out.")
@workspace_option
@in_loop
async def alter(change: str, values: tuple[str, ...], workspace: str | None) -> None:
    """Change what a CHANGE is to write, and try it again; only while it certainly doesn't stand there."""
    told = {name: None if value == "null" else value for name, value in map(setting, values)}
    async with at_work(workspace) as (office, workspace_id):
        item = await _find(office, workspace_id, change)
        await edit(office.database, workspace_id, item.id, told)
    click.echo("It goes out with the next delivery.")


async def _find(office: Office, workspace_id: UUID, beginning: str) -> Item:
    items = await in_outbox(office.database, workspace_id, states=_ALL, limit=100_000)
    found = [item for item in items if str(item.id).startswith(beginning)]
    if len(found) != 1:
        raise NotFound(
            f"{len(found)} changes have an id that begins with {beginning!r}: see `skvoz outbox list --all`."
        )
    return found[0]
