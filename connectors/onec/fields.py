"""One row of 1C, read by our words: empty references, empty dates and padded texts are nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from connectors.errors import BadRecord
from connectors.onec.odata import NO_KEY, decoded
from connectors.onec.profile import Role, presentation
from schema.traffic import Traffic, traffic_of_url

_NO_DATE = "0001-01-01"
_TYPE_PREFIX = "StandardODATA."
PHONES = frozenset({"Телефон", "Факс"})
EMAIL, SITE, MESSENGER, ADDRESS = "АдресЭлектроннойПочты", "ВебСтраница", "Skype", "Адрес"
_PRIVATE = frozenset({"ЧастноеЛицо", "ФизЛицо", "ФизическоеЛицо"})


class Row:
    """A record of a role. Words that the profile doesn't name are nothing."""

    def __init__(self, role: Role, values: Mapping[str, Any], zone: ZoneInfo) -> None:
        self.role = role
        self._values = values
        self._zone = zone

    @classmethod
    def of(cls, role: Role, body: bytes, zone: ZoneInfo) -> Row:
        return cls(role, decoded(body), zone)

    @property
    def key(self) -> str:
        return str(self._values["Ref_Key"])

    @property
    def deleted(self) -> bool:
        return self._values.get("DeletionMark") is True

    @property
    def posted(self) -> bool:
        return self._values.get("Posted") is True

    def raw(self, word: str) -> Any:
        name = self.role.properties.get(word)
        return None if name is None else self._values.get(name)

    def text(self, word: str) -> str | None:
        return _text(self.raw(word))

    def shown(self, word: str) -> str | None:
        """What a reference is called; the value itself where it is none."""
        name = self.role.properties.get(word)
        if name is None:
            return None
        return _text(self._values.get(presentation(name))) if name.endswith("_Key") else self.text(word)

    def ref(self, word: str) -> str | None:
        found = self.text(word)
        return None if found in (None, NO_KEY) else found

    def ref_to(self, word: str, *sets: str) -> str | None:
        """A composite reference, if it leads to one of these sets."""
        kind = self.text(f"{word}_type")
        return self.ref(word) if kind is not None and kind.removeprefix(_TYPE_PREFIX) in sets else None

    def flag(self, word: str) -> bool | None:
        value = self.raw(word)
        return value if isinstance(value, bool) else None

    def money(self, word: str) -> Decimal | None:
        value = self.raw(word)
        if value is None or value == "":
            return None
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            raise BadRecord(f"{word}: {value!r} is not an amount of money.")
        return Decimal(value)

    def moment(self, word: str) -> datetime | None:
        return self._moment(self.raw(word))

    @property
    def date(self) -> datetime | None:
        """The time of a document."""
        return self._moment(self._values.get("Date"))

    def rows(self, word: str) -> Iterator[Row]:
        """The lines of a section, in which words begin with ``row_``."""
        for line in self.raw(word) or ():
            yield Row(self.role, line, self._zone)

    @property
    def line(self) -> str:
        """A line's number: a whole number of 64 bits comes as a text."""
        return str(self._values.get("LineNumber", ""))

    def lines(self, word: str) -> list[Mapping[str, Any]]:
        """The lines of a section whose names are the same everywhere."""
        return list(self.raw(word) or ())

    def time_in(self, line: Mapping[str, Any], name: str) -> datetime | None:
        return self._moment(line.get(name))

    @property
    def is_private(self) -> bool:
        """Whether a partner is a person and no firm."""
        return self.text("kind") in _PRIVATE

    def contact(self, *kinds: str) -> tuple[str, ...]:
        """The values of contact information of these kinds, as people wrote them."""
        found = []
        for line in self.lines("contacts"):
            if _text(line.get("Тип")) in kinds:
                mail = _text(line.get("АдресЭП")) if EMAIL in kinds else None
                found.append(mail or _text(line.get("Представление")) or _text(line.get("НомерТелефона")))
        return tuple(dict.fromkeys(each for each in found if each))

    def custom(self) -> dict[str, Any] | None:
        """Additional attributes, by the keys of their properties."""
        found = {
            str(line.get("Свойство_Key")): value
            for line in self.lines("extra")
            if (value := _value(_text(line.get("ТекстоваяСтрока")) or line.get("Значение"))) is not None
        }
        return found or None

    def traffic(self) -> Traffic | None:
        """Tags in a field of their own or in any additional attribute."""
        for value in (self.text("utm"), *(self.custom() or {}).values()):
            if isinstance(value, str) and "utm_" in value:
                return traffic_of_url(value if "?" in value else f"?{value.lstrip('?&')}")
        return None

    def _moment(self, value: Any) -> datetime | None:
        found = _text(value)
        if found is None or found.startswith(_NO_DATE):
            return None
        try:
            return datetime.fromisoformat(found).replace(tzinfo=self._zone)
        except ValueError:
            raise BadRecord(f"{found!r} is not a time.") from None


def _text(value: Any) -> str | None:
    """A text without the spaces with which fixed lengths are filled up [10]."""
    if value is None or isinstance(value, bool | list | dict):
        return None
    return str(value).strip() or None


def _value(value: Any) -> Any:
    if isinstance(value, Decimal):
        return str(value)
    return value if value not in (None, "", NO_KEY) else None
