"""How right identity is: the clients of a synced sandbox against the truth of its world.

    python -m bench.identity_truth
    python -m bench.identity_truth SEED
    python -m bench.identity_truth SANDBOX_HOME DATABASE_URL

Without arguments it makes a world of each level of mess, syncs it, and writes the table in docs/identity.md, beside
what exact keys alone would do. With a SEED it does the same in other worlds, and writes nothing.

Counted are persons' records (contacts, leads, calls, visits) of all connections that read from the sandbox.
*Pairwise*: of the pairs of records that are one client here, the share that is one person in truth (precision),
and of the pairs that are one person in truth, the share that is one client here (recall). *B-cubed*: the same per
record, so that large clients don't rule. A record without a client is a client of its own. Records that no key
could place (visits apart: a call or lead from a number that several people use) are part of recall as misses.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
from pydantic import SecretStr

from core.database import driver
from core.roles import Role
from core.settings import Settings
from sandbox.truth import Truth
from schema.enums import RunTrigger
from sync.connections import create_connection
from sync.identity.again import weigh_again
from sync.identity.clusters import Member, NodeKey
from sync.identity.grouping import partition
from sync.identity.learning import learn_weights
from sync.identity.likely import is_probable
from sync.office import create_workspace, open_office
from sync.run import run_connection

CONNECTORS = ("calltouch", "bitrix24", "amocrm")  # those whose records are about people
CALLS, DAYS, START, SEED = 3_000, 180, "2026-01-01", 1
PAGE = Path(__file__).parents[1] / "docs" / "identity.md"
BEGIN, END = "<!-- measured: bench/identity_truth.py -->", "<!-- end -->"

# connector, stream → the truth's name of the entity whose id the source record bears
_ENTITIES = {("calltouch", "calls"): "call", ("calltouch", "requests"): "request"}
_RECORDS = """
select n.connector, t.stream, t.source_id, t.kind, t.id::text, t.client_id::text from (
    select connection_id, stream, source_id, 'contact' as kind, id, client_id from contact
    union all select connection_id, stream, source_id, 'lead', id, client_id from lead
    union all select connection_id, stream, source_id, 'call', id, client_id from call
    union all select connection_id, stream, source_id, 'visit', id, client_id from visit
) t join connection n on n.id = t.connection_id
"""
_MEMBERS = """
select r.record_id, r.record_kind, r.client_kind, r.at, r.name, array_agg(i.kind) filter (where i.kind is not null),
    array_agg(i.value) filter (where i.kind is not null)
from identity_record r
left join identifier i on i.workspace_id = r.workspace_id and i.record_id = r.record_id
group by r.record_id, r.record_kind, r.client_kind, r.at, r.name
"""
_KEYS = """
select record_id::text, kind || ' ' || value from identifier
where client_kind = 'person' and value not like 'call:%' and value not like 'desk:%'
    and value not like 'probable:%'
"""
_TOLD = """
select r.record_id::text, coalesce(c.first_name, split_part(coalesce(c.name, l.name), ' ', 1)),
    coalesce(c.last_name, nullif(split_part(coalesce(c.name, l.name), ' ', 2), '')),
    array_agg(i.value) filter (where i.kind = 'phone'), array_agg(i.value) filter (where i.kind = 'email'),
    array_agg(i.value) filter (where i.kind = 'visitor')
from identity_record r
left join contact c on c.workspace_id = r.workspace_id and c.id = r.record_id
left join lead l on l.workspace_id = r.workspace_id and l.id = r.record_id
left join identifier i on i.workspace_id = r.workspace_id and i.record_id = r.record_id
where r.client_kind = 'person' group by 1, 2, 3
"""


@dataclass(frozen=True, slots=True)
class Scores:
    """Precision and recall, pairwise and B-cubed, and what they were counted over."""

    records: int
    clients: int
    people: int
    precision: float
    recall: float
    b_precision: float
    b_recall: float

    @property
    def f1(self) -> float:
        return 2 * self.precision * self.recall / (self.precision + self.recall)

    @property
    def b_f1(self) -> float:
        return 2 * self.b_precision * self.b_recall / (self.b_precision + self.b_recall)


def scores(placed: Iterable[tuple[str, int]]) -> Scores:
    """Compare (client here, person in truth) of each record."""
    placed = list(placed)
    both, here, truth = Counter(placed), Counter(c for c, _ in placed), Counter(p for _, p in placed)
    common = _pairs(both.values())
    return Scores(
        records=len(placed),
        clients=len(here),
        people=len(truth),
        precision=common / (_pairs(here.values()) or 1),
        recall=common / (_pairs(truth.values()) or 1),
        b_precision=sum(n * n / here[client] for (client, _), n in both.items()) / len(placed),
        b_recall=sum(n * n / truth[person] for (_, person), n in both.items()) / len(placed),
    )


def _pairs(sizes: Iterable[int]) -> int:
    return sum(size * (size - 1) // 2 for size in sizes)


@dataclass(frozen=True, slots=True)
class Placed:
    """A record that is about a person: whose it is here, and in truth."""

    record: str
    kind: str
    client: str
    person: int


def score(placed: Iterable[Placed]) -> Scores:
    return scores((one.client, one.person) for one in placed)


def placed_records(home: Path, url: str) -> list[Placed]:
    """All records that are about a person. One that is nobody's may bear the id of a client that it once founded,
    so its group goes by another name."""
    with Truth(home) as truth:
        person_of = {(r.vendor, r.entity, r.vendor_id): r.person for r in truth.records() if r.person is not None}
    with psycopg.connect(url) as connection:
        rows = connection.execute(_RECORDS).fetchall()
    placed = []
    for connector, stream, source_id, kind, record, client in rows:
        entity = _ENTITIES.get((connector, stream), kind)
        person = person_of.get((str(connector), str(entity), str(source_id)))
        if person is not None:
            placed.append(Placed(record, kind, client or f"record {record}", person))
    return placed


def exact_keys(url: str) -> dict[str, str]:
    """The peer: every record that shares any key of its own spelling with another is one with it, without guards.
    The group of each record, by id."""
    parent: dict[str, str] = {}

    def find(node: str) -> str:
        while parent.setdefault(node, node) != node:
            parent[node] = node = parent[parent[node]]
        return node

    with psycopg.connect(url) as connection:
        for record, key in connection.execute(_KEYS):
            parent[find(record)] = find(key)
    return {node: find(node) for node in list(parent)}


def keys_only(url: str) -> dict[str, str]:
    """Skvoz without probable matches: the group of each record by keys and guards alone, by id."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(_MEMBERS).fetchall()
        shared = {NodeKey(*key) for key in connection.execute("select client_kind, kind, value from shared_key")}
    members = [
        Member(
            *(id, record_kind, client_kind, at, name),
            frozenset(
                key
                for kind, value in zip(kinds or (), values or (), strict=True)
                if not is_probable(key := NodeKey(client_kind, kind, value))
            ),
        )
        for id, record_kind, client_kind, at, name, kinds, values in rows
    ]
    groups = enumerate(partition(members, shared))
    return {str(member.record_id): str(number) for number, group in groups for member in group}


def by_splink(url: str) -> dict[str, dict[str, str]]:
    """The peer: Splink with its usual comparisons, in the environment that PEERS names. The groups are by the
    probability from which on two records are one; without such an environment there are none."""
    python = os.environ.get("PEERS")
    if not python:
        return {}
    with psycopg.connect(url) as connection:
        rows = connection.execute(_TOLD).fetchall()
    names = ("id", "first_name", "last_name", "phones", "emails", "visitors")
    with tempfile.TemporaryDirectory(prefix="skvoz-") as folder:
        told, found = Path(folder, "records.json"), Path(folder, "clusters.json")
        told.write_text(json.dumps([dict(zip(names, row, strict=True)) for row in rows]), encoding="utf-8")
        ran = subprocess.run(
            [python, str(Path(__file__).with_name("splink_peer.py")), str(told), str(found)],
            capture_output=True,
            text=True,
            check=False,
        )
        if ran.returncode:
            raise SystemExit(f"Splink failed:\n{ran.stderr[-2000:]}")
        print(ran.stderr.strip().splitlines()[-1])
        clusters: dict[str, dict[str, str]] = json.loads(found.read_text(encoding="utf-8"))
        return clusters


async def synced(home: Path, mess: str, seed: int = SEED) -> dict[str, list[Placed]]:
    """A world of that mess, synced into a new database: its records as Skvoz and its peers place them."""
    market = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sandbox", "--home", str(home / "sandbox"), "--port", "0", "--limits", "0"),
        *("--mess", mess, "--seed", str(seed), "--calls", str(CALLS), "--start", START, "--days", str(DAYS)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    settings = Settings(
        home=home, database_url=None, master_key=SecretStr("A" * 43 + "="), allow_private_hosts=("127.0.0.1",)
    )
    try:
        assert market.stdout is not None
        credentials = json.loads(await market.stdout.readline())["credentials"]
        async with open_office(settings, make_key=True) as office:
            workspace = await create_workspace(office, "truth", "Truth")
            for key in CONNECTORS:
                id, _ = await create_connection(office, workspace, key, None, credentials[key])
                await run_connection(office, workspace, id, trigger=RunTrigger.COMMAND)
            url = office.database.conninfo(Role.LOADER)
            placed = placed_records(home / "sandbox", url)
            others = {"exact keys": exact_keys(url)}
            others |= {f"Splink, from {threshold} on": groups for threshold, groups in by_splink(url).items()}
            others |= {"Skvoz, keys only": keys_only(url)}
            found = {
                way: [replace(one, client=groups.get(one.record, one.record)) for one in placed]
                for way, groups in others.items()
            }
            found["Skvoz, shipped weights"] = placed
            async with office.database.loading(workspace) as db:
                weights = await learn_weights(driver(db), workspace, "bench")
                if weights is not None:
                    await weigh_again(driver(db), workspace, weights.version, "bench")
            found["Skvoz, learnt weights"] = placed_records(home / "sandbox", url)
            return found
    finally:
        market.terminate()
        await market.wait()


def table(levels: Mapping[str, Mapping[str, Scores]]) -> str:
    """Markdown, a row a level and way."""
    lines = [
        "| mess | matched by | clients / people | precision | recall | F1 | B-cubed precision | recall | F1 |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for mess, ways in levels.items():
        for title, s in ways.items():
            lines.append(
                f"| {mess} | {title} | {s.clients:,} / {s.people:,} | {s.precision:.5f} | {s.recall:.4f}"
                f" | {s.f1:.4f} | {s.b_precision:.5f} | {s.b_recall:.4f} | {s.b_f1:.4f} |"
            )
    return "\n".join(lines)


def _usual_and_best(ways: Mapping[str, Scores]) -> dict[str, Scores]:
    """Of Splink's thresholds the usual one, and the one that fits this truth best."""
    splinks = {way: s for way, s in ways.items() if way.startswith("Splink")}
    shown = {next(iter(splinks)), max(splinks, key=lambda way: splinks[way].f1)} if splinks else set[str]()
    return {way: s for way, s in ways.items() if way not in splinks or way in shown}


async def measured(seed: int = SEED) -> dict[str, dict[str, Scores]]:
    """The scores of every way at each level of mess."""
    levels = {}
    for mess in ("low", "normal", "high"):
        with tempfile.TemporaryDirectory(prefix="skvoz-") as home:
            ways = {way: score(placed) for way, placed in (await synced(Path(home), mess, seed)).items()}
            levels[mess] = _usual_and_best(ways)
            print(table({mess: levels[mess]}), flush=True)
    return levels


async def write_table() -> str:
    """Measure all levels and put the table into the page, where a change for the worse is seen."""
    levels = await measured()
    if not any(way.startswith("Splink") for way in levels["low"]):
        print("Splink is left out: `make bench-identity` installs it, or PEERS names a python that has it.")
    made = table(levels)
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{made}\n{END}{rest.partition(END)[2]}", encoding="utf-8")
    return made


def main() -> int:
    """Print the scores of all records, and without those that only ride along (visits)."""
    if len(sys.argv) == 1:
        print(asyncio.run(write_table()))
        return 0
    if len(sys.argv) == 2 and sys.argv[1].isdigit():
        asyncio.run(measured(int(sys.argv[1])))
        return 0
    if len(sys.argv) != 3:
        print(__doc__)
        return 2
    placed = placed_records(Path(sys.argv[1]), sys.argv[2])
    counts = Counter(one.kind for one in placed)
    print(", ".join(f"{count} {kind}s" for kind, count in sorted(counts.items())))
    without = [one for one in placed if one.kind != "visit"]
    print(table({"all": {"Skvoz": score(placed), "without visits": score(without)}}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
