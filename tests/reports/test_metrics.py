from decimal import Decimal

import pytest

from reports.metrics import METRICS, Figure, Ratio
from reports.rollups import FIGURES

NOTHING = dict.fromkeys(FIGURES, 0)


def value(key: str, **sums: int) -> Decimal | None:
    return METRICS[key].value(NOTHING | sums)


def test_the_ad_cost_share_of_the_article() -> None:
    assert value("cost_share", cost=100_000, revenue=400_000) == Decimal(25)


def test_the_romi_of_the_article() -> None:
    assert value("romi_revenue", revenue=300_000, cost=100_000) == Decimal(200)


def test_roas_is_the_reciprocal_of_the_ad_cost_share() -> None:
    assert value("roas", cost=100_000, revenue=400_000) == Decimal(4)


@pytest.mark.parametrize(
    ("key", "sums", "expected"),
    [
        ("ctr", {"clicks": 15, "impressions": 2000}, "0.75"),
        ("cpm", {"cost": 500, "impressions": 20_000}, "25.00"),
        ("cpc", {"cost": 1000, "clicks": 3}, "333.33"),
        ("cpl", {"cost": 1000, "leads": 4}, "250.00"),
        ("cost_per_call", {"cost": 1000, "calls": 8}, "125.00"),
        ("cpo", {"cost": 1000, "won_deals": 2, "leads": 7}, "500.00"),
        ("cac", {"cost": 1000, "new_clients": 1, "won_deals": 2}, "1000.00"),
        ("visit_to_lead", {"leads": 3, "visits": 200}, "1.50"),
        ("lead_to_sale", {"won_deals": 1, "leads": 3}, "33.33"),
        ("average_sale", {"revenue": 1001, "won_deals": 2}, "500.50"),
        ("romi_revenue", {"revenue": 0, "cost": 100}, "-100.00"),
    ],
)
def test_formulas(key: str, sums: dict[str, int], expected: str) -> None:
    assert value(key, **sums) == Decimal(expected)


def test_a_ratio_with_nothing_below_the_line_is_none() -> None:
    ratios = [metric for metric in METRICS.values() if isinstance(metric.formula, Ratio)]
    assert len(ratios) >= 10
    assert [metric.key for metric in ratios if metric.value(NOTHING | {"revenue": 0}) is not None] == []


def test_halves_are_rounded_away_from_zero() -> None:
    assert value("cpl", cost=1, leads=8) == Decimal("0.13")


def test_every_figure_of_a_cell_is_a_metric_by_itself() -> None:
    assert {key for key, metric in METRICS.items() if isinstance(metric.formula, Figure)} == set(FIGURES)


def test_a_metric_says_what_it_is_made_of() -> None:
    assert METRICS["romi_revenue"].formula.text() == "(revenue − cost) ÷ cost × 100"
    assert METRICS["romi_revenue"].formula.figures() == {"revenue", "cost"}


def test_metrics_that_speak_of_revenue_name_its_basis() -> None:
    assert [m.key for m in METRICS.values() if "revenue" in m.formula.figures() and m.basis is None] == []
