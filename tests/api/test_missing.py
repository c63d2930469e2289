# ruff: noqa: E501 - queries read better unbroken
"""Why a record is missing, over the API and on the terminal."""

from __future__ import annotations

import asyncio

import pytest
from click.testing import CliRunner

from api.command.why_missing import command
from core.database import open_database
from core.errors import SettingsError
from core.settings import Settings
from tests.api.conftest import Api
from tests.api.market import Market, uuid
from tests.api.shop import YEAR, journeys

WHY = "query ($record: ID!) { whyMissing(record: $record) { record kind connector day campaign failed tests { test passed said fix } } }"
ALL = """query ($from: Date!, $to: Date!, $kind: RecordKind!) { missingRecords(kind: $kind, from: $from, to: $to) {
    figure records counted inReport moneyInReport otherDays sources read skipped unreadable moreOfOne
    lines { outcome reason number money } } }"""


async def test_one_record(api: Api) -> None:
    await journeys(api.market)
    (deal,) = (await api.data(WHY, {"record": f"Deal:{uuid('deal', 91)}"}))["whyMissing"]
    assert (deal["kind"], deal["failed"], deal["day"]) == ("DEAL", None, "2026-03-11")
    assert deal["campaign"].startswith("Campaign:")
    (opened,) = (await api.data(WHY, {"record": str(uuid("deal", 2))}))["whyMissing"]
    assert (opened["failed"], opened["connector"]) == ("WON", "bitrix24")
    (never,) = (await api.data(WHY, {"record": "never"}))["whyMissing"]
    assert (never["record"], never["failed"]) == (None, "LOADED")
    half = """{ whyMissing(record: "1", from: "2026-01-01") { failed } }"""
    assert await api.code(half) == "BAD_USER_INPUT"


async def test_all_records(api: Api) -> None:
    await journeys(api.market)
    found = (await api.data(ALL, {**YEAR, "kind": "DEAL"}))["missingRecords"]
    assert found["figure"] == "wonDeals"
    assert (found["counted"], found["inReport"], found["moneyInReport"]) == (1, "1", "100.01")
    assert found["records"] == sum(line["number"] for line in found["lines"]) == found["read"] + found["moreOfOne"]
    assert found["sources"] == found["read"] + found["skipped"] + found["unreadable"]
    assert await api.code(ALL, {**YEAR, "kind": "TASK"}) == "BAD_USER_INPUT"


def test_on_the_terminal(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fill() -> None:
        async with open_database(settings) as database:
            await journeys(Market(database, uuid("workspace", 1), uuid("kconnection", 1)))

    asyncio.run(fill())
    monkeypatch.setattr("api.command.running.load_settings", lambda: settings)
    one = CliRunner().invoke(command, [str(uuid("deal", 2))], catch_exceptions=False)
    assert "Missing from the campaigns: won." in one.output
    days = ["--from", "2026-03-01", "--to", "2026-03-31"]
    many = CliRunner().invoke(command, ["--all", "deal", *days], catch_exceptions=False)
    assert "in the report (won_deals)" in many.output
    with pytest.raises(SettingsError):
        CliRunner().invoke(command, [], catch_exceptions=False)
