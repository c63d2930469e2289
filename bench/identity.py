"""What taking records into identity costs: milliseconds per 1,000 records added to a graph of a given size.

    python bench/identity.py [--records 200000] [--pages 20] [--seed 1] [--keys-only]

A seeded graph: about three records a person, phone on 80 % of records, e-mail 35 %, visitor id 50 %, office phones
on 2 %, test addresses, borrowed phones. It is filled page by page through `absorb` itself, on an embedded server
with its usual settings; then further pages are timed, and the memory of this process is printed.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import shutil
import statistics
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from time import perf_counter, process_time
from uuid import UUID, uuid4

import psycopg
from pydantic import SecretStr

from core.database import open_database
from core.roles import Role
from core.settings import Settings
from schema.migrate import migrate
from schema.records import CallRecord, ContactRecord, LeadRecord, Record, VisitRecord
from sync.identity import Candidate, absorb, candidate_of, refresh_golden

PAGE = 1_000
CONNECTION = UUID(int=7)
START = datetime(2025, 1, 1, tzinfo=UTC)
GIVEN = ("Иван", "Мария", "Олег", "Анна", "Пётр", "Ольга", "Глеб", "Вера", "Юрий", "Нина", "Игорь", "Елена")
ENDS = ("", "ко", "дин", "бер", "лян", "чук", "мов", "рик", "тан", "вец", "гор", "пат", "сим", "жен", "хар", "цев")
SURNAMES = ("Орлов", "Беляев", "Котов", "Зимин", "Лаптев", "Громов", "Исаев", "Жуков", "Фомин", "Рогов", "Быков")


def records(count: int, people: int, rng: Random) -> Iterator[Record]:
    """Endlessly mixed records of so many people, at most ``count``."""
    for _ in range(count):
        number = rng.randrange(1 << 60)
        person = rng.randrange(people)
        own = Random(person)
        name = f"{own.choice(GIVEN)} {own.choice(SURNAMES)}{own.choice(ENDS)}{own.choice(ENDS)}"
        at = START + timedelta(seconds=rng.randrange(30_000_000))
        phone = f"+7916{(person if rng.random() > 0.01 else rng.randrange(people)) + 2_000_000:07d}"
        if rng.random() < 0.02:
            phone = f"+7495{2_000_000 + person % 200:07d}"
        phones = (phone,) if rng.random() < 0.8 else ()
        email = f"p{person}@mail.ru" if rng.random() > 0.001 else f"shared{person % 20}@mail.ru"
        emails = (email,) if rng.random() < 0.5 else ()
        visitors = (f"ym:{person * 2 + (rng.random() < 0.2)}",) if rng.random() < 0.7 else ()
        kind = rng.random()
        staff = str(rng.randrange(40))
        if kind < 0.45:
            yield CallRecord(
                external_id=str(number),
                started_at=at,
                client_phone=phone if phones else None,
                visitor_ids=visitors,
                responsible=staff,
            )
        elif kind < 0.65:
            yield VisitRecord(external_id=str(number), started_at=at, visitor_ids=(f"ym:{person * 2}",))
        elif kind < 0.85:
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


def page(people: int, rng: Random, weighed: bool) -> list[Candidate]:
    found = (candidate_of(record, CONNECTION, "RU") for record in records(PAGE, people, rng))
    told = [candidate for candidate in found if candidate is not None]
    return told if weighed else [replace(candidate, traits=None) for candidate in told]


async def measure(size: int, pages: int, seed: int, weighed: bool) -> None:
    home = Path(tempfile.mkdtemp(prefix="skvoz-"))
    settings = Settings(home=home, database_url=None, master_key=SecretStr("A" * 43 + "="))
    rng, people, workspace = Random(seed), max(size // 3, 1), uuid4()
    try:
        async with open_database(settings) as database:
            await migrate(database)
            conninfo = database.conninfo(Role.LOADER)
            async with await psycopg.AsyncConnection.connect(conninfo) as conn:
                began = perf_counter()
                for _ in range(size // PAGE):
                    async with conn.transaction():
                        await absorb(conn, workspace, page(people, rng, weighed), None)
                filled = perf_counter() - began
                print(f"{size:,} records in pages of {PAGE:,}: {filled:.1f} s, {size / filled:,.0f} a second")
                took: dict[str, list[float]] = {
                    "absorb": [],
                    "of it CPU here": [],
                    "mapping": [],
                    "golden": [],
                }
                moved = merged = 0
                for _ in range(pages):
                    began = perf_counter()
                    candidates = page(people, rng, weighed)
                    mapped, busy = perf_counter(), process_time()
                    async with conn.transaction():
                        outcome = await absorb(conn, workspace, candidates, None)
                        absorbed = perf_counter()
                        took["of it CPU here"].append(process_time() - busy)
                        await refresh_golden(conn, workspace, outcome.touched)
                        golden = perf_counter()
                    took["mapping"].append(mapped - began)
                    took["absorb"].append(absorbed - mapped)
                    took["golden"].append(golden - absorbed)
                    moved, merged = moved + outcome.moved, merged + outcome.merged
        for name, seconds in took.items():
            ordered = sorted(value * 1000 for value in seconds)
            print(f"{name:>14}: median {statistics.median(ordered):.0f} ms per 1,000, worst {ordered[-1]:.0f} ms")
        print(f"{moved} records moved, {merged} clients merged in {pages} pages")
        print(f"memory of this process at most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB")
    finally:
        shutil.rmtree(home, ignore_errors=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--pages", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keys-only", action="store_true", help="without probable matches")
    options = parser.parse_args()
    asyncio.run(measure(options.records, options.pages, options.seed, not options.keys_only))


if __name__ == "__main__":
    main()
