"""``skvoz match``: find the same clients in a file of contacts, with no database and nothing connected."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from sync.identity.match import match_file


@click.command("match")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--region", default="RU", show_default=True, help="Country of phones that name none (ISO 3166).")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write there, not here.")
@click.option(
    "--proposals",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write there what is likely, and not likely enough to be done: id, other, probability, bits, reasons.",
)
def command(file: Path, region: str, output: Path | None, proposals: Path | None) -> None:
    """Tell which rows of FILE are the same client.

    FILE is CSV or JSON Lines with a column `id` and any of name, phones, emails, visitor ids, birthday, address or
    city, company; several values may stand in one cell. The answer is CSV: id, client (the id of the client's first
    row), and the evidence that joins the row to its client.
    """
    result = match_file(file, region)
    if output is None:
        result.write_csv(sys.stdout)
    else:
        with output.open("w", encoding="utf-8", newline="") as stream:
            result.write_csv(stream)
    if proposals is not None:
        with proposals.open("w", encoding="utf-8", newline="") as stream:
            result.write_proposals(stream)
    understood = ", ".join(f"{column} as {meaning}" for column, meaning in result.columns.items())
    click.echo(f"Understood: {understood}.", err=True)
    if result.shared:
        click.echo(f"Shared by several people, so joining nobody: {', '.join(result.shared)}.", err=True)
    if result.placeholders:
        click.echo(f"Nobody's, so ignored: {', '.join(result.placeholders)}.", err=True)
    if result.proposals and proposals is None:
        click.echo(f"{len(result.proposals):,} more pairs are likely: see them with --proposals FILE.", err=True)
    click.echo(f"{len(result.rows):,} rows are {result.clients:,} clients.", err=True)
