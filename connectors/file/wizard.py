"""Guessing which column is which field: by its name in English or Russian, and by what stands in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from connectors.errors import BadRecord, BadSettings
from connectors.file import cells
from connectors.file.fields import SHAPES, Content, Field, Kind, plain
from connectors.file.table import Table

SAMPLED = 200
IGNORED = "-"
_READERS: dict[Content, Callable[[str], str]] = {
    "time": cells.time_of_day,
    "number": cells.number,
    "count": cells.whole,
    "seconds": cells.seconds,
    "flag": cells.flag,
    "email": cells.email,
}


@dataclass(frozen=True, slots=True)
class Match:
    """A column and the field it fills; ``why`` says what told so."""

    column: str
    field: str
    why: Literal["told", "name", "part of the name", "content"]


def matches_of(table: Table, kind: Kind, told: Mapping[str, str]) -> tuple[Match, ...]:
    """The columns that fill fields, in the table's order. ``told`` is the user's word: column → field, or '-' to
    leave a column out.

    Raises BadSettings for a column or field that isn't there, and where a needed field has no column.
    """
    shape = SHAPES[kind]
    chosen = _told(table, kind, told)
    taken = {match.field for match in chosen.values()}
    free = [column for column in table.columns if column not in chosen and column not in told]
    for why, fits in _RULES:
        ranked = [
            (rank, column, field)
            for column in free
            for field in shape.fields
            if (rank := fits(table, column, field)) is not None
        ]
        for _, column, field in sorted(ranked, key=lambda each: each[0]):
            if column in chosen or (field.name in taken and not field.many):
                continue
            chosen[column] = Match(column, field.name, why)
            taken.add(field.name)
    missing = [group for group in shape.needs if not taken.intersection(group)]
    if missing:
        raise BadSettings(
            f"No column was found for {'; '.join(' or '.join(group) for group in missing)}. The columns are: "
            f"{', '.join(table.columns)}. Say which is which (column=field).",
            "columns",
        )
    return tuple(chosen[column] for column in table.columns if column in chosen)


def _told(table: Table, kind: Kind, told: Mapping[str, str]) -> dict[str, Match]:
    shape = SHAPES[kind]
    known = {field.name: field for field in shape.fields}
    chosen: dict[str, Match] = {}
    for column, field in told.items():
        if column not in table.columns:
            continue  # another month's file may lack it; a needed field is missed below
        if field == IGNORED:
            continue
        if field not in known:
            raise BadSettings(
                f"{kind.capitalize()} have no field {field!r}; they have {', '.join(known)}.", "columns"
            )
        if any(match.field == field for match in chosen.values()) and not known[field].many:
            raise BadSettings(f"Two columns can't both be {field!r}.", "columns")
        chosen[column] = Match(column, field, "told")
    return chosen


def _by_name(table: Table, column: str, field: Field) -> int | None:
    name = plain(column)
    if name not in field.names or not _holds(table, column, field.content, at_least=0.3):
        return None
    return field.names.index(name)


def _by_part(table: Table, column: str, field: Field) -> int | None:
    """A name of the field stands in the column's as whole words: 'Расход, руб. с НДС'."""
    name = f" {plain(column)} "
    found = [place for place, known in enumerate(field.names) if len(known) > 3 and f" {known} " in name]
    if not found or not _holds(table, column, field.content, at_least=0.3):
        return None
    return min(found)


def _by_content(table: Table, column: str, field: Field) -> int | None:
    if field.content not in ("email", "phone", "day", "moment"):
        return None
    return 0 if _holds(table, column, field.content, at_least=0.8) else None


_RULES: tuple[
    tuple[Literal["name", "part of the name", "content"], Callable[[Table, str, Field], int | None]], ...
] = (("name", _by_name), ("part of the name", _by_part), ("content", _by_content))


def _holds(table: Table, column: str, content: Content, *, at_least: float) -> bool:
    """Whether enough of the column's values are such; an empty column may be anything but a guess by content."""
    values = [value for value in table.column(column)[:SAMPLED] if value.strip()]
    if content in ("text", "direction") or (not values and at_least < 0.5):
        return True
    month_first = cells.month_comes_first(values)
    reads = sum(_reads(content, value, month_first) for value in values)
    return bool(values) and reads >= at_least * len(values)


def _reads(content: Content, value: str, month_first: bool) -> bool:
    try:
        told = cells.text(value)
        if told is None:
            return False
        if content == "phone":
            digits = sum(map(str.isdigit, told))
            letters = sum(map(str.isalpha, told))
            return 7 <= digits <= 40 and letters <= 6 and ":" not in told and not _is_date(told)
        if content in ("day", "moment"):
            cells.moment(told, month_first=month_first)
        else:
            _READERS[content](told)
    except BadRecord:
        return False
    return True


def _is_date(told: str) -> bool:
    try:
        cells.moment(told)
    except BadRecord:
        return False
    return not told.isdigit() or len(told) == 5
