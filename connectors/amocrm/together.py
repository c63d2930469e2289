"""Several changes in one request: amoCRM takes arrays. The numbers in brackets are facts in BEHAVIOR.md.

All items of an array are written, or none: one that is wrong keeps the others out, and they go again without it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from connectors.amocrm.settings import AmoCrmSettings
from connectors.contract import Together, VendorRequest, VendorResponse
from connectors.errors import NotSent, VendorChanged, VendorError, WriteRejected

MOST = 50  # [28] up to 250 are taken and 50 advised; more than 50 deals with their cards aren't taken
_ONE = re.compile(r"(/api/v4/(?:leads|contacts|companies))/(\d+)")


class _Fault(msgspec.Struct):
    path: str = ""
    detail: str = ""


class _Refused(msgspec.Struct):
    request_id: str | int = ""
    errors: list[_Fault] = msgspec.field(default_factory=list)

    @property
    def words(self) -> str:
        told = [f"{fault.path}: {fault.detail}".strip(": ") for fault in self.errors]
        return "; ".join(filter(None, told)) or "no reason given"


class _Problem(msgspec.Struct):
    refused: list[_Refused] = msgspec.field(name="validation-errors", default_factory=list)


class _Page(msgspec.Struct):
    embedded: dict[str, list[dict[str, Any]]] = msgspec.field(name="_embedded")


def _kind(request: VendorRequest) -> str | None:
    """What is made in one list goes together, and what is changed in one list."""
    if request.method == "POST" and isinstance(request.json, list) and len(request.json) == 1:
        return f"POST {request.path}"
    one = _ONE.fullmatch(request.path)
    return f"PATCH {one[1]}" if one is not None and request.method == "PATCH" else None


def _pack(_settings: AmoCrmSettings, requests: Sequence[VendorRequest]) -> VendorRequest:
    """Each item is named by its place, whatever it was named alone."""
    method, _, path = (_kind(requests[0]) or "").partition(" ")
    items = [{**_item(request), "request_id": str(place)} for place, request in enumerate(requests)]
    return VendorRequest(path, "PATCH" if method == "PATCH" else "POST", json=items, accept=frozenset({400}))


def _item(request: VendorRequest) -> dict[str, Any]:
    one = _ONE.fullmatch(request.path)
    item: dict[str, Any] = {"id": int(one[2]), **request.json} if one is not None else dict(request.json[0])
    return item


def _split(
    _settings: AmoCrmSettings, requests: Sequence[VendorRequest], response: VendorResponse
) -> list[VendorResponse | VendorError]:
    if response.status == 400:
        return _refused(len(requests), response)
    try:
        told = msgspec.json.decode(response.content, type=list[dict[str, Any]] | _Page)
    except msgspec.MsgspecError:
        raise VendorChanged("amoCRM answered a write in a shape that isn't known.") from None
    rows = {_place(row): (None, row) for row in told} if isinstance(told, list) else {}
    if not isinstance(told, list):
        rows = {_place(row): (name, row) for name, listed in told.embedded.items() for row in listed}

    def outcome(place: int) -> VendorResponse | VendorError:
        if str(place) not in rows:
            return VendorChanged("amoCRM did not say what became of this one of several changes.")
        name, row = rows[str(place)]
        alone: Any = row if requests[place].method == "PATCH" else [row]
        if name is not None and requests[place].method == "POST":
            alone = {"_embedded": {name: [row]}}
        return VendorResponse(response.status, response.headers, msgspec.json.encode(alone))

    return [outcome(place) for place in range(len(requests))]


def _place(row: Mapping[str, Any]) -> str:
    """[24] A deal that is made with its card tells its name in a list."""
    named = row.get("request_id")
    return str(named[0] if isinstance(named, list) and named else named)


def _refused(count: int, response: VendorResponse) -> list[VendorResponse | VendorError]:
    """[28] Nothing was written. Whose fault it is, is told by name."""
    try:
        named = msgspec.json.decode(response.content, type=_Problem).refused
    except msgspec.MsgspecError:
        named = []
    faults = {str(one.request_id): one.words for one in named}
    if not faults.keys() & {str(place) for place in range(count)}:
        raise VendorChanged("amoCRM refused several changes at once and did not say which one is wrong.")
    return [
        WriteRejected(f"amoCRM refuses the change: {faults[str(place)]}")
        if str(place) in faults
        else NotSent("amoCRM refused another change of the same request, and so took none.")
        for place in range(count)
    ]


TOGETHER: Together[AmoCrmSettings] = Together(MOST, _kind, _pack, _split)
