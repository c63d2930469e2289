"""Rows as records: keys that stay the same from file to file, and bodies in canonical spelling.

The same table told again, in another format or another order, gives the same records: nothing changes then. A value
that can't be read is left as it is, for the mapping to refuse with the number of its row.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from connectors.contract import RawRecord
from connectors.errors import BadRecord
from connectors.file import cells
from connectors.file.fields import SHAPES, Kind
from connectors.file.settings import FileSettings
from connectors.file.table import Row, Table, looks_like_sums
from connectors.file.wizard import Match, matches_of

Line = dict[str, str]
_SUMMED = frozenset({Kind.COSTS, Kind.FRAUD})  # rows of one campaign and day are one record
_OF_A_CAMPAIGN = ("day", "platform", "campaign_id", "utm_source", "utm_medium", "utm_campaign", "currency")
_MANY = "\n"  # parts the values of a field that several columns fill


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What the settings say of all rows, kept with each, since a change of it changes the record."""

    currency: str | None = None
    zone: str | None = None
    vat: bool | None = None
    source: str | None = None
    medium: str | None = None


class Body(msgspec.Struct, frozen=True, kw_only=True):
    """One record: its id, and its line or the lines of one campaign's day.

    ``rows`` are their numbers in the file, which say nothing of the record and are left out of its hash. ``extra``
    holds the columns that fill no field. ``fault`` says why the row can't be parted into cells.
    """

    id: str
    rows: list[int]
    lines: list[Line]
    extra: dict[str, str] = {}
    fault: str | None = None
    told: Told


@dataclass(frozen=True, slots=True)
class Reading:
    """A file as records, and what was found on the way: rows of sums that were left out, how many rows gave way to
    a later one of their id, columns that the settings name and the file lacks."""

    table: Table
    matches: tuple[Match, ...]
    records: tuple[RawRecord, ...]
    sums: tuple[int, ...]
    repeated: int
    absent: tuple[str, ...]


def reading_of(table: Table, settings: FileSettings) -> Reading:
    """Raises BadSettings where a needed field has no column."""
    kind = settings.kind
    matches = matches_of(table, kind, settings.columns)
    readers = _readers(table, matches, kind)
    used = {place for place, _, _ in readers}
    rest = [(place, name) for place, name in enumerate(table.columns) if place not in used]
    told = _told(settings)
    by_key: dict[str, Body] = {}
    sums: list[int] = []
    repeated = 0
    for row in table.rows:
        line = _line(row, readers)
        if looks_like_sums(row) and not _identified(line, kind):
            sums.append(row.number)
            continue
        body = Body(
            id="",
            rows=[row.number],
            lines=[line],
            extra=_extra(row, rest) if kind not in _SUMMED else {},
            fault=_fault(row, table),
            told=told,
        )
        repeated += _add(by_key, body, kind)
    absent = tuple(column for column in settings.columns if column not in table.columns)
    records = tuple(RawRecord(key, msgspec.json.encode(body)) for key, body in by_key.items())
    return Reading(table, matches, records, tuple(sums), repeated, absent)


def _add(by_key: dict[str, Body], body: Body, kind: Kind) -> int:
    """Put a record beside the others. Returns 1 where it takes the place of one with the same id."""
    key = _key(body, kind)
    body = msgspec.structs.replace(body, id=key)
    known = by_key.get(key)
    if known is None:
        by_key[key] = body
        return 0
    if kind in _SUMMED and key.startswith("day:"):  # what a campaign cost on a day is the sum of its lines
        by_key[key] = msgspec.structs.replace(known, rows=known.rows + body.rows, lines=known.lines + body.lines)
        return 0
    if key.startswith("id:"):
        by_key[key] = body
        return 1
    number = 2
    while f"{key}#{number}" in by_key:
        number += 1
    by_key[f"{key}#{number}"] = msgspec.structs.replace(body, id=f"{key}#{number}")
    return 0


def _key(body: Body, kind: Kind) -> str:
    line = body.lines[0]
    if body.fault is not None:
        return _hashed("unreadable", [body.fault.partition(": ")[2], *line.values()])
    if kind in _SUMMED:
        return _hashed("day", [line.get(name, "").casefold() for name in _OF_A_CAMPAIGN])
    if line.get("id"):
        return f"id:{line['id']}"
    if kind is Kind.CONTACTS:
        known = line.get("phones") or line.get("emails") or " ".join(
            line.get(name, "").casefold() for name in ("name", "first_name", "last_name", "company")
        )  # fmt: skip
        return _hashed("contact", ["".join(c for c in known.split(_MANY)[0] if c.isalnum() or c == "@")])
    names = {
        Kind.CALLS: ("started_at", "time", "client_phone"),
        Kind.DEALS: ("created_at", "title", "phones", "emails", "client"),
    }[kind]
    return _hashed("row", [line.get(name, "").casefold() for name in names])


def _hashed(what: str, parts: Sequence[str]) -> str:
    return f"{what}:{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:24]}"


def _line(row: Row, readers: Sequence[tuple[int, str, Callable[[str], str] | None]]) -> Line:
    line: Line = {}
    for place, field, reader in readers:
        value = _spelled(row.cells[place], reader)
        if value is not None:  # a field that several columns fill holds them all
            line[field] = f"{line[field]}{_MANY}{value}" if field in line else value
    return line


def _spelled(cell: str, reader: Callable[[str], str] | None) -> str | None:
    try:
        value = cells.text(cell)
        return value if value is None or reader is None else reader(value)
    except BadRecord:
        return cell.strip()  # the mapping finds it again and says so


def _readers(
    table: Table, matches: tuple[Match, ...], kind: Kind
) -> list[tuple[int, str, Callable[[str], str] | None]]:
    """The place of each column, its field, and a reader where that has a canonical spelling. A column tells how it
    writes dates and sums."""
    return [
        (
            table.columns.index(match.column),
            match.field,
            _reader(SHAPES[kind].field(match.field).content, table.column(match.column)),
        )
        for match in matches
    ]


def _reader(content: str, values: list[str]) -> Callable[[str], str] | None:
    match content:
        case "day" | "moment":
            month_first = cells.month_comes_first(values)
            read = cells.day if content == "day" else cells.moment
            return lambda value: read(value, month_first=month_first)
        case "number":
            sign = cells.decimal_sign(values)
            return lambda value: cells.number(value, sign)
        case "phone":
            return lambda value: _MANY.join(cells.phone(part) for part in _parts(value))
        case "email":
            return lambda value: _MANY.join(cells.email(part) for part in _parts(value.replace(" ", ",")))
    simple: dict[str, Callable[[str], str]] = {
        "count": cells.whole,
        "seconds": cells.seconds,
        "time": cells.time_of_day,
        "flag": cells.flag,
        "direction": cells.direction,
    }
    return simple.get(content)


def _parts(value: str) -> Iterator[str]:
    for sign in ";,\r\n":
        value = value.replace(sign, _MANY)
    yield from (part.strip() for part in value.split(_MANY) if part.strip())


def _identified(line: Line, kind: Kind) -> bool:
    """Whether a row says which day or whose it is, as no row of sums does."""
    for name in SHAPES[kind].keys:
        value = line.get(name)
        if value and any(map(str.isdigit, value)):
            return True
    return False


def _extra(row: Row, rest: list[tuple[int, str]]) -> dict[str, str]:
    return {name: row.cells[place].strip() for place, name in rest if row.cells[place].strip()}


def _fault(row: Row, table: Table) -> str | None:
    if not row.excess:
        return None
    return (
        f"it has {len(table.columns) + len(row.excess)} cells where the table has {len(table.columns)} columns, so "
        f"a separator stands inside a cell without quotes: {' | '.join(row.excess)[:100]}"
    )


def _told(settings: FileSettings) -> Told:
    match settings.kind:
        case Kind.COSTS | Kind.FRAUD:
            return Told(
                currency=settings.currency,
                vat=settings.include_vat,
                source=settings.source,
                medium=settings.medium,
            )
        case Kind.DEALS:
            return Told(currency=settings.currency, zone=settings.time_zone)
    return Told(zone=settings.time_zone)
