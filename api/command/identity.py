"""``skvoz identity``: whether all clients are what all records say, and making them so."""

from __future__ import annotations

from collections.abc import Iterable

import click
from rich.console import Console
from rich.markup import escape

from api.command.running import at_work, in_loop, workspace_option
from api.command.screen import open_console
from sync.identity.clusters import NodeKey
from sync.identity.whole import Checked
from sync.regrouping import check_clients, repair_clients

ACTOR = "command"


@click.group("identity")
def command() -> None:
    """Compare who is who with everything that is stored, or bring it up to that.

    Syncs tell who is who a page at a time; these do it from nothing, over all records at once, and must come to the
    same. Use them after an upgrade whose notes ask for it, or after a database was restored in parts.
    """


@command.command("check")
@click.option("--first", default=20, show_default=True, help="How many differences to show.")
@workspace_option
@in_loop
async def check(first: int, workspace: str | None) -> None:
    """Say where the clients differ from what all records tell. Changes nothing; exit status 1 if any differs."""
    console = open_console()
    async with at_work(workspace) as (office, workspace_id):
        checked = await check_clients(office.database, workspace_id, first)
    show(console, checked)
    if not checked.agrees:
        raise SystemExit(1)


@command.command("repair")
@workspace_option
@in_loop
async def repair(workspace: str | None) -> None:
    """Make the clients what all records tell. The log of merges keeps what was joined and parted."""
    console = open_console()
    async with at_work(workspace) as (office, workspace_id):
        done = await repair_clients(office.database, workspace_id, ACTOR)
    console.print(
        f"{done.founded:,} clients founded, {done.merged:,} merged, {done.parted:,} parted;"
        f" {len(done.touched):,} clients touched."
    )


def show(console: Console, checked: Checked) -> None:
    """Print what a check found."""
    console.print(f"{checked.records:,} records belong to {checked.groups:,} clients or visitors.")
    if checked.agrees:
        console.print("All of them are stored so.")
        return
    if checked.elsewhere:
        console.print(f"{checked.elsewhere:,} records are stored otherwise:")
    for each in checked.differences:
        clients = ", ".join(str(client or "nobody") for client in each.clients)
        console.print(escape(f"  {', '.join(map(str, each.records))}: of {clients}"))
    _show_keys(console, checked.unguarded, "must join nobody, and is not stored so")
    _show_keys(console, checked.overguarded, "joins nobody as stored, and should join")
    console.print("Run skvoz identity repair to make it so.")


def _show_keys(console: Console, keys: Iterable[NodeKey], what: str) -> None:
    for key in keys:
        console.print(escape(f"  {key.kind} {key.value} ({key.client_kind}) {what}"))
