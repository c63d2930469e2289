"""What the service keeps: clicks with their verdicts. It judges a share of what the cabinets charge on each day,
and clears what they give back; clicks that became visits are clean."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from sqlite3 import Connection
from typing import Any

import orjson

from sandbox.vendors.contract import World
from sandbox.vendors.google_ads.store import google_id
from sandbox.vendors.switches import Switches
from sandbox.vendors.vk_ads.store import plan_id
from sandbox.world.happenings import AdDay, Campaign, Happening, Visited
from sandbox.world.market import mix

KEY = "clickfraud"
MOSCOW = timezone(timedelta(hours=3))
REASONS = ("datacenter_ip", "rapid_clicks", "headless_browser", "repeated_device")
# How one account differs from another, turned with PUT /_switches.
SWITCHES: dict[str, bool | int | float | str] = {
    "abilities": "sites:read,clicks:read",
    "plan": "pro",  # 'basic' has no API
    "hook_url": "",  # where events are sent
}
_SCHEMA = """
CREATE TABLE IF NOT EXISTS clickfraud_click (
  id TEXT PRIMARY KEY, day TEXT NOT NULL, verdict TEXT NOT NULL, body TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS clickfraud_day ON clickfraud_click (day, id);
"""
Row = dict[str, Any]


def fraudulent(clicks: int, day: date, campaign: int) -> int:
    """How many of a day's paid clicks are judged: eight of a hundred; with fewer clicks never more of them."""
    return sum(mix(day.toordinal(), campaign, number, 51) % 100 < 8 for number in range(clicks))


class FraudStore:
    """The projection of the world into the service's clicks."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._switches = Switches(world, KEY, SWITCHES)
        self._campaigns: Mapping[int, Campaign] = {c.id: c for c in world.market.campaigns if c.utm_medium == "cpc"}

    def prepare(self, db: Connection) -> None:
        db.executescript(_SCHEMA)
        self._switches.prepare()

    def apply(self, happening: Happening, db: Connection) -> None:
        match happening:
            case AdDay() if happening.campaign in self._campaigns:
                self._judge(happening, db)
            case Visited() if (campaign := self._campaigns.get(happening.traffic.campaign or 0)) is not None:
                click = self._click(f"v{happening.visit}", happening.at, campaign, "clean", 5, [])
                self._keep(click | {"landing_url": happening.landing_url}, db)

    def _judge(self, told: AdDay, db: Connection) -> None:
        """The day is told anew: more clicks are judged, or some are cleared."""
        campaign = self._campaigns[told.campaign]
        wanted = fraudulent(told.clicks, told.day, told.campaign)
        prefix = f"b{told.day:%Y%m%d}-{told.campaign}-"
        (known,) = db.execute(
            "SELECT count(*) FROM clickfraud_click WHERE id >= ? AND id < ?", (prefix, prefix + "~")
        ).fetchone()
        begin = datetime(told.day.year, told.day.month, told.day.day, tzinfo=MOSCOW)
        for number in range(max(wanted, known)):
            drawn = mix(told.day.toordinal(), told.campaign, number, 52)
            at = begin + timedelta(seconds=drawn % 40_000)
            verdict = "blocked" if number < wanted else "cleared"
            reasons = [REASONS[drawn % len(REASONS)]] if verdict == "blocked" else []
            self._keep(self._click(f"{prefix}{number:05d}", at, campaign, verdict, 90, reasons), db)

    def _click(
        self, id: str, at: datetime, campaign: Campaign, verdict: str, score: int, reasons: list[str]
    ) -> Row:
        platform, number = self._named(campaign)
        return {
            "id": id,
            "clicked_at": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S+00:00"),
            "ip": f"198.51.100.{mix(at.toordinal(), 53) % 250}",
            "verdict": verdict,
            "fraud_score": score,
            "reasons": reasons,
            "platform": platform,
            "campaign_id": number,
            "landing_url": None,
        }

    def _named(self, campaign: Campaign) -> tuple[str, str]:
        """The campaign in the words of its platform."""
        seed = self._world.seed
        match campaign.platform:
            case "vk":
                return "vk", str(plan_id(seed, campaign.id))
            case "google":
                return "google", str(google_id(seed, campaign.id))
        return "yandex", str(campaign.id)

    def _keep(self, click: Row, db: Connection) -> None:
        day = datetime.fromisoformat(click["clicked_at"]).astimezone(MOSCOW).date()
        before = db.execute("SELECT verdict FROM clickfraud_click WHERE id = ?", (click["id"],)).fetchone()
        db.execute(
            "INSERT OR REPLACE INTO clickfraud_click VALUES (?, ?, ?, ?)",
            (click["id"], str(day), click["verdict"], orjson.dumps(click).decode()),
        )
        if click["verdict"] != "clean" and before != (click["verdict"],):
            self._tell(click)

    def _tell(self, click: Row) -> None:
        url = self._switches.get("hook_url", str)
        if url:
            notice = {
                "id": f"{click['id']}-{click['verdict']}",
                "event": f"click.{click['verdict']}",
                "data": click,
            }
            self._world.deliver(url, orjson.dumps(notice), "application/json")
