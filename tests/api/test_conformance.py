"""GraphQL over HTTP to the letter: the audits of the npm package graphql-http, all of them."""

from __future__ import annotations

import json
from collections import Counter

from api.tokens import create_token
from core.settings import Settings
from schema.enums import Role
from tests.api.conftest import serving
from tests.api.market import Market
from tests.api.nodejs import Node


async def test_every_audit_passes(node: Node, settings: Settings, market: Market) -> None:
    token = await create_token(market.database, market.workspace_id, Role.OWNER, "audits")
    async with serving(settings, market) as address:
        out = await node.run("audits.mjs", URL_TO_AUDIT=f"{address}/graphql", TOKEN=token)
    results = json.loads(out)
    assert [each for each in results if each["status"] != "ok"] == []
    levels = Counter(each["name"].split()[0] for each in results)
    assert set(levels) == {"MUST", "SHOULD", "MAY"}
    assert levels.total() >= 61  # of graphql-http 1.23
