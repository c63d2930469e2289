"""``skvoz attribute`` on the terminal."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from api.command import cli
from core.errors import SettingsError

SHOP = """journey,time,channel,conversion,value
a,2026-03-01T10:00,paid_search,0,
a,2026-03-03T10:00,email,1,100.01
b,2026-03-01T11:00,organic,0,
"""


@pytest.fixture
def shop(tmp_path: Path) -> str:
    file = tmp_path / "shop.csv"
    file.write_text(SHOP)
    return str(file)


def test_a_table_shows_channels_by_models_with_totals(shop: str) -> None:
    result = CliRunner().invoke(cli, ["attribute", shop, "--models", "linear,first_touch"])
    assert result.exit_code == 0
    rows = [line.split() for line in result.stdout.splitlines() if line.split()]
    assert ["email", "0.00", "0.50"] in rows
    assert ["Total", "100.01", "100.01"] in rows
    assert "2 journeys, 1 converted, 3 touches." in result.stderr


def test_csv_and_json_are_for_machines(shop: str, tmp_path: Path) -> None:
    written = CliRunner().invoke(cli, ["attribute", shop, "--models", "linear", "--format", "csv"]).stdout
    rows = list(csv.DictReader(io.StringIO(written)))
    assert rows[0] == {
        "channel": "email", "campaign": "", "model": "linear", "conversions": "0.500000", "value": "50.01"
    }  # fmt: skip
    out = tmp_path / "out.json"
    assert CliRunner().invoke(cli, ["attribute", shop, "--format", "json", "-o", str(out)]).exit_code == 0
    answer = json.loads(out.read_text())
    assert answer["models"]["markov"]["credits"][0]["conversions"] == "0.500000"
    assert len(answer["models"]) == 10


def test_weights_are_the_users(shop: str) -> None:
    arguments = ["attribute", shop, "--models", "position_based", "--position", "1,0,3", "--format", "csv"]
    assert "email,,position_based,0.750000" in CliRunner().invoke(cli, arguments).stdout


@pytest.mark.parametrize(
    ("option", "says"),
    [
        (["--models", "best"], "no model best"),
        (["--position", "1,2"], "three whole numbers"),
        (["--half-life", "0"], "more than 0 days"),
    ],
)
def test_bad_settings_are_told_in_a_sentence(shop: str, option: list[str], says: str) -> None:
    result = CliRunner().invoke(cli, ["attribute", shop, *option])
    assert isinstance(result.exception, SettingsError)
    assert says in str(result.exception)
