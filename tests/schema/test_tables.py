"""What all tables must have in common, asked of the code and of the database."""

from __future__ import annotations

from uuid import uuid4

import pytest
from sqlalchemy import ForeignKeyConstraint, PrimaryKeyConstraint, Table, UniqueConstraint, text
from sqlalchemy.exc import DBAPIError

from core.database import Database
from schema.migrations.security import APPEND_ONLY, READ_BY_FUNCTIONS
from schema.tables import Base

OF_WORKSPACES = [table for table in Base.metadata.sorted_tables if "workspace_id" in table.columns]


@pytest.mark.parametrize("table", OF_WORKSPACES, ids=lambda table: table.name)
def test_every_key_begins_with_the_workspace(table: Table) -> None:
    for constraint in table.constraints:
        if isinstance(constraint, PrimaryKeyConstraint | UniqueConstraint | ForeignKeyConstraint):
            assert next(iter(constraint.columns)).name == "workspace_id", constraint.name
    for index in table.indexes:  # another one may serve a look-up over all workspaces, such as what is due
        if index.unique:
            assert str(next(iter(index.expressions))).endswith("workspace_id"), index.name


@pytest.mark.parametrize("table", Base.metadata.sorted_tables, ids=lambda table: table.name)
def test_every_table_says_what_a_row_is(table: Table) -> None:
    mapper = next(mapper for mapper in Base.registry.mappers if mapper.local_table is table)
    assert mapper.class_.__doc__ or table.name in {"ad", "ad_group", "keyword", "pipeline"}


async def test_row_level_security_is_restrictive_and_forced_everywhere(database: Database) -> None:
    async with database.owner_engine.connect() as db:
        rows = await db.execute(
            text("""
            select c.relname, c.relrowsecurity, c.relforcerowsecurity,
                coalesce(bool_or(not p.polpermissive), false) as restrictive
            from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'workspace_id'
            left join pg_policy p on p.polrelid = c.oid
            where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace group by 1, 2, 3
            """)
        )
        found = {name: (enabled, forced, restrictive) for name, enabled, forced, restrictive in rows}
    assert found.keys() == {table.name for table in OF_WORKSPACES}
    for name, state in found.items():
        assert state == (True, name not in READ_BY_FUNCTIONS, True), name


async def test_the_app_owns_nothing_and_views_have_no_rights_of_their_own(database: Database) -> None:
    app = f"{database.role_prefix}_app"
    async with database.owner_engine.connect() as db:
        owned = await db.execute(
            text("select relname from pg_class where relowner = cast(:app as regrole)"), {"app": app}
        )
        assert owned.all() == []
        views = await db.execute(
            text("""
            select relname from pg_class where relkind = 'v' and relnamespace = 'public'::regnamespace
            and not coalesce('security_invoker=true' = any(reloptions), false)
            """)
        )
        assert views.all() == []


@pytest.mark.parametrize("table", sorted(APPEND_ONLY))
async def test_the_app_can_not_rewrite_history(database: Database, table: str) -> None:
    for statement in (f"update {table} set workspace_id = workspace_id", f"delete from {table}"):  # noqa: S608
        with pytest.raises(DBAPIError, match="permission denied"):
            async with database.workspace(uuid4()) as db:
                await db.execute(text(statement))


async def test_a_workspace_sees_nothing_of_another(database: Database) -> None:
    mine, other = uuid4(), uuid4()
    async with database.owner_engine.begin() as db:
        for id in (mine, other):
            await db.execute(
                text("insert into workspace (id, slug, title) values (:id, :slug, 'W')"),
                {"id": id, "slug": str(id)},
            )
    async with database.workspace(other) as db:
        await db.execute(
            text(
                "insert into campaign (workspace_id, id, platform, external_id, name, loaded_at)"
                " values (:ws, :id, 'utm', 'x', 'X', now())"
            ),
            {"ws": other, "id": uuid4()},
        )
    async with database.workspace(mine) as db:
        assert (await db.execute(text("select count(*) from campaign"))).scalar_one() == 0
        assert (await db.execute(text("select array_agg(id) from workspace"))).scalar_one() == [mine]
    with pytest.raises(DBAPIError, match="row-level security"):
        async with database.workspace(mine) as db:
            await db.execute(
                text(
                    "insert into campaign (workspace_id, id, platform, external_id, name, loaded_at)"
                    " values (:ws, :id, 'utm', 'y', 'Y', now())"
                ),
                {"ws": other, "id": uuid4()},
            )
