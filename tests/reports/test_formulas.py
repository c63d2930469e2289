"""Formulas of one's own: what they mean, what they refuse, and that SQL gives what Python gives."""

from __future__ import annotations

import contextlib
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.formulas import FormulaError, own_metric, parse
from reports.metrics import METRICS, Unit
from reports.rollups import FIGURES
from tests.reports.conftest import Account

SUMS = dict.fromkeys(FIGURES, Decimal(0)) | {"cost": Decimal(100), "revenue": Decimal(300), "leads": Decimal(7)}


def value(formula: str, sums: dict[str, Any] = SUMS) -> Decimal | None:
    return parse(formula, METRICS).value(sums)


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("(revenue - cost) / cost * 100", 200),
        ("revenue − cost × 2", 100),
        ("revenue - cost - cost", 100),
        ("revenue / cost / 3", 1),
        ("-cost + 1.5", Decimal("-98.5")),
        ("-(cost)", -100),
        ("2 * -cost", -200),
        ("cost + 2 * 3", 106),
        ("(cost + 2) * 3", 306),
        ("roas * cost", 300),
        ("cost_share + 0", Decimal(100) / Decimal(300) * 100),
        ("cpl * leads - cost", 0),
        ("cost / visits", None),
        ("1 + cost / visits", None),
        ("cost / (leads - 7)", None),
        ("visits * roas", 0),
    ],
)
def test_what_formulas_come_to(formula: str, expected: Any) -> None:
    found = value(formula)
    if expected is None:
        assert found is None
    else:
        assert found is not None
        assert abs(found - expected) < Decimal("1e-20")


@pytest.mark.parametrize(
    "formula",
    [
        "", "   ", "cost +", "cost cost", "(cost", "cost)", "1 + 2", "profit", "cost ** 2", "cost // 2", "cost; 1",
        "__import__('os')", "cost.real", "cost[0]", "cost, revenue", "1e9 * cost", "0x10 + cost",
        "cost if 1 else 2", "cost' or 1=1 --", "COST", "*cost", "()", "1.2.3 * cost",
        "(" * 60 + "cost" + ")" * 60, "cost" + " + cost" * 99,
    ],
)  # fmt: skip
def test_what_is_refused(formula: str) -> None:
    with pytest.raises(FormulaError):
        parse(formula, METRICS)


def test_a_metric_of_ones_own() -> None:
    metric = own_metric("margin", "Маржа", Unit.PERCENT, "(revenue-cost)/revenue*100", METRICS)
    assert metric.value(SUMS) == Decimal("66.67")
    assert metric.formula.text() == "((revenue − cost) ÷ revenue) × 100"
    assert metric.formula.figures() == {"revenue", "cost"}
    twice = own_metric("twice", "Twice", Unit.RATIO, "margin * 2", {**METRICS, "margin": metric})
    assert twice.value(SUMS) == Decimal("133.3333")
    for key in ("cost", "Маржа", "a b", "1a", ""):
        with pytest.raises(FormulaError):
            own_metric(key, "x", Unit.RATIO, "cost", METRICS)


@given(st.text(max_size=30))
def test_any_text_is_a_formula_or_refused(text: str) -> None:
    with contextlib.suppress(FormulaError):
        assert parse(text, METRICS).figures()


async def test_sql_gives_what_python_gives(account: Account) -> None:
    rows = ", ".join(f"{SUMS[figure]}::numeric as {figure}" for figure in FIGURES)
    for text in ("(revenue - cost) / cost * 100", "cost / leads", "revenue / 7 / 7 / 7 * 343", "cost / visits + 1"):
        metric = own_metric("mine", "Mine", Unit.RATIO, text, METRICS)
        ((found,),) = await account.rows(f"select {metric.formula.sql('r')} from (select {rows}) r")  # noqa: S608
        assert found == metric.value(SUMS)
