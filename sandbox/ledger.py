"""Writing down the truth: who did what, and which campaign brought him. :mod:`sandbox.truth` reads it."""

from __future__ import annotations

from sqlite3 import Connection

from sandbox.world.happenings import (
    AdDay,
    Called,
    CardMade,
    DealMoved,
    DealOpened,
    FormSent,
    Happening,
    Visited,
)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS truth_person (
  person INTEGER PRIMARY KEY, first_seen INTEGER NOT NULL, first_campaign INTEGER, lead_at INTEGER,
  client_at INTEGER
);
CREATE TABLE IF NOT EXISTS truth_visit (
  visit INTEGER PRIMARY KEY, person INTEGER NOT NULL, at INTEGER NOT NULL, campaign INTEGER,
  source TEXT NOT NULL, medium TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS truth_call (
  call INTEGER PRIMARY KEY, person INTEGER NOT NULL, at INTEGER NOT NULL, direction TEXT NOT NULL,
  tracked INTEGER NOT NULL, answered INTEGER NOT NULL, visit INTEGER
);
CREATE TABLE IF NOT EXISTS truth_form (
  form INTEGER PRIMARY KEY, person INTEGER NOT NULL, at INTEGER NOT NULL, visit INTEGER
);
CREATE TABLE IF NOT EXISTS truth_card (
  card INTEGER PRIMARY KEY, person INTEGER NOT NULL, at INTEGER NOT NULL, crm TEXT NOT NULL, firm INTEGER
);
CREATE TABLE IF NOT EXISTS truth_deal (
  deal INTEGER PRIMARY KEY, person INTEGER NOT NULL, card INTEGER NOT NULL, crm TEXT NOT NULL,
  campaign INTEGER, visit INTEGER, opened_at INTEGER NOT NULL, closed_at INTEGER, outcome TEXT,
  amount INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS truth_ad_day (
  day TEXT NOT NULL, campaign INTEGER NOT NULL, told_at INTEGER NOT NULL, impressions INTEGER NOT NULL,
  clicks INTEGER NOT NULL, cost INTEGER NOT NULL, PRIMARY KEY (day, campaign, told_at)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS truth_record (
  vendor TEXT NOT NULL, entity TEXT NOT NULL, vendor_id TEXT NOT NULL, person INTEGER, origin INTEGER NOT NULL,
  PRIMARY KEY (vendor, entity, vendor_id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS truth_visit_person ON truth_visit (person);
CREATE INDEX IF NOT EXISTS truth_deal_person ON truth_deal (person);
"""


class Ledger:
    """The truth tables: times are Unix seconds, money is whole kopecks."""

    def __init__(self, db: Connection) -> None:
        self._db = db
        db.executescript(_SCHEMA)

    def record(self, vendor: str, entity: str, vendor_id: str | int, person: int | None, origin: int) -> None:
        """See :class:`sandbox.vendors.contract.TruthWriter`. Told again, the last holds."""
        self._db.execute(
            "INSERT OR REPLACE INTO truth_record VALUES (?, ?, ?, ?, ?)",
            (vendor, entity, str(vendor_id), person, origin),
        )

    def apply(self, happening: Happening) -> None:
        db, at = self._db, int(happening.at.timestamp())
        match happening:
            case Visited() as v:
                campaign = v.traffic.campaign
                db.execute(
                    "INSERT INTO truth_person (person, first_seen, first_campaign) VALUES (?, ?, ?)"
                    " ON CONFLICT (person) DO UPDATE"
                    " SET first_campaign = coalesce(first_campaign, excluded.first_campaign)",
                    (v.person, at, campaign),
                )
                db.execute(
                    "INSERT INTO truth_visit VALUES (?, ?, ?, ?, ?, ?)",
                    (v.visit, v.person, at, campaign, v.traffic.source, v.traffic.medium),
                )
            case Called() as c:
                db.execute(
                    "INSERT INTO truth_call VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (c.call, c.person, at, c.direction, c.tracked, c.answered, c.visit),
                )
                self._lead(c.person, at)
            case FormSent() as f:
                db.execute("INSERT INTO truth_form VALUES (?, ?, ?, ?)", (f.form, f.person, at, f.visit))
                self._lead(f.person, at)
            case CardMade() as k:
                db.execute("INSERT INTO truth_card VALUES (?, ?, ?, ?, ?)", (k.card, k.person, at, k.crm, k.firm))
            case DealOpened() as d:
                db.execute(
                    "INSERT INTO truth_deal VALUES (?, ?, ?, ?, ?, ?, ?, NULL, NULL, ?)",
                    (d.deal, d.person, d.card, d.crm, d.ad_campaign, d.visit, at, int(d.amount * 100)),
                )
            case DealMoved() as m:
                self._move(m, at)
            case AdDay() as a:
                db.execute(
                    "INSERT OR REPLACE INTO truth_ad_day VALUES (?, ?, ?, ?, ?, ?)",
                    (a.day.isoformat(), a.campaign, at, a.impressions, a.clicks, int(a.cost * 100)),
                )

    def _lead(self, person: int, at: int) -> None:
        self._db.execute("UPDATE truth_person SET lead_at = ? WHERE person = ? AND lead_at IS NULL", (at, person))

    def _move(self, moved: DealMoved, at: int) -> None:
        ended = moved.stage if isinstance(moved.stage, str) else None
        self._db.execute(
            "UPDATE truth_deal SET amount = ?, outcome = ?, closed_at = ? WHERE deal = ?",
            (int(moved.amount * 100), ended, at if ended else None, moved.deal),
        )
        if ended == "won":
            self._db.execute(
                "UPDATE truth_person SET client_at = ? WHERE client_at IS NULL AND person ="
                " (SELECT person FROM truth_deal WHERE deal = ?)",
                (at, moved.deal),
            )
