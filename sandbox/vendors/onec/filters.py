"""The part of ``$filter`` that the platform documents: comparisons, and/or/not, functions on texts, cast and any().

A filter becomes a function of a row. What the platform answers with an error raises one here too.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

_TOKEN = re.compile(
    r"\s*(?:(?P<guid>guid'[0-9a-fA-F-]{36}')|(?P<date>datetime'[0-9T:-]+')|(?P<text>'(?:[^']|'')*')"
    r"|(?P<number>-?\d+(?:\.\d+)?)|(?P<name>[\w/]+:?)|(?P<sign>[(),]))"
)
_FUNCTIONS = frozenset({"substringof", "startswith", "endswith", "like"})
_UNSUPPORTED = frozenset({"length", "indexof", "replace", "tolower", "toupper", "trim", "floor", "ceiling"})
_ORDERS = {"gt": operator.gt, "ge": operator.ge, "lt": operator.lt, "le": operator.le}
_COMPARISONS = _ORDERS.keys() | {"eq", "ne"}
Row = Mapping[str, Any]
Test = Callable[[Row], bool]


class FilterError(Exception):
    """A filter that the platform refuses, with its status and code."""

    def __init__(self, status: int, code: str, words: str) -> None:
        super().__init__(words)
        self.status = status
        self.code = code


@dataclass(frozen=True, slots=True)
class _Term:
    """A property, or a literal of the kind ``guid``, ``date``, ``text``, ``number``, ``bool`` or ``cast``."""

    kind: str
    value: Any
    type: str = ""


def parse(source: str) -> Test:
    """The test that a filter means."""
    reader = _Reader(source)
    test = reader.disjunction()
    reader.end()
    return test


class _Reader:
    def __init__(self, source: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        place = 0
        while place < len(source.rstrip()):
            match = _TOKEN.match(source, place)
            if match is None:
                raise _unreadable()
            self._tokens.append((str(match.lastgroup), match[str(match.lastgroup)]))
            place = match.end()
        self._place = 0
        self._variable = ""

    def end(self) -> None:
        if self._place < len(self._tokens):
            raise _unreadable()

    def disjunction(self) -> Test:
        tests = [self._conjunction()]
        while self._takes("or"):
            tests.append(self._conjunction())
        return tests[0] if len(tests) == 1 else lambda row: any(test(row) for test in tests)

    def _conjunction(self) -> Test:
        tests = [self._negation()]
        while self._takes("and"):
            tests.append(self._negation())
        return tests[0] if len(tests) == 1 else lambda row: all(test(row) for test in tests)

    def _negation(self) -> Test:
        if self._takes("not"):
            test = self._negation()
            return lambda row: not test(row)
        if self._takes("("):
            test = self.disjunction()
            self._expect(")")
            return test
        return self._comparison()

    def _comparison(self) -> Test:
        kind, value = self._peek()
        if kind == "name" and value in _UNSUPPORTED:
            raise FilterError(400, "21", f"Функция {value} не реализована")
        if kind == "name" and value in _FUNCTIONS and self._peek(1)[1] == "(":
            return self._function()
        if kind == "name" and value.endswith("/any"):
            return self._any()
        left = self._term()
        _, sign = self._next()
        if sign not in _COMPARISONS:
            raise _unreadable()
        return _compared(left, sign, self._term())

    def _function(self) -> Test:
        _, name = self._next()
        self._expect("(")
        first = self._term()
        self._expect(",")
        second = self._term()
        self._expect(")")
        field, needle = (second, first) if name == "substringof" else (first, second)
        wanted = str(needle.value)

        def test(row: Row) -> bool:
            held = str(_of(row, field) or "")
            match name:
                case "startswith":
                    return held.startswith(wanted)
                case "endswith":
                    return held.rstrip().endswith(wanted)
                case "like":
                    return re.fullmatch(re.escape(wanted).replace("%", ".*"), held, re.DOTALL) is not None
            return wanted in held

        return test

    def _any(self) -> Test:
        """``Секция/any(d: …)``: whether a line passes."""
        section = self._next()[1].removesuffix("/any")
        self._expect("(")
        self._variable = self._next()[1].removesuffix(":")
        test = self.disjunction()
        self._expect(")")
        self._variable = ""
        return lambda row: any(test(line) for line in row.get(section) or ())

    def _term(self) -> _Term:
        kind, value = self._next()
        match kind:
            case "guid":
                return _Term("guid", value[5:-1].lower())
            case "date":
                return _Term("date", value[9:-1])
            case "text":
                return _Term("text", value[1:-1].replace("''", "'"))
            case "number":
                return _Term("number", float(value))
            case "name" if value in ("true", "false"):
                return _Term("bool", value == "true")
            case "name" if value == "cast" and self._peek()[1] == "(":
                return self._cast()
            case "name":
                prefix = f"{self._variable}/"
                return _Term("field", value.removeprefix(prefix) if self._variable else value)
        raise _unreadable()

    def _cast(self) -> _Term:
        self._expect("(")
        inner = self._term()
        self._expect(",")
        name = str(self._term().value)
        self._expect(")")
        return _Term("cast", inner.value, f"StandardODATA.{name}")

    def _peek(self, ahead: int = 0) -> tuple[str, str]:
        place = self._place + ahead
        return self._tokens[place] if place < len(self._tokens) else ("", "")

    def _next(self) -> tuple[str, str]:
        token = self._peek()
        if not token[0]:
            raise _unreadable()
        self._place += 1
        return token

    def _takes(self, word: str) -> bool:
        if self._peek()[1] != word:
            return False
        self._place += 1
        return True

    def _expect(self, word: str) -> None:
        if not self._takes(word):
            raise _unreadable()


def _compared(left: _Term, sign: str, right: _Term) -> Test:
    field, other = (left, right) if left.kind == "field" else (right, left)
    name = str(field.value)
    if sign in _ORDERS and (other.kind == "guid" or name.endswith("_Key")):
        words = "Нельзя сравнивать поля неограниченной длины и поля несовместимых типов"
        raise FilterError(500, "-1", words)

    def test(row: Row) -> bool:
        held = _of(row, field)
        if other.kind == "cast":
            return held == other.value and row.get(f"{name}_Type") == other.type
        if f"{name}_Type" in row:
            return False  # a composite property never equals a bare literal, and nothing says so
        match sign:
            case "eq":
                return bool(held == other.value)
            case "ne":
                return bool(held != other.value)
        if held is None:
            return False
        low = held if other.kind == "number" else str(held)
        return bool(_ORDERS[sign](low, other.value))

    return test


def _of(row: Row, field: _Term) -> Any:
    """A property of a row; its absence is the platform's error 10."""
    name = str(field.value)
    if name not in row:
        raise FilterError(400, "10", f"Свойство {name} не найдено")
    held = row[name]
    return held.rstrip() if isinstance(held, str) else held


def _unreadable() -> FilterError:
    return FilterError(400, "14", "Error parsing $filter query option")
