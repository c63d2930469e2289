"""How right identity is: the clients of a synced sandbox against the truth of its world.

    python bench/identity_truth.py SANDBOX_HOME DATABASE_URL

For persons' records (contacts, leads, calls, visits) of all connections that read from the sandbox. *Pairwise*:
of the pairs of records that are one client here, the share that is one person in truth (precision), and of the
pairs that are one person in truth, the share that is one client here (recall). *B-cubed*: the same per record,
so that large clients don't rule. A record without a client is a client of its own. Records that no key could
place (visits apart: a call or lead from a number that several people use) are part of recall as misses.
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psycopg

from sandbox.truth import Truth

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


def placed_records(home: Path, url: str) -> list[tuple[str, str, int]]:
    """(kind, client here, person in truth) of each record that is about a person. A record that is nobody's may
    bear the id of a client that it once founded, so it goes by another name."""
    with Truth(home) as truth:
        person_of = {(r.vendor, r.entity, r.vendor_id): r.person for r in truth.records() if r.person is not None}
    with psycopg.connect(url) as connection:
        rows = connection.execute(_RECORDS).fetchall()
    placed = []
    for connector, stream, source_id, kind, record, client in rows:
        entity = _ENTITIES.get((connector, stream), kind)
        person = person_of.get((connector, entity, source_id))
        if person is not None:
            placed.append((kind, client or f"record {record}", person))
    return placed


def main() -> int:
    """Print the scores of all records, and without those that only ride along (visits)."""
    if len(sys.argv) != 3:
        print(__doc__)
        return 2
    placed = placed_records(Path(sys.argv[1]), sys.argv[2])
    by_kind: dict[str, int] = defaultdict(int)
    for kind, _, _ in placed:
        by_kind[kind] += 1
    print(", ".join(f"{count} {kind}s" for kind, count in sorted(by_kind.items())))
    print(
        f"{'':22}{'records':>9}{'clients':>9}{'people':>9}{'precision':>11}{'recall':>8}{'F1':>8}  B-cubed P/R/F1"
    )
    for title, kinds in (("all", set(by_kind)), ("without visits", {"contact", "lead", "call"})):
        s = scores((client, person) for kind, client, person in placed if kind in kinds)
        print(
            f"{title:22}{s.records:>9}{s.clients:>9}{s.people:>9}{s.precision:>11.5f}{s.recall:>8.4f}{s.f1:>8.4f}"
            f"  {s.b_precision:.5f} {s.b_recall:.4f} {s.b_f1:.4f}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
