"""Words and places that stand in many of Calltouch's answers."""

from __future__ import annotations

from datetime import timedelta, timezone

MOSCOW = timezone(timedelta(hours=3))
DIRECT = "(direct)"
NOT_FILLED = "<не заполнено>"
NOT_GIVEN = "<не указано>"
HOSTNAME = "chistota.example"

# How one cabinet differs from another, turned with PUT /_switches.
SWITCHES: dict[str, bool | int | float | str] = {
    "webhook_url": "",  # where a hook is sent when a call begins; empty: no hook
    "requests_paged": False,  # whether the requests journal heeds page and limit: clients disagree
    "old_manners": False,  # booleans as texts, calls in milliseconds
}
