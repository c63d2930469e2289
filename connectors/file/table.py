"""A file as a table: columns by name, rows by number, without titles above, sums below, and empty lines."""

from __future__ import annotations

import codecs
import re
from collections import Counter
from dataclasses import dataclass

from connectors.errors import BadSettings
from connectors.file.delimited import decoded, delimited_rows
from connectors.file.fields import SHAPES, Kind, plain
from connectors.file.workbook import refuse_hostile, sheet_rows

LARGEST_FILE = 50 * 2**20
MOST_ROWS = 1_000_000
MOST_COLUMNS = 300
HEADER_WITHIN = 25  # rows: reports have a title above their table
_SUMS = re.compile(r"(итого|всего|промежуточный итог|общий итог|(grand |sub)?total|subtotal|sum)\b", re.IGNORECASE)
_WORDLESS = re.compile(r"[\d\s.,:+()/@-]*")


@dataclass(frozen=True, slots=True)
class Row:
    """``number`` is that of Excel, or of the line in a text file; ``excess`` are cells beyond the last column."""

    number: int
    cells: tuple[str, ...]
    excess: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """``form`` says in words how the file is written; ``header`` is the row of names, None where there is none."""

    form: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    header: int | None

    def column(self, name: str) -> list[str]:
        place = self.columns.index(name)
        return [row.cells[place] for row in self.rows]


def table_of(content: bytes, kind: Kind, *, sheet: str | None = None, separator: str | None = None) -> Table:
    """Read a file. Raises BadSettings that says in a sentence why it can't be."""
    if len(content) > LARGEST_FILE:
        raise BadSettings(f"The file is larger than {LARGEST_FILE // 2**20} MB: split it.", "file")
    form, rows = _rows(content, sheet, separator)
    rows = [(number, row) for number, row in rows if any(cell.strip() for cell in row)]
    if not rows:
        raise BadSettings("The file is empty.", "file")
    if len(rows) > MOST_ROWS or max(len(row) for _, row in rows) > 10 * MOST_COLUMNS:
        raise BadSettings(f"The file has more than {MOST_ROWS:,} rows or {MOST_COLUMNS} columns: split it.", "file")
    place = _header(rows, kind)
    begin = 0 if place is None else place + 1
    width = (
        _width(rows[place][1])
        if place is not None
        else Counter(_width(row) for _, row in rows).most_common(1)[0][0]
    )
    if width > MOST_COLUMNS:
        raise BadSettings(
            f"The table has more than {MOST_COLUMNS} columns: remove those that aren't needed.", "file"
        )
    columns = _names(rows[place][1][:width] if place is not None else [""] * width)
    return Table(
        form,
        columns,
        tuple(_row(number, row, width) for number, row in rows[begin:]),
        None if place is None else rows[place][0],
    )


def refuse_untabular(content: bytes) -> None:
    """Raises BadSettings that says why what was sent can't be a table, or must not be opened: a bomb, macros, a
    picture. What it lacks as a table of its kind is only told where it is read."""
    if not content:
        raise BadSettings("The file is empty.", "file")
    if not _is_workbook(content):
        _text_of(content)
    else:
        refuse_hostile(content)


def looks_like_sums(row: Row) -> bool:
    """Whether a row is one of sums by what stands first in it."""
    first = next((cell.strip() for cell in row.cells if cell.strip()), "")
    return bool(_SUMS.match(first))


def _rows(content: bytes, sheet: str | None, separator: str | None) -> tuple[str, list[tuple[int, list[str]]]]:
    if _is_workbook(content):
        name, rows = sheet_rows(content, sheet)
        return f"Excel, sheet «{name}»", list(enumerate(rows, 1))
    text, encoding = _text_of(content)
    used, rows_of_text = delimited_rows(text, separator)
    named = {"\t": "tabs", ";": "semicolons", ",": "commas", "|": "bars"}.get(used, repr(used))
    return f"text in {encoding}, parted by {named}", rows_of_text


def _is_workbook(content: bytes) -> bool:
    return content[:4] == b"PK\x03\x04"


def _text_of(content: bytes) -> tuple[str, str]:
    """The text and its encoding. Raises BadSettings for what is known not to be a table."""
    head = content[:512].removeprefix(codecs.BOM_UTF8).lstrip()
    if content[:4] == b"\xd0\xcf\x11\xe0":
        raise BadSettings(
            "The file is an old .xls workbook, or one with a password: save it as .xlsx without a password.", "file"
        )
    if content[:4] == b"%PDF":
        raise BadSettings("The file is a PDF: export the table as .xlsx or CSV.", "file")
    if head[:1] == b"<":
        raise BadSettings(
            "The file is a web page or XML, whatever its name: open it in Excel and save it as .xlsx.", "file"
        )
    return decoded(content)


def _header(rows: list[tuple[int, list[str]]], kind: Kind) -> int | None:
    """The row that names the columns: the one with most names that we know; else the first one all in words."""
    known = {name for field in SHAPES[kind].fields for name in field.names}

    def score(place: int) -> int:
        return sum(plain(cell) in known for cell in rows[place][1])

    places = range(min(HEADER_WITHIN, len(rows)))
    best = max(places, key=lambda place: (score(place), -place))
    if score(best) > 0:
        return best
    in_words = [
        place
        for place in places
        if _width(rows[place][1]) > 1
        and all(not _WORDLESS.fullmatch(cell) and "@" not in cell for cell in rows[place][1] if cell.strip())
    ]
    return in_words[0] if in_words else None


def _width(row: list[str]) -> int:
    return max((place for place, cell in enumerate(row, 1) if cell.strip()), default=0)


def _names(header: list[str]) -> tuple[str, ...]:
    """Each column's name once: a nameless one is called by its number, a repeated one is numbered."""
    names: list[str] = []
    for place, cell in enumerate(header, 1):
        name = " ".join(cell.split()) or f"column {place}"
        repeated = names.count(name)
        names.append(f"{name} ({place})" if repeated else name)
    return tuple(names)


def _row(number: int, row: list[str], width: int) -> Row:
    cells = tuple(row[:width]) + ("",) * (width - len(row))
    return Row(number, cells, tuple(cell for cell in row[width:] if cell.strip()))
