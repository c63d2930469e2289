"""A process that delivers and may be killed. Run as ``python -m tests.sync.writeback.courier WORKSPACE CONNECTION``
with the settings in the environment; it goes on until nothing moves any more."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from uuid import UUID

from connectors.registry import all_connectors
from core.settings import load_settings
from sync.budget import Budget
from sync.office import open_office
from sync.writeback import deliver, sending


async def main(workspace: UUID, connection: UUID) -> None:
    Budget.pace = 0.0
    sending.FIRST_PAUSE = 0.0
    for each in list(all_connectors().values()):  # the sandbox shows what it made at once
        all_connectors()[each.key] = replace(
            each, writes=tuple(replace(write, lag_seconds=0.0) for write in each.writes)
        )
    async with open_office(load_settings()) as office:
        while await deliver.deliver(office, workspace, connection):
            pass


asyncio.run(main(UUID(sys.argv[1]), UUID(sys.argv[2])))
