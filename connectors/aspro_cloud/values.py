"""Aspro.Cloud's values as ours: one and the same field may come as a number or as a text."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

from connectors.aspro_cloud.wire import Scalar
from connectors.errors import BadRecord

_NO_DAY = "0000-00-00"  # [7]


def text(value: Scalar) -> str | None:
    if value is None or isinstance(value, bool):
        return None
    return str(value).strip() or None


def ref(*values: Scalar) -> str | None:
    """The first reference that leads anywhere: 0 stands for none."""
    return next((found for each in values if (found := text(each)) not in (None, "0")), None)


def texts(*values: Scalar) -> tuple[str, ...]:
    return tuple(dict.fromkeys(found for each in values if (found := text(each))))


def whole(value: Scalar) -> int | None:
    found = text(value) if not isinstance(value, bool) else str(int(value))
    try:
        return None if found is None else int(float(found))
    except (ValueError, OverflowError):
        raise BadRecord(f"{found!r} is not a number.") from None


def money(*values: Scalar) -> Decimal | None:
    found = next((each for value in values if (each := text(value)) is not None), None)
    try:
        return None if found is None else Decimal(found)
    except InvalidOperation:
        raise BadRecord(f"{found!r} is not an amount of money.") from None


def moment(value: Scalar, zone: ZoneInfo) -> datetime | None:
    """A time of the portal's zone; a day alone is its midnight [7]."""
    found = text(value)
    if found is None or found.startswith(_NO_DAY):
        return None
    try:
        return datetime.fromisoformat(found).replace(tzinfo=zone)
    except ValueError:
        raise BadRecord(f"{found!r} is not a time.") from None


def day(value: Scalar) -> date | None:
    found = text(value)
    if found is None or found.startswith(_NO_DAY):
        return None
    try:
        return date.fromisoformat(found[:10])
    except ValueError:
        raise BadRecord(f"{found!r} is not a day.") from None
