"""``skvoz fields`` as a person runs it."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from api.command.fields import command
from api.command.import_file import command as import_file
from core.settings import Settings
from sync.errors import Refused

DEALS = """Дата;Название;Телефон;Сумма;Менеджер
01.03.2026;Кухня;79161204578;100;Дорого
02.03.2026;Шкаф;79161204579;7;
"""


def run(*arguments: str) -> str:
    found = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return " ".join(found.output.replace("│", " ").split())


def test_a_column_of_a_file_fills_a_field_and_is_taken_back(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert settings.database_url is not None
    assert settings.master_key is not None
    monkeypatch.setenv("SKVOZ_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DATABASE_URL", settings.database_url.get_secret_value())
    monkeypatch.setenv("SKVOZ_MASTER_KEY", settings.master_key.get_secret_value())
    monkeypatch.setenv("COLUMNS", "200")
    file = tmp_path / "deals.csv"
    file.write_text(DEALS)
    CliRunner().invoke(import_file, [str(file), "--kind", "deals"], catch_exceptions=False)

    assert "deal manager manager text 50%" in run("list", "file")
    assert "Дорого" in run("list", "file", "--samples")
    shown = run("map", "file", "deal", "manager", "lost_reason", "--dry-run")
    assert "1 of the 1 newest records of 1 change" in shown
    assert "lost_reason" not in run("list", "file")
    assert "Set. 1 stored records were mapped anew." in run("map", "file", "deal", "manager", "lost_reason")
    assert "50% lost_reason" in run("list", "file")
    with pytest.raises(Refused, match="can be filled from datetime"):
        run("map", "file", "deal", "manager", "closed_at")
    assert "Taken back. 1 stored records were mapped anew." in run("unmap", "file", "deal", "lost_reason")
    assert "lost_reason" not in run("list", "file")
    assert "Before" in run("changes", "file")


def test_what_can_be_filled_is_listed() -> None:
    shown = run("targets", "company")
    assert "tax_id" in shown
    assert "lost_reason" not in shown
