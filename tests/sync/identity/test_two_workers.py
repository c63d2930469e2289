"""Two workers at once: the second waits, sees what the first has done, and nothing is lost."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import psycopg

from schema.ids import record_id
from sync.identity import absorb, candidate_of
from tests.sync.identity.test_absorb import BITRIX, A, B, contact, lead


async def test_two_pages_at_once_end_as_one_after_the_other(identity_database: str) -> None:
    workspace_id = uuid4()
    pages = [[contact("1", "Иван", A), contact("2", "Иван", B, at=1)], [lead("l", "Иван", A, B, at=2)]]
    entered = asyncio.Event()

    async def work(number: int) -> None:
        async with await psycopg.AsyncConnection.connect(identity_database) as conn:
            if number:
                await entered.wait()
            candidates = [candidate for r in pages[number] if (candidate := candidate_of(r, BITRIX, "RU"))]
            await absorb(conn, workspace_id, candidates, None)
            entered.set()
            await asyncio.sleep(0.05)  # the other one asks for its turn meanwhile
            await conn.commit()

    await asyncio.gather(work(0), work(1))
    async with await psycopg.AsyncConnection.connect(identity_database) as conn:
        cursor = await conn.execute(
            "select distinct client_id from identity_record where workspace_id = %s", (workspace_id,)
        )
        clients: list[tuple[UUID | None]] = await cursor.fetchall()
    assert clients == [(record_id(BITRIX, "contact", "1"),)]
