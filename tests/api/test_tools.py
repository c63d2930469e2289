"""The ecosystem's tools take the API as it is: graphql-eslint, GraphQL Code Generator, the TypeScript compiler."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from api.tokens import create_token
from core.settings import Settings
from schema.enums import Role
from tests.api.conftest import serving
from tests.api.market import Market
from tests.api.nodejs import PACKAGES, Node
from tests.docs.guide import tasks

SCHEMA = Path(__file__).parents[2] / "schema" / "schema.graphql"

# The rule compares letters, not words.
NO_PREFIXES = {"Ad.adGroup", "Stage.stageChanges", "Visit.visitorIds"}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder as a frontend developer has it: the schema, the guide's documents, the packages."""
    shutil.copy(SCHEMA, tmp_path)
    (tmp_path / "operations").mkdir()
    for task in tasks():
        (tmp_path / "operations" / f"{task.operation}.graphql").write_text(task.query, encoding="utf-8")
    for name in ("client.ts", "codegen.mjs", "tsconfig.json", "package.json"):
        shutil.copy(PACKAGES / name, tmp_path)
    (tmp_path / "node_modules").symlink_to(PACKAGES / "node_modules")
    return tmp_path


async def test_graphql_eslint_finds_nothing(node: Node, project: Path) -> None:
    out = await node.run(
        node.tool("eslint", "bin/eslint.js"),
        *("--config", str(PACKAGES / "eslint.config.mjs"), "--format", "json"),
        *("schema.graphql", "operations"),
        cwd=project,
        may_fail=True,
    )
    linted = json.loads(out)
    assert len(linted) == 1 + len(tasks())
    found = [
        f"{Path(file['filePath']).name}:{each['line']} {each['ruleId']}: {each['message']}"
        for file in linted
        for each in file["messages"]
        if not _is_meant(each)
    ]
    assert found == []


def _is_meant(message: dict[str, str | int]) -> bool:
    if message["ruleId"] != "@graphql-eslint/no-typename-prefix":
        return False
    named = re.search(r'"(\w+)" starts with the name of the parent type "(\w+)"', str(message["message"]))
    return named is not None and f"{named[2]}.{named[1]}" in NO_PREFIXES


async def test_a_generated_client_compiles_and_works(
    node: Node, project: Path, settings: Settings, market: Market
) -> None:
    codegen = node.tool("@graphql-codegen/cli", "cjs/bin.js")
    await node.run(codegen, "--config", "codegen.mjs", cwd=project)
    await node.run(node.tool("typescript", "bin/tsc"), cwd=project)
    token = await create_token(market.database, market.workspace_id, Role.OWNER, "client")
    async with serving(settings, market) as address:
        out = await node.run("out/client.js", cwd=project, API_URL=f"{address}/graphql", TOKEN=token)
    assert json.loads(out) == {"calls": 3, "name": "Client 001", "phone": "+79160000001"}
