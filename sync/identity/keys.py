"""Keys: what a record carries that tells whose it is, brought to one spelling.

Everything here is a pure function of the text. What isn't valid gives no key: it stays as text on the record.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from hashlib import blake2b

import phonenumbers
from phonenumbers import PhoneNumber, PhoneNumberFormat, PhoneNumberType

from schema.enums import IdentifierKind

_CACHED = 65_536
_DIGITS = re.compile(r"\d+")
_PLUS_EIGHT = re.compile(r"^\s*\+\s*8(?=\D*9)")
_SPELT_MOBILE = re.compile(r" *(?:\+?7|8)?[ ()-]*(9[ ()-]*[0-24-9](?:[ ()-]*[0-9]){8})[ )]*")
"""How nearly all phones of a Russian firm's clients are spelt: all of 9 with nine digits behind it are given to
mobile networks but for some of 93 (the metadata of `phonenumbers`), which takes ten times as long to say so."""
_PHONE_SEPARATORS = re.compile(r"[;,/|\n]")
_DIGITS_OF_TWO = 14  # fewer can't be two phones
_EMAIL = re.compile(r"^[^\s@,;<>()\"]{1,64}@[^\s@,;<>()\"]{3,255}$")
_EMAIL_SEPARATORS = re.compile(r"[\s,;<>()\"]+")
_DOMAIN = re.compile(r"^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?:[a-z]{2,63}|xn--[a-z0-9-]{2,59})$")

# One mailbox, several spellings of its domain, by the providers' own help pages.
_SAME_MAILBOX = {
    "ya.ru": "yandex.ru",
    "yandex.com": "yandex.ru",
    "yandex.by": "yandex.ru",
    "yandex.kz": "yandex.ru",
    "yandex.ua": "yandex.ru",
    "googlemail.com": "gmail.com",
}
_NEVER_MAIL_NAMES = frozenset(
    """
    test tests testtest test1 test123 no net none nomail noemail no-mail no-email nomail noname nobody noreply
    no-reply 1 11 111 12 123 1234 12345 123456 qwe qwerty asd asdf aaa aa a email e-mail mail example user name
    null undefined нет тест
    """.strip().split()
)
_NEVER_MAIL_DOMAINS = frozenset(
    """
    test.ru test.com test.test example.com example.org example.net mail.test mail.mail email.com no.ru none.ru
    net.ru asd.ru qwe.ru aaa.ru 1.ru 123.ru
    """.strip().split()
)
_ROLE_MAILBOXES = frozenset(
    """
    info office sales sale zakaz order orders admin contact contacts hello support help buh buhgalter hr manager
    shop opt reception secretary post priem pochta service director
    """.strip().split()
)
_NEVER_VISITORS = frozenset({"", "0", "null", "none", "undefined", "nan", "-", "(not set)"})
_OF_A_PLACE = frozenset({PhoneNumberType.FIXED_LINE, PhoneNumberType.TOLL_FREE, PhoneNumberType.UAN})
_CLOCKS_BEGIN = frozenset({1900, 1970, 1980, 2000})
_ONE_CALL = "call:"
_RUSSIAN_MOBILE = "+79"  # codes 9xx are mobile networks by the national numbering plan
_INN_10 = (2, 4, 10, 3, 5, 9, 4, 6, 8)
_INN_11 = (7, 2, 4, 10, 3, 5, 9, 4, 6, 8)
_INN_12 = (3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8)


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a record: ``value`` is normalised, ``raw`` is how the external system spells it."""

    kind: str
    value: str
    raw: str


def phone_key(text: str, region: str) -> str | None:
    """The one phone that ``text`` holds, as E.164; None when it holds none, several, or one that nobody has.

    Numbers without a country code are read in ``region`` (ISO 3166). An extension is left out: the desks of an
    office share its number.
    """
    found = phone_keys(text, region)
    return found[0] if len(found) == 1 else None


@lru_cache(maxsize=_CACHED)
def phone_keys(text: str, region: str) -> tuple[str, ...]:
    """All phones in ``text`` as E.164, each once, in the order in which they stand there."""
    if region == "RU":
        text = _PLUS_EIGHT.sub("8", text)
        if ordinary := _SPELT_MOBILE.fullmatch(text):
            national = "".join(_DIGITS.findall(ordinary[1]))
            return () if _nobodys(national) else (f"+7{national}",)
    parts = _PHONE_SEPARATORS.split(text)  # a desk's number after a comma is too short to be taken for a phone
    numbers = [number for part in parts if (number := _valid(part, region)) is not None]
    if not numbers and len(parts) > 1 and (whole := _valid(text, region)) is not None:
        numbers = [whole]
    if not numbers and sum(map(str.isdigit, text)) >= _DIGITS_OF_TWO:
        numbers = [match.number for match in phonenumbers.PhoneNumberMatcher(text, region)]
    return tuple(
        dict.fromkeys(
            phonenumbers.format_number(number, PhoneNumberFormat.E164)
            for number in numbers
            if not _nobodys(str(number.national_number))
        )
    )


def _valid(text: str, region: str) -> PhoneNumber | None:
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    return number if phonenumbers.is_valid_number(number) else None


@lru_cache(maxsize=_CACHED)
def is_landline(phone: str) -> bool:
    """Whether an E.164 phone is bound to a place (or to a firm, as toll-free numbers are), and not to a pocket."""
    if phone.startswith(_RUSSIAN_MOBILE):  # most phones; the rest of it is for the numbering plan
        return False
    return phonenumbers.number_type(phonenumbers.parse(phone)) in _OF_A_PLACE


def is_role_mailbox(email: str) -> bool:
    """Whether an address names a desk and not a human being: info@, sales@."""
    return email.partition("@")[0] in _ROLE_MAILBOXES


def is_nobodys_day(birthday: date) -> bool:
    """Whether a day of birth is what systems and people put where none is known: the day on which their clocks
    begin. (Whoever was born on it is told apart by all the rest.)"""
    return (birthday.month, birthday.day) == (1, 1) and birthday.year in _CLOCKS_BEGIN


def call_key(phone: str, at: datetime) -> str:
    """One call, whoever logs it: the caller's phone and the minute. Clocks that differ by seconds part some twins,
    and their phone still joins them if it is one person's."""
    return f"{_ONE_CALL}{_digest(phone, str(int(at.timestamp()) // 60))}"


def is_call_key(value: str) -> bool:
    """Whether a vendor's key is a call that several systems may log (`call_key`)."""
    return value.startswith(_ONE_CALL)


def desk_key(phone: str, name: str) -> str:
    """One person of an office: its phone and a (comparable) full name, though neither alone tells who it is."""
    return f"desk:{_digest(phone, name)}"


def _digest(*facts: str) -> str:
    return blake2b("\n".join(facts).encode(), digest_size=16).hexdigest()


def _nobodys(national: str) -> bool:
    """Whether a number is what people type to get past a form: valid, and still no one's."""
    return len(set(national)) == 1 or national.endswith(("0000000", "1234567"))


@lru_cache(maxsize=_CACHED)
def email_key(text: str, *, plus_tags: bool = False, dots: bool = True) -> str | None:
    """The mailbox that an address leads to, in lower case, its domain in ASCII; None when it is no address.

    ``plus_tags``: keep what follows a plus as part of the name (by default ``ann+ads@x.ru`` is ``ann@x.ru``).
    ``dots``: dots tell mailboxes apart; without it they are dropped for Gmail, which ignores them.
    """
    text = text.strip().strip("<>").casefold().removeprefix("mailto:").rstrip(".,;")
    if not _EMAIL.match(text):
        return None
    name, domain = text.split("@")
    try:
        domain = domain.encode("idna").decode("ascii")
    except UnicodeError:
        return None
    domain = _SAME_MAILBOX.get(domain, domain)
    if not plus_tags:
        name = name.partition("+")[0]
    if not dots and domain == "gmail.com":
        name = name.replace(".", "")
    if not name or not _DOMAIN.match(domain) or name in _NEVER_MAIL_NAMES or domain in _NEVER_MAIL_DOMAINS:
        return None
    return f"{name}@{domain}"


def email_keys(text: str) -> tuple[str, ...]:
    """All addresses in ``text``, each once."""
    parts = _EMAIL_SEPARATORS.split(text) if "@" in text else ()
    return tuple(dict.fromkeys(key for part in parts if (key := email_key(part)) is not None))


_LONGEST_COOKIE = 256  # what is longer is no id of a visitor, and no index could hold it


def visitor_key(text: str) -> str | None:
    """A counter's cookie, 'counter:value'; the counter keeps ids of different counters apart."""
    counter, colon, value = text.strip().partition(":")
    if not colon or not counter or len(text) > _LONGEST_COOKIE or value.strip().casefold() in _NEVER_VISITORS:
        return None
    return f"{counter.casefold()}:{value.strip()}"


def messenger_key(text: str) -> str | None:
    """A handle in a messenger, 'network:name', in lower case and without the at sign."""
    network, colon, handle = text.strip().casefold().partition(":")
    handle = handle.strip().lstrip("@")
    return f"{network}:{handle}" if colon and network and len(handle) > 2 else None


def tax_id_key(text: str) -> str | None:
    """A Russian taxpayer number (INN, 10 digits of a firm or 12 of a person) whose check digits are right.

    The weights are those of the Federal Tax Service's order on taxpayer numbers.
    """
    digits = "".join(_DIGITS.findall(text))
    numbers = [int(digit) for digit in digits]
    if len(numbers) == 10:
        valid = _check_digit(_INN_10, numbers) == numbers[9]
    elif len(numbers) == 12:
        valid = _check_digit(_INN_11, numbers) == numbers[10] and _check_digit(_INN_12, numbers) == numbers[11]
    else:
        valid = False
    return digits if valid and len(set(digits)) > 1 else None


def _check_digit(weights: tuple[int, ...], digits: list[int]) -> int:
    return sum(weight * digit for weight, digit in zip(weights, digits, strict=False)) % 11 % 10


def keys_in(kind: IdentifierKind, text: str, region: str) -> list[Key]:
    """The keys of one kind that a field of a record holds."""
    match kind:
        case IdentifierKind.PHONE:
            values = phone_keys(text, region)
        case IdentifierKind.EMAIL:
            values = email_keys(text)
        case IdentifierKind.VISITOR:
            values = _one(visitor_key(text))
        case IdentifierKind.TAX_ID:
            values = _one(tax_id_key(text))
        case IdentifierKind.MESSENGER:
            values = _one(messenger_key(text))
        case _:
            raise ValueError(f"No keys of the kind {kind} are read out of text.")
    return [Key(kind, value, text) for value in values]


def is_placeholder(kind: IdentifierKind, text: str, region: str) -> bool:
    """Whether a field has what people type to get past a form: a phone or an address that is nobody's."""
    if kind == IdentifierKind.PHONE:
        number = _valid(text, region)
        return number is not None and _nobodys(str(number.national_number))
    if kind == IdentifierKind.EMAIL:
        name, _, domain = text.strip().casefold().partition("@")
        return bool(_EMAIL.match(text.strip())) and (name in _NEVER_MAIL_NAMES or domain in _NEVER_MAIL_DOMAINS)
    return False


def _one(value: str | None) -> tuple[str, ...]:
    return () if value is None else (value,)
