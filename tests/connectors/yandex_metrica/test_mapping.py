"""Visits out of the table: ids whole, times in the counter's zone, sources in the unified words."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.errors import BadRecord, VendorChanged
from connectors.yandex_metrica.mapping import map_visit
from connectors.yandex_metrica.settings import MetricaSettings
from connectors.yandex_metrica.table import FIELDS, NAMES, visit_lines
from schema.enums import Channel
from schema.records import VisitRecord
from schema.traffic import origin
from tests.connectors.yandex_metrica.conftest import table

SAMPLES = Path(__file__).parent / "samples"
SETTINGS = MetricaSettings(token="secret-token", counter_id="12345678")


def visits(content: bytes, zone: str = "Europe/Moscow") -> list[Any]:
    lines = visit_lines(content, counter="12345678", zone=zone)
    return [record for line in lines for record in map_visit(SETTINGS, line.body)]


def visit(zone: str = "Europe/Moscow", **cells: str) -> VisitRecord:
    (record,) = visits(table(cells), zone)
    assert isinstance(record, VisitRecord)
    return record


def test_a_visit_whole() -> None:
    found = visit()
    assert found.external_id == "12345678/2026/9007199254740993001"
    assert found.started_at == datetime(2026, 4, 3, 7, 2, 11, tzinfo=UTC)
    assert found.visitor_ids == ("ym:1775109228651162001",)
    assert (found.device, found.city) == ("mobile", "Москва")
    assert found.traffic.click_id == "12345678901234567890"
    assert (found.traffic.platform, found.traffic.campaign) == ("yandex_direct", "101234567")
    assert (found.traffic.ad_group, found.traffic.ad) == ("5001", "777")
    assert found.custom == {
        "goals": ["123", "456"],
        "pageViews": 4,
        "visitDuration": 125,
        "isNewUser": True,
        "bounce": False,
        "directPhraseOrCond": "уборка квартир",
    }


def test_the_counters_zone_decides_the_time() -> None:
    assert visit("Asia/Yekaterinburg").started_at == datetime(2026, 4, 3, 5, 2, 11, tzinfo=UTC)


def test_the_columns_may_come_in_any_order_and_the_record_is_the_same() -> None:
    shuffled = tuple(sorted(FIELDS, key=lambda name: name[::-1]))
    first = visit_lines(table({}), counter="1", zone="UTC")
    assert visit_lines(table({}, columns=shuffled), counter="1", zone="UTC") == first


def test_the_documented_sample_reads_when_it_holds_the_fields_asked_for() -> None:
    sample = (SAMPLES / "synthetic_visits.tsv").read_text()
    with pytest.raises(VendorChanged, match="no column ym:s:date,"):
        visits(sample.encode())
    header, *lines = [line.split("\t") for line in sample.rstrip("\n").split("\n")]
    told = [dict(zip(header, line + [""] * len(header), strict=False)) for line in lines]
    own = [
        {field: row.get(name, row.get(name.replace("ym:s:last", "ym:s:lastsign"), "")) for field, name in
         zip(FIELDS, NAMES, strict=True)} | {"date": row["ym:s:dateTime"][:10]}
        for row in told
    ]  # fmt: skip
    first, second = visits(table(*own))
    assert first.external_id == "12345678/2026/9007199254740993001"
    assert first.traffic.campaign == "101234567"
    assert second.visitor_ids == ("ym:1775109228651162002",)
    understood = origin(second.traffic)
    assert understood is not None
    assert (understood.channel, understood.campaign) == (Channel.DIRECT, None)


NO_AD = {
    "lastDirectClickOrder": "0",
    "lastDirectBannerGroup": "0",
    "lastDirectClickBanner": "",
    "lastUTMSource": "",
    "lastUTMMedium": "",
    "lastUTMCampaign": "",
    "lastAdvEngine": "",
    "startURL": "https://example.com/",
}


@pytest.mark.parametrize(
    ("kind", "cells", "source", "channel"),
    [
        ("organic", {"lastSearchEngineRoot": "Yandex"}, "yandex", Channel.ORGANIC),
        ("direct", {}, "(direct)", Channel.DIRECT),
        ("internal", {}, "(direct)", Channel.DIRECT),
        ("saved", {}, "(direct)", Channel.DIRECT),
        ("referral", {"lastReferalSource": "blog.example"}, "blog.example", Channel.REFERRAL),
        ("referral", {"referer": "https://shop.example/x"}, "shop.example", Channel.REFERRAL),
        ("social", {"lastSocialNetwork": "vkontakte"}, "vkontakte", Channel.SOCIAL),
        ("email", {}, "email", Channel.EMAIL),
        ("ad", {"lastAdvEngine": "google_adwords"}, "google", Channel.PAID_SEARCH),
        ("ad", {"lastAdvEngine": "vk"}, "vk", Channel.PAID_SOCIAL),
        ("qrcode", {}, "qrcode", Channel.REFERRAL),
    ],
)
def test_a_source_without_tags(kind: str, cells: dict[str, str], source: str, channel: Channel) -> None:
    understood = origin(visit(**(NO_AD | {"lastTrafficSource": kind} | cells)).traffic)
    assert understood is not None
    assert (understood.source, understood.channel, understood.campaign) == (source, channel, None)


def test_what_metrica_knows_nothing_of_has_no_origin() -> None:
    assert origin(visit(**(NO_AD | {"lastTrafficSource": "undefined"})).traffic) is None


def test_cells_lose_clickhouses_escapes() -> None:
    found = visit(startURL=r"https://example.com/?a=\'b\'&t=x\ty\\z", regionCity=r"\N", goalsID="[]")
    assert found.landing_url == "https://example.com/?a='b'&t=x\ty\\z"
    assert found.city is None
    assert found.custom is not None
    assert "goals" not in found.custom


def test_zeros_are_no_ids() -> None:
    found = visit(**(NO_AD | {"clientID": "0"}))
    assert (found.visitor_ids, found.traffic.platform) == ((), None)


def test_empty_parts_hold_no_visits() -> None:
    assert visits(b"") == []
    assert visits(table()) == []


def test_a_line_that_does_not_fit_is_one_bad_record() -> None:
    content = table({}) + b"1\t2\t3\n"
    good, bad = visit_lines(content, counter="1", zone="UTC")
    assert map_visit(SETTINGS, good.body)
    with pytest.raises(BadRecord, match="as many cells"):
        map_visit(SETTINGS, bad.body)


@pytest.mark.parametrize("cells", [{"dateTime": "03.04.2026"}, {"visitID": ""}, {"date": ""}])
def test_a_visit_without_time_or_number_is_refused(cells: dict[str, str]) -> None:
    with pytest.raises(BadRecord):
        visit(**cells)


def test_a_table_that_is_no_text_is_another_vendor() -> None:
    with pytest.raises(VendorChanged, match="UTF-8"):
        visits("таблица".encode("cp1251"))


def test_the_fields_fit_into_one_request() -> None:
    assert len(",".join(NAMES)) <= 3000
