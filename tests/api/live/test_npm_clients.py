"""The npm clients graphql-ws and graphql-sse, run by Node, against a real server."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from schema.enums import ChangeKind, ChangeType
from tests.api.live.conftest import Server
from tests.api.nodejs import PACKAGES, Node


async def _said(process: asyncio.subprocess.Process) -> Any:
    assert process.stdout is not None
    async with asyncio.timeout(30):
        line = await process.stdout.readline()
    assert line, (await process.stderr.read()).decode() if process.stderr else ""
    return json.loads(line)


async def _start(node: Node, server: Server, kind: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        node.executable,
        PACKAGES / "clients.mjs",
        server.address,
        server.token,
        kind,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@pytest.mark.parametrize("kind", ["ws", "sse"])
async def test_the_clients_query_and_subscribe(node: Node, server: Server, kind: str) -> None:
    process = await _start(node, server, kind)
    if kind == "ws":
        assert await _said(process) == {"connected": True}
    assert await _said(process) == {"data": {"clients": {"totalCount": 6}}}
    assert await _said(process) == {"subscribing": True}
    if kind == "ws":
        assert await _said(process) == {"connected": True}
    await asyncio.sleep(1)
    await server.tell(ChangeType.CLIENT, ChangeKind.CHANGED, 1)
    assert await _said(process) == {"data": {"clientChanged": [{"name": "Client 001"}]}}
    assert await process.wait() == 0


async def test_a_wrong_key_is_told_to_the_client(node: Node, server: Server) -> None:
    process = await _start(node, server, "wrong")
    assert await _said(process) == {"code": 4403}
    assert await process.wait() == 0
