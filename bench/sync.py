"""The way of a page: calls of a call tracker loaded into PostgreSQL, beside plain COPY of the same rows.

    python -m bench.sync [--calls 20000]

Three loads: *first* (all new), *again* (nothing changed), *1 %* (ten records of each page changed). What is timed
is everything after the bytes have arrived: hashing, comparing, mapping, identity, rows, figures' marks, commit.
The floor is COPY of the very same rows into copies of the two tables, indexes included.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from uuid import UUID, uuid4

from psycopg import sql

from connectors.calltouch.settings import CalltouchSettings
from connectors.contract import RawRecord
from connectors.registry import connector
from core.database import driver
from core.settings import Settings
from sync.load import Counts, load_page
from sync.mapped import Loading
from sync.office import Office, create_workspace, open_office

PAGE = 1000


def bodies(count: int, changed: bool = False) -> Iterator[list[RawRecord]]:
    """Pages of calls; every third caller has called before. ``changed``: a tag more on one in a hundred."""
    chance = Random(7)
    page: list[RawRecord] = []
    for number in range(count):
        caller = 9_000_000_000 + chance.randrange(max(count * 2 // 3, 1))
        told = {
            "callId": number,
            "date": "02/03/2026 10:00:00",
            "timestamp": 1_772_434_800 + number * 7,
            "successful": True,
            "duration": chance.randrange(300),
            "waitingConnect": chance.randrange(30),
            "callerNumber": f"7{caller}",
            "phoneNumber": "74951112233",
            "uniqueCall": True,
            "source": "yandex",
            "medium": "cpc",
            "utmSource": "yandex",
            "utmMedium": "cpc",
            "utmCampaign": f"brand|{101234567 + number % 10}",
            "city": "Москва",
            "sessionId": None,
            "callTags": [
                {"category": "", "type": "MANUAL", "names": ["VIP"] if changed and number % 100 == 0 else []}
            ],
        }
        page.append(RawRecord(str(number), json.dumps(told).encode()))
        if len(page) == PAGE:
            yield page
            page = []
    if page:
        yield page


async def load(
    office: Office, workspace: UUID, connection: UUID, pages: list[list[RawRecord]]
) -> tuple[float, Counts]:
    """Seconds that loading took, and what it counted."""
    settings = CalltouchSettings(token="none", site_id="1")
    loading = Loading(workspace, connection, uuid4(), "RU", connector("calltouch").stream("calls"), settings)
    total = Counts()
    began = time.perf_counter()
    for page in pages:
        async with office.database.loading(workspace) as db:
            total += await load_page(driver(db), loading, page)
    return time.perf_counter() - began, total


async def floor(office: Office, workspace: UUID) -> float:
    """Seconds for COPY of the rows that were loaded, from memory, into like tables, a commit a page."""
    seconds = 0.0
    async with office.database.owner_engine.connect() as connection:
        conn = driver(connection)
        await conn.set_autocommit(True)
        for table in ("call", "source_record"):
            name, like = sql.Identifier(table), sql.Identifier(f"floor_{table}")
            await conn.execute(sql.SQL("create table {} (like {} including all)").format(like, name))
            async with office.database.loading(workspace) as db:
                rows = await (await driver(db).execute(sql.SQL("select * from {}").format(name))).fetchall()
            began = time.perf_counter()
            for start in range(0, len(rows), PAGE):
                async with conn.cursor() as cursor, cursor.copy(sql.SQL("copy {} from stdin").format(like)) as copy:
                    for row in rows[start : start + PAGE]:
                        await copy.write_row([json.dumps(v) if isinstance(v, dict) else v for v in row])
            seconds += time.perf_counter() - began
    return seconds


async def measure(count: int, home: Path) -> None:
    async with open_office(Settings(home=home), make_key=True) as office:
        workspace, connection = await create_workspace(office, "bench", "Bench"), uuid4()
        pages = list(bodies(count))
        first, counts = await load(office, workspace, connection, pages)
        again, _ = await load(office, workspace, connection, pages)
        few, changed = await load(office, workspace, connection, list(bodies(count, changed=True)))
        plain = await floor(office, workspace)
    print(f"{counts.created:,} calls; {changed.updated:,} changed in the third load")
    print(f"{'':24}{'rows/s':>10}{'of COPY':>10}")
    for name, seconds in (("plain COPY", plain), ("first", first), ("again", again), ("1 % changed", few)):
        print(f"{name:24}{count / seconds:10,.0f}{plain / seconds:10.2f}")
    print(f"client memory at most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--calls", type=int, default=20_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="skvoz-") as home:
        asyncio.run(measure(options.calls, Path(home)))


if __name__ == "__main__":
    main()
