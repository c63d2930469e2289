"""What subcommands write on: a terminal as wide as it is, or a file or pipe with room for whole tables."""

from __future__ import annotations

import os
import sys

from rich.console import Console

from core.logging import configure
from core.settings import load_settings

PIPED_WIDTH = 140
"""Columns where the output is no terminal and COLUMNS doesn't say otherwise."""


def open_console() -> Console:
    """The console of standard output."""
    fixed = None if sys.stdout.isatty() or "COLUMNS" in os.environ else PIPED_WIDTH
    return Console(width=fixed)


def quiet_logs() -> None:
    """Log warnings and errors only, so that progress can be read; SKVOZ_LOG_LEVEL, where it is set, holds."""
    settings = load_settings()
    if "log_level" not in settings.model_fields_set:
        configure("warning", settings.log_format)


def duration(seconds: float) -> str:
    """So many seconds, in the largest unit that says enough."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size or seconds == size:
            return f"{seconds // size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"
