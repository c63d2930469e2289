"""What a workspace has set that decides its figures, and the lock under which they are brought up to date."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from core.database import PsycopgConnection


@dataclass(frozen=True, slots=True)
class Terms:
    """A workspace's settings as they were when settling began."""

    workspace_id: UUID
    zone: ZoneInfo
    currency: str
    window_days: int

    def day(self, at: datetime) -> date:
        """The day of reports in which a moment lies."""
        return at.astimezone(self.zone).date()


async def enter(conn: PsycopgConnection, workspace_id: UUID) -> Terms:
    """Wait until nobody else settles this workspace's figures, for the rest of the transaction.

    What is read afterwards must be newer than what the one before wrote, so the transaction must be READ
    COMMITTED. Raises ``LookupError`` for an unknown workspace and ``RuntimeError`` for another isolation level.
    """
    await conn.execute(
        "select pg_advisory_xact_lock(hashtextextended('figures ' || %s::text, 0))", (str(workspace_id),)
    )
    found = await conn.execute("select current_setting('transaction_isolation')")
    row = await found.fetchone()
    if row is None or row[0] != "read committed":
        raise RuntimeError(f"Figures are settled in READ COMMITTED transactions, this one is {row and row[0]}.")
    return await read_terms(conn, workspace_id)


async def read_terms(conn: PsycopgConnection, workspace_id: UUID) -> Terms:
    """The workspace's settings. Raises ``LookupError`` for an unknown workspace."""
    found = await conn.execute(
        "select time_zone, currency, attribution_window_days from workspace where id = %s", (workspace_id,)
    )
    row = await found.fetchone()
    if row is None:
        raise LookupError(f"There is no workspace {workspace_id}.")
    zone, currency, window_days = row
    return Terms(workspace_id, ZoneInfo(zone), currency, window_days)
