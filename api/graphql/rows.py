# ruff: noqa: S608 - the SQL is put together from declarations of ours; values are bound, never written in
"""How rows become JSON in SQL. What was measured fastest: a subquery whose column names are the keys, and
``to_json`` or ``json_agg`` over its whole row; relations to one row as correlated scalar subqueries.

Table aliases begin with a digit (``"7"``), which no GraphQL name can, so that an alias in a query never
captures one.
"""

from __future__ import annotations

from collections.abc import Sequence

Pair = tuple[str, str]
"""A response key and the SQL expression of its value."""

_LONGEST_NAME = 63  # bytes; PostgreSQL cuts longer names of columns


def one_object(pairs: Sequence[Pair], alias: str, source: str = "") -> str:
    """The object of the one row of ``source`` (a FROM clause and what follows), or null if there is none.
    Without a source, of the row that is at hand."""
    if _fits(pairs):
        return f"(select to_json({alias}) from (select {_columns(pairs)} {source}) {alias})"
    return f"(select {_written_out(pairs)} {source})"


def many_objects(pairs: Sequence[Pair], alias: str, source: str) -> str:
    """The array of the objects of all rows of ``source``, in its order."""
    if _fits(pairs):
        rows = f"(select {_columns(pairs)} {source})"
        return f"(select coalesce(json_agg({alias}), '[]'::json) from {rows} {alias})"
    rows = f"(select {_written_out(pairs)} as o {source})"
    return f"(select coalesce(json_agg({alias}.o), '[]'::json) from {rows} {alias})"


def _fits(pairs: Sequence[Pair]) -> bool:
    return all(len(key) <= _LONGEST_NAME for key, _ in pairs)


def _columns(pairs: Sequence[Pair]) -> str:
    return ", ".join(f'{expression} as "{key}"' for key, expression in pairs)


def _written_out(pairs: Sequence[Pair]) -> str:
    """The object as text, for keys that are too long to be names of columns (and too many for a function)."""
    members = " || ',' || ".join(
        f"""'"{key}":' || coalesce(to_json({expression})::text, 'null')""" for key, expression in pairs
    )
    if not members:
        return "'{}'::json"
    return f"('{{' || {members} || '}}')::json"
