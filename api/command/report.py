"""``skvoz report``: which campaigns bring clients, on the terminal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click
import orjson
from rich.console import RenderableType

from api.command.running import at_work, in_loop, workspace_option
from api.command.screen import open_console
from core import clock
from core.database import PsycopgConnection, driver
from core.errors import SettingsError
from reports import charts
from reports.by_model import ROLLED_UP, models_report, report_by_model
from reports.campaigns import CampaignReport, Grain
from reports.comparison import DEFINITIONS, chosen
from reports.conversions import CONVERSIONS, Conversion
from reports.periods import Earlier, compare, earlier
from reports.render import as_json, as_table
from reports.render_models import compared_as_json, compared_as_table, models_as_json, models_as_table
from reports.side_by_side import side_by_side
from reports.standing import Standing, standing
from reports.stored_paths import DatedBy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DAY = click.DateTime(["%Y-%m-%d"])


@click.command("report")
@click.option("--from", "start", type=DAY, help="First day (YYYY-MM-DD). Default: 30 days before the last.")
@click.option("--to", "end", type=DAY, help="Last day. Default: today.")
@click.option(
    "--by",
    type=click.Choice([str(grain) for grain in Grain]),
    default="campaign",
    show_default=True,
    help="What a row is.",
)
@click.option(
    "--as-known-at",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"]),
    help="The report as it was known at that moment (UTC), before what was learnt later.",
)
@click.option(
    "--model",
    type=click.Choice(list(DEFINITIONS)),
    default=ROLLED_UP,
    show_default=True,
    help="The attribution model that credits conversions.",
)
@click.option("--models", metavar="NAMES", help="Several models side by side, with commas, or 'all'.")
@click.option(
    "--conversion",
    type=click.Choice([str(each) for each in Conversion]),
    default="won_deal",
    show_default=True,
    help="With --models: what is counted.",
)
@click.option(
    "--dated-by",
    type=click.Choice([str(each) for each in DatedBy]),
    default="event",
    show_default=True,
    help="On which day a conversion counts: its own, or that of the first touch before it (cohorts).",
)
@click.option("--window", type=int, metavar="DAYS", help="A narrower attribution window than the workspace's.")
@click.option(
    "--compare",
    "than",
    type=click.Choice([str(each) for each in Earlier]),
    help="Beside the days right before, or the same days of last year.",
)
@click.option("--as-known-now", is_flag=True, help="As known now, also where the days lie in a closed period.")
@click.option("--json", "path", type=click.Path(path_type=Path, allow_dash=True), help="Write JSON there (- here).")
@click.option(
    "--chart",
    "picture",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Draw it there: .svg, .png or .html. By campaign, over time (--by day, month) or by model (--models).",
)
@workspace_option
@in_loop
async def command(
    start: datetime | None,
    end: datetime | None,
    by: str,
    as_known_at: datetime | None,
    model: str,
    models: str | None,
    conversion: str,
    dated_by: str,
    window: int | None,
    than: str | None,
    as_known_now: bool,
    path: Path | None,
    picture: Path | None,
    workspace: str | None,
) -> None:
    """Show the campaign report: spend, visits, calls, leads, new clients, won deals, revenue and what follows.

    Unless another model is asked for, deals are credited to the last touch that isn't direct; what couldn't be
    attributed stands in rows of its own, each with the reason.
    """
    if models is not None and than is not None:
        raise SettingsError("Compare periods by one model: leave out either --models or --compare.")
    if picture is not None and picture.suffix not in charts.FORMS:
        raise SettingsError(f"A chart's file ends with {', '.join(charts.FORMS)}.")
    last = end.date() if end else clock.now().date()
    first = start.date() if start else last - timedelta(days=30)
    known = as_known_at.replace(tzinfo=as_known_at.tzinfo or clock.now().tzinfo) if as_known_at else None
    try:
        async with at_work(workspace) as (office, workspace_id), office.database.workspace(workspace_id) as db:
            held = await standing(
                driver(db), workspace_id, first, last, as_known_at=known, as_known_now=as_known_now
            )
            asked = _Asked(first, last, Grain(by), held, DatedBy(dated_by), window)
            if models is not None:
                names = [name.strip() for name in models.split(",") if name.strip()]
                table, rows, draw = await _side_by_side(
                    driver(db), workspace_id, asked, names, Conversion(conversion)
                )
            elif than is not None:
                table, rows, draw = await _compared(driver(db), workspace_id, asked, model, Earlier(than))
            else:
                table, rows, draw = await _alone(driver(db), workspace_id, asked, model)
    except ValueError as error:
        raise SettingsError(str(error)) from error
    title = _title(first, last, held)
    if picture is not None:
        charts.save(draw(title), picture, title)
    if path is None and picture is None:
        console = open_console()
        console.print(table(title, console.width))
    if path is not None:
        _write(path, orjson.dumps(rows, option=orjson.OPT_INDENT_2))


@dataclass(frozen=True, slots=True)
class _Asked:
    """What all forms of the report are asked with."""

    start: date
    end: date
    by: Grain
    held: Standing
    dated_by: DatedBy
    window: int | None


_Shown = tuple[Callable[[str, int], RenderableType], list[dict[str, Any]], Callable[[str], "Figure"]]
"""The table for a title and a width, the rows for machines, and the chart for a title."""


async def _alone(conn: PsycopgConnection, workspace_id: UUID, asked: _Asked, model: str) -> _Shown:
    report = await _by_model(conn, workspace_id, asked, model, (asked.start, asked.end))
    return (
        lambda title, width: as_table(report, title=title, width=width),
        as_json(report),
        lambda title: charts.chart(report, title),
    )


async def _compared(
    conn: PsycopgConnection, workspace_id: UUID, asked: _Asked, model: str, than: Earlier
) -> _Shown:
    before = earlier(asked.start, asked.end, than)
    now = await _by_model(conn, workspace_id, asked, model, (asked.start, asked.end))
    found = compare(
        now,
        await _by_model(conn, workspace_id, asked, model, before),
    )

    def table(title: str, width: int) -> RenderableType:
        return compared_as_table(found, title=f"{title}, beside {before[0]} to {before[1]}", width=width)

    return table, compared_as_json(found), lambda title: charts.chart(now, title)


async def _side_by_side(
    conn: PsycopgConnection, workspace_id: UUID, asked: _Asked, names: list[str], conversion: Conversion
) -> _Shown:
    reports = await models_report(
        conn,
        workspace_id,
        asked.start,
        asked.end,
        chosen(names),
        by=asked.by,
        as_known_at=asked.held.as_known_at,
        dated_by=asked.dated_by,
        conversion=conversion,
        window_days=asked.window,
        rules=asked.held.rules,
    )
    both = side_by_side(reports, conversion)
    counted = CONVERSIONS[conversion].name_en

    def table(title: str, width: int) -> RenderableType:
        return models_as_table(both, title=f"{title}: {counted.lower()}s", width=width)

    return table, models_as_json(both), lambda title: charts.by_model(both, f"{title}: {counted.lower()}s")


async def _by_model(
    conn: PsycopgConnection, workspace_id: UUID, asked: _Asked, model: str, days: tuple[date, date]
) -> CampaignReport:
    return await report_by_model(
        conn,
        workspace_id,
        *days,
        model,
        by=asked.by,
        as_known_at=asked.held.as_known_at,
        dated_by=asked.dated_by,
        window_days=asked.window,
        rules=asked.held.rules,
    )


def _write(path: Path, text: bytes) -> None:
    if str(path) == "-":
        click.echo(text)
    else:
        path.write_bytes(text)


def _title(first: date, last: date, held: Standing) -> str:
    known, closed = held.as_known_at, ", when the period was closed" if held.closed else ""
    rules = held.rules.channel_version or held.rules.campaign_version
    return (
        f"Campaigns, {first} to {last}"
        + (f", as known at {known:%Y-%m-%d %H:%M} UTC{closed}" if known else "")
        + (f", by the workspace's rules ({_versions(held)})" if rules else "")
    )


def _versions(held: Standing) -> str:
    kinds = (("campaigns", held.rules.campaign_version), ("channels", held.rules.channel_version))
    return ", ".join(f"{kind} version {version}" for kind, version in kinds if version)
