"""``skvoz diagnose``: what a maintainer needs to see, in one file that can be sent on."""

from __future__ import annotations

import zipfile
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import orjson

from api.command.running import in_loop
from core.settings import load_settings
from sync.diagnosis import diagnose
from sync.office import open_office

_LOG_LINES = 5000


@click.command("diagnose")
@click.option(
    "--output",
    metavar="FILE.zip",
    type=click.Path(dir_okay=False, path_type=Path),
    default=None,
    help="Where to write it. Default: skvoz-diagnosis-<time>.zip in this folder.",
)
@click.option(
    "--log",
    "logs",
    multiple=True,
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help=f"A log of Skvoz, of which the last {_LOG_LINES:,} lines are put in. May be given several times.",
)
@in_loop
async def command(output: Path | None, logs: tuple[Path, ...]) -> None:
    """Collect what a maintainer needs: versions, settings, schema, jobs, locks, sizes, and of each connection its
    state, syncs, errors, breaker and what waits.

    No secret, no address and no record is in it; whoever doubts may read it, it is plain JSON. Of sentences only
    words of Skvoz's own are kept.
    """
    path = output or Path(f"skvoz-diagnosis-{datetime.now(UTC):%Y%m%d-%H%M%S}.zip")
    async with open_office(load_settings()) as office:
        parts = await diagnose(office, [line for log in logs for line in _last_lines(log)])
    write(path, parts)
    click.echo(f"{path}: {', '.join(parts)}.")


def write(path: Path, parts: Mapping[str, Any]) -> None:
    """Put the parts of a diagnosis into one archive."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in parts.items():
            if name == "log":
                archive.writestr("log.txt", "\n".join(part))
            else:
                archive.writestr(f"{name}.json", _json(part))


def _last_lines(path: Path) -> list[str]:
    with path.open(encoding="utf-8", errors="replace") as lines:
        return [line.rstrip("\n") for line in deque(lines, _LOG_LINES)]


def _json(part: Any) -> bytes:
    return orjson.dumps(part, default=str, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS)
