"""Reading of Direct: paging of campaigns, windows of costs, and a report that is waited for."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from connectors.contract import Page, Position, Start, VendorResponse
from connectors.errors import BadSettings, NotReady, VendorChanged
from connectors.yandex_direct import CONNECTOR
from connectors.yandex_direct.settings import DirectSettings

SAMPLES = Path(__file__).parent / "samples"
SETTINGS = DirectSettings(token="secret-token", login="shop-moscow")
OWN = DirectSettings(token="secret-token")
NOW = datetime(2026, 4, 30, 22, 30, tzinfo=UTC)  # the first of May in Moscow


def begin(since: datetime, cursor: dict[str, Any] | None = None, run: int = 1) -> Start:
    return Start(cursor=cursor, now=NOW, since=since, run_id=UUID(int=run))


def answered(content: bytes | dict[str, Any]) -> VendorResponse:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return VendorResponse(200, httpx.Headers(), body)


class Direct:
    """An advertiser's cabinet behind a MockTransport: a report is queued, then built, then given."""

    def __init__(self, campaigns: int = 2, page: int = 1000, currency: str = "RUB") -> None:
        self.campaigns = [{"Id": 4482911 + n, "Name": f"Кампания {n}"} for n in range(campaigns)]
        self.page = page
        self.currency = currency
        self.asked: Counter[bytes] = Counter()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        assert request.headers["authorization"] == "Bearer secret-token"
        assert request.headers.get("client-login") == "shop-moscow"
        params = json.loads(request.content)["params"]
        match request.url.path.rsplit("/", 1)[1]:
            case "clients":
                return httpx.Response(
                    200, json={"result": {"Clients": [{"Login": "shop-moscow", "Currency": self.currency}]}}
                )
            case "campaigns":
                offset = params["Page"]["Offset"]
                result: dict[str, Any] = {"Campaigns": self.campaigns[offset : offset + self.page]}
                if offset + self.page < len(self.campaigns):
                    result["LimitedBy"] = offset + self.page
                return httpx.Response(200, json={"result": result})
            case "reports":
                return self.report(request, params)
        raise AssertionError(request.url)

    def report(self, request: httpx.Request, params: dict[str, Any]) -> httpx.Response:
        assert request.headers["returnMoneyInMicros"] == "false"
        self.asked[request.content] += 1
        if self.asked[request.content] < 3:
            return httpx.Response(200 + self.asked[request.content], headers={"retryIn": "3"})
        first, last = (date.fromisoformat(params["SelectionCriteria"][key]) for key in ("DateFrom", "DateTo"))
        rows = ["\t".join(params["FieldNames"])]
        for n in range((last - first).days + 1):
            cells = {
                "Date": (first + timedelta(days=n)).isoformat(),
                "CampaignId": "4482911",
                "CampaignName": "Кампания\t0",
                "Impressions": "10",
                "Clicks": "1",
                "Cost": "1.50",
            }
            rows.append("\t".join(cells[field] for field in params["FieldNames"]))
        return httpx.Response(200, text="\n".join(rows) + "\n")


async def run(
    session: Any, stream_name: str, position: Position | None, waits: list[float] | None = None
) -> list[tuple[Position, Page]]:
    """The engine's loop in small: a report under way is asked for again with the very same request."""
    stream = CONNECTOR.stream(stream_name)
    pages: list[tuple[Position, Page]] = []
    while position is not None:
        position = json.loads(json.dumps(position))
        assert position is not None
        try:
            response = await session.send(stream.request(session.settings, position))
        except NotReady as error:
            if waits is not None:
                waits.append(error.wait_seconds)
            continue
        pages.append((position, stream.read(session.settings, position, response)))
        position = pages[-1][1].next
        assert len(pages) < 100
    return pages


def ids(pages: list[tuple[Position, Page]]) -> list[str]:
    return [record.external_id for _, page in pages for record in page.records]


async def test_all_campaigns_are_read_page_by_page(session_to: Any) -> None:
    session = session_to(CONNECTOR, SETTINGS, Direct(campaigns=25, page=10))
    stream = CONNECTOR.stream("campaigns")
    pages = await run(session, "campaigns", stream.start(SETTINGS, begin(NOW)))
    assert ids(pages) == [str(4482911 + n) for n in range(25)]
    for at, (position, _) in enumerate(pages):
        assert ids(await run(session, "campaigns", position)) == ids(pages[at:])


def test_the_sample_says_that_there_is_more() -> None:
    page = CONNECTOR.stream("campaigns").read(
        OWN, {"offset": 0}, answered((SAMPLES / "campaigns.json").read_bytes())
    )
    assert [record.external_id for record in page.records] == ["4482911", "4519307"]
    assert page.next == {"offset": 2}


def test_an_advertiser_without_campaigns() -> None:
    assert CONNECTOR.stream("campaigns").read(OWN, {"offset": 0}, answered({"result": {}})) == Page(
        [], None, done=1.0
    )


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"error": {"error_code": 1}},
        {"result": {"Campaigns": [{"Name": "x"}]}},
        {"result": {"Campaigns": [], "LimitedBy": 0}},
        b"<html>",
    ],
)
def test_an_unknown_list_is_not_an_empty_one(content: bytes | dict[str, Any]) -> None:
    with pytest.raises(VendorChanged):
        CONNECTOR.stream("campaigns").read(OWN, {"offset": 0}, answered(content))


def test_login_is_sent_for_agencies_only() -> None:
    stream = CONNECTOR.stream("campaigns")
    assert stream.request(SETTINGS, {"offset": 0}).headers["Client-Login"] == "shop-moscow"
    assert "Client-Login" not in stream.request(OWN, {"offset": 0}).headers
    assert stream.request(OWN, {"offset": 0}).path == "/json/v501/campaigns"


async def test_costs_of_every_day_once(session_to: Any) -> None:
    session = session_to(CONNECTOR, SETTINGS, Direct())
    waits: list[float] = []
    start = CONNECTOR.stream("ad_spend").start(SETTINGS, begin(datetime(2026, 1, 10, tzinfo=UTC)))
    pages = await run(session, "ad_spend", start, waits)
    expected = [(date(2026, 1, 10) + timedelta(days=n)).isoformat() for n in range(112)]
    assert ids(pages) == [f"{day}|4482911" for day in expected]
    assert waits == [3.0] * 2 * 4  # four windows of thirty days, each queued and built
    assert pages[-1][1].cursor == {"read_to": "2026-05-01", "since": "2026-01-10"}
    assert [page.done for _, page in pages] == sorted(page.done for _, page in pages)  # type: ignore[type-var]


async def test_costs_resume_from_every_position_with_the_same_report(session_to: Any) -> None:
    direct = Direct()
    session = session_to(CONNECTOR, SETTINGS, direct)
    start = CONNECTOR.stream("ad_spend").start(SETTINGS, begin(datetime(2026, 3, 1, tzinfo=UTC)))
    pages = await run(session, "ad_spend", start)
    reports = set(direct.asked)
    for at, (position, _) in enumerate(pages):
        assert await run(session, "ad_spend", position) == pages[at:]
    assert set(direct.asked) == reports


def report_body(settings: DirectSettings, start: Start) -> dict[str, Any]:
    stream = CONNECTOR.stream("ad_spend")
    position = stream.start(settings, start)
    assert position is not None
    request = stream.request(settings, {**position, "currency": "RUB"})
    assert request.path == "/json/v501/reports"
    params: dict[str, Any] = request.json["params"]
    return params


def test_a_report_has_one_name_a_run() -> None:
    since = datetime(2026, 4, 1, tzinfo=UTC)
    name = report_body(SETTINGS, begin(since))["ReportName"]
    assert report_body(SETTINGS, begin(since))["ReportName"] == name
    assert report_body(SETTINGS, begin(since, run=2))["ReportName"] != name
    assert report_body(OWN, begin(since))["ReportName"] != name
    without_vat = DirectSettings(token="secret-token", login="shop-moscow", include_vat=False)
    assert report_body(without_vat, begin(since))["ReportName"] != name
    assert report_body(without_vat, begin(since))["IncludeVAT"] == "NO"


def test_next_run_reads_thirty_days_again() -> None:
    cursor = {"read_to": "2026-04-29", "since": "2026-01-10"}
    params = report_body(SETTINGS, begin(datetime(2026, 1, 10, tzinfo=UTC), cursor))
    assert params["SelectionCriteria"] == {"DateFrom": "2026-03-30", "DateTo": "2026-04-28"}


def test_statistics_older_than_three_years_are_not_asked_for() -> None:
    params = report_body(SETTINGS, begin(datetime(2015, 1, 1, tzinfo=UTC)))
    assert params["SelectionCriteria"]["DateFrom"] == "2023-05-01"


async def test_the_currency_of_the_cabinet_stands_with_each_line(session_to: Any) -> None:
    session = session_to(CONNECTOR, SETTINGS, Direct(currency="KZT"))
    stream = CONNECTOR.stream("ad_spend")
    pages = await run(session, "ad_spend", stream.start(SETTINGS, begin(datetime(2026, 4, 30, tzinfo=UTC))))
    records = [stream.map(SETTINGS, raw.body)[0] for _, page in pages for raw in page.records]  # type: ignore[index]
    assert {record.currency for record in records} == {"KZT"}  # type: ignore[union-attr]


async def test_a_cabinet_in_units_is_refused(session_to: Any) -> None:
    session = session_to(CONNECTOR, SETTINGS, Direct(currency="YND_FIXED"))
    start = CONNECTOR.stream("ad_spend").start(SETTINGS, begin(datetime(2026, 4, 30, tzinfo=UTC)))
    with pytest.raises(BadSettings, match="units"):
        await run(session, "ad_spend", start)
