"""Bring a database to the newest schema; safe to call from many processes at once.

Alembic is imported only where there is something to do: every process asks whether the schema is current as it
starts, and a tenth of a second of its start went into that import.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click
from sqlalchemy import Connection, text

from core.database import Database, open_database
from core.settings import Settings
from schema import analytics
from schema.readers import let_read
from schema.tables import Base

if TYPE_CHECKING:
    from alembic.config import Config

_MIGRATIONS = Path(__file__).parent / "migrations"


async def migrate(database: Database) -> bool:
    """Run the migrations that are missing, while no other process does. True if there were any."""
    if await is_current(database):
        return False
    async with database.alone("migrations"):
        async with database.owner_engine.begin() as connection:
            upgraded = await connection.run_sync(_upgrade, database.role_prefix)
        await let_read(database)
    return upgraded


async def is_current(database: Database) -> bool:
    """Whether the database has the schema that this code expects."""
    async with database.owner_engine.connect() as connection:
        return await connection.run_sync(_is_current)


async def drift(database: Database) -> list[Any]:
    """What differs between the tables in the code and those in the database: nothing, unless a migration
    was forgotten."""
    async with database.owner_engine.connect() as connection:
        return await connection.run_sync(_compare)


def newest_revision() -> str:
    """The number of the last migration, with which its file's name begins."""
    return max(path.stem.partition("_")[0] for path in (_MIGRATIONS / "versions").glob("[0-9]*.py"))


def draft(connection: Connection, role_prefix: str, message: str, revision: str) -> None:
    """Write a new migration from the difference between the code and this database, to be read and mended."""
    from alembic import command

    command.revision(_config(connection, role_prefix), message, autogenerate=True, rev_id=revision)


def _is_current(connection: Connection) -> bool:
    return _revision(connection) == newest_revision() and analytics.are_current(connection)


def _upgrade(connection: Connection, role_prefix: str) -> bool:
    """Views for analysts are made anew around the migrations: they hold on to columns that these may change."""
    if _is_current(connection):
        return False
    analytics.drop(connection)
    if _revision(connection) != newest_revision():
        from alembic import command

        command.upgrade(_config(connection, role_prefix), "head")
    analytics.create(connection, role_prefix)
    return True


def _config(connection: Connection, role_prefix: str) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    config.attributes["role_prefix"] = role_prefix
    return config


def _revision(connection: Connection) -> str | None:
    if connection.scalar(text("select to_regclass('alembic_version')")) is None:
        return None
    revision: str | None = connection.scalar(text("select version_num from alembic_version"))
    return revision


def _compare(connection: Connection) -> list[Any]:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    context = MigrationContext.configure(connection, opts={"compare_server_default": False})
    return [
        change
        for change in compare_metadata(context, Base.metadata)
        if not (change[0] == "remove_table" and change[1].name == "alembic_version")
    ]


async def _draft_next(message: str) -> str | None:
    """Write the next migration from what the code has and the migrations lack; its number, or None."""
    with TemporaryDirectory(prefix="skvoz-") as home:
        async with open_database(Settings(home=Path(home), database_url=None)) as database:
            await migrate(database)
            if not await drift(database):
                return None
            revision = f"{int(newest_revision()) + 1:04}"
            async with database.owner_engine.connect() as connection:
                await connection.run_sync(draft, database.role_prefix, message, revision)
    return revision


@click.command()
@click.argument("message")
def main(message: str) -> None:
    """Write the next migration from a change of the tables; MESSAGE says what it does."""
    revision = asyncio.run(_draft_next(message))
    if revision is None:
        raise click.ClickException("The tables are as the migrations make them: there is nothing to write.")
    click.echo(f"Migration {revision} lies in {_MIGRATIONS / 'versions'}. It is a draft: read it and mend it.")


if __name__ == "__main__":
    main()
