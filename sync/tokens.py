"""OAuth tokens of a connection: sealed in its row, refreshed by one worker at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from connectors.contract import Tokens
from core.crash import crash_point
from core.database import Database
from core.secrets import DataKey, Keyring
from schema.tables import Connection

ACCESS_TOKEN, REFRESH_TOKEN = "access_token", "refresh_token"
AUTHORIZATION_CODE = "authorization_code"
"""Where a connector gets its first pair for a code, the setting that holds it until then."""


class StoredTokens:
    """The token store of one connection. A connector with OAuth has settings fields ``access_token`` and
    ``refresh_token``; a refresh replaces both, so that the settings always hold the present pair."""

    def __init__(self, database: Database, keyring: Keyring, workspace_id: UUID, connection_id: UUID) -> None:
        self._database = database
        self._keyring = keyring
        self._workspace_id = workspace_id
        self._connection_id = connection_id

    async def current(self) -> Tokens:
        async with self._database.workspace(self._workspace_id) as connection:
            return await self._read(connection, lock=False)

    @asynccontextmanager
    async def lease(self) -> AsyncIterator[_Lease]:
        """Hold the connection's row: another worker that wants to refresh waits here and then sees the new pair."""
        async with self._database.workspace(self._workspace_id) as connection:
            yield _Lease(self, connection, await self._read(connection, lock=True))

    async def _read(self, connection: AsyncConnection, *, lock: bool) -> Tokens:
        query = select(Connection.secrets, Connection.data_key).where(
            Connection.workspace_id == self._workspace_id, Connection.id == self._connection_id
        )
        row = (await connection.execute(query.with_for_update() if lock else query)).one()
        key = self._key(row.data_key)
        sealed: dict[str, Any] = row.secrets
        access, refresh = sealed.get(ACCESS_TOKEN), sealed.get(REFRESH_TOKEN)
        return Tokens(
            key.open(access, field=ACCESS_TOKEN).reveal() if access else "",  # none was had yet
            key.open(refresh, field=REFRESH_TOKEN).reveal() if refresh else None,
        )

    async def write(self, connection: AsyncConnection, tokens: Tokens) -> None:
        wrapped = (
            await connection.execute(
                select(Connection.data_key).where(
                    Connection.workspace_id == self._workspace_id, Connection.id == self._connection_id
                )
            )
        ).scalar_one()
        key = self._key(wrapped)
        sealed = {ACCESS_TOKEN: key.seal(tokens.access_token, field=ACCESS_TOKEN)}
        if tokens.refresh_token is not None:
            sealed[REFRESH_TOKEN] = key.seal(tokens.refresh_token, field=REFRESH_TOKEN)
        await connection.execute(
            update(Connection)
            .where(Connection.workspace_id == self._workspace_id, Connection.id == self._connection_id)
            .values(secrets=Connection.secrets.concat(sealed), updated_at=text("now()"))
        )

    def _key(self, wrapped: str) -> DataKey:
        return self._keyring.unwrap(wrapped, workspace=self._workspace_id, connection=self._connection_id)


class _Lease:
    def __init__(self, store: StoredTokens, connection: AsyncConnection, tokens: Tokens) -> None:
        self._store = store
        self._connection = connection
        self.tokens = tokens

    async def store(self, tokens: Tokens) -> None:
        """Commit the new pair; from here on it can't be lost."""
        crash_point("sync.tokens.before_commit")
        await self._store.write(self._connection, tokens)
        await self._connection.commit()
