"""`skvoz report` with several models, cohorts and earlier periods."""

from __future__ import annotations

import asyncio
import json

import pytest
from click.testing import CliRunner

from api.command.report import command
from core.database import open_database
from core.errors import SettingsError
from core.settings import Settings
from tests.api.market import Market, uuid
from tests.api.shop import journeys


def run(*arguments: str) -> str:
    found = CliRunner().invoke(command, [*arguments, "--json", "-"], catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return found.output


async def _fill(settings: Settings) -> None:
    async with open_database(settings) as database:
        await journeys(Market(database, uuid("workspace", 1), uuid("kconnection", 1)))


def test_models_cohorts_and_earlier_periods(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    asyncio.run(_fill(settings))
    monkeypatch.setattr("api.command.running.load_settings", lambda: settings)
    march, april = ("--from", "2026-03-01", "--to", "2026-03-31"), ("--from", "2026-04-01", "--to", "2026-04-30")
    both = {row["campaign"]: row["credits"] for row in json.loads(run(*march, "--models", "linear,first_touch"))}
    assert both["Campaign 2"]["linear"] == {"conversions": "0.5", "value": "50.01"}
    assert both["Campaign 1"]["first_touch"] == {"conversions": "1", "value": "100.01"}
    alone = {row["campaign"]: row for row in json.loads(run(*march, "--model", "linear"))}
    assert (alone["Campaign 1"]["won_deals"], alone["Campaign 1"]["revenue"]) == (0.5, 50.0)
    later = {row["campaign"]: row["metrics"] for row in json.loads(run(*april, "--compare", "previous_period"))}
    assert later["Campaign 2"]["revenue"] == {
        "now": "0", "before": "100.01", "difference": "-100.01", "percent": "-100.00"
    }  # fmt: skip
    shown = CliRunner().invoke(command, [*march, "--models", "all"], env={"COLUMNS": "200"}, catch_exceptions=False)
    assert "Shapley" in shown.output


@pytest.mark.parametrize(
    "wrong", [("--models", "best"), ("--models", "all", "--compare", "last_year"), ("--window", "900")]
)
def test_what_can_not_be_asked(settings: Settings, monkeypatch: pytest.MonkeyPatch, wrong: tuple[str, ...]) -> None:
    monkeypatch.setattr("api.command.running.load_settings", lambda: settings)
    with pytest.raises(SettingsError):
        CliRunner().invoke(command, [*wrong], catch_exceptions=False)
