"""One PostgreSQL for the whole run of tests, and a fresh migrated database for each test that asks for one."""

import base64
import itertools
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import hypothesis
import psycopg
import pytest
from psycopg import sql
from pydantic import SecretStr

from core import embedded
from core.database import Database, open_database
from core.settings import Settings

hypothesis.settings.register_profile("skvoz", deadline=None)  # a busy machine is no failure
hypothesis.settings.load_profile("skvoz")

MASTER_KEY = base64.b64encode(bytes(range(32))).decode()


@dataclass
class Postgres:
    """The server of this run, with the three roles in it."""

    server: embedded.Embedded
    settings: Settings
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def url(self, dbname: str, *, user: str = "skvoz_owner") -> str:
        """A DATABASE_URL for a database of this server."""
        return f"postgresql://{user}@/{dbname}?host={quote(str(self.server.sockets), safe='')}&port=5432"

    def settings_for(self, dbname: str) -> Settings:
        """The settings of a process that works with this database."""
        return self.settings.model_copy(update={"database_url": SecretStr(self.url(dbname))})

    def create(self, *, template: str = "template1") -> str:
        """Make a database out of a template; returns its name."""
        name = f"test_{next(self._numbers)}"
        self._execute("CREATE DATABASE {} OWNER skvoz_owner TEMPLATE {} STRATEGY file_copy", name, template)
        return name

    def drop(self, name: str) -> None:
        """Remove a database and end whoever is still connected to it."""
        self._execute("DROP DATABASE {} WITH (FORCE)", name)

    def shut(self, name: str) -> None:
        """Let nobody in any more, and end whoever is connected: as if the server were away."""
        self._execute("ALTER DATABASE {} ALLOW_CONNECTIONS false", name)
        with psycopg.connect(self.url("postgres", user=embedded.SUPERUSER), autocommit=True) as connection:
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])

    def reopen(self, name: str) -> None:
        """Let everybody in again."""
        self._execute("ALTER DATABASE {} ALLOW_CONNECTIONS true", name)

    def _execute(self, statement: str, *names: str) -> None:
        with psycopg.connect(self.url("postgres", user=embedded.SUPERUSER), autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own settings don't reach the tests."""
    for name in os.environ:
        if name.startswith("SKVOZ_") or name == "DATABASE_URL":
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
async def postgres() -> AsyncIterator[Postgres]:
    """A running PostgreSQL 18 that doesn't wait for the disk."""
    home = Path(tempfile.mkdtemp(prefix="skvoz-"))  # pytest's own folders are too deep for a socket
    settings = Settings(home=home, database_url=None, master_key=SecretStr(MASTER_KEY))
    try:
        async with open_database(settings, durable=False):  # makes the roles
            server = embedded.acquire(home, durable=False)
            try:
                yield Postgres(server, settings)
            finally:
                server.release()
    finally:
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
async def migrated_template(postgres: Postgres) -> str:
    """The name of a database with all migrations applied and nobody connected."""
    from schema.migrate import migrate

    name = postgres.create()
    async with open_database(postgres.settings_for(name)) as database:
        await migrate(database)
    return name


@pytest.fixture
def settings(postgres: Postgres, migrated_template: str) -> Iterator[Settings]:
    """Settings that lead to a fresh migrated database of this test's own."""
    name = postgres.create(template=migrated_template)
    yield postgres.settings_for(name)
    postgres.drop(name)


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    """The fresh migrated database of `settings`, open, with its three roles."""
    async with open_database(settings) as opened:
        yield opened
