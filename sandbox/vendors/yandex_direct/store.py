"""What Yandex.Direct keeps: its campaigns, their statistics by day as last told, and goals from Metrica."""

from __future__ import annotations

from datetime import date, timedelta, timezone
from sqlite3 import Connection

from sandbox.vendors.contract import World
from sandbox.vendors.switches import Switches
from sandbox.world.happenings import AdDay, Called, FormSent, Happening, Visited

MOSCOW = timezone(timedelta(hours=3))
GOAL_CALL, GOAL_FORM = 20001, 20002
# How one account differs from another, turned with PUT /_switches.
SWITCHES: dict[str, bool | int | float | str] = {
    "agency": False,  # the token is an agency's: each request must name the client by Client-Login
    "ragged_lines": False,  # a tab inside the campaigns' names, which a report doesn't quote
    "retry_in": 1,  # seconds that Reports asks to wait; 0 is seen in life too
}
RENAMED_AFTER = 45  # days after which every fourth campaign gets another name
_SCHEMA = """
CREATE TABLE IF NOT EXISTS yandex_direct_campaign (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL, type TEXT NOT NULL, started TEXT, changed_at INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS yandex_direct_stat (
  day TEXT NOT NULL, campaign INTEGER NOT NULL, impressions INTEGER NOT NULL, clicks INTEGER NOT NULL,
  cost INTEGER NOT NULL, told_at INTEGER NOT NULL, PRIMARY KEY (day, campaign)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS yandex_direct_metrica (
  day TEXT NOT NULL, campaign INTEGER NOT NULL, sessions INTEGER NOT NULL DEFAULT 0,
  bounces INTEGER NOT NULL DEFAULT 0, calls INTEGER NOT NULL DEFAULT 0, forms INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (day, campaign)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS yandex_direct_visit (
  visit INTEGER PRIMARY KEY, day TEXT NOT NULL, campaign INTEGER NOT NULL
);
"""


class DirectStore:
    """The projection of the world into the cabinet's tables; costs are whole kopecks without VAT."""

    def __init__(self, world: World) -> None:
        self._switches = Switches(world, "yandex_direct", SWITCHES)
        self._campaigns = [c for c in world.market.campaigns if c.platform == "yandex_direct"]
        self._ids = {campaign.id for campaign in self._campaigns}
        self._renamed = {campaign.id for campaign in self._campaigns[2::4]}

    def prepare(self, db: Connection) -> None:
        db.executescript(_SCHEMA)
        self._switches.prepare()
        for campaign in self._campaigns:
            kind = "UNIFIED_CAMPAIGN" if "ЕПК" in campaign.name else "TEXT_CAMPAIGN"
            db.execute(
                "INSERT OR IGNORE INTO yandex_direct_campaign VALUES (?, ?, ?, NULL, 0)",
                (campaign.id, campaign.name, kind),
            )

    def apply(self, happening: Happening, db: Connection) -> None:
        match happening:
            case AdDay() if happening.campaign in self._ids:
                self._ad_day(happening, db)
            case Visited() if happening.traffic.click_id is not None:
                self._visited(happening, db)
            case Called(tracked=True, visit=int(visit)):
                self._goal(visit, "calls", db)
            case FormSent(visit=int(visit)):
                self._goal(visit, "forms", db)

    def _ad_day(self, told: AdDay, db: Connection) -> None:
        at = int(told.at.timestamp())
        db.execute(
            "INSERT OR REPLACE INTO yandex_direct_stat VALUES (?, ?, ?, ?, ?, ?)",
            (str(told.day), told.campaign, told.impressions, told.clicks, int(told.cost * 100), at),
        )
        (started,) = db.execute(
            "SELECT started FROM yandex_direct_campaign WHERE id = ?", (told.campaign,)
        ).fetchone()
        if started is None:
            db.execute(
                "UPDATE yandex_direct_campaign SET started = ?, changed_at = ? WHERE id = ?",
                (str(told.day), at, told.campaign),
            )
        elif told.campaign in self._renamed and (told.day - date.fromisoformat(started)).days >= RENAMED_AFTER:
            db.execute(
                "UPDATE yandex_direct_campaign SET name = name || ' | v2', changed_at = ?"
                " WHERE id = ? AND name NOT LIKE '% | v2'",
                (at, told.campaign),
            )

    def _visited(self, visited: Visited, db: Connection) -> None:
        """Metrica ties a visit to its campaign by the click id; every seventh visitor leaves at once."""
        day = str(visited.at.astimezone(MOSCOW).date())
        campaign = visited.traffic.campaign
        db.execute("INSERT INTO yandex_direct_visit VALUES (?, ?, ?)", (visited.visit, day, campaign))
        db.execute(
            "INSERT INTO yandex_direct_metrica (day, campaign, sessions, bounces) VALUES (?, ?, 1, ?)"
            " ON CONFLICT DO UPDATE SET sessions = sessions + 1, bounces = bounces + excluded.bounces",
            (day, campaign, int(visited.visitor_id) % 7 == 0),
        )

    @staticmethod
    def _goal(visit: int, goal: str, db: Connection) -> None:
        """A conversion counts for the day of the visit that it ends."""
        db.execute(
            f"UPDATE yandex_direct_metrica SET {goal} = {goal} + 1 WHERE (day, campaign) ="  # noqa: S608 - two names
            " (SELECT day, campaign FROM yandex_direct_visit WHERE visit = ?)",
            (visit,),
        )
