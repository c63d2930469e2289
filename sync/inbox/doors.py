"""The doors of connections: addresses that nobody can guess, at which systems tell what happened there.

An address is ``<public url>/hooks/<public id>/<secret>``. The table holds the secret's hash, by which deliveries
are let in, and the secret sealed by the connection's own key, so that owners can look the address up again.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from connectors.contract import Connector
from connectors.registry import connector
from core import clock
from core.secrets import DataKey
from schema.tables import Connection, Door
from sync.errors import NotFound, Refused, SettingsProblem
from sync.office import Office

OVERLAP = timedelta(days=7)
"""How long a replaced address goes on to hold: a person has to paste the new one."""
_SEALED = "door"
_NOBODYS = b"\0" * 32


class NoWebhooks(Refused):
    """The connection's system tells nothing by itself, or Skvoz doesn't know how to listen to it."""

    code = "NO_WEBHOOKS"

    def __init__(self, system: str) -> None:
        sentence = f"{system} tells nothing by itself: it is read on schedule."
        super().__init__([SettingsProblem("connection", sentence, self.code, {"system": system})])


class NoDoor(Refused):
    """The connection has no door yet."""

    code = "NO_DOOR"

    def __init__(self) -> None:
        sentence = "The connection has no door yet: open it first."
        super().__init__([SettingsProblem("connection", sentence, self.code)])


@dataclass(frozen=True, slots=True)
class Address:
    """The door of a connection, as its owner sees it."""

    connection_id: UUID
    url: str
    setup: str
    events: tuple[str, ...]
    subscribable: bool
    opened_at: datetime
    previous_until: datetime | None
    subscribed_at: datetime | None
    problem: str | None


@dataclass(frozen=True, slots=True)
class Entrance:
    """Whose door a right address opens."""

    workspace_id: UUID
    connection_id: UUID


async def find_door(db: AsyncConnection, public_id: str, secret: str) -> Entrance | None:
    """Whose door that is, or None. The same is done for an id that isn't there, so that the time doesn't tell."""
    row = (await db.execute(text("select * from door_of(:id)"), {"id": public_id})).one_or_none()
    shown = _hash(secret)
    current = hmac.compare_digest(_NOBODYS if row is None else row.secret_hash, shown)
    former = hmac.compare_digest((row and row.previous_hash) or _NOBODYS, shown)
    if row is None:
        return None
    if not current and not (former and row.previous_until is not None and row.previous_until > clock.now()):
        return None
    return Entrance(row.workspace_id, row.connection_id)


async def open_door(office: Office, workspace_id: UUID, connection_id: UUID) -> Address:
    """The connection's door, made if there is none yet. Raises NotFound or NoWebhooks."""
    async with office.database.workspace(workspace_id) as db:
        row = await _locked(db, workspace_id, connection_id)
        listening(connector(row.connector))
        if row.public_id is None:
            secret = _new_secret()
            await db.execute(
                insert(Door).values(
                    workspace_id=workspace_id,
                    connection_id=connection_id,
                    public_id=secrets.token_hex(8),
                    secret_hash=_hash(secret),
                    secret=_key(office, workspace_id, row).seal(secret, field=_SEALED),
                )
            )
    return await show_door(office, workspace_id, connection_id)


async def show_door(office: Office, workspace_id: UUID, connection_id: UUID) -> Address:
    """The connection's door. Raises NotFound, NoDoor where none was opened, NoWebhooks where none can be."""
    async with office.database.workspace(workspace_id) as db:
        row = (await db.execute(_with_door(workspace_id, connection_id))).one_or_none()
    if row is None:
        raise NotFound("There is no such connection in this workspace.")
    found = connector(row.connector)
    told = listening(found)
    if row.public_id is None:
        raise NoDoor
    secret = _key(office, workspace_id, row).open(row.secret, field=_SEALED).reveal()
    return Address(
        connection_id=connection_id,
        url=f"{office.settings.address}/hooks/{row.public_id}/{secret}",
        setup=told.setup,
        events=told.events,
        subscribable=told.subscription is not None,
        opened_at=row.opened_at,
        previous_until=row.previous_until,
        subscribed_at=row.subscribed_at,
        problem=row.problem,
    )


async def rotate_door(
    office: Office, workspace_id: UUID, connection_id: UUID, overlap: timedelta = OVERLAP
) -> Address:
    """Give the door a new address; the former one holds for ``overlap`` beside it. Raises NotFound or NoDoor."""
    async with office.database.workspace(workspace_id) as db:
        row = await _locked(db, workspace_id, connection_id)
        secret = _new_secret()
        changed = await db.execute(
            update(Door)
            .where(Door.workspace_id == workspace_id, Door.connection_id == connection_id)
            .values(
                secret_hash=_hash(secret),
                previous_hash=Door.secret_hash,
                previous_until=clock.now() + overlap,
                secret=_key(office, workspace_id, row).seal(secret, field=_SEALED),
            )
        )
        if changed.rowcount == 0:
            raise NoDoor
    return await show_door(office, workspace_id, connection_id)


async def close_door(office: Office, workspace_id: UUID, connection_id: UUID) -> bool:
    """Let nothing in any more; what was received stays. False if there was no door."""
    async with office.database.workspace(workspace_id) as db:
        gone = await db.execute(
            delete(Door).where(Door.workspace_id == workspace_id, Door.connection_id == connection_id)
        )
    return gone.rowcount > 0


def listening(found: Connector[Any]) -> Any:
    """How that system tells what happens there. Raises NoWebhooks."""
    if found.webhooks is None:
        raise NoWebhooks(found.title)
    return found.webhooks


def _with_door(workspace_id: UUID, connection_id: UUID) -> Any:
    return (
        select(Connection.connector, Connection.id, Connection.data_key, Door.__table__)
        .join_from(
            Connection,
            Door,
            (Door.workspace_id == Connection.workspace_id) & (Door.connection_id == Connection.id),
            isouter=True,
        )
        .where(Connection.workspace_id == workspace_id, Connection.id == connection_id)
    )


async def _locked(db: AsyncConnection, workspace_id: UUID, connection_id: UUID) -> Any:
    statement = _with_door(workspace_id, connection_id).with_for_update(of=Connection)
    row = (await db.execute(statement)).one_or_none()
    if row is None:
        raise NotFound("There is no such connection in this workspace.")
    return row


def _key(office: Office, workspace_id: UUID, row: Any) -> DataKey:
    return office.keyring.unwrap(row.data_key, workspace=workspace_id, connection=row.id)


def _new_secret() -> str:
    return secrets.token_urlsafe(32)


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
