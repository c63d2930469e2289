"""A change that breaks callers of the last release is meant, and said in the changelog.

``schema/released.graphql`` is the schema of the last release; a release puts the present one into its place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from graphql import GraphQLSchema, build_schema, find_breaking_changes

ROOT = Path(__file__).parents[2]
RELEASED = ROOT / "schema" / "released.graphql"
SCHEMA = ROOT / "schema" / "schema.graphql"
CHANGELOG = ROOT / "CHANGELOG.md"
HEADING = "### Breaking changes of the API"


def listed(changelog: str) -> list[str]:
    """Patterns of what stands in backticks under the heading in the unreleased part; `*` is anything."""
    unreleased = re.split(r"^## ", changelog, flags=re.MULTILINE)[1]
    _, _, part = unreleased.partition(HEADING)
    named = re.findall(r"`([^`]+)`", part.split("\n### ")[0])
    return [".*".join(map(re.escape, each.split("*"))) for each in named]


def unlisted(old: GraphQLSchema, new: GraphQLSchema, changelog: str) -> Iterator[str]:
    patterns = listed(changelog)
    for change in find_breaking_changes(old, new):
        if not any(re.fullmatch(pattern, change.description) for pattern in patterns):
            yield change.description


def test_breaking_changes_are_in_the_changelog() -> None:
    old, new = (build_schema(path.read_text(encoding="utf-8")) for path in (RELEASED, SCHEMA))
    missing = list(unlisted(old, new, CHANGELOG.read_text(encoding="utf-8")))
    assert missing == [], f"List these under «{HEADING}» of the unreleased part of CHANGELOG.md, or take them back."


def test_what_is_not_listed_is_found() -> None:
    old = build_schema("type Query { a: Int b: Int c: [Int] }")
    new = build_schema("type Query { a: String c: [Int] }")
    changelog = f"# C\n\n## [Unreleased]\n\n{HEADING}\n\n- `*Query.b* removed.`: gone\n\n## 1.0\n\n- `Query.a *`"
    (left,) = unlisted(old, new, changelog)
    assert "Query.a" in left
    assert len(list(unlisted(old, new, changelog.replace("`*Query.b* removed.`", "")))) == 2
