"""A database with the tables, and a small world of records to put into it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import create_engine

from schema.tables import Base
from tests.conftest import Postgres


@pytest.fixture(scope="session")
async def identity_database(postgres: Postgres) -> str:
    """The URL of a database with the tables of the code."""
    name = postgres.create()
    url = postgres.url(name, user="postgres")

    def create() -> None:
        engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
        Base.metadata.create_all(engine)
        engine.dispose()

    await asyncio.to_thread(create)
    return url


@pytest.fixture
async def conn(identity_database: str) -> AsyncIterator[psycopg.AsyncConnection[tuple[Any, ...]]]:
    """A connection whose work is undone after the test."""
    async with await psycopg.AsyncConnection.connect(identity_database) as connection:
        yield connection
        await connection.rollback()
