"""The scalars. Values come out of PostgreSQL as JSON already; these say what they mean and read what comes in."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, NewType

import strawberry
from strawberry.schema.config import StrawberryConfig
from strawberry.types.scalar import ScalarDefinition

from api.graphql.declare import Form, Kind
from api.graphql.errors import CallerError

DateTimeText = NewType("DateTimeText", str)
DateText = NewType("DateText", str)
DecimalText = NewType("DecimalText", str)
JsonValue = NewType("JsonValue", object)
BigInteger = NewType("BigInteger", int)
PhoneText = NewType("PhoneText", str)
EmailText = NewType("EmailText", str)
UrlText = NewType("UrlText", str)

_LARGEST = 2**63 - 1


def _date_time(value: Any) -> str:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise CallerError(f"{value!r} isn't a time like 2026-03-01T12:00:00Z.") from None
    if moment.tzinfo is None:
        raise CallerError(f"{value!r} names no time zone: end it with Z or an offset like +03:00.")
    return moment.astimezone(UTC).isoformat()


def _date(value: Any) -> str:
    try:
        return date.fromisoformat(value).isoformat()
    except (TypeError, ValueError):
        raise CallerError(f"{value!r} isn't a day like 2026-03-01.") from None


def _decimal(value: Any) -> str:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise CallerError(f"{value!r} isn't a decimal number.") from None
    if not number.is_finite() or abs(number.adjusted()) > 100:
        raise CallerError(f"{value!r} isn't a decimal number of a sensible size.")
    return format(number, "f")


def _big_integer(value: Any) -> int:
    try:
        number = int(str(value))
    except ValueError:
        raise CallerError(f"{value!r} isn't a whole number.") from None
    if isinstance(value, bool) or abs(number) > _LARGEST:
        raise CallerError(f"{value!r} isn't a whole number of at most 64 bits.")
    return number


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise CallerError(f"{value!r} isn't a text.")
    return value


def _same(value: Any) -> Any:
    return value


def _scalar(name: str, description: str, parse: Any, address: str | None = None) -> ScalarDefinition:
    return strawberry.scalar(
        name=name, description=description, serialize=_same, parse_value=parse, specified_by_url=address
    )


SCALARS: dict[object, ScalarDefinition] = {
    DateTimeText: _scalar(
        "DateTime",
        "A moment, RFC 3339 with an offset; given in UTC (`2026-03-01T09:00:00+00:00`).",
        _date_time,
        "https://scalars.graphql.org/andimarek/date-time.html",
    ),
    DateText: _scalar(
        "Date",
        "A calendar day, `2026-03-01`.",
        _date,
        "https://scalars.graphql.org/andimarek/local-date.html",
    ),
    DecimalText: _scalar(
        "Decimal",
        'An exact decimal number as a string (`"1234.50"`); money is never a float.',
        _decimal,
        "https://www.w3.org/TR/xmlschema11-2/#decimal",
    ),
    JsonValue: _scalar("JSON", "Any JSON value, as it is.", _same, "https://www.rfc-editor.org/rfc/rfc8259"),
    BigInteger: _scalar(
        "BigInt",
        "A whole number of up to 64 bits as a JSON number, for sums that may pass the 32 bits of `Int`.",
        _big_integer,
        "https://www.w3.org/TR/xmlschema11-2/#long",
    ),
    PhoneText: _scalar(
        "PhoneNumber",
        "A phone, E.164 (`+79161234567`); as the external system spells it where it is no valid number; masked "
        "(`+7 9** ***-**-67`) for roles that may not see it. As input it may be spelled in any way.",
        _text,
        "https://www.itu.int/rec/T-REC-E.164",
    ),
    EmailText: _scalar(
        "EmailAddress",
        "An e-mail address as the external system spells it; masked (`i***@***.ru`) for roles that may not see it.",
        _text,
        "https://www.rfc-editor.org/rfc/rfc5322#section-3.4.1",
    ),
    UrlText: _scalar(
        "URL",
        "An address on the web, as the external system spells it.",
        _text,
        "https://url.spec.whatwg.org/",
    ),
}

PYTHON: dict[Kind, Any] = {
    Kind.ID: strawberry.ID,
    Kind.STRING: str,
    Kind.INT: int,
    Kind.FLOAT: float,
    Kind.DECIMAL: DecimalText,
    Kind.BOOLEAN: bool,
    Kind.DATE_TIME: DateTimeText,
    Kind.DATE: DateText,
    Kind.JSON: JsonValue,
    Kind.BIG_INT: BigInteger,
}
"""The Python type that stands for each kind of leaf in Strawberry's annotations."""


FORMS: dict[Form, Any] = {Form.PHONE: PhoneText, Form.EMAIL: EmailText, Form.URL: UrlText}
"""The same for texts of a known form."""


def config() -> StrawberryConfig:
    return StrawberryConfig(auto_camel_case=False, scalar_map=SCALARS, disable_field_suggestions=True)
