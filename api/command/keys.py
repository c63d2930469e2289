"""``skvoz keys``: master keys."""

from __future__ import annotations

import click
from sqlalchemy import text

from api.command.running import in_loop
from core.secrets import key_id
from core.settings import load_settings
from sync.office import Office, open_office, replace_canary


@click.group("keys")
def command() -> None:
    """Rotate the master key that protects the secrets of connections."""


@command.command("rotate")
@in_loop
async def rotate() -> None:
    """Re-wrap all data keys with the present (first) master key.

    Put the new key first in SKVOZ_MASTER_KEY (or in the file of master keys) and the old one behind it, run
    this, then remove the old one. No secret is shown or re-encrypted.
    """
    async with open_office(load_settings()) as office:
        count = await _rewrap(office)
        await replace_canary(office)
    click.echo(f"{count} data keys are wrapped by the present key {office.keyring.key_id}. Old keys can go.")


async def _rewrap(office: Office) -> int:
    count = 0
    async with office.database.owner_engine.begin() as db:
        for table in ("connection", "webhook"):
            rows = await db.execute(text(f"select workspace_id, id, data_key from {table} for update"))  # noqa: S608
            for workspace, id, wrapped in rows.all():
                if key_id(wrapped) == office.keyring.key_id:
                    continue
                fresh = office.keyring.rotate(wrapped, workspace=workspace, connection=id)
                await db.execute(
                    text(f"update {table} set data_key = :key where workspace_id = :ws and id = :id"),  # noqa: S608
                    {"key": fresh, "ws": workspace, "id": id},
                )
                count += 1
    return count
