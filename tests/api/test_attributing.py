# ruff: noqa: E501 - queries read better unbroken
"""`modelsReport` and `creditReceipt`."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from schema.enums import Role
from tests.api.conftest import Api
from tests.api.shop import BRAND, SALE, YEAR, journeys
from tests.api.test_own import managed

MODELS = """query ($from: Date!, $to: Date!, $models: [AttributionModel!], $conversion: Conversion! = WON_DEAL,
    $by: ReportGrain! = CAMPAIGN, $window: Int, $position: PositionWeights, $first: Int! = 10, $at: DateTime) {
  modelsReport(from: $from, to: $to, models: $models, conversion: $conversion, by: $by, windowDays: $window,
      position: $position, first: $first, asKnownAt: $at) {
    currency rowCount windowDays rules conversion { key name meaning } models { key meaning }
    totals { cost credits { model conversions value } }
    rows { name reason channel campaign { id } cost visits credits { model conversions value costPerConversion romiRevenue } } } }"""
RECEIPT = """query ($from: Date!, $to: Date!, $model: AttributionModel!, $campaign: ID, $reason: Unattributed, $conversion: Conversion! = WON_DEAL) {
  creditReceipt(from: $from, to: $to, model: $model, campaign: $campaign, reason: $reason, conversion: $conversion) {
    conversions value count hiddenCount items { share shareOfValue kind value version rules windowDays cause
      client { id } record { id __typename }
      touches { at share credited record { __typename } campaign { id } evidence { kind value personalKey phone } source { stream externalId } }
      records { source { stream } } } } }"""


def credited(rows: list[dict[str, Any]], figure: str = "value") -> dict[str, dict[str, str]]:
    return {
        each["model"]: {
            row["name"] or row["reason"]: credit[figure]
            for row in rows
            for credit in row["credits"]
            if credit["model"] == each["model"] and Decimal(credit["conversions"])
        }
        for each in rows[0]["credits"]
    }


async def test_models_side_by_side(api: Api) -> None:
    await journeys(api.market)
    report = (await api.data(MODELS, {**YEAR, "models": ["FIRST_TOUCH", "LINEAR", "LAST_TOUCH"]}))["modelsReport"]
    assert [each["key"] for each in report["models"]] == ["FIRST_TOUCH", "LAST_TOUCH", "LINEAR"]
    assert credited(report["rows"]) == {
        "FIRST_TOUCH": {"Campaign 1": "100.01"},
        "LAST_TOUCH": {"Campaign 2": "100.01"},
        "LINEAR": {"Campaign 1": "50.00", "Campaign 2": "50.01"},
    }
    assert credited(report["rows"], "conversions")["LINEAR"] == {"Campaign 1": "0.5", "Campaign 2": "0.5"}
    assert {(each["conversions"], each["value"]) for each in report["totals"]["credits"]} == {("1", "100.01")}
    (first, *_) = report["rows"]
    assert (first["cost"], first["visits"], first["campaign"]["id"]) == ("301.50", 1, f"Campaign:{BRAND}")
    assert [each["costPerConversion"] for each in first["credits"]] == ["301.50", None, "603.00"]
    assert (report["currency"], report["windowDays"], report["conversion"]["name"]) == ("RUB", 90, "Won deal")


async def test_weights_windows_conversions_and_moments(api: Api) -> None:
    await journeys(api.market)
    weighed = await api.data(MODELS, {**YEAR, "models": ["POSITION_BASED"], "position": {"first": 3, "last": 1}})
    assert credited(weighed["modelsReport"]["rows"]) == {
        "POSITION_BASED": {"Campaign 1": "75.01", "Campaign 2": "25.00"}
    }
    assert "3 to the first touch" in weighed["modelsReport"]["models"][0]["meaning"]
    narrow = await api.data(MODELS, {**YEAR, "models": ["FIRST_TOUCH"], "window": 7})
    assert credited(narrow["modelsReport"]["rows"]) == {"FIRST_TOUCH": {"Campaign 2": "100.01"}}
    calls = await api.data(MODELS, {**YEAR, "models": ["LINEAR"], "conversion": "TARGET_CALL"})
    assert credited(calls["modelsReport"]["rows"], "conversions") == {
        "LINEAR": {"Campaign 1": "0.5", "Campaign 2": "0.5"}
    }
    before = await api.data(MODELS, {**YEAR, "models": ["LINEAR"], "at": "2026-03-02T00:00:00Z"})
    assert before["modelsReport"]["totals"]["credits"] == [{"model": "LINEAR", "conversions": "0", "value": "0"}]
    cut = await api.data(MODELS, {**YEAR, "first": 1})
    assert (len(cut["modelsReport"]["rows"]), cut["modelsReport"]["rowCount"] > 1) == (1, True)
    assert len(cut["modelsReport"]["models"]) == 10


@pytest.mark.parametrize(
    "wrong",
    [
        {"window": 91},
        {"position": {"first": -1}},
        {"models": ["MARKOV"], "by": "DAY"},
        {"first": -1},
        {"models": []},
    ],
)
async def test_what_can_not_be_asked(shared_api: Api, wrong: dict[str, Any]) -> None:
    assert await shared_api.code(MODELS, {**YEAR, **wrong}) == "BAD_USER_INPUT"


async def test_the_receipt_of_a_credit(api: Api) -> None:
    await journeys(api.market)
    asked = {**YEAR, "model": "LINEAR", "campaign": f"Campaign:{SALE}"}
    receipt = (await api.data(RECEIPT, asked))["creditReceipt"]
    assert (receipt["conversions"], receipt["value"], receipt["count"]) == ("0.5", "50.01", 1)
    (item,) = receipt["items"]
    assert (item["share"], item["shareOfValue"], item["value"], item["version"]) == ("0.5", "50.01", "100.01", 1)
    assert [touch["share"] for touch in item["touches"]] == ["0.5", "0.5"]
    assert [touch["credited"] for touch in item["touches"]] == [False, True]
    assert item["touches"][0]["evidence"] == [
        {"kind": "visitor", "value": None, "personalKey": "ym:11", "phone": None},
        {"kind": "utm_campaign", "value": "spring", "personalKey": None, "phone": None},
    ]
    assert item["touches"][0]["source"] == {"stream": "visits", "externalId": "11"}
    assert item["record"]["__typename"] == "Deal"
    assert item["records"] == [{"source": {"stream": "deals"}}]
    assert await api.code(RECEIPT, {**asked, "model": "MARKOV"}) == "BAD_USER_INPUT"
    assert await api.code(RECEIPT, {**asked, "reason": "NO_TOUCHES"}) == "BAD_USER_INPUT"


async def test_phones_in_evidence_are_masked_for_analysts(api: Api) -> None:
    await journeys(api.market)
    asked = {**YEAR, "model": "LAST_TOUCH", "campaign": f"Campaign:{BRAND}", "conversion": "TARGET_CALL"}
    seen = {}
    for role in (Role.OWNER, Role.ANALYST):
        (item,) = (await (await api.as_role(role)).data(RECEIPT, asked))["creditReceipt"]["items"]
        evidence = [each for touch in item["touches"] for each in touch["evidence"]]
        seen[role] = {
            each["phone"] or each["personalKey"] for each in evidence if each["kind"] in {"phone", "visitor"}
        }
    assert seen == {Role.OWNER: {"+79160000006", "ym:13"}, Role.ANALYST: {"+7 9** ***-**-06", None}}


async def test_a_manager_sees_the_credit_but_not_whose_conversions_it_is_made_of(api: Api) -> None:
    await journeys(api.market)
    me = await managed(api)
    asked = {**YEAR, "model": "LINEAR", "campaign": f"Campaign:{SALE}"}
    receipt = (await me.data(RECEIPT, asked))["creditReceipt"]
    assert (receipt["value"], receipt["count"], receipt["items"], receipt["hiddenCount"]) == ("50.01", 1, [], 1)
