"""The PostgreSQL roles behind row-level security: making them, and refusing to start when one may too much.

Roles belong to a whole server, so databases that share one share the roles of the same prefix.
"""

import hashlib
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Any

import psycopg
from psycopg import sql

from core.errors import RoleError
from core.secrets import Keyring, load_keyring
from core.settings import Settings

Connection = psycopg.AsyncConnection[tuple[Any, ...]]


class Role(StrEnum):
    """Who talks to the database; see `core.database`."""

    OWNER = "owner"
    APP = "app"
    LOADER = "loader"


_ATTRIBUTES = {
    Role.OWNER: "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS",
    Role.APP: "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS",
    Role.LOADER: "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION BYPASSRLS",
}


def role_name(prefix: str, role: Role) -> str:
    """The name of a role on the server."""
    return f"{prefix}_{role.value}"


def lock_key(what: str) -> int:
    """The key of the advisory lock for a piece of work that only one process may do at a time."""
    return int.from_bytes(hashlib.sha256(f"skvoz {what}".encode()).digest()[:8], "big", signed=True)


async def _lock_roles(connection: Connection) -> None:
    """Wait for other processes that see to the roles; the lock ends with the connection."""
    await connection.execute("select pg_advisory_lock(%s)", [lock_key("roles")])


async def ensure_embedded(superuser: Connection, *, dbname: str, prefix: str) -> None:
    """Make the roles and the database of an embedded server; the private socket asks for no passwords."""
    await _lock_roles(superuser)
    names = await _existing_roles(superuser, prefix)
    for role in Role:
        if role_name(prefix, role) not in names:
            await superuser.execute(_create(prefix, role, verifier=None))
    found = await superuser.execute("select 1 from pg_database where datname = %s", [dbname])
    if await found.fetchone() is None:
        owner = sql.Identifier(role_name(prefix, Role.OWNER))
        await superuser.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(dbname), owner))


async def ensure_roles(
    owner: Connection, settings: Settings, *, login: Callable[[str, str], Awaitable[bool]]
) -> dict[Role, str]:
    """Make sure that app and loader exist on a server and can log in; returns their passwords.

    Passwords are derived from the master key and stored nowhere. `login(user, password)` tells whether one
    works. Raises `RoleError` with the SQL for the server's administrator when the owner may not do it itself.
    """
    prefix = settings.role_prefix
    keyring = load_keyring(settings)
    await _lock_roles(owner)
    names = await _existing_roles(owner, prefix)
    passwords: dict[Role, str] = {}
    wanting: list[tuple[Role, sql.Composed]] = []
    for role in (Role.APP, Role.LOADER):
        name = role_name(prefix, role)
        candidates = role_passwords(keyring, name)
        passwords[role] = candidates[0]
        verifier = owner.pgconn.encrypt_password(candidates[0].encode(), name.encode(), b"scram-sha-256").decode()
        if name not in names:
            wanting.append((role, _create(prefix, role, verifier=verifier)))
            continue
        for password in candidates:
            if await login(name, password):
                passwords[role] = password
                break
        else:
            statement = sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(name), sql.Literal(verifier))
            wanting.append((role, statement))
    if wanting:
        await _apply(owner, [statement for _, statement in wanting])
        for role, _ in wanting:
            if not await login(role_name(prefix, role), passwords[role]):
                raise RoleError(
                    f"The role {role_name(prefix, role)} exists but can't log in to the database; "
                    "allow it in the server's pg_hba.conf and grant it CONNECT on the database."
                )
    return passwords


def role_passwords(keyring: Keyring, name: str) -> list[str]:
    """A role's password by each master key, the present one first."""
    return keyring.derive(f"password of the database role {name}")


async def check(connection: Connection, *, prefix: str) -> None:
    """Raise `RoleError` when a role could step around row-level security, or couldn't do its work."""
    found = await connection.execute(
        """
        select rolname, rolsuper, rolbypassrls, exists (
            select from pg_class c join pg_namespace n on n.oid = c.relnamespace
            where c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname not in ('pg_catalog', 'information_schema')
              and not r.rolsuper and pg_has_role(r.oid, c.relowner, 'MEMBER')
        )
        from pg_roles r where rolname = any (%s)
        """,
        [[role_name(prefix, Role.APP), role_name(prefix, Role.LOADER)]],
    )
    rows = {str(name): flags async for name, *flags in found}
    for role in (Role.APP, Role.LOADER):
        name = role_name(prefix, role)
        if name not in rows:
            raise RoleError(f"The role {name} doesn't exist.")
        is_superuser, bypasses, owns = rows[name]
        if is_superuser:
            raise RoleError(f"The role {name} is a superuser; run: ALTER ROLE {name} NOSUPERUSER;")
        if owns:
            raise RoleError(
                f"The role {name} owns tables of this database, or is a member of a role that does, so that "
                "row-level security can't bind it; give the tables to the role in DATABASE_URL."
            )
        if role is Role.APP and bypasses:
            raise RoleError(f"The role {name} may bypass row-level security; run: ALTER ROLE {name} NOBYPASSRLS;")
        if role is Role.LOADER and not bypasses:
            raise RoleError(
                f"The role {name} needs to bypass row-level security; run: ALTER ROLE {name} BYPASSRLS;"
            )


async def _existing_roles(connection: Connection, prefix: str) -> set[str]:
    found = await connection.execute(
        "select rolname from pg_roles where rolname = any (%s)", [[role_name(prefix, role) for role in Role]]
    )
    return {str(name) async for (name,) in found}


def _create(prefix: str, role: Role, *, verifier: str | None) -> sql.Composed:
    """`verifier` is the SCRAM verifier of the password: the server and its logs never see the password."""
    statement = sql.SQL("CREATE ROLE {} {}").format(
        sql.Identifier(role_name(prefix, role)), sql.SQL(_ATTRIBUTES[role])
    )
    return statement if verifier is None else statement + sql.SQL(" PASSWORD {}").format(sql.Literal(verifier))


async def _apply(owner: Connection, statements: list[sql.Composed]) -> None:
    try:
        async with owner.transaction():
            for statement in statements:
                await owner.execute(statement)
    except psycopg.errors.InsufficientPrivilege:
        lines = "\n".join(f"  {statement.as_string(owner)};" for statement in statements)
        raise RoleError(
            "The role in DATABASE_URL may not make the roles that Skvoz needs. Let an administrator of the server "
            f"run this once, then start again:\n{lines}"
        ) from None
