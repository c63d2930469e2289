"""A process that takes one delivery at a door and looks into it; a test kills it at named points."""

from __future__ import annotations

import asyncio
import sys
from uuid import UUID

import httpx

from connectors.contract import Delivery
from core.settings import load_settings
from sync.budget import Budget
from sync.inbox.accept import accept
from sync.inbox.process import process_inbox
from sync.office import open_office


async def tell(workspace: str, connection: str, path: str, content: str) -> None:
    Budget.pace = 0.0
    _, _, public_id, secret = path.split("/")
    delivery = Delivery(content.encode(), httpx.Headers({"content-type": "application/x-www-form-urlencoded"}))
    async with open_office(load_settings()) as office:
        await accept(office, public_id, secret, delivery)
        await process_inbox(office, UUID(workspace), UUID(connection))


if __name__ == "__main__":
    asyncio.run(tell(*sys.argv[1:]))
