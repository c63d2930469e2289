"""The table of visits as the Logs API writes it: fields by name, ClickHouse's escapes, columns in its own order."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from sqlite3 import Connection
from typing import Any
from zoneinfo import ZoneInfo

from sandbox.vendors.rows import Row, rows
from sandbox.vendors.yandex_metrica.errors import MetricaError
from sandbox.vendors.yandex_metrica.store import FIRST_VISIT

LAST, FIRST, SIGNIFICANT = "last", "cross_device_first", "cross_device_last_significant"
# Models that were taken away in June 2026 are answered with another one, without a word.
MODELS = {
    "cross_device_last_significant": SIGNIFICANT,
    "cross_device_first": FIRST,
    "cross_device_last_yandex_direct_click": SIGNIFICANT,
    "last_yandex_direct_click": SIGNIFICANT,
    "automatic": SIGNIFICANT,
    "lastsign": SIGNIFICANT,
    "first": FIRST,
    "last": LAST,
}
DEVICES = {"desktop": "1", "mobile": "2", "tablet": "3"}
_STORY_TOLD = timezone(timedelta(hours=3))  # what the docs call UTC
_SPECIAL = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "'": "\\'"})

_PLAIN: dict[str, Callable[[Row, ZoneInfo], Any]] = {
    "visitID": lambda visit, _: FIRST_VISIT + visit["id"],
    "counterID": lambda visit, _: visit["counter"],
    "date": lambda visit, zone: _local(visit, zone).date(),
    "dateTime": lambda visit, zone: _local(visit, zone).strftime("%Y-%m-%d %H:%M:%S"),
    "dateTimeUTC": lambda visit, _: datetime.fromtimestamp(visit["at"], _STORY_TOLD).strftime("%Y-%m-%d %H:%M:%S"),
    "isNewUser": lambda visit, _: visit["is_new"],
    "bounce": lambda visit, _: int(int(visit["visitor"]) % 7 == 0),
    "startURL": lambda visit, _: visit["url"],
    "referer": lambda visit, _: visit["ref"] or "",
    "pageViews": lambda visit, _: 1 + visit["id"] % 6,
    "visitDuration": lambda visit, _: visit["id"] * 37 % 900,
    "regionCity": lambda visit, _: visit["city"],
    "clientID": lambda visit, _: visit["visitor"],
    "goalsID": lambda visit, _: visit["goals"],
    "deviceCategory": lambda visit, _: DEVICES[visit["device"]],
}
_OF_SOURCE: dict[str, Callable[[Row], Any]] = {
    "TrafficSource": lambda visit: visit["kind"],
    "AdvEngine": lambda visit: visit["source"] if visit["kind"] == "ad" else "",
    "ReferalSource": lambda visit: visit["source"] if visit["kind"] == "referral" else "",
    "SearchEngineRoot": lambda visit: visit["source"] if visit["kind"] == "organic" else "",
    "SocialNetwork": lambda visit: "vkontakte" if visit["kind"] == "social" else "",
    "RecommendationSystem": lambda _: "",
    "Messenger": lambda _: "",
    "DirectClickOrder": lambda visit: visit["campaign"] or 0,
    "DirectBannerGroup": lambda visit: visit["ad_group"] or 0,
    "DirectClickBanner": lambda visit: visit["ad"] or "",
    "DirectPhraseOrCond": lambda visit: (visit["utm_term"] or "") if visit["campaign"] else "",
    "UTMSource": lambda visit: visit["utm_source"] or "",
    "UTMMedium": lambda visit: visit["utm_medium"] or "",
    "UTMCampaign": lambda visit: visit["utm_campaign"] or "",
    "UTMContent": lambda visit: visit["utm_content"] or "",
    "UTMTerm": lambda visit: visit["utm_term"] or "",
    "GCLID": lambda _: "",
}
_FIELD = re.compile(rf"(?:({'|'.join(MODELS)}))?(.+)")


def field_of(name: str, attribution: str) -> tuple[str | None, str]:
    """The model and the bare name of a field like 'ym:s:lastUTMSource'. `MetricaError` for one that isn't known."""
    if name.startswith("ym:s:"):
        bare = name[5:].replace("<attribution>", attribution.lower())
        if bare in _PLAIN:
            return None, bare
        found = _FIELD.fullmatch(bare)
        if found and found[1] and found[2] in _OF_SOURCE:
            return MODELS[found[1]], found[2]
    raise MetricaError("invalid_parameter", f"Unknown field: {name}", "fields")


def bounds(first: str, last: str, zone: ZoneInfo) -> tuple[int, int]:
    """The seconds in which the counter's days ``first`` … ``last`` begin and end."""
    begin = datetime.combine(date.fromisoformat(first), time(), zone)
    end = datetime.combine(date.fromisoformat(last) + timedelta(days=1), time(), zone)
    return int(begin.timestamp()), int(end.timestamp())


class VisitTable:
    """The lines of one export."""

    def __init__(self, db: Connection, counter: int, zone: ZoneInfo) -> None:
        self._db = db
        self._counter = counter
        self._zone = zone

    def lines(self, first: str, last: str, fields: list[str], attribution: str) -> tuple[str, list[str]]:
        """The header and the lines, without line ends."""
        names = sorted(fields)  # not as asked for
        chosen = [field_of(name, attribution) for name in names]
        goals: dict[int, list[int]] = {}
        span = bounds(first, last, self._zone)
        for visit, goal in self._db.execute(
            "SELECT g.visit, g.goal FROM yandex_metrica_goal g JOIN yandex_metrica_visit v ON v.id = g.visit"
            " WHERE v.at >= ? AND v.at < ? ORDER BY g.at",
            span,
        ):
            goals.setdefault(visit, []).append(goal)
        found = rows(self._db, "SELECT * FROM yandex_metrica_visit WHERE at >= ? AND at < ? ORDER BY at, id", span)
        lines = []
        for visit in found:
            visit |= {"goals": goals.get(visit["id"], []), "counter": self._counter}
            lines.append("\t".join(self._cell(visit, model, name) for model, name in chosen))
        return "\t".join(names), lines

    def _cell(self, visit: Row, model: str | None, name: str) -> str:
        if model is None:
            value = _PLAIN[name](visit, self._zone)
        else:
            value = _OF_SOURCE[name](visit if model == LAST else self._merited(visit, model))
        return _written(value)

    def _merited(self, visit: Row, model: str) -> Row:
        """The visit whose source the model gives to this one."""
        order, also = ("at, id", "") if model == FIRST else ("at DESC, id DESC", " AND kind <> 'direct'")
        query = f"SELECT * FROM yandex_metrica_visit WHERE visitor = ? AND at <= ?{also} ORDER BY {order} LIMIT 1"  # noqa: S608
        return next(iter(rows(self._db, query, (visit["visitor"], visit["at"]))), visit)


def moment_of(at: int, zone: ZoneInfo) -> str:
    """A moment as Metrica's answers write it."""
    return datetime.fromtimestamp(at, zone).strftime("%Y-%m-%d %H:%M:%S")


def _local(visit: Row, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(visit["at"], UTC).astimezone(zone)


def _written(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ",".join(str(each) for each in value) + "]"
    return r"\N" if value is None else str(value).translate(_SPECIAL)
