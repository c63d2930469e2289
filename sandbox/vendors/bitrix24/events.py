"""Outgoing events: a form-encoded POST that names the changed record and nothing more, sent once."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from sandbox.vendors import php
from sandbox.vendors.bitrix24 import oauth
from sandbox.vendors.bitrix24.values import moment, unix
from sandbox.vendors.contract import World
from sandbox.vendors.rows import rows
from sandbox.vendors.switches import Switches

_TOLD_OF_CALLS = (
    *("CALL_ID", "CALL_TYPE", "PHONE_NUMBER", "PORTAL_NUMBER", "PORTAL_USER_ID", "CALL_DURATION", "COST"),
    *("COST_CURRENCY", "CALL_FAILED_CODE", "CALL_FAILED_REASON", "CRM_ACTIVITY_ID"),
)


class Events:
    """Tells the handler of the switch ``event_handler`` what changed."""

    def __init__(self, world: World, switches: Switches) -> None:
        self._world = world
        self._switches = switches

    def tell(self, event: str, id_: int) -> None:
        """Send one event of a record, e.g. ``ONCRMDEALUPDATE``; without a handler nothing is sent."""
        self._send(event, {"FIELDS": {"ID": str(id_)}})

    def tell_call(self, id_: int) -> None:
        """Send ONVOXIMPLANTCALLEND, whose data stand without FIELDS around them."""
        (row,) = rows(self._world.db, "SELECT * FROM bitrix24_call WHERE ID = ?", [id_])
        named = {name: "" if row[name] is None else str(row[name]) for name in _TOLD_OF_CALLS}
        self._send("ONVOXIMPLANTCALLEND", named | {"CALL_START_DATE": moment(row["CALL_START_DATE"])})

    def _send(self, event: str, data: dict[str, Any]) -> None:
        handler = self._switches.get("event_handler", str)
        if not handler:
            return
        body = {
            "event": event,
            "event_handler_id": "1",
            "data": data,
            "ts": str(unix(self._world.now())),
            "auth": {
                "domain": "portal.example",
                "client_endpoint": "https://portal.example/rest/",
                "server_endpoint": "https://oauth.bitrix.info/rest/",
                "member_id": oauth.member_id(self._world),
                "application_token": application_token(self._world),
            },
        }
        content = urlencode(php.encode_brackets(body)).encode()
        self._world.deliver(handler, content, "application/x-www-form-urlencoded")


def application_token(world: World) -> str:
    """What a handler compares to know that an event is the portal's own."""
    return world.secret(oauth.KEY, "application_token", 32)
