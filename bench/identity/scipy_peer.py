"""scipy's connected components over pairs of record and key, for `bench.identity`; runs in the peers' environment.

    python bench/identity/scipy_peer.py PAIRS.npy

``PAIRS.npy`` has two columns of 64-bit numbers, record and key. Prints seconds of CPU and megabytes, as JSON.
"""

from __future__ import annotations

import json
import resource
import sys
from time import process_time

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components


def main() -> int:
    pairs = np.load(sys.argv[1])
    began = process_time()
    records, record = np.unique(pairs[0], return_inverse=True)
    keys, key = np.unique(pairs[1], return_inverse=True)
    size = len(records) + len(keys)
    edges = coo_matrix((np.ones(len(key), dtype=np.int8), (record, key + len(records))), shape=(size, size))
    number, _ = connected_components(edges.tocsr(), directed=False)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps({"seconds": process_time() - began, "megabytes": peak, "components": int(number)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
