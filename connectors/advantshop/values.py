"""How the shop writes times, sums and phones. The numbers in brackets are facts in BEHAVIOR.md."""

from __future__ import annotations

from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo

from connectors.errors import BadRecord

_KOPECK = Decimal("0.01")
_FORMS = ("%Y-%m-%d %H:%M:%S", "%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M", "%d.%m.%Y", "%m/%d/%Y %I:%M:%S %p")


def present(text: str | None) -> str | None:
    """The text without surrounding space; None where there is none."""
    return (text.strip() or None) if text is not None else None


def moment(text: str | None, zone: ZoneInfo) -> datetime | None:
    """[6] A time as the server writes it, without a zone: ISO in answers, in the exchange by the server's culture.

    Raises BadRecord where a text is in none of the known forms.
    """
    told = present(text)
    if told is None or told.startswith("0001-"):  # .NET's empty date
        return None
    try:
        found = datetime.fromisoformat(told)
    except ValueError:
        found = _by_culture(told)
    return found.replace(tzinfo=zone) if found.tzinfo is None else found


def _by_culture(text: str) -> datetime:
    for form in _FORMS:
        try:
            return datetime.strptime(text, form)  # noqa: DTZ007 - the zone is the connection's
        except ValueError:
            continue
    raise BadRecord(f"The time {text!r} is written in no known way.")


def money(amount: Decimal) -> Decimal:
    """[7] A sum in kopecks: the shop counts in floats, whose last digits mean nothing. Raises BadRecord."""
    if not amount.is_finite():
        raise BadRecord(f"{amount} is no sum of money.")
    return amount.quantize(_KOPECK, ROUND_HALF_UP)


def phones(value: str | float | None) -> tuple[str, ...]:
    """[9] A customer's phone is a number without a plus, a buyer's a text as it was typed."""
    if isinstance(value, int | float):
        return (f"+{int(value)}",) if value > 0 else ()
    told = present(value)
    return (told,) if told else ()


def emails(value: str | None) -> tuple[str, ...]:
    told = present(value)
    return (told,) if told else ()


def full_name(last: str | None, first: str | None, middle: str | None) -> str | None:
    return " ".join(filter(None, map(present, (last, first, middle)))) or None
