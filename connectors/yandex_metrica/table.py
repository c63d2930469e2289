"""The table of visits that the Logs API gives: its columns, and its lines as records (BEHAVIOR.md [13]-[16]).

A line is kept as a small JSON object of its cells by field, in one order whatever the order of the columns, with
the counter's time zone, so that mapping needs nothing but the bytes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

import msgspec

from connectors.contract import RawRecord
from connectors.errors import VendorChanged

PREFIX = "ym:s:"
# The source of the visit itself; which earlier visit deserves the credit is decided in the figures [8].
MODEL = "last"
FIELDS = (
    "visitID",
    "date",
    "dateTime",
    "isNewUser",
    "bounce",
    "startURL",
    "referer",
    "pageViews",
    "visitDuration",
    "regionCity",
    "clientID",
    "goalsID",
    "deviceCategory",
    *(
        MODEL + name
        for name in (
            "TrafficSource",
            "AdvEngine",
            "ReferalSource",
            "SearchEngineRoot",
            "SocialNetwork",
            "RecommendationSystem",
            "Messenger",
            "DirectClickOrder",
            "DirectBannerGroup",
            "DirectClickBanner",
            "DirectPhraseOrCond",
            "UTMSource",
            "UTMMedium",
            "UTMCampaign",
            "UTMContent",
            "UTMTerm",
            "GCLID",
        )
    ),
)
NAMES = tuple(PREFIX + field for field in FIELDS)

_ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "b": "\b", "f": "\f", "0": "\0"}
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table. ``cells`` is None where it doesn't fit the columns."""

    cells: dict[str, str | None] | None
    raw: str | None = None
    zone: str


def visit_lines(content: bytes, *, counter: str, zone: str) -> list[RawRecord]:
    """The lines of one part as records, each for itself: a line that doesn't fit is one bad record.

    Raises VendorChanged where the header lacks a field, or the table isn't text.
    """
    try:
        lines = [line for line in content.decode("utf-8-sig").split("\n") if line.strip("\r")]
    except UnicodeDecodeError as error:
        raise VendorChanged("Metrica's table of visits isn't written in UTF-8.") from error
    if not lines:
        return []
    columns = lines[0].rstrip("\r").split("\t")
    missing = [name for name in NAMES if name not in columns]
    if missing:
        raise VendorChanged(f"Metrica's table of visits has no column {', '.join(missing)}.")
    places = {field: columns.index(name) for field, name in zip(FIELDS, NAMES, strict=True)}
    return list(_records(lines[1:], len(columns), places, counter, zone))


def _records(lines: list[str], width: int, places: dict[str, int], counter: str, zone: str) -> Iterator[RawRecord]:
    for text in lines:
        line = text.rstrip("\r")
        told = line.split("\t")
        if len(told) != width:
            key = f"unreadable:{hashlib.sha256(line.encode()).hexdigest()[:16]}"
            yield RawRecord(key, msgspec.json.encode(Line(cells=None, raw=line, zone=zone)))
            continue
        cells = {field: unescaped(told[place]) for field, place in places.items()}
        # [9] A visit's number is its own within a year only.
        key = f"{counter}/{(cells['date'] or '')[:4]}/{cells['visitID']}"
        yield RawRecord(key, msgspec.json.encode(Line(cells=cells, zone=zone)))


def unescaped(cell: str) -> str | None:
    r"""[15] A cell without ClickHouse's escapes; ``\N`` is nothing."""
    if cell == r"\N":
        return None
    if "\\" not in cell:
        return cell
    return _ESCAPED.sub(lambda match: _ESCAPES.get(match[1], match[1]), cell)
