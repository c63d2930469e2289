"""The ``skvoz`` command: one module a subcommand."""

from __future__ import annotations

import sys

import click

from api.command import (
    attribute,
    catalogue,
    connect,
    demo,
    import_file,
    keys,
    match,
    migrate,
    outbox,
    quarantine,
    report,
    rules,
    sandbox,
    serve,
    sync,
    token,
    why,
    worker,
)
from core.errors import SkvozError
from core.logging import configure_logging
from core.settings import load_settings


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="skvoz", prog_name="skvoz")
def cli() -> None:
    """Skvoz: who a client is, everything that happened with them, and which campaign brought the money.

    Start with `skvoz demo`. To connect your own systems: `skvoz connectors`, `skvoz connect`, `skvoz sync`,
    then `skvoz serve` and `skvoz worker`. Settings come from the environment (SKVOZ_HOME, SKVOZ_PORT,
    SKVOZ_MASTER_KEY, DATABASE_URL, …); see the README.
    """
    configure_logging(load_settings())


for _module in (
    demo,
    serve,
    worker,
    sync,
    connect,
    import_file,
    catalogue,
    quarantine,
    migrate,
    token,
    keys,
    sandbox,
    report,
    attribute,
    match,
    why,
    rules,
    outbox,
):
    cli.add_command(_module.command)


def main() -> None:
    """Run the command; what a person can mend is told in one sentence, without a traceback."""
    try:
        cli()
    except SkvozError as error:
        click.echo(f"skvoz: {error}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
