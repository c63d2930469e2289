"""Reading a connection once more from a date on, beside what its streams read by themselves.

A stream that was asked for it begins its next reading at that date, as if nothing of it were known, and leaves its
cursor where it was: what lies before the date isn't read again, and the reading after it goes on from the cursor.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, time
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from connectors.registry import connector
from core import clock
from sync.errors import NotFound, Refused, SettingsProblem
from sync.office import Office

_ASK = text("""
insert into stream_state as s (workspace_id, connection_id, stream, reread_from)
values (:ws, :id, :stream, :since)
on conflict (workspace_id, connection_id, stream) do update set
    position = case when s.reread_from <= excluded.reread_from then s.position end,
    reread_from = least(s.reread_from, excluded.reread_from)
returning reread_from
""")


@dataclass(frozen=True, slots=True)
class Rereading:
    """What will be read of one stream: from ``since`` on; all of it where that is None, as in every run."""

    stream: str
    title: str
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Asked:
    """What will be read, and whether a sync runs now: what that has begun already is read by the one after it."""

    streams: tuple[Rereading, ...]
    under_way: bool


async def reread(
    office: Office,
    workspace_id: UUID,
    connection_id: UUID,
    since: date,
    streams: Collection[str] | None = None,
    *,
    within: AsyncConnection | None = None,
) -> Asked:
    """Let the next run read a connection (or some of its streams) from a day of the workspace on. Asked again, the
    earliest day holds until it was read. Streams that list everything in every run need nothing. ``within``: the
    transaction, if not one of its own.

    Raises NotFound for a connection, and Refused for a day that hasn't come and for streams that there aren't.
    """
    async with office.database.within(workspace_id, within) as db:
        key = {"ws": workspace_id, "id": connection_id}
        row = (
            await db.execute(
                text("""
                select c.connector, w.time_zone, exists (
                    select from sync_run r where r.workspace_id = c.workspace_id and r.connection_id = c.id
                    and r.state = 'running'
                ) as under_way
                from connection c join workspace w on w.id = c.workspace_id
                where c.workspace_id = :ws and c.id = :id for update of c
                """),
                key,
            )
        ).one_or_none()
        if row is None:
            raise NotFound("There is no such connection in this workspace.")
        moment = datetime.combine(since, time(), ZoneInfo(row.time_zone))
        found = connector(row.connector)
        chosen = [each for each in found.streams if streams is None or each.name in streams]
        _check(moment, streams, [each.name for each in found.streams])
        asked = []
        for stream in chosen:
            first = None
            if not stream.sweeps:
                state = await db.execute(_ASK, key | {"stream": stream.name, "since": moment})
                first = state.scalar_one()
            asked.append(Rereading(stream.name, stream.title, first))
    return Asked(tuple(asked), row.under_way)


def _check(moment: datetime, streams: Collection[str] | None, known: Collection[str]) -> None:
    problems = []
    if moment > clock.now():
        problems.append(
            SettingsProblem("from", "That day hasn't come yet: give today or an earlier day.", "IN_FUTURE")
        )
    for name in sorted({*(streams or ())} - {*known}):
        told = ", ".join(known)
        problems.append(
            SettingsProblem(
                "streams",
                f"There is no stream {name!r}; there are {told}.",
                "NO_SUCH_STREAM",
                {"stream": name, "known": told},
            )
        )
    if streams is not None and not streams:
        problems.append(
            SettingsProblem("streams", "Name a stream at least, or leave them out for all.", "NO_STREAMS")
        )
    if problems:
        raise Refused(problems)
