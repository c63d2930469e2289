"""``skvoz identity`` as a person runs it."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from uuid import UUID

import pytest
from click.testing import CliRunner
from rich.console import Console

from api.command.identity import command, show
from core.settings import Settings
from sync.identity.clusters import NodeKey
from sync.identity.whole import Checked, Difference


def run(*arguments: str) -> str:
    found = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return " ".join(found.output.split())


def test_after_a_repair_a_check_finds_nothing(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert settings.database_url is not None
    assert settings.master_key is not None
    monkeypatch.setenv("SKVOZ_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DATABASE_URL", settings.database_url.get_secret_value())
    monkeypatch.setenv("SKVOZ_MASTER_KEY", settings.master_key.get_secret_value())
    assert "clients touched" in run("repair")
    assert "All of them are stored so." in run("check")


def test_differences_are_told_record_by_record() -> None:
    key = NodeKey("person", "phone", "+79161112201")
    difference = Difference((UUID(int=1), UUID(int=2)), (UUID(int=3), None))
    out = StringIO()
    show(Console(file=out, width=200), Checked(9, 4, 2, (difference,), (key,), (key,)))
    told = out.getvalue()
    assert f"{UUID(int=1)}, {UUID(int=2)}: of {UUID(int=3)}, nobody" in told
    assert "must join nobody" in told
    assert "joins nobody as stored" in told
    assert "skvoz identity repair" in told
