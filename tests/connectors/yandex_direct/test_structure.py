"""Groups, ads and keywords: all of them at first, then those of campaigns that changed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import msgspec
import pytest

from connectors.contract import Page, Position, Start, VendorResponse
from connectors.errors import VendorChanged
from connectors.yandex_direct import CONNECTOR
from connectors.yandex_direct.settings import DirectSettings
from schema.records import AdGroupRecord, AdRecord, KeywordRecord

SETTINGS = DirectSettings(token="secret-token")
NOW = datetime(2026, 4, 30, 22, 30, tzinfo=UTC)
CLOCK = "2026-04-30T22:29:59Z"


def begin(cursor: dict[str, Any] | None = None) -> Start:
    return Start(cursor=cursor, now=NOW, since=NOW, run_id=UUID(int=1))


class Cabinet:
    """Campaigns of three groups each; lists go by ten campaigns, and by ``page`` objects."""

    def __init__(self, campaigns: int, page: int = 10_000, changed: tuple[tuple[int, str], ...] = ()) -> None:
        self.campaigns = list(range(1001, 1001 + campaigns))
        self.page = page
        self.changed = changed
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        name, params = request.url.path.rsplit("/", 1)[1], body["params"]
        self.asked.append(f"{name}.{body['method']}")
        match self.asked[-1]:
            case "changes.checkDictionaries":
                assert params == {}
                result: dict[str, Any] = {"Timestamp": CLOCK}
            case "changes.checkCampaigns":
                assert params == {"Timestamp": "2026-04-29T00:00:00Z"}
                told = [{"CampaignId": number, "ChangesIn": [what]} for number, what in self.changed]
                result = {"Campaigns": told, "Timestamp": CLOCK}
            case "campaigns.get":
                result = self.part("Campaigns", [{"Id": number} for number in self.campaigns], params)
            case "adgroups.get":
                wanted = params["SelectionCriteria"]["CampaignIds"]
                assert 1 <= len(wanted) <= 10
                groups = [
                    {"Id": number * 10 + n, "CampaignId": number, "Name": f"Группа {n}"}
                    for number in wanted
                    for n in range(3)
                ]
                result = self.part("AdGroups", groups, params)
            case other:
                raise AssertionError(other)
        return httpx.Response(200, json={"result": result})

    def part(self, key: str, objects: list[dict[str, Any]], params: dict[str, Any]) -> dict[str, Any]:
        offset = params["Page"]["Offset"]
        shown = objects[offset : offset + self.page]
        result: dict[str, Any] = {key: shown} if shown else {}
        if offset + self.page < len(objects):
            result["LimitedBy"] = offset + self.page
        return result


async def run(session: Any, position: Position | None) -> list[tuple[Position, Page]]:
    stream = CONNECTOR.stream("ad_groups")
    pages: list[tuple[Position, Page]] = []
    while position is not None:
        position = json.loads(json.dumps(position))
        assert position is not None
        response = await session.send(stream.request(SETTINGS, position))
        pages.append((position, stream.read(SETTINGS, position, response)))
        position = pages[-1][1].next
        assert len(pages) < 200
    return pages


def ids(pages: list[tuple[Position, Page]]) -> list[int]:
    return [int(record.external_id) for _, page in pages for record in page.records]


@pytest.mark.parametrize(("campaigns", "page"), [(0, 10_000), (1, 10_000), (10, 10_000), (25, 7), (25, 30)])
async def test_first_run_reads_the_groups_of_all_campaigns(session_to: Any, campaigns: int, page: int) -> None:
    cabinet = Cabinet(campaigns, page)
    session = session_to(CONNECTOR, SETTINGS, cabinet)
    pages = await run(session, CONNECTOR.stream("ad_groups").start(SETTINGS, begin()))
    assert ids(pages) == [number * 10 + n for number in cabinet.campaigns for n in range(3)]
    assert [page.cursor for _, page in pages[:-1]] == [None] * (len(pages) - 1)
    assert pages[-1][1].cursor == {"timestamp": CLOCK}
    shares = [page.done for _, page in pages]
    assert shares == sorted(shares)  # type: ignore[type-var]
    assert shares[-1] == 1.0


async def test_reading_resumes_from_every_position(session_to: Any) -> None:
    session = session_to(CONNECTOR, SETTINGS, Cabinet(25, 7))
    pages = await run(session, CONNECTOR.stream("ad_groups").start(SETTINGS, begin()))
    for at, (position, _) in enumerate(pages):
        assert await run(session, position) == pages[at:]


async def test_later_runs_read_what_changed(session_to: Any) -> None:
    cabinet = Cabinet(25, changed=((1003, "SELF"), (1005, "STAT"), (1007, "CHILDREN")))
    session = session_to(CONNECTOR, SETTINGS, cabinet)
    start = CONNECTOR.stream("ad_groups").start(SETTINGS, begin({"timestamp": "2026-04-29T00:00:00Z"}))
    pages = await run(session, start)
    assert ids(pages) == [10030, 10031, 10032, 10070, 10071, 10072]
    assert pages[-1][1].cursor == {"timestamp": CLOCK}
    assert cabinet.asked == ["changes.checkCampaigns", "adgroups.get"]


async def test_nothing_changed(session_to: Any) -> None:
    session = session_to(CONNECTOR, SETTINGS, Cabinet(25, changed=((1005, "STAT"),)))
    start = CONNECTOR.stream("ad_groups").start(SETTINGS, begin({"timestamp": "2026-04-29T00:00:00Z"}))
    pages = await run(session, start)
    assert (ids(pages), len(pages)) == ([], 1)
    assert pages[-1][1].cursor == {"timestamp": CLOCK}


@pytest.mark.parametrize("stream", ["ad_groups", "ads", "keywords"])
@pytest.mark.parametrize(
    "result",
    [
        {"AdGroups": {}, "Ads": {}, "Keywords": {}},
        {"AdGroups": [{}], "Ads": [{}], "Keywords": [{}]},
        {"LimitedBy": 0},
        {"LimitedBy": "many"},
        [],
    ],
)
def test_an_unknown_list_is_not_an_empty_one(stream: str, result: Any) -> None:
    position = {"step": "objects", "campaigns": [1], "offset": 0, "timestamp": CLOCK, "of": 1}
    answer = VendorResponse(200, httpx.Headers(), json.dumps({"result": result}).encode())
    with pytest.raises(VendorChanged):
        CONNECTOR.stream(stream).read(SETTINGS, position, answer)


@pytest.mark.parametrize("step", ["clock", "changes"])
def test_changes_without_a_clock_are_refused(step: str) -> None:
    answer = VendorResponse(200, httpx.Headers(), b'{"result":{"Campaigns":[]}}')
    with pytest.raises(VendorChanged):
        CONNECTOR.stream("ads").read(SETTINGS, {"step": step, "since": CLOCK}, answer)


@pytest.mark.parametrize(
    ("stream", "wire", "record"),
    [
        (
            "ad_groups",
            {"Id": 5391681688, "CampaignId": 97920422, "Name": "Горячие"},
            AdGroupRecord(external_id="5391681688", platform="yandex_direct", campaign="97920422", name="Горячие"),
        ),
        (
            "ads",
            {"Id": 1, "AdGroupId": 2, "TextAd": {"Title": "Уборка", "Href": "https://e.com/?utm_content={ad_id}"}},
            AdRecord(
                external_id="1",
                platform="yandex_direct",
                ad_group="2",
                title="Уборка",
                landing_url="https://e.com/?utm_content={ad_id}",
            ),
        ),
        (
            "ads",
            {"Id": 1, "AdGroupId": 2, "ResponsiveAd": {"Titles": ["А", "Б"], "Href": "https://e.com/"}},
            AdRecord(
                external_id="1", platform="yandex_direct", ad_group="2", title="А", landing_url="https://e.com/"
            ),
        ),
        (
            "ads",
            {"Id": 1, "AdGroupId": 2, "Type": "IMAGE_AD", "ResponsiveAd": {"Titles": []}},
            AdRecord(external_id="1", platform="yandex_direct", ad_group="2"),
        ),
        (
            "keywords",
            {"Id": "3", "AdGroupId": 2, "Keyword": "---autotargeting"},
            KeywordRecord(external_id="3", platform="yandex_direct", ad_group="2", text="---autotargeting"),
        ),
    ],
)
def test_objects_as_records(stream: str, wire: dict[str, Any], record: Any) -> None:
    assert CONNECTOR.stream(stream).map(SETTINGS, json.dumps(wire).encode()) == [record]


@pytest.mark.parametrize(("stream", "wire"), [("ads", {"Id": 1}), ("keywords", {"Id": 1, "AdGroupId": 2})])
def test_objects_that_lack_what_they_are(stream: str, wire: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        CONNECTOR.stream(stream).map(SETTINGS, json.dumps(wire).encode())
