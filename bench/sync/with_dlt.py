"""Reads the replayed journal with dlt into PostgreSQL: ``python with_dlt.py URL ADDRESS FACTS plain|csv|arrow``.

Runs in the environment of `make peers` and imports nothing of Skvoz. Prints one line of JSON as with_skvoz does.
``plain``: merge as it comes, with child tables for lists. ``csv``: merge by the upsert strategy, flat, with the CSV
loader, dlt's fastest for dicts. ``arrow``: the same, fed with Arrow tables, which a user has to make by hand.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ |= {"RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "CRITICAL"}

import dlt
import pyarrow as pa
import requests

LISTS = (
    "callTags",
    "comments",
    "mapVisits",
    "orders",
    "additionalTags",
    "phrases",
    "yandexDirect",
    "googleAdWords",
)


def pages(address: str, paths: list[str]) -> Iterator[list[dict[str, Any]]]:
    with requests.Session() as session:
        for path in paths:
            answer = session.get(address + path, timeout=60)
            answer.raise_for_status()
            if records := answer.json()["records"]:
                yield records


def table_of(records: list[dict[str, Any]]) -> pa.Table:
    """An Arrow table of text and plain columns: what nests becomes JSON."""
    columns: dict[str, list[Any]] = {}
    for name in {name for record in records for name in record}:
        values = [record.get(name) for record in records]
        kinds = {type(value) for value in values if value is not None}
        if not kinds:
            continue
        plain = len(kinds) == 1 and kinds <= {str, int, bool, float}
        columns[name] = values if plain else [None if v is None else json.dumps(v) for v in values]
    return pa.table(columns)


def main(url: str, address: str, facts: str, how: str) -> None:
    paths = json.loads(Path(facts).read_bytes())["requests"]
    with tempfile.TemporaryDirectory() as folder:
        pipeline = dlt.pipeline(
            pipeline_name="bench",
            destination=dlt.destinations.postgres(url),
            dataset_name=f"dlt_{how}",
            pipelines_dir=folder,
        )

        @dlt.resource(
            name="calls",
            primary_key="callId",
            write_disposition={"disposition": "merge", "strategy": "delete-insert" if how == "plain" else "upsert"},
            max_table_nesting=None if how == "plain" else 0,
        )
        def calls() -> Iterator[Any]:
            for records in pages(address, paths):
                yield table_of(records) if how == "arrow" else records

        told: dict[str, float] = {}
        for load, journal in (("first", "first"), ("again", "first"), ("few", "changed")):
            requests.post(f"{address}/_journal/{journal}", timeout=10)
            began = time.perf_counter()
            pipeline.run(calls(), loader_file_format=None if how == "plain" else "csv")
            told[load] = time.perf_counter() - began
        requests.post(f"{address}/_journal/first", timeout=10)
    used = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = used.ru_utime + used.ru_stime + children.ru_utime + children.ru_stime
    print(json.dumps({**told, "cpu": cpu, "memory": used.ru_maxrss / 1024}))


if __name__ == "__main__":
    main(*sys.argv[1:])
