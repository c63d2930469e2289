"""A migrated database, entered as the loader: the role that `absorb` works as."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import psycopg
import pytest

from tests.conftest import Postgres


@pytest.fixture(scope="session")
def identity_database(postgres: Postgres, migrated_template: str) -> Iterator[str]:
    """The URL of a migrated database; tests keep apart by workspace and by rolling back."""
    name = postgres.create(template=migrated_template)
    yield postgres.url(name, user="skvoz_loader")
    postgres.drop(name)


@pytest.fixture
async def conn(identity_database: str) -> AsyncIterator[psycopg.AsyncConnection[tuple[Any, ...]]]:
    """A connection whose work is undone after the test."""
    async with await psycopg.AsyncConnection.connect(identity_database) as connection:
        yield connection
        await connection.rollback()
