"""``skvoz connectors``: the systems that can be connected."""

from __future__ import annotations

from typing import Any

import click
import orjson
from rich.console import Console
from rich.table import Table

from api.command.screen import open_console
from connectors.contract import Connector
from connectors.registry import all_connectors, connector


@click.command("connectors")
@click.argument("key", required=False)
@click.option("--json", "as_json", is_flag=True, help="For scripts: one JSON array.")
def command(key: str | None, as_json: bool) -> None:
    """List the systems that Skvoz connects to; with KEY, the settings that one of them needs."""
    chosen = [connector(key)] if key else list(all_connectors().values())
    if as_json:
        click.echo(orjson.dumps([described(each) for each in chosen], option=orjson.OPT_INDENT_2))
        return
    console = open_console()
    if key:
        _show_settings(console, chosen[0])
        return
    table = Table("Key", "System", "Reads", "Writes", "Tells", "Verified by", title="Systems that can be connected")
    for each in chosen:
        reads = ", ".join(stream.title for stream in each.streams)
        tells = str(len(each.webhooks.events)) if each.webhooks else ""
        table.add_row(each.key, each.title, reads, str(len(each.writes) or ""), tells, each.verified_by)
    console.print(table)
    console.print("`skvoz connectors KEY` shows the settings of one, `skvoz connect KEY` connects it.")


def described(each: Connector[Any]) -> dict[str, Any]:
    """What the catalogue says of a connector."""
    return {
        "key": each.key,
        "title": each.title,
        "description": each.description,
        "docs_url": each.docs_url,
        "reads": sorted({str(kind) for stream in each.streams for kind in stream.makes}),
        "writes": [write.title for write in each.writes],
        "webhooks": list(each.webhooks.events) if each.webhooks else [],
        "verified_by": each.verified_by,
        "settings": [
            {
                "name": name,
                "title": field.title,
                "description": field.description,
                "required": field.is_required(),
                "secret": each.settings.is_secret(name),
            }
            for name, field in each.settings.model_fields.items()
        ],
    }


def _show_settings(console: Console, each: Connector[Any]) -> None:
    console.print(f"[bold]{each.title}[/bold]: {each.description}\n{each.docs_url}\n")
    table = Table("Setting", "Needed", "What it is and where to find it")
    for name, field in each.settings.model_fields.items():
        kind = "secret" if each.settings.is_secret(name) else ""
        needed = "yes" if field.is_required() else "no"
        table.add_row(name, f"{needed} {kind}".strip(), f"{field.title}. {field.description}")
    console.print(table)
