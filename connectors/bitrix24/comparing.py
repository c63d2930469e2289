"""How a portal's lists are compared with what is here: ids, times of change and links, some 1,250 rows a request.

Rows are asked for in the order of ids, as in reads, within a span of their time of change. A list of cards tells no
more than what a comparison needs; calls and moves of deals, which never change, come whole.
"""

from __future__ import annotations

from datetime import UTC, tzinfo
from uuid import UUID

import msgspec

from connectors.bitrix24.lists import BATCH, MAX_LISTS, PAGE_ROWS, ROW, Batch, Listing, rising, written_time
from connectors.bitrix24.mapping import moment
from connectors.bitrix24.settings import Bitrix24Settings
from connectors.contract import Audit, Listed, Position, RawRecord, Span, VendorRequest, VendorResponse
from connectors.contract import Listing as ListedPage
from connectors.errors import VendorChanged

_TOTAL = "total"
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])


def audit_of(listing: Listing) -> Audit[Bitrix24Settings] | None:
    """How a list method is compared; None for one without a time of change.

    Position: ``after`` the last id that was listed, ``since`` and ``until`` the span, ``lists`` how many pages to
    ask for at once.
    """
    if listing.changed is None:
        return None

    def start(settings: Bitrix24Settings, span: Span, id: UUID) -> Position:
        return {
            "after": 0,
            "since": None if span.since is None else written_time(span.since),
            "until": None if span.until is None else written_time(span.until),
            "lists": 1,
        }

    def request(settings: Bitrix24Settings, position: Position) -> VendorRequest:
        commands: dict[str, str] = {}
        after = str(position["after"])
        for number in range(position["lists"]):
            commands[f"c{number}"] = listing.compared(after, position["since"], position["until"])
            after = listing.reference(f"c{number}")
        if position["after"] == 0:
            commands[_TOTAL] = listing.counted(position["since"], position["until"])
        return VendorRequest("/batch", "POST", json={"halt": 0, "cmd": commands})

    def read(settings: Bitrix24Settings, position: Position, response: VendorResponse) -> ListedPage:
        batch = BATCH.decode(response.content)
        results = batch.result.result if isinstance(batch.result.result, dict) else {}
        listed: list[Listed] = []
        after: int = position["after"]
        for number in range(position["lists"]):
            result = results.get(f"c{number}")
            rows = [] if result is None else listing.rows(result)
            ids = [int(ROW.decode(row).id) for row in rows]
            if result is None or not rising(after, ids):
                if number == 0:
                    raise VendorChanged(f"Bitrix24 answered {listing.method} with other rows than asked for.")
                break
            listed += [_told(listing, str(each), row) for each, row in zip(ids, rows, strict=True)]
            after = ids[-1] if ids else after
            if len(rows) < PAGE_ROWS:
                return ListedPage(listed, None, _total(batch))
        following = {**position, "after": after, "lists": min(position["lists"] * 4, MAX_LISTS)}
        return ListedPage(listed, following, _total(batch))

    def stored(settings: Bitrix24Settings, record: RawRecord) -> Listed:
        return _told(listing, record.external_id, msgspec.Raw(record.body))

    return Audit(zone=_zone, start=start, request=request, read=read, stored=stored, kept_since=not listing.whole)


def _zone(settings: Bitrix24Settings) -> tzinfo:
    return UTC  # rows carry their offset, and filters take one


def _total(batch: Batch) -> int | None:
    totals = batch.result.result_total
    return totals.get(_TOTAL) if isinstance(totals, dict) else None


def _told(listing: Listing, id: str, row: msgspec.Raw) -> Listed:
    fields = _FIELDS.decode(row)
    changed = msgspec.json.decode(fields[listing.changed]) if listing.changed in fields else None
    at = moment(changed)
    if not listing.told_by:
        return Listed(id, at, body=bytes(row))
    links = "|".join(_text(fields.get(name)) for name in listing.told_by)
    return Listed(id, at, version=None if at is None else written_time(at), links=links)


def _text(value: msgspec.Raw | None) -> str:
    """A reference to nothing comes as null, "", 0 or "0"."""
    told = None if value is None else msgspec.json.decode(value)
    return "" if told in (None, "", 0, "0", False) or not isinstance(told, str | int) else str(told)
