"""A process that reads connections and may be killed: what a worker is, seen from outside.

Run as ``python -m tests.sync.reader WORKSPACE CONNECTION…`` with the settings in the environment.
"""

from __future__ import annotations

import asyncio
import sys
from uuid import UUID

from core.settings import load_settings
from schema.enums import RunTrigger
from sync.office import open_office
from sync.run import run_connection


async def main(workspace: UUID, connections: list[UUID]) -> None:
    async with open_office(load_settings()) as office:
        for connection in connections:
            result = await run_connection(office, workspace, connection, trigger=RunTrigger.COMMAND)
            print(result.state, result.error or "")  # noqa: T201 - read by the test


asyncio.run(main(UUID(sys.argv[1]), [UUID(each) for each in sys.argv[2:]]))
