"""The part of the API that takes changes: how it is asked, and how it tells what it refused.

The numbers in brackets are facts in BEHAVIOR.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from connectors.calltouch.settings import CalltouchSettings
from connectors.contract import VendorRequest, VendorResponse
from connectors.errors import VendorChanged, WriteRejected

TOKEN_HEADER = "Access-Token"  # noqa: S105 - the header's name
LEAD_SERVICE = "/lead-service/v1/api"
WHEN = "%d-%m-%Y %H:%M:%S"  # [30] the third order of dates
MATCH_DEPTH_MINUTES = 262_800  # [43] half a year: how far back a lead with the client's phone or e-mail counts
_REASONS = ("message", "error", "errorMessage", "description", "reason")  # [29]
_DONE = ("imported", "found", "success", "added")  # [29] false in an item that was not taken


def ask_change(settings: CalltouchSettings, path: str, body: dict[str, Any]) -> VendorRequest:
    """A change, with the token in a header [30]."""
    headers = {TOKEN_HEADER: settings.token.get_secret_value(), "SiteId": settings.site_id}
    return VendorRequest(path, "POST", json=body, headers=headers)


def data_of(response: VendorResponse) -> dict[str, Any]:
    """The ``data`` of an answer. Raises VendorChanged where there is none."""
    try:
        data = msgspec.json.decode(response.content, type=dict[str, Any]).get("data")
    except msgspec.MsgspecError:
        data = None
    if not isinstance(data, dict):
        raise VendorChanged("Calltouch answered a write in a shape that isn't known.")
    return data


def taken_items(response: VendorResponse, name: str, what: str) -> list[dict[str, Any]]:
    """[29] The items of an answer, which may be refused one by one in a 200.

    Raises WriteRejected for the first refused one, VendorChanged where the answer holds no items.
    """
    data = data_of(response)
    for wrong in data.get("validationErrorData") or ():
        raise WriteRejected(f"Calltouch refuses {what}: {refusal_of(wrong)}")
    items = data.get(name)
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise VendorChanged("Calltouch answered a write in a shape that isn't known.")
    for item in items:
        if any(item.get(word) is False for word in _DONE):
            raise WriteRejected(f"Calltouch did not take {what}: {refusal_of(item)}")
    return items


def refusal_of(item: Any) -> str:
    """Why an item was refused, in the vendor's words."""
    if isinstance(item, Mapping):
        told = next((item[word] for word in _REASONS if item.get(word)), None)
        return "no reason given" if told is None else " ".join(str(told).split())[:200]
    return " ".join(str(item).split())[:200] or "no reason given"


def lead_matching(values: Mapping[str, Any], settings: CalltouchSettings, *contacts: str) -> list[dict[str, Any]]:
    """By what a lead is found: the call, request or chat that is named, then (where ``contacts`` names the time of
    the thing) the client's phones and e-mails. The first that finds one holds [43]."""
    found = list(_named(values))
    known = {name: list(values[name]) for name in ("phones", "emails") if values.get(name)}
    if known and contacts:
        (at,) = contacts
        found.append(
            {
                "type": "leadContact",
                "leadContactParams": {
                    **known,
                    "date": moment(at, settings),
                    "leadTypeToMatch": "nearestUniq",
                    "searchDepth": MATCH_DEPTH_MINUTES,
                    "withChats": True,
                },
            }
        )
    if not found:
        raise WriteRejected("It isn't told which call, request or chat it belongs to.")
    return found


def _named(values: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for kind in ("call", "request", "chat"):
        if values.get(kind):
            yield {"type": kind, f"{kind}Params": {f"{kind}Id": whole_id(values[kind])}}


def moment(at: str, settings: CalltouchSettings) -> str:
    """An instant as a write has it: in the cabinet's zone."""
    return datetime.fromisoformat(at).astimezone(settings.zone).strftime(WHEN)


def money(value: Any) -> int | float:
    """A sum for JSON: whole roubles stay whole; a float holds the kopecks of any sum below 90 trillion exactly
    enough to be written back as they were."""
    sum_ = Decimal(str(value))
    return int(sum_) if sum_ == sum_.to_integral_value() else float(sum_)


def whole_id(value: Any) -> int | str:
    text = str(value).removeprefix("chat-")
    return int(text) if text.isdecimal() else text
