"""The monthly report on the terminal and over HTTP."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from click.testing import CliRunner

from api.command.client_report import command
from core.database import open_database
from core.errors import SettingsError
from core.settings import Settings
from schema.enums import Role
from tests.api.conftest import Api
from tests.api.market import Market, uuid
from tests.api.shop import journeys


async def test_over_http(api: Api) -> None:
    await journeys(api.market)
    page = await api.http.get("/report/2026-03.html?lang=en")
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "Campaign 2" in page.text
    assert "Deal 91" in page.text
    one = await api.http.get(f"/report/2026-03.pdf?client=Client:{uuid('client', 7)}")
    assert one.content.startswith(b"%PDF-")
    analyst = await api.as_role(Role.ANALYST)
    masked = await analyst.http.get("/report/2026-03.html")
    assert masked.status_code == 200
    assert "Deal 91" not in masked.text
    for path, status in (
        ("2026-13.html", 400),
        ("2026-03.gif", 400),
        ("2026-03.html?lang=de", 400),
        ("2026-03.html?year=1", 400),
        ("2026-03.html?client=7", 400),
        (f"2026-03.html?client=Client:{uuid('client', 99)}", 404),
    ):
        assert (await api.http.get(f"/report/{path}")).status_code == status, path
    other = await api.as_role(Role.INTEGRATION)
    assert (await other.http.get("/report/2026-03.html")).status_code == 403
    assert (await api.http.get("/report/2026-03.html", headers={"Authorization": ""})).status_code == 401
    assert (await api.http.post("/report/2026-03.html")).status_code == 405


def test_on_the_terminal(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async def fill() -> None:
        async with open_database(settings) as database:
            await journeys(Market(database, uuid("workspace", 1), uuid("kconnection", 1)))

    asyncio.run(fill())
    monkeypatch.setattr("api.command.running.load_settings", lambda: settings)
    for name in ("a.html", "a.pdf"):
        asked = ["--month", "2026-03", "--to-file", str(tmp_path / name)]
        assert CliRunner().invoke(command, asked, catch_exceptions=False).exit_code == 0
        assert (tmp_path / name).stat().st_size > 10_000
    with pytest.raises(SettingsError, match=r"\.html or \.pdf"):
        CliRunner().invoke(command, ["--to-file", "a.doc"], catch_exceptions=False)
