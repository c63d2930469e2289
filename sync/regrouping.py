"""Whether all clients are what all records say, and making them so: a check and a repair of everything at once."""

from __future__ import annotations

from uuid import UUID

from core.database import Database, driver
from schema.enums import MergeKind
from sync.decisions import follow_up
from sync.identity import whole
from sync.identity.absorb import Outcome
from sync.identity.whole import Checked
from sync.settling import settle_marked


async def check_clients(database: Database, workspace_id: UUID, most: int = 20) -> Checked:
    """Compare the stored clients with a grouping of everything from nothing. It changes nothing; whatever would
    change who is who waits for it (docs/identity.md has how long)."""
    async with database.loading(workspace_id) as db:
        return await whole.check(driver(db), workspace_id, most)


async def repair_clients(database: Database, workspace_id: UUID, actor: str) -> Outcome:
    """Make the stored clients what all records say by today's rules, with golden records, marks and feed in one
    transaction; the figures follow at once."""
    async with database.loading(workspace_id) as db:
        conn = driver(db)
        outcome = await whole.regroup(conn, workspace_id, actor)
        await follow_up(conn, workspace_id, MergeKind.MERGE, outcome)
    await settle_marked(database, workspace_id, None)
    return outcome
