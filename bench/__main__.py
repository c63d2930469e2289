"""Runs the measurements one after the other, at sizes that a laptop does in a few minutes.

    python -m bench                     all of them
    python -m bench identity reports    some of them

Each is a module of this folder and takes sizes of its own: ``python -m bench.reports --help``. The two of ``truth``
compare a synced pretend market with what its world knows to be true.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from core.database import open_database
from core.roles import Role
from core.settings import Settings

ROOT = Path(__file__).parents[1]
SIZES: dict[str, tuple[str, ...]] = {
    "sync": ("--calls", "10000"),
    "identity": ("--records", "20000", "--pages", "10"),
    "reports": ("--clients", "3000", "--days", "180", "--campaigns", "50"),
    "graphql": ("--clients", "5000", "--calls", "50000", "--deals", "10000", "--seconds", "1", "--rounds", "1"),
}
TRUTHS = ("identity_truth", "attribution_truth")
TRUTH_CALLS = 3000


def main() -> int:
    """Run what was chosen; the number of measurements that failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of {', '.join((*SIZES, 'truth'))}")
    chosen = parser.parse_args().names or [*SIZES, "truth"]
    unknown = set(chosen) - {*SIZES, "truth"}
    if unknown:
        parser.error(f"there is no measurement {', '.join(sorted(unknown))}")
    failed = 0
    for name in chosen:
        failed += asyncio.run(_truths()) if name == "truth" else _run(name, *SIZES[name])
    return failed


async def _truths() -> int:
    home = Path(tempfile.mkdtemp(prefix="skvoz-bench-"))
    environment = os.environ | {"SKVOZ_HOME": str(home)}
    environment.pop("DATABASE_URL", None)
    try:
        print(f"\n== a market of {TRUTH_CALLS} calls is made and synced", flush=True)
        demo = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", "from api.command import main; main()"),
            *("demo", "--once", "--calls", str(TRUTH_CALLS)),
            stdout=asyncio.subprocess.DEVNULL,
            env=environment,
            cwd=ROOT,
        )
        if await demo.wait():
            return 1
        async with open_database(Settings(home=home, database_url=None)) as database:
            address = database.conninfo(Role.LOADER)
            failed = [await asyncio.to_thread(_run, name, str(home / "sandbox"), address) for name in TRUTHS]
        return sum(failed) + await asyncio.to_thread(_run, "attribution_levels")
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _run(name: str, *arguments: str) -> int:
    """1 if the measurement failed, which its own words explain."""
    print(f"\n== {name}", flush=True)
    ran = subprocess.run([sys.executable, "-m", f"bench.{name}", *arguments], cwd=ROOT, check=False)
    return int(ran.returncode != 0)


if __name__ == "__main__":
    sys.exit(main())
