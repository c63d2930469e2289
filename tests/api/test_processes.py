"""`skvoz serve --processes`: requests are shared, a dead process is replaced, nothing is left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from api.tokens import create_token
from core.settings import Settings
from schema.enums import Role
from tests.api.conftest import bearer, free_port
from tests.api.market import Market
from tests.conftest import MASTER_KEY

QUERY = {"query": "{ clients { totalCount } }"}


@asynccontextmanager
async def command(settings: Settings, port: int) -> AsyncIterator[asyncio.subprocess.Process]:
    """The command as an operator runs it, up and answering."""
    assert settings.database_url is not None
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "from api.command import main; main()", "serve", "--processes", "2"),
        env=os.environ
        | {
            "DATABASE_URL": settings.database_url.get_secret_value(),
            "SKVOZ_HOME": str(settings.home),
            "SKVOZ_MASTER_KEY": MASTER_KEY,
            "SKVOZ_PORT": str(port),
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), 120)
        if b"GraphQL at" not in line and process.returncode is None:
            process.terminate()
        assert b"GraphQL at" in line, (await process.communicate())[1].decode()
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await asyncio.wait_for(process.wait(), 30)


def children(pid: int) -> list[int]:
    """The processes that this one started."""
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]


def is_alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except FileNotFoundError:
        return False
    return stat.rsplit(")", 1)[1].split()[0] != "Z"


async def gone(pids: list[int]) -> None:
    until = time.monotonic() + 30
    while any(map(is_alive, pids)):
        assert time.monotonic() < until, "a process was left behind"
        await asyncio.sleep(0.1)


async def test_two_processes_answer_and_one_that_dies_is_replaced(settings: Settings, market: Market) -> None:
    token = await create_token(market.database, market.workspace_id, Role.OWNER, "test")
    port = free_port()
    async with command(settings, port) as process:
        both = children(process.pid)
        assert len(both) == 2
        address = f"http://127.0.0.1:{port}"

        async def ask() -> str:
            async with httpx.AsyncClient(base_url=address, headers=bearer(token)) as http:
                return (await http.post("/graphql", json=QUERY)).text

        answers = await asyncio.gather(*(ask() for _ in range(20)))
        assert set(answers) == {'{"data":{"clients":{"totalCount":6}}}'}
        await asyncio.sleep(5)  # a process that ends sooner is taken for one that can't start
        os.kill(both[0], signal.SIGKILL)
        until = time.monotonic() + 60
        while len(now := [each for each in children(process.pid) if is_alive(each)]) < 2 or both[0] in now:
            assert time.monotonic() < until, "it was not replaced"
            await asyncio.sleep(0.2)
        assert {await ask() for _ in range(5)} == {'{"data":{"clients":{"totalCount":6}}}'}
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 30) == 0
        await gone([*both, *now])


async def test_they_end_with_the_one_that_started_them(settings: Settings, market: Market) -> None:
    async with command(settings, free_port()) as process:
        both = children(process.pid)
        process.kill()
        await gone(both)
