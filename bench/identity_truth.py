"""How right identity is: the clients of a synced sandbox against the truth of its world.

    python -m bench.identity_truth [--seeds 1 2 3] [--levels low normal high] [--wrong]
    python -m bench.identity_truth SANDBOX_HOME DATABASE_URL

It makes a world of each level of mess from each seed, syncs it, and writes the table in docs/identity.md, beside
what exact keys alone would do. With seeds or levels of one's choice it writes nothing. ``--wrong`` tells each
client here that is several people in truth: its records, whose they are, and the keys that they have in common.

Counted are persons' records (contacts, leads, calls, visits) of all connections that read from the sandbox.
*Pairwise*: of the pairs of records that are one client here, the share that is one person in truth (precision),
and of the pairs that are one person in truth, the share that is one client here (recall). *B-cubed*: the same per
record, so that large clients don't rule. A record without a client is a client of its own. Records that no key
could place (visits apart: a call or lead from a number that several people use) are part of recall as misses.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
from sync.identity.clusters import Member, NodeKey
from sync.identity.grouping import partition
from sync.identity.learning import learn_weights
from sync.identity.likely import is_probable
from sync.identity.versions import apply
from sync.office import create_workspace, open_office
from sync.run import run_connection

CONNECTORS = ("calltouch", "bitrix24", "amocrm")  # those whose records are about people
CALLS, DAYS, START = 3_000, 180, "2026-01-01"
SEED = 1
SEEDS, LEVELS = (SEED, 2, 3, 4, 5), ("low", "normal", "high")
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


async def synced(home: Path, mess: str, seed: int, *, wrong: bool = False) -> dict[str, list[Placed]]:
    """A world of that mess, synced into a new database: its records as Skvoz and its peers place them. With
    ``wrong``, what Skvoz gets wrong is printed."""
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
                version = await learn_weights(driver(db), workspace, "bench")
                if version is not None:
                    await apply(driver(db), workspace, version, "bench")
            found["Skvoz, learnt weights"] = placed_records(home / "sandbox", url)
            if wrong:
                print("\n".join(wrong_clients(found["Skvoz, learnt weights"], url)), flush=True)
            return found
    finally:
        market.terminate()
        await market.wait()


def wrong_clients(placed: Iterable[Placed], url: str) -> Iterator[str]:
    """What each client that is several people in truth consists of, in lines: the records with their person in
    truth, and the keys that another of them has too."""
    of_client: dict[str, list[Placed]] = defaultdict(list)
    for one in placed:
        of_client[one.client].append(one)
    with psycopg.connect(url) as connection:
        rows = {str(row[0]): row for row in connection.execute(_MEMBERS).fetchall()}
    for client, ones in of_client.items():
        if len({one.person for one in ones}) == 1:
            continue
        yield f"Client {client}"
        told = [(one, *rows[one.record][3:]) for one in ones if one.record in rows]
        carried = Counter(key for *_, kinds, values in told for key in zip(kinds or (), values or (), strict=True))
        for one, at, name, kinds, values in sorted(told, key=lambda row: row[1]):
            common = [f"{k} {v}" for k, v in zip(kinds or (), values or (), strict=True) if carried[k, v] > 1]
            what = f"{one.kind} {at:%d.%m. %H:%M} {name or ''}"
            yield f"    person {one.person}: {what} | {'; '.join(sorted(common))}"


def table(levels: Mapping[tuple[int, str], Mapping[str, Scores]]) -> str:
    """Markdown, a row a world and way."""
    lines = [
        "| seed | mess | matched by | clients / people | precision | recall | F1"
        " | B-cubed precision | recall | F1 |",
        "| ---: | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for (seed, mess), ways in levels.items():
        for title, s in ways.items():
            lines.append(
                f"| {seed} | {mess} | {title} | {s.clients:,} / {s.people:,} | {s.precision:.5f} | {s.recall:.4f}"
                f" | {s.f1:.4f} | {s.b_precision:.5f} | {s.b_recall:.4f} | {s.b_f1:.4f} |"
            )
    return "\n".join(lines)


def _usual_and_best(ways: Mapping[str, Scores]) -> dict[str, Scores]:
    """Of Splink's thresholds the usual one, and the one that fits this truth best."""
    splinks = {way: s for way, s in ways.items() if way.startswith("Splink")}
    shown = {next(iter(splinks)), max(splinks, key=lambda way: splinks[way].f1)} if splinks else set[str]()
    return {way: s for way, s in ways.items() if way not in splinks or way in shown}


async def measured(
    seeds: Sequence[int] = SEEDS, levels: Sequence[str] = LEVELS, *, wrong: bool = False
) -> dict[tuple[int, str], dict[str, Scores]]:
    """The scores of every way in the world of each seed at each level of mess."""
    worlds = {}
    for seed in seeds:
        for mess in levels:
            with tempfile.TemporaryDirectory(prefix="skvoz-") as home:
                placed = await synced(Path(home), mess, seed, wrong=wrong)
                worlds[seed, mess] = _usual_and_best({way: score(records) for way, records in placed.items()})
                print(table({(seed, mess): worlds[seed, mess]}), flush=True)
    return worlds


async def write_table() -> str:
    """Measure all worlds and put the table into the page, where a change for the worse is seen."""
    worlds = await measured()
    if not any(way.startswith("Splink") for ways in worlds.values() for way in ways):
        print("Splink is left out: `make bench-identity` installs it, or PEERS names a python that has it.")
    made = table(worlds)
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{made}\n{END}{rest.partition(END)[2]}", encoding="utf-8")
    return made


def main() -> int:
    """Measure worlds of one's own, or print the scores of a synced one, with and without the records that only ride
    along (visits)."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument(
        "synced", nargs="*", metavar="SANDBOX_HOME DATABASE_URL", help="a world that is synced already"
    )
    asked.add_argument("--seeds", type=int, nargs="+", help="worlds to make, by their seeds")
    asked.add_argument("--levels", nargs="+", choices=LEVELS, help="levels of mess")
    asked.add_argument("--wrong", action="store_true", help="tell the clients that are several people in truth")
    told = asked.parse_args()
    if not told.synced:
        if told.seeds or told.levels or told.wrong:
            asyncio.run(measured(told.seeds or SEEDS, told.levels or LEVELS, wrong=told.wrong))
        else:
            print(asyncio.run(write_table()))
        return 0
    if len(told.synced) != 2:
        asked.error("name the home of the sandbox and the address of the database")
    home, url = told.synced
    placed = placed_records(Path(home), url)
    counts = Counter(one.kind for one in placed)
    print(", ".join(f"{count} {kind}s" for kind, count in sorted(counts.items())))
    without = [one for one in placed if one.kind != "visit"]
    for title, records in (("all", placed), ("without visits", without)):
        s = score(records)
        print(f"{title}: precision {s.precision:.5f}, recall {s.recall:.4f}, F1 {s.f1:.4f}")
    if told.wrong:
        print("\n".join(wrong_clients(placed, url)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
