"""Set the real systems up and run the suite against them: ``make test-live``; ``LIVE_ARGS="tryton"`` chooses.

What can't be started is said in one line and left out. It fails when nothing could be started, or a test failed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import pytest

from tests.live import bottlecrm, tryton
from tests.live.running import Missing

SYSTEMS: dict[str, tuple[str, Callable[[], object]]] = {
    "tryton": ("Tryton", tryton.prepared),
    "bottlecrm": ("BottleCRM", bottlecrm.prepared),
}


def main(arguments: list[str]) -> int:
    named = [one for one in arguments if one in SYSTEMS] or list(SYSTEMS)
    further = [one for one in arguments if one not in SYSTEMS]
    ready = []
    for name in named:
        title, prepare = SYSTEMS[name]
        try:
            prepare()
        except Missing as error:
            print(f"{title} isn't started: {error}.", flush=True)
        else:
            ready.append(name)
    if not ready:
        return 1
    os.environ["LIVE_CRMS"] = ",".join(ready)
    return pytest.main(["tests/live", *further])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
