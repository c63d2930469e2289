"""A look at a file before anything is stored: how its columns are understood, and what its rows become."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from connectors.contract import Skip
from connectors.errors import BadRecord
from connectors.file.fields import SHAPES
from connectors.file.mapping import KINDS
from connectors.file.reads import warnings_of
from connectors.file.records import Body, reading_of
from connectors.file.settings import FileSettings
from connectors.file.table import table_of
from connectors.file.vendor import overview
from schema.records import Record

SAMPLES = 3


@dataclass(frozen=True, slots=True)
class Column:
    """A column with the field it fills, what told so, and the first values in it."""

    name: str
    field: str | None
    why: str | None
    samples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """``fields`` are those that the kind has; ``faults`` pairs a row with what is wrong with it, all of them."""

    form: str
    columns: tuple[Column, ...]
    fields: tuple[str, ...]
    records: int
    shown: tuple[tuple[int, tuple[Record, ...]], ...]
    faults: tuple[tuple[int, str], ...]
    warnings: tuple[str, ...]


def preview_of(content: bytes, settings: FileSettings, *, show: int = 5) -> Preview:
    """Read and map a whole file. Raises BadSettings where it can't be read or a needed field has no column."""
    table = table_of(content, settings.kind, sheet=settings.sheet, separator=settings.separator)
    reading = reading_of(table, settings)
    shown: list[tuple[int, tuple[Record, ...]]] = []
    faults: list[tuple[int, str]] = []
    for record in reading.records:
        row = msgspec.json.decode(record.body, type=Body).rows[0]
        try:
            mapped = KINDS[settings.kind](settings, record.body)
        except BadRecord as error:
            faults.append((row, error.sentence))
            continue
        if len(shown) < show and not isinstance(mapped, Skip):
            shown.append((row, tuple(mapped)))
    matches = {match.column: match for match in reading.matches}
    return Preview(
        form=table.form,
        columns=tuple(
            Column(
                name,
                matches[name].field if name in matches else None,
                matches[name].why if name in matches else None,
                tuple(value for value in table.column(name) if value.strip())[:SAMPLES],
            )
            for name in table.columns
        ),
        fields=tuple(field.name for field in SHAPES[settings.kind].fields),
        records=len(reading.records),
        shown=tuple(shown),
        faults=tuple(faults),
        warnings=warnings_of(overview(reading)),
    )
