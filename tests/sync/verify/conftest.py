"""What tests of verification do behind Skvoz's back: to its own tables, and to what the emulated systems hold."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from sandbox.server import Sandbox, start
from schema.enums import RunTrigger
from sync.verify import Found, Verified, verify_connection
from sync.verify.verifying import Wanted
from tests.sync.conftest import START, Bench


@pytest.fixture
def small_market(tmp_path: Path) -> Iterator[Sandbox]:
    """A market of a test's own that is small, to be changed at will."""
    with start(tmp_path / "market", seed=8, calls=60, days=20, start=START, limits=0) as sandbox:
        yield sandbox


async def verify(bench: Bench, connection: UUID, **wanted: Any) -> Verified:
    return await verify_connection(
        bench.office, bench.workspace, connection, Wanted(**wanted), trigger=RunTrigger.COMMAND
    )


def stream_of(verified: Verified, name: str) -> Found:
    return next(found for found in verified.streams if found.stream == name)


def there(sandbox: Sandbox, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    """Run a statement in the emulated systems' own database."""
    with closing(sqlite3.connect(sandbox.home / "world.sqlite", timeout=10)) as db:
        rows = db.execute(statement, values).fetchall()
        db.commit()
    return rows


async def forget(bench: Bench, stream: str, ids: list[str]) -> None:
    """Lose records of ours, as a bug or a hand in the database would."""
    statement = "delete from source_record where stream = :stream and external_id = any(:ids) returning 1"
    assert len(await bench.rows(statement, stream=stream, ids=ids)) == len(ids)


async def quick_reports(sandbox: Sandbox) -> None:
    """Let Direct ask for a second's patience with its reports."""
    async with httpx.AsyncClient(base_url=sandbox.credentials["yandex_direct"]["base_url"]) as cabinet:
        (await cabinet.put("/_switches", json={"retry_in": 1})).raise_for_status()
