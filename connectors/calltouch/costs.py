"""Costs of advertising, written into the cabinet's report (BEHAVIOR.md [45]-[48]).

The vendor's ``add`` puts money on top of what is there, so a repeated one doubles it; ``update`` sets the money,
but only where the very same set of names already has some. So a day is opened with nothing, which may be done any
number of times, and then set, which may too. The API gives no costs back.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec

from connectors.calltouch.leadservice import ask_change, money, refusal_of
from connectors.calltouch.settings import CalltouchSettings
from connectors.contract import Command, VendorRequest, VendorResponse, Write
from connectors.errors import VendorChanged, WriteRejected
from schema.enums import RecordKind

# [45] Not seen in the vendor's page, each to be mended here: the method, the order of dates, where the token goes
# (``ask_change``), and what holds the items.
COSTS = "/report-service/RestAPI/api/costs-import"
COSTS_DATE = "%d-%m-%Y"
ITEMS = "costs"
DIMENSIONS = ("source", "medium", "campaign", "content", "term")  # [47] always in this order


def _item(command: Command, price: Any) -> dict[str, Any]:
    """One day's cost: what the vendor would spread over several days is told day by day [46]."""
    values = command.values
    named = {name: str(values[name]) for name in DIMENSIONS if values.get(name)}
    if not named:
        raise WriteRejected("A cost needs a source, medium, campaign, content or term.")
    day = date.fromisoformat(values["day"]).strftime(COSTS_DATE)
    return {**named, "dateFrom": day, "dateTo": day, "price": money(price)}


def _open_day(settings: CalltouchSettings, command: Command) -> VendorRequest:
    return ask_change(settings, f"{COSTS}/add", {ITEMS: [_item(command, 0)]})


def _set_day(settings: CalltouchSettings, command: Command) -> VendorRequest:
    return ask_change(settings, f"{COSTS}/update", {ITEMS: [_item(command, command.values["cost"])]})


def _clear_day(settings: CalltouchSettings, command: Command) -> VendorRequest:
    return ask_change(settings, f"{COSTS}/update", {ITEMS: [_item(command, 0)]})


def _day_id(_settings: CalltouchSettings, command: Command, response: VendorResponse) -> str:
    """[48] A cost has no id there: its day and names are one. The answer's shape isn't known; what is read of it is
    a refusal."""
    try:
        answer = msgspec.json.decode(response.content, type=dict[str, Any])
    except msgspec.MsgspecError:
        raise VendorChanged("Calltouch answered a cost in a shape that isn't known.") from None
    if answer.get("success") is False or answer.get("errors") or answer.get("error"):
        raise WriteRejected(f"Calltouch refuses the cost: {refusal_of(answer)}")
    values = command.values
    return "/".join((values["day"], *(str(values.get(name) or "-") for name in DIMENSIONS)))


_FIELDS = ("day", *DIMENSIONS)
COST_WRITES: tuple[Write[CalltouchSettings], ...] = (
    Write(
        name="ad_spend.open",
        title="Open a day for its cost",
        entity=RecordKind.AD_SPEND,
        operation="create",
        idempotency="absolute",
        fields=_FIELDS,
        request=_open_day,
        result=_day_id,
        lag_seconds=0.0,
    ),
    Write(
        name="ad_spend.put",
        title="Set a day's cost of advertising",
        entity=RecordKind.AD_SPEND,
        operation="create",
        idempotency="absolute",
        fields=(*_FIELDS, "cost"),
        request=_set_day,
        result=_day_id,
        undo="ad_spend.clear",
        lag_seconds=0.0,
    ),
    Write(
        name="ad_spend.clear",
        title="Take a day's cost back",
        entity=RecordKind.AD_SPEND,
        operation="delete",
        idempotency="absolute",
        fields=_FIELDS,
        request=_clear_day,
        result=_day_id,
        lag_seconds=0.0,
    ),
)
