"""Direct's campaigns and report lines as unified records."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from connectors.errors import BadRecord, VendorChanged
from connectors.yandex_direct import CONNECTOR
from connectors.yandex_direct.report import COLUMNS, report_lines
from connectors.yandex_direct.settings import DirectSettings
from schema.records import AdSpendRecord, CampaignRecord

SAMPLES = Path(__file__).parent / "samples"
SETTINGS = DirectSettings(token="secret-token")


def spend_of(body: bytes) -> AdSpendRecord:
    (record,) = CONNECTOR.stream("ad_spend").map(SETTINGS, body)  # type: ignore[misc]
    assert isinstance(record, AdSpendRecord)
    return record


def campaign_of(wire: dict[str, Any]) -> CampaignRecord:
    (record,) = CONNECTOR.stream("campaigns").map(SETTINGS, json.dumps(wire).encode())  # type: ignore[misc]
    assert isinstance(record, CampaignRecord)
    return record


def table(*rows: str, header: tuple[str, ...] = COLUMNS) -> bytes:
    return ("\n".join(("\t".join(header), *rows)) + "\n").encode()


def lines(content: bytes) -> list[tuple[str, bytes]]:
    return [(record.external_id, record.body) for record in report_lines(content, currency="RUB", vat=True)]


def test_campaigns_of_the_sample() -> None:
    sample = json.loads((SAMPLES / "campaigns.json").read_text())["result"]["Campaigns"]
    first, second = (campaign_of(wire) for wire in sample)
    assert first == CampaignRecord(
        external_id="4482911",
        platform="yandex_direct",
        name="Поиск | Суши Москва",
        state="ON",
        currency="RUB",
        custom={"Type": "TEXT_CAMPAIGN", "Status": "ACCEPTED", "StartDate": "2026-03-14"},
    )
    assert (second.external_id, second.state) == ("4519307", "SUSPENDED")


def test_campaign_with_the_fewest_fields() -> None:
    assert campaign_of({"Id": "18446744073709551617", "Name": "x"}).external_id == "18446744073709551617"
    assert campaign_of({"Id": 1, "Name": "x", "Currency": "YND_FIXED"}).currency is None


def test_campaign_without_a_name_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        campaign_of({"Id": 1})


def test_a_line_becomes_spend() -> None:
    ((key, body),) = lines(table("2026-04-01\t101234567\t1520\t48\t1234.56\tbrand"))
    assert key == "2026-04-01|101234567"
    assert spend_of(body) == AdSpendRecord(
        external_id="2026-04-01|101234567",
        platform="yandex_direct",
        campaign="101234567",
        campaign_name="brand",
        day=date(2026, 4, 1),
        cost=Decimal("1234.56"),
        currency="RUB",
        vat_included=True,
        impressions=1520,
        clicks=48,
    )


def test_currency_and_vat_are_those_of_the_report() -> None:
    (record,) = report_lines(table("2026-04-01\t1\t1\t1\t1.00\tx"), currency="KZT", vat=False)
    spend = spend_of(record.body)
    assert (spend.currency, spend.vat_included) == ("KZT", False)


def test_columns_are_read_by_name() -> None:
    header = ("CampaignName", "Cost", "Sessions", "Date", "Clicks", "Impressions", "CampaignId")
    ((_, body),) = lines(table("brand\t5.00\t9\t2026-04-01\t2\t3\t7", header=header))
    spend = spend_of(body)
    assert (spend.campaign_name, spend.cost, spend.clicks, spend.impressions, spend.campaign) == (
        "brand",
        Decimal("5.00"),
        2,
        3,
        "7",
    )


@pytest.mark.parametrize(
    ("cells", "impressions", "clicks", "cost"),
    [
        ("980\t0\t0.00", 980, 0, "0"),
        ("12\t1\t--", 12, 1, "0"),
        ("--\t--\t--", 0, 0, "0"),
        ("12\t1\t", 12, 1, "0"),
        ("12\t1\t-3.50", 12, 1, "-3.50"),
        ("12\t1\t1234", 12, 1, "1234"),
        ("12\t1\t10000.00", 12, 1, "10000"),
    ],
)
def test_cells_with_and_without_values(cells: str, impressions: int, clicks: int, cost: str) -> None:
    ((_, body),) = lines(table(f"2026-04-01\t7\t{cells}\tbrand"))
    spend = spend_of(body)
    assert (spend.impressions, spend.clicks, spend.cost) == (impressions, clicks, Decimal(cost))


@pytest.mark.parametrize(
    "row",
    [
        "2026-04-01\t7\t12\t1\t1234560000\tbrand",  # millionths
        "2026-04-01\t7\t12\t1\t1,50\tbrand",
        "2026-04-01\t7\t12\t1\tNaN\tbrand",
        "2026-04-01\t7\t1.5\t1\t1.50\tbrand",
        "2026-04-01\tbrand\t12\t1\t1.50\t7",
        "2026-02-30\t7\t12\t1\t1.50\tbrand",
        "01.04.2026\t7\t12\t1\t1.50\tbrand",
        "2026-04-01\t7\t12\t1\t1.50",
        "2026-04-01",
    ],
)
def test_one_odd_line_is_one_bad_record(row: str) -> None:
    good = "2026-04-02\t7\t12\t1\t1.50\tbrand"
    (_, bad), (key, body) = lines(table(row, good))
    with pytest.raises(BadRecord):
        spend_of(bad)
    assert key == "2026-04-02|7"
    assert spend_of(body).cost == Decimal("1.50")


def test_a_tab_in_a_name_shifts_nothing() -> None:
    ((_, body),) = lines(table("2026-04-01\t7\t12\t1\t1.50\tbrand\tspring"))
    spend = spend_of(body)
    assert (spend.campaign_name, spend.cost) == ("brand\tspring", Decimal("1.50"))


def test_a_tab_in_a_name_that_is_not_last_is_one_bad_record() -> None:
    header = ("Date", "CampaignId", "CampaignName", "Impressions", "Clicks", "Cost")
    ragged, good = lines(table("2026-04-01\t7\ta\tb\t12\t1\t1.50", "2026-04-01\t8\tc\t12\t1\t1.50", header=header))
    assert ragged[0].startswith("unreadable:")
    with pytest.raises(BadRecord):
        spend_of(ragged[1])
    assert spend_of(good[1]).campaign == "8"


def test_title_and_total_are_left_out_if_they_come() -> None:
    content = b'"spend (2026-04-01 - 2026-04-02)"\n' + table("2026-04-01\t7\t1\t1\t1.00\tx") + b"Total rows: 1\n"
    assert [key for key, _ in lines(content)] == ["2026-04-01|7"]
    assert lines(content.replace(b"\n", b"\r\n")) == lines(content)


@pytest.mark.parametrize("content", [b"", b"\n", table()])
def test_empty_reports(content: bytes) -> None:
    assert lines(content) == []


@pytest.mark.parametrize(
    "content", [(SAMPLES / "report_in_micros.tsv").read_bytes(), (SAMPLES / "report_goals.tsv").read_bytes()]
)
def test_a_report_that_was_not_asked_for_is_refused(content: bytes) -> None:
    with pytest.raises(VendorChanged, match="CampaignName"):
        lines(content)


def test_a_report_in_millionths_is_refused_line_by_line() -> None:
    content = (SAMPLES / "report_in_micros.tsv").read_text().replace("CampaignId", "CampaignName\tCampaignId")
    first, second = lines(content.replace("101234567\t", "brand\t101234567\t").encode())
    with pytest.raises(BadRecord, match="millionths"):
        spend_of(first[1])
    assert spend_of(second[1]).cost == 0


def test_a_report_in_another_encoding_is_refused() -> None:
    with pytest.raises(VendorChanged, match="UTF-8"):
        lines(table("2026-04-01\t7\t1\t1\t1.00\tx") + "бренд".encode("cp1251"))
