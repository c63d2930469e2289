"""What a cabinet tells by itself: calls that begin and end, requests, deals, chats (BEHAVIOR.md [38]-[42]).

Nothing is signed, and the user chooses the parameters and their names, so a delivery is a hint: it names a record,
which the journal then tells whole. Only chats have no journal, and are taken from the webhook itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl

import msgspec

from connectors.calltouch.chats import CHAT_IDS
from connectors.calltouch.settings import CalltouchSettings
from connectors.calltouch.values import identifier
from connectors.contract import Delivery, Touched, Webhooks
from connectors.errors import BadRecord

ABOUT = "about"
"""The parameter of the address that says what a webhook is about; its values are the keys of ``IDS``."""
IDS: Mapping[str, tuple[str, ...]] = {  # [41] by which name the record's id is sent
    "requests": ("requestId", "request_id", "id"),
    "chats": CHAT_IDS,
    "calls": ("callId", "call_id", "id"),
    "deals": ("orderId", "order_id", "id"),
}
_TELLING: Mapping[str, tuple[str, ...]] = {  # [41] names that only a webhook of that kind has, the surest first
    "requests": ("requestId", "request_id", "requestNumber"),
    "chats": ("chatId", "chat_id"),
    "calls": ("callerphone", "callId", "call_id", "calledphone", "calltime", "ctCallerId"),
    "deals": ("orderId", "order_id", "orderNumber"),
}
SETUP = (
    "In the Calltouch cabinet open Integrations, Sending data to external systems, Webhooks. Make one webhook for "
    "calls (tick both the start and the end of the call), one for requests, and, if you use them, one for chats "
    "and one for deals; method POST. Give each this address, with ?about=calls, ?about=requests, ?about=chats or "
    "?about=deals behind it. Add the parameter id (the id of the call, request, chat or deal); for calls also "
    "status and duration, by which the end differs from the start; for chats also timestamp, phone, email, name, "
    "text, sessionId, yaClientId and the utm tags. If a firewall stands before Skvoz, let 92.118.66.0/23 in: "
    "Calltouch sends from there."
)


def read_delivery(settings: CalltouchSettings, delivery: Delivery) -> Sequence[Touched]:
    """The record that a delivery speaks of; none where it is the cabinet's trial, or of deals that aren't read.

    Raises BadRecord where it can't be told which record that is.
    """
    told = parameters(delivery)
    kind = _kind(told)
    value = next((told[name] for name in IDS[kind] if told.get(name)), "")
    if "{" in value or (not value and any("{" in each for each in told.values())):
        return ()  # [42] a trial, in which the places of values stand unfilled
    external_id = identifier(value)
    if external_id is None:
        raise BadRecord(f"A webhook about {kind} that names none: add the parameter id to it in the cabinet.")
    match kind:
        case "chats":
            body = {name: each for name, each in told.items() if name != ABOUT}
            return (Touched("chats", external_id, msgspec.json.encode(body)),)
        case "deals":
            streams = {"evidence": "orders", "deals": "deals"}
            return (Touched(streams[settings.orders], external_id),) if settings.orders in streams else ()
        case _:
            return (Touched(kind, external_id),)


def parameters(delivery: Delivery) -> dict[str, str]:
    """All that a delivery says, as texts: out of its address, and a body that is a form or JSON [39].

    Raises BadRecord where the body is neither.
    """
    told = dict(delivery.query)
    content = delivery.content.strip()
    if not content:
        return told
    if content[:1] in (b"{", b"["):
        try:
            found = msgspec.json.decode(content, type=dict[str, str | int | float | bool | None])
        except msgspec.MsgspecError:
            raise BadRecord("The body of a webhook is JSON of an unknown shape.") from None
        return told | {name: _text(value) for name, value in found.items()}
    try:
        pairs = parse_qsl(content.decode(), keep_blank_values=True, strict_parsing=True, errors="strict")
    except ValueError:
        raise BadRecord("The body of a webhook is neither a form nor JSON.") from None
    return told | dict(pairs)


def _kind(told: Mapping[str, str]) -> str:
    """What a delivery is about: by its address, else by the parameters that it has."""
    about = told.get(ABOUT, "").strip().casefold()
    if about:
        if about not in IDS:
            raise BadRecord(f"A webhook with {ABOUT}={about[:40]!r}: it is one of {', '.join(sorted(IDS))}.")
        return about
    for kind, names in _TELLING.items():
        if any(name in told for name in names):
            return kind
    raise BadRecord(f"A webhook that doesn't say what it is about: put ?{ABOUT}=calls behind its address.")


def _text(value: str | float | bool | None) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


WEBHOOKS = Webhooks(
    events=("start of a call", "end of a call", "request", "chat", "deal"),
    setup=SETUP,
    read=read_delivery,
)
