"""Journeys given as a file of touches, and their credits by any model: no database, nothing connected.

A file is CSV (comma, semicolon or tab; UTF-8 or Windows-1251) or JSON Lines, one touch a row.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path

import numpy as np

from core.errors import SkvozError
from reports.comparison import Credits, Learner, chosen, credit, led_to
from reports.models import MODELS, Ints, Journeys, Model

NO_TOUCHES = "(no touches)"
"""The row of conversions before which no touch is known."""

_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "journey": ("journey", "journey_id", "client", "client_id", "user_id", "visitor_id", "id"),
    "time": ("time", "timestamp", "touch_time", "datetime", "date", "at"),
    "channel": ("channel", "source"),
    "campaign": ("campaign", "campaign_id", "campaign_name"),
    "conversion": ("conversion", "converted", "is_conversion"),
    "value": ("value", "conversion_value", "revenue", "amount"),
    "conversion_time": ("conversion_time", "converted_at", "conversion_date"),
    "lead_time": ("lead_time", "lead_at"),
    "opened_time": ("opened_time", "deal_time", "deal_opened_at"),
}
_NEEDED = ("journey", "time", "channel")
_YES, _NO = {"1", "true", "yes", "y", "да"}, {"", "0", "false", "no", "n", "нет"}
_MICROSECOND = timedelta(microseconds=1)


class JourneyFileError(SkvozError):
    """The file can't be read as journeys; the sentence says where and why."""

    code = "JOURNEY_FILE"


@dataclass(frozen=True, slots=True)
class Row:
    """A touch as a line of the file tells it, or the conversion itself where ``channel`` is empty."""

    line: int
    at: datetime
    channel: str
    campaign: str
    converted: bool
    value: int | None
    conversion_at: datetime | None
    lead_at: datetime | None
    opened_at: datetime | None


@dataclass(frozen=True, slots=True)
class Journey:
    """Touches in the order of time. ``value`` is in hundredths; ``converted_at`` is None if it didn't convert."""

    key: str
    times: tuple[datetime, ...]
    channels: tuple[str, ...]
    campaigns: tuple[str, ...]
    converted_at: datetime | None
    value: int
    lead_at: datetime | None
    opened_at: datetime | None
    after: int
    """How many touches came after the conversion; they have no part in it."""


@dataclass(frozen=True, slots=True)
class ChannelCredit:
    """What a channel (or a campaign of it) is credited with: ``conversions`` in whole ones to six places."""

    channel: str
    campaign: str | None
    model: str
    conversions: Decimal
    value: Decimal


@dataclass(frozen=True, slots=True)
class Attribution:
    """The answer, and what was understood of the file."""

    models: list[str]
    credits: list[ChannelCredit]
    columns: dict[str, str]
    journeys: int
    converted: int
    touches: int
    value: Decimal
    after: int


def attribute(
    path: Path, models: Iterable[str], *, by_campaign: bool = False, settings: Mapping[str, Model] = MODELS
) -> Attribution:
    """Credit the conversions of a file by each of these models (``reports.comparison.DEFINITIONS``).

    Rows come channel by channel; for each model they add up to the conversions and their value exactly. Raises
    ``JourneyFileError`` for a file that can't be understood and ``ValueError`` for an unknown model.
    """
    keys = chosen(models)
    journeys, columns = read(path)
    if by_campaign and "campaign" not in columns:
        raise JourneyFileError(f"{path.name} has no column for campaigns; name it campaign.")
    given = list(_credit(journeys, keys, by_campaign, settings))
    won = [journey for journey in journeys if journey.converted_at is not None]
    return Attribution(
        keys,
        given,
        columns,
        len(journeys),
        len(won),
        sum(len(journey.times) for journey in journeys),
        _money(sum(journey.value for journey in won)),
        sum(journey.after for journey in journeys),
    )


def read(path: Path) -> tuple[list[Journey], dict[str, str]]:
    """The journeys of a file, and which of its columns were taken for what.

    Raises ``JourneyFileError`` if a column is missing or a line can't be understood.
    """
    records = _records(path)
    first = next(records, None)
    if first is None:
        raise JourneyFileError(f"{path.name} is empty: it needs a line for each touch.")
    columns = _understood(path, first[1])
    found: dict[str, list[Row]] = {}
    for line, record in (first, *records):
        text = {meaning: record.get(column, "").strip() for meaning, column in columns.items()}
        if not text["journey"]:
            raise JourneyFileError(f"Line {line} names no journey; fill the column {columns['journey']}.")
        found.setdefault(text["journey"], []).append(_row(line, text, columns))
    return [_journey(key, rows) for key, rows in found.items()], columns


def _records(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    text = _decoded(path)
    if text.lstrip().startswith("{"):
        for line, one in enumerate(text.splitlines(), 1):
            if one.strip():
                yield line, _json_record(line, one)
        return
    header = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    names = [name.strip() for name in next(reader, [])]
    for cells in reader:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) > len(names):
            raise JourneyFileError(
                f"Line {reader.line_num} has {len(cells)} cells where the header has {len(names)}: put cells that"
                f" hold {delimiter!r} into quotes."
            )
        yield reader.line_num, dict(zip(names, cells, strict=False))


def _decoded(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise JourneyFileError(f"{path} can't be read: {error.strerror}.") from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1251", "replace")


def _json_record(line: int, text: str) -> dict[str, str]:
    try:
        record = json.loads(text, parse_float=Decimal)
    except ValueError as error:
        raise JourneyFileError(f"Line {line} is no JSON: {error}.") from error
    if not isinstance(record, dict):
        raise JourneyFileError(f"Line {line} must be a JSON object with the fields of one touch.")
    return {str(name): _as_text(value) for name, value in record.items()}


def _as_text(value: object) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    return "" if value is None else str(value)


def _understood(path: Path, record: Mapping[str, str]) -> dict[str, str]:
    names = {name.lower().replace(" ", "_"): name for name in record}
    columns: dict[str, str] = {}
    for meaning, candidates in _COLUMNS.items():
        for name in candidates:
            if name in names and names[name] not in columns.values():
                columns[meaning] = names[name]
                break
    if missing := [meaning for meaning in _NEEDED if meaning not in columns]:
        raise JourneyFileError(
            f"{path.name} has no column for {' and '.join(missing)}; its columns are {', '.join(record)}."
            f" It needs {', '.join(_NEEDED)}."
        )
    if not columns.keys() & {"conversion", "conversion_time", "value"}:
        raise JourneyFileError(
            f"{path.name} doesn't tell which journeys converted: it needs a column conversion (1 or 0),"
            " conversion_time or value."
        )
    return columns


def _row(line: int, text: Mapping[str, str], columns: Mapping[str, str]) -> Row:
    def time(meaning: str) -> datetime | None:
        return _time(line, columns[meaning], text[meaning]) if text.get(meaning) else None

    at, conversion_at = time("time"), time("conversion_time")
    value = _value(line, columns["value"], text["value"]) if text.get("value") else None
    flag = text.get("conversion", "").lower()
    if flag not in _YES | _NO:
        raise JourneyFileError(
            f"Line {line}: {columns['conversion']} must be 1 or 0, yes or no, not {text['conversion']!r}."
        )
    converted = flag in _YES if "conversion" in columns else conversion_at is not None or bool(value)
    channel = text["channel"]
    if not channel and not converted:
        raise JourneyFileError(f"Line {line} is neither a touch nor a conversion: it names no channel.")
    if at is None and (channel or conversion_at is None):
        raise JourneyFileError(f"Line {line} has no time; fill the column {columns['time']}.")
    moment = at or conversion_at
    assert moment is not None  # noqa: S101 - one of both is there, as was seen to above
    return Row(
        line,
        moment,
        channel,
        text.get("campaign", ""),
        converted,
        value,
        conversion_at,
        time("lead_time"),
        time("opened_time"),
    )


def _time(line: int, column: str, text: str) -> datetime:
    """A moment; without a time zone it is UTC."""
    try:
        at = datetime.fromtimestamp(float(text), UTC) if text.isdigit() else datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        raise JourneyFileError(
            f"Line {line}: {column} is no time: {text!r}. Write 2026-03-02T09:00:00+03:00, 2026-03-02 or seconds"
            " since 1970."
        ) from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _value(line: int, column: str, text: str) -> int:
    try:
        value = Decimal(text.replace("\u00a0", "").replace(" ", "").replace(",", ".")) * 100
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or value != value.to_integral_value() or abs(value) > 10**15:
        raise JourneyFileError(f"Line {line}: {column} is no amount to the hundredth: {text!r}.")
    return int(value)


def _journey(key: str, rows: Sequence[Row]) -> Journey:
    telling = [row for row in rows if row.converted]
    if len({(row.value, row.conversion_at) for row in telling}) > 1:
        lines = ", ".join(str(row.line) for row in telling[:3])
        raise JourneyFileError(
            f"A journey converts more than once (lines {lines}): give each conversion a journey of its own."
        )
    touches = sorted((row for row in rows if row.channel), key=_by_time)
    converted_at = None
    if telling:
        converted_at = telling[0].conversion_at or max(row.at for row in telling)
    before = [row for row in touches if converted_at is None or row.at <= converted_at]
    return Journey(
        key,
        tuple(row.at for row in before),
        tuple(row.channel for row in before),
        tuple(row.campaign for row in before),
        converted_at,
        (telling[0].value or 0) if telling else 0,
        min((row.lead_at for row in rows if row.lead_at), default=None),
        min((row.opened_at for row in rows if row.opened_at), default=None),
        len(touches) - len(before),
    )


def _by_time(row: Row) -> datetime:
    return row.at


@dataclass(slots=True)
class _Numbers:
    """Numbers for names, in the order in which those are met."""

    numbers: dict[tuple[str, str], int] = field(default_factory=dict)

    def of(self, names: Iterable[tuple[str, str]]) -> Ints:
        return np.array([self.numbers.setdefault(name, len(self.numbers)) for name in names], np.int64)


def _credit(
    journeys: Sequence[Journey], keys: Sequence[str], by_campaign: bool, settings: Mapping[str, Model]
) -> Iterator[ChannelCredit]:
    won = [journey for journey in journeys if journey.converted_at is not None]
    lost = [journey for journey in journeys if journey.converted_at is None]
    units, channels = _Numbers(), _Numbers()
    laid = {
        name: (_laid(part), units.of(_names(part, by_campaign)), channels.of(_names(part, by_campaign=False)))
        for name, part in (("won", won), ("lost", lost))
    }
    learner = Learner(len(units.numbers))
    for name, (paths, theirs, of) in laid.items():
        converted = np.full(len(paths), int(name == "won"))
        learner.hear_of_units(paths.starts, theirs, converted)
        if "shapley" in keys:
            learner.hear_of_channels(paths.starts, of, converted)
    paths, theirs, of = laid["won"]
    values = np.array([journey.value for journey in won], np.int64)
    untouched = paths.sizes == 0
    for key in keys:
        found = credit(key, paths, theirs, of, values, learner, settings)
        yield from _rows(key, units.numbers, found, by_campaign)
        if untouched.any():
            count, value = int(untouched.sum()), int(values[untouched].sum())
            yield ChannelCredit(NO_TOUCHES, None, key, _conversions(count * 1_000_000), _money(value))


def _rows(
    key: str, units: Mapping[tuple[str, str], int], found: Credits, by_campaign: bool
) -> Iterator[ChannelCredit]:
    for (channel, campaign), number in sorted(units.items()):
        yield ChannelCredit(
            channel,
            campaign if by_campaign else None,
            key,
            _conversions(int(found.conversions[number])),
            _money(int(found.value[number])),
        )


def _names(journeys: Iterable[Journey], by_campaign: bool) -> Iterator[tuple[str, str]]:
    for journey in journeys:
        for channel, campaign in zip(journey.channels, journey.campaigns, strict=True):
            yield channel, campaign if by_campaign else ""


def _laid(journeys: Sequence[Journey]) -> Journeys:
    ages: list[int] = []
    for journey in journeys:
        end = journey.converted_at or max(journey.times, default=None)
        ages.extend((end - at) // _MICROSECOND for at in journey.times if end is not None)
    return Journeys(
        np.cumsum([0, *(len(journey.times) for journey in journeys)]),
        np.array(ages, np.int64),
        np.array([channel.lower() == "direct" for j in journeys for channel in j.channels], np.bool_),
        np.array([led_to(journey.times, journey.lead_at) for journey in journeys], np.int64),
        np.array([led_to(journey.times, journey.opened_at) for journey in journeys], np.int64),
    )


def _conversions(millionths: int) -> Decimal:
    return Decimal(millionths).scaleb(-6)


def _money(hundredths: int) -> Decimal:
    return Decimal(hundredths).scaleb(-2)
