"""What the engine counts for Prometheus. Counters are of this process; gauges are read from the database when they
are asked for, and so are the same on all machines. Labels are words of ours: connectors, streams, states, codes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import text

from core.database import Database

log = structlog.get_logger(__name__)

REGISTRY = CollectorRegistry()

RUNS = Counter("skvoz_sync_runs", "Syncs that ended or were parked.", ["connector", "state"], registry=REGISTRY)
RECORDS = Counter(
    "skvoz_sync_records",
    "Records read, by what became of them.",
    ["connector", "stream", "outcome"],
    registry=REGISTRY,
)
REQUEST_SECONDS = Histogram(
    "skvoz_vendor_request_seconds",
    "Time of a request to an external system, by its outcome: ok, or the code of its error.",
    ["connector", "outcome"],
    registry=REGISTRY,
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120),
)
THROTTLED_SECONDS = Counter(
    "skvoz_throttled_seconds",
    "Time waited for the rate limits of external systems.",
    ["connector"],
    registry=REGISTRY,
)
WRITES = Counter(
    "skvoz_written_changes",
    "Changes for external systems that came to rest in a state.",
    ["connector", "state"],
    registry=REGISTRY,
)

VERIFICATIONS = Counter(
    "skvoz_verifications",
    "Comparisons with external systems, by how they ended.",
    ["connector", "state"],
    registry=REGISTRY,
)
FOUND_WRONG = Counter(
    "skvoz_verified_wrong_records",
    "Records that verifications found not to be here as they are there.",
    ["connector", "stream", "kind"],
    registry=REGISTRY,
)

_GAUGES = {
    "connections": "Connections, by their state; open_breaker: of them, those whose system is out of reach.",
    "stream_lag_seconds": "How far the stalest active connection of the stream is behind.",
    "outbox_waiting": "Changes that wait to be written.",
    "outbox_parked": "Changes that were refused or tried too often, and wait for a person.",
    "outbox_oldest_age_seconds": "Age of the oldest change that waits to be written.",
    "inbox_waiting": "Deliveries of webhooks that wait to be looked into.",
    "inbox_oldest_age_seconds": "Age of the oldest delivery that waits to be looked into.",
}
_LABELS = {"connections": ["connector", "state"], "stream_lag_seconds": ["connector", "stream"]}


async def exposition(database: Database, *others: CollectorRegistry) -> bytes:
    """Everything in the text format of Prometheus: ``others`` are further registries of the process. Without the
    database it is told what this process knows by itself."""
    rows: list[Any] | None = None
    try:
        async with database.app_engine.begin() as db:
            told = await db.execute(text("select metric, connector, detail, value from operation_gauges()"))
            rows = list(told.all())
    except Exception as error:  # noqa: BLE001 - whatever it is, the counters are asked for all the more
        log.warning("metrics.no_database", error=type(error).__name__)
    gauges = CollectorRegistry()
    gauges.register(_Gauges(rows))
    return b"".join(generate_latest(each) for each in (*others, REGISTRY, gauges))


class _Gauges(Collector):
    def __init__(self, rows: Sequence[Any] | None) -> None:
        self._rows = rows

    def collect(self) -> Iterable[GaugeMetricFamily]:
        up = GaugeMetricFamily("skvoz_database_up", "Whether the database can be asked.")
        up.add_metric([], self._rows is not None)
        if self._rows is None:
            return [up]
        families = {
            name: GaugeMetricFamily(f"skvoz_{name}", meaning, labels=_LABELS.get(name, ["connector"]))
            for name, meaning in _GAUGES.items()
        }
        for name, connector, detail, value in self._rows:
            families[name].add_metric([connector] if detail is None else [connector, detail], value)
        return [up, *families.values()]
