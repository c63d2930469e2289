"""``skvoz golden`` as a person runs it."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from api.command.golden import command
from core.errors import SkvozError
from core.settings import Settings


def run(*arguments: str) -> str:
    found = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return " ".join(found.output.replace("│", " ").split())


def test_rules_are_tried_set_listed_and_taken_back(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert settings.database_url is not None
    assert settings.master_key is not None
    monkeypatch.setenv("SKVOZ_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DATABASE_URL", settings.database_url.get_secret_value())
    monkeypatch.setenv("SKVOZ_MASTER_KEY", settings.master_key.get_secret_value())
    monkeypatch.setenv("COLUMNS", "200")
    assert "newest clients of" in run("set", "name=oldest", "--dry-run")
    assert "oldest" not in run("list")
    assert "Set." in run("set", "name=oldest", "phone=preferred_source:bitrix24", "--trust", "bitrix24=0.3")
    shown = run("list")
    assert "name oldest" in shown
    assert "is trusted 0.3 of 1." in shown
    assert "Taken back." in run("undo")
    assert "oldest" not in run("list")
    with pytest.raises(SkvozError, match="most_complete"):
        run("set", "name=loudest")
