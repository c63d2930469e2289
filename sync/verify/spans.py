"""Cutting a period into the parts that are compared and told of one by one: days, or months of a long period."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo

from connectors.contract import Span


@dataclass(frozen=True, slots=True)
class Period:
    """What is verified: all moments from ``since`` on, before ``until`` where there is one. ``asked``: somebody
    named the days; else it is all that syncs have read."""

    since: datetime
    until: datetime | None
    asked: bool


_SHORT = timedelta(days=32)
"""A period that somebody named and that isn't longer is cut into days: a month that is looked at closely."""


def is_cut_by_day(period: Period, cut: str, now: datetime) -> bool:
    """Whether the parts of a period are days."""
    return cut == "days" or (cut == "as_asked" and period.asked and (period.until or now) - period.since < _SHORT)


def spans_of(
    period: Period, zone: tzinfo, *, now: datetime, kept_since: bool = True, by_day: bool = False
) -> list[Span]:
    """The parts of a period, in order and without gaps; the last one is open where the period is. Without
    ``kept_since`` the first one of a period that nobody named has no lower bound. They are months, or days.
    """
    first = period.since.astimezone(zone).date()
    end = (period.until or now).astimezone(zone)
    last = end.date() if end.time() > time() or period.until is None else end.date() - timedelta(days=1)
    starts = [first]
    while (following := _next(starts[-1], by_day=by_day)) <= last:
        starts.append(following)
    edges = [datetime.combine(day, time(), zone) for day in starts]
    edges[0] = period.since
    return [
        Span(
            since=None if number == 0 and not kept_since and not period.asked else edge,
            until=edges[number + 1] if number + 1 < len(edges) else period.until,
        )
        for number, edge in enumerate(edges)
    ]


def _next(day: date, *, by_day: bool) -> date:
    if by_day:
        return day + timedelta(days=1)
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)


def holds(span: Span, moment: datetime) -> bool:
    """Whether a moment is in a span."""
    return (span.since is None or span.since <= moment) and (span.until is None or moment < span.until)
