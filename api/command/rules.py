"""``skvoz rules``: what happens here becomes a change in another system."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import click
import orjson
from rich.table import Table

from api.command.running import at_work, in_loop, workspace_option
from api.command.screen import open_console
from api.command.sync import choose
from core.errors import SkvozError
from sync.errors import NotFound
from sync.office import Office
from sync.writeback.dry_run import DryRun, dry_run
from sync.writeback.rulebook import add_rule, list_rules, remove_rule, switch_rule
from sync.writeback.rules import KINDS, Language

ACTOR = "command line"
_DAY = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M"])


@click.group("rules")
def command() -> None:
    """Write-back: rules by which a call becomes a lead, or a won deal's amount goes to the call tracker.

    Add one (it begins switched off), look at `skvoz rules dry-run`, then `skvoz rules enable`. What they want
    written waits in `skvoz outbox` until `skvoz worker` delivers it.
    """


@command.command("list")
@click.option("--language", type=click.Choice(["en", "ru"]), default="en", show_default=True)
@workspace_option
@in_loop
async def show(language: Language, workspace: str | None) -> None:
    """List the rules, each as a sentence."""
    table = Table("Id", "On", "Since", "Rule")
    async with at_work(workspace) as (office, workspace_id):
        for each in await list_rules(office, workspace_id, language):
            since = f"{each.rule.since:%Y-%m-%d %H:%M}" if each.rule.since else ""
            table.add_row(str(each.rule.id)[:8], "yes" if each.rule.enabled else "", since, each.sentence)
    open_console().print(table)


@command.command("add")
@click.argument("kind", type=click.Choice(list(KINDS)))
@click.argument("connection")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A setting; VALUE may be JSON.")
@click.option("--since", type=_DAY, help="Take what happened since then for a cause; by default from enabling on.")
@workspace_option
@in_loop
async def add(
    kind: str, connection: str, settings: tuple[str, ...], since: datetime | None, workspace: str | None
) -> None:
    """Add a rule of KIND that writes to CONNECTION (id, title or connector key), and check it at once.

    \b
    skvoz rules add call_to_lead bitrix24 --set 'fields={"UTM_SOURCE": "source"}' --set otherwise_responsible=7
    skvoz rules add won_deal_to_call calltouch
    """
    async with at_work(workspace) as (office, workspace_id):
        target = await choose(office, workspace_id, (connection,))
        if len(target) > 1:
            raise NotFound(f"{connection!r} names {len(target)} connections: use the id of one.")
        values: dict[str, Any] = dict(map(setting, settings))
        for name in [name for name in values if name.endswith("_from")]:
            values[name] = (await choose(office, workspace_id, (str(values[name]),)))[0].id
        moment = since.replace(tzinfo=UTC) if since else None
        shown = await add_rule(office, workspace_id, target[0].id, kind, values, since=moment, actor=ACTOR)
    click.echo(shown.sentence)
    click.echo(f"Switched off as yet. `skvoz rules dry-run {str(shown.rule.id)[:8]}` shows what it would write.")


@command.command("dry-run")
@click.argument("rule")
@click.option("--since", type=_DAY, help="Look at what happened since then, whatever the rule says.")
@click.option("--show", "most", default=20, show_default=True, help="How many changes to show in full.")
@workspace_option
@in_loop
async def dry(rule: str, since: datetime | None, most: int, workspace: str | None) -> None:
    """Show what RULE would write, as a difference to what stands there now. Nothing is written."""
    async with at_work(workspace) as (office, workspace_id):
        id = await _id(office, workspace_id, rule)
        moment = since.replace(tzinfo=UTC) if since else None
        run = await dry_run(office, workspace_id, id, since=moment, show=most)
    open_console().print(difference(run))


@command.command("enable")
@click.argument("rule")
@workspace_option
@in_loop
async def enable(rule: str, workspace: str | None) -> None:
    """Switch RULE on. What happened before its beginning is left alone."""
    await _switch(rule, workspace, enabled=True)


@command.command("disable")
@click.argument("rule")
@workspace_option
@in_loop
async def disable(rule: str, workspace: str | None) -> None:
    """Switch RULE off. What waits in the outbox already is still delivered; `skvoz outbox skip` leaves it out."""
    await _switch(rule, workspace, enabled=False)


@command.command("remove")
@click.argument("rule")
@workspace_option
@in_loop
async def remove(rule: str, workspace: str | None) -> None:
    """Remove RULE. What it has written stays, and can still be undone."""
    async with at_work(workspace) as (office, workspace_id):
        await remove_rule(office, workspace_id, await _id(office, workspace_id, rule))
    click.echo("Removed.")


def difference(run: DryRun) -> Table:
    """A dry run as a table: a block for each change, a line for each field."""
    more = f", {run.total - len(run.shown)} more aren't shown" if run.total > len(run.shown) else ""
    table = Table(
        "Because of", "Would", "Field", "Now", "Then", title=f"{run.total} changes in «{run.rule.target}»{more}"
    )
    for each in run.shown:
        head = (each.intent.cause, each.verdict)
        for line in each.lines:
            table.add_row(*head, line.field, _told(line.now), _told(line.then))
            head = ("", "")
        if not each.lines:
            table.add_row(*head, "", "", "")
    return table


async def _switch(rule: str, workspace: str | None, *, enabled: bool) -> None:
    async with at_work(workspace) as (office, workspace_id):
        await switch_rule(office, workspace_id, await _id(office, workspace_id, rule), enabled=enabled)
        shown = await list_rules(office, workspace_id)
    sentence = next(each.sentence for each in shown if str(each.rule.id).startswith(rule))
    click.echo(f"{'On' if enabled else 'Off'}: {sentence}")


async def _id(office: Office, workspace_id: UUID, beginning: str) -> UUID:
    found = [
        each.rule.id for each in await list_rules(office, workspace_id) if str(each.rule.id).startswith(beginning)
    ]
    if len(found) != 1:
        raise NotFound(f"{len(found)} rules have an id that begins with {beginning!r}: see `skvoz rules list`.")
    return found[0]


def setting(text: str) -> tuple[str, Any]:
    """NAME=VALUE as a user writes it. Raises SkvozError."""
    name, sign, value = text.partition("=")
    if not sign:
        raise SkvozError(f"A setting is written NAME=VALUE, not {text!r}.")
    try:
        return name, orjson.loads(value) if value[:1] in "{[tf" else value
    except orjson.JSONDecodeError:
        return name, value


def _told(value: Any) -> str:
    return "" if value is None else ", ".join(map(str, value)) if isinstance(value, list) else str(value)
