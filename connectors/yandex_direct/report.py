"""The daily report of costs: its request, and its lines as records (BEHAVIOR.md [20]-[24]).

A line is kept as a small JSON object of its cells by column, with what the report itself doesn't say
(currency, VAT), so that mapping needs nothing but the bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

import msgspec

from connectors.contract import RawRecord
from connectors.errors import VendorChanged
from connectors.yandex_direct.settings import DirectSettings

REPORT_TYPE = "CAMPAIGN_PERFORMANCE_REPORT"
# The name comes last: it is the only cell that may hold a tab, and then it is simply the rest of the line.
COLUMNS = ("Date", "CampaignId", "Impressions", "Clicks", "Cost", "CampaignName")
HEADERS = {
    "processingMode": "auto",
    "returnMoneyInMicros": "false",
    "skipReportHeader": "true",
    "skipReportSummary": "true",
}


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a report. ``cells`` is None where the line's cells don't fit the columns."""

    cells: dict[str, str] | None
    raw: str | None = None
    columns: tuple[str, ...] | None = None
    currency: str
    vat: bool


def report_params(settings: DirectSettings, first: date, last: date, run_id: str) -> dict[str, Any]:
    """The report's body, the same at each repetition: Direct knows a report under way by name and content.

    The run stands in the name, for a name that only told the period would be answered with the finished
    report of an earlier run for five hours.
    """
    params: dict[str, Any] = {
        "SelectionCriteria": {"DateFrom": first.isoformat(), "DateTo": last.isoformat()},
        "FieldNames": list(COLUMNS),
        "OrderBy": [{"Field": "Date"}],
        "ReportType": REPORT_TYPE,
        "DateRangeType": "CUSTOM_DATE",
        "Format": "TSV",
        "IncludeVAT": "YES" if settings.include_vat else "NO",
    }
    content = hashlib.sha256(msgspec.json.encode([params, settings.login])).hexdigest()[:12]
    name = f"skvoz ad_spend|{first.isoformat()}..{last.isoformat()}|{content}|{run_id}"
    return {"params": {**params, "ReportName": name}}


def report_lines(content: bytes, *, currency: str, vat: bool) -> list[RawRecord]:
    """The lines of a report as records, each for itself: a line that doesn't fit is one bad record.

    Raises VendorChanged where the header lacks a column, or the report isn't text.
    """
    try:
        lines = [line for line in content.decode().split("\n") if line.strip("\r")]
    except UnicodeDecodeError as error:
        raise VendorChanged("Direct's report isn't written in UTF-8.") from error
    if lines and lines[0].startswith('"') and "\t" not in lines[0]:
        lines = lines[1:]  # the report's title, which we ask to leave out
    if lines and lines[-1].startswith("Total rows:"):
        lines = lines[:-1]
    if not lines:
        return []
    columns = tuple(lines[0].rstrip("\r").split("\t"))
    missing = [column for column in COLUMNS if column not in columns]
    if missing:
        raise VendorChanged(f"Direct's report has no column {', '.join(missing)}.")
    return list(_records(columns, lines[1:], currency, vat))


def _records(columns: tuple[str, ...], lines: Sequence[str], currency: str, vat: bool) -> Iterator[RawRecord]:
    for text in lines:
        line = text.rstrip("\r")
        cells = _cells(columns, line)
        if cells is None:
            # A line that can't be told apart by day and campaign is known by its content.
            key = f"unreadable:{hashlib.sha256(line.encode()).hexdigest()[:16]}"
            body = Line(cells=None, raw=line, columns=columns, currency=currency, vat=vat)
        else:
            key = f"{cells['Date']}|{cells['CampaignId']}"
            body = Line(cells=cells, currency=currency, vat=vat)
        yield RawRecord(key, msgspec.json.encode(body))


def _cells(columns: tuple[str, ...], line: str) -> dict[str, str] | None:
    name_is_last = columns[-1] == "CampaignName"
    cells = line.split("\t", len(columns) - 1) if name_is_last else line.split("\t")
    return dict(zip(columns, cells, strict=True)) if len(cells) == len(columns) else None
