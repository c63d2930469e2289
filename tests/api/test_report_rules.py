# ruff: noqa: E501 - queries read better unbroken
"""Rules of reports, the audit of tags and plans over the API."""

from __future__ import annotations

from schema.enums import Role
from tests.api.conftest import Api
from tests.api.shop import BRAND, SALE, YEAR, journeys

WRITE = """mutation ($kind: RuleKind!, $rules: [ReportRuleInput!]!) { writeReportRules(kind: $kind, rules: $rules) {
    rules { version rules { then campaign source } } problems { field code message } } }"""
PREVIEW = """query ($kind: RuleKind!, $rules: [ReportRuleInput!]!, $from: Date!, $to: Date!) {
    previewReportRules(kind: $kind, rules: $rules, from: $from, to: $to) { name before after revenue visits campaign } }"""


async def test_channel_groups_of_ones_own(api: Api) -> None:
    await journeys(api.market)
    rules = [{"then": "Sale", "campaign": "campaign 2"}]
    moves = (await api.data(PREVIEW, {**YEAR, "kind": "CHANNEL", "rules": rules}))["previewReportRules"]
    assert moves == [
        {"name": "Campaign 2", "before": "paid_search", "after": "Sale", "revenue": "100.01", "visits": 2, "campaign": f"Campaign:{SALE}"}
    ]  # fmt: skip
    written = (await api.data(WRITE, {"kind": "CHANNEL", "rules": rules}))["writeReportRules"]
    assert written["rules"] == {"version": 1, "rules": [{"then": "Sale", "campaign": "campaign 2", "source": None}]}
    query = """{ report(from: "2026-01-01", to: "2026-12-31", by: [CHANNEL_GROUP]) { servedFrom rows { channelGroup revenue } }
        reportRules(kind: CHANNEL) { version author } }"""
    found = await api.data(query)
    assert {"channelGroup": "Sale", "revenue": "100.01"} in found["report"]["rows"]
    assert found["report"]["servedFrom"] == "ROLLUPS"
    assert found["reportRules"]["version"] == 1
    assert await (await api.as_role(Role.ANALYST)).code(WRITE, {"kind": "CHANNEL", "rules": rules}) == "FORBIDDEN"


async def test_rules_that_can_not_be(shared_api: Api) -> None:
    for kind, then in (("CAMPAIGN", "x"), ("CHANNEL", "")):
        asked = {"kind": kind, "rules": [{"then": then, "source": "vk"}]}
        refused = (await shared_api.data(WRITE, asked))["writeReportRules"]
        assert (refused["rules"], refused["problems"][0]["code"]) == (None, "BAD_RULES")
        assert await shared_api.code(PREVIEW, {**YEAR, **asked}) == "BAD_USER_INPUT"


async def test_the_audit_and_plans(api: Api) -> None:
    await journeys(api.market)
    query = """query ($from: Date!, $to: Date!) { tagAudit(from: $from, to: $to) { fault name visits revenue } }"""
    findings = (await api.data(query, YEAR))["tagAudit"]
    assert {"fault": "NOT_CONNECTED", "name": "Campaign 2", "visits": 2, "revenue": "100.01"} in findings
    plan = """mutation ($month: Date!, $campaign: ID) { setPlan(month: $month, figure: COST, amount: "603", campaign: $campaign) {
        plans { month campaign figure plan fact percent } problems { code field } } }"""
    made = (await api.data(plan, {"month": "2026-03-01", "campaign": f"Campaign:{BRAND}"}))["setPlan"]
    expected = {"month": "2026-03-01", "campaign": f"Campaign:{BRAND}", "figure": "COST", "plan": "603.00", "fact": "301.50", "percent": "50.00"}  # fmt: skip
    assert made == {"plans": [expected], "problems": []}
    assert (await api.data(plan, {"month": "2026-03-02"}))["setPlan"]["problems"] == [
        {"code": "BAD_PLAN", "field": "month"}
    ]
    listed = """query ($from: Date!, $to: Date!) { planFact(from: $from, to: $to) { figure percent } }"""
    assert (await api.data(listed, YEAR))["planFact"] == [{"figure": "COST", "percent": "50.00"}]
    removal = (
        f'mutation {{ removePlan(month: "2026-03-01", figure: COST, campaign: "Campaign:{BRAND}") {{ removed }} }}'
    )
    assert await api.data(removal) == {"removePlan": {"removed": True}}
