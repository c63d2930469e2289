"""What is written into a cabinet: deals against the leads that brought them, requests, tags and comments.

The numbers in brackets are facts in BEHAVIOR.md. Costs of advertising are in ``costs``.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec

from connectors.calltouch.callbacks import callback_write
from connectors.calltouch.costs import COST_WRITES
from connectors.calltouch.leadservice import (
    LEAD_SERVICE,
    ask_change,
    data_of,
    lead_matching,
    moment,
    money,
    taken_items,
)
from connectors.calltouch.mapping import OWN_REQUEST
from connectors.calltouch.orders import OWN_TAG
from connectors.calltouch.reads import PAGE_LIMIT, ask_calls, ask_requests
from connectors.calltouch.settings import CalltouchSettings
from connectors.calltouch.values import identifier
from connectors.calltouch.wire import Call, CallsPage, Request
from connectors.contract import Command, Lookup, Position, Standing, VendorRequest, VendorResponse, Write
from connectors.errors import VendorChanged, WriteRejected
from connectors.windows import Window
from schema.enums import RecordKind

CRM = "Skvoz"
ORDERS = f"{LEAD_SERVICE}/client-order"
SUBJECT_LENGTH = 256  # [37]
JOURNAL_LAG_SECONDS = 60.0  # [37] how long a new request may be missing in its journal

_PAGE = msgspec.json.Decoder(CallsPage)
_CALL = msgspec.json.Decoder(Call)
_REQUESTS = msgspec.json.Decoder(list[Request])
_Lead = Literal["call", "request"]


def ask_whether_writable(settings: CalltouchSettings) -> VendorRequest:
    """A change of no lead at all: refused only where the token may not write."""
    return ask_change(settings, f"{LEAD_SERVICE}/tag/lead/add", {"leads": []})


def _put_deal(settings: CalltouchSettings, command: Command) -> VendorRequest:
    """[28] The number is the key: an order that is there already is changed by it."""
    values = command.values
    comment = values.get("comment")
    order: dict[str, Any] = {
        "matching": lead_matching(values, settings, values["at"]),
        "orderNumber": values["number"],
        "orderName": values.get("title"),
        "orderLink": values.get("link"),
        "orderDate": moment(values["at"], settings),
        "funnel": values.get("pipeline"),
        "status": values.get("stage"),
        "statusDate": moment(values["stage_at"], settings) if values.get("stage_at") else None,
        "revenue": money(values["amount"]) if values.get("amount") is not None else None,
        "margin": money(values["margin"]) if values.get("margin") is not None else None,
        "currency": (values.get("currency") or "RUB").lower(),
        "manager": values.get("manager"),
        "comment": {"text": comment} if comment else None,
        "addTags": [{"tag": tag} for tag in dict.fromkeys((OWN_TAG, *(values.get("tags") or ())))],  # [36]
    }
    kept = {name: value for name, value in order.items() if value is not None}
    return ask_change(settings, f"{ORDERS}/create", {"crm": CRM, "orders": [kept]})


def _deal_id(_settings: CalltouchSettings, command: Command, response: VendorResponse) -> str:
    """[29] A 200 may hold a refusal of the one order that was sent."""
    orders = data_of(response).get("orders") or ()
    for one in orders:
        if str(one.get("orderNumber")) == command.values["number"] and one.get("calltouchOrderId") is not None:
            return str(one["calltouchOrderId"])
    taken_items(response, "orders", "the deal")
    raise VendorChanged("Calltouch took a deal and did not tell its id.")


def _remove_deal(settings: CalltouchSettings, command: Command) -> VendorRequest:
    body = {"crm": CRM, "orders": [{"orderNumber": command.values["number"]}]}
    return ask_change(settings, f"{ORDERS}/delete", body)


def _removed_id(_settings: CalltouchSettings, command: Command, response: VendorResponse) -> str:
    data_of(response)
    return str(command.external_id or command.values["number"])


def _make_request(settings: CalltouchSettings, command: Command) -> VendorRequest:
    """[37] ``session`` ties the request to the visit that it came from, and so to its ad."""
    values = command.values
    if not values.get("phones") and not values.get("emails"):
        raise WriteRejected("A request needs the client's phone or e-mail.")
    origin = {name: values.get(name) for name in ("source", "medium", "campaign", "content", "term")}
    comment, session = values.get("comment"), values.get("session")
    item: dict[str, Any] = {
        "requestNumber": _request_number(command),
        "subject": str(values.get("title") or "Request")[:SUBJECT_LENGTH],
        "requestUrl": values.get("url"),
        "requestDate": moment(values["at"], settings),
        "phoneNumber": next(iter(values.get("phones") or ()), None),
        "email": next(iter(values.get("emails") or ()), None),
        "fio": values.get("name"),
        "sessionId": session,
        "comment": {"text": comment} if comment else None,
        "addTags": [{"tag": tag} for tag in values.get("tags") or ()] or None,
        # an own source would take the place of the visit's
        "customSources": {name: told for name, told in origin.items() if told} or None if not session else None,
    }
    kept = {name: value for name, value in item.items() if value is not None}
    return ask_change(settings, f"{LEAD_SERVICE}/request/create", {"requests": [kept]})


def _request_number(command: Command) -> str:
    return OWN_REQUEST + command.key


def _made_request(_settings: CalltouchSettings, command: Command, response: VendorResponse) -> str:
    """[37] The answer names no id: the number, which is ours, stands for it."""
    number = _request_number(command)
    if any(item.get("requestNumber") == number for item in taken_items(response, "requests", "the request")):
        return number
    raise VendorChanged("Calltouch did not say whether it took the request.")


def _own_request(_settings: CalltouchSettings, command: Command, response: VendorResponse) -> Standing | None:
    number = _request_number(command)
    for request in _requests(response):
        if request.request_number == number:
            return Standing(number, f"request {identifier(request.request_id)}")
    return None


def _mark(what: str, lead: _Lead) -> Callable[[CalltouchSettings, Command], VendorRequest]:
    """Tags are added to those that a lead has; a comment stands behind the others."""

    def request(settings: CalltouchSettings, command: Command) -> VendorRequest:
        values = command.values
        named = {"matching": lead_matching({lead: values.get("lead")}, settings)}
        if what == "tag":
            tags = {"overwrite": False, "tags": [{"tag": tag} for tag in values["tags"]]}
            return ask_change(settings, f"{LEAD_SERVICE}/tag/lead/add", {"leads": [named | {"addTags": tags}]})
        comment = {"comments": [named | {"addComment": values["text"]}]}
        return ask_change(settings, f"{LEAD_SERVICE}/comment/lead/add", comment)

    return request


def _marked(name: str, what: str) -> Callable[[CalltouchSettings, Command, VendorResponse], str]:
    def result(_settings: CalltouchSettings, command: Command, response: VendorResponse) -> str:
        taken_items(response, name, what)
        return str(command.values["lead"])

    return result


def _commented_call(settings: CalltouchSettings, command: Command, response: VendorResponse) -> Standing | None:
    """Whether the comment stands at the call. Raises WriteRejected where there is no such call, VendorChanged
    where the day can't be seen whole."""
    try:
        page = _PAGE.decode(response.content)
        calls = [_CALL.decode(raw) for raw in page.records]
    except msgspec.MsgspecError:
        raise VendorChanged("Calltouch's journal of calls isn't the known envelope.") from None
    call = next((one for one in calls if identifier(one.call_id) == str(command.values["lead"])), None)
    if call is None:
        raise _not_there("call", command, page.page_total > 1)
    return _standing(command, [each.comment for each in call.comments or ()])


def _commented_request(_settings: CalltouchSettings, command: Command, response: VendorResponse) -> Standing | None:
    requests = _requests(response)
    lead = next((one for one in requests if identifier(one.request_id) == str(command.values["lead"])), None)
    if lead is None:
        raise _not_there("request", command, full=len(requests) >= PAGE_LIMIT)
    return _standing(command, [each.comment for each in lead.comments or ()])


def _standing(command: Command, comments: list[str | None]) -> Standing | None:
    """[44] A comment has no key of its own: the same words at the same lead are it."""
    wanted = " ".join(str(command.values["text"]).split())
    if any(" ".join(each.split()) == wanted for each in comments if each):
        return Standing(str(command.values["lead"]), "the same comment", {"text": command.values["text"]})
    return None


def _not_there(what: str, command: Command, full: bool) -> VendorChanged | WriteRejected:
    if full:
        return VendorChanged(f"That day has more {what}s than can be looked through, so it can't be told whether "
                             "the comment stands there already.")  # fmt: skip
    return WriteRejected(f"Calltouch has no {what} {command.values['lead']} on that day.")


def _requests(response: VendorResponse) -> list[Request]:
    try:
        return _REQUESTS.decode(response.content)
    except msgspec.MsgspecError:
        raise VendorChanged("Calltouch's journal of requests isn't the known array.") from None


def _day(
    ask: Callable[[CalltouchSettings, Position], VendorRequest],
) -> Callable[[CalltouchSettings, Command], VendorRequest | None]:
    """A look at a journal on the day of ``at``."""

    def request(settings: CalltouchSettings, command: Command) -> VendorRequest | None:
        at = datetime.fromisoformat(command.values["at"]).astimezone(settings.zone)
        first, last = at.date(), (at + timedelta(minutes=1)).date()
        return ask(settings, {**Window(first, last, first, last, first).position(), "page": 1})

    return request


def _tagging(lead: _Lead, entity: RecordKind) -> Write[CalltouchSettings]:
    return Write(
        name=f"{lead}.tag",
        title=f"Tag a {lead}",
        entity=entity,
        operation="create",
        idempotency="absolute",
        fields=("lead", "tags"),
        request=_mark("tag", lead),
        result=_marked("leads", "the tags"),
        lag_seconds=0.0,
    )


def _commenting(lead: _Lead, entity: RecordKind, lookup: Lookup[CalltouchSettings]) -> Write[CalltouchSettings]:
    return Write(
        name=f"{lead}.comment",
        title=f"Comment a {lead}",
        entity=entity,
        operation="create",
        idempotency="marker",
        fields=("lead", "at", "text"),
        request=_mark("comment", lead),
        result=_marked("comments", "the comment"),
        by_marker=lookup,
    )


WRITES: tuple[Write[CalltouchSettings], ...] = (
    Write(
        name="deal.put",
        title="Put a deal against a call, request or chat",
        entity=RecordKind.DEAL,
        operation="create",
        idempotency="vendor_key",
        fields=(
            *("number", "title", "amount", "currency", "stage", "manager", "at", "call"),
            *("request", "chat", "phones", "emails", "stage_at", "pipeline", "link", "margin", "comment", "tags"),
        ),
        request=_put_deal,
        result=_deal_id,
        undo="deal.delete",
        lag_seconds=0.0,
    ),
    Write(
        name="deal.delete",
        title="Remove a deal",
        entity=RecordKind.DEAL,
        operation="delete",
        idempotency="absolute",
        fields=("number",),
        request=_remove_deal,
        result=_removed_id,
        lag_seconds=0.0,
    ),
    Write(
        name="request.create",
        title="Put a request from elsewhere",
        entity=RecordKind.LEAD,
        operation="create",
        idempotency="marker",
        fields=(
            *("title", "name", "phones", "emails", "at", "url", "session", "comment", "tags"),
            *("source", "medium", "campaign", "content", "term"),
        ),
        request=_make_request,
        result=_made_request,
        by_marker=Lookup(_day(ask_requests), _own_request),
        lag_seconds=JOURNAL_LAG_SECONDS,
    ),
    _tagging("call", RecordKind.CALL),
    _tagging("request", RecordKind.LEAD),
    _commenting("call", RecordKind.CALL, Lookup(_day(ask_calls), _commented_call)),
    _commenting("request", RecordKind.LEAD, Lookup(_day(ask_requests), _commented_request)),
    callback_write(Lookup(_day(ask_requests), _own_request), JOURNAL_LAG_SECONDS),
    *COST_WRITES,
)
