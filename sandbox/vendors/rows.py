"""Rows of SQLite as maps of column names."""

from __future__ import annotations

from collections.abc import Iterable
from sqlite3 import Connection
from typing import Any

Row = dict[str, Any]


def rows(db: Connection, sql: str, arguments: Iterable[object] = ()) -> list[Row]:
    """All rows of a query."""
    cursor = db.execute(sql, tuple(arguments))
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]
