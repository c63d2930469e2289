"""``skvoz sandbox``: the pretend market by itself."""

from __future__ import annotations

import sys

import click

import sandbox.__main__ as served


@click.command("sandbox", context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def command(options: tuple[str, ...]) -> None:
    """Serve the pretend market: emulated vendors over one generated world (`skvoz sandbox --help`).

    Point connectors, or the vendors' own client libraries, at the addresses that it prints.
    """
    sys.argv = ["skvoz sandbox", *options]
    sys.exit(served.main())
