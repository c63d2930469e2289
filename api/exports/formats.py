"""The forms in which a table leaves: Parquet, CSV, and a stream of Arrow batches."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from api.exports.asking import Format
from api.exports.reading import Export

_DANGEROUS = r"^[=+\-@\t\r]"


class _Writer(Protocol):
    def write_batch(self, batch: pa.RecordBatch) -> None: ...

    def close(self) -> None: ...


class _Outbox(io.RawIOBase):
    """A file that hands on what is written to it, and keeps nothing."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def taken(self) -> bytes:
        """What was written since the last time."""
        taken, self._parts = b"".join(self._parts), []
        return taken


def _parquet(sink: _Outbox, schema: pa.Schema) -> _Writer:
    writer: _Writer = pyarrow.parquet.ParquetWriter(sink, schema, compression="zstd")
    return writer


def _arrow(sink: _Outbox, schema: pa.Schema) -> _Writer:
    writer: _Writer = pa.ipc.new_stream(sink, schema)
    return writer


class _Csv:
    """CSV with a header. A text that a spreadsheet would take for a formula gets an apostrophe before it."""

    def __init__(self, sink: _Outbox, schema: pa.Schema) -> None:
        self._schema = pa.schema([pa.field(each.name, _spoken(each.type)) for each in schema])
        self._writer = pyarrow.csv.CSVWriter(sink, self._schema)

    def write_batch(self, batch: pa.RecordBatch) -> None:
        columns = [_harmless(column) for column in batch.columns]
        self._writer.write_batch(pa.record_batch(columns, schema=self._schema))

    def close(self) -> None:
        self._writer.close()


def _spoken(kind: pa.DataType) -> pa.DataType:
    return pa.string() if pa.types.is_decimal(kind) or pa.types.is_list(kind) else kind


def _harmless(column: pa.Array) -> pa.Array:
    if pa.types.is_list(column.type):
        column = pc.binary_join(column, ", ")
    elif pa.types.is_decimal(column.type):
        return column.cast(pa.string())  # a number, its minus is none of a formula
    if not pa.types.is_string(column.type):
        return column
    dangerous = pc.fill_null(pc.match_substring_regex(column, _DANGEROUS), False)
    return pc.if_else(dangerous, pc.binary_join_element_wise("'", column, ""), column)


_WRITERS: dict[Format, Callable[[_Outbox, pa.Schema], _Writer]] = {
    Format.PARQUET: _parquet,
    Format.CSV: _Csv,
    Format.ARROW: _arrow,
}


async def written(
    export: Export, form: Format, tell: Callable[[int], None] = lambda _: None
) -> AsyncIterator[bytes]:
    """The table's bytes, a batch at a time; ``tell`` hears how many rows are out."""
    sink = _Outbox()
    writer = _WRITERS[form](sink, export.schema)
    rows = 0
    async for batch in export.batches:
        await asyncio.to_thread(writer.write_batch, batch)
        rows += batch.num_rows
        tell(rows)
        if part := sink.taken():
            yield part
    await asyncio.to_thread(writer.close)
    yield sink.taken()
