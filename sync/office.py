"""What every operation needs: the database, the keys that open secrets, the installation's settings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID, uuid4

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from core.database import Database, open_database
from core.secrets import Keyring, create_master_key, load_keyring
from core.settings import Settings
from schema.migrate import migrate
from schema.tables import Installation, Workspace
from sync.errors import NotFound

_CANARY = "master_key_canary"


@dataclass(frozen=True, slots=True)
class Office:
    """The opened installation. Make it with ``open_office``."""

    database: Database
    keyring: Keyring
    settings: Settings


@asynccontextmanager
async def open_office(settings: Settings, *, make_key: bool = False) -> AsyncIterator[Office]:
    """Open the database, bring it to the newest schema, and make sure that the master key is the right one.

    ``make_key`` makes a key where there is none (the demo does). Raises a SkvozError that says what to do.
    """
    keyring = create_master_key(settings) if make_key else load_keyring(settings)
    async with open_database(settings) as database:
        await migrate(database)
        await _check_key(database, keyring)
        yield Office(database, keyring, settings)


async def create_workspace(office: Office, slug: str, title: str, **settings: str | int) -> UUID:
    """A new workspace; one with that short name that is there already is returned as it is."""
    id = uuid4()
    try:
        async with office.database.owner_engine.begin() as db:
            await db.execute(insert(Workspace).values(id=id, slug=slug, title=title, **settings))
    except IntegrityError:
        return await workspace_id(office, slug)
    return id


async def workspace_id(office: Office, slug: str | None = None) -> UUID:
    """The workspace of that short name; without a name, the only one there is. Raises NotFound."""
    async with office.database.owner_engine.connect() as db:
        rows = (await db.execute(select(Workspace.id, Workspace.slug).order_by(Workspace.slug))).all()
    if slug is None and len(rows) == 1:
        only: UUID = rows[0].id
        return only
    for row in rows:
        if row.slug == slug:
            found: UUID = row.id
            return found
    known = ", ".join(row.slug for row in rows) or "none yet"
    if slug is None:
        raise NotFound(f"Which workspace? Name one with --workspace. Known: {known}.")
    raise NotFound(f"There is no workspace {slug!r}. Known: {known}.")


async def _check_key(database: Database, keyring: Keyring) -> None:
    """Notice a wrong master key at start rather than at the first secret."""
    async with database.alone("master key"), database.owner_engine.begin() as db:
        canary = (
            await db.execute(select(Installation.value).where(Installation.name == _CANARY))
        ).scalar_one_or_none()
        if canary is None:
            await db.execute(insert(Installation).values(name=_CANARY, value=keyring.make_canary()))
        else:
            keyring.check_canary(canary)


async def replace_canary(office: Office) -> None:
    """Make the canary anew by the present master key, after a rotation."""
    async with office.database.owner_engine.begin() as db:
        await db.execute(
            update(Installation).where(Installation.name == _CANARY).values(value=office.keyring.make_canary())
        )
