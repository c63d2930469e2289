"""``skvoz token``: keys to the API."""

from __future__ import annotations

import click
from rich.console import Console
from rich.table import Table

from api.command.running import at_work, in_loop, workspace_option
from api.tokens import create_token, list_tokens, revoke_token
from schema.enums import Role


@click.group("token")
def command() -> None:
    """Make, list and revoke keys to the API."""


@command.command("create")
@click.option("--label", default="made on the command line", show_default=True, help="What it is for.")
@click.option(
    "--role",
    type=click.Choice([str(role) for role in Role]),
    default="owner",
    show_default=True,
    help="What it may do. Analysts see personal data masked.",
)
@workspace_option
@in_loop
async def create(label: str, role: str, workspace: str | None) -> None:
    """Make a token and print it: it is shown this once."""
    async with at_work(workspace) as (office, workspace_id):
        click.echo(await create_token(office.database, workspace_id, Role(role), label))


@command.command("list")
@workspace_option
@in_loop
async def show(workspace: str | None) -> None:
    """List the tokens of a workspace; their secrets aren't kept and can't be shown."""
    table = Table("Id", "Role", "Label", "Made", "Last used", "State")
    async with at_work(workspace) as (office, workspace_id):
        for token in await list_tokens(office.database, workspace_id):
            used = f"{token.last_used_at:%Y-%m-%d %H:%M}" if token.last_used_at else "never"
            table.add_row(token.id, token.role, token.label, f"{token.created_at:%Y-%m-%d}", used, token.state)
    Console().print(table)


@command.command("revoke")
@click.argument("id")
@workspace_option
@in_loop
async def revoke(id: str, workspace: str | None) -> None:
    """Revoke the token ID; it stops working at once."""
    async with at_work(workspace) as (office, workspace_id):
        await revoke_token(office.database, workspace_id, id)
    click.echo("Revoked.")
