"""Time zones as users write them in settings."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator


def is_zone(name: str) -> bool:
    """Whether there is a time zone of that name. Zones that were asked for are kept, whereas
    `zoneinfo.available_timezones` walks through all files of the system's each time."""
    try:
        ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        return False
    return True


def _known(name: str) -> str:
    if not is_zone(name):
        raise ValueError(f"There is no time zone {name!r}: write it like Europe/Moscow.")
    return name


ZoneName = Annotated[str, AfterValidator(_known)]
"""The usual name of a time zone, such as Europe/Moscow, which must exist."""
