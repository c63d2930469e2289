"""How an export of visits is ordered, waited for, fetched and cleaned, a step a position (BEHAVIOR.md [5]-[12]).

The steps of a window of days: ``tidy`` (remove what an interrupted run left), ``measure`` (may so many days be
exported?), ``create``, ``poll``, each ``part``, ``tidy`` again, which removes the export. While an export is being
prepared the answer to ``poll`` is NotReady (``health.error_of``), so waiting and parking are the engine's.
A step that finds its export gone begins the window again.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from connectors.contract import Page, Position, Start, VendorRequest, VendorResponse
from connectors.errors import QuotaExhausted, VendorChanged
from connectors.windows import Window
from connectors.yandex_metrica.settings import MetricaSettings
from connectors.yandex_metrica.table import NAMES, visit_lines
from connectors.yandex_metrica.wire import (
    CounterAnswer,
    EvaluationAnswer,
    LogRequest,
    LogRequestAnswer,
    LogRequestsAnswer,
)

REQUEST_DAYS = 90
LARGEST_PART = 24 * 2**20
"""Bytes of one part, which is read as one page; a window whose export has larger ones is cut in two."""
REFRESH = timedelta(hours=3)
"""Exports of days that were just read bring next to nothing, and a login has 5000 requests a day [4]."""
ATTEMPTS = 3
MAY_BE_GONE = frozenset({400, 404})
UNFINISHED = ("created", "awaiting_retry")
LIVE = (*UNFINISHED, "processed")
SOURCE = "visits"

T = TypeVar("T")


def start_visits(_settings: MetricaSettings, start: Start) -> Position | None:
    """The counter is asked first: its time zone says which days there are."""
    cursor = start.cursor
    if cursor is not None:
        fresh = start.now - datetime.fromisoformat(cursor["read_at"]) < REFRESH
        if fresh and date.fromisoformat(cursor["since"]) <= start.since.date():
            return None
    return {
        "step": "counter",
        "now": start.now.isoformat(),
        "since": start.since.isoformat(),
        "cursor": cursor,
        "run": str(start.run_id),
    }


def ask_visits(settings: MetricaSettings, position: Position) -> VendorRequest:
    match position["step"]:
        case "counter":
            return ask_counter(settings)
        case "tidy":
            return VendorRequest(_path(settings, "logrequests"))
        case "clean":
            path = f"logrequest/{position['request']}/{position['how']}"
            return VendorRequest(_path(settings, path), "POST", accept=MAY_BE_GONE)
        case "measure":
            return VendorRequest(_path(settings, "logrequests/evaluate"), query=_period(position))
        case "create":
            return VendorRequest(_path(settings, "logrequests"), "POST", query=_period(position))
        case "poll":
            return VendorRequest(_path(settings, f"logrequest/{position['request']}"), accept=MAY_BE_GONE)
        case "part":
            path = f"logrequest/{position['request']}/part/{position['parts'][position['part']][0]}/download"
            return VendorRequest(_path(settings, path), accept=MAY_BE_GONE)
    raise AssertionError(f"There is no step {position['step']!r}.")


def read_visits(settings: MetricaSettings, position: Position, response: VendorResponse) -> Page:
    """What a step brought, and the next one. Raises VendorChanged and QuotaExhausted."""
    match position["step"]:
        case "counter":
            return _begin(settings, position, response)
        case "tidy":
            return _tidied(position, response)
        case "clean":
            return Page([], {**_bare(position), "step": "tidy", "after": position["after"], "n": position["n"]})
        case "measure":
            return _measured(position, response)
        case "create":
            created = _decoded(LogRequestAnswer, response, "the new export").log_request
            return Page([], {**_bare(position), "step": "poll", "request": created.request_id})
        case "poll":
            return _polled(position, response)
        case "part":
            return _part(settings, position, response)
    raise AssertionError(f"There is no step {position['step']!r}.")


def ask_counter(settings: MetricaSettings) -> VendorRequest:
    return VendorRequest(f"/management/v1/counter/{settings.counter_id}")


def read_counter(response: VendorResponse) -> CounterAnswer:
    return _decoded(CounterAnswer, response, "the counter")


def _begin(settings: MetricaSettings, position: Position, response: VendorResponse) -> Page:
    zone = read_counter(response).counter.time_zone_name
    try:
        days_of = ZoneInfo(zone)
    except (ValueError, ZoneInfoNotFoundError):
        raise VendorChanged(f"Metrica names a time zone that isn't known here: {zone!r}.") from None
    # [7] The present day can't be exported: the last day is yesterday.
    now = datetime.fromisoformat(position["now"])
    start = Start(
        position["cursor"], now - timedelta(days=1), datetime.fromisoformat(position["since"]), position["run"]
    )
    window = Window.opening(start, days=REQUEST_DAYS, reread_days=settings.reread_days - 1, zone=days_of)
    if window is None:
        return Page([], None, done=1.0)
    told = {"zone": zone, "now": position["now"], "attempt": 1}
    return Page([], _tidy({**told, **window.position()}, {"step": "measure"}), done=0.0)


def _tidied(position: Position, response: VendorResponse) -> Page:
    """[5] The list holds the exports of all who read the counter: ours are those of these fields and days."""
    found = [
        each
        for each in _decoded(LogRequestsAnswer, response, "the list of exports").requests
        if _is_ours(each, position)
    ]
    if not found or position["n"] >= 2 * ATTEMPTS:
        after = position["after"]
        return Page([], None if after is None else {**_bare(position), **after})
    how = "cancel" if found[0].status == "created" else "clean"
    clean = {"step": "clean", "request": found[0].request_id, "how": how, "after": position["after"]}
    return Page([], {**_bare(position), **clean, "n": position["n"] + 1})


def _is_ours(export: LogRequest, position: Position) -> bool:
    days = (export.date1[:10], export.date2[:10])
    return (
        export.status in LIVE
        and SOURCE in export.source  # a text or a list of texts
        and days == (position["first"], position["last"])
        and set(export.fields) == set(NAMES)
    )


def _measured(position: Position, response: VendorResponse) -> Page:
    evaluation = _decoded(EvaluationAnswer, response, "its estimate").log_request_evaluation
    if evaluation.possible:
        return Page([], {**position, "step": "create"})
    days = evaluation.max_possible_day_quantity
    window = Window.at(position)
    if days < 1 or window.days == 1:
        raise QuotaExhausted(  # [6]
            "Metrica's room for exports of this counter (10 GB) is taken: some tool left its exports there. "
            "It must clean them; Metrica removes them by itself after some days."
        )
    smaller = window.first_part(min(days, window.days - 1))
    return Page([], {**position, **smaller.position()})


def _polled(position: Position, response: VendorResponse) -> Page:
    if response.status in MAY_BE_GONE:
        return _again(position, f"status {response.status}")
    export = _decoded(LogRequestAnswer, response, "the export").log_request
    if export.status != "processed":
        return _again(position, export.status)
    window = Window.at(position)
    if window.days > 1 and any(part.size > LARGEST_PART for part in export.parts):
        smaller = window.first_part(window.days // 2)
        return Page([], _tidy(position, {**smaller.position(), "step": "measure"}), done=window.done(0))
    parts = [[part.part_number, part.size] for part in export.parts]
    if not parts:
        return _read_to_its_end(position)
    read = {"step": "part", "request": export.request_id, "parts": parts, "part": 0}
    return Page([], {**_bare(position), **read}, done=window.done(0))


def _part(settings: MetricaSettings, position: Position, response: VendorResponse) -> Page:
    if response.status in MAY_BE_GONE:
        return _again(position, f"status {response.status}")
    if not response.content and position["parts"][position["part"]][1]:  # [14]
        return _again(position, "an empty part")
    records = visit_lines(response.content, counter=settings.counter_id, zone=position["zone"])
    number, parts = position["part"] + 1, len(position["parts"])
    if number < parts:
        return Page(records, {**position, "part": number}, done=Window.at(position).done(number / parts))
    page = _read_to_its_end(position)
    return Page(records, page.next, page.cursor, page.done)


def _read_to_its_end(position: Position) -> Page:
    """The window is read; its export is removed before the next window is ordered."""
    window = Window.at(position)
    following = window.following(REQUEST_DAYS)
    after = None
    if following is not None:
        after = _tidy({**_bare(position), **following.position(), "attempt": 1}, {"step": "measure"})
    return Page([], _tidy(position, after), window.cursor() | {"read_at": position["now"]}, window.done())


def _again(position: Position, what: str) -> Page:
    """Order the window's export once more: somebody cleaned or cancelled it, or Metrica failed to prepare it."""
    if position["attempt"] >= ATTEMPTS:
        raise VendorChanged(
            f"Metrica's export of {position['first']} to {position['last']} came to nothing {ATTEMPTS} times"
            f" ({what})."
        )
    return Page([], _tidy({**position, "attempt": position["attempt"] + 1}, {"step": "measure"}))


def _tidy(position: Position, after: Position | None) -> Position:
    return {**_bare(position), "step": "tidy", "n": 0, "after": after}


def _bare(position: Position) -> Position:
    """The window, and what holds for all its steps."""
    return {key: position[key] for key in (*Window.__slots__, "zone", "now", "attempt")}


def _period(position: Position) -> dict[str, str]:
    return {"date1": position["first"], "date2": position["last"], "source": SOURCE, "fields": ",".join(NAMES)}


def _path(settings: MetricaSettings, path: str) -> str:
    return f"/management/v1/counter/{settings.counter_id}/{path}"


def _decoded(shape: type[T], response: VendorResponse, what: str) -> T:
    try:
        return msgspec.json.decode(response.content, type=shape)
    except msgspec.MsgspecError as error:
        raise VendorChanged(f"Metrica's answer about {what} has an unknown shape: {error}.") from error
