"""SQL roles for analysts: each reads the views of one workspace and nothing else.

A reader is a login whose comment names its workspace; only who may make roles can change that. Readers of one
installation belong to a group: the group may select the columns that the views read, and a restrictive policy shows
it the rows of the workspace that the login's comment names, whatever else a session sets.
"""

from __future__ import annotations

import re
import secrets
from typing import Any
from uuid import UUID

from psycopg import errors, sql
from psycopg.conninfo import make_conninfo

from core.database import WORKSPACE_SETTING, Database, PsycopgConnection, connect
from core.errors import RoleError

_NAME = re.compile(r"[a-z][a-z0-9_]{0,30}")
_COMMENT = "Skvoz: reads workspace {}"

_FUNCTION = """
create or replace function analytics.reader_workspace() returns uuid
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select substring(shobj_description(oid, 'pg_authid') from '^Skvoz: reads workspace ([0-9a-f-]{36})$')::uuid
    from pg_roles where rolname = session_user
$$
"""
# The columns that views read, as PostgreSQL itself keeps them.
_COLUMNS = """
select c.relname, array_agg(distinct a.attname::text)
from pg_depend d
join pg_rewrite r on r.oid = d.objid and d.classid = 'pg_rewrite'::regclass
join pg_class v on v.oid = r.ev_class and v.relnamespace = 'analytics'::regnamespace
join pg_class c on c.oid = d.refobjid and c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
join pg_attribute a on a.attrelid = c.oid and a.attnum = d.refobjsubid and d.refobjsubid > 0
group by c.relname
"""


def group_name(role_prefix: str) -> str:
    """The role that all readers of an installation belong to."""
    return f"{role_prefix}_readers"


async def create_reader(database: Database, workspace_id: UUID, name: str) -> str:
    """Make the login ``<prefix>_reader_<name>``; its connection string, with a password that is stored nowhere (and
    none for a reader that is there already, which gets its rights anew).

    Raises RoleError for a bad or taken name, and with the SQL for the server's administrator where roles can't be
    made from here.
    """
    if not _NAME.fullmatch(name):
        raise RoleError(f"Name a reader with small letters, digits and underscores, not {name!r}.")
    login, group = f"{database.role_prefix}_reader_{name}", group_name(database.role_prefix)
    password = secrets.token_urlsafe(24)
    if login in await list_readers(database, workspace_id):  # made by the server's administrator
        await let_read(database)
        return make_conninfo(database.administrator, user=login, password="")
    async with await connect(database.administrator) as admin:
        if await _exists(admin, login):
            raise RoleError(f"There is a role {login} already: choose another name, or remove it first.")
        verifier = admin.pgconn.encrypt_password(password.encode(), login.encode(), b"scram-sha-256").decode()
        attributes = "create role {} login nosuperuser nocreatedb nocreaterole nobypassrls"
        statements = [] if await _exists(admin, group) else [sql.SQL("create role {} nologin").format(_id(group))]
        statements += [
            sql.SQL(attributes).format(_id(login)),
            sql.SQL("grant {} to {}").format(_id(group), _id(login)),
            sql.SQL("comment on role {} is {}").format(_id(login), sql.Literal(_COMMENT.format(workspace_id))),
            sql.SQL("alter role {} set {} = {}").format(
                _id(login), sql.SQL(WORKSPACE_SETTING), sql.Literal(str(workspace_id))
            ),
            sql.SQL("alter role {} set default_transaction_read_only = on").format(_id(login)),
            sql.SQL("alter role {} set search_path = analytics").format(_id(login)),
        ]
        # The server gets the verifier only. Alone and last: whoever is told to run the rest chooses a password.
        await _apply(admin, statements)
        await admin.execute(sql.SQL("alter role {} password {}").format(_id(login), sql.Literal(verifier)))
    await let_read(database)
    return make_conninfo(database.administrator, user=login, password=password)


async def list_readers(database: Database, workspace_id: UUID) -> list[str]:
    """The logins that read this workspace."""
    async with database.owner_engine.connect() as db:
        found = await db.exec_driver_sql(
            "select rolname from pg_roles where shobj_description(oid, 'pg_authid') = %s order by 1",
            (_COMMENT.format(workspace_id),),
        )
        return [str(name) for (name,) in found.fetchall()]


async def drop_reader(database: Database, workspace_id: UUID, login: str) -> None:
    """Remove a login; its open sessions end with their next statement's refusal. Raises RoleError if it isn't
    this workspace's."""
    if login not in await list_readers(database, workspace_id):
        raise RoleError(f"No reader of this workspace is called {login}.")
    async with await connect(database.administrator) as admin:
        await _apply(admin, [sql.SQL("drop role {}").format(_id(login))])
        await admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = %s", (login,))


async def let_read(database: Database) -> None:
    """Give the group, where there is one, what the present views need: run after the views were made anew."""
    group = group_name(database.role_prefix)
    async with database.owner_engine.begin() as db:
        if not (await db.exec_driver_sql("select 1 from pg_roles where rolname = %s", (group,))).first():
            return
        await db.exec_driver_sql(_FUNCTION.replace("%", "%%"))
        read: list[Any] = list((await db.exec_driver_sql(_COLUMNS)).fetchall())
        for table, columns in read:
            of_workspace = "id" if table == "workspace" else "workspace_id"
            listed = ", ".join(f'"{column}"' for column in sorted(columns))
            for statement in (
                f'grant select ({listed}) on "{table}" to {group}',
                f'drop policy if exists reader on "{table}"',
                f'drop policy if exists reader_bound on "{table}"',
                f'create policy reader on "{table}" as permissive for select to {group} using (true)',
                f'create policy reader_bound on "{table}" as restrictive for select to {group}'
                f" using ({of_workspace} = (select analytics.reader_workspace()))",
            ):
                await db.exec_driver_sql(statement)
        for statement in (
            f"grant usage on schema analytics to {group}",
            f"grant select on all tables in schema analytics to {group}",
            f"grant execute on function analytics.reader_workspace() to {group}",
        ):
            await db.exec_driver_sql(statement)


def _id(name: str) -> sql.Identifier:
    return sql.Identifier(name)


async def _exists(admin: PsycopgConnection, role: str) -> bool:
    return await (await admin.execute("select 1 from pg_roles where rolname = %s", (role,))).fetchone() is not None


async def _apply(admin: PsycopgConnection, statements: list[sql.Composed]) -> None:
    try:
        async with admin.transaction():
            for statement in statements:
                await admin.execute(statement)
    except errors.InsufficientPrivilege:
        lines = "\n".join(f"  {statement.as_string(admin)};" for statement in statements)
        raise RoleError(
            "The role in DATABASE_URL may not make roles. Let an administrator of the server run this and give the "
            f"login a password, then ask for the same reader again:\n{lines}"
        ) from None
