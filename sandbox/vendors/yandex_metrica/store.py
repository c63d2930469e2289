"""What the counter keeps: every visit of the site, and the goals reached in it.

The counter knows what the address and the referrer tell. Direct's click id tells it the campaign, group and ad.
"""

from __future__ import annotations

from sqlite3 import Connection

from sandbox.vendors.contract import World
from sandbox.vendors.switches import Switches
from sandbox.world.happenings import Called, FormSent, Happening, Traffic, Visited

GOALS = {20001: "Звонок", 20002: "Заявка"}
GOAL_CALL, GOAL_FORM = GOALS
FIRST_VISIT = 9_007_199_254_740_993_000  # more than a float holds exactly
# How one counter differs from another, turned with PUT /_switches.
SWITCHES: dict[str, bool | int | float | str] = {
    "time_zone": "Europe/Moscow",
    "quota_status": 429,  # with which status a quota is told: the vendor's pages say 420 and 429
    "quota_bytes": 10 * 2**30,  # of prepared exports
    "polls": 1,  # how often an export is told to be under way before it is ready
    "order_polls": 0,  # how often a file of orders is told to be under way before it is taken in
    "permission": "edit",  # of the token's owner: view lets nothing be told to the counter
    "fails": 0,  # how many exports from now on end as processing_failed
}
_SCHEMA = """
CREATE TABLE IF NOT EXISTS yandex_metrica_visit (
  id INTEGER PRIMARY KEY, at INTEGER NOT NULL, visitor TEXT NOT NULL, is_new INTEGER NOT NULL, kind TEXT NOT NULL,
  source TEXT, utm_source TEXT, utm_medium TEXT, utm_campaign TEXT, utm_content TEXT, utm_term TEXT,
  campaign INTEGER, ad_group INTEGER, ad INTEGER, url TEXT NOT NULL, ref TEXT, city TEXT NOT NULL,
  device TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS yandex_metrica_visit_at ON yandex_metrica_visit (at, id);
CREATE INDEX IF NOT EXISTS yandex_metrica_visit_visitor ON yandex_metrica_visit (visitor, at, id);
CREATE TABLE IF NOT EXISTS yandex_metrica_goal (
  visit INTEGER NOT NULL, goal INTEGER NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (visit, goal, at)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS yandex_metrica_export (
  id INTEGER PRIMARY KEY, date1 TEXT NOT NULL, date2 TEXT NOT NULL, fields TEXT NOT NULL, attribution TEXT NOT NULL,
  status TEXT NOT NULL, polls INTEGER NOT NULL, size INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS yandex_metrica_upload (
  id INTEGER PRIMARY KEY, at INTEGER NOT NULL, status TEXT NOT NULL, polls INTEGER NOT NULL, lines INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS yandex_metrica_order (
  id TEXT PRIMARY KEY, created TEXT NOT NULL, client TEXT NOT NULL, phone TEXT NOT NULL, email TEXT NOT NULL,
  status TEXT NOT NULL, revenue TEXT, currency TEXT
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS yandex_metrica_conversion (
  id INTEGER PRIMARY KEY, at INTEGER NOT NULL, kind TEXT NOT NULL, comment TEXT NOT NULL, person TEXT NOT NULL,
  target TEXT NOT NULL, reached INTEGER NOT NULL, price TEXT, currency TEXT, linked INTEGER NOT NULL
);
"""


class MetricaStore:
    """The projection of the world into the counter's tables."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._switches = Switches(world, "yandex_metrica", SWITCHES)

    def prepare(self, db: Connection) -> None:
        db.executescript(_SCHEMA)
        self._switches.prepare()

    def apply(self, happening: Happening, db: Connection) -> None:
        match happening:
            case Visited():
                self._visited(happening, db)
            case Called(tracked=True, direction="inbound", visit=int(visit)):
                self._goal(visit, GOAL_CALL, happening, db)
            case FormSent(visit=int(visit)):
                self._goal(visit, GOAL_FORM, happening, db)

    def _visited(self, visited: Visited, db: Connection) -> None:
        traffic, utm = visited.traffic, visited.traffic.utm
        known = db.execute(
            "SELECT 1 FROM yandex_metrica_visit WHERE visitor = ? LIMIT 1", (visited.visitor_id,)
        ).fetchone()
        kind, source = seen_source(traffic)
        ids = (traffic.campaign, traffic.ad_group, traffic.ad) if traffic.click_id else (None,) * 3
        db.execute(
            "INSERT INTO yandex_metrica_visit VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                visited.visit, int(visited.at.timestamp()), visited.visitor_id, known is None, kind, source,
                utm.get("utm_source"), utm.get("utm_medium"), utm.get("utm_campaign"), utm.get("utm_content"),
                utm.get("utm_term"), *ids, visited.landing_url, traffic.referrer, visited.city, visited.device,
            ),
        )  # fmt: skip
        self._world.truth.record(
            "yandex_metrica", "visit", FIRST_VISIT + visited.visit, visited.person, visited.visit
        )

    @staticmethod
    def _goal(visit: int, goal: int, happening: Happening, db: Connection) -> None:
        db.execute(
            "INSERT OR IGNORE INTO yandex_metrica_goal VALUES (?, ?, ?)",
            (visit, goal, int(happening.at.timestamp())),
        )


def seen_source(traffic: Traffic) -> tuple[str, str | None]:
    """The kind of source and its name in the counter's words."""
    if traffic.medium == "email" and traffic.utm:
        return "email", None
    if traffic.click_id or (traffic.campaign is not None and traffic.utm):
        return "ad", "ya_direct" if traffic.click_id else traffic.source
    if traffic.referrer is None:
        return "direct", None
    if traffic.source in ("yandex", "google"):
        return "organic", traffic.source
    return ("social" if traffic.source == "vk" else "referral"), traffic.referrer.split("/")[2]
