"""Stored paths as columns, a batch of days at a time: what reports by any model are made of."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np

from core.database import PsycopgConnection
from reports.attribution import credit_of_origin
from reports.columns import Columns, Ids, Words, numbered
from reports.conversions import Definition
from reports.models import DAY, Ints, Journeys, laid, sums
from reports.paths import NIL
from reports.rollups import VALUED_AS
from reports.rules import NO_RULES, Grouping
from reports.terms import Terms
from schema.enums import Channel, ConversionKind, Unattributed

KINDS = tuple(str(kind) for kind in ConversionKind)
"""Kinds of conversions; batches hold their numbers."""

PATHS_AT_ONCE = 20_000


class DatedBy(StrEnum):
    """On which day a conversion counts."""

    EVENT = "event"
    FIRST_TOUCH = "first_touch"  # the first one in its window; without touches, that of the event


class Unit(NamedTuple):
    """What a touch is counted for, as the cells of the report are told apart."""

    campaign: bytes
    reason: str
    channel: str


class Units:
    """Numbers for units and for channels, the same over all batches."""

    def __init__(self, channels_of_campaigns: Mapping[bytes, str], rules: Grouping = NO_RULES) -> None:
        groups = {campaign.bytes: group for campaign, group in rules.groups.items()}
        self._channel_of = {**channels_of_campaigns, **groups}
        self._meant = {tagged.bytes: campaign.bytes for tagged, campaign in rules.meant.items()}
        self._groups = rules.channels if rules.groups else {}
        self.units: dict[Unit, int] = {}
        self.channels: dict[str, int] = {}
        self._origins: dict[tuple[bytes, str], tuple[int, int]] = {}

    def of(self, campaigns: Ids, words: Words) -> tuple[Ints, Ints]:
        """The unit and the channel of each touch."""
        distinct, which = numbered(campaigns)
        spelled, ids = words.spelled, distinct.tolist()
        pairs = which * len(spelled) + words.numbers
        table = np.zeros((len(ids) * len(spelled), 2), np.int64)
        for pair in np.flatnonzero(np.bincount(pairs)).tolist():
            table[pair] = self._origin(ids[pair // len(spelled)], spelled[pair % len(spelled)])
        return table[pairs, 0], table[pairs, 1]

    def of_reason(self, reason: str) -> int:
        """The unit of what no touch brought."""
        return self._unit(Unit(NIL.bytes, reason, ""))

    def of_channel(self, number: int) -> int:
        """A unit that the report counts in this channel."""
        channel = list(self.channels)[number]
        credit = credit_of_origin(channel, None)
        return self._unit(Unit(NIL.bytes, str(credit.reason), channel))

    def names(self) -> list[Unit]:
        return list(self.units)

    def _origin(self, campaign: bytes, word: str) -> tuple[int, int]:
        found = self._origins.get((campaign, word))
        if found is None:
            meant = self._meant.get(campaign, campaign)
            credit = credit_of_origin(word, UUID(bytes=meant))
            unit = self._unit(Unit(credit.campaign_id.bytes, str(credit.reason), credit.channel))
            alone = word or str(Channel.DIRECT)
            channel = self._channel_of.get(meant) or self._groups.get(alone, alone)
            found = unit, self.channels.setdefault(str(channel), len(self.channels))
            self._origins[campaign, word] = found
        return found

    def _unit(self, unit: Unit) -> int:
        return self.units.setdefault(unit, len(self.units))


@dataclass(frozen=True, slots=True)
class Batch:
    """Paths with their touches. ``units`` and ``channels`` are numbers for each touch; ``kinds``, ``kopecks`` and
    ``days`` (since 2000) for each path; ``reasons`` units for the paths without touches. ``ids``
    and ``versions`` tell which stored versions of which conversions they are."""

    journeys: Journeys
    units: Ints
    channels: Ints
    kinds: Ints
    kopecks: Ints
    days: Ints
    reasons: Ints
    ids: Ids
    versions: Ints

    def periods(self, period: str | None) -> Ints:
        """The first day of the period in which each path counts; 0 where the report has no periods."""
        if period is None:
            return np.zeros(len(self.days), np.int64)
        if period == "day":
            return self.days
        first = np.datetime64("2000-01-01")
        months = (first + self.days.astype("timedelta64[D]")).astype("datetime64[M]").astype("datetime64[D]")
        return (months - first).astype(np.int64)


_COUNTED_ON = {
    DatedBy.EVENT: "p.day",
    DatedBy.FIRST_TOUCH: "(coalesce({first_touch}, p.occurred_at) at time zone %(zone)s)::date",
}
_FIRST_TOUCH = "p.touch_times[1]"
_FIRST_TOUCH_WITHIN = """(
    select min(t.at) from unnest(p.touch_times) as t(at)
    where t.at >= coalesce(p.window_until, p.occurred_at) - make_interval(hours => 24 * %(window)s)
)"""
_FOUND = """
from path p
where p.workspace_id = %(workspace)s and p.day between %(start)s and %(end)s and {known} and {near}
and {counted_on} between %(first)s and %(last)s and {conversion}
"""
# Former versions are counted too, which the index tells by itself.
_DAYS = """
select p.day, count(*) from path p
where p.workspace_id = %(workspace)s and p.day between %(start)s and %(end)s and {near} group by 1 order by 1
"""
_BATCH = f"""
select string_agg(kind, ','), array_agg(coalesce(window_until, occurred_at)),
    array_agg((revenue * 100)::bigint) filter (where kind = any(%(valued)s)),
    array_agg(counted_on), array_agg(cardinality(touch_times)),
    array_agg(coalesce(lead_at, '-infinity')), array_agg(coalesce(opened_at, '-infinity')),
    string_agg(array_send(touch_times), ''), string_agg(array_send(touch_campaigns), ''),
    string_agg(array_to_string(touch_channels, ','), ',') filter (where cardinality(touch_times) > 0),
    string_agg(reason, ',') filter (where cardinality(touch_times) = 0),
    array_agg(client_id is null), array_agg(conversion_id), array_agg(version)
from (select p.*, {{counted_on}} as counted_on {_FOUND}) p
"""  # noqa: S608
_NOW = "p.known_until is null"
_THEN = "p.known_from <= %(known)s and (p.known_until is null or p.known_until > %(known)s)"


async def stored_paths(
    conn: PsycopgConnection,
    terms: Terms,
    start: date,
    end: date,
    units: Units,
    *,
    as_known_at: datetime | None = None,
    dated_by: DatedBy = DatedBy.EVENT,
    conversion: Definition | None = None,
    window_days: int | None = None,
) -> AsyncIterator[Batch]:
    """The paths whose conversions count from ``start`` to ``end``, now or as known at a moment: those of one
    conversion or of all. A narrower window than the stored one leaves out older touches; milestones before it are
    unknown then, and a deal's own origin counts only where the stored window held nothing else.

    Raises ``ValueError`` for a window that is wider than the stored paths.
    """
    window = terms.window_days if window_days is None else window_days
    if not 0 < window <= terms.window_days:
        raise ValueError(
            f"Paths are kept with a window of {terms.window_days} days: ask for 1 to {terms.window_days}, "
            f"not {window}."
        )
    first_touch = _FIRST_TOUCH if window_days is None else _FIRST_TOUCH_WITHIN
    parts = {
        "known": _NOW if as_known_at is None else _THEN,
        "counted_on": _COUNTED_ON[dated_by].format(first_touch=first_touch),
        "conversion": "true" if conversion is None else conversion.sql,
        "near": "true",
    }
    latest = end
    if dated_by is DatedBy.FIRST_TOUCH:
        # An invoice may be paid long after the window of its deal: of the later days only those are looked at.
        latest = date.max
        parts["near"] = f"(p.day <= %(nearest)s or p.kind = '{ConversionKind.PAID_INVOICE}')"
    parameters = {
        "workspace": terms.workspace_id,
        "zone": terms.zone.key,
        "known": as_known_at,
        "first": start,
        "last": end,
        "valued": list(VALUED_AS),
        "window": window,
        "nearest": end + timedelta(days=terms.window_days + 1),
    }
    found = await conn.execute(_DAYS.format(**parts).encode(), {**parameters, "start": start, "end": latest})
    for first, last in _together(await found.fetchall()):
        columns = await Columns.fetch(conn, _BATCH.format(**parts), {**parameters, "start": first, "end": last})
        yield _batch(columns, units, None if window_days is None else window * DAY)


def _together(days: Iterable[tuple[Any, ...]]) -> list[tuple[date, date]]:
    """Days one after another that have about as many paths together as one batch should."""
    ranges: list[tuple[date, date]] = []
    room = 0
    for day, number in days:
        if ranges and number <= room:
            ranges[-1] = (ranges[-1][0], day)
            room -= number
        else:
            ranges.append((day, day))
            room = PATHS_AT_ONCE - number
    return ranges


def _batch(columns: Columns, units: Units, window: int | None) -> Batch:
    occurred, stored = columns.whole(1, "moment"), columns.whole(4, "int4")
    times = columns.nested(7, "moment", stored)
    campaigns = columns.nested(8, "uuid", stored)
    words = columns.words(9, len(times))
    owners = np.repeat(np.arange(len(stored)), stored)
    if window is not None:
        kept = occurred[owners] - times <= window
        times, campaigns, owners = times[kept], campaigns[kept], owners[kept]
        words = words.only(kept)
    said = columns.words(0, len(stored))
    kinds = np.array([KINDS.index(kind) for kind in said.spelled], np.int64)[said.numbers]
    kopecks = np.zeros(len(stored), np.int64)
    kopecks[np.isin(kinds, [KINDS.index(kind) for kind in VALUED_AS])] = columns.whole(2)
    sizes = np.bincount(owners, minlength=len(stored))
    starts = laid(sizes)
    theirs, channels = units.of(campaigns, words)
    direct = words.are(Channel.DIRECT)
    named = _have_campaigns(units)
    journeys = Journeys(
        starts,
        occurred[owners] - times,
        direct & ~named[theirs] if len(theirs) else direct,
        _led_to(times, columns.whole(5, "moment"), starts, owners),
        _led_to(times, columns.whole(6, "moment"), starts, owners),
    )
    return Batch(
        journeys,
        theirs,
        channels,
        kinds,
        kopecks,
        columns.whole(3, "day"),
        _reasons(columns, stored, sizes, units),
        columns.ids(12),
        columns.whole(13, "int4"),
    )


def _reasons(columns: Columns, stored: Ints, sizes: Ints, units: Units) -> Ints:
    """Why the paths without touches have none: as it is stored, or because all are older than the window."""
    paths = np.flatnonzero(sizes == 0)
    passed = [units.of_reason(reason) for reason in (Unattributed.WINDOW_PASSED, Unattributed.NO_CLIENT)]
    reasons = np.array(passed, np.int64)[columns.whole(11, "bool")[paths]]
    untouched = stored[paths] == 0
    said = columns.words(10, int(untouched.sum()))
    reasons[untouched] = np.array([units.of_reason(word) for word in said.spelled], np.int64)[said.numbers]
    return reasons


def _have_campaigns(units: Units) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which units have a campaign: a touch of those isn't direct, whatever its channel."""
    return np.array([unit.campaign != NIL.bytes for unit in units.names()], np.bool_)


def _led_to(times: Ints, milestones: Ints, starts: Ints, owners: Ints) -> Ints:
    """The position of the last touch that was there when the milestone was reached, or -1."""
    return sums((times <= milestones[owners]).astype(np.int64), starts) - 1
