"""Outgoing events: a form-encoded POST that names the changed record and nothing more, sent once."""

from __future__ import annotations

from urllib.parse import urlencode

from sandbox.vendors import php
from sandbox.vendors.bitrix24 import oauth
from sandbox.vendors.bitrix24.values import unix
from sandbox.vendors.contract import World
from sandbox.vendors.switches import Switches


class Events:
    """Tells the handler of the switch ``event_handler`` what changed."""

    def __init__(self, world: World, switches: Switches) -> None:
        self._world = world
        self._switches = switches

    def tell(self, event: str, id_: int) -> None:
        """Send one event, e.g. ``ONCRMDEALUPDATE``; without a handler nothing is sent."""
        handler = self._switches.get("event_handler", str)
        if not handler:
            return
        body = {
            "event": event,
            "event_handler_id": "1",
            "data": {"FIELDS": {"ID": str(id_)}},
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
