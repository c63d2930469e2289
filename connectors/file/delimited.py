"""Text tables: any of the usual encodings and separators, with or without quotes."""

from __future__ import annotations

import codecs
import csv
from collections import Counter
from io import StringIO
from typing import Literal

from connectors.errors import BadSettings

ENCODINGS = ("cp1251", "cp866", "koi8-r")
SEPARATORS = (";", ",", "\t", "|")
LONGEST_CELL = 100_000  # characters
_SAMPLED = 60  # lines that separators are compared by
_SWALLOWED = 20  # lines in one cell: rather a quote that is never closed
# The letters that Russian text is made of: in a wrong encoding they turn into rare ones and signs.
_COMMON = frozenset("оеаинтсрвлкмдпуяыьгзбчйхжОЕАИНТСРВЛКМДПУЯЫЬГЗБЧЙХЖ")

Quoting = Literal[0, 3]  # csv.QUOTE_MINIMAL, csv.QUOTE_NONE
Rows = list[tuple[int, list[str]]]


def decoded(content: bytes) -> tuple[str, str]:
    """The text and the encoding it was written in. Raises BadSettings where it is no text."""
    for mark, encoding in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if content.startswith(mark):
            return _strictly(content, encoding), encoding.removesuffix("-sig")
    head = content[:2000]
    if b"\0" in head:  # Latin letters and digits of UTF-16 have one zero byte
        encoding = "utf-16-le" if head[1::2].count(0) > head[::2].count(0) else "utf-16-be"
        return _strictly(content, encoding), encoding
    try:
        return content.decode(), "utf-8"
    except UnicodeDecodeError:
        encoding = max(ENCODINGS, key=lambda each: _likeness(content[:100_000], each))
        return _strictly(content, encoding), encoding


def delimited_rows(text: str, separator: str | None) -> tuple[str, Rows]:
    """The separator, and the rows, each with the number of the line it begins in."""
    first, _, rest = text.partition("\n")
    told, skipped = None, 0
    if first.strip().casefold().startswith("sep=") and len(first.strip()) == 5:  # Excel's own hint
        told, text, skipped = first.strip()[4], rest, 1
    chosen = separator or told or _separator(text)
    rows = _parsed(text, chosen, csv.QUOTE_MINIMAL)
    if any(cell.count("\n") > _SWALLOWED for _, row in rows for cell in row):
        rows = _parsed(text, chosen, csv.QUOTE_NONE)
    return chosen, [(number + skipped, row) for number, row in rows]


def _strictly(content: bytes, encoding: str) -> str:
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise BadSettings("The file is no table that can be read: save it as CSV in UTF-8, or as .xlsx.", "file")
    return text


def _likeness(sample: bytes, encoding: str) -> float:
    text = sample.decode(encoding, errors="replace")
    letters = [letter for letter in text if ord(letter) > 127]
    return sum(letter in _COMMON for letter in letters) + 0.5 * sum(letter.islower() for letter in letters)


def _separator(text: str) -> str:
    """The separator that gives most rows the same number of cells, more than one."""

    def share(separator: str) -> tuple[float, int]:
        widths = Counter(len(row) for _, row in _parsed("\n".join(lines), separator, csv.QUOTE_MINIMAL) if any(row))
        width, rows = max(((width, rows) for width, rows in widths.items() if width > 1), key=_rows, default=(1, 0))
        return rows / max(1, widths.total()), width

    lines = text.splitlines()[:_SAMPLED]
    return max(SEPARATORS, key=share)


def _rows(each: tuple[int, int]) -> int:
    return each[1]


def _parsed(text: str, separator: str, quoting: Quoting) -> Rows:
    csv.field_size_limit(LONGEST_CELL)
    reader = csv.reader(StringIO(text, newline=""), delimiter=separator, quoting=quoting)
    rows: Rows = []
    begins = 1
    try:
        for row in reader:
            rows.append((begins, row))
            begins = reader.line_num + 1
    except csv.Error:
        if quoting != csv.QUOTE_NONE:
            return _parsed(text, separator, csv.QUOTE_NONE)
        raise BadSettings(
            f"Line {begins} of the file has a cell of more than {LONGEST_CELL:,} characters: that is no table.",
            "file",
        ) from None
    return rows
