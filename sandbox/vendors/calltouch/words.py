"""Words and places that stand in many of Calltouch's answers."""

from __future__ import annotations

import re
from datetime import timedelta, timezone

MOSCOW = timezone(timedelta(hours=3))
DIRECT = "(direct)"
NOT_FILLED = "<не заполнено>"
NOT_GIVEN = "<не указано>"
HOSTNAME = "chistota.example"

FIRST_SESSION, FIRST_CALL, FIRST_REQUEST, FIRST_ORDER = 700_000_000, 900_000_000, 500_000_000, 300_000_000
FIRST_CHAT = 100_000_000

# How one cabinet differs from another, turned with PUT /_switches.
SWITCHES: dict[str, bool | int | float | str] = {
    "webhook_url": "",  # where calls (their start and end) and requests are told; empty: nowhere
    "deals_webhook_url": "",  # where deals are told
    "chats_webhook_url": "",  # where chats are told
    "daily_points": 0,  # requests that a day's points are good for; 0: without end
    "requests_paged": False,  # whether the requests journal heeds page and limit: clients disagree
    "old_manners": False,  # booleans as texts, calls in milliseconds
}


def digits(phone: str) -> str:
    """A phone as Calltouch keeps it: 7XXXXXXXXXX where that can be told, otherwise the typed digits."""
    found = re.sub(r"\D", "", phone)
    if len(found) == 11 and found[0] == "8":
        return "7" + found[1:]
    return "7" + found if len(found) == 10 else found
