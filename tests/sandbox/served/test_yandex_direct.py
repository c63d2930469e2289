"""The traps of Yandex.Direct's interface, asked over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from sandbox.server import Sandbox

FULL = {"returnMoneyInMicros": "false", "skipReportHeader": "true", "skipReportSummary": "true"}


class Direct:
    """A client as bare as can be."""

    def __init__(self, sandbox: Sandbox) -> None:
        given = sandbox.credentials["yandex_direct"]
        self.login = given["login"]
        headers = {"Authorization": f"Bearer {given['token']}", "Client-Login": self.login}
        self.http = httpx.Client(base_url=given["base_url"], headers=headers, timeout=30)

    def call(self, service: str, method: str, version: str = "v501", **params: Any) -> httpx.Response:
        return self.http.post(f"/json/{version}/{service}", json={"method": method, "params": params})

    def result(self, service: str, method: str, **params: Any) -> Any:
        answer = self.call(service, method, **params).json()
        assert "result" in answer, answer
        return answer["result"]

    def report(self, name: str, mode: str = "online", **changes: Any) -> httpx.Response:
        headers = changes.pop("headers", FULL)
        params = {
            "SelectionCriteria": {"DateFrom": "2026-03-02", "DateTo": "2026-04-30"},
            "FieldNames": ["Date", "CampaignId", "Impressions", "Clicks", "Cost"],
            "ReportName": name,
            "ReportType": "CAMPAIGN_PERFORMANCE_REPORT",
            "DateRangeType": "CUSTOM_DATE",
            "Format": "TSV",
            "IncludeVAT": "NO",
        }
        body = {"params": params | changes}
        return self.http.post("/json/v501/reports", json=body, headers={"processingMode": mode, **headers})

    def rows(self, name: str, **changes: Any) -> list[dict[str, str]]:
        answer = self.report(name, **changes)
        assert answer.status_code == 200, answer.text
        columns, *lines = [line.split("\t") for line in answer.text.splitlines()]
        return [dict(zip(columns, line, strict=True)) for line in lines]


@pytest.fixture
def direct(sandbox: Sandbox) -> Iterator[Direct]:
    client = Direct(sandbox)
    yield client
    client.http.close()


@pytest.fixture
def own(own_sandbox: Sandbox) -> Iterator[Direct]:
    client = Direct(own_sandbox)
    yield client
    client.http.close()


def _code(answer: httpx.Response) -> Any:
    return answer.json()["error"]["error_code"]


def money(text: str) -> Decimal:
    return Decimal(0) if text == "--" else Decimal(text)


def test_the_report_equals_the_worlds_spending_to_the_kopeck(sandbox: Sandbox, direct: Direct) -> None:
    with sandbox.truth() as truth:
        totals = truth.campaign_totals(date(2026, 3, 2), date(2026, 5, 1))
        known = {c.id for c in truth.market.campaigns if c.platform == "yandex_direct"}
    spent: dict[int, Decimal] = {}
    clicks: dict[int, int] = {}
    for row in direct.rows("truth"):
        campaign = int(row["CampaignId"])
        spent[campaign] = spent.get(campaign, Decimal(0)) + money(row["Cost"])
        clicks[campaign] = clicks.get(campaign, 0) + int(row["Clicks"])
    assert spent == {t.campaign: t.spend for t in totals if t.campaign in known}
    assert clicks == {t.campaign: t.clicks for t in totals if t.campaign in known}


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("AD_PERFORMANCE_REPORT", ["Date", "AdId", "Device"]),
        ("ADGROUP_PERFORMANCE_REPORT", ["Month", "AdGroupId", "AdNetworkType"]),
        ("CRITERIA_PERFORMANCE_REPORT", ["CampaignId", "Criterion"]),
        ("ACCOUNT_PERFORMANCE_REPORT", ["Date"]),
    ],
)
def test_finer_reports_add_up_to_the_whole(direct: Direct, kind: str, fields: list[str]) -> None:
    metrics = ["Impressions", "Clicks", "Cost", "Sessions"]
    whole = direct.rows("whole", FieldNames=["CampaignId", *metrics])
    parts = direct.rows(f"parts {kind}", ReportType=kind, FieldNames=[*fields, *metrics])
    assert len(parts) > 1
    for metric in ("Impressions", "Clicks", "Sessions"):
        assert sum(int(row[metric]) for row in parts) == sum(int(row[metric]) for row in whole)
    assert sum(money(row["Cost"]) for row in parts) <= sum(money(row["Cost"]) for row in whole)


def test_an_offline_report_is_201_then_202_then_200_without_a_body_before(direct: Direct) -> None:
    answers = [direct.report("offline", mode="offline") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201, 202, 200]
    assert [len(answer.content) for answer in answers[:2]] == [0, 0]
    assert all(int(answer.headers["retryIn"]) >= 1 for answer in answers[:2])
    assert int(answers[0].headers["reportsInQueue"]) >= 1
    assert answers[2].text.startswith("Date\tCampaignId")


def test_a_name_used_for_another_body_is_refused(direct: Direct) -> None:
    direct.report("reused", mode="offline")
    other = direct.report("reused", mode="offline", IncludeVAT="YES")
    assert (other.status_code, _code(other)) == (400, "8000")


def test_a_finished_report_keeps_old_numbers_for_five_hours(own_sandbox: Sandbox, own: Direct) -> None:
    period: dict[str, Any] = {"SelectionCriteria": {"DateFrom": "2026-05-01", "DateTo": "2026-05-01"}}
    own_sandbox.advance(hours=14)
    for _ in range(3):
        early = own.report("today", mode="offline", **period)
    own_sandbox.advance(hours=4.5)
    assert own.report("today", mode="offline", **period).text == early.text
    fresh = own.report("today again", **period)
    assert fresh.text != early.text
    own_sandbox.advance(hours=1)
    assert own.report("today", mode="offline", **period).status_code == 201


def test_the_queue_holds_five(limited_sandbox: Sandbox) -> None:
    client = Direct(limited_sandbox)
    answers = [client.report(f"queued {number}", mode="offline") for number in range(6)]
    client.http.close()
    assert [answer.status_code for answer in answers] == [201] * 5 + [400]
    assert _code(answers[5]) == "9000"


def test_a_poll_before_its_time_brings_nothing_nearer(limited_sandbox: Sandbox) -> None:
    client = Direct(limited_sandbox)
    answers = [client.report("hurried", mode="offline").status_code for _ in range(5)]
    client.http.close()
    assert answers == [201, 202, 202, 202, 202]


def test_money_is_micros_unless_the_header_says_otherwise(direct: Direct) -> None:
    fields = ["Date", "CampaignId", "Cost", "Ctr", "AvgCpc"]
    decimals = direct.rows("decimals", FieldNames=fields)
    bare = {"skipReportHeader": "true", "skipReportSummary": "true"}
    micros = direct.rows("micros", FieldNames=fields, headers=bare)
    for plain, tiny in zip(decimals, micros, strict=True):
        assert money(tiny["Cost"]) == money(plain["Cost"]) * 1_000_000
        assert money(tiny["AvgCpc"]) == money(plain["AvgCpc"]) * 1_000_000
        assert tiny["Ctr"] == plain["Ctr"], "a ratio is no money"
        assert tiny["Cost"] == "--" or int(tiny["Cost"]) % 10_000 == 0


def test_two_dashes_stand_for_no_value(direct: Direct) -> None:
    rows = direct.rows("dashes", FieldNames=["Date", "CampaignId", "Clicks", "Cost", "AvgCpc", "CostPerConversion"])
    without = [row for row in rows if row["Clicks"] == "0"]
    assert without
    assert all(row["Cost"] == row["AvgCpc"] == "--" for row in without)
    assert any(row["CostPerConversion"] == "--" != row["Cost"] for row in rows)


def test_vat_is_in_or_out(direct: Direct) -> None:
    net, gross = direct.rows("net"), direct.rows("gross", IncludeVAT="YES")
    for without, with_it in zip(net, gross, strict=True):
        assert abs(money(without["Cost"]) * Decimal("1.22") - money(with_it["Cost"])) <= Decimal("0.005")
    assert direct.result("clients", "get", FieldNames=["VatRate"])["Clients"] == [{"VatRate": 22}]


def test_goals_rename_their_columns(direct: Direct) -> None:
    fields = ["Date", "Clicks", "Conversions", "CostPerConversion"]
    rows = direct.rows("goals", FieldNames=fields, Goals=["20001", "20002"], AttributionModels=["LSCCD", "AUTO"])
    assert set(rows[0]) == {"Date", "Clicks"} | {
        f"{field}_{goal}_{model}"
        for field in ("Conversions", "CostPerConversion")
        for goal in ("20001", "20002")
        for model in ("LSCCD", "AUTO")
    }
    assert sum(int(row["Conversions_20001_LSCCD"]) for row in rows if row["Conversions_20001_LSCCD"] != "--") > 0
    outdated = direct.report("outdated", FieldNames=fields, AttributionModels=["LSC"])
    assert (outdated.status_code, _code(outdated)) == (400, "8000")


def test_lines_around_the_table_can_be_skipped(direct: Direct) -> None:
    whole = direct.report("lines", headers={}).text.splitlines()
    assert whole[0] == '"lines (2026-03-02 - 2026-04-30)"'
    assert whole[1].startswith("Date\t")
    assert whole[-1] == f"Total rows: {len(whole) - 3}"
    bare = {"skipReportHeader": "true", "skipColumnHeader": "true", "skipReportSummary": "true"}
    assert direct.report("lines", headers=bare).text.splitlines() == whole[2:-1]


@pytest.mark.parametrize(
    "wrong",
    [
        {"FieldNames": ["Date", "Month", "Clicks"]},
        {"FieldNames": ["Keyword"]},
        {"ReportType": "ACCOUNT_PERFORMANCE_REPORT", "FieldNames": ["CampaignName", "Clicks"]},
        {"Goals": [str(goal) for goal in range(11)]},
        {"DateRangeType": "YESTERDAY"},
        {"SelectionCriteria": {"DateFrom": "2015-01-01", "DateTo": "2015-02-01"}},
        {"SelectionCriteria": {"DateFrom": "2026-04-02"}},
        {"Format": "CSV"},
    ],
)
def test_a_report_that_may_not_be_asked_for_is_refused(direct: Direct, wrong: dict[str, Any]) -> None:
    answer = direct.report("wrong", **wrong)
    assert (answer.status_code, _code(answer)) == (400, "8000")


def test_filters_take_texts(direct: Direct) -> None:
    one = direct.rows("all")[0]["CampaignId"]
    criteria = {
        "DateFrom": "2026-03-02",
        "DateTo": "2026-04-30",
        "Filter": [{"Field": "CampaignId", "Operator": "IN", "Values": [one]}],
    }
    assert {row["CampaignId"] for row in direct.rows("one", SelectionCriteria=criteria)} == {one}


def test_the_marker_of_pages_lies_inside_the_result(direct: Direct) -> None:
    def page(offset: int) -> Any:
        return direct.result(
            "campaigns", "get", SelectionCriteria={}, FieldNames=["Id"], Page={"Limit": 4, "Offset": offset}
        )

    first = page(0)
    assert first["LimitedBy"] == 4
    second = page(first["LimitedBy"])
    third = page(second["LimitedBy"])
    assert "LimitedBy" not in third
    ids = [campaign["Id"] for part in (first, second, third) for campaign in part["Campaigns"]]
    assert len(set(ids)) == len(ids) == 9
    assert page(9) == {}


def test_unified_campaigns_are_served_by_501_only(direct: Direct) -> None:
    params: dict[str, Any] = {"SelectionCriteria": {}, "FieldNames": ["Id", "Type"]}
    new = direct.call("campaigns", "get", **params).json()["result"]["Campaigns"]
    old = direct.call("campaigns", "get", version="v5", **params).json()["result"]["Campaigns"]
    assert [c["Type"] for c in new if c not in old] == ["UNIFIED_CAMPAIGN"]


def test_structure_hangs_together_and_asks_for_ten_campaigns_at_most(direct: Direct) -> None:
    campaigns = direct.result(
        "campaigns", "get", SelectionCriteria={}, FieldNames=["Id"], TextCampaignFieldNames=["CounterIds"]
    )["Campaigns"]
    ids = [campaign["Id"] for campaign in campaigns]
    assert sum("TextCampaign" in campaign for campaign in campaigns) == 8
    groups = direct.result(
        "adgroups", "get", SelectionCriteria={"CampaignIds": ids}, FieldNames=["Id", "CampaignId"]
    )["AdGroups"]
    ads = direct.result(
        "ads",
        "get",
        SelectionCriteria={"CampaignIds": ids},
        FieldNames=["Id", "AdGroupId"],
        TextAdFieldNames=["Href"],
    )["Ads"]
    keywords = direct.result(
        "keywords", "get", SelectionCriteria={"CampaignIds": ids}, FieldNames=["Id", "Keyword", "AdGroupId"]
    )["Keywords"]
    known = {group["Id"] for group in groups}
    assert {group["CampaignId"] for group in groups} == set(ids)
    assert {ad["AdGroupId"] for ad in ads} == {keyword["AdGroupId"] for keyword in keywords} == known
    assert all("utm_campaign=" in ad["TextAd"]["Href"] for ad in ads)
    many = direct.call("ads", "get", SelectionCriteria={"CampaignIds": list(range(11))}, FieldNames=["Id"])
    assert (many.status_code, _code(many)) == (200, 4001)
    bare = direct.call("ads", "get", SelectionCriteria={}, FieldNames=["Id"])
    assert (bare.status_code, _code(bare)) == (200, 4001)


def test_services_tell_errors_with_http_200(direct: Direct) -> None:
    bad_token = direct.http.post(
        "/json/v501/campaigns", json={"method": "get", "params": {}}, headers={"Authorization": "Bearer no"}
    )
    assert (bad_token.status_code, _code(bad_token)) == (200, 53)
    stranger = direct.http.post(
        "/json/v501/campaigns", json={"method": "get", "params": {}}, headers={"Client-Login": "other"}
    )
    assert (stranger.status_code, _code(stranger)) == (200, 54)
    assert _code(direct.call("campaigns", "fly")) == 55


def test_points_are_counted_and_an_error_costs_twenty(limited_sandbox: Sandbox) -> None:
    client = Direct(limited_sandbox)
    fine = client.call("campaigns", "get", SelectionCriteria={}, FieldNames=["Id"]).headers["Units"]
    wrong = client.call("campaigns", "fly").headers["Units"]
    client.http.close()
    spent, left, daily = (int(part) for part in fine.split("/"))
    assert (spent, left) == (10 + 9, daily - 19)
    assert wrong == f"20/{left - 20}/{daily}"


async def test_the_sixth_at_once_is_refused(limited_sandbox: Sandbox) -> None:
    given = limited_sandbox.credentials["yandex_direct"]
    headers = {"Authorization": f"Bearer {given['token']}"}
    body = {"method": "get", "params": {"SelectionCriteria": {}, "FieldNames": ["Id"]}}
    async with httpx.AsyncClient(base_url=given["base_url"], headers=headers) as client:
        answers = await asyncio.gather(*(client.post("/json/v501/campaigns", json=body) for _ in range(9)))
    codes = [answer.json().get("error", {}).get("error_code") for answer in answers]
    assert codes.count(None) >= 5
    assert 506 in codes


def test_twenty_reports_in_ten_seconds(limited_sandbox: Sandbox) -> None:
    client = Direct(limited_sandbox)
    answers = [client.report("often") for _ in range(21)]
    client.http.close()
    assert [answer.status_code for answer in answers] == [200] * 20 + [400]
    assert _code(answers[20]) == "56"


def test_changes_name_the_border_from_which_to_read_again(own_sandbox: Sandbox, own: Direct) -> None:
    stamp = own.result("changes", "checkDictionaries")["Timestamp"]
    quiet = own.result("changes", "checkCampaigns", Timestamp=stamp)
    assert quiet["Campaigns"] == []
    ids = [
        campaign["Id"]
        for campaign in own.result("campaigns", "get", SelectionCriteria={}, FieldNames=["Id"])["Campaigns"]
    ]
    before = own.report("before", headers=FULL).text
    own_sandbox.advance(days=2)
    changed = own.result("changes", "checkCampaigns", Timestamp=stamp)["Campaigns"]
    assert any("STAT" in campaign["ChangesIn"] for campaign in changed)
    answer = own.result(
        "changes", "check", Timestamp=stamp, CampaignIds=[*ids, 999], FieldNames=["CampaignIds", "CampaignsStat"]
    )
    assert answer["NotFound"] == {"CampaignIds": [999]}
    borders = {
        stat["CampaignId"]: date.fromisoformat(stat["BorderDate"]) for stat in answer["Modified"]["CampaignsStat"]
    }
    assert min(borders.values()) < date(2026, 5, 1), "past days were told again"
    after = own.report("after", headers=FULL).text
    differing = set(before.splitlines()) ^ set(after.splitlines())
    assert differing
    for line in differing:
        day, campaign = line.split("\t")[:2]
        assert date.fromisoformat(day) >= borders[int(campaign)] - timedelta(0)


def test_the_automatic_period_holds_the_days_that_may_have_changed(own_sandbox: Sandbox, own: Direct) -> None:
    """Whatever was told again in the last two days lies within it."""
    before = set(own.report("before").text.splitlines())
    own_sandbox.advance(days=2)
    changed = {line.split("\t")[0] for line in set(own.report("after").text.splitlines()) - before}
    answer = own.report("auto", SelectionCriteria={}, DateRangeType="AUTO")
    days = {line.split("\t")[0] for line in answer.text.splitlines()[1:]}
    assert changed
    assert changed <= days
    assert max(days) == "2026-05-02", "today is left out"


def test_a_campaign_gets_another_name(direct: Direct) -> None:
    stamp = "2026-04-01T00:00:00Z"
    changed = direct.result("changes", "checkCampaigns", Timestamp=stamp)["Campaigns"]
    renamed = [campaign["CampaignId"] for campaign in changed if "SELF" in campaign["ChangesIn"]]
    names = direct.result("campaigns", "get", SelectionCriteria={"Ids": renamed}, FieldNames=["Name"])["Campaigns"]
    assert names
    assert all(name["Name"].endswith("| v2") for name in names)


def test_an_agency_must_name_its_client(own: Direct) -> None:
    own.http.put("/_switches", json={"agency": True})
    assert own.call("campaigns", "get", SelectionCriteria={}, FieldNames=["Id"]).json()["result"]
    del own.http.headers["Client-Login"]
    assert _code(own.call("campaigns", "get", SelectionCriteria={}, FieldNames=["Id"])) == 8000


def test_a_name_may_tear_its_line_and_a_wait_may_be_zero(own: Direct) -> None:
    own.http.put("/_switches", json={"ragged_lines": True, "retry_in": 0})
    columns, *lines = own.report("ragged", FieldNames=["CampaignName", "Clicks"]).text.splitlines()
    assert any(line.count("\t") > columns.count("\t") for line in lines)
    assert own.report("zero", mode="offline").headers["retryIn"] == "0"
