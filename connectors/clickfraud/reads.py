"""How judged clicks are asked for and read. The numbers in brackets are facts in BEHAVIOR.md."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from connectors.clickfraud.settings import ClickFraudSettings
from connectors.clickfraud.wire import BLOCKED, CURSOR, FROM, PAGE, SUSPICIOUS, TO, VERDICT, ClickKey, Clicks
from connectors.contract import Page, Position, RawRecord, Start, VendorRequest, VendorResponse
from connectors.errors import VendorChanged
from connectors.windows import Window

WINDOW_DAYS = 7
CLICKS_AT_ONCE = 100

_CLICKS = msgspec.json.Decoder(Clicks)
_KEY = msgspec.json.Decoder(ClickKey)


def start(settings: ClickFraudSettings, start: Start) -> Position | None:
    window = Window.opening(start, days=WINDOW_DAYS, reread_days=settings.reread_days, zone=settings.zone)
    return None if window is None else {**window.position(), "cursor": None}


def ask(settings: ClickFraudSettings, position: Position) -> VendorRequest:
    """Of days whose verdicts may still change all clicks, of older ones those that were judged [4], [5]."""
    window = Window.at(position)
    query: dict[str, str | int] = {
        FROM: window.first.isoformat(),
        TO: window.last.isoformat(),
        PAGE: CLICKS_AT_ONCE,
    }
    if window.last < window.run_last - timedelta(days=settings.reread_days):
        query[VERDICT] = ",".join(sorted(BLOCKED | SUSPICIOUS))
    if position["cursor"] is not None:
        query[CURSOR] = position["cursor"]
    return VendorRequest(f"/sites/{settings.site_id}/clicks", query=query)


def read(_settings: ClickFraudSettings, position: Position, response: VendorResponse) -> Page:
    """One page; the pointer to the next one is opaque [3]. Raises VendorChanged where it has another shape."""
    try:
        found = _CLICKS.decode(response.content)
        records = [RawRecord(str(_KEY.decode(raw).id), bytes(raw)) for raw in found.data]
    except msgspec.MsgspecError as error:
        raise VendorChanged(f"The service's list of clicks has an unknown shape: {error}.") from error
    window = Window.at(position)
    if found.meta.next_cursor is not None:
        return Page(records, {**position, "cursor": found.meta.next_cursor}, done=window.done(0.5))
    following = window.following(WINDOW_DAYS)
    onward = None if following is None else {**following.position(), "cursor": None}
    return Page(records, onward, window.cursor(), window.done())
