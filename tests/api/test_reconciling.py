# ruff: noqa: E501 - queries read better unbroken
"""Our figures beside a system's own, over the API and on the terminal."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest
from click.testing import CliRunner

from api.command.reconcile import command
from core.database import open_database
from core.settings import Settings
from tests.api.conftest import Api
from tests.api.market import Market, uuid
from tests.api.shop import YEAR, journeys

QUERY = """query ($id: ID!, $measure: ReconciledMeasure!, $from: Date!, $to: Date!, $by: ReconciliationGrain! = SOURCE) {
    reconciliation(connection: $id, measure: $measure, from: $from, to: $to, by: $by) {
        rows { campaign name day theirs ours differences { cause amount } }
        totals { theirs ours differences { cause amount } } } }"""


async def test_reconciliation(api: Api) -> None:
    await journeys(api.market)
    connection = f"ConnectedSystem:{api.market.connection_id}"
    asked = {"id": connection, "measure": "CLICKS", **YEAR}
    found = (await api.data(QUERY, asked))["reconciliation"]
    assert found["totals"] == {"theirs": "3", "ours": "1", "differences": [{"cause": "NO_VISIT", "amount": "-2"}]}
    assert [row["name"] for row in found["rows"]] == ["Campaign 1"]
    cost = (await api.data(QUERY, {**asked, "measure": "COST", "by": "DAY"}))["reconciliation"]
    assert [(row["day"], row["theirs"], row["ours"]) for row in cost["rows"]] == [
        (f"2026-03-0{day}", "100.50", "100.50") for day in (1, 2, 3)
    ]
    calls = (await api.data(QUERY, {**asked, "measure": "CALLS"}))["reconciliation"]
    for row in (*calls["rows"], calls["totals"]):
        differences = sum(Decimal(each["amount"]) for each in row["differences"])
        assert Decimal(row["theirs"]) + differences == Decimal(row["ours"])
    assert (await api.data(QUERY, {**asked, "id": f"ConnectedSystem:{uuid('x', 1)}"}))["reconciliation"] is None
    assert await api.code(QUERY, {**asked, "id": "x"}) == "BAD_USER_INPUT"


def test_on_the_terminal(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fill() -> None:
        async with open_database(settings) as database:
            await journeys(Market(database, uuid("workspace", 1), uuid("kconnection", 1)))

    asyncio.run(fill())
    monkeypatch.setattr("api.command.running.load_settings", lambda: settings)
    days = ["--from", "2026-03-01", "--to", "2026-03-31"]
    shown = CliRunner().invoke(command, ["CRM", "--measure", "clicks", *days], catch_exceptions=False)
    assert shown.exit_code == 0
    assert "no visit" in shown.output
