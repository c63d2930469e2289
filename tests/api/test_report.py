# ruff: noqa: E501 - queries read better unbroken
"""`report` by any dimensions, metrics of one's own, and costs by hand."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from schema.enums import Role
from tests.api.conftest import Api
from tests.api.shop import YEAR, journeys

REPORT = """query ($from: Date!, $to: Date!, $by: [Dimension!]!, $having: [MetricCondition!], $order: [MetricOrder!], $first: Int! = 50) {
  report(from: $from, to: $to, by: $by, having: $having, orderBy: $order, first: $first) { rowCount servedFrom currency
    totals { visits cost revenue wonDeals romiRevenue cac }
    rows { name reason channel source campaign { id } month city device landingPage keywordKey visits cost revenue calls cpl } } }"""
DEFINE = """mutation ($key: String!, $formula: String!, $unit: Unit! = PERCENT) {
  createMetric(key: $key, title: "Mine", unit: $unit, formula: $formula) { metric { key formula own unit } problems { field code message } } }"""


async def test_the_tree_is_served_from_rollups(api: Api) -> None:
    await journeys(api.market)
    report = (await api.data(REPORT, {**YEAR, "by": ["CAMPAIGN", "MONTH"]}))["report"]
    assert (report["servedFrom"], report["currency"]) == ("ROLLUPS", "RUB")
    named = {row["name"]: row for row in report["rows"]}
    assert (named["Campaign 1"]["cost"], named["Campaign 1"]["month"]) == ("301.50", "2026-03-01")
    assert named["Campaign 2"]["revenue"] == "100.01"
    assert report["totals"]["romiRevenue"] == "-66.83"
    assert report["totals"]["cac"] == "301.50"


async def test_other_dimensions_sorted_and_filtered(api: Api) -> None:
    await journeys(api.market)
    asked: dict[str, Any] = {
        **YEAR,
        "by": ["CITY", "CHANNEL"],
        "order": [{"metric": "visits"}, {"metric": "revenue"}],
    }
    report = (await api.data(REPORT, asked))["report"]
    assert report["servedFrom"] == "PATHS"
    cities = [(row["city"], row["visits"], row["revenue"]) for row in report["rows"] if row["city"]]
    assert cities == [("Kazan", 2, "100.01"), ("Perm", 1, "0")]
    assert {row["channel"] for row in report["rows"] if row["city"]} == {"PAID_SEARCH"}
    having = [{"metric": "revenue", "gt": "0"}, {"metric": "visits", "gte": "1"}]
    kept = (await api.data(REPORT, {**asked, "having": having}))["report"]
    assert (kept["rowCount"], [row["city"] for row in kept["rows"]]) == (1, ["Kazan"])
    assert kept["totals"]["visits"] == 2
    cut = (await api.data(REPORT, {**asked, "first": 1}))["report"]
    assert (len(cut["rows"]), cut["rowCount"], cut["totals"]) == (1, report["rowCount"], report["totals"])


async def test_another_model_and_a_past_moment(api: Api) -> None:
    await journeys(api.market)
    query = """query ($from: Date!, $to: Date!, $by: [Dimension!]! = [CITY], $model: AttributionModel! = LAST_NON_DIRECT, $at: DateTime, $more: Boolean! = false) {
      report(from: $from, to: $to, by: $by, model: $model, asKnownAt: $at) { servedFrom knownAt totals { revenue wonDeals payments @include(if: $more) } } }"""
    now = (await api.data(query, YEAR))["report"]
    linear = (await api.data(query, {**YEAR, "model": "LINEAR"}))["report"]
    assert (linear["servedFrom"], linear["totals"]) == ("PATHS", now["totals"])
    exact = """query ($from: Date!, $to: Date!) { report(from: $from, to: $to, by: [CAMPAIGN], model: LINEAR) {
        totals { exact(metric: "won_deals") } rows { wonDeals exact(metric: "wonDeals") cpl: exact(metric: "cpl") } } }"""
    parted = (await api.data(exact, YEAR))["report"]
    shares = [Decimal(row["exact"]) for row in parted["rows"]]
    assert sum(shares) == Decimal(parted["totals"]["exact"]) == linear["totals"]["wonDeals"]
    assert any(share % 1 for share in shares)
    own = """query ($from: Date!, $to: Date!, $window: Int) { report(from: $from, to: $to, by: [PRODUCT], model: POSITION_BASED,
        position: {first: 1, others: 1, last: 8}, windowDays: $window, datedBy: FIRST_TOUCH) {
            rows { product productKey } totals { revenue daysToDeal @skip(if: true) } } }"""
    mine = (await api.data(own, {**YEAR, "window": 30}))["report"]
    assert mine["rows"] == [{"product": None, "productKey": None}]
    assert mine["totals"] == {"revenue": now["totals"]["revenue"]}
    assert await api.code(own, {**YEAR, "window": 1000}) == "BAD_USER_INPUT"
    before = (await api.data(query, {**YEAR, "at": "2020-01-01T00:00:00Z"}))["report"]
    assert before == {
        "servedFrom": "PATHS", "knownAt": "2020-01-01T00:00:00+00:00", "totals": {"revenue": "0", "wonDeals": 0},
    }  # fmt: skip
    for wrong in (
        {"model": "MARKOV"},
        {"model": "LINEAR", "more": True},
        {"at": "2020-01-01T00:00:00Z", "more": True},
    ):
        assert await api.code(query, {**YEAR, **wrong}) == "BAD_USER_INPUT"


@pytest.mark.parametrize(
    "wrong",
    [
        {"by": ["DAY", "DAY"]},
        {"by": ["DAY"], "having": [{"metric": "fame", "gt": "1"}]},
        {"by": ["DAY"], "having": [{"metric": "cost"}]},
        {"by": ["DAY"], "order": [{"metric": "cost; drop table"}]},
        {"by": ["DAY"], "first": -1},
        {"by": ["DAY"], "to": "2020-01-01"},
    ],
)
async def test_what_can_not_be_asked(shared_api: Api, wrong: dict[str, Any]) -> None:
    assert await shared_api.code(REPORT, {**YEAR, **wrong}) == "BAD_USER_INPUT"


async def test_a_metric_of_ones_own(api: Api) -> None:
    await journeys(api.market)
    made = (await api.data(DEFINE, {"key": "share", "formula": "(revenue - cost) / revenue * 100"}))["createMetric"]
    assert made == {
        "metric": {"key": "share", "formula": "((revenue − cost) ÷ revenue) × 100", "own": True, "unit": "PERCENT"},
        "problems": [],
    }
    await api.data(DEFINE, {"key": "twice", "formula": "share * 2"})
    query = """query ($from: Date!, $to: Date!, $order: [MetricOrder!]) { report(from: $from, to: $to, by: [CAMPAIGN], orderBy: $order) {
        totals { own(metric: "share") } rows { name own(metric: "share") twice: own(metric: "twice") } } }"""
    report = (await api.data(query, {**YEAR, "order": [{"metric": "share"}]}))["report"]
    assert report["totals"] == {"own": "-201.47"}
    assert report["rows"][0] == {"name": "Campaign 2", "own": "100.00", "twice": "200.00"}
    assert {row["own"] for row in report["rows"][1:]} == {None}
    listed = (await api.data("{ metrics { key own formulaName } }"))["metrics"]
    assert [each["key"] for each in listed if each["own"]] == ["share", "twice"]
    assert {"key": "romiRevenue", "own": False, "formulaName": "romi_revenue"} in listed
    removal = "mutation ($key: String!) { removeMetric(key: $key) { removed problems { code } } }"
    assert (await api.data(removal, {"key": "share"}))["removeMetric"]["problems"] == [{"code": "STILL_NEEDED"}]
    assert [(await api.data(removal, {"key": key}))["removeMetric"]["removed"] for key in ("twice", "share", "x")] == [
        True, True, False,
    ]  # fmt: skip


async def test_what_a_formula_may_not_be(shared_api: Api) -> None:
    for key, formula in (("bad", "import os"), ("cost", "revenue"), ("bad", "profit * 2"), ("Bad", "cost")):
        refused = (await shared_api.data(DEFINE, {"key": key, "formula": formula}))["createMetric"]
        assert refused["metric"] is None
        assert [each["code"] for each in refused["problems"]] == ["BAD_FORMULA"]
    integration = await shared_api.as_role(Role.INTEGRATION)
    assert await integration.code(DEFINE, {"key": "mine", "formula": "cost"}) == "FORBIDDEN"


async def test_costs_in_full(api: Api) -> None:
    await journeys(api.market)
    rate = """mutation ($kind: RateKind!, $percent: Decimal!) { addCostRate(kind: $kind, percent: $percent, validFrom: "2026-01-01") {
        rate { id percent validTo } problems { code field } } }"""
    assert (await api.data(rate, {"kind": "VAT", "percent": "0.5"}))["addCostRate"]["problems"] == []
    fee = (await api.data(rate, {"kind": "FEE", "percent": "10"}))["addCostRate"]["rate"]
    assert (fee["percent"], fee["validTo"]) == ("10", None)
    wrong = (await api.data(rate, {"kind": "FEE", "percent": "-1"}))["addCostRate"]
    assert wrong == {"rate": None, "problems": [{"code": "OUT_OF_RANGE", "field": "percent"}]}
    cost = """mutation ($last: Date!) { addCost(title: "Film", amount: "31", firstDay: "2026-03-01", lastDay: $last, channel: SOCIAL) {
        cost { id title channel amount } problems { code field } } }"""
    made = (await api.data(cost, {"last": "2026-03-31"}))["addCost"]["cost"]
    assert (made["channel"], made["amount"]) == ("SOCIAL", "31.00")
    assert (await api.data(cost, {"last": "2026-02-01"}))["addCost"]["problems"] == [
        {"code": "BEFORE_BEGINNING", "field": "lastDay"}
    ]
    twice = """mutation { addCost(title: "Ad", amount: "1", firstDay: "2027-01-01", lastDay: "2027-01-01", idempotencyKey: "k") { cost { id } } }"""
    assert await api.data(twice) == await api.data(twice)
    query = """{ report(from: "2026-03-01", to: "2026-03-10", by: [CHANNEL]) {
        totals { cost costNet agencyFee manualCost fullCost } rows { channel manualCost } } costRates { kind } costsByHand { title } }"""
    found = await api.data(query)
    assert found["report"]["totals"] == {
        "cost": "301.50", "costNet": "300.00", "agencyFee": "30.00", "manualCost": "10.00", "fullCost": "340.00"
    }  # fmt: skip
    assert {"channel": "SOCIAL", "manualCost": "10.00"} in found["report"]["rows"]
    assert ({each["kind"] for each in found["costRates"]}, len(found["costsByHand"])) == ({"VAT", "FEE"}, 2)
    gone = f'mutation {{ removeCost(id: "{made["id"]}") {{ removed }} removeCostRate(id: "{fee["id"]}") {{ removed }} }}'
    assert await api.data(gone) == {"removeCost": {"removed": True}, "removeCostRate": {"removed": True}}
