"""How one value is stored, and how each of the two dialects shows and takes it.

Old methods show texts only (``"410"``, ``"1000000.00"``), new ones show types (``410``, ``1000000``).
A date field comes as the midnight of UTC in the portal's zone (``2024-08-30T03:00:00+03:00``).
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from typing import Any

from sandbox.vendors.bitrix24.fields import Field

PORTAL_ZONE = timezone(timedelta(hours=3))

Stored = str | int | None
LARGEST = 2**31 - 1  # no id or amount of a portal is larger


class BadValueError(ValueError):
    """A caller's value doesn't fit the kind of its field; the message names both."""


def moment(unix: int) -> str:
    """A datetime as the portal writes it: seconds, its own offset."""
    return datetime.fromtimestamp(unix, PORTAL_ZONE).isoformat()


def unix(at: datetime) -> int:
    """Whole Unix seconds of an aware time."""
    return int(at.timestamp())


def midnight(day: str) -> str:
    """A date as the portal writes it in answers."""
    return datetime.fromisoformat(day).replace(tzinfo=UTC).astimezone(PORTAL_ZONE).isoformat()


def read_moment(text: str) -> int:
    """Unix seconds of ISO-8601 or ``DD.MM.YYYY HH:MM:SS``; without an offset the portal's zone is meant."""
    at: datetime | None = None
    with contextlib.suppress(ValueError):
        at = datetime.fromisoformat(text)
    for pattern in ("%d.%m.%Y %H:%M:%S", "%d.%m.%Y"):
        if at is None:
            with contextlib.suppress(ValueError):
                at = datetime.strptime(text, pattern)  # noqa: DTZ007  # the zone is set below
    if at is None:
        raise BadValueError(f"'{text}' is not a date or a time.")
    return unix(at if at.tzinfo else at.replace(tzinfo=PORTAL_ZONE))


def read(field: Field, raw: Any) -> Stored:
    """The stored form of what a caller sent. Raises `BadValueError`."""
    if raw is None or raw == "" or isinstance(raw, Mapping | list):
        return _EMPTY.get(field.kind)
    text = str(raw).strip()
    try:
        match field.kind:
            case "id" | "link" | "user" | "int" | "enumeration":
                number = int(text)
                if abs(number) > LARGEST:
                    raise BadValueError(f"Field '{field.code}' can't hold '{text}'.")  # read as one
                return None if field.kind == "link" and number == 0 else number
            case "money":
                return int((Decimal(text) * 100).to_integral_value())
            case "flag":
                return "Y" if text in {"Y", "1", "True", "true"} else "N"
            case "datetime":
                return read_moment(text)
            case "date":
                return datetime.fromtimestamp(read_moment(text), PORTAL_ZONE).date().isoformat()
            case _:
                return text
    except (ValueError, InvalidOperation) as error:
        raise BadValueError(f"Field '{field.code}' can't hold '{text}'.") from error


_EMPTY: dict[str, Stored] = {"money": 0, "flag": "N"}


def show_old(field: Field, stored: Stored) -> str | None:
    """A value in the old dialect: text, or null or ``""`` when empty."""
    if stored is None or stored == "":
        return "" if field.blank else None
    match field.kind:
        case "money":
            return f"{Decimal(int(stored)) / 100:.2f}"
        case "datetime":
            return moment(int(stored))
        case "date":
            return midnight(str(stored))
        case _:
            return str(stored)


def show_new(field: Field, stored: Stored) -> str | int | float | None:
    """A value in the new dialect: typed, with 0 for "no such record"."""
    if stored is None or stored == "":
        return 0 if field.kind == "link" else None
    match field.kind:
        case "money":
            roubles, kopecks = divmod(int(stored), 100)
            return int(stored) / 100 if kopecks else roubles
        case "datetime":
            return moment(int(stored))
        case "date":
            return midnight(str(stored))
        case _:
            return stored
