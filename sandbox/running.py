"""A world that runs: its file, its clock, and the happenings handed to every vendor as time passes."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path
from sqlite3 import Connection
from time import monotonic

import orjson

from sandbox.ledger import Ledger
from sandbox.limits import Limits
from sandbox.vendors.contract import Projection, Vendor
from sandbox.world.happenings import Mess
from sandbox.world.market import StillMarket
from sandbox.world.stream import FIRST_CRMS, Plan, Stream

DATABASE = "world.sqlite"
BATCH = 4000  # happenings a transaction …
SERVING_BATCH = 400  # … and while requests wait for their turn
Progress = Callable[[datetime, int], None]  # up to which instant, how many happenings in all


class WorldMismatch(ValueError):
    """The home directory holds a world of another plan."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """One delivery that a vendor owes to a subscriber."""

    url: str
    content: bytes
    content_type: str


def open_to_read(home: Path) -> Connection:
    """The world kept in ``home``, for reading only. FileNotFoundError when there is none."""
    path = home / DATABASE
    if not path.exists():
        raise FileNotFoundError(f"there is no sandbox world in {home}: start a sandbox with this home first")
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, check_same_thread=False)


def read_plan(db: Connection) -> Plan:
    """The plan of the world in this file. LookupError when there is none."""
    row = None
    with suppress(sqlite3.OperationalError):  # a file that was never prepared has no such table
        row = db.execute("SELECT value FROM world_state WHERE name = 'plan'").fetchone()
    if row is None:
        raise LookupError("the file holds no world yet")
    kept = orjson.loads(row[0])
    kept["crms"] = tuple(kept.get("crms", FIRST_CRMS))
    return Plan(**{**kept, "start": date.fromisoformat(kept["start"])})


class RunningWorld:
    """See :class:`sandbox.vendors.contract.World`; the server owns it.

    ``live``: the clock runs with the real one, ``speed`` times as fast, from where it stood or from the real
    present, whichever is later. Otherwise it stands still and moves with :meth:`advance` only.
    """

    def __init__(
        self,
        home: Path,
        plan: Plan,
        vendors: Mapping[str, Vendor],
        *,
        live: bool = False,
        speed: float = 1.0,
        limits: float = 1.0,
    ) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.db = _open(home / DATABASE)
        self.truth = Ledger(self.db)
        self.stream = Stream(plan, self.db)
        self.plan = plan
        self._settle("plan", orjson.dumps(plan.told()).decode())
        # A vendor that joins later would lack the past, one that leaves would miss what happens meanwhile.
        self._settle("vendors", " ".join(sorted(vendors)))
        self.market: StillMarket = self.stream.market
        self.limiter = Limits(limits)
        self.webhooks: list[Webhook] = []
        self.serving = False
        self.live = live
        self._speed = speed
        self._clock = self._stored_clock()
        self._anchor = monotonic()
        self._projections: list[Projection] = [vendor.projection(self) for vendor in vendors.values()]
        for projection in self._projections:
            projection.prepare(self.db)

    @property
    def seed(self) -> int:
        return self.plan.seed

    @property
    def mess(self) -> Mess:
        return self.plan.mess

    @property
    def limits(self) -> float:
        return self.limiter.factor

    # --- time ---------------------------------------------------------------------------------

    def now(self) -> datetime:
        if not (self.live and self.serving):
            return self._clock
        return self._clock + timedelta(seconds=(monotonic() - self._anchor) * self._speed)

    def start_clock(self) -> None:
        """From now on the world serves: webhooks go out, and a live clock runs."""
        self._anchor = monotonic()
        self.serving = True

    def set_speed(self, speed: float) -> None:
        """How many seconds of the world pass in a real one, from now on (live worlds)."""
        self._clock, self._anchor = self.now(), monotonic()
        self._speed = speed

    def catch_up(self, progress: Progress | None = None) -> None:
        """Bring the world to the instant at which it should be when it starts to serve: the end of its plan,
        where it stood, or (live) the real present."""
        target = max(self._clock, self.plan.ends)
        if self.live:
            target = max(target, datetime.now(UTC))
        for _ in self.steps(target):
            if progress:
                progress(self._clock, self.stream.place.seq)

    def advance(self, by: timedelta) -> int:
        """Let time pass at once; how many happenings that brought."""
        return sum(self.steps(self.now() + by))

    def steps(self, until: datetime) -> Iterator[int]:
        """Apply all happenings up to ``until``, one transaction a step; yields how many each had."""
        told = self.stream.tell(until)
        batch = SERVING_BATCH if self.serving else BATCH
        while True:
            applied = 0
            with self.transaction() as db:
                happening = None
                for happening in islice(told, batch):
                    self.truth.apply(happening)
                    for projection in self._projections:
                        projection.apply(happening, db)
                    applied += 1
                done = applied < batch
                reached = until if done or happening is None else happening.at
                self.stream.save()
                self._store_clock(reached)
            yield applied
            if done:
                return

    def _store_clock(self, reached: datetime) -> None:
        if not (self.live and self.serving) or reached > self.now():
            self._clock, self._anchor = max(self._clock, reached), monotonic()
        self._put("clock", reached.isoformat())

    def _stored_clock(self) -> datetime:
        row = self.db.execute("SELECT value FROM world_state WHERE name = 'clock'").fetchone()
        return datetime.fromisoformat(row[0]) if row else self.plan.begins

    # --- what emulators get -------------------------------------------------------------------

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """See :class:`sandbox.vendors.contract.World`."""
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield self.db
        except BaseException:
            self.db.execute("ROLLBACK")
            raise
        self.db.execute("COMMIT")

    def secret(self, vendor: str, name: str, length: int = 32) -> str:
        """See :class:`sandbox.vendors.contract.World`."""
        text = f"{self.seed}:{vendor}:{name}".encode()
        return hashlib.shake_128(text).hexdigest((length + 1) // 2)[:length]

    def deliver(self, url: str, content: bytes, content_type: str) -> None:
        """See :class:`sandbox.vendors.contract.World`."""
        if self.serving:
            self.webhooks.append(Webhook(url, content, content_type))

    def close(self) -> None:
        self.db.close()

    # --- the file -----------------------------------------------------------------------------

    def _settle(self, name: str, value: str) -> None:
        """Keep a property of the world for good. `WorldMismatch` when the file has another."""
        row = self.db.execute("SELECT value FROM world_state WHERE name = ?", (name,)).fetchone()
        if row is None:
            self._put(name, value)
        elif row[0] != value:
            raise WorldMismatch(
                f"the sandbox home holds another world, whose {name} is {row[0]} and not {value}:"
                " give the same settings or another home"
            )

    def _put(self, name: str, value: str) -> None:
        self.db.execute("INSERT OR REPLACE INTO world_state VALUES (?, ?)", (name, value))


def _open(path: Path) -> Connection:
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")  # a power cut may cost the last batch, which is told again
    db.execute("PRAGMA cache_size = -65536")
    return db
