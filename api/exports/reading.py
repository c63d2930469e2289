"""What an export holds, read in batches as Arrow columns."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from psycopg import sql

from api.exports.asking import Asked, CursorTooOld, ExportRefused, NoSuchExport
from api.graphql.masks import MASKED_ROLES, Mask
from core.database import PsycopgConnection
from schema.analytics import VIEWS, Column, Holds, Personal, View
from schema.enums import Role
from sync.feed import end_of_feed

BATCH = 20_000
_MASKS = {
    Personal.NAME: Mask.NAME,
    Personal.PHONE: Mask.PHONE,
    Personal.EMAIL: Mask.EMAIL,
    Personal.FREE_TEXT: Mask.HIDDEN,
}
_ARROW: dict[Holds, pa.DataType] = {
    Holds.TEXT: pa.string(),
    Holds.ID: pa.string(),
    Holds.MOMENT: pa.timestamp("us", tz="UTC"),
    Holds.DAY: pa.date32(),
    Holds.WHOLE: pa.int64(),
    Holds.MONEY: pa.decimal128(20, 2),
    Holds.FLAG: pa.bool_(),
    Holds.TEXTS: pa.list_(pa.string()),
}


@dataclass(frozen=True, slots=True)
class Export:
    """A table on its way out. ``cursor``: given as ``after`` next time, only what changed since comes."""

    name: str
    schema: pa.Schema
    batches: AsyncIterator[pa.RecordBatch]
    cursor: int


def view_named(name: str) -> View:
    """Raises NoSuchExport that names the views there are."""
    for view in VIEWS:
        if view.name == name:
            return view
    raise NoSuchExport(
        f"There is no export {name!r}. There are: {', '.join([*(v.name for v in VIEWS), 'credits'])}."
    )


async def export_view(conn: PsycopgConnection, view: View, asked: Asked) -> Export:
    """The rows of a view, within one transaction of the caller, whose isolation must be REPEATABLE READ: then all
    batches and the cursor tell of one moment.

    Raises ExportRefused for days or a cursor that the view can't be cut by, and CursorTooOld.
    """
    cursor = await end_of_feed(conn, asked.workspace_id)
    statement, parameters = _statement(view, asked)
    if asked.after is not None:
        await _check_cursor(conn, view, asked, cursor)
    schema = schema_of(view, cursor)
    return Export(view.name, schema, _batches(conn, statement, parameters, schema), cursor)


def schema_of(view: View, cursor: int) -> pa.Schema:
    """The Arrow schema, with the meaning of the table and of each column in its metadata."""
    fields = [
        pa.field(column.name, _ARROW[column.holds], metadata={"meaning": column.meaning}) for column in view.columns
    ]
    told = {"meaning": view.meaning, "key": ", ".join(view.key), "skvoz.cursor": str(cursor)}
    return pa.schema(fields, metadata=told)


def _statement(view: View, asked: Asked) -> tuple[sql.Composed, dict[str, Any]]:
    conditions = ["v.workspace_id = %(workspace)s"]
    if (asked.start or asked.end) and view.day is None:
        raise ExportRefused(f"{view.name} can't be cut by days: leave out from and to.")
    zone = "(select time_zone from workspace where id = %(workspace)s)"
    holds = next((column.holds for column in view.columns if column.name == view.day), None)
    for name, sign, shift in (("start", ">=", ""), ("end", "<", " + 1")):
        if getattr(asked, name) is not None:
            limit = f"(%({name})s::date{shift})"
            moment = f"({limit}::timestamp at time zone {zone})"
            conditions.append(f"v.{view.day} {sign} {limit if holds is Holds.DAY else moment}")
    if asked.after is not None:
        conditions.append(_changed(view))
    listed = sql.SQL(", ").join(sql.SQL(_expression(column, asked.role)) for column in view.columns)
    statement = sql.SQL("select {} from analytics.{} v where {}").format(
        listed, sql.Identifier(view.name), sql.SQL(" and ".join(conditions))
    )
    parameters = {
        "workspace": asked.workspace_id,
        "start": asked.start,
        "end": asked.end,
        "after": asked.after,
    }
    return statement, parameters


def _expression(column: Column, role: Role) -> str:
    value = f"v.{column.name}"
    if column.personal is not None and role in MASKED_ROLES:
        value = _MASKS[column.personal].sql(value)
    # Ids leave as text: that is what files know.
    return f"{value}::text as {column.name}" if column.holds is Holds.ID else f"{value} as {column.name}"


_CLIENTS_SINCE = (
    "select unnest(ids || coalesce(others, '{}')) from change"
    " where workspace_id = %(workspace)s and position > %(after)s and type = 'client'"
)
_RECORDS_SINCE = (
    "select unnest(ids) from change"
    " where workspace_id = %(workspace)s and position > %(after)s and type <> 'client'"
)
# A restated cost is told with the time of its run, which may have begun before the cursor's transaction ended.
_COSTS_SINCE = (
    "v.known_from > (select coalesce(max(at), '-infinity') from change"
    " where workspace_id = %(workspace)s and position <= %(after)s) - interval '1 day'"
)


def _changed(view: View) -> str:
    """What may differ from what was exported up to a position: every row of a client that changed."""
    if view.of_client:
        of_records = f" or v.record_id in ({_RECORDS_SINCE})" if view.name == "history" else ""
        return f"(v.client_id in ({_CLIENTS_SINCE}){of_records})"
    if view.name == "spend":
        return _COSTS_SINCE
    raise ExportRefused(f"{view.name} is small and has no cursor: export it whole, or the days that you need.")


async def _check_cursor(conn: PsycopgConnection, view: View, asked: Asked, end: int) -> None:
    found = await conn.execute("select position from feed_horizon where workspace_id = %s", (asked.workspace_id,))
    row = await found.fetchone()
    if asked.after is not None and row is not None and asked.after < row[0]:
        raise CursorTooOld(f"Changes since that cursor aren't kept any more: export {view.name} whole once.")
    if asked.after is not None and not 0 <= asked.after <= end:
        raise ExportRefused("That cursor is none of this workspace's: take it from an earlier export.")


async def _batches(
    conn: PsycopgConnection, statement: sql.Composed, parameters: dict[str, Any], schema: pa.Schema
) -> AsyncIterator[pa.RecordBatch]:
    async with conn.cursor("export", binary=True) as cursor:
        await cursor.execute(statement, parameters)
        while rows := await cursor.fetchmany(BATCH):
            yield batch_of(rows, schema)


def batch_of(rows: Sequence[Sequence[Any]], schema: pa.Schema) -> pa.RecordBatch:
    """Rows as columns."""
    columns = list(zip(*rows, strict=True))
    return pa.record_batch(
        [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)], schema=schema
    )
