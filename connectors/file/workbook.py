"""Excel workbooks: opened only after they were looked through, since a workbook is an archive that may be a trap.

What was looked through is what gets read: the parts are unpacked here, within limits, and handed on in an archive
of our own. Formulas aren't evaluated; the values that Excel kept beside them are read.
"""

from __future__ import annotations

import re
import zlib
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from io import BytesIO
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from python_calamine import CalamineError, CalamineWorkbook, SheetVisibleEnum

from connectors.errors import BadSettings

LARGEST_UNPACKED = 200 * 2**20  # bytes of all parts together
LARGEST_SHEET = 3_000_000  # cells from A1 to the last one: they are all held in memory
MOST_PARTS = 2000

_REFUSED = (
    (re.compile(r"(^|/)vbaProject\.bin$|(^|/)macrosheets/", re.IGNORECASE),
     "The workbook holds macros: save it as an ordinary .xlsx without macros."),
    (re.compile(r"(^|/)(externalLinks|queryTables)/|(^|/)connections\.xml$", re.IGNORECASE),
     "The workbook draws on other files or databases: copy the sheet, paste it as values into a new workbook and "
     "save that."),
)  # fmt: skip
_REFERENCE = re.compile(rb"""\br\s*=\s*["']([A-Z]{0,3})(\d{1,9})["']""")
_ODD_REFERENCE = re.compile(rb"""<(?:\w+:)?(?:c|row)\b[^>]*\br\s*=\s*["'](?![A-Z]{0,3}\d{1,9}["'])""")

Cell = str | float | int | bool | date | datetime | time | timedelta


def sheet_rows(content: bytes, sheet: str | None) -> tuple[str, list[list[str]]]:
    """The name and the rows of a sheet: the one named, or the first visible one that isn't empty. Row 1 of Excel
    is the first of the list.

    Raises BadSettings that says what is wrong with the workbook.
    """
    try:
        book = CalamineWorkbook.from_filelike(BytesIO(_looked_through(content)))
        visible = [each.name for each in book.sheets_metadata if each.visible == SheetVisibleEnum.Visible]
        if sheet is not None and sheet not in book.sheet_names:
            raise BadSettings(
                f"The workbook has no sheet {sheet!r}; it has {', '.join(book.sheet_names)}.", "sheet"
            )
        for name in [sheet] if sheet is not None else visible:
            rows = [
                [as_text(cell) for cell in row]
                for row in book.get_sheet_by_name(name).to_python(skip_empty_area=False)
            ]
            if any(any(row) for row in rows) or sheet is not None:
                return name, rows
    except CalamineError:
        raise BadSettings(
            "The workbook is damaged: open it in Excel, save it anew and upload that.", "file"
        ) from None
    raise BadSettings("The workbook has no visible sheet with anything in it.", "file")


def refuse_hostile(content: bytes) -> None:
    """Raises BadSettings for a workbook that is a trap or damaged, without reading what is in its sheets."""
    _looked_through(content)


def as_text(cell: Cell) -> str:
    """A cell as it would stand in a text file: whole numbers without a fraction, days and times by ISO 8601."""
    match cell:
        case str():
            return cell
        case bool():
            return "yes" if cell else "no"
        case datetime():
            midnight = cell.time() == time()
            return cell.date().isoformat() if midnight else cell.replace(microsecond=0).isoformat()
        case date() | time():
            return cell.isoformat()
        case timedelta():
            whole = round(cell.total_seconds())
            return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"
        case float() if cell.is_integer():
            return str(int(cell))
        case float():
            told = f"{Decimal(repr(cell)):f}"
            # Three decimals could be taken for a group of thousands, four can't.
            return told + "0" if len(told.partition(".")[2]) == 3 else told
    return str(cell)


def _looked_through(content: bytes) -> bytes:
    """The workbook's parts in an archive of our own, each of them unpacked once within the limits."""
    checked = BytesIO()
    left = LARGEST_UNPACKED
    try:
        with ZipFile(BytesIO(content)) as packed, ZipFile(checked, "w", ZIP_STORED) as ours:
            parts = packed.infolist()
            if len(parts) > MOST_PARTS or len({part.filename for part in parts}) < len(parts):
                raise BadSettings("The workbook's archive is built in a way that Excel never does.", "file")
            for part in parts:
                _refuse_by_name(part)
                if not part.filename.casefold().endswith((".xml", ".rels")):
                    continue  # pictures, printer settings
                body = _unpacked(part, packed, left)
                left -= len(body)
                _refuse_by_content(part.filename, body)
                ours.writestr(part.filename, body)
    except (BadZipFile, zlib.error, NotImplementedError, EOFError, ValueError):
        raise BadSettings(
            "The workbook is damaged: open it in Excel, save it anew and upload that.", "file"
        ) from None
    return checked.getvalue()


def _refuse_by_name(part: ZipInfo) -> None:
    for pattern, sentence in _REFUSED:
        if pattern.search(part.filename):
            raise BadSettings(sentence, "file")
    if part.flag_bits & 0x1:
        raise BadSettings("The workbook is protected by a password: save it without one.", "file")


def _unpacked(part: ZipInfo, packed: ZipFile, left: int) -> bytes:
    """A part's bytes. The size that the archive tells isn't believed: unpacking stops at the limit."""
    with packed.open(part) as opened:
        if part.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
            raise BadSettings("The workbook's archive is packed in a way that Excel never does.", "file")
        body = opened.read(min(part.file_size, left) + 1)
    if len(body) > left or part.file_size > left:
        raise BadSettings(
            f"The workbook unpacks to more than {LARGEST_UNPACKED // 2**20} MB: split it into smaller files, or "
            "save the sheet as CSV.",
            "file",
        )
    return body


def _refuse_by_content(name: str, body: bytes) -> None:
    if b"<!DOCTYPE" in body[:4096] or b"<!ENTITY" in body or b"\0" in body[:64]:
        raise BadSettings("The workbook's parts are written in a way that Excel never does.", "file")
    if name == "[Content_Types].xml" and b"macroEnabled" in body:
        raise BadSettings(_REFUSED[0][1], "file")
    if b"sheetData" in body:
        rows = columns = 0
        if _ODD_REFERENCE.search(body):
            raise BadSettings("The workbook's parts are written in a way that Excel never does.", "file")
        for letters, digits in set(_REFERENCE.findall(body)):
            rows = max(rows, int(digits))
            columns = max(columns, _column(letters))
        if rows * max(1, columns) > LARGEST_SHEET:
            raise BadSettings(
                f"A sheet of the workbook reaches to row {rows:,} and column {columns:,}, more than can be read "
                "at once: delete what lies beyond the table, or save the sheet as CSV.",
                "file",
            )


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number
