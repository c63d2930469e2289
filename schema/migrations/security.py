"""Every table of a workspace is bound by row-level security from the migration that makes it."""

from __future__ import annotations

from importlib.resources import files

from alembic import context, op

from core.database import rls_statements
from core.roles import Role, role_name

APPEND_ONLY = frozenset(
    {"source_version", "merge_log", "campaign_name", "outbox_attempt", "change", "webhook_attempt", "rule_set"}
)
"""Tables of which the app may only read and add rows (the loader may clear them, when a connection goes)."""

_SEARCHED = ("client", "deal", "contact", "company", "lead", "sales_order", "identifier", "identity_record")
READ_BY_FUNCTIONS = (
    *("connection", "outbox", "change", "feed_horizon", "webhook", "webhook_delivery", "door", "received_webhook"),
    *("breaker", "stream_state", "match_traits", "match_weights"),
    *_SEARCHED,
)
"""Tables that functions of ``schema/functions.sql`` read as their owner, before a workspace is known. The app stays
bound by their policies; only the owner, who is nobody's login at work, is not."""

_UNSECURED = """
select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'workspace_id'
where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace and not c.relrowsecurity
order by c.relname
"""


def role_prefix() -> str:
    prefix: str = context.config.attributes["role_prefix"]
    return prefix


def secure_tables() -> None:
    """Bind each table that has a ``workspace_id`` and no row-level security yet."""
    for (table,) in op.get_bind().exec_driver_sql(_UNSECURED).fetchall():
        may = "SELECT, INSERT" if table in APPEND_ONLY else "SELECT, INSERT, UPDATE, DELETE"
        for statement in rls_statements(table, role_prefix=role_prefix(), app_may=may):
            op.execute(statement)
    for table in READ_BY_FUNCTIONS:
        op.execute(f"ALTER TABLE IF EXISTS {table} NO FORCE ROW LEVEL SECURITY")
    _grant_sequences()


def secure_workspaces() -> None:
    """The table ``workspace`` is bound by its own id. Only the owner makes workspaces."""
    app, loader = role_name(role_prefix(), Role.APP), role_name(role_prefix(), Role.LOADER)
    bound = "id = nullif(current_setting('skvoz.workspace_id', true), '')::uuid"
    for statement in (
        "ALTER TABLE workspace ENABLE ROW LEVEL SECURITY",
        f"CREATE POLICY app ON workspace FOR ALL TO {app} USING ({bound}) WITH CHECK ({bound})",
        f"GRANT SELECT, UPDATE ON workspace TO {app}",
        f"GRANT SELECT ON workspace TO {loader}",
    ):
        op.execute(statement)


def create_functions() -> None:
    """(Re)create the SQL functions of ``schema/functions.sql``; run again whenever that file changes."""
    # An earlier migration makes these functions before the tables of a later one exist.
    op.execute("SET LOCAL check_function_bodies = off")
    sql = files("schema").joinpath("functions.sql").read_text(encoding="utf-8")
    run_script(
        sql.replace("{app_role}", role_name(role_prefix(), Role.APP)).replace(
            "{loader_role}", role_name(role_prefix(), Role.LOADER)
        )
    )


def create_jobs(sql: str) -> None:
    """The job engine's tables, in the schema ``jobs``; the app enqueues and works on jobs."""
    app = role_name(role_prefix(), Role.APP)
    op.execute("CREATE SCHEMA jobs")
    op.execute("SET LOCAL search_path = jobs")
    run_script(sql)
    op.execute("SET LOCAL search_path = public")
    for statement in (
        f"GRANT USAGE ON SCHEMA jobs TO {app}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA jobs TO {app}",
        f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA jobs TO {app}",
        f"GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA jobs TO {app}",
    ):
        op.execute(statement)


def run_script(sql: str) -> None:
    """Run a file of several statements, untouched: its percent signs aren't placeholders."""
    op.get_bind().exec_driver_sql(sql.replace("%", "%%"))


def _grant_sequences() -> None:
    for role in (Role.APP, Role.LOADER):
        op.execute(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {role_name(role_prefix(), role)}")
