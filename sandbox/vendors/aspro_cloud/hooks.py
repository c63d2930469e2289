"""Webhooks: JSON with the row as it is and as it was, unsigned, each sent once."""

from __future__ import annotations

from typing import Any

import orjson

from sandbox.vendors.contract import World
from sandbox.vendors.switches import Switches


class Hooks:
    """Tells the subscriber of the switch ``webhook`` what changed."""

    def __init__(self, world: World, switches: Switches) -> None:
        self._world = world
        self._switches = switches

    def tell(
        self, model: str, action: str, current: dict[str, Any] | None, previous: dict[str, Any] | None
    ) -> None:
        """Send one change; without a subscriber nothing is sent."""
        subscriber = self._switches.get("webhook", str)
        if not subscriber:
            return
        module, _, name = model.partition("/")
        body = {
            "meta": {"module": module, "model": name, "action": action},
            "current": current,
            "previous": previous,
        }
        self._world.deliver(subscriber, orjson.dumps(body), "application/json")
