"""The project's daily budget of points: each successful request costs some, and at Moscow's midnight it is whole
again. Prices and size are the cabinet's own; here every request costs one, and a switch says how many there are."""

from __future__ import annotations

from sandbox.vendors.calltouch.words import MOSCOW
from sandbox.vendors.contract import World
from sandbox.vendors.switches import Switches

SCHEMA = "CREATE TABLE IF NOT EXISTS calltouch_points (day TEXT PRIMARY KEY, spent INTEGER NOT NULL) WITHOUT ROWID;"


class Points:
    """Counts the points of the world's days."""

    def __init__(self, world: World, switches: Switches) -> None:
        self._world = world
        self._switches = switches

    def spent(self) -> bool:
        """Whether today's points are gone."""
        given = self._switches.get("daily_points", int)
        if not given:
            return False
        row = self._world.db.execute(
            "SELECT spent FROM calltouch_points WHERE day = ?", (self._today(),)
        ).fetchone()
        return row is not None and row[0] >= given

    def take(self) -> None:
        if self._switches.get("daily_points", int):
            self._world.db.execute(
                "INSERT INTO calltouch_points VALUES (?, 1) ON CONFLICT (day) DO UPDATE SET spent = spent + 1",
                (self._today(),),
            )

    def _today(self) -> str:
        return self._world.now().astimezone(MOSCOW).date().isoformat()
