"""``skvoz recipes``: what enters data into the CRM, and into the call tracker, switched on in one step."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import click
from rich.table import Table

from api.command.rules import ACTOR, difference, setting
from api.command.running import at_work, in_loop, workspace_option
from api.command.screen import open_console
from api.command.sync import choose
from core import clock
from sync.errors import NotFound
from sync.office import Office
from sync.writeback.dry_run import dry_run_of
from sync.writeback.kinds import KINDS
from sync.writeback.kinds.base import Language
from sync.writeback.recipes import Recipe, draft, recipe, recipes, switch_off, switch_on, switched_on

_DAY = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M"])
language_option = click.option("--language", type=click.Choice(["en", "ru"]), default="en", show_default=True)


@click.group("recipes", invoke_without_command=True)
@click.option("--all", "everything", is_flag=True, help="Those of systems that aren't connected too.")
@language_option
@workspace_option
@click.pass_context
def command(context: click.Context, everything: bool, language: Language, workspace: str | None) -> None:
    """Calls, forms, chats, letters and orders into the CRM; deals and costs into the call tracker.

    Without a subcommand, lists the recipes for the connected systems and which are on.

    \b
    skvoz recipes on call-to-bitrix24 --pipeline 1       # shows what would be written
    skvoz recipes on call-to-bitrix24 --pipeline 1 --yes # switches it on
    """
    if context.invoked_subcommand is None:
        _show(everything, language, workspace)


@in_loop
async def _show(everything: bool, language: Language, workspace: str | None) -> None:
    table = Table("Recipe", "On", "What it does")
    async with at_work(workspace) as (office, workspace_id):
        connected = {each.connector for each in await choose(office, workspace_id, ())}
        on = await switched_on(office, workspace_id, language)
    for key, each in recipes().items():
        rules = [shown for (name, _), found in on.items() if name == key for shown in found]
        if everything or each.connector in connected:
            for sentence in [shown.sentence for shown in rules] or [each.words[language]]:
                table.add_row(key, "yes" if rules else "", sentence)
    open_console().print(table)


@command.command("on")
@click.argument("key", metavar="RECIPE")
@click.option("--to", "target", metavar="CONNECTION", help="Which one, where several of that system are connected.")
@click.option("--from", "source", metavar="CONNECTION", help="What comes from this connection only.")
@click.option(
    "--as", "made", type=click.Choice(["deal", "lead"]), help="Make deals (where the system can) or leads."
)
@click.option("--pipeline", help="The id of the pipeline there.")
@click.option("--stage", help="The id of the stage there.")
@click.option("--responsible", multiple=True, metavar="USER", help="A user's id there; several share by load.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Any other setting of the rule.")
@click.option(
    "--days", type=click.IntRange(1, 366), default=7, show_default=True, help="How far the dry run looks back."
)
@click.option("--show", "most", default=20, show_default=True, help="How many changes to show in full.")
@click.option("--since", type=_DAY, help="Take what happened since then for a cause too; else only what comes now.")
@click.option("--yes", is_flag=True, help="Switch it on.")
@language_option
@workspace_option
@in_loop
async def on(
    key: str,
    target: str | None,
    source: str | None,
    made: str | None,
    pipeline: str | None,
    stage: str | None,
    responsible: tuple[str, ...],
    settings: tuple[str, ...],
    days: int,
    most: int,
    since: datetime | None,
    yes: bool,
    language: Language,
    workspace: str | None,
) -> None:
    """Show what RECIPE would have written in the last days; with --yes switch it on."""
    chosen = recipe(key)
    kind = _kind(chosen, made)
    moment = since.replace(tzinfo=UTC) if since else None
    values: dict[str, Any] = {"pipeline": pipeline, "stage": stage}
    values |= {"otherwise_responsible": responsible[0]} if len(responsible) == 1 else {}
    values |= {"share_among": responsible} if len(responsible) > 1 else {}
    values = {name: value for name, value in values.items() if value is not None} | dict(map(setting, settings))
    async with at_work(workspace) as (office, workspace_id):
        connection = await _target(office, workspace_id, chosen, target)
        if source is not None:
            name = next(name for name in KINDS[kind].model_fields if name.endswith("_from"))
            values[name] = (await choose(office, workspace_id, (source,)))[0].id
        if yes:
            shown = await switch_on(
                office, workspace_id, chosen, connection, values, actor=ACTOR, since=moment, kind=kind
            )
            click.echo(f"On: {shown.sentence}")
            return
        beginning = moment or clock.now() - timedelta(days=days)
        rule = await draft(office, workspace_id, chosen, connection, values, since=beginning, kind=kind)
        run = await dry_run_of(office, rule, show=most)
        titles = {each.id: each.title for each in await choose(office, workspace_id, ())}
        sentence = rule.settings.sentence(rule.target, lambda id: titles.get(id, str(id)), language)
    click.echo(sentence)
    open_console().print(difference(run))
    click.echo("Nothing was written. The same with --yes switches it on.")


@command.command("off")
@click.argument("key", metavar="RECIPE")
@click.option("--to", "target", metavar="CONNECTION", help="For this connection only.")
@workspace_option
@in_loop
async def off(key: str, target: str | None, workspace: str | None) -> None:
    """Switch RECIPE off. What it has written stays, and can still be undone."""
    chosen = recipe(key)
    async with at_work(workspace) as (office, workspace_id):
        connection = None if target is None else await _target(office, workspace_id, chosen, target)
        removed = await switch_off(office, workspace_id, chosen, connection)
    click.echo("Off." if removed else "It wasn't on.")


def _kind(chosen: Recipe, made: str | None) -> str:
    if made is None:
        return chosen.kinds[0]
    for kind in chosen.kinds:
        if kind.endswith(f"_{made}"):
            return kind
    raise NotFound(f"{chosen.key} can't make a {made} there.")


async def _target(office: Office, workspace_id: UUID, chosen: Recipe, named: str | None) -> UUID:
    found = [
        each
        for each in await choose(office, workspace_id, (named or chosen.connector,))
        if each.connector == chosen.connector
    ]
    if len(found) != 1:
        raise NotFound(f"{len(found)} connections fit {chosen.key}: name one with --to.")
    return found[0].id
