"""Time zones as users write them in settings."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator


def _known(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        raise ValueError(f"There is no time zone {name!r}: write it like Europe/Moscow.") from None
    return name


ZoneName = Annotated[str, AfterValidator(_known)]
"""The usual name of a time zone, such as Europe/Moscow, which must exist."""
