"""The analysts' notebook runs from its first cell to its last against the API."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from api.tokens import create_token
from core.settings import Settings
from schema.enums import Role
from tests.api.conftest import serving
from tests.api.market import Market
from tests.api.shop import journeys

NOTEBOOK = Path(__file__).parents[2] / "docs" / "notebook.ipynb"


def test_it_keeps_no_outputs() -> None:
    """What a person's account holds has no place in the documentation."""
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    assert all(cell["outputs"] == [] for cell in cells if cell["cell_type"] == "code")
    first = next(cell for cell in cells if cell["cell_type"] == "code")
    assert len([line for line in first["source"] if line.strip()]) <= 10


async def test_it_runs(settings: Settings, market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    await journeys(market)
    token = await create_token(market.database, market.workspace_id, Role.ANALYST, "notebook")
    async with serving(settings, market) as address:
        monkeypatch.setenv("SKVOZ_URL", address)
        monkeypatch.setenv("SKVOZ_TOKEN", token)
        monkeypatch.setenv("MPLBACKEND", "agg")
        known = await asyncio.to_thread(run, NOTEBOOK)
    assert {row["name"] for row in known["top"]} >= {"Campaign 2"}
    assert len(known["plt"].gcf().axes[0].lines) == 2
    assert known["models"]["totals"]["credits"][0]["value"] == "100.01"
    known["plt"].close("all")
    known["api"].close()


def run(notebook: Path) -> dict[str, Any]:
    """Execute the code cells in their order; gives what they defined."""
    known: dict[str, Any] = {}
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), cell["id"], "exec"), known)  # noqa: S102 - the notebook is ours
    return known
