"""Bring the figures up to date after data changed: marked clients, a batch in each transaction."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from core.crash import crash_point
from core.database import Database, driver
from reports.rebuild import rebuild
from reports.settle import settle

BATCH = 1000
REBUILD_FROM = 20_000
"""With more marks than this the whole workspace is recomputed, in one transaction."""


async def settle_marked(
    database: Database,
    workspace_id: UUID,
    run_id: UUID | None,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> int:
    """Settle all marked clients of the workspace; a kill in between loses nothing, since marks go with their
    batch. ``tell`` hears how many of how many are done. Returns the number settled."""
    async with database.loading(workspace_id) as db:
        found = await driver(db).execute(
            "select count(*) from client_mark where workspace_id = %s", (workspace_id,)
        )
        (total,) = await found.fetchone() or (0,)
    if total == 0:
        return 0
    if total > REBUILD_FROM:
        async with database.loading(workspace_id) as db:
            await rebuild(driver(db), workspace_id, run_id)
        tell(total, total)
        return int(total)
    done = 0
    while True:
        async with database.loading(workspace_id) as db:
            settled = await settle(driver(db), workspace_id, run_id, batch=BATCH)
            crash_point("sync.settle.before_commit")
        if settled.clients == 0:
            return done
        done += settled.clients
        tell(done, max(done, total))
