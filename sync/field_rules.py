"""Which unified fields a vendor's own field may fill, and how its values become theirs. Pure functions.

A value that is there and can be understood wins over what the connector itself put into a field, and is added to a
field that holds several. What can't be understood changes nothing: the record stays as the connector made it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

import msgspec

from schema.enums import CustomFieldType, DealKind, RecordKind
from schema.traffic import Traffic

Holds = Literal["text", "texts", "amount", "flag", "day", "moment", "kind"]
_TRAFFIC = "traffic."
_KINDS = {
    **{kind.value: kind for kind in DealKind},
    **{kind.value.replace("_", " "): kind for kind in DealKind},
    **{kind.value.replace("_", "-"): kind for kind in DealKind},
    "новая": DealKind.NEW,
    "новый": DealKind.NEW,
    "новый клиент": DealKind.NEW,
    "допродажа": DealKind.UPSELL,
    "кросс-продажа": DealKind.CROSS_SELL,
    "продление": DealKind.RENEWAL,
    "возврат": DealKind.WIN_BACK,
}
_DOTTED_DAY = re.compile(r"(\d{2})\.(\d{2})\.(\d{4})")
_CURRENCY = re.compile(r"[A-Z]{3}")
_LARGEST_AMOUNT = Decimal(10) ** 16  # what the column of amounts holds
_FLAGS = {"true": True, "1": True, "y": True, "да": True, "false": False, "0": False, "n": False, "нет": False}
_SPACES = re.compile(r"[\s\u00a0\u202f]")


class NotUnderstood(ValueError):
    """A value of a vendor's field says nothing that its unified field could hold."""


@dataclass(frozen=True, slots=True)
class MappableField:
    """A unified field that a user may fill from a vendor's own field. ``path`` leads to it in the record."""

    name: str
    holds: Holds
    meaning: str
    path: str = ""


_ORIGIN = tuple(
    MappableField(name, "text", meaning, f"{_TRAFFIC}{name}")
    for name, meaning in (
        ("source", "Traffic source, where no tag tells it."),
        ("medium", "Traffic medium, where no tag tells it."),
        ("utm_source", "Tag utm_source."),
        ("utm_medium", "Tag utm_medium."),
        ("utm_campaign", "Tag utm_campaign."),
        ("utm_content", "Tag utm_content."),
        ("utm_term", "Tag utm_term."),
        ("click_id", "The ad platform's click id."),
        ("referrer", "Address of the page that led here."),
    )
)
_REACHED = (
    MappableField("phones", "texts", "Phones, added to those of the card."),
    MappableField("emails", "texts", "E-mails, added to those of the card."),
)
_TAGS = MappableField("tags", "texts", "Tags, added to those of the record.")
_COMMENT = MappableField("comment", "text", "What was written about it.")

MAPPABLE: Mapping[RecordKind, Mapping[str, MappableField]] = {
    kind: {each.name: each for each in fields}
    for kind, fields in {
        RecordKind.DEAL: (
            MappableField("title", "text", "What the deal is called."),
            MappableField("amount", "amount", "What it is worth; with a currency of its own if the value has one."),
            MappableField("currency", "text", "ISO 4217 code of the amount."),
            MappableField("kind", "kind", "New, upsell, cross-sell, renewal or win-back."),
            MappableField("lost_reason", "text", "Why it was lost."),
            MappableField("expected_at", "day", "When it is expected to be won."),
            MappableField("closed_at", "moment", "When it was won or lost."),
            _TAGS,
            *_ORIGIN,
        ),
        RecordKind.LEAD: (
            MappableField("title", "text", "What the lead is called."),
            MappableField("name", "text", "The person's name."),
            MappableField("status", "text", "How it stands there."),
            *_REACHED,
            _COMMENT,
            _TAGS,
            *_ORIGIN,
        ),
        RecordKind.CONTACT: (
            MappableField("name", "text", "Full name."),
            MappableField("first_name", "text", "First name."),
            MappableField("middle_name", "text", "Patronymic or middle name."),
            MappableField("last_name", "text", "Last name."),
            MappableField("position", "text", "What the person does."),
            MappableField("birthday", "day", "Day of birth."),
            MappableField("address", "text", "Where the person lives or has things sent."),
            MappableField(
                "messengers", "texts", "Messengers, written 'telegram:@name', added to those of the card."
            ),
            *_REACHED,
            *_ORIGIN,
        ),
        RecordKind.COMPANY: (
            MappableField("name", "text", "What it is called."),
            MappableField("tax_id", "text", "Tax number (INN)."),
            MappableField("website", "text", "Address of its site."),
            *_REACHED,
        ),
        RecordKind.CALL: (
            MappableField("status", "text", "How the call ended."),
            MappableField("is_target", "flag", "Whether it was about business."),
            MappableField("is_unique", "flag", "Whether the client called for the first time."),
            MappableField("recording_url", "text", "Address of the recording."),
            _COMMENT,
            _TAGS,
            *_ORIGIN,
        ),
    }.items()
}
"""What may be filled, by kind of record. References, states and ids are left to connectors."""

_SAYS = frozenset(CustomFieldType) - {CustomFieldType.OTHER, CustomFieldType.REFERENCE}
ACCEPTS: Mapping[Holds, frozenset[CustomFieldType]] = {
    "text": _SAYS,
    "texts": _SAYS,
    "amount": frozenset({CustomFieldType.MONEY, CustomFieldType.NUMBER, CustomFieldType.TEXT}),
    "flag": frozenset({CustomFieldType.BOOLEAN}),
    "day": frozenset({CustomFieldType.DATE, CustomFieldType.DATETIME, CustomFieldType.TEXT}),
    "moment": frozenset({CustomFieldType.DATETIME}),
    "kind": frozenset({CustomFieldType.ENUMERATION, CustomFieldType.TEXT}),
}
"""Which types of vendors' fields can fill what."""


@dataclass(frozen=True, slots=True)
class FieldRule:
    """One mapping in force. ``options`` are labels by the values that stand in records."""

    kind: RecordKind
    key: str
    target: MappableField
    options: Mapping[str, str] = field(default_factory=dict)


def applied(kind: RecordKind, record: Any, rules: Sequence[FieldRule]) -> Any:
    """The record with its fields filled by the rules for its kind."""
    custom: Mapping[str, Any] = record.custom or {}
    changes: dict[str, Any] = {}
    tags: dict[str, str] = {}
    for rule in sorted(rules, key=lambda each: each.target.name):
        if rule.kind is not kind or custom.get(rule.key) is None:
            continue
        try:
            told = understood(rule, custom[rule.key])
        except NotUnderstood:
            continue
        name = rule.target.name
        if rule.target.path.startswith(_TRAFFIC):
            tags[name] = told
        elif rule.target.holds == "texts":
            changes[name] = tuple(dict.fromkeys((*getattr(record, name), *told)))
        elif isinstance(told, Amount):
            changes |= {"amount": told.number} | ({"currency": told.currency} if told.currency else {})
        else:
            changes[name] = told
    if tags:
        changes["traffic"] = msgspec.structs.replace(record.traffic or Traffic(), **tags)
    return msgspec.structs.replace(record, **changes) if changes else record


@dataclass(frozen=True, slots=True)
class Amount:
    """A sum of money, in a currency of its own where the vendor's value names one."""

    number: Decimal
    currency: str | None = None


def understood(rule: FieldRule, value: Any) -> Any:
    """What the unified field gets of a vendor's value. Raises NotUnderstood."""
    texts = _texts(value, rule.options)
    if not texts:
        raise NotUnderstood
    match rule.target.holds:
        case "text":
            return ", ".join(texts)
        case "texts":
            return texts
        case "amount":
            return _amount(_single(texts))
        case "flag":
            return _flag(_single(texts))
        case "day":
            return _day(_single(texts))
        case "moment":
            return _moment(_single(texts))
        case "kind":
            return _deal_kind(_single(texts))


def filled(rule: FieldRule, record: Any) -> Any:
    """What stands in the rule's unified field of a record."""
    if rule.target.path.startswith(_TRAFFIC):
        return None if record.traffic is None else getattr(record.traffic, rule.target.name)
    return getattr(record, rule.target.name)


def _texts(value: Any, options: Mapping[str, str]) -> tuple[str, ...]:
    """The value as texts, options by their labels."""
    if isinstance(value, dict):
        raise NotUnderstood
    found = []
    for each in value if isinstance(value, list) else [value]:
        if isinstance(each, dict | list):
            raise NotUnderstood
        text = str(each).lower() if isinstance(each, bool) else str(each).strip()
        if text and each is not None:
            found.append(options.get(text, text))
    return tuple(dict.fromkeys(found))


def _single(texts: tuple[str, ...]) -> str:
    if len(texts) != 1:
        raise NotUnderstood
    return texts[0]


def _amount(text: str) -> Amount:
    """A number as people and vendors write it: '1500', '1 500,50', '1500|RUB'."""
    number, _, currency = text.partition("|")
    try:
        found = Decimal(_SPACES.sub("", number).replace(",", "."))
    except InvalidOperation:
        raise NotUnderstood from None
    if not found.is_finite() or abs(found) >= _LARGEST_AMOUNT:
        raise NotUnderstood
    return Amount(found, currency if _CURRENCY.fullmatch(currency) else None)


def _flag(text: str) -> bool:
    try:
        return _FLAGS[text.casefold()]
    except KeyError:
        raise NotUnderstood from None


def _day(text: str) -> date:
    dotted = _DOTTED_DAY.match(text)
    try:
        return date.fromisoformat("-".join(reversed(dotted.groups())) if dotted else text[:10])
    except ValueError:
        raise NotUnderstood from None


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise NotUnderstood from None
    if found.tzinfo is None:  # whose clock it is can't be told
        raise NotUnderstood
    return found


def _deal_kind(text: str) -> DealKind:
    try:
        return _KINDS[text.casefold()]
    except KeyError:
        raise NotUnderstood from None
