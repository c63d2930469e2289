"""Phones as people type them, brought to the form in which they are stored."""

from __future__ import annotations

from typing import Any

import phonenumbers

from api.graphql.values import Viewer


def spelled(value: Any, viewer: Viewer) -> str:
    """A phone in any spelling as E.164; what is no possible number is looked for as it is written."""
    try:
        number = phonenumbers.parse(str(value), viewer.phone_region)
    except phonenumbers.NumberParseException:
        return str(value)
    if not phonenumbers.is_possible_number(number):
        return str(value)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def fragment(value: Any, viewer: Viewer) -> str:
    """A part of a phone: its digits, with a plus if it began with one. What is long enough to be a
    whole number is spelled as one: in Russia ``8 916 …`` begins with ``+7916``."""
    text = str(value)
    digits = "".join(each for each in text if each.isdigit())
    if not digits:
        return text
    if text.lstrip().startswith("+"):
        return f"+{digits}"
    whole = spelled(text, viewer)
    return whole if whole.startswith("+") and len(digits) > _LONGEST_FRAGMENT else digits


_LONGEST_FRAGMENT = 9
