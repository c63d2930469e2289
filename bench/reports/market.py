"""The market that is measured: made in the database once for each size, and kept between runs."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from hashlib import md5
from uuid import UUID

from psycopg import sql

from core.database import Database, PsycopgConnection, driver

WORKSPACE = UUID(int=1)
CONNECTION = UUID(int=2)
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)

# Ids are scattered as ours are, rows lie in the order of time as they come. Visits have a heavy tail: half of the
# clients have 3 or fewer, a few 325. Half of the visits are paid; calls name no origin, so they are conversions and
# no touches, as when a tracker tells the visit beside the call.
_ROWS = """
create temporary table sizes as select number, md5('client' || number)::uuid as client_id,
    least(325, floor(1.87 * (1 - random()) ^ (-1 / 1.1)))::integer as visits
    from generate_series(1, %(clients)s) as r(number);
insert into client (workspace_id, id, kind, name, founded_at, last_seen_at)
    select %(workspace)s, client_id, 'person', 'Client ' || number, %(begin)s, %(begin)s from sizes;
insert into campaign (workspace_id, id, platform, external_id, name, source, medium, loaded_at)
    select %(workspace)s, md5('campaign' || number)::uuid, 'yandex_direct', number, 'Campaign ' || number,
    'source' || number %% 10, 'cpc', %(begin)s from generate_series(0, %(campaigns)s - 1) as r(number);
insert into ad_spend (workspace_id, connection_id, campaign_id, day, revision, stream, source_id, cost, currency,
    vat_included, impressions, clicks, known_from)
    select %(workspace)s, %(connection)s, md5('campaign' || number)::uuid, %(begin)s::date + day, 1, 'report', day,
    123.45, 'RUB', true, 1000, 10, %(begin)s
    from generate_series(0, %(campaigns)s - 1) as r(number), generate_series(0, %(days)s - 1) as d(day);
insert into visit (workspace_id, id, connection_id, external_id, stream, source_id, loaded_at, client_id,
    started_at, visitor_ids, channel, campaign_id, city, device)
    select %(workspace)s, md5('visit' || row_number() over ())::uuid, %(connection)s, number, 'visits', number,
    %(begin)s, client_id, at, '{}', (array['paid_search', 'paid_social', 'organic', 'direct'])[1 + draw %% 4],
    case when draw %% 4 < 2 then md5('campaign' || draw %% %(campaigns)s)::uuid end, 'City ' || draw %% 50,
    (array['desktop', 'mobile', 'tablet'])[1 + draw %% 3]
    from (
        select s.*, %(begin)s + random() * make_interval(days => %(days)s) as at,
            floor(random() * 1000000)::integer as draw
        from sizes s, generate_series(1, s.visits) order by at
    ) r;
insert into call (workspace_id, id, connection_id, external_id, stream, source_id, loaded_at, client_id, started_at,
    direction, client_phone, answered, tags, talk_seconds)
    select %(workspace)s, md5('call' || number)::uuid, %(connection)s, number, 'calls', number, %(begin)s,
    md5('client' || 1 + floor(random() * %(clients)s))::uuid, at, 'inbound', '+7' || number, random() < 0.8, '{}',
    floor(random() * 300)
    from (
        select number, %(begin)s + random() * make_interval(days => %(days)s) as at
        from generate_series(1, %(calls)s) as r(number) order by at
    ) r;
insert into deal (workspace_id, id, connection_id, external_id, stream, source_id, loaded_at, client_id, title,
    status, amount, currency, created_at, closed_at, tags)
    select %(workspace)s, md5('deal' || number)::uuid, %(connection)s, number, 'deals', number, %(begin)s,
    md5('client' || 1 + floor(random() * %(clients)s))::uuid, 'Deal ' || number,
    case when random() < 0.6 then 'won' else 'lost' end, floor(random() * 10000000) / 100, 'RUB',
    at - interval '9 days', at, '{}'
    from (
        select number, %(begin)s + random() * make_interval(days => %(days)s) as at
        from generate_series(1, %(deals)s) as r(number) order by at
    ) r
"""
_INDEXES = """
select indexdef, indexname from pg_indexes
where schemaname = current_schema() and tablename = any(%s) and indexname not like 'pk\\_%%'
"""
_FILLED = ("client", "campaign", "ad_spend", "visit", "call", "deal")


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is of everything."""

    clients: int
    calls: int
    deals: int
    days: int
    campaigns: int

    def __str__(self) -> str:
        return "-".join(map(str, (self.clients, self.calls, self.deals, self.days, self.campaigns)))

    @property
    def whole(self) -> tuple[date, date]:
        """All of its days; in the workspace's time zone it ends a day later."""
        return BEGIN.date(), BEGIN.date() + timedelta(days=self.days)


class Draw:
    """What chance picks of a market."""

    def __init__(self, size: Size, seed: int = 1) -> None:
        self._size, self._random = size, random.Random(seed)

    def clients(self, number: int) -> list[UUID]:
        return [_id(f"client{1 + place}") for place in self._random.sample(range(self._size.clients), number)]

    def campaign(self) -> UUID:
        return _id(f"campaign{self._random.randrange(self._size.campaigns)}")

    def moment(self) -> datetime:
        return BEGIN + timedelta(seconds=self._random.randrange(self._size.days * 86_400))

    def days(self) -> tuple[date, date]:
        """A range of days within the market's."""
        first, last = sorted((self.moment(), self.moment()))
        return first.date(), last.date()


def _id(name: str) -> UUID:
    return UUID(md5(name.encode(), usedforsecurity=False).hexdigest())


async def seed(database: Database, size: Size) -> None:
    """Fill a migrated database."""
    began = time.perf_counter()
    async with database.owner_engine.begin() as connection:
        conn = driver(connection)
        await conn.execute("insert into workspace (id, slug, title) values (%s, 'bench', 'Bench')", (WORKSPACE,))
        await conn.execute("select setseed(0.5)")
        indexes = await (await conn.execute(_INDEXES, (list(_FILLED),))).fetchall()
        for _, name in indexes:
            await conn.execute(sql.SQL("drop index {}").format(sql.Identifier(name)))
        given = {
            "workspace": WORKSPACE,
            "connection": CONNECTION,
            "begin": BEGIN,
            **{name: getattr(size, name) for name in Size.__slots__},
        }
        await _bind_owner(conn, bound=False)
        for statement in _ROWS.split(";\n"):
            await conn.execute(statement.encode(), given)
        await _bind_owner(conn, bound=True)
        for definition, _ in indexes:
            await conn.execute(definition.encode())
    await vacuum(database)
    print(f"seeded in {time.perf_counter() - began:.0f} s", flush=True)


async def _bind_owner(conn: PsycopgConnection, *, bound: bool) -> None:
    """Row-level security binds the owner of the tables too, until it is lifted."""
    word = sql.SQL("force" if bound else "no force")
    for table in _FILLED:
        await conn.execute(sql.SQL("alter table {} {} row level security").format(sql.Identifier(table), word))


async def vacuum(database: Database) -> None:
    """What autovacuum does by itself a little later."""
    async with database.owner_engine.connect() as connection:
        raw = driver(connection)
        await raw.set_autocommit(True)
        await raw.execute("vacuum analyze")
