"""When two values of a field are the same: spelling, spaces and trailing zeros don't make a difference."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from sync.identity.keys import email_key, phone_key

ADDED_ONLY = frozenset({"phones", "emails"})
"""Lists of which members are added and never removed: the same as soon as all of ours are there."""


def same(field: str, ours: Any, theirs: Any, region: str) -> bool:
    """Whether ``theirs`` already says what ``ours`` wants said."""
    if field in ADDED_ONLY:
        return members(field, ours, region) <= members(field, theirs, region)
    return bool(_plain(ours) == _plain(theirs))


def members(field: str, value: Any, region: str) -> set[str]:
    """A list of phones or e-mails by their normalised spelling."""
    listed = value if isinstance(value, list | tuple) else [value]
    texts = [str(one) for one in listed if one not in (None, "")]
    if field == "phones":
        return {phone_key(text, region) or text for text in texts}
    return {email_key(text) or text.casefold() for text in texts}


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value or None
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    text = " ".join(str(value).split())
    try:
        number = Decimal(text)
    except InvalidOperation:
        return text or None
    return number if number.is_finite() else text
