"""SQL logins for analysts read the views of one workspace, and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import text

from core.database import Database, PsycopgConnection
from core.embedded import SUPERUSER
from core.errors import RoleError
from core.roles import Role
from schema import analytics
from schema.migrate import migrate
from schema.readers import create_reader, drop_reader, let_read, list_readers
from tests.conftest import Postgres

CLIENT = """insert into client (workspace_id, id, kind, name, founded_at, last_seen_at)
    values (:ws, :id, 'person', :name, now(), now())"""


@pytest.fixture
def administrator(postgres: Postgres, database: Database) -> Database:
    """The database, with somebody at hand who may make roles."""
    database.administrator = postgres.url(conninfo_to_dict(database.conninfo(Role.OWNER))["dbname"], user=SUPERUSER)
    return database


@pytest.fixture
async def workspaces(database: Database) -> tuple[UUID, UUID]:
    """Two workspaces with a client each."""
    made = uuid4(), uuid4()
    for number, id in enumerate(made):
        async with database.owner_engine.begin() as db:
            await db.execute(
                text("insert into workspace (id, slug, title) values (:id, :slug, 'A')"), {"id": id, "slug": id.hex}
            )
        async with database.workspace(id) as db:
            await db.execute(text(CLIENT), {"ws": id, "id": uuid4(), "name": f"Client {number}"})
    return made


@pytest.fixture
async def reader(administrator: Database, workspaces: tuple[UUID, UUID]) -> AsyncIterator[PsycopgConnection]:
    """A session of the first workspace's reader."""
    name = f"r{uuid4().hex[:12]}"
    conninfo = await create_reader(administrator, workspaces[0], name)
    async with await psycopg.AsyncConnection.connect(conninfo, autocommit=True) as connection:
        yield connection
    for login in await list_readers(administrator, workspaces[0]):
        await drop_reader(administrator, workspaces[0], login)


async def test_it_reads_every_view_of_its_workspace(
    reader: PsycopgConnection, workspaces: tuple[UUID, UUID]
) -> None:
    for view in analytics.VIEWS:
        await reader.execute(b"table " + view.name.encode())
    names = await (await reader.execute("select name from clients")).fetchall()
    assert names == [("Client 0",)]


@pytest.mark.parametrize(
    "how", ["set skvoz.workspace_id", "set session authorization default; set skvoz.workspace_id"]
)
async def test_no_setting_opens_another_workspace(
    reader: PsycopgConnection, workspaces: tuple[UUID, UUID], how: str
) -> None:
    await reader.execute(f"{how} = '{workspaces[1]}'".encode())
    assert await (await reader.execute("select name from clients")).fetchall() == []
    assert await (await reader.execute("select name from public.client")).fetchall() == []


@pytest.mark.parametrize(
    "statement",
    [
        "select * from public.client",
        "select secrets from public.connection",
        "select secret_hash from public.api_token",
        "select raw from public.source_record",
        "update public.client set name = 'x'",
        "insert into analytics.clients (client_id) values (null)",
        "select public.take_due_connections(1)",
        "create table public.mine (id int)",
        "comment on role current_user is 'Skvoz: reads workspace 00000000-0000-0000-0000-000000000000'",
    ],
)
async def test_everything_else_is_refused(reader: PsycopgConnection, statement: str) -> None:
    await reader.execute("set default_transaction_read_only = off")
    with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.SyntaxError)):
        await reader.execute(statement.encode())


async def test_views_made_anew_are_readable(
    database: Database, reader: PsycopgConnection, workspaces: tuple[UUID, UUID]
) -> None:
    async with database.owner_engine.begin() as db:
        await db.run_sync(analytics.drop)
    assert await migrate(database)
    assert await (await reader.execute("select name from analytics.clients")).fetchall() == [("Client 0",)]
    await let_read(database)  # again is harmless


async def test_without_rights_the_statements_for_an_administrator_are_told(
    database: Database, workspaces: tuple[UUID, UUID]
) -> None:
    with pytest.raises(RoleError, match='create role "skvoz_reader_mary" login') as told:
        await create_reader(database, workspaces[0], "mary")
    assert "SCRAM" not in str(told.value)


async def test_names_are_checked(
    database: Database, reader: PsycopgConnection, workspaces: tuple[UUID, UUID]
) -> None:
    with pytest.raises(RoleError, match="small letters"):
        await create_reader(database, workspaces[0], "x; drop role y")
    with pytest.raises(RoleError, match="No reader of this workspace"):
        await drop_reader(database, workspaces[1], (await list_readers(database, workspaces[0]))[0])
