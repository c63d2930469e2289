"""The connections that are open for long: how many a key may have, and that they end with the key."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from uuid import UUID

import psycopg
import structlog
from sqlalchemy import or_, select, text
from sqlalchemy.exc import SQLAlchemyError

from api.graphql.errors import CallerError
from api.graphql.values import Viewer
from api.live.hub import Hub
from api.live.mailbox import Mailbox, SessionEnded
from core.database import Database
from schema.tables import ApiToken
from sync.feed import Change

_log = structlog.get_logger("skvoz.api.live")

CONNECTIONS_PER_TOKEN = 50
SUBSCRIPTIONS_PER_TOKEN = 200
CHECK_SECONDS = 2.0
"""How often the keys of open connections are looked at."""


class TooManyLive(CallerError):
    """The key has as many connections or subscriptions open as one may."""

    code = "TOO_MANY_REQUESTS"


class Session:
    """One open connection of a key: ``end`` is called when the key has ended, ``drop`` when events come faster than
    they are read."""

    def __init__(
        self, sessions: Sessions, viewer: Viewer, end: Callable[[], None], drop: Callable[[], None]
    ) -> None:
        self.viewer = viewer
        self.hub = sessions.hub
        self._sessions = sessions
        self._drop = drop
        self._end = end
        self._mailboxes: set[Mailbox] = set()

    @contextmanager
    def mailbox(self, wanted: Callable[[Change], Sequence[UUID]]) -> Iterator[Mailbox]:
        """The mailbox of one more subscription; it ends with the session. Raises `TooManyLive`."""
        made = Mailbox(wanted, self._drop)
        with self._sessions.subscription(self.viewer):
            self._mailboxes.add(made)
            try:
                yield made
            finally:
                self._mailboxes.discard(made)

    def end(self) -> None:
        """The key holds no more."""
        for mailbox in self._mailboxes:
            mailbox.end(SessionEnded("The key was revoked or has expired."))
        self._end()


class Sessions:
    """The open connections of this process; it looks at their keys while there are any."""

    def __init__(self, database: Database, hub: Hub) -> None:
        self.hub = hub
        self._database = database
        self._open: set[Session] = set()
        self._connections: Counter[str] = Counter()
        self._subscriptions: Counter[str] = Counter()
        self._watching: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def connection(
        self, viewer: Viewer, *, end: Callable[[], None], drop: Callable[[], None]
    ) -> AsyncIterator[Session]:
        """A connection while it is open. Raises `TooManyLive`."""
        if self._connections[viewer.token_id] >= CONNECTIONS_PER_TOKEN:
            raise TooManyLive(f"This key has {CONNECTIONS_PER_TOKEN} live connections open already.")
        session = Session(self, viewer, end, drop)
        self._open.add(session)
        self._connections[viewer.token_id] += 1
        if self._watching is None:
            self._watching = asyncio.create_task(self._watch())
        try:
            yield session
        finally:
            self._open.discard(session)
            _less(self._connections, viewer.token_id)
            if not self._open and self._watching is not None:
                watching, self._watching = self._watching, None
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)

    @contextmanager
    def subscription(self, viewer: Viewer) -> Iterator[None]:
        """Count a subscription while it is open. Raises `TooManyLive`."""
        if self._subscriptions[viewer.token_id] >= SUBSCRIPTIONS_PER_TOKEN:
            raise TooManyLive(f"This key has {SUBSCRIPTIONS_PER_TOKEN} subscriptions open already.")
        self._subscriptions[viewer.token_id] += 1
        try:
            yield
        finally:
            _less(self._subscriptions, viewer.token_id)

    def end_token(self, token_id: str) -> None:
        """End the connections of a key that was revoked here."""
        for session in [each for each in self._open if each.viewer.token_id == token_id]:
            session.end()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            for workspace_id in {each.viewer.workspace_id for each in self._open}:
                tokens = {each.viewer.token_id for each in self._open if each.viewer.workspace_id == workspace_id}
                try:
                    live = await self._live(workspace_id, tokens)
                except (SQLAlchemyError, psycopg.Error, OSError) as error:
                    _log.warning("live.keys_unchecked", error=type(error).__name__)
                    continue
                for token_id in tokens - live:
                    self.end_token(token_id)

    async def _live(self, workspace_id: UUID, tokens: set[str]) -> set[str]:
        async with self._database.workspace(workspace_id) as db:
            found = await db.execute(
                select(ApiToken.id).where(
                    ApiToken.workspace_id == workspace_id,
                    ApiToken.id.in_(tokens),
                    ApiToken.revoked_at.is_(None),
                    or_(ApiToken.expires_at.is_(None), ApiToken.expires_at > text("now()")),
                )
            )
            return set(found.scalars())


def _less(counter: Counter[str], key: str) -> None:
    counter[key] -= 1
    if counter[key] <= 0:
        del counter[key]
