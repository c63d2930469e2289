from collections.abc import AsyncIterator, Iterator

import pytest

from core.database import Database, open_database
from core.settings import Settings
from tests.conftest import Postgres


@pytest.fixture
def blank_settings(postgres: Postgres) -> Iterator[Settings]:
    """Settings that lead to a fresh database without a single table."""
    name = postgres.create()
    yield postgres.settings_for(name)
    postgres.drop(name)


@pytest.fixture
async def blank(blank_settings: Settings) -> AsyncIterator[Database]:
    """A fresh database without a single table: the rooms above don't exist for these tests."""
    async with open_database(blank_settings) as opened:
        yield opened
