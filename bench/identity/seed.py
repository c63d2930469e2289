"""A seeded graph of records and keys, copied into the database once and kept between runs.

About three records a person, in the shares of an agency's account: phones on four records of five, e-mails on a
third, a counter's cookie on half of them. One person in ten has a second browser, one phone in a hundred is
borrowed, 200 office phones stand on one record in fifty, 20 test addresses on one in a thousand.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from time import perf_counter, process_time
from typing import Any
from uuid import UUID, uuid4

import msgspec
import numpy as np
import psycopg
from pydantic import SecretStr

from core.database import Database, open_database
from core.roles import Role
from core.settings import Settings
from schema.migrate import migrate
from schema.records import CallRecord, ContactRecord, LeadRecord, Record, VisitRecord
from sync.identity import Candidate, candidate_of, components, whole
from sync.identity.names import name_for_comparison
from sync.identity.traits import blocks_of, crowds_of

WORKSPACE = UUID(int=1)
CONNECTION = UUID(int=7)
START = datetime(2025, 1, 1, tzinfo=UTC)
GIVEN = ("Иван", "Мария", "Олег", "Анна", "Пётр", "Ольга", "Глеб", "Вера", "Юрий", "Нина", "Игорь", "Елена")
ENDS = ("", "ко", "дин", "бер", "лян", "чук", "мов", "рик", "тан", "вец", "гор", "пат", "сим", "жен", "хар", "цев")
SURNAMES = ("Орлов", "Беляев", "Котов", "Зимин", "Лаптев", "Громов", "Исаев", "Жуков", "Фомин", "Рогов", "Быков")
PEOPLE_PER_RECORD = 0.35
_BATCH = 20_000
_TABLES = ("identity_record", "identifier", "match_traits", "match_block", "shared_key", "client")

Conn = psycopg.AsyncConnection[tuple[Any, ...]]


def records(count: int, people: int, rng: Random) -> Iterator[Record]:
    """So many mixed records of so many people."""
    for _ in range(count):
        number = rng.randrange(1 << 60)
        person = rng.randrange(people)
        own = Random(person)
        name = f"{own.choice(GIVEN)} {own.choice(SURNAMES)}{own.choice(ENDS)}{own.choice(ENDS)}{own.choice(ENDS)}"
        browsers = 1 + (own.random() < 0.1)
        at = START + timedelta(seconds=rng.randrange(30_000_000))
        phone = f"+7916{(person if rng.random() > 0.01 else rng.randrange(people)) + 2_000_000:07d}"
        if rng.random() < 0.02:
            phone = f"+7495{2_000_000 + person % 200:07d}"
        email = f"p{person}@mail.ru" if rng.random() > 0.001 else f"shared{person % 20}@mail.ru"
        phones = (phone,) if rng.random() < 0.95 else ()
        emails = (email,) if rng.random() < 0.8 else ()
        visitors = (f"ym:{person * 2 + rng.randrange(browsers)}",)
        kind, staff = rng.random(), str(rng.randrange(40))
        if kind < 0.45:
            seen = visitors if rng.random() < 0.4 else ()
            yield CallRecord(
                external_id=str(number),
                started_at=at,
                client_phone=phone,
                visitor_ids=seen,
                responsible=staff,
            )
        elif kind < 0.60:
            yield VisitRecord(external_id=str(number), started_at=at, visitor_ids=visitors)
        elif kind < 0.82:
            yield LeadRecord(
                external_id=str(number),
                created_at=at,
                name=name,
                phones=phones,
                emails=emails,
                visitor_ids=visitors,
            )
        else:
            yield ContactRecord(
                external_id=str(number), created_at=at, name=name, phones=phones, emails=emails, responsible=staff
            )


def candidates(count: int, people: int, rng: Random, *, weighed: bool = True) -> list[Candidate]:
    """So many records as identity takes them; without traits, nothing of them is weighed."""
    found = (candidate_of(record, CONNECTION, "RU") for record in records(count, people, rng))
    told = [candidate for candidate in found if candidate is not None]
    return told if weighed else [replace(candidate, traits=None) for candidate in told]


@asynccontextmanager
async def seeded(home: Path, count: int, seed: int) -> AsyncIterator[Database]:
    """The database with so many records in it, each with the client that all of them together tell."""
    home = home / f"identity-{count}-{seed}"
    marker = home / "seeded"
    settings = Settings(home=home, database_url=None, master_key=SecretStr("A" * 43 + "="))
    async with open_database(settings) as database:
        await migrate(database)  # a kept one may be older than the tables
        if not marker.exists():
            began = perf_counter()
            async with await psycopg.AsyncConnection.connect(database.conninfo(Role.LOADER)) as conn:
                await conn.execute(f"delete from {_TABLES[0]} where workspace_id = %s", (WORKSPACE,))
                for table in _TABLES[1:]:
                    await conn.execute(f"delete from {table} where workspace_id = %s", (WORKSPACE,))
                await _load(conn, count, Random(seed))
                await conn.commit()
                await conn.set_autocommit(True)
            await _tidy(database)
            async with await psycopg.AsyncConnection.connect(database.conninfo(Role.LOADER)) as conn:
                await _found(conn)
            await _tidy(database)
            marker.touch()
            print(f"seeded in {perf_counter() - began:.0f} s, {process_time():.0f} s of CPU here", flush=True)
        yield database


async def _tidy(database: Database) -> None:
    async with await psycopg.AsyncConnection.connect(database.conninfo(Role.OWNER), autocommit=True) as conn:
        await conn.execute("vacuum analyze")


async def _load(conn: Conn, count: int, rng: Random) -> None:
    people, encoder = int(count * PEOPLE_PER_RECORD), msgspec.json.Encoder()
    for begin in range(0, count, _BATCH):
        told = candidates(min(_BATCH, count - begin), people, rng)
        async with conn.cursor() as cursor:
            async with cursor.copy(
                "copy identity_record (workspace_id, record_id, record_kind, connection_id, client_kind, at, name)"
                " from stdin"
            ) as copy:
                for each in told:
                    name = name_for_comparison(each.names, each.client_kind)
                    kinds = each.record_kind.value, each.connection_id, each.client_kind.value
                    await copy.write_row((WORKSPACE, each.record_id, *kinds, each.at, name))
            async with cursor.copy(
                "copy identifier (workspace_id, kind, value, record_id, record_kind, client_kind, raw) from stdin"
            ) as copy:
                for each in told:
                    carrier = each.record_id, each.record_kind.value, each.client_kind.value
                    for key in each.keys:
                        await copy.write_row((WORKSPACE, str(key.kind), key.value, *carrier, key.raw))
            weighed = [(each.record_id, each.traits) for each in told if each.traits is not None]
            async with cursor.copy("copy match_traits (workspace_id, record_id, traits) from stdin") as copy:
                for id, traits in weighed:
                    await copy.write_row((WORKSPACE, id, encoder.encode(traits).decode()))
            async with cursor.copy("copy match_block (workspace_id, block, record_id) from stdin") as copy:
                for id, traits in weighed:
                    for block in blocks_of(traits) | crowds_of(traits):
                        await copy.write_row((WORKSPACE, block, id))


async def _found(conn: Conn) -> None:
    """Write the clients that all records together tell: each has the id of its oldest record that isn't a visit."""
    graph = await whole.read(conn, WORKSPACE)
    assert graph is not None
    guards = await whole.guards_of(conn, WORKSPACE, graph)
    group = await whole.grouped(conn, WORKSPACE, graph, guards)
    await whole.write_guards(conn, WORKSPACE, guards)
    is_client = components.clients_among(graph, group, guards.shared)
    unclosed = np.zeros(len(graph), dtype=np.bool_)
    open_keys = guards.shared | components.differ_within(graph.key, group[graph.carrier], len(graph.first))
    unclosed[group[graph.carrier[open_keys[graph.key]]]] = True
    places = np.lexsort((graph.at, graph.record_kinds == components.VISIT, group))
    ids = graph.record_ids(places)
    await conn.execute("create temp table found (record_id uuid, client_id uuid, closed boolean) on commit drop")
    client, last = uuid4(), -1
    async with conn.cursor() as cursor, cursor.copy("copy found from stdin") as copy:
        for id, of, known, closed in zip(
            ids,
            group[places].tolist(),
            is_client[group[places]].tolist(),
            (~unclosed[group[places]]).tolist(),
            strict=True,
        ):
            if of != last:
                client, last = id, of
            if known:
                await copy.write_row((id, client, closed))
    await conn.execute(
        """insert into client (workspace_id, id, kind, founded_at, closed, last_seen_at)
        select %s, r.record_id, r.client_kind, r.at, f.closed, r.at
        from found f join identity_record r on r.workspace_id = %s and r.record_id = f.record_id
        where f.record_id = f.client_id""",
        (WORKSPACE, WORKSPACE),
    )
    await conn.execute(
        """update identity_record r set client_id = f.client_id from found f
        where r.workspace_id = %s and r.record_id = f.record_id""",
        (WORKSPACE,),
    )
    await conn.commit()
