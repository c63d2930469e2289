"""Single values as people and Excel spell them. Each reader gives one canonical text, which it reads back the same.

The numbers in brackets are facts in BEHAVIOR.md. What can't be read is told in a sentence, as ``BadRecord``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Literal

from connectors.errors import BadRecord

DecimalSign = Literal[",", "."]

_EMPTY = frozenset({"", "-", "–", "—", "n/a", "null", "none", "nan", "нет данных", "не указано", "(not set)"})
_EXCEL_ERROR = re.compile(
    r"#(N/A|REF!|VALUE!|DIV/0!|NAME\?|NULL!|NUM!|Н/Д|ССЫЛКА!|ЗНАЧ!|ДЕЛ/0!|ИМЯ\?|ПУСТО!|ЧИСЛО!)"
)
_SCIENTIFIC = re.compile(r"[+-]?\d(?:[.,](\d+))?[eеEЕ]\+?(\d{1,2})")  # the Russian letter too [8]
_GROUPED = re.compile(r"[1-9]\d{0,2}[.,]\d{3}")
_MONEY_WORDS = re.compile(r"(?i)(руб(лей|ля|ль)?\.?|р\.|rub|usd|eur|kzt|[₽$€₸])")
_DAY_FIRST = re.compile(r"(\d{1,2})[./-](\d{1,2})[./-](\d{4}|\d{2})")
_YEAR_FIRST = re.compile(r"(\d{4})[./-](\d{1,2})[./-](\d{1,2})")
_COMPACT = re.compile(r"(20\d\d)(\d\d)(\d\d)")
_IN_WORDS = re.compile(r"(\d{1,2})(?:st|nd|rd|th)?[\s.-]+([a-zа-яё]{3,})\.?[\s,.-]+(\d{4})(?:\s*(?:г|года)\.?)?")
_MONTH_FIRST = re.compile(r"([a-z]{3,})\.?\s+(\d{1,2})(?:st|nd|rd|th)?,?\s+(\d{4})")
_TIME = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,]\d+)?)?\s*(am|pm)?\s*(z|[+-]\d{2}:?\d{2})?")
_SERIAL = re.compile(r"\d{5}(?:[.,]\d+)?")
_SERIAL_ZERO = datetime(1899, 12, 30)  # noqa: DTZ001 - a local day, whose zone is added later
_MONTHS = ("янв", "фев", "мар", "апр", "ма", "июн", "июл", "авг", "сен", "окт", "ноя", "дек")
_ENGLISH = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DURATION = re.compile(r"(?:(\d+)\s*(?:ч|час\w*|h|hours?)\.?)?\s*(?:(\d+)\s*(?:м|мин\w*|m|min\w*)\.?)?\s*"
                       r"(?:(\d+)\s*(?:с|сек\w*|s|sec\w*)\.?)?")  # fmt: skip
_YES = frozenset(
    """да|yes|true|истина|1|+|y|д|отвечен|отвечено|принят|принятый|успешный|успешно|состоялся|answered|success
    |successful""".replace("\n", "")
    .replace(" " * 4, "")
    .split("|")
)
_NO = frozenset(
    """нет|no|false|ложь|0|n|н|не отвечен|не отвечено|пропущен|пропущенный|неуспешный|не принят|нет ответа|занято
    |missed|no answer|busy|failed""".replace("\n", "")
    .replace(" " * 4, "")
    .split("|")
)
_OUTBOUND = ("исход", "outb", "outg", "out")


def text(cell: str) -> str | None:
    """The text of a cell, without what Excel and exporters wrap it in [9]; None where it says nothing."""
    value = (cell if cell.isascii() else cell.replace("\xa0", " ").replace("\u202f", " ")).strip()
    if len(value) > 3 and value.startswith('="') and value.endswith('"'):
        value = value[2:-1].strip()
    elif len(value) > 1 and value[0] == "'" and value[1] in "+-=@0123456789":
        value = value[1:]
    if value.casefold() in _EMPTY:
        return None
    if value.startswith("#") and _EXCEL_ERROR.fullmatch(value):
        raise BadRecord(f"A formula failed in Excel and left {value} there: mend it and export the file again.")
    return value


def phone(value: str) -> str:
    """A phone with the plus that Excel took away [7]. What Excel has shortened can't be restored [8]."""
    number = value.removesuffix(".0")
    scientific = _SCIENTIFIC.fullmatch(number.replace(" ", ""))
    if scientific:
        if len(scientific[1] or "") < int(scientific[2]):
            raise BadRecord(
                f"Excel has shortened a phone to {value}, its last digits are lost: give the column the format "
                "«Text» in the source and export again."
            )
        number = str(int(Decimal(re.sub("[еЕ]", "E", number.replace(" ", "").replace(",", ".")))))
    if number.isdigit() and 11 <= len(number) <= 15 and number[0] not in "08":
        return "+" + number
    return number


def decimal_sign(values: Iterable[str]) -> DecimalSign | None:
    """Which sign parts the decimals in a column; None where no value of it tells."""
    comma = dot = 0
    for value in values:
        bare = _bare_number(value)
        signs = [sign for sign in bare if sign in ",."]
        if not signs:
            continue
        last = signs[-1]
        if len(set(signs)) == 2 or (len(signs) == 1 and not _GROUPED.fullmatch(bare)):
            comma, dot = comma + (last == ","), dot + (last == ".")
        elif len(signs) > 1:  # 1.234.567: that sign groups
            comma, dot = comma + (last == "."), dot + (last == ",")
    if comma == dot:
        return None
    return "," if comma > dot else "."


def number(value: str, sign: DecimalSign | None = None) -> str:
    """A number of any spelling as '1234.5'. In '1,234' a sign groups, unless ``sign`` says that it parts [11]."""
    bare = _bare_number(value)
    negative = bare.startswith("-") or (bare.startswith("(") and bare.endswith(")"))
    bare = bare.strip("()+-")
    signs = [each for each in bare if each in ",."]
    if _SCIENTIFIC.fullmatch(bare):
        bare = f"{Decimal(re.sub('[еЕ]', 'E', bare.replace(',', '.'))):f}"
    elif len(set(signs)) == 2:
        bare = bare.replace("." if signs[-1] == "," else ",", "").replace(",", ".")
    elif len(signs) > 1 or (_GROUPED.fullmatch(bare) and signs[0] != sign):
        bare = bare.replace(",", "").replace(".", "")
    bare = bare.replace(",", ".")
    if not re.fullmatch(r"\d+(\.\d*)?|\.\d+", bare):
        raise BadRecord(f"{value!r} is no number.")
    told = Decimal(bare).normalize()
    if told.adjusted() > 15:
        raise BadRecord(f"{value!r} is too large a number to be meant.")
    return f"{-told if negative and told else told:f}"


def whole(value: str) -> str:
    """A count."""
    told = Decimal(number(value))
    if told != told.to_integral_value() or told < 0:
        raise BadRecord(f"{value!r} is no count.")
    return str(int(told))


def month_comes_first(values: Iterable[str]) -> bool:
    """Whether a column writes 03/31/2026: some second number is beyond 12, and no first one is."""
    month_first = False
    for value in values:
        found = re.match(r"(\d{1,2})/(\d{1,2})/\d{2,4}", value)
        if found:
            if int(found[1]) > 12:
                return False
            month_first |= int(found[2]) > 12
    return month_first


def moment(value: str, *, month_first: bool = False) -> str:
    """A day, with its time if there is one, as ISO 8601: '2026-03-02', '2026-03-02T14:05:00', '…+03:00'."""
    told = " ".join(value.casefold().replace("т", "t").split()) if value[:1].isdigit() else value.casefold().strip()
    if _SERIAL.fullmatch(told):
        return _of_serial(told)
    day, rest = _day(told, month_first)
    rest = rest.strip(" t,")
    if not rest:
        return day.isoformat()
    found = _TIME.fullmatch(rest)
    if found is None:
        raise BadRecord(f"{value!r} is no date that we can read.")
    return f"{day.isoformat()}T{_clock(found, value)}"


def day(value: str, *, month_first: bool = False) -> str:
    """A day as ISO 8601; a time of day beside it is left out."""
    return moment(value, month_first=month_first)[:10]


def time_of_day(value: str) -> str:
    """A time in a column of its own, as 'hh:mm:ss'; Excel keeps it as a share of the day."""
    found = _TIME.fullmatch(value.casefold().strip())
    if found is not None:
        return _clock(found, value)
    try:
        share = Decimal(value.replace(",", "."))
    except InvalidOperation:
        share = Decimal(-1)
    if not 0 <= share < 1:
        raise BadRecord(f"{value!r} is no time of day.")
    return (_SERIAL_ZERO + timedelta(seconds=round(float(share) * 86_400))).time().isoformat()


def seconds(value: str) -> str:
    """How long something took, as seconds: '65', '1:05', '00:01:05', '1 мин 5 сек'."""
    told = value.casefold().strip()
    if re.fullmatch(r"\d+(:\d{2}){1,2}", told):
        total = 0
        for part in told.split(":"):
            total = total * 60 + int(part)
        return str(total)
    if re.fullmatch(r"\d+([.,]\d+)?", told):
        return str(round(float(told.replace(",", "."))))
    found = _DURATION.fullmatch(told)
    if found is None or not any(found.groups()):
        raise BadRecord(f"{value!r} is no duration.")
    hours, minutes, rest = (int(part or 0) for part in found.groups())
    return str(hours * 3600 + minutes * 60 + rest)


def flag(value: str) -> str:
    """Yes or no, as 'yes' or 'no'."""
    told = value.casefold().strip().removesuffix(".0")
    if told in _YES:
        return "yes"
    if told in _NO:
        return "no"
    raise BadRecord(f"{value!r} is neither yes nor no.")


def direction(value: str) -> str:
    """'inbound' or 'outbound'."""
    return "outbound" if value.casefold().strip().startswith(_OUTBOUND) else "inbound"


def email(value: str) -> str:
    """An e-mail address, in small letters."""
    told = value.casefold().removeprefix("mailto:").strip(" <>")
    if not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", told):
        raise BadRecord(f"{value!r} is no e-mail address.")
    return told


def _bare_number(value: str) -> str:
    return re.sub(r"[\s'’%]", "", _MONEY_WORDS.sub("", value)).replace("−", "-")


def _day(told: str, month_first: bool) -> tuple[date, str]:
    """The day at the beginning of ``told``, and what follows it."""
    if (found := _YEAR_FIRST.match(told)) or (found := _COMPACT.match(told)):
        parts = (int(found[1]), int(found[2]), int(found[3]))
    elif found := _DAY_FIRST.match(told):
        first, second = int(found[1]), int(found[2])
        first, second = (second, first) if month_first and "/" in found[0] else (first, second)
        parts = (int(found[3]) + (2000 if len(found[3]) == 2 else 0), second, first)
    elif found := _IN_WORDS.match(told.replace("t", "т") if re.search("[а-яё]", told) else told):
        parts = (int(found[3]), _month(found[2]), int(found[1]))
    elif found := _MONTH_FIRST.match(told):
        parts = (int(found[3]), _month(found[1]), int(found[2]))
    else:
        raise BadRecord(f"{told!r} is no date that we can read.")
    try:
        return date(*parts), told[found.end() :]
    except ValueError:
        raise BadRecord(f"{told!r} is no day of the calendar.") from None


def _month(word: str) -> int:
    for names in (_ENGLISH, _MONTHS):
        for place, name in sorted(enumerate(names, 1), key=lambda each: -len(each[1])):
            if word.startswith(name):
                return place
    raise BadRecord(f"{word!r} is no month.")


def _clock(found: re.Match[str], value: str) -> str:
    hour, minute, second = int(found[1]), int(found[2]), int(found[3] or 0)
    if found[4]:
        hour = hour % 12 + (12 if found[4] == "pm" else 0)
    if hour > 23 or minute > 59 or second > 59:
        raise BadRecord(f"{value!r} is no time of day.")
    offset = found[5] or ""
    if offset == "z":
        offset = "+00:00"
    elif offset and ":" not in offset:
        offset = f"{offset[:3]}:{offset[3:]}"
    return f"{hour:02d}:{minute:02d}:{second:02d}{offset}"


def _of_serial(told: str) -> str:
    """[10] Excel counts days from 1900, with the hours as a share of the day."""
    days = Decimal(told.replace(",", "."))
    moment_there = _SERIAL_ZERO + timedelta(seconds=round(float(days) * 86_400))
    if not 1990 <= moment_there.year <= 2100:
        raise BadRecord(f"{told!r} is no date that we can read.")
    return moment_there.date().isoformat() if days == int(days) else moment_there.isoformat()
