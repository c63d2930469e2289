"""What must not reach a log: credentials and personal data, found by the name they stand under or by their look.

Looks are the second line of defence. The first is not to log such values, and to keep secrets in
`core.secrets.Secret`.
"""

import re
from collections.abc import Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

HIDDEN = "[hidden]"

_SECRET_NAMES = re.compile(
    r"authori[sz]ation|cookie|token|passw(or)?d|passwd|secret|api[-_]?key|access[-_]?key|private[-_]?key"
    r"|master[-_]?key|credential|signature|session[-_]?id|client[-_]?secret|webhook[-_]?(path|url)|dsn|database_url",
    re.IGNORECASE,
)
_PERSONAL_NAMES = re.compile(r"^(phone|phones|e?mail|emails|full_name|first_name|last_name)$", re.IGNORECASE)

_CREDENTIAL = (
    r"[\w.-]*(?:token|passw(?:or)?d|passwd|secret|api[-_]?key|access[-_]?key|private[-_]?key|signature"
    r"|authori[sz]ation|cookie|session[-_]?id)"
)

_LOOKS: tuple[tuple[re.Pattern[str], str], ...] = (
    # The vendor's webhook path of Bitrix24: /rest/<user>/<code>/<method>
    (re.compile(r"(/rest/\d+/)[^/\s\"']+"), rf"\1{HIDDEN}"),
    # The door of a connection, where webhooks come in: /hooks/<public id>/<secret>
    (re.compile(r"(/hooks/[^/\s\"']+/)[^/\s\"'?]+"), rf"\1{HIDDEN}"),
    # user:password@ in any URL
    (re.compile(r"(?<=://)[^/\s@\"']+@"), f"{HIDDEN}@"),
    # The whole query string: which of a vendor's parameters is the key differs from vendor to vendor
    (
        re.compile(r"((?:[a-z][a-z0-9+.-]*://|\s/|^/|[\"']/)[^\s?#\"'<>]*\?)[^\s\"'<>#]+", re.IGNORECASE),
        rf"\1{HIDDEN}",
    ),
    # Headers, as text or inside a printed mapping, up to the end of the value
    (
        re.compile(
            r"((?:proxy-)?authorization|(?:set-)?cookie|x-[\w-]*(?:key|token|auth|signature)[\w-]*)"
            r"([\"']?\s*[:=,]\s*)(b?[\"'])?(?(3)[^\"']*|[^\r\n]+)",
            re.IGNORECASE,
        ),
        rf"\1\2\3{HIDDEN}",
    ),
    (
        re.compile(r"\b(Bearer|Basic|OAuth|Digest|Zoho-oauthtoken)\s+[\w.~+/=:-]{6,}", re.IGNORECASE),
        rf"\1 {HIDDEN}",
    ),
    # name=value and "name": "value" for names of credentials
    (
        re.compile(
            rf"([\"']?\b{_CREDENTIAL}[\"']?\s*[=:]\s*)(b?[\"'])?(?(2)[^\"']+|[^\s,;&)}}\]]+)", re.IGNORECASE
        ),
        rf"\1\2{HIDDEN}",
    ),
    # Our own keys, and JSON Web Tokens
    (re.compile(r"\bskv_(?:live|test)_\w+"), HIDDEN),
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*"), HIDDEN),
    # PostgreSQL repeats the values of a row below its errors
    (re.compile(r"((?:DETAIL|CONTEXT|HINT):[ \t]+)[^\r\n]*"), rf"\1{HIDDEN}"),
    (re.compile(r"(Failing row contains |Key \([^)]*\)=)\(.*\)"), rf"\1({HIDDEN})"),
    (re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]+@[\w-]+(?:\.[\w-]+)+"), "[e-mail]"),
    # International numbers, and Russian ones as people write them
    (re.compile(r"(?<![\w+])\+\d(?:[\s().-]{0,2}\d){8,14}(?!\d)"), "[phone]"),
    (re.compile(r"(?<![\w.+-])[78][\s-]?\(?\d{3}\)?[\s-]?\d{3}[\s-]?\d{2}[\s-]?\d{2}(?![\w-])"), "[phone]"),
    (re.compile(r"(?<![\w.+-])\(?9\d{2}\)?[\s-]\d{3}[\s-]?\d{2}[\s-]?\d{2}(?![\w-])"), "[phone]"),
)

_PLAIN = (bool, float, type(None), date, time, timedelta, Decimal, UUID)


def redact_text(message: str) -> str:
    """The text with everything that looks like a credential, a phone or an e-mail hidden."""
    for look, instead in _LOOKS:
        message = look.sub(instead, message)
    return message


def redact(value: Any) -> Any:
    """A value with credentials and personal data hidden, at any depth; what isn't plain data becomes its repr."""
    match value:
        case str():
            return redact_text(value)
        case int() if not isinstance(value, bool):
            shown = redact_text(str(value))  # a phone may come as a number
            return value if shown == str(value) else shown
        case Mapping():
            return {redact_text(str(name)): _redact_named(str(name), item) for name, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return _redact_sequence(list(value))
        case _ if isinstance(value, _PLAIN):
            return value
        case _:
            return redact_text(repr(value))


def _redact_named(name: str, value: Any) -> Any:
    if value is not None and (_SECRET_NAMES.search(name) or _PERSONAL_NAMES.search(name)):
        return HIDDEN
    return redact(value)


def _redact_sequence(items: list[Any]) -> list[Any]:
    """Pairs of header and value, as HTTP libraries print them, are read like a mapping."""
    if len(items) == 2 and isinstance(items[0], str | bytes):
        name = items[0].decode("latin-1") if isinstance(items[0], bytes) else items[0]
        return [redact(items[0]), _redact_named(name, items[1])]
    return [redact(item) for item in items]
