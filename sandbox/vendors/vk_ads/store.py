"""What VK Ads keeps: campaigns ("ad plans") with groups and banners, their days as last told, leads, tokens."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal
from sqlite3 import Connection
from typing import Any

import orjson

from sandbox.vendors.contract import World
from sandbox.vendors.switches import Switches
from sandbox.world.happenings import AdDay, Campaign, FormSent, Happening, Visited
from sandbox.world.market import SITE, mix

KEY = "vk_ads"
PLATFORM = "vk"
MOSCOW = timezone(timedelta(hours=3))
VAT = Decimal("1.22")  # the cabinet's prices hold it
GROUPS_OF_PLAN, BANNERS_OF_GROUP = 2, 2
LEAD_FORM = 19
# How one account differs from another, turned with PUT /_switches.
SWITCHES: dict[str, bool | int | float | str] = {
    "page_cap": 250,  # the most that a list gives at once, whatever was asked
    "texts": False,  # whole numbers as texts, as the table of types says
    "status_object": False,  # vkads_status as an object
    "day_used_up": False,  # the day's requests are used up
}
_SCHEMA = """
CREATE TABLE IF NOT EXISTS vk_ads_plan (
  id INTEGER PRIMARY KEY, campaign INTEGER, name TEXT NOT NULL, status TEXT NOT NULL, started TEXT,
  changed_at INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS vk_ads_stat (
  day TEXT NOT NULL, plan INTEGER NOT NULL, shows INTEGER NOT NULL, clicks INTEGER NOT NULL, cost INTEGER NOT NULL,
  PRIMARY KEY (day, plan)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS vk_ads_visit (visit INTEGER PRIMARY KEY, plan INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS vk_ads_lead (
  id INTEGER PRIMARY KEY, plan INTEGER NOT NULL, at INTEGER NOT NULL, name TEXT, phone TEXT, email TEXT
);
CREATE TABLE IF NOT EXISTS vk_ads_token (
  access TEXT PRIMARY KEY, refresh TEXT NOT NULL UNIQUE, who TEXT NOT NULL, issued INTEGER NOT NULL,
  used INTEGER NOT NULL, revoked INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS vk_ads_subscription (
  id INTEGER PRIMARY KEY, resource TEXT NOT NULL, callback_url TEXT NOT NULL
);
"""


@dataclass(frozen=True, slots=True)
class Tree:
    """Ids below a campaign: groups and banners follow from it."""

    plan: int

    @property
    def groups(self) -> list[int]:
        return [self.plan * 4 + number for number in range(GROUPS_OF_PLAN)]

    @property
    def banners(self) -> list[tuple[int, int]]:
        """Group and banner."""
        return [(group, group * 4 + number) for group in self.groups for number in range(BANNERS_OF_GROUP)]


def plan_id(seed: int, campaign: int) -> int:
    """The platform's id of one of the market's campaigns."""
    return 20_000_000 + mix(seed, campaign, 21) % 900_000 * 10 + campaign


def old_plan_id(seed: int) -> int:
    """A campaign that was deleted before the market began."""
    return 19_000_000 + mix(seed, 22) % 900_000


def tags_of(campaign: Campaign) -> str:
    return f"utm_source={campaign.utm_source}&utm_medium={campaign.utm_medium}&utm_campaign={campaign.utm_campaign}"


def landing_of(campaign: Campaign) -> str:
    return f"{SITE}/?{tags_of(campaign)}"


def money(kopecks: int) -> str:
    """As the cabinet shows it: a text, with VAT."""
    amount = (Decimal(kopecks) * VAT / 100).quantize(Decimal("0.01"), ROUND_HALF_UP)
    return str(amount) if amount else "0"


def local(second: int) -> str:
    return datetime.fromtimestamp(second, MOSCOW).strftime("%Y-%m-%d %H:%M:%S")


class VkStore:
    """The projection of the world into the cabinet's tables; costs are whole kopecks without VAT."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._switches = Switches(world, KEY, SWITCHES)
        self.plans = {plan_id(world.seed, c.id): c for c in world.market.campaigns if c.platform == PLATFORM}
        self._by_campaign = {campaign.id: plan for plan, campaign in self.plans.items()}
        self._with_form = min(self._by_campaign.values())  # one campaign sends people to a form within VK

    def prepare(self, db: Connection) -> None:
        db.executescript(_SCHEMA)
        self._switches.prepare()
        for plan, campaign in self.plans.items():
            db.execute(
                "INSERT OR IGNORE INTO vk_ads_plan VALUES (?, ?, ?, 'active', NULL, 0)",
                (plan, campaign.id, campaign.name),
            )
        old = old_plan_id(self._world.seed)
        db.execute("INSERT OR IGNORE INTO vk_ads_plan VALUES (?, NULL, 'VK | Тест', 'deleted', NULL, 0)", (old,))

    def apply(self, happening: Happening, db: Connection) -> None:
        match happening:
            case AdDay() if happening.campaign in self._by_campaign:
                self._ad_day(happening, self._by_campaign[happening.campaign], db)
            case Visited() if happening.traffic.campaign in self._by_campaign:
                plan = self._by_campaign[happening.traffic.campaign]
                db.execute("INSERT INTO vk_ads_visit VALUES (?, ?)", (happening.visit, plan))
            case FormSent(visit=int(visit)):
                self._form(happening, visit, db)

    def _ad_day(self, told: AdDay, plan: int, db: Connection) -> None:
        db.execute(
            "INSERT OR REPLACE INTO vk_ads_stat VALUES (?, ?, ?, ?, ?)",
            (str(told.day), plan, told.impressions, told.clicks, int(told.cost * 100)),
        )
        db.execute(
            "UPDATE vk_ads_plan SET started = ?, changed_at = ? WHERE id = ? AND started IS NULL",
            (str(told.day), int(told.at.timestamp()), plan),
        )

    def _form(self, form: FormSent, visit: int, db: Connection) -> None:
        """Who clicked on an ad of the campaign with a form filled it there: the cabinet knows the lead too."""
        row = db.execute("SELECT plan FROM vk_ads_visit WHERE visit = ?", (visit,)).fetchone()
        if row is None or row[0] != self._with_form:
            return
        lead = 2_500 + form.form
        db.execute(
            "INSERT INTO vk_ads_lead VALUES (?, ?, ?, ?, ?, ?)",
            (
                lead,
                row[0],
                int(form.at.timestamp()),
                form.typed_name or None,
                form.typed_phone or None,
                form.typed_email or None,
            ),
        )
        self._world.truth.record(KEY, "lead", lead, form.person, form.form)
        notify(self._world, db, lead)


def lead_of(db: Connection, lead: int) -> dict[str, Any]:
    """A lead as the API tells it."""
    id, plan, at, name, phone, email = db.execute("SELECT * FROM vk_ads_lead WHERE id = ?", (lead,)).fetchone()
    group, banner = Tree(plan).banners[id % (GROUPS_OF_PLAN * BANNERS_OF_GROUP)]
    moment = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")
    return {
        "id": id,
        "form_id": LEAD_FORM,
        "form_name": "Рассчитать стоимость",
        "ad_plan_id": plan,
        "ad_group_id": group,
        "banner_id": banner,
        "created_at": f"{moment} +0000 UTC",
        "contact_info": {
            "first_name": name,
            "email": email,
            "phone": phone,
            "birth_date": None,
            "city": None,
            "social_media_profile": None,
        },
        "answers": [],
    }


def notify(world: World, db: Connection, lead: int) -> None:
    """Tell who subscribed of a lead."""
    for number, resource, url in db.execute("SELECT id, resource, callback_url FROM vk_ads_subscription"):
        if resource not in ("LEAD", "OKLEADAD"):
            continue
        notice = {
            "id": world.secret(KEY, f"notice-{number}-{lead}"),
            "resource_id": lead,
            "resource": "LEAD",
            "callback_url": url,
            "created": local(int(world.now().timestamp())),
            "data": lead_of(db, lead),
        }
        world.deliver(url, orjson.dumps(notice), "application/json")
