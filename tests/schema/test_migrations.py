"""The migrations make the tables that the code expects, and every table of a workspace is bound to it."""

from __future__ import annotations

from sqlalchemy import text

from core.database import Database
from schema.migrate import drift


async def test_the_migrations_make_exactly_the_tables_of_the_code(database: Database) -> None:
    assert await drift(database) == []


async def test_every_table_of_a_workspace_is_bound_by_row_level_security(database: Database) -> None:
    async with database.owner_engine.connect() as db:
        rows = await db.execute(
            text("""
            select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid
                and a.attname = 'workspace_id'
            where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace
                and not (c.relrowsecurity and exists (select from pg_policy p where p.polrelid = c.oid))
            """)
        )
        assert [name for (name,) in rows] == []
