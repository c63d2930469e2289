"""Asking for a call back: the cabinet's widget rings a manager up and then the client. The numbers in brackets are
facts in BEHAVIOR.md."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec

from connectors.calltouch.leadservice import ask_change
from connectors.calltouch.settings import CalltouchSettings
from connectors.calltouch.wire import Request
from connectors.contract import Command, Lookup, Standing, VendorRequest, VendorResponse, Write
from connectors.errors import VendorChanged, WriteRejected
from core import clock
from schema.enums import RecordKind

PATH = "/widget-service/v1/api/widget-request/user-form/create"
OWN_CALLBACK = "skvoz-callback-"
"""How the tag begins by which a call back that Skvoz asked for is known among the requests [50]."""
LATEST = timedelta(hours=1)
"""Who is rung up later than this after writing wonders why: then a person decides."""

_REQUESTS = msgspec.json.Decoder(list[Request])


def own_callback(request: Request) -> str | None:
    """The tag of ours that a request bears, if it does."""
    names = (name for tag in request.request_tags or () for name in tag.names or ())
    return next((name for name in names if name.startswith(OWN_CALLBACK)), None)


def _ask(settings: CalltouchSettings, command: Command) -> VendorRequest:
    """[50] Raises WriteRejected where there is no route or phone, or the moment has passed."""
    values = command.values
    if settings.callback_route is None:
        raise WriteRejected("Name the key of the callback's route in the connection's settings.")
    if not values.get("phones"):
        raise WriteRejected("A call back needs the client's phone.")
    if clock.now() - datetime.fromisoformat(values["at"]) > LATEST:
        raise WriteRejected("It is too late to call back by itself: more than an hour has passed. Call the client.")
    origin = {name: values.get(name) for name in ("source", "medium", "campaign", "content", "term")}
    body: dict[str, Any] = {
        "routeKey": settings.callback_route,
        "phone": "".join(sign for sign in values["phones"][0] if sign.isdigit()),
        "fields": [{"name": "Имя", "value": values["name"]}] if values.get("name") else None,
        "sessionId": values.get("session"),
        "callUrl": values.get("url"),
        "tags": [_tag(command), *(values.get("tags") or ())],
        **{f"utm{name.capitalize()}": told for name, told in origin.items()},
    }
    return ask_change(settings, PATH, {name: told for name, told in body.items() if told is not None})


def _tag(command: Command) -> str:
    return f"{OWN_CALLBACK}{command.key[:12]}"


def _asked(_settings: CalltouchSettings, command: Command, _response: VendorResponse) -> str:
    """[50] The shape of the answer isn't documented: the tag, which is ours, stands for the id."""
    return _tag(command)


def _there(_settings: CalltouchSettings, command: Command, response: VendorResponse) -> Standing | None:
    try:
        found = _REQUESTS.decode(response.content)
    except msgspec.MsgspecError:
        raise VendorChanged("Calltouch's journal of requests isn't the known array.") from None
    tag = _tag(command)
    return Standing(tag, "the same call back") if any(own_callback(one) == tag for one in found) else None


def callback_write(look: Lookup[CalltouchSettings], lag_seconds: float) -> Write[CalltouchSettings]:
    """The write, which looks through the journal of requests first as ``look`` asks for it."""
    return Write(
        name="callback.create",
        title="Ask for a call back",
        entity=RecordKind.LEAD,
        operation="create",
        idempotency="marker",
        fields=(
            *("at", "name", "phones", "url", "session", "tags"),
            *("source", "medium", "campaign", "content", "term"),
        ),
        request=_ask,
        result=_asked,
        by_marker=Lookup(look.request, _there),
        lag_seconds=lag_seconds,
    )
