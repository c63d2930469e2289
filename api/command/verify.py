"""``skvoz verify``: prove that everything is here, and mend what isn't."""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from api.command.running import at_work, in_loop, workspace_option
from api.command.screen import open_console, quiet_logs
from api.command.sync import Chosen, choose
from connectors.registry import connector
from schema.enums import RunTrigger
from sync.verify import Found, Verified, verify_connection
from sync.verify.findings import KINDS, Part
from sync.verify.jobs import check
from sync.verify.verifying import SAMPLE, Wanted

_DAY = click.DateTime(["%Y-%m-%d"])
_NAMED = 5


@click.command("verify")
@click.argument("connections", nargs=-1)
@click.option("--stream", "-s", "streams", multiple=True, metavar="NAME", help="Only this stream; may be repeated.")
@click.option("--from", "since", type=_DAY, metavar="DATE", help="The first day to compare (2026-03-31).")
@click.option("--to", "until", type=_DAY, metavar="DATE", help="The last day to compare.")
@click.option("--fix/--no-fix", default=True, help="Mend what is wrong, or only tell.")
@click.option(
    "--sample",
    type=click.IntRange(min=0),
    default=SAMPLE,
    show_default=True,
    help="How many records of a stream to fetch one by one, where lists don't tell them whole.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@workspace_option
@in_loop
async def command(
    connections: tuple[str, ...],
    streams: tuple[str, ...],
    since: datetime | None,
    until: datetime | None,
    fix: bool,
    sample: int,
    as_json: bool,
    workspace: str | None,
) -> None:
    """Compare CONNECTIONS (ids, titles or connector keys; all of them if none is named) with their systems.

    Each stream is compared part by part: what is missing here, deleted there, or different is named, with the time
    since when, and mended. The exit code is 1 where something was wrong and is not mended, or can't be compared.
    """
    wanted = Wanted(
        streams=streams or None,
        since=_day(since),
        until=_day(until),
        fix=fix,
        sample=sample,
    )
    console = open_console()
    if as_json or console.is_terminal:
        quiet_logs()
    results: list[tuple[Chosen, Verified]] = []
    async with at_work(workspace) as (office, workspace_id):
        chosen = await choose(office, workspace_id, connections)
        if streams:
            check(wanted, sorted({stream.name for each in chosen for stream in connector(each.connector).streams}))
        for each in chosen:
            verified = await verify_connection(office, workspace_id, each.id, wanted, trigger=RunTrigger.COMMAND)
            results.append((each, verified))
    if as_json:
        click.echo(json.dumps([_plain(each, verified) for each, verified in results], ensure_ascii=False, indent=2))
    else:
        for each, verified in results:
            _show(console, each, verified)
    if any(not _settled(verified) for _, verified in results):
        raise click.exceptions.Exit(1)


def _settled(verified: Verified) -> bool:
    mended = all(found.wrong <= found.mended + found.deleted for found in verified.streams)
    return mended and verified.error is None and not verified.alarms


def _day(moment: datetime | None) -> date | None:
    return None if moment is None else moment.date()


def _show(console: Console, each: Chosen, verified: Verified) -> None:
    table = Table(
        title=f"{escape(each.title)}: {escape(verified.sentence)}",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
    )
    table.add_column("Stream")
    for heading in ("There", "Here"):
        table.add_column(heading, justify="right")
    table.add_column("Result", overflow="fold")
    for found in verified.streams:
        numbers = (f"{found.there:,}", f"{found.here:,}") if found.compared else ("", "")
        table.add_row(escape(found.title), *numbers, escape(found.sentence))
        for part in found.parts:
            if part.wrong or part.off:
                table.add_row(f"  {_named(part)}", f"{part.there:,}", f"{part.here:,}", escape(_said(part)))
    console.print(table)
    console.print()


def _named(part: Part) -> str:
    if part.span is None:
        return "all of it"
    first = "the beginning" if part.span.since is None else f"{part.span.since:%Y-%m-%d}"
    return f"{first} to {'now' if part.span.until is None else f'{part.span.until:%Y-%m-%d}'}"


def _said(part: Part) -> str:
    said = []
    for kind in KINDS:
        ids = [wrong.external_id for wrong in part.wrong if wrong.kind == kind]
        if ids:
            more = f" and {len(ids) - _NAMED:,} more" if len(ids) > _NAMED else ""
            said.append(f"{kind}: {', '.join(ids[:_NAMED])}{more}")
    run = next((wrong for wrong in part.wrong if wrong.run_id is not None), None)
    if run is not None and run.since is not None:
        said.append(f"the sync of {run.since:%Y-%m-%d %H:%M} UTC should have known")
    return "; ".join(said) or f"another number than here: {part.there:,}"


def _plain(each: Chosen, verified: Verified) -> dict[str, Any]:
    return {
        "connection": str(each.id),
        "title": each.title,
        "verification": str(verified.id),
        "sentence": verified.sentence,
        "wrong": verified.wrong,
        "requests": verified.requests,
        "run": None if verified.run_id is None else str(verified.run_id),
        "error": verified.error,
        "alarms": list(verified.alarms),
        "streams": [_plain_stream(found) for found in verified.streams],
    }


def _plain_stream(found: Found) -> dict[str, Any]:
    return {
        "stream": found.stream,
        "title": found.title,
        "sentence": found.sentence,
        "compared": found.compared,
        "there": found.there,
        "here": found.here,
        "waiting": found.waiting,
        "sampled": found.sampled,
        "mended": found.mended,
        "deleted": found.deleted,
        "brake": found.brake,
        "error": found.error,
        "parts": [_plain_part(part) for part in found.parts],
    }


def _plain_part(part: Part) -> dict[str, Any]:
    span = part.span
    return {
        "since": span.since.isoformat() if span and span.since else None,
        "until": span.until.isoformat() if span and span.until else None,
        "there": part.there,
        "here": part.here,
        "total": part.total,
        **{kind: [wrong.external_id for wrong in part.wrong if wrong.kind == kind] for kind in KINDS},
        "wrongSince": part.since.isoformat() if part.since else None,
    }
