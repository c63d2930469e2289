"""How a question is put to Tryton's REST: fields, domains and the context travel as base64 of JSON [2]."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from connectors.contract import RawRecord, VendorRequest, VendorResponse
from connectors.errors import VendorChanged
from connectors.tryton.settings import TrytonSettings
from connectors.tryton.wire import Id

PARTY, OPPORTUNITY, EMPLOYEE, LOG = "party.party", "sale.opportunity", "company.employee", "ir.model.log"
NOT_FOUND = frozenset({404})
_ROWS = msgspec.json.Decoder(list[msgspec.Raw])
_ID = msgspec.json.Decoder(Id)


def coded(value: Any) -> str:
    return urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).decode()


def moment(at: datetime) -> dict[str, Any]:
    """A time as Tryton writes it."""
    told = at.astimezone(UTC)
    names = ("year", "month", "day", "hour", "minute", "second", "microsecond")
    return {"__class__": "datetime", **{name: getattr(told, name) for name in names}}


def headers(settings: TrytonSettings, **further: Any) -> Mapping[str, str]:
    """[3] Opportunities are bound to a company, and who makes one is taken for its employee."""
    context: dict[str, Any] = {"company": settings.company, **further}
    if settings.employee is not None:
        context["employee"] = settings.employee
    return {"X-Tryton-Context": coded(context)}


def _reading(settings: TrytonSettings) -> Mapping[str, str]:
    """[8] Records that were put away are told too."""
    return headers(settings, active_test=False)


def search(
    settings: TrytonSettings, model: str, fields: Sequence[str], domain: list[Any], *, limit: int
) -> VendorRequest:
    """A page of records in the order of their numbers, the one order that nothing shifts."""
    query: dict[str, str | int | Sequence[str]] = {
        "f": list(fields),
        "d": coded(domain),
        "o": coded([["id", "ASC"]]),
        "s": limit,
    }
    return VendorRequest(f"/{model}", query=query, headers=_reading(settings))


def by_id(settings: TrytonSettings, model: str, external_id: str, fields: Sequence[str]) -> VendorRequest:
    return VendorRequest(
        f"/{model}/{external_id}", query={"f": list(fields)}, headers=_reading(settings), accept=NOT_FOUND
    )


def rows(response: VendorResponse) -> list[RawRecord]:
    """The records of a page. Raises VendorChanged."""
    try:
        return [RawRecord(str(_ID.decode(raw).id), bytes(raw)) for raw in _ROWS.decode(response.content)]
    except msgspec.MsgspecError as error:
        raise VendorChanged(f"Tryton's list isn't the known one: {error}.") from None
