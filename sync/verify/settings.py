"""How often a connection is verified by itself."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from sync.errors import NotFound, Refused, SettingsProblem
from sync.office import Office

SHORTEST = 3600
"""Seconds. Whoever wants to know sooner asks for a verification."""


async def verify_every(
    office: Office, workspace_id: UUID, connection_id: UUID, seconds: int, *, within: AsyncConnection | None = None
) -> None:
    """Let a connection be verified each time so many seconds have passed; 0: never by itself. Raises NotFound, and
    Refused for a time that is too short."""
    if seconds != 0 and seconds < SHORTEST:
        sentence = "Verify once an hour at most, or never (0)."
        raise Refused([SettingsProblem("verifyEverySeconds", sentence, "VERIFIED_TOO_OFTEN")])
    async with office.database.within(workspace_id, within) as db:
        changed = await db.execute(
            text("""
            update connection set verify_every_seconds = :seconds,
                next_verify_at = case when :seconds > 0 then clock_timestamp() + make_interval(secs => :seconds) end
            where workspace_id = :ws and id = :id
            """),
            {"seconds": seconds, "ws": workspace_id, "id": connection_id},
        )
        if changed.rowcount == 0:
            raise NotFound("There is no such connection in this workspace.")
