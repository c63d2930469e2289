# ruff: noqa: E501 - statements read better unbroken
"""The market that is measured, made in the database once and kept between runs."""

from __future__ import annotations

import time
from pathlib import Path
from uuid import UUID

from sqlalchemy import text

from core.database import Database
from schema.migrate import migrate

WORKSPACE = UUID(int=1)
CLIENT = UUID("0000a000-0000-4000-8000-000000000777")
"""The client whose card is shown."""

_ROWS = """
insert into workspace (id, slug, title) values (:ws, 'bench', 'Bench');
insert into campaign (workspace_id, id, platform, external_id, name, loaded_at)
    select :ws, ('0000c000-0000-4000-8000-' || lpad(i::text, 12, '0'))::uuid, 'yandex_direct', i, 'Campaign ' || i, now()
    from generate_series(1, 500) i;
insert into client (workspace_id, id, kind, name, phone, founded_at, last_seen_at)
    select :ws, ('0000a000-0000-4000-8000-' || lpad(i::text, 12, '0'))::uuid, 'person', 'Client ' || i,
    '+7916' || lpad(i::text, 7, '0'), '2026-01-01', timestamptz '2026-01-01' + i * interval '1 second'
    from generate_series(1, {clients}) i;
insert into call (workspace_id, id, connection_id, external_id, stream, source_id, client_id, started_at, direction,
    answered, talk_seconds, tags, campaign_id, loaded_at)
    select :ws, ('0000b000-0000-4000-8000-' || lpad(i::text, 12, '0'))::uuid, :ws, i, 'calls', i,
    ('0000a000-0000-4000-8000-' || lpad((i %% {clients} + 1)::text, 12, '0'))::uuid,
    timestamptz '2026-01-01' + i * interval '7 seconds', 'inbound', i %% 5 > 0, i %% 300, array['tag'],
    ('0000c000-0000-4000-8000-' || lpad((i %% 500 + 1)::text, 12, '0'))::uuid, now() from generate_series(1, {calls}) i;
insert into deal (workspace_id, id, connection_id, external_id, stream, source_id, client_id, title, status, amount,
    currency, created_at, tags, campaign_id, loaded_at)
    select :ws, ('0000d000-0000-4000-8000-' || lpad(i::text, 12, '0'))::uuid, :ws, i, 'deals', i,
    ('0000a000-0000-4000-8000-' || lpad((i %% {clients} + 1)::text, 12, '0'))::uuid, 'Deal ' || i, 'won', i %% 9000, 'RUB',
    timestamptz '2026-01-01' + i * interval '30 seconds', array[]::text[],
    ('0000c000-0000-4000-8000-' || lpad((i %% 500 + 1)::text, 12, '0'))::uuid, now() from generate_series(1, {deals}) i;
insert into rollup_day (workspace_id, day, campaign_id, reason, channel, cost, impressions, clicks, visits, calls, leads,
    new_clients, won_deals, revenue)
    select :ws, date '2026-01-01' + d, ('0000c000-0000-4000-8000-' || lpad(i::text, 12, '0'))::uuid, '', '',
    100 + (i * 7 + d) %% 400, 1000 + i, 20 + i %% 30, 18 + i %% 30, 5 + (i + d) %% 7, 2 + (i + d) %% 3, 1 + (i + d) %% 2,
    (i + d) %% 2, ((i + d) %% 2) * (900 + i) from generate_series(1, 500) i, generate_series(0, 364) d;
insert into rollup_month (workspace_id, month, campaign_id, reason, channel, cost, impressions, clicks, visits, calls,
    leads, new_clients, won_deals, revenue)
    select workspace_id, date_trunc('month', day)::date, campaign_id, reason, channel, sum(cost), sum(impressions),
    sum(clicks), sum(visits), sum(calls), sum(leads), sum(new_clients), sum(won_deals), sum(revenue)
    from rollup_day group by 1, 2, 3, 4, 5
"""
_TABLES = ("workspace", "campaign", "client", "call", "deal", "rollup_day", "rollup_month")

# What a PostGraphile user would write for the report: a function of the database's.
REPORT_FUNCTION = """
create or replace function campaign_figures(first_day date, last_day date) returns table (
    name text, cost numeric, impressions numeric, clicks numeric, visits bigint, calls bigint, leads bigint,
    new_clients bigint, won_deals bigint, revenue numeric
) language sql stable as $$
    select k.name, sum(r.cost), sum(r.impressions), sum(r.clicks), sum(r.visits), sum(r.calls), sum(r.leads),
        sum(r.new_clients), sum(r.won_deals), sum(r.revenue)
    from rollup_month r join campaign k on k.workspace_id = r.workspace_id and k.id = r.campaign_id
    where r.month >= first_day and r.month <= last_day
    group by k.id, k.name order by 2 desc
$$
"""


async def prepare(database: Database, home: Path, *, clients: int, calls: int, deals: int) -> None:
    """Bring the database up to today's schema, and seed it unless that was done before."""
    await migrate(database)
    marker = home / "seeded"
    if not marker.exists():
        began = time.perf_counter()
        await _seed(database, clients=clients, calls=calls, deals=deals)
        marker.touch()
        print(f"seeded in {time.perf_counter() - began:.0f} s", flush=True)
    async with database.owner_engine.begin() as connection:
        await connection.execute(text(REPORT_FUNCTION))


async def _seed(database: Database, *, clients: int, calls: int, deals: int) -> None:
    """Load the rows as the owner, whom row-level security binds too until it is lifted."""
    async with database.owner_engine.begin() as connection:
        for table in _TABLES:
            await connection.execute(text(f'alter table "{table}" no force row level security'))
        for statement in _ROWS.format(clients=clients, calls=calls, deals=deals).replace("%%", "%").split(";\n"):
            await connection.execute(
                text(statement.replace("::", "\\:\\:")), {"ws": WORKSPACE} if ":ws" in statement else {}
            )
        for table in _TABLES[1:]:
            await connection.execute(text(f'alter table "{table}" force row level security'))
    async with database.owner_engine.connect() as connection:
        connection = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text("vacuum analyze"))
