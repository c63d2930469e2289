"""How Altcraft's profiles and history are asked for and read. The numbers in brackets are facts in BEHAVIOR.md."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from connectors.altcraft import mapping
from connectors.altcraft.errors import absent, read
from connectors.altcraft.settings import AltcraftSettings
from connectors.altcraft.wire import Event, One, ProfileKey, Rows
from connectors.contract import Fetch, Page, Position, RawRecord, Start, Stream, VendorRequest, VendorResponse
from connectors.errors import VendorChanged
from connectors.windows import Window
from schema.enums import RecordKind

PAGE = 1000
HISTORY_DAYS = 7
HISTORY_REREAD_DAYS = 3  # late openings and clicks are told on their own days; deliveries may be late

# Not seen in the vendor's pages, each to be mended here: the path that gives one profile [13].
ONE_PROFILE = "/profiles/get"


def ask(method: str, body: dict[str, Any]) -> VendorRequest:
    """A method of the API."""
    return VendorRequest(method, "POST", json=body | {"format": "json"})


def ask_profile(settings: AltcraftSettings, profile: str) -> VendorRequest:
    """[3] A database is ``db_id`` here and ``list_id`` in the history."""
    return ask(ONE_PROFILE, {"db_id": settings.db_id, "matching": "profile_id", "profile_id": profile})


def profile_of(content: bytes) -> bytes | None:
    """The profile inside an answer."""
    try:
        data = msgspec.json.decode(content, type=One).data
    except msgspec.MsgspecError as error:
        raise VendorChanged(f"Altcraft tells of a profile in an unknown shape: {error}.") from error
    return None if bytes(data) in (b"null", b"{}", b"[]") else bytes(data)


def _start_profiles(settings: AltcraftSettings, start: Start) -> Position | None:
    """All of them, unless they were read not long ago [7]."""
    now = start.now.astimezone(UTC)
    if start.cursor is not None:
        walked = datetime.fromisoformat(start.cursor["walked_at"])
        if now - walked < timedelta(hours=settings.walk_hours):
            return None
    return {"from_id": "", "walked_at": now.isoformat()}


def _ask_profiles(settings: AltcraftSettings, position: Position) -> VendorRequest:
    return ask("/profiles/list", {"db_id": settings.db_id, "from_id": position["from_id"], "limit": PAGE})


def _read_profiles(_settings: AltcraftSettings, position: Position, response: VendorResponse) -> Page:
    """[8] The list ends with a page without rows. Where no pointer is told the last id is one; then a page may
    begin with that profile again, and one that holds nothing else is the end."""
    told = _rows(response)
    records = [RawRecord(_profile_id(raw), bytes(raw)) for raw in told.data or ()]
    fresh = [record for record in records if record.external_id != position["from_id"]]
    if not fresh:
        return Page([], None, {"walked_at": position["walked_at"]}, 1.0)
    return Page(fresh, {**position, "from_id": str(told.next_from_id or fresh[-1].external_id)})


def _read_profile(_settings: AltcraftSettings, external_id: str, response: VendorResponse) -> RawRecord | None:
    if absent(response):
        return None
    body = profile_of(read(response))
    return None if body is None else RawRecord(external_id, body)


def _start_history(settings: AltcraftSettings, start: Start) -> Position | None:
    window = Window.opening(start, days=HISTORY_DAYS, reread_days=HISTORY_REREAD_DAYS, zone=settings.zone)
    return None if window is None else {**window.position(), "from_id": ""}


def _ask_history(settings: AltcraftSettings, position: Position) -> VendorRequest:
    window = Window.at(position)
    return ask(
        "/subscribers/history_get_all",
        {
            "list_id": settings.db_id,
            "date_from": window.first.isoformat(),
            "date_to": window.last.isoformat(),
            "from_id": position["from_id"],
            "limit": PAGE,
        },
    )


def _read_history(_settings: AltcraftSettings, position: Position, response: VendorResponse) -> Page:
    window, told = Window.at(position), _rows(response)
    rows = told.data or []
    try:
        records = [RawRecord(mapping.event_key(msgspec.json.decode(raw, type=Event)), bytes(raw)) for raw in rows]
    except msgspec.MsgspecError as error:
        raise VendorChanged(f"Altcraft's history has an unknown shape: {error}.") from error
    if rows and told.next_from_id:
        return Page(records, {**position, "from_id": str(told.next_from_id)}, done=window.done(0.5))
    if len(rows) >= PAGE:
        raise VendorChanged("Altcraft's history doesn't tell where its next page begins.")
    following = window.following(HISTORY_DAYS)
    onward = None if following is None else {**following.position(), "from_id": ""}
    return Page(records, onward, window.cursor(), window.done())


def _rows(response: VendorResponse) -> Rows:
    try:
        return msgspec.json.decode(read(response), type=Rows)
    except msgspec.MsgspecError as error:
        raise VendorChanged(f"A list of Altcraft has an unknown shape: {error}.") from error


def _profile_id(raw: msgspec.Raw) -> str:
    try:
        key = msgspec.json.decode(raw, type=ProfileKey)
    except msgspec.MsgspecError as error:
        raise VendorChanged(f"A profile of Altcraft has an unknown shape: {error}.") from error
    id = key.id or key.other
    if not id:
        raise VendorChanged("A profile of Altcraft has no id.")
    return id


STREAMS: tuple[Stream[AltcraftSettings], ...] = (
    Stream(
        name="profiles",
        title="Profiles",
        makes=(RecordKind.CONTACT,),
        start=_start_profiles,
        request=_ask_profiles,
        read=_read_profiles,
        map=mapping.map_profile,
        sweeps=True,
        one=Fetch(ask_profile, _read_profile),
    ),
    Stream(
        name="messages",
        title="Mailings and reactions",
        makes=(RecordKind.MESSAGE,),
        start=_start_history,
        request=_ask_history,
        read=_read_history,
        map=mapping.map_event,
    ),
)
