"""The database, as the rest of Skvoz sees it: three roles, and transactions bound to one workspace.

- the *owner* owns the tables and runs migrations;
- the *app* owns nothing and is bound to one workspace per transaction by row-level security;
- the *loader* may bypass row-level security, which PostgreSQL demands for COPY FROM, and loads pages.
"""

import asyncio
import atexit
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cached_property, partial
from typing import Any
from uuid import UUID

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg_pool import AsyncConnectionPool
from sqlalchemy import event, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from core import roles
from core.errors import DatabaseError
from core.roles import Role
from core.settings import Settings

WORKSPACE_SETTING = "skvoz.workspace_id"
"""The setting that row-level security reads; it holds for one transaction only."""

_OLDEST_SERVER = 150000  # PostgreSQL 15: views with security_invoker
_SET_WORKSPACE = "select set_config(%s, %s, true)"

PsycopgConnection = psycopg.AsyncConnection[tuple[Any, ...]]


class Database:
    """One PostgreSQL database, embedded or on a server. Open it with `open_database`.

    Engines and the pool connect when they are first used, so that a process holds only connections it needs.
    """

    def __init__(self, conninfos: dict[Role, str], *, role_prefix: str, administrator: str) -> None:
        self._conninfos = conninfos
        self.role_prefix = role_prefix
        self.administrator = administrator
        """Connection string of who may make roles, if anybody may. It may hold a password: never log it."""

    def conninfo(self, role: Role) -> str:
        """The libpq connection string of a role. It may hold a password: never log it."""
        return self._conninfos[role]

    @cached_property
    def owner_engine(self) -> AsyncEngine:
        """For migrations. It keeps no connection open."""
        return self._engine(Role.OWNER, poolclass=NullPool)

    @cached_property
    def app_engine(self) -> AsyncEngine:
        """For everything that isn't a migration or a page being loaded; prefer `workspace`."""
        return self._engine(Role.APP, pool_size=5, max_overflow=5)

    @cached_property
    def loader_engine(self) -> AsyncEngine:
        """For the module that loads pages and for nothing else; prefer `loading`."""
        return self._engine(Role.LOADER, pool_size=4, max_overflow=4)

    @cached_property
    def app_pool(self) -> "AsyncConnectionPool[PsycopgConnection]":
        """Bare psycopg connections as the app, for the GraphQL planner. Not yet open: see `open_database`."""
        return AsyncConnectionPool(
            self.conninfo(Role.APP),
            min_size=0,
            max_size=8,
            max_idle=300,
            timeout=30,
            check=_refuse_if_closed,
            kwargs={"autocommit": True},
            name="app",
            open=False,
        )

    @asynccontextmanager
    async def workspace(self, workspace_id: UUID) -> AsyncIterator[AsyncConnection]:
        """A transaction as the app that sees and writes this workspace's rows only; it commits at the end."""
        async with self.app_engine.begin() as connection:
            await _bind(connection, workspace_id)
            yield connection

    @asynccontextmanager
    async def within(self, workspace_id: UUID, db: AsyncConnection | None) -> AsyncIterator[AsyncConnection]:
        """The caller's transaction `db`, which commits what is done here with all else; without one, as `workspace`
        gives it."""
        if db is not None:
            yield db
            return
        async with self.workspace(workspace_id) as own:
            yield own

    @asynccontextmanager
    async def snapshot(self, workspace_id: UUID) -> AsyncIterator[AsyncConnection]:
        """As `workspace`, to read only: all statements see one moment, however long they take."""
        async with self.app_engine.connect() as connection:
            still = await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            async with still.begin():
                await _bind(still, workspace_id)
                yield still

    @asynccontextmanager
    async def loading(self, workspace_id: UUID) -> AsyncIterator[AsyncConnection]:
        """A transaction as the loader, whom nothing binds: its statements must name the workspace themselves."""
        async with self.loader_engine.begin() as connection:
            await _bind(connection, workspace_id)
            yield connection

    @asynccontextmanager
    async def alone(self, what: str) -> AsyncIterator[AsyncConnection]:
        """Wait until no other process is inside `alone(what)`; yields the owner's connection that holds the lock.

        For work that several processes would begin at the same moment, such as migrations at start. The lock
        goes with the connection, so a killed process leaves none behind.
        """
        key = roles.lock_key(what)
        async with self.owner_engine.connect() as connection:
            connection = await connection.execution_options(isolation_level="AUTOCOMMIT")
            await connection.execute(text("select pg_advisory_lock(:key)"), {"key": key})
            try:
                yield connection
            finally:
                await connection.execute(text("select pg_advisory_unlock(:key)"), {"key": key})

    async def close(self) -> None:
        """End all connections of this process."""
        made = vars(self)
        if "app_pool" in made:
            await self.app_pool.close()
        for name in ("owner_engine", "app_engine", "loader_engine"):
            if name in made:
                await made[name].dispose()

    def _engine(self, role: Role, **pool: Any) -> AsyncEngine:
        connect = partial(psycopg.AsyncConnection.connect, self.conninfo(role))
        # Parameters are personal data: SQLAlchemy must not put them into its errors.
        engine = create_async_engine("postgresql+psycopg://", async_creator=connect, hide_parameters=True, **pool)
        event.listen(engine.sync_engine, "checkout", _replace_if_closed)
        return engine


@asynccontextmanager
async def open_database(settings: Settings, *, durable: bool = True) -> AsyncIterator[Database]:
    """Start or reach the database, see to its roles, and close all connections at the end.

    `durable=False` makes an embedded server not wait for the disk: for tests only. Raises `DatabaseError` or
    `RoleError` with a sentence that says what to do.
    """
    async with AsyncExitStack() as stack:
        if settings.database_url is None:
            conninfos, administrator = await _open_embedded(settings, stack, durable=durable)
        else:
            administrator = make_conninfo(settings.database_url.get_secret_value())
            conninfos = await _open_server(settings, administrator)
        database = Database(conninfos, role_prefix=settings.role_prefix, administrator=administrator)
        stack.push_async_callback(database.close)
        await database.app_pool.open()
        yield database


async def _open_embedded(
    settings: Settings, stack: AsyncExitStack, *, durable: bool
) -> tuple[dict[Role, str], str]:
    if sys.platform == "win32":
        raise DatabaseError("The embedded PostgreSQL runs on Linux and macOS only; set DATABASE_URL to a server.")
    from core import embedded  # not at the top: it needs fcntl, which Windows lacks

    starting = asyncio.ensure_future(asyncio.to_thread(embedded.acquire, settings.home, durable=durable))
    try:
        server = await asyncio.shield(starting)
    except asyncio.CancelledError:  # Ctrl-C while it starts: let it finish, so that it can be stopped
        (await starting).release()
        raise
    atexit.register(server.release)

    async def release() -> None:
        await asyncio.to_thread(server.release)
        atexit.unregister(server.release)

    stack.push_async_callback(release)
    dbname = "skvoz"
    owner = roles.role_name(settings.role_prefix, Role.OWNER)
    async with await connect(server.conninfo(user=embedded.SUPERUSER, dbname="postgres")) as superuser:
        await roles.ensure_embedded(superuser, dbname=dbname, prefix=settings.role_prefix)
    conninfos = {
        role: server.conninfo(user=roles.role_name(settings.role_prefix, role), dbname=dbname) for role in Role
    }
    async with await connect(server.conninfo(user=owner, dbname=dbname)) as connection:
        await roles.check(connection, prefix=settings.role_prefix)
    return conninfos, server.conninfo(user=embedded.SUPERUSER, dbname=dbname)


async def _open_server(settings: Settings, url: str) -> dict[Role, str]:
    async with await connect(url) as owner:
        if owner.info.server_version < _OLDEST_SERVER:
            raise DatabaseError(
                f"The server runs PostgreSQL {owner.info.server_version // 10000}; Skvoz needs 15 or newer."
            )
        passwords = await roles.ensure_roles(owner, settings, login=partial(_can_log_in, url))
        await roles.check(owner, prefix=settings.role_prefix)
    conninfos = {
        role: make_conninfo(url, user=roles.role_name(settings.role_prefix, role), password=passwords.get(role))
        for role in (Role.APP, Role.LOADER)
    }
    return {Role.OWNER: make_conninfo(url), **conninfos}


async def connect(conninfo: str) -> PsycopgConnection:
    """An autocommit connection outside of any pool. Raises `DatabaseError` when the server can't be reached."""
    try:
        return await psycopg.AsyncConnection.connect(conninfo, autocommit=True)
    except psycopg.OperationalError as error:
        reason = str(error).strip().splitlines()[-1]
        raise DatabaseError(f"PostgreSQL can't be reached: {reason}. Check DATABASE_URL and the server.") from None


async def _can_log_in(url: str, user: str, password: str) -> bool:
    try:
        connection = await psycopg.AsyncConnection.connect(make_conninfo(url, user=user, password=password))
    except psycopg.OperationalError:
        return False
    await connection.close()
    return True


def driver(connection: AsyncConnection) -> PsycopgConnection:
    """The psycopg connection below SQLAlchemy's, in the same transaction: for COPY."""
    raw = connection.sync_connection
    if raw is None:
        raise RuntimeError("The connection is closed.")
    found = raw.connection.driver_connection
    if not isinstance(found, psycopg.AsyncConnection):
        raise TypeError(f"Expected a psycopg connection, got {type(found).__name__}.")
    return found


async def _bind(connection: AsyncConnection, workspace_id: UUID) -> None:
    await driver(connection).execute(_SET_WORKSPACE, (WORKSPACE_SETTING, str(workspace_id)))


async def _refuse_if_closed(connection: PsycopgConnection) -> None:
    _meet_the_end(connection)


def _replace_if_closed(connection: DBAPIConnection, record: object, proxy: object) -> None:
    """`_refuse_if_closed` for SQLAlchemy's pools: asking the server each time would cost as much as a statement."""
    try:
        _meet_the_end(connection.driver_connection)
    except psycopg.OperationalError as error:
        raise InvalidatePoolError from error


def _meet_the_end(connection: PsycopgConnection) -> None:
    """Notice a connection that the server has closed, without a round trip: its end of file is already here. Raises
    psycopg's OperationalError.

    The first read may get only the server's last words; the second one then meets the end.
    """
    connection.pgconn.consume_input()
    connection.pgconn.consume_input()


def rls_statements(
    table_name: str,
    *,
    role_prefix: str = "skvoz",
    app_may: str = "SELECT, INSERT, UPDATE, DELETE",
    loader_may: str = "SELECT, INSERT, UPDATE, DELETE",
) -> list[str]:
    """The statements that bind a table with a `workspace_id` to the workspace of the transaction.

    The restrictive policy holds whatever other policies say, and for every role, the owner's too (FORCE): a
    migration that reads or writes rows must lift it for its own transaction (`NO FORCE ROW LEVEL SECURITY`).
    Pass `app_may="SELECT, INSERT"` for append-only tables. After a SET LOCAL the setting is '' and not null.
    """
    app, loader = roles.role_name(role_prefix, Role.APP), roles.role_name(role_prefix, Role.LOADER)
    # As a subquery it is read once a statement and not once a row (measured: a tenth of a large query).
    bound = f"workspace_id = (select nullif(current_setting('{WORKSPACE_SETTING}', true), '')::uuid)"
    table = f'"{table_name}"'
    return [
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
        f"CREATE POLICY app ON {table} AS PERMISSIVE FOR ALL TO {app} USING (true) WITH CHECK (true)",
        f"CREATE POLICY workspace ON {table} AS RESTRICTIVE FOR ALL TO PUBLIC USING ({bound}) WITH CHECK ({bound})",
        f"GRANT {app_may} ON {table} TO {app}",
        f"GRANT {loader_may} ON {table} TO {loader}",
    ]
