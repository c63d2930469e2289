"""Bodies of deliveries at rest: they hold personal data, and some vendors put tokens into them."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from core.secrets import DataKey
from schema.tables import Connection
from sync.errors import NotFound
from sync.office import Office

_FIELD = "received"


@dataclass(frozen=True, slots=True)
class Envelope:
    """Seals and opens bodies by the key of their connection."""

    key: DataKey

    @classmethod
    async def of(cls, db: AsyncConnection, office: Office, workspace_id: UUID, connection_id: UUID) -> Envelope:
        """The envelope of a connection's bodies, in a transaction of the workspace. Raises NotFound."""
        wrapped = (
            await db.execute(
                select(Connection.data_key).where(
                    Connection.workspace_id == workspace_id, Connection.id == connection_id
                )
            )
        ).scalar_one_or_none()
        if wrapped is None:
            raise NotFound("There is no such connection in this workspace.")
        return cls(office.keyring.unwrap(wrapped, workspace=workspace_id, connection=connection_id))

    def seal(self, content: bytes) -> str:
        """Bytes go through Latin-1: any byte is a character there, and texts of vendors are mostly ASCII."""
        return self.key.seal(content.decode("latin-1"), field=_FIELD)

    def open(self, sealed: str) -> bytes:
        """The bytes again. Raises KeyringError when they were altered."""
        return self.key.open(sealed, field=_FIELD).reveal().encode("latin-1")
