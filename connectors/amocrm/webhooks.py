"""What an account tells by itself: forms with the old names of fields, in which everything is a text.

Bodies are only read for ids: a hook of the digital pipeline holds five fields of a lead, and none is signed. The
account wants an answer within two seconds, repeats a few times, and switches a hook off after a hundred failures in
two hours. Source: https://www.amocrm.ru/developers/content/crm_platform/webhooks-api and
https://www.amocrm.ru/developers/content/crm_platform/webhooks-format
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from connectors.amocrm.settings import AmoCrmSettings
from connectors.contract import Delivery, Subscription, Touched, VendorRequest, VendorResponse, Webhooks
from connectors.errors import BadRecord
from connectors.forms import Form, inner, read_form

_ACTIONS = ("add", "update", "delete", "restore", "status", "responsible")
_EVENTS = tuple(
    f"{action}_{card}"
    for card, actions in (
        ("lead", (*_ACTIONS, "note")),
        ("contact", ("add", "update", "delete", "restore", "responsible", "note")),
        ("company", ("add", "update", "delete", "restore", "responsible", "note")),
    )
    for action in actions
)
_CALL_NOTES = (
    "10",
    "11",
    "call_in",
    "call_out",
)  # the old numbers of incoming and outgoing calls, and today's names
_PATH = "/api/v4/webhooks"


def _read(settings: AmoCrmSettings, delivery: Delivery) -> list[Touched]:
    form = read_form(delivery.content)
    if "account" not in form:
        raise BadRecord("The body isn't an amoCRM webhook: it names no account.")
    touched = [*_cards(form, "leads", "deals"), *_cards(form, "contacts", "contacts")]
    touched += _cards(form, "companies", "companies")
    if inner(form, "leads", "status"):
        touched.append(Touched("stage_changes", ""))
    if any(_tells_of_call(note) for card in ("leads", "contacts", "companies") for note in _notes(form, card)):
        touched.append(Touched("calls", ""))  # the stream's id of a call is the telephony's, which isn't told
    return list(dict.fromkeys(touched))


def _cards(form: Form, key: str, stream: str) -> Iterator[Touched]:
    for action in _ACTIONS:
        for card in inner(form, key, action).values():
            id_ = card.get("id") if isinstance(card, dict) else None
            if not isinstance(id_, str) or not id_.strip().isdigit():
                raise BadRecord("The webhook doesn't name its record.")
            whose = "companies" if card.get("type") == "company" else stream
            yield Touched(whose, id_.strip(), deleted=action == "delete")


def _notes(form: Form, key: str) -> Iterator[dict[str, Any]]:
    for item in inner(form, key, "note").values():
        yield inner({"item": item}, "item", "note")


def _tells_of_call(note: dict[str, Any]) -> bool:
    return str(note.get("note_type", "")) in _CALL_NOTES


# --- the subscription


class _Hook(msgspec.Struct):
    destination: str
    settings: list[str] = msgspec.field(default_factory=list)
    disabled: bool = False


class _Hooks(msgspec.Struct):
    webhooks: list[_Hook] = msgspec.field(default_factory=list)


class _Listed(msgspec.Struct):
    embedded: _Hooks = msgspec.field(name="_embedded", default_factory=_Hooks)


def _make(settings: AmoCrmSettings, url: str) -> VendorRequest:
    return VendorRequest(_PATH, "POST", json={"destination": url, "settings": list(_EVENTS), "sort": 10})


def _ask(settings: AmoCrmSettings, url: str) -> VendorRequest:
    return VendorRequest(_PATH, query={"filter[destination]": url})


def _stands(settings: AmoCrmSettings, url: str, response: VendorResponse) -> bool:
    if response.status == 204 or not response.content:
        return False
    hooks = msgspec.json.decode(response.content, type=_Listed).embedded.webhooks
    return any(
        hook.destination == url and not hook.disabled and set(hook.settings) >= set(_EVENTS) for hook in hooks
    )


def _end(settings: AmoCrmSettings, url: str) -> VendorRequest:
    return VendorRequest(_PATH, "DELETE", json={"destination": url}, accept=frozenset({404}))


WEBHOOKS: Webhooks[AmoCrmSettings] = Webhooks(
    events=_EVENTS,
    setup=(
        "Skvoz can tell amoCRM the address by itself: subscribe the door (the token's user must be an "
        "administrator, and the plan a paid one). By hand: amoMarket → ⋯ → Webhooks → Add hook, paste the address, "
        "and choose the events of leads, contacts and companies."
    ),
    read=_read,
    subscription=Subscription(make=_make, ask=_ask, stands=_stands, end=_end),
)
