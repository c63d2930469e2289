"""Formulas that people write themselves: a small language over named metrics, checked before it is kept.

``(revenue - cost) / cost * 100``: names of metrics, numbers, ``+ - * /`` (also ``− × ÷``) and parentheses, and
nothing else. A name stands for the metric's own formula over additive figures, unrounded, so that a formula
over ratios is right for totals too: it is computed from sums, never from averages. What would divide by zero
has no value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, localcontext

from reports.metrics import Formula, Metric, Ratio, Sums, Unit

LONGEST = 500
_DEEPEST = 40
_PLACES = {Unit.COUNT: 4, Unit.MONEY: 2, Unit.PERCENT: 2, Unit.RATIO: 4}
_FINE = 30
"""Decimal places that SQL keeps in divisions; Python's precision is greater."""
_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d{1,15}(?:\.\d{1,10})?)(?![\w.])|(?P<name>[a-z][a-z0-9_]*)|(?P<sign>[-+*/()−×÷·]))"
)
_SAME = {"−": "-", "×": "*", "·": "*", "÷": "/"}
_BINDING = {"+": 1, "-": 1, "*": 2, "/": 2}
_SHOWN = {"-": "−", "*": "×", "/": "÷", "+": "+"}


class FormulaError(ValueError):
    """A formula that can't be; the sentence says where and why."""


@dataclass(frozen=True, slots=True)
class Number(Formula):
    """A number that stands in the formula."""

    amount: Decimal

    def value(self, sums: Sums) -> Decimal:
        return self.amount

    def sql(self, source: str) -> str:
        return f"{self.amount:f}::numeric"

    def text(self) -> str:
        return f"{self.amount:f}"

    def figures(self) -> frozenset[str]:
        return frozenset()


@dataclass(frozen=True, slots=True)
class Named(Formula):
    """A metric by its name: its formula, without the rounding of what is shown."""

    name: str
    formula: Formula

    def value(self, sums: Sums) -> Decimal | None:
        return self.formula.value(sums)

    def sql(self, source: str) -> str:
        return self.formula.sql(source)

    def text(self) -> str:
        return self.name

    def figures(self) -> frozenset[str]:
        return self.formula.figures()


@dataclass(frozen=True, slots=True)
class Combined(Formula):
    """Two formulas with a sign between them."""

    sign: str
    left: Formula
    right: Formula

    def value(self, sums: Sums) -> Decimal | None:
        left, right = self.left.value(sums), self.right.value(sums)
        if left is None or right is None:
            return None
        with localcontext(prec=60):
            match self.sign:
                case "+":
                    return left + right
                case "-":
                    return left - right
                case "*":
                    return left * right
            return None if right == 0 else left / right

    def sql(self, source: str) -> str:
        left, right = self.left.sql(source), self.right.sql(source)
        if self.sign == "/":
            return f"(round({left}, {_FINE}) / nullif({right}, 0))"
        return f"({left} {self.sign} {right})"

    def text(self) -> str:
        return f"({self.left.text()} {_SHOWN[self.sign]} {self.right.text()})"

    def figures(self) -> frozenset[str]:
        return self.left.figures() | self.right.figures()


@dataclass(frozen=True, slots=True)
class Rounded(Formula):
    """What a formula comes to, rounded half away from zero."""

    formula: Formula
    places: int

    def value(self, sums: Sums) -> Decimal | None:
        found = self.formula.value(sums)
        if found is None:
            return None
        with localcontext(prec=80):
            return found.quantize(Decimal(1).scaleb(-self.places), ROUND_HALF_UP)

    def sql(self, source: str) -> str:
        return f"round({self.formula.sql(source)}, {self.places})"

    def text(self) -> str:
        text = self.formula.text()
        return text[1:-1] if isinstance(self.formula, Combined) else text

    def figures(self) -> frozenset[str]:
        return self.formula.figures()


def own_metric(key: str, title: str, unit: Unit, formula: str, known: Mapping[str, Metric]) -> Metric:
    """A metric that the business defines itself over the metrics known. Raises ``FormulaError``."""
    if key in known:
        raise FormulaError(f"There is a metric {key} already.")
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,49}", key):
        raise FormulaError(
            "A metric's key is small Latin letters, digits and underlines, a letter first, at most 50."
        )
    made = Rounded(parse(formula, known), _PLACES[unit])
    return Metric(key, title, title, unit, made, "your own formula", title)


def parse(text: str, known: Mapping[str, Metric]) -> Formula:
    """Read a formula over the metrics known. Raises ``FormulaError``."""
    if len(text) > LONGEST:
        raise FormulaError(f"A formula has at most {LONGEST} characters.")
    parser = _Parser(_tokens(text), known)
    formula = parser.expression(0, 0)
    parser.end()
    if not formula.figures():
        raise FormulaError("The formula names no metric.")
    return formula


def exact(formula: Formula) -> Formula:
    """The formula without the rounding of what is shown."""
    if isinstance(formula, Rounded):
        return formula.formula
    if isinstance(formula, Ratio):
        quotient = Combined("/", formula.above, formula.below)
        return quotient if formula.times == 1 else Combined("*", quotient, Number(Decimal(formula.times)))
    return formula


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    place: int


def _tokens(text: str) -> list[_Token]:
    found, place = [], 0
    while text[place:].strip():
        match = _TOKEN.match(text, place)
        if match is None or match.lastgroup is None:
            raise FormulaError(
                f"This can't be read at character {place + 1}: {text[place : place + 20].strip()!r}."
            )
        word = match[match.lastgroup]
        found.append(_Token(match.lastgroup, _SAME.get(word, word), match.start(match.lastgroup) + 1))
        place = match.end()
    return found


class _Parser:
    """Precedence climbing over the tokens of one formula."""

    def __init__(self, tokens: list[_Token], known: Mapping[str, Metric]) -> None:
        self._tokens, self._known, self._at = tokens, known, 0

    def expression(self, least: int, depth: int) -> Formula:
        """What binds at least as strongly."""
        if depth > _DEEPEST:
            raise FormulaError("The formula is nested too deeply.")
        left = self._operand(depth)
        while (token := self._peek()) is not None and _BINDING.get(token.text, -1) >= max(least, 1):
            self._at += 1
            left = Combined(token.text, left, self.expression(_BINDING[token.text] + 1, depth + 1))
        return left

    def end(self) -> None:
        token = self._peek()
        if token is not None:
            raise FormulaError(f"There is something too much at character {token.place}: {token.text!r}.")

    def _operand(self, depth: int) -> Formula:
        token = self._peek()
        if token is None:
            raise FormulaError("The formula ends where a metric or a number should stand.")
        self._at += 1
        if token.kind == "number":
            return Number(Decimal(token.text))
        if token.kind == "name":
            return self._named(token)
        if token.text == "-":
            return Combined("-", Number(Decimal(0)), self.expression(3, depth + 1))
        if token.text != "(":
            raise FormulaError(f"A metric or a number should stand at character {token.place}, not {token.text!r}.")
        inner = self.expression(0, depth + 1)
        closing = self._peek()
        if closing is None or closing.text != ")":
            raise FormulaError(f"The parenthesis at character {token.place} isn't closed.")
        self._at += 1
        return inner

    def _named(self, token: _Token) -> Formula:
        metric = self._known.get(token.text)
        if metric is None:
            raise FormulaError(f"There is no metric {token.text!r}; `metrics` lists those that there are.")
        return Named(token.text, exact(metric.formula))

    def _peek(self) -> _Token | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None
