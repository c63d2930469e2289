"""What cards of people tell in every system, brought to one form."""

from __future__ import annotations

from datetime import date

_EARLIEST = 1900
"""Years up to this one are what systems store for "no day" (0001, 1753, 1900) and not a client's."""


def birthday(value: object) -> date | None:
    """The day of birth in an ISO date or time, which is taken as written: the hours of such a field are an artefact
    of somebody's time zone. None for what is no such day: nobody's card is refused for that."""
    if not isinstance(value, str):
        return None
    try:
        day = date.fromisoformat(value.strip()[:10])
    except ValueError:
        return None
    return day if day.year > _EARLIEST else None


def address(*parts: str | None) -> str | None:
    """An address in one line, each part once, as far as it is told."""
    return ", ".join(dict.fromkeys(told for part in parts if part and (told := part.strip()))) or None
