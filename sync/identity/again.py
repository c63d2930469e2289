"""Weighing all stored matches anew, when a workspace has learnt other weights."""

from __future__ import annotations

from uuid import UUID

from sync.identity import probable, reading
from sync.identity.absorb import Outcome, write
from sync.identity.reading import Conn
from sync.identity.settling import settle

_PAGE = 2_000


async def weigh_again(conn: Conn, workspace_id: UUID, version: int, actor: str) -> Outcome:
    """Bring the probable matches of a workspace, and whose its records are, up to the weights that hold now.

    It works in the caller's transaction and holds the workspace's identity until that ends.
    """
    await reading.lock(conn, workspace_id)
    total, after = Outcome(), UUID(int=0)
    while ids := await _page(conn, workspace_id, after):
        after = ids[-1]
        linked = await probable.relink(conn, workspace_id, ids)
        before = await reading.members(conn, workspace_id, linked.records())
        settling = await settle(
            conn,
            workspace_id,
            before=before,
            after={id: linked.applied_to(member) for id, member in before.items()},
        )
        await probable.write_partners(conn, workspace_id, linked, before)
        total.add(await write(conn, workspace_id, settling, {"weights": version}, actor, None))
    return total


async def _page(conn: Conn, workspace_id: UUID, after: UUID) -> list[UUID]:
    cursor = await conn.execute(
        "select record_id from match_traits where workspace_id = %s and record_id > %s order by record_id limit %s",
        (workspace_id, after, _PAGE),
    )
    return [id for (id,) in await cursor.fetchall()]
