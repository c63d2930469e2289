"""Clusters records by Splink with its usual settings, for `bench.identity_truth`; runs in the peers' environment.

    python bench/splink_peer.py RECORDS.json CLUSTERS.json

``RECORDS.json`` is a list of objects with id, first_name, last_name, phones, emails and visitors; the answer maps
each threshold to the cluster of each id. The settings are those of Splink's tutorial: comparisons out of its
library, u by random sampling, m by expectation maximisation over two blocking rules.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path
from time import perf_counter

import pyarrow as pa
import splink.comparison_library as cl
from splink import DuckDBAPI, Linker, SettingsCreator, block_on

THRESHOLDS = (0.95, 0.8, 0.5, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01)
"""Probabilities from which on two records are one: the usual one, and lower ones, lest a better one be left out."""


def main() -> int:
    rows = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    began = perf_counter()
    frame = pa.Table.from_pylist([{"unique_id": row["id"], **row} for row in rows]).drop_columns("id")
    settings = SettingsCreator(
        link_type="dedupe_only",
        comparisons=[
            cl.NameComparison("first_name").configure(term_frequency_adjustments=True),
            cl.NameComparison("last_name").configure(term_frequency_adjustments=True),
            cl.ArrayIntersectAtSizes("phones", [1]),
            cl.ArrayIntersectAtSizes("emails", [1]),
            cl.ArrayIntersectAtSizes("visitors", [1]),
        ],
        blocking_rules_to_generate_predictions=[
            block_on("phones", arrays_to_explode=["phones"]),
            block_on("emails", arrays_to_explode=["emails"]),
            block_on("visitors", arrays_to_explode=["visitors"]),
            block_on("first_name", "last_name"),
        ],
    )
    linker = Linker(DuckDBAPI().register(frame), settings)
    linker.training.estimate_probability_two_random_records_match(
        [f"array_length(list_intersect(l.{one}, r.{one})) > 0" for one in ("phones", "emails", "visitors")],
        recall=0.8,
    )
    linker.training.estimate_u_using_random_sampling(max_pairs=2e6, seed=1)
    for rule in ("l.phones[1] = r.phones[1]", block_on("first_name", "last_name")):
        linker.training.estimate_parameters_using_expectation_maximisation(rule)
    predicted = linker.inference.predict(threshold_match_probability=min(THRESHOLDS))
    found = {}
    for threshold in THRESHOLDS:
        clusters = linker.clustering.cluster_pairwise_predictions_at_threshold(
            predicted, threshold
        ).as_record_list()
        found[threshold] = {row["unique_id"]: str(row["cluster_id"]) for row in clusters}
    Path(sys.argv[2]).write_text(json.dumps(found), encoding="utf-8")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"Splink: {len(rows):,} records in {perf_counter() - began:.1f} s, {peak} MB", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
