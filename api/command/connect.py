"""``skvoz connect``: connect an account of an external system."""

from __future__ import annotations

import sys
from typing import Any

import click

from api.command.running import at_work, in_loop, workspace_option
from connectors.contract import Connector
from connectors.registry import connector
from sync.connections import create_connection
from sync.errors import SettingsRefused


@click.command("connect")
@click.argument("key")
@click.option("--title", help="What you want to call the connection.")
@click.option(
    "--set", "given", multiple=True, metavar="NAME=VALUE", help="A setting; what isn't given is asked for."
)
@workspace_option
@in_loop
async def command(key: str, title: str | None, given: tuple[str, ...], workspace: str | None) -> None:
    """Connect an account of the system KEY (see `skvoz connectors`).

    The settings are asked for one by one, secrets without echo, and tried at once against the vendor: either the
    connection works or you read in a sentence what is wrong.
    """
    found = connector(key)
    values = _settings(found, dict(_pair(each) for each in given))
    async with at_work(workspace) as (office, workspace_id):
        try:
            id, health = await create_connection(office, workspace_id, key, title, values)
        except SettingsRefused as error:
            for problem in error.problems:
                click.echo(f"{problem.field or 'settings'}: {problem.sentence}", err=True)
            raise click.exceptions.Exit(1) from None
    click.echo(health.sentence)
    for warning in health.warnings:
        click.echo(f"Note: {warning}")
    click.echo(f"Connected as {id}. `skvoz sync {id}` reads it now; `skvoz worker` keeps it in sync.")


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise click.BadParameter(f"{text!r} is not of the form NAME=VALUE.", param_hint="--set")
    return name, value


def _settings(found: Connector[Any], values: dict[str, str]) -> dict[str, str]:
    for name, field in found.settings.model_fields.items():
        if name in values:
            continue
        default = "" if field.is_required() else _shown(field.default)
        if not field.is_required() and not sys.stdin.isatty():
            continue
        click.echo(f"\n{field.description}")
        answer = click.prompt(
            field.title, default=default, show_default=bool(default), hide_input=found.settings.is_secret(name)
        )
        if answer or field.is_required():
            values[name] = answer
    return values


def _shown(default: Any) -> str:
    return "" if default is None else str(default)
