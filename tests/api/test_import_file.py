"""``skvoz import`` as a person runs it."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from api.command.import_file import command
from core.settings import Settings
from sync.errors import SettingsRefused

COSTS = "Дата;Потрачено за день;Кампания\n01.03.2026;1 234,50;Весна\n02.03.2026;пять;Весна\n"


@pytest.fixture
def costs(tmp_path: Path) -> Path:
    path = tmp_path / "март.csv"
    path.write_bytes(COSTS.encode("cp1251"))
    return path


def run(*arguments: str | Path) -> str:
    found = CliRunner().invoke(command, [str(each) for each in arguments], catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return " ".join(found.output.split())


def test_a_preview_shows_the_guess_and_stores_nothing(costs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKVOZ_HOME", str(costs.parent / "home"))
    shown = run(costs, "--kind", "costs", "--set", "source=vk", "--preview")
    assert "text in cp1251, parted by semicolons" in shown
    assert "campaign: vk/cpc/весна" in shown
    assert "cost: 1234.50" in shown
    assert "Would be quarantined: Row 3: 'пять' is no number." in shown
    assert not (costs.parent / "home").exists()


def test_a_column_is_named_by_hand(costs: Path) -> None:
    asked = (costs, "--kind", "costs", "--set", "source=vk", "--preview", "--map", "Потрачено за день=-")
    with pytest.raises(SettingsRefused, match="No column was found for cost"):
        run(*asked)
    assert "cost: 1234.50" in run(*asked[:-1], "Потрачено за день=cost")


def test_importing_twice_adds_nothing(costs: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings.database_url is not None
    assert settings.master_key is not None
    monkeypatch.setenv("SKVOZ_HOME", str(costs.parent / "home"))
    monkeypatch.setenv("DATABASE_URL", settings.database_url.get_secret_value())
    monkeypatch.setenv("SKVOZ_MASTER_KEY", settings.master_key.get_secret_value())
    monkeypatch.setenv("COLUMNS", "200")
    arguments = (costs, "--kind", "costs", "--set", "source=vk")
    first = run(*arguments)
    assert "Costs from files 2 1 0 0 0 1 0" in first  # fetched, created, …, quarantined, deleted
    assert "Quarantined Row 3: 'пять' is no number." in first
    assert "Costs from files 0 0 0 0 0 0 0" in run(*arguments)


def test_a_file_that_is_no_table_is_refused_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "costs.xlsx"
    path.write_bytes(b"PK\x03\x04nothing")
    with pytest.raises(SettingsRefused, match="The workbook is damaged: open it in Excel"):
        run(path, "--kind", "costs", "--preview")
