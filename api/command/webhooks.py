"""``skvoz webhooks``: the doors at which connected systems tell what happened, and what came in at them."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import click
from rich.table import Table

from api.command.running import at_work, in_loop, workspace_option
from api.command.screen import open_console
from api.command.sync import Chosen, choose
from schema.enums import ReceivedState
from sync.errors import NotFound
from sync.inbox import desk
from sync.inbox.doors import Address, open_door
from sync.inbox.subscriptions import close, readdress, subscribe
from sync.office import Office

_GIVEN_UP = (ReceivedState.FAILED, ReceivedState.MALFORMED)


@click.group("webhooks")
def command() -> None:
    """Hear from connected systems at once: their addresses here, and what came in."""


@command.command("address")
@click.argument("connection")
@click.option(
    "--subscribe", "tell", is_flag=True, help="Tell the system the address over its API, where it has one."
)
@workspace_option
@in_loop
async def address(connection: str, tell: bool, workspace: str | None) -> None:
    """Show CONNECTION's address and where to enter it. It is a secret."""
    async with at_work(workspace) as (office, workspace_id):
        one = await _one(office, workspace_id, connection)
        door = await (subscribe if tell else open_door)(office, workspace_id, one.id)
        _show(office, door)


@command.command("rotate")
@click.argument("connection")
@click.option("--hours", default=168, show_default=True, help="How long the former address holds too.")
@workspace_option
@in_loop
async def rotate(connection: str, hours: int, workspace: str | None) -> None:
    """Give CONNECTION a new address."""
    async with at_work(workspace) as (office, workspace_id):
        one = await _one(office, workspace_id, connection)
        _show(office, await readdress(office, workspace_id, one.id, timedelta(hours=hours)))


@command.command("close")
@click.argument("connection")
@workspace_option
@in_loop
async def shut(connection: str, workspace: str | None) -> None:
    """Let nothing in at CONNECTION's address any more."""
    async with at_work(workspace) as (office, workspace_id):
        one = await _one(office, workspace_id, connection)
        closed = await close(office, workspace_id, one.id)
    click.echo("Closed." if closed else "It had no address.")


@command.command("list")
@click.argument("connections", nargs=-1)
@click.option("--given-up", is_flag=True, help="Only those that failed or could not be understood.")
@click.option(
    "--bodies", is_flag=True, help="Show what they say, without what looks like a secret or personal data."
)
@click.option("--limit", default=50, show_default=True, help="How many of each connection.")
@workspace_option
@in_loop
async def show(
    connections: tuple[str, ...], given_up: bool, bodies: bool, limit: int, workspace: str | None
) -> None:
    """List what came in, newest first."""
    table = Table("Id", "Connection", "Came", "Times", "State", "Speaks of", "Reason")
    async with at_work(workspace) as (office, workspace_id):
        for each in await choose(office, workspace_id, connections):
            states = _GIVEN_UP if given_up else tuple(ReceivedState)
            for one in await desk.received(office, workspace_id, each.id, states=states, limit=limit):
                table.add_row(
                    str(one.id)[:8],
                    each.title,
                    f"{one.received_at:%Y-%m-%d %H:%M:%S}",
                    str(one.arrivals),
                    one.state.value,
                    ", ".join(one.touched),
                    one.reason or "",
                )
                if bodies:
                    table.add_row("", "", "", "", "", await desk.body_of(office, workspace_id, one.id), "")
    open_console().print(table)


@command.command("replay")
@click.argument("connection")
@click.argument("deliveries", nargs=-1)
@workspace_option
@in_loop
async def again(connection: str, deliveries: tuple[str, ...], workspace: str | None) -> None:
    """Look once more into DELIVERIES (ids or their beginnings) to CONNECTION; without any, into all given up."""
    async with at_work(workspace) as (office, workspace_id):
        one = await _one(office, workspace_id, connection)
        count = 0
        for id in await _ids(office, workspace_id, one.id, deliveries):
            count += await desk.replay(office, workspace_id, one.id, id)
    click.echo(f"{count} wait for a worker.")


async def _ids(
    office: Office, workspace_id: UUID, connection_id: UUID, beginnings: tuple[str, ...]
) -> list[UUID | None]:
    """The deliveries that are meant; None stands for all that were given up."""
    if not beginnings:
        return [None]
    known = [one.id for one in await desk.received(office, workspace_id, connection_id, limit=100_000)]
    meant: list[UUID | None] = []
    for beginning in beginnings:
        found = [id for id in known if str(id).startswith(beginning)]
        if len(found) != 1:
            raise NotFound(f"{len(found)} deliveries have an id that begins with {beginning!r}.")
        meant += found
    return meant


async def _one(office: Office, workspace_id: UUID, wanted: str) -> Chosen:
    found = await choose(office, workspace_id, (wanted,))
    if len(found) != 1:
        raise NotFound(f"{wanted!r} names {len(found)} connections: give the id of one.")
    return found[0]


def _show(office: Office, door: Address) -> None:
    click.echo(door.url)
    click.echo(f"\n{door.setup}\n\nIt can tell: {', '.join(door.events)}.")
    if door.subscribed_at is not None:
        click.echo(f"The system knows the address since {door.subscribed_at:%Y-%m-%d %H:%M}.")
    if office.settings.public_url is None:
        click.echo("\nOnly this machine reaches that address: set SKVOZ_PUBLIC_URL to the one that others reach.")
