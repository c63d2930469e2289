"""Reading of Calltouch's single values, whose types differ from answer to answer.

The numbers in brackets are facts in BEHAVIOR.md.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Decimal, InvalidOperation
from functools import lru_cache

from connectors.calltouch.wire import Scalar
from connectors.errors import BadRecord
from schema.traffic import present

_USUAL_FORM = re.compile(r"\d\d/\d\d/\d{4} \d\d:\d\d:\d\d", re.ASCII)
DATE_FORMATS = ("%d/%m/%Y %H:%M:%S", "%Y-%m-%d %H:%M:%S")
MILLISECONDS_FROM = 10**11  # [12] as seconds this would be the year 5138
_QUARTER_HOUR = timedelta(minutes=15)
_WIDEST_OFFSET = timedelta(hours=14)


def identifier(value: Scalar) -> str | None:
    """[21] An id as text: numbers go beyond 2**53, so a float has already lost digits and names nothing."""
    if value is None:
        return None
    if type(value) is int:
        return str(value) if value else None
    text = present(value) if type(value) is str else None
    return None if text == "0" else text


def flag(value: Scalar) -> bool | None:
    """[22] A JSON boolean, or the texts 'True' and 'False' of older answers."""
    if isinstance(value, str):
        return {"true": True, "false": False, "1": True, "0": False}.get(value.strip().casefold())
    return None if value is None else bool(value)


def whole(value: Scalar) -> int | None:
    """A count of seconds."""
    if value is None or isinstance(value, bool):
        return None
    try:
        return int(value)
    except ValueError:
        return None


def instant(value: Scalar) -> datetime | None:
    """A Unix time in seconds or milliseconds.

    Raises BadRecord where it names no day of the calendar.
    """
    number = whole(value)
    if number is None or number <= 0:
        return None
    seconds, milliseconds = divmod(number, 1000) if number > MILLISECONDS_FROM else (number, 0)
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
        return moment + timedelta(milliseconds=milliseconds) if milliseconds else moment
    except (OverflowError, OSError, ValueError):
        raise BadRecord(f"{number} is no time in seconds or milliseconds.") from None


def amount(raw: bytes) -> Decimal | None:
    """A sum of money out of the digits that were sent, so that none is lost in a float; a text holds it too.

    Raises BadRecord where it is neither.
    """
    text = present(raw.decode().strip().strip('"').replace(" ", "").replace(",", "."))
    if text is None:
        return None
    try:
        found = Decimal(text)
    except InvalidOperation:
        raise BadRecord(f"{text!r} is no sum of money.") from None
    if not found.is_finite():
        raise BadRecord(f"{text!r} is no sum of money.")
    return found


def local_time(text: str | None) -> datetime | None:
    """A time as the cabinet writes it, without zone: 'dd/mm/yyyy hh:mm:ss'.

    Raises BadRecord where there is a text in none of the known forms.
    """
    text = present(text)
    if text is None:
        return None
    if _USUAL_FORM.fullmatch(text):  # a twentieth of what strptime takes
        try:
            return datetime.fromisoformat(f"{text[6:10]}-{text[3:5]}-{text[:2]} {text[11:]}")
        except ValueError:
            pass
    for form in DATE_FORMATS:
        try:
            return datetime.strptime(text, form)  # noqa: DTZ007 (the zone is learnt from the record)
        except ValueError:
            continue
    raise BadRecord(f"The time {text!r} isn't written as dd/mm/yyyy hh:mm:ss.")


def learnt_zone(moment: datetime | None, local: datetime | None, fallback: tzinfo) -> tzinfo:
    """[11] The zone in which the cabinet wrote ``local`` for ``moment``, or ``fallback`` where they don't tell.

    Calltouch doesn't document its zone, but a record that holds both an instant and its text shows it.
    """
    if moment is None or local is None:
        return fallback
    return _zone_ahead(local - moment.astimezone(UTC).replace(tzinfo=None)) or fallback


@lru_cache(maxsize=1024)  # a cabinet writes in one zone
def _zone_ahead(difference: timedelta) -> timezone | None:
    offset = round(difference / _QUARTER_HOUR) * _QUARTER_HOUR
    if abs(difference - offset) > timedelta(minutes=1) or abs(offset) > _WIDEST_OFFSET:
        return None
    return timezone(offset)
