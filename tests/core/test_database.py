import asyncio
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection

from core import embedded
from core.database import Database, connect, driver, open_database, rls_statements
from core.errors import DatabaseError, KeyringError, RoleError
from core.roles import Role
from core.settings import Settings
from tests.conftest import Postgres

OURS, THEIRS = uuid4(), uuid4()


@pytest.fixture
async def table(blank: Database) -> str:
    """A table under row-level security with one row of ours and one of theirs."""
    async with blank.owner_engine.begin() as owner:
        await owner.execute(text("create table thing (workspace_id uuid, id int, primary key (workspace_id, id))"))
        for statement in rls_statements("thing"):
            await owner.execute(text(statement))
    for workspace in (OURS, THEIRS):
        async with blank.workspace(workspace) as app:
            await insert(app, workspace, 1)
    return "thing"


async def insert(connection: AsyncConnection, workspace: UUID, number: int) -> None:
    await connection.execute(text("insert into thing values (:w, :n)"), {"w": workspace, "n": number})


async def workspaces(connection: AsyncConnection) -> set[UUID]:
    return set((await connection.execute(text("select workspace_id from thing"))).scalars())


@pytest.mark.usefixtures("table")
class TestRowLevelSecurity:
    async def test_a_workspace_sees_its_own_rows_only(self, blank: Database) -> None:
        async with blank.workspace(OURS) as app:
            assert await workspaces(app) == {OURS}

    async def test_the_next_transaction_of_the_same_connection_sees_nothing(self, blank: Database) -> None:
        async with blank.app_engine.connect() as app:
            async with app.begin():
                await app.execute(
                    text("select set_config('skvoz.workspace_id', :workspace, true)"), {"workspace": str(OURS)}
                )
                assert await workspaces(app) == {OURS}
            async with app.begin():
                assert await workspaces(app) == set()

    async def test_the_pool_sees_nothing_without_a_workspace(self, blank: Database) -> None:
        async with blank.app_pool.connection() as app:
            assert await (await app.execute("select * from thing")).fetchall() == []

    async def test_writing_for_another_workspace_is_refused(self, blank: Database) -> None:
        with pytest.raises(ProgrammingError, match="row-level security"):
            async with blank.workspace(OURS) as app:
                await insert(app, THEIRS, 2)

    async def test_rows_cannot_be_moved_to_another_workspace(self, blank: Database) -> None:
        with pytest.raises(ProgrammingError, match="row-level security"):
            async with blank.workspace(OURS) as app:
                await app.execute(text("update thing set workspace_id = :theirs"), {"theirs": THEIRS})

    async def test_another_permissive_policy_opens_nothing(self, blank: Database) -> None:
        async with blank.owner_engine.begin() as owner:
            await owner.execute(text("create policy careless on thing for all to public using (true)"))
        async with blank.workspace(OURS) as app:
            assert await workspaces(app) == {OURS}

    async def test_the_owner_is_bound_too(self, blank: Database) -> None:
        async with blank.owner_engine.begin() as owner:
            assert await workspaces(owner) == set()

    async def test_the_loader_copies_and_the_app_cannot(self, blank: Database) -> None:
        async with blank.loading(OURS) as loader:
            async with driver(loader).cursor() as cursor, cursor.copy("copy thing from stdin") as copy:
                await copy.write_row((OURS, 2))
            assert await workspaces(loader) == {OURS, THEIRS}
        async with blank.workspace(OURS) as app:
            assert (await app.execute(text("select count(*) from thing"))).scalar_one() == 2
            with pytest.raises(psycopg.errors.FeatureNotSupported):
                async with driver(app).cursor() as cursor, cursor.copy("copy thing from stdin") as copy:
                    await copy.write_row((OURS, 3))

    async def test_copy_is_undone_with_its_transaction(self, blank: Database) -> None:
        async def copy_and_be_cancelled() -> None:
            async with blank.loading(OURS) as loader:
                async with driver(loader).cursor() as cursor, cursor.copy("copy thing from stdin") as copy:
                    await copy.write_row((OURS, 2))
                raise asyncio.CancelledError

        with pytest.raises(asyncio.CancelledError):
            await copy_and_be_cancelled()
        async with blank.workspace(OURS) as app:
            assert (await app.execute(text("select count(*) from thing"))).scalar_one() == 1

    @pytest.mark.parametrize("statement", ["truncate thing", "alter table thing disable row level security"])
    async def test_app_and_loader_have_no_rights_of_an_owner(self, blank: Database, statement: str) -> None:
        for opened in (blank.workspace(OURS), blank.loading(OURS)):
            with pytest.raises(ProgrammingError, match=r"permission denied|must be owner"):
                async with opened as connection:
                    await connection.execute(text(statement))

    async def test_append_only_tables(self, blank: Database) -> None:
        async with blank.owner_engine.begin() as owner:
            await owner.execute(text("create table log (workspace_id uuid, id int)"))
            for statement in rls_statements("log", app_may="SELECT, INSERT"):
                await owner.execute(text(statement))
        async with blank.workspace(OURS) as app:
            await app.execute(text("insert into log values (:w, 1)"), {"w": OURS})
        with pytest.raises(ProgrammingError, match="permission denied"):
            async with blank.workspace(OURS) as app:
                await app.execute(text("delete from log"))


async def test_parameters_stay_out_of_errors(blank: Database) -> None:
    with pytest.raises(DBAPIError) as caught:
        async with blank.workspace(OURS) as app:
            await app.execute(text("select :phone ::int"), {"phone": "+7 900 000-00-00"})
    assert "[SQL parameters hidden" in str(caught.value)


async def test_connections_come_back_after_the_server_dropped_them(blank: Database, postgres: Postgres) -> None:
    async def use() -> list[tuple[int, ...]]:
        async with (
            blank.workspace(OURS) as app,
            blank.loading(OURS) as loader,
            blank.app_pool.connection() as pooled,
        ):
            one = text("select 1")
            return [
                tuple((await app.execute(one)).one()),
                tuple((await loader.execute(one)).one()),
                *await (await pooled.execute("select 1")).fetchall(),
            ]

    assert await use() == [(1,), (1,), (1,)]
    async with await connect(postgres.url("postgres", user=embedded.SUPERUSER)) as superuser:
        ended = await superuser.execute(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = %s",
            [psycopg.conninfo.conninfo_to_dict(blank.conninfo(Role.APP))["dbname"]],
        )
        assert len(await ended.fetchall()) >= 3
    assert await use() == [(1,), (1,), (1,)]


async def test_alone_lets_in_one_at_a_time(blank: Database) -> None:
    inside, most = 0, 0

    async def enter() -> None:
        nonlocal inside, most
        async with blank.alone("test"):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.01)
            inside -= 1

    await asyncio.gather(*(enter() for _ in range(4)))
    assert most == 1
    async with blank.alone("one thing"), blank.alone("another thing"):
        pass


class TestRoles:
    """Roles of a prefix of their own: those of the other tests stay as they are."""

    @pytest.fixture
    async def guarded(self, postgres: Postgres, blank_settings: Settings) -> Settings:
        """Settings with the superuser as owner, who may make roles, and a new prefix."""
        assert blank_settings.database_url is not None
        url = blank_settings.database_url.get_secret_value().replace("skvoz_owner", embedded.SUPERUSER)
        prefix = f"r{uuid4().hex[:8]}"
        return blank_settings.model_copy(update={"database_url": SecretStr(url), "role_prefix": prefix})

    async def test_made_when_the_owner_may(self, guarded: Settings) -> None:
        async with open_database(guarded) as database, database.workspace(OURS) as app:
            who = (await app.execute(text("select current_user"))).scalar_one()
        assert who == f"{guarded.role_prefix}_app"

    async def test_the_sql_for_the_administrator_when_it_may_not(
        self, guarded: Settings, blank_settings: Settings, postgres: Postgres
    ) -> None:
        humble = blank_settings.model_copy(update={"role_prefix": guarded.role_prefix})
        with pytest.raises(RoleError) as caught:
            async with open_database(humble):
                pass
        sentence, *statements = str(caught.value).splitlines()
        assert "administrator" in sentence
        assert "SCRAM-SHA-256$" in statements[0]
        async with await connect(postgres.url("postgres", user=embedded.SUPERUSER)) as superuser:
            for statement in statements:
                await superuser.execute(statement.encode())
        async with open_database(humble) as database, database.loading(OURS):
            pass

    @pytest.mark.parametrize(
        ("role", "change", "sentence"),
        [
            ("app", "alter role {role} superuser", "superuser"),
            ("app", "alter role {role} bypassrls", "may bypass"),
            ("loader", "alter role {role} superuser", "superuser"),
            ("loader", "alter role {role} nobypassrls", "needs to bypass"),
        ],
    )
    async def test_a_role_with_the_wrong_rights_is_refused(
        self, guarded: Settings, postgres: Postgres, role: str, change: str, sentence: str
    ) -> None:
        async with open_database(guarded):
            pass
        async with await connect(postgres.url("postgres", user=embedded.SUPERUSER)) as superuser:
            await superuser.execute(change.format(role=f"{guarded.role_prefix}_{role}").encode())
        with pytest.raises(RoleError, match=sentence):
            async with open_database(guarded):
                pass

    async def test_an_app_that_owns_a_table_is_refused(self, guarded: Settings) -> None:
        async with open_database(guarded) as database, database.owner_engine.begin() as owner:
            await owner.execute(text("create table mine (id int)"))
            await owner.execute(text(f"alter table mine owner to {guarded.role_prefix}_app"))
        with pytest.raises(RoleError, match="owns tables"):
            async with open_database(guarded):
                pass


async def test_an_unreachable_server_gets_a_sentence(settings_of_nowhere: Settings) -> None:
    with pytest.raises(DatabaseError, match="PostgreSQL can't be reached"):
        async with open_database(settings_of_nowhere):
            pass


async def test_a_server_needs_a_master_key(blank_settings: Settings, tmp_path: Path) -> None:
    keyless = blank_settings.model_copy(update={"master_key": None, "home": tmp_path})
    with pytest.raises(KeyringError, match="There is no master key"):
        async with open_database(keyless):
            pass


@pytest.fixture
def settings_of_nowhere(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, database_url=SecretStr("postgresql://nobody@/nothing?host=/nonexistent"))
