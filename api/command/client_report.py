"""``skvoz client-report``: the monthly report for a customer, as a page of HTML or a PDF."""

from __future__ import annotations

import asyncio
from datetime import date, datetime, timedelta
from pathlib import Path
from uuid import UUID

import click

from api.client_reports import FORMS, printed
from api.command.running import at_work, in_loop, workspace_option
from api.command.screen import open_console
from core import clock
from core.database import driver
from core.errors import SettingsError
from reports.client_document import LANGUAGES
from reports.terms import read_terms


@click.command("client-report")
@click.argument("client", type=click.UUID, required=False)
@click.option(
    "--month", type=click.DateTime(["%Y-%m"]), help="The month (YYYY-MM). Default: the last one that is over."
)
@click.option("--lang", type=click.Choice(LANGUAGES), default="ru", show_default=True, help="The language.")
@click.option(
    "--to-file",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="The file: .html or .pdf.",
)
@workspace_option
@in_loop
async def command(
    client: UUID | None, month: datetime | None, lang: str, path: Path, workspace: str | None
) -> None:
    """Write the report of a month: campaigns, spend, calls, deals, revenue beside the month before, and works done.

    Without CLIENT it is about the whole business; with the id of one, about that client alone.
    """
    form = path.suffix.removeprefix(".")
    if form not in FORMS:
        raise SettingsError(f"The file's name ends with {' or '.join(f'.{each}' for each in FORMS)}.")
    wanted = month.date() if month else _last_month()
    async with at_work(workspace) as (office, workspace_id), office.database.workspace(workspace_id) as db:
        terms = await read_terms(driver(db), workspace_id)
        try:
            page = await printed(driver(db), terms, wanted, client, lang, form)
        except LookupError as error:
            raise SettingsError(str(error)) from None
    await asyncio.to_thread(path.write_bytes, page)
    open_console().print(f"The report is in {path}.")


def _last_month() -> date:
    return clock.now().date().replace(day=1) - timedelta(days=1)
