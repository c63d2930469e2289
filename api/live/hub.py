"""One connection a process that listens to PostgreSQL, and hands what it hears to this process's subscriptions.

A notification is a hint: what happened is read from the change feed, on from where this process has read it. So
nothing is lost when the connection is: after it is back (and now and then anyway) the feed is read on.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

import psycopg
import structlog
from sqlalchemy.exc import SQLAlchemyError

from api.live.mailbox import Mailbox
from core.database import Database, driver
from core.roles import Role
from sync.feed import end_of_feed, read_after

_log = structlog.get_logger("skvoz.api.live")

CHANNEL = "skvoz_live"
HEARTBEAT_SECONDS = 15.0
"""So long nothing is heard before the connection is tried, and the feeds looked at all the same."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
_ROWS = 50


@dataclass(slots=True)
class _Followed:
    """A workspace that somebody follows here: how far its feed is read, and who hears of it."""

    position: int
    feed: set[Mailbox] = field(default_factory=set)
    runs: dict[Mailbox, UUID | None] = field(default_factory=dict)
    """Who hears of syncs: of one connection, or of all."""


class Hub:
    """The subscriptions of this process. It listens while there are any."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._followed: dict[UUID, _Followed] = {}
        self._behind: set[UUID] = set()
        self._stirred = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._starting = asyncio.Lock()

    @asynccontextmanager
    async def changes(self, workspace_id: UUID, mailbox: Mailbox) -> AsyncIterator[None]:
        """Put the changes that commit from now on into the mailbox."""
        followed = await self._follow(workspace_id)
        followed.feed.add(mailbox)
        try:
            yield
        finally:
            followed.feed.discard(mailbox)
            await self._leave(workspace_id)

    @asynccontextmanager
    async def runs(self, workspace_id: UUID, connection_id: UUID | None, mailbox: Mailbox) -> AsyncIterator[None]:
        """Put the ids of syncs that move on into the mailbox: of one connection, or of all."""
        followed = await self._follow(workspace_id)
        followed.runs[mailbox] = connection_id
        try:
            yield
        finally:
            del followed.runs[mailbox]
            await self._leave(workspace_id)

    def following(self, workspace_id: UUID) -> int:
        """How many subscriptions of the workspace are open here."""
        followed = self._followed.get(workspace_id)
        return 0 if followed is None else len(followed.feed) + len(followed.runs)

    async def _follow(self, workspace_id: UUID) -> _Followed:
        async with self._starting:
            followed = self._followed.get(workspace_id)
            if followed is None:
                async with self._database.workspace(workspace_id) as db:
                    followed = _Followed(await end_of_feed(driver(db), workspace_id))
                self._followed[workspace_id] = followed
                self._behind.add(workspace_id)  # what was told while the end of its feed was read
                self._stirred.set()
            if not self._tasks:
                self._tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._read())]
        return followed

    async def _leave(self, workspace_id: UUID) -> None:
        if self.following(workspace_id) == 0:
            self._followed.pop(workspace_id, None)
        if not self._followed:
            tasks, self._tasks = self._tasks, []
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _listen(self) -> None:
        pause = _FIRST_PAUSE
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(
                    self._database.conninfo(Role.APP), autocommit=True, connect_timeout=10
                ) as connection:
                    await connection.execute(f"listen {CHANNEL}")
                    pause = _FIRST_PAUSE
                    while True:
                        self._catch_up()
                        async for heard in connection.notifies(timeout=HEARTBEAT_SECONDS):
                            self._hear(heard.payload)
                        await asyncio.wait_for(connection.execute("select 1"), 5)
            except (psycopg.Error, OSError, TimeoutError) as error:
                _log.warning("live.listener_lost", error=type(error).__name__, again_in=round(pause, 2))
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - jitter
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _hear(self, payload: str) -> None:
        kind, *ids = payload.split()
        workspace_id = UUID(ids[0])
        followed = self._followed.get(workspace_id)
        if followed is None:
            return
        if kind == "run":
            connection_id, run_id = UUID(ids[1]), UUID(ids[2])
            for mailbox, only in list(followed.runs.items()):
                if only is None or only == connection_id:
                    mailbox.put_ids([run_id])
        elif kind == "feed":
            self._behind.add(workspace_id)
            self._stirred.set()

    def _catch_up(self) -> None:
        """Whatever was said while nobody listened is in the feed, and in the runs that are under way."""
        self._behind.update(self._followed)
        for followed in self._followed.values():
            for mailbox in followed.runs:
                mailbox.put_ids([LATEST])
        self._stirred.set()

    async def _read(self) -> None:
        while True:
            await self._stirred.wait()
            self._stirred.clear()
            while self._behind:
                workspace_id = self._behind.pop()
                try:
                    await self._read_on(workspace_id)
                except (SQLAlchemyError, psycopg.Error, OSError) as error:
                    _log.warning("live.feed_unread", error=type(error).__name__)
                    self._behind.add(workspace_id)
                    await asyncio.sleep(0.5)

    async def _read_on(self, workspace_id: UUID) -> None:
        followed = self._followed.get(workspace_id)
        while followed is not None and followed is self._followed.get(workspace_id):
            async with self._database.workspace(workspace_id) as db:
                changes = await read_after(driver(db), workspace_id, followed.position, limit=_ROWS)
            for change in changes:
                for mailbox in list(followed.feed):
                    mailbox.put(change)
                followed.position = change.position
            if len(changes) < _ROWS:
                return


LATEST = UUID(int=0)
"""Stands for the newest sync, whichever that is."""
