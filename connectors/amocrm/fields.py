"""Custom fields of amoCRM's cards: phones, e-mails and UTM tags are such fields too.

A field's number differs from account to account, its code does not. Fields that were made by hand have no
code; for what such fields often stand for ("utm_source", "ИНН"), the name is taken instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from connectors import people
from connectors.amocrm.wire import CustomField, FieldValue
from connectors.errors import BadRecord
from schema.traffic import Traffic, present

PHONE, EMAIL, MESSENGER, SITE, POSITION = "PHONE", "EMAIL", "IM", "WEB", "POSITION"
_UTM = ("UTM_SOURCE", "UTM_MEDIUM", "UTM_CAMPAIGN", "UTM_CONTENT", "UTM_TERM")
_CLICKS = ("YCLID", "GCLID", "GBRAID", "WBRAID", "FBCLID")
_REFERRERS = ("UTM_REFERRER", "REFERRER")
_TAX_ID = "INN"
_CODES_BY_NAME = {code: code for code in (*_UTM, *_CLICKS, *_REFERRERS, "_YM_UID", _TAX_ID)} | {"ИНН": _TAX_ID}
MAPPED = frozenset({PHONE, EMAIL, MESSENGER, SITE, POSITION, *_UTM})
_LEGAL_ENTITY, _BIRTHDAY, _ADDRESS, _ADDRESS_IN_PARTS = "legal_entity", "birthday", "streetaddress", "smart_address"
_PARTS = ("zip", "city", "address_line_1", "address_line_2")
_DAYS = frozenset({"date", _BIRTHDAY})  # [12] instants of the account's midnight
_MOMENTS = frozenset({"date_time"})

Fields = Mapping[str, CustomField]


def by_code(fields: Iterable[CustomField] | None) -> dict[str, CustomField]:
    """The card's fields by code; by number where there is neither a code nor a name that tells it. A field with
    the code wins over one that only has the name."""
    found: dict[str, CustomField] = {}
    for field in sorted(fields or (), key=lambda each: each.field_code is None):
        code = key_of(field.field_id, field.field_code, field.field_name)
        found[code if code not in found else str(field.field_id)] = field
    return found


def texts(fields: Fields, code: str) -> tuple[str, ...]:
    """The field's values as texts, in the card's order, each once."""
    return tuple(dict.fromkeys(found for _, found in _filled(fields, code)))


def first(fields: Fields, *codes: str) -> str | None:
    return next((present(found) for code in codes for found in texts(fields, code) if present(found)), None)


def messengers(fields: Fields) -> tuple[str, ...]:
    """Written as 'telegram:@name'."""
    return tuple(
        f"{str(each.enum_code or each.enum or 'other').lower()}:{found}"
        for each, found in _filled(fields, MESSENGER)
    )


def tax_id(fields: Fields) -> str | None:
    """The tax number of the first legal entity on the card, else of a field that is named for it."""
    for field in fields.values():
        if field.field_type == _LEGAL_ENTITY:
            for each in field.values or ():
                if isinstance(each.value, dict) and each.value.get("vat_id"):
                    return str(each.value["vat_id"]).strip()
    return first(fields, _TAX_ID)


def birthday(fields: Fields, zone: ZoneInfo) -> date | None:
    """The first day in a field made for birthdays. It stays among the custom fields too, as all made by hand do."""
    return next(
        (
            day
            for field in fields.values()
            if field.field_type == _BIRTHDAY
            for each in field.values or ()
            if (day := people.birthday(_value(field, each.value, zone))) is not None
        ),
        None,
    )


def address(fields: Fields) -> str | None:
    """The first address on the card: the city, the street and the rest of it."""
    for field in fields.values():
        told = [str(each.value) for each in field.values or () if each.value not in (None, "")]
        if field.field_type == _ADDRESS and told:
            return people.address(told[0])
        if field.field_type == _ADDRESS_IN_PARTS and told:
            by_part = {str(each.enum_code): str(each.value) for each in field.values or () if each.value}
            return people.address(*(by_part.get(part) for part in _PARTS))
    return None


def traffic(fields: Fields) -> Traffic | None:
    source, medium, campaign, content, term = (first(fields, code) for code in _UTM)
    found = Traffic(
        utm_source=source,
        utm_medium=medium,
        utm_campaign=campaign,
        utm_content=content,
        utm_term=term,
        click_id=first(fields, *_CLICKS),
        referrer=first(fields, *_REFERRERS),
    )
    return None if found == Traffic() else found


def custom(fields: Fields, zone: ZoneInfo) -> dict[str, Any] | None:
    """The filled fields that no unified field takes; one value alone, several as a list."""
    found = {}
    for code, field in fields.items():
        values = [_value(field, each.value, zone) for each in field.values or () if each.value not in (None, "")]
        if values and code not in MAPPED:
            found[code] = values[0] if len(values) == 1 else values
    return found or None


def key_of(id: int, code: str | None, name: str | None) -> str:
    """By what a field is known here: its code, the code that its name stands for, or its number."""
    if code:
        return code.upper()
    return _CODES_BY_NAME.get((name or "").strip().upper(), str(id))


def _filled(fields: Fields, code: str) -> Iterator[tuple[FieldValue, str]]:
    field = fields.get(code)
    for each in (field.values if field is not None else None) or ():
        if isinstance(each.value, str | int | float) and not isinstance(each.value, bool):
            text = str(each.value).strip()
            if text:
                yield each, text


def _value(field: CustomField, value: Any, zone: ZoneInfo) -> Any:
    """Days and moments as ISO texts; the rest as the vendor has it. Old cards hold dates as texts already."""
    if field.field_type not in _DAYS | _MOMENTS or not _is_number(value):
        return value
    try:
        moment = datetime.fromtimestamp(int(value), UTC)
    except (ValueError, OverflowError, OSError):
        raise BadRecord(f"Field {field.field_id}: {value!r} is not a time.") from None
    if field.field_type in _DAYS:
        return moment.astimezone(zone).date().isoformat()
    return moment.astimezone(zone).isoformat()


def _is_number(value: Any) -> bool:
    return (isinstance(value, int) and not isinstance(value, bool)) or (
        isinstance(value, str) and value.lstrip("-").isdigit()
    )
