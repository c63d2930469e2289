"""``python -m sandbox``: serve the pretend market until interrupted.

When it is ready it prints one line of JSON: address, the world's present, and each vendor's credentials.
"""

from __future__ import annotations

import argparse
import sys
from datetime import date, datetime
from pathlib import Path
from threading import Thread
from time import monotonic

import orjson

from sandbox.running import WorldMismatch
from sandbox.server import Prepared, plan_for, prepare
from sandbox.world.happenings import BRANCHES
from sandbox.world.stream import FIRST_CRMS


def main() -> int:
    """Exit status 2 when the home holds another world, or the port is taken."""
    options = _options()
    plan = plan_for(
        options.home,
        seed=options.seed,
        calls=options.calls,
        days=options.days,
        start=options.start,
        mess=options.mess,
        crms=tuple(options.crms),
    )
    begun = last = monotonic()

    def progress(reached: datetime, told: int) -> None:
        nonlocal last
        if monotonic() - last >= 1:
            last = monotonic()
            _say(f"  {reached:%d.%m.%Y}: {told:,} happenings, {last - begun:.0f} s")

    try:
        prepared = prepare(
            options.home,
            plan,
            port=options.port,
            live=options.live,
            speed=options.speed,
            limits=options.limits,
            only=options.only,
            progress=progress,
        )
    except (WorldMismatch, LookupError, OSError) as error:
        _say(f"The sandbox can't start: {error}")
        return 2
    ready = {
        "address": prepared.address,
        "now": prepared.world.now(),
        "happenings": prepared.world.stream.place.seq,
        "credentials": prepared.credentials,
    }
    sys.stdout.write(orjson.dumps(ready).decode() + "\n")
    sys.stdout.flush()
    if options.attended:
        Thread(target=_stop_with_parent, args=(prepared,), daemon=True).start()
    prepared.serve()
    return 0


def _stop_with_parent(prepared: Prepared) -> None:
    """Standard input ends when the process that started this one is gone, however it went: two sandboxes over
    one home would spoil it."""
    sys.stdin.buffer.read()
    prepared.server.should_exit = True


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description="A pretend market over real HTTP.")
    parser.add_argument("--home", type=Path, default=Path(".sandbox"), help="directory of the world's file")
    parser.add_argument("--port", type=int, default=8800, help="0 takes any free port")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--calls", type=int, default=3000, help="calls within --days, about")
    parser.add_argument("--days", type=int, default=180)
    parser.add_argument("--start", type=date.fromisoformat, help="first Moscow day; default: --days ago")
    parser.add_argument("--mess", choices=("low", "normal", "high"), default="normal")
    parser.add_argument("--live", action="store_true", help="time passes; otherwise /_control/advance moves it")
    parser.add_argument("--speed", type=float, default=1.0, help="live seconds a real second")
    parser.add_argument("--limits", type=float, default=1.0, help="factor on vendors' rate limits; 0 = none")
    parser.add_argument("--attended", action="store_true", help="stop when standard input closes")
    parser.add_argument(
        "--crms",
        nargs="+",
        metavar="CRM",
        choices=tuple(BRANCHES),
        default=list(FIRST_CRMS),
        help="branches of the firm that sell, each with a CRM of its own: " + ", ".join(BRANCHES),
    )
    parser.add_argument("--only", nargs="+", metavar="VENDOR", help="only these vendors; default: all")
    return parser.parse_args()


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
