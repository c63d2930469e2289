"""What Google Ads keeps: a manager with three accounts, of which one holds the market's campaigns in Google."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta, timezone
from sqlite3 import Connection
from typing import Any

from sandbox.vendors.contract import World
from sandbox.vendors.google_ads.query import Query
from sandbox.vendors.switches import Switches
from sandbox.world.happenings import AdDay, Campaign, Happening
from sandbox.world.market import SITE, mix

KEY = "google_ads"
PLATFORM = "google"
MOSCOW = timezone(timedelta(hours=3))
KEPT_MONTHS = 37
GROUPS = ("Уборка", "Химчистка")
PHRASES = ("клининг москва", "уборка квартир цена", "химчистка дивана", "химчистка ковров")
# How one account differs from another, turned with PUT /_switches.
SWITCHES: dict[str, bool | int | float | str] = {
    "page_rows": 10_000,
    "page_life_seconds": 7200,
    "consent": True,  # False: the user has withdrawn it
    "operations_used_up": False,
    "approved": True,  # False: the project's access level is too low
}
Row = dict[str, Any]
_SCHEMA = """
CREATE TABLE IF NOT EXISTS google_ads_stat (
  day TEXT NOT NULL, campaign INTEGER NOT NULL, impressions INTEGER NOT NULL, clicks INTEGER NOT NULL,
  cost INTEGER NOT NULL, PRIMARY KEY (day, campaign)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS google_ads_token (access TEXT PRIMARY KEY, issued INTEGER NOT NULL);
"""


def customer_ids(seed: int) -> dict[str, str]:
    """The accounts by their part: ``manager``, ``own``, ``foreign`` (in euros, without campaigns), ``closed``."""
    return {
        part: str(1_000_000_000 + mix(seed, number, 31) % 9_000_000_000)
        for number, part in enumerate(("manager", "own", "foreign", "closed"))
    }


def google_id(seed: int, campaign: int) -> int:
    """Google's id of one of the market's campaigns."""
    return 20_000_000_000 + mix(seed, campaign, 32) % 1_000_000_000


def landing_of(campaign: Campaign) -> str:
    return (
        f"{SITE}/?utm_source={campaign.utm_source}&utm_medium={campaign.utm_medium}"
        f"&utm_campaign={campaign.utm_campaign}"
    )


class GoogleStore:
    """The projection of the world into the account; costs are whole kopecks without VAT."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._switches = Switches(world, KEY, SWITCHES)
        self.campaigns = {google_id(world.seed, c.id): c for c in world.market.campaigns if c.platform == PLATFORM}
        self._ids = {campaign.id: number for number, campaign in self.campaigns.items()}
        self.customers = customer_ids(world.seed)

    def prepare(self, db: Connection) -> None:
        db.executescript(_SCHEMA)
        self._switches.prepare()

    def apply(self, happening: Happening, db: Connection) -> None:
        match happening:
            case AdDay() if happening.campaign in self._ids:
                db.execute(
                    "INSERT OR REPLACE INTO google_ads_stat VALUES (?, ?, ?, ?, ?)",
                    (
                        str(happening.day),
                        self._ids[happening.campaign],
                        happening.impressions,
                        happening.clicks,
                        int(happening.cost * 100),
                    ),
                )

    # --- rows, by full field name ---------------------------------------------------------------

    def customer(self, part: str) -> Row:
        """An account's own fields."""
        euros = part == "foreign"
        return {
            "customer.resource_name": f"customers/{self.customers[part]}",
            "customer.id": int(self.customers[part]),
            "customer.descriptive_name": {"manager": "Агентство", "own": "Чистота", "foreign": "Sauber"}.get(part),
            "customer.currency_code": "EUR" if euros else "RUB",
            "customer.time_zone": "Europe/Berlin" if euros else "Europe/Moscow",
            "customer.manager": part == "manager",
            "customer.status": "ENABLED",
        }

    def clients(self, of: str) -> Iterator[Row]:
        """customer_client of a manager, or of an account, which is its own only client."""
        for part, number in self.customers.items():
            if of not in ("manager", part):
                continue
            yield {
                "customer_client.id": int(number),
                "customer_client.descriptive_name": self.customer(part)["customer.descriptive_name"] or "Закрыт",
                "customer_client.manager": part == "manager",
                "customer_client.level": 0 if part == of else 1,
                "customer_client.status": "CANCELED" if part == "closed" else "ENABLED",
                "customer_client.currency_code": self.customer(part)["customer.currency_code"],
                "customer_client.time_zone": self.customer(part)["customer.time_zone"],
                "customer_client.hidden": False,
            }

    def campaign_rows(self, part: str) -> Iterator[Row]:
        if part != "own":
            return
        told = [(number, campaign.name, "ENABLED") for number, campaign in self.campaigns.items()]
        for number, name, status in (*told, (19_000_000_001, "Google | Старая", "REMOVED")):
            yield {
                **self.customer(part),
                "campaign.resource_name": f"customers/{self.customers[part]}/campaigns/{number}",
                "campaign.id": number,
                "campaign.name": name,
                "campaign.status": status,
                "campaign.advertising_channel_type": "SEARCH",
            }

    def group_rows(self, part: str) -> Iterator[Row]:
        for campaign in self.campaign_rows(part):
            for number, title in enumerate(GROUPS):
                group = campaign["campaign.id"] * 4 + number
                yield {
                    **campaign,
                    "ad_group.id": group,
                    "ad_group.name": title,
                    "ad_group.status": campaign["campaign.status"],
                }

    def ad_rows(self, part: str) -> Iterator[Row]:
        for group in self.group_rows(part):
            campaign = self.campaigns.get(group["campaign.id"])
            yield {
                **group,
                "ad_group_ad.ad.id": group["ad_group.id"] * 2 + 1,
                "ad_group_ad.ad.name": f"{group['ad_group.name']}: выезд за 2 часа",
                "ad_group_ad.ad.final_urls": [landing_of(campaign)] if campaign else [],
                "ad_group_ad.status": group["ad_group.status"],
            }

    def keyword_rows(self, part: str) -> Iterator[Row]:
        for group in self.group_rows(part):
            place = group["ad_group.id"] % 4
            for number, phrase in enumerate(PHRASES[place * 2 : place * 2 + 2]):
                yield {
                    **group,
                    "ad_group_criterion.criterion_id": 10_003_060 + place * 2 + number,
                    "ad_group_criterion.type": "KEYWORD",
                    "ad_group_criterion.status": group["ad_group.status"],
                    "ad_group_criterion.keyword.text": phrase,
                    "ad_group_criterion.keyword.match_type": "PHRASE",
                }

    def day_rows(self, part: str, query: Query) -> Iterator[Row]:
        """Campaigns by day: a day without any number has no row, and days are kept for 37 months."""
        today = self._world.now().astimezone(MOSCOW).date()
        number = today.year * 12 + today.month - 1 - KEPT_MONTHS
        earliest = date(number // 12, number % 12 + 1, 1)
        first, last = max(query.first or earliest, earliest), query.last or today
        for row in self.campaign_rows(part):
            told = self._world.db.execute(
                "SELECT day, impressions, clicks, cost FROM google_ads_stat"
                " WHERE campaign = ? AND day BETWEEN ? AND ? AND (impressions + clicks + cost) > 0 ORDER BY day",
                (row["campaign.id"], str(first), str(last)),
            )
            for day, impressions, clicks, cost in told:
                yield {
                    **row,
                    "segments.date": day,
                    "metrics.impressions": impressions,
                    "metrics.clicks": clicks,
                    "metrics.cost_micros": cost * 10_000,
                    "metrics.conversions": clicks / 20,
                    "metrics.conversions_value": 0.0,
                }
