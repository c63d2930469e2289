"""``skvoz attribute``: credit the conversions of a file of journeys by any model, with no database."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import click
import orjson
from rich import box
from rich.console import Console
from rich.table import Table

from core.errors import SettingsError
from reports.comparison import DEFINITIONS, with_settings
from reports.journey_file import Attribution, attribute

_MODELS = "\n".join(f"  {key}: {model.meaning}" for key, model in DEFINITIONS.items())


@click.command(
    "attribute",
    epilog="\b\nModels:\n" + _MODELS,
    context_settings={"max_content_width": 120},
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--models", default="all", show_default=True, metavar="NAMES", help="Models by name, with commas.")
@click.option("--by", type=click.Choice(["channel", "campaign"]), default="channel", show_default=True)
@click.option(
    "--position",
    metavar="FIRST,MIDDLE,LAST",
    help="Weights of the position based model; whole and relative. Default: 40,20,40.",
)
@click.option("--half-life", type=float, metavar="DAYS", help="Half-life of time decay. Default: 7.")
@click.option(
    "--format", "written", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True
)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write there, not here.")
def command(
    file: Path,
    models: str,
    by: str,
    position: str | None,
    half_life: float | None,
    written: str,
    output: Path | None,
) -> None:
    """Credit the conversions in FILE to channels by several attribution models side by side.

    FILE is CSV or JSON Lines with one touch a row: journey, time, channel, and if you like campaign. What tells
    of the conversion stands on any row of its journey: conversion (1 or 0), value, conversion_time (without it, the
    time of the row that tells of it). A row without a channel is the conversion itself and no touch. Journeys
    that didn't convert belong in the file too: Markov and Shapley learn from them. For models of the deal's stages,
    lead_time and opened_time say when the client became a lead and when the deal was opened. The channel 'direct'
    is direct. Times without a zone are UTC; touches after the conversion have no part in it.

    Credits add up to the conversions exactly, and their value to the hundredth.
    """
    try:
        settings = with_settings(position=_weights(position), half_life_days=half_life)
        names = [name.strip() for name in models.split(",") if name.strip()]
        result = attribute(file, names, by_campaign=by == "campaign", settings=settings)
    except ValueError as error:
        raise SettingsError(str(error)) from error
    if written == "table":
        text = _table(result, by, width=None if output is None else 160)
    else:
        text = _json(result) if written == "json" else _csv(result)
    if output is None:
        click.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")
    understood = ", ".join(f"{column} as {meaning}" for meaning, column in result.columns.items())
    click.echo(f"Understood: {understood}.", err=True)
    if result.after:
        click.echo(f"{result.after:,} touches came after the conversion and have no part in it.", err=True)
    click.echo(
        f"{result.journeys:,} journeys, {result.converted:,} converted, {result.touches:,} touches.", err=True
    )


def _weights(text: str | None) -> tuple[int, int, int] | None:
    if text is None:
        return None
    try:
        first, middle, last = (int(part) for part in text.split(","))
    except ValueError:
        raise ValueError(f"Weights are three whole numbers such as 40,20,40, not {text!r}.") from None
    return first, middle, last


def _table(result: Attribution, by: str, width: int | None) -> str:
    """Rows are channels, and each model has a column of conversions and, where there is value, one of it."""
    rows = list(dict.fromkeys((credit.channel, credit.campaign) for credit in result.credits))
    found = {(credit.model, credit.channel, credit.campaign): credit for credit in result.credits}
    stream = io.StringIO()
    console = Console(file=stream, width=width or max(Console().width, 60), force_terminal=False)
    parts = [("Conversions", "conversions", 2)]
    if result.value:
        parts.append(("Value", "value", 2))
    for title, figure, places in parts:
        table = Table(title=title, box=box.SIMPLE_HEAD, show_footer=True, title_justify="left")
        names = [channel if campaign is None else f"{channel} / {campaign or '–'}" for channel, campaign in rows]
        table.add_column(by.capitalize(), footer="Total", min_width=max(map(len, names), default=0))
        for key in result.models:
            amounts = [getattr(found[key, *row], figure) for row in rows]
            total = _written(sum(amounts, Decimal(0)), places)
            heading = DEFINITIONS[key].name_en
            widest = max(map(len, (total, *heading.split(), *(_written(amount, places) for amount in amounts))))
            table.add_column(heading, total, justify="right", vertical="bottom", min_width=widest)
        for name, row in zip(names, rows, strict=True):
            table.add_row(name, *(_written(getattr(found[key, *row], figure), places) for key in result.models))
        console.width = max(console.width, table.__rich_measure__(console, console.options).minimum)
        console.print(table)
    return stream.getvalue()


def _written(amount: Decimal, places: int) -> str:
    return f"{amount:,.{places}f}".replace(",", "\u202f")


def _csv(result: Attribution) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(("channel", "campaign", "model", "conversions", "value"))
    writer.writerows(_cells(result))
    return stream.getvalue()


def _cells(result: Attribution) -> Sequence[tuple[str, str, str, str, str]]:
    return [
        (credit.channel, credit.campaign or "", credit.model, f"{credit.conversions:f}", f"{credit.value:f}")
        for credit in result.credits
    ]


def _json(result: Attribution) -> str:
    """Amounts are texts: numbers of JSON would lose what was exact."""
    answer = {
        "journeys": result.journeys,
        "converted": result.converted,
        "value": f"{result.value:f}",
        "models": {
            key: {
                "name": DEFINITIONS[key].name_en,
                "meaning": DEFINITIONS[key].meaning,
                "credits": [
                    {
                        "channel": credit.channel,
                        **({"campaign": credit.campaign} if credit.campaign is not None else {}),
                        "conversions": f"{credit.conversions:f}",
                        "value": f"{credit.value:f}",
                    }
                    for credit in result.credits
                    if credit.model == key
                ],
            }
            for key in result.models
        },
    }
    return orjson.dumps(answer, option=orjson.OPT_INDENT_2).decode() + "\n"
