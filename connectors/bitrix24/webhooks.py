"""What a portal tells by itself: events of an outgoing webhook, each with the id of one record and nothing more.

Events are sent once, in any order and sometimes late; a token of the portal's own stands in each.
Source: https://apidocs.bitrix24.com/api-reference/events/index.html and
https://apidocs.bitrix24.com/local-integrations/local-webhooks.html
"""

from __future__ import annotations

import hmac
import re

from connectors.bitrix24.settings import Bitrix24Settings
from connectors.contract import Delivery, Touched, Webhooks
from connectors.errors import BadRecord
from connectors.forms import Form, inner, read_form

_CARD = re.compile(r"ONCRM(LEAD|DEAL|CONTACT|COMPANY)(ADD|UPDATE|DELETE|MOVETOCATEGORY)")
_STREAMS = {"LEAD": "leads", "DEAL": "deals", "CONTACT": "contacts", "COMPANY": "companies"}
_EVENTS = (
    *(f"ONCRM{card}{what}" for card in _STREAMS for what in ("ADD", "UPDATE", "DELETE")),
    "ONCRMDEALMOVETOCATEGORY",
    "ONVOXIMPLANTCALLEND",
)


def _token(form: Form) -> str:
    return str(inner(form, "auth").get("application_token", ""))


def _genuine(settings: Bitrix24Settings, delivery: Delivery) -> bool:
    """The portal's token is compared where the settings have it; else only the address vouches."""
    if settings.application_token is None:
        return True
    shown = _token(read_form(delivery.content))
    return hmac.compare_digest(shown.encode(), settings.application_token.get_secret_value().encode())


def _read(settings: Bitrix24Settings, delivery: Delivery) -> list[Touched]:
    form = read_form(delivery.content)
    event = str(form.get("event", "")).upper()
    if event == "ONVOXIMPLANTCALLEND":
        return [Touched("calls", _id(inner(form, "data").get("CALL_ID")))]
    card = _CARD.fullmatch(event)
    if card is None:
        if re.fullmatch(r"ON[A-Z_]+", event):
            return []  # an event of something that isn't read
        raise BadRecord("The body names no event of Bitrix24.")
    stream = _STREAMS[card[1]]
    touched = [Touched(stream, _id(inner(form, "data", "FIELDS").get("ID")), deleted=card[2] == "DELETE")]
    if stream == "deals" and card[2] != "DELETE":
        touched.append(Touched("stage_history", ""))  # whether the stage has changed isn't told
    return touched


def _id(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise BadRecord("The event doesn't name its record.")
    return value.strip()


WEBHOOKS: Webhooks[Bitrix24Settings] = Webhooks(
    events=_EVENTS,
    setup=(
        "In the portal: Developer resources → Other → Outgoing webhook. Paste the address as the handler's URL, "
        "choose the events of leads, deals, contacts and companies (created, updated, deleted) and of finished "
        "calls, and save. The portal then shows an application token: put it into this connection's settings."
    ),
    read=_read,
    genuine=_genuine,
)
