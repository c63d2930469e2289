"""How Calltouch's journals of calls and requests are asked for and read, a page at a time (BEHAVIOR.md [5]-[9])."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import xxhash

from connectors.calltouch.settings import CalltouchSettings
from connectors.calltouch.values import identifier
from connectors.calltouch.wire import CallKey, CallsPage, RequestKey
from connectors.contract import Page, Position, RawRecord, Start, VendorRequest, VendorResponse
from connectors.errors import VendorChanged
from connectors.windows import Window

CALLS_DAYS = 30  # in one window [8]
REQUESTS_DAYS = 7  # in one window: the journal of requests may not page, so it is asked for little at once
PAGE_LIMIT = 1000
LAST_INTERACTION = 0  # the source of the visit itself: attribution is ours to do [19]
CALLS_DATE = "%d/%m/%Y"
REQUESTS_DATE = "%m/%d/%Y"  # the one method with the month first [7]

_PAGE = msgspec.json.Decoder(CallsPage)
_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
_CALL_KEY = msgspec.json.Decoder(CallKey)
_REQUEST_KEY = msgspec.json.Decoder(RequestKey)


def start_calls(settings: CalltouchSettings, start: Start) -> Position | None:
    return _opening(settings, start, CALLS_DAYS)


def start_requests(settings: CalltouchSettings, start: Start) -> Position | None:
    return _opening(settings, start, REQUESTS_DAYS)


def ask_calls(settings: CalltouchSettings, position: Position) -> VendorRequest:
    window = Window.at(position)
    return VendorRequest(
        path=f"/calls-service/RestAPI/{settings.site_id}/calls-diary/calls",
        query={
            "dateFrom": window.first.strftime(CALLS_DATE),
            "dateTo": window.last.strftime(CALLS_DATE),
            "page": position["page"],
            "limit": PAGE_LIMIT,
            "attribution": LAST_INTERACTION,
            "withMapVisits": "true",
            "withCallTags": "true",
            "withComments": "true",
            "withYandexDirect": "true",
            "withGoogleAdwords": "true",
            **({"withText": "true"} if settings.transcripts else {}),
        },
    )


def read_calls(settings: CalltouchSettings, position: Position, response: VendorResponse) -> Page:
    """One page of a window. Raises VendorChanged where the answer isn't the journal's envelope."""
    try:
        page = _PAGE.decode(response.content)
    except msgspec.MsgspecError as error:
        raise VendorChanged(f"Calltouch's journal of calls isn't the known envelope: {error}.") from error
    records = records_of((_call_id(raw), bytes(raw)) for raw in page.records)
    return next_page(records, position, page.page_total, CALLS_DAYS)


def ask_requests(settings: CalltouchSettings, position: Position) -> VendorRequest:
    window = Window.at(position)
    return VendorRequest(
        path="/calls-service/RestAPI/requests",
        query={
            "siteId": settings.site_id,
            "dateFrom": window.first.strftime(REQUESTS_DATE),
            "dateTo": window.last.strftime(REQUESTS_DATE),
            "page": position["page"],
            "limit": PAGE_LIMIT,
            "attribution": LAST_INTERACTION,
            "withMapVisits": "true",
            "withRequestTags": "true",
            "withYandexDirect": "true",
            "withGoogleAdwords": "true",
            "withCustomFields": "true",
        },
    )


def read_requests(settings: CalltouchSettings, position: Position, response: VendorResponse) -> Page:
    """One page of a window, whether or not the vendor honours ``page`` and ``limit``.

    The window ends with an empty page, or with one that repeats the page before. Where the very first page
    is repeated and exactly full, more may hide behind it: the window is then read again in smaller ones.

    Raises VendorChanged where the answer isn't an array, and where one day holds more than can be asked for.
    """
    window, number = Window.at(position), position["page"]
    try:
        items = _ARRAY.decode(response.content)
    except msgspec.MsgspecError as error:
        raise VendorChanged(f"Calltouch's journal of requests isn't the known array: {error}.") from error
    records = records_of((_request_id(raw), bytes(raw)) for raw in items)
    before, fingerprint = position.get("before"), _fingerprint(records)
    if records and fingerprint != before:
        following = {**position, "page": number + 1, "before": fingerprint}
        return Page(records, following, done=window.done(number / (number + 1)))
    if number == 2 and len(items) == PAGE_LIMIT:  # the second page is the first
        if window.days == 1:
            raise VendorChanged(
                f"Calltouch gives {PAGE_LIMIT} requests of {window.first} and no second page: "
                "the rest of that day can't be read."
            )
        halved = window.first_part(window.days // 2)
        return Page([], {**halved.position(), "page": 1}, done=window.done(0))
    return _window_read([], window, REQUESTS_DAYS)


def _opening(settings: CalltouchSettings, start: Start, days: int) -> Position | None:
    window = Window.opening(start, days=days, reread_days=settings.reread_days, zone=settings.zone)
    return None if window is None else {**window.position(), "page": 1}


def next_page(records: list[RawRecord], position: Position, page_total: int, days: int) -> Page:
    """A page of a journal that says how many there are of a window, and the position after it."""
    window, number = Window.at(position), position["page"]
    if number < page_total:
        return Page(records, {**position, "page": number + 1}, done=window.done(number / page_total))
    return _window_read(records, window, days)


def _window_read(records: list[RawRecord], window: Window, days: int) -> Page:
    following = window.following(days)
    position = None if following is None else {**following.position(), "page": 1}
    return Page(records, position, window.cursor(), window.done())


def _call_id(raw: msgspec.Raw) -> str | None:
    try:
        return identifier(_CALL_KEY.decode(raw).call_id)
    except msgspec.MsgspecError:
        return None


def _request_id(raw: msgspec.Raw) -> str | None:
    try:
        return identifier(_REQUEST_KEY.decode(raw).request_id)
    except msgspec.MsgspecError:
        return None


def records_of(found: Iterable[tuple[str | None, bytes]]) -> list[RawRecord]:
    """The records of a page, each id once. One without an id is kept under its hash, for the quarantine."""
    by_id = {key or f"without-id:{xxhash.xxh3_64_hexdigest(body)}": body for key, body in found}
    return [RawRecord(key, body) for key, body in by_id.items()]


def _fingerprint(records: list[RawRecord]) -> str:
    """Tells whether two pages hold the same records, in whatever order and state."""
    return xxhash.xxh3_64_hexdigest("\n".join(sorted(record.external_id for record in records)).encode())
