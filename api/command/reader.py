"""``skvoz reader``: SQL logins for analysts."""

from __future__ import annotations

import click

from api.command.running import at_work, in_loop, workspace_option
from schema.readers import create_reader, drop_reader, list_readers


@click.group("reader")
def command() -> None:
    """Make, list and remove SQL logins that read a workspace's views for analysts, and nothing else.

    They see personal data as it is: give them to people who may.
    """


@command.command("create")
@click.argument("name")
@workspace_option
@in_loop
async def create(name: str, workspace: str | None) -> None:
    """Make the login NAME and print its connection string: its password is shown this once."""
    async with at_work(workspace) as (office, workspace_id):
        click.echo(await create_reader(office.database, workspace_id, name))


@command.command("list")
@workspace_option
@in_loop
async def show(workspace: str | None) -> None:
    """List the logins that read the workspace."""
    async with at_work(workspace) as (office, workspace_id):
        for login in await list_readers(office.database, workspace_id):
            click.echo(login)


@command.command("remove")
@click.argument("login")
@workspace_option
@in_loop
async def remove(login: str, workspace: str | None) -> None:
    """Remove LOGIN; its sessions end."""
    async with at_work(workspace) as (office, workspace_id):
        await drop_reader(office.database, workspace_id, login)
    click.echo("Removed.")
