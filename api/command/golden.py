"""``skvoz golden``: by which rules the name, phone, e-mail and manager of a client are chosen."""

from __future__ import annotations

from uuid import UUID

import click
from rich.table import Table

from api.command.running import at_work, in_loop, workspace_option
from api.command.screen import open_console
from api.command.sync import choose
from core.database import driver
from core.errors import SkvozError
from schema.enums import FieldRule
from sync.golden import RulesPreview, apply_rules, preview_rules, set_golden_rules, undo_golden_rules
from sync.identity.choosing import CHOSEN_BY, FIELDS, Choice, Rules, rules_of
from sync.office import Office

ACTOR = "command line"
_FIELDS = {name.removesuffix("_id"): name for name in FIELDS}


@click.group("golden")
def command() -> None:
    """Rules by which clients' fields are chosen among what their records say. No figure depends on them.

    \b
    skvoz golden set name=most_complete phone=preferred_source:bitrix24,amocrm --dry-run
    skvoz golden undo
    """


@command.command("list")
@workspace_option
@in_loop
async def show(workspace: str | None) -> None:
    """List the rules, and how far each system is trusted."""
    table = Table("Field", "Rule", "Systems in order")
    async with at_work(workspace) as (office, workspace_id):
        titles = {each.id: each.title for each in await choose(office, workspace_id, ())}
        async with office.database.workspace(workspace_id) as db:
            rules = await rules_of(driver(db), workspace_id)
    for shown, name in _FIELDS.items():
        choice = rules.of(name)
        table.add_row(shown, choice.rule.value, ", ".join(titles.get(id, str(id)) for id in choice.sources))
    open_console().print(table)
    for id, confidence in rules.confidence.items():
        click.echo(f"{titles.get(id, id)} is trusted {confidence:g} of 1.")


@command.command("set")
@click.argument("rules", nargs=-1, metavar="FIELD=RULE[:SYSTEM,…]…")
@click.option("--trust", "trusted", multiple=True, metavar="SYSTEM=0..1", help="Below 0.5 it speaks only alone.")
@click.option("--dry-run", is_flag=True, help="Only show the effect.")
@workspace_option
@in_loop
async def set_all(rules: tuple[str, ...], trusted: tuple[str, ...], dry_run: bool, workspace: str | None) -> None:
    """Choose by these RULES from now on; fields that aren't named go by the most recent word."""
    async with at_work(workspace) as (office, workspace_id):
        asked = Rules(
            dict([await _rule(office, workspace_id, each) for each in rules]),
            dict([await _trust(office, workspace_id, each) for each in trusted]),
        )
        open_console().print(effect(await preview_rules(office.database, workspace_id, asked)))
        if dry_run:
            return
        await set_golden_rules(office.database, workspace_id, asked, ACTOR)
        changed = await apply_rules(office.database, workspace_id)
    click.echo(f"Set. {changed} clients have other fields now.")


@command.command("undo")
@workspace_option
@in_loop
async def undo(workspace: str | None) -> None:
    """Let the rules hold again that held before the present ones."""
    async with at_work(workspace) as (office, workspace_id):
        await undo_golden_rules(office.database, workspace_id, ACTOR)
        changed = await apply_rules(office.database, workspace_id)
    click.echo(f"Taken back. {changed} clients have other fields now.")


def effect(found: RulesPreview) -> Table:
    """What rules would do, as a table."""
    title = f"{found.changing} of the {found.looked_at} newest clients of {found.clients} change"
    table = Table("Client", "Field", "Now", "Then", title=title)
    for each in found.samples:
        told = (each.field.removesuffix("_id"), each.before or "", each.after or "")
        table.add_row(str(each.client_id)[:8], *told)
    return table


async def _rule(office: Office, workspace_id: UUID, text: str) -> tuple[str, Choice]:
    field, _, told = text.partition("=")
    rule, _, systems = told.partition(":")
    if field not in _FIELDS or rule not in {each.value for each in CHOSEN_BY}:
        known = ", ".join(each.value for each in CHOSEN_BY)
        raise SkvozError(f"Write {' or '.join(_FIELDS)}, then = and one of {known}; not {text!r}.")
    named = [each for each in systems.split(",") if each]
    return _FIELDS[field], Choice(
        FieldRule(rule), tuple([await _one(office, workspace_id, each) for each in named])
    )


async def _trust(office: Office, workspace_id: UUID, text: str) -> tuple[UUID, float]:
    system, _, number = text.partition("=")
    try:
        confidence = float(number)
    except ValueError:
        raise SkvozError(f"Write a system, then = and a number from 0 to 1; not {text!r}.") from None
    return await _one(office, workspace_id, system), confidence


async def _one(office: Office, workspace_id: UUID, system: str) -> UUID:
    return (await choose(office, workspace_id, (system,)))[0].id
