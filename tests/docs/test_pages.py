"""The pages say what the code says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from graphql import build_schema, parse, validate

from api.command.demo import QUERIES
from connectors.registry import all_connectors
from docs import generate

ROOT = Path(__file__).parents[2]
WRITTEN = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_generated_parts_are_current() -> None:
    assert generate.outdated() == [], "run `make docs`"


def test_every_connector_has_its_page() -> None:
    for key in all_connectors():
        page = (ROOT / "docs" / "connect" / f"{key}.md").read_text(encoding="utf-8")
        assert f"<!-- generated: connection {key} -->" in page


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_within_the_repository_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?://|#)([^)#\s]+)", text):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_queries_that_people_are_told_to_paste_are_valid() -> None:
    schema = build_schema((ROOT / "schema" / "schema.graphql").read_text(encoding="utf-8"))
    written = re.findall(r"```graphql\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    period = {"start": "2026-01-01", "end": "2026-01-31"}
    shown = [query % period if "%(" in query else query for _, query in QUERIES]
    assert len(written) >= 3
    for query in (*written, *shown):
        assert validate(schema, parse(query)) == [], query
