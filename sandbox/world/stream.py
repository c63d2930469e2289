"""The stream of happenings: day after Moscow day, without end, in flat memory, from any point on.

Each day newcomers are drawn with their whole lives. What falls on a later day is put by in SQLite, one row
per (day due, day drawn), and read back when that day opens; so memory holds one day, and the file holds all
that is needed to go on after a restart. Within an open day the state is one number: how many were told.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from sqlite3 import Connection
from typing import Any
from urllib.parse import quote

import orjson

from sandbox.world.happenings import (
    AdDay,
    Called,
    CardEdited,
    CardMade,
    Crm,
    DealMoved,
    DealOpened,
    FormSent,
    Happening,
    Mess,
    Traffic,
    Visited,
)
from sandbox.world.lives import AD_DAY, CALL, CARD, DAY, DEAL, EDIT, FORM, MOVE, MSK, VISIT, Event, Lives
from sandbox.world.market import CITIES, SITE, StillMarket, mix
from sandbox.world.spending import Spending

# Measured over long worlds: calls that one newcomer makes or gets in all his life, and the mean number of
# days until them, which a world of few days must make up for.
CALLS_PER_PERSON = 0.277
CALL_LAG_DAYS = 4.0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WEEKDAYS = (1.12, 1.14, 1.10, 1.06, 1.0, 0.80, 0.78)
FIRST_CRMS: tuple[Crm, ...] = ("bitrix24", "amocrm")
_DEVICES = ("desktop", "mobile", "tablet")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS world_state (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS world_future (
  due INTEGER NOT NULL, drawn INTEGER NOT NULL, events BLOB NOT NULL, PRIMARY KEY (due, drawn)
) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """Of what size a world is. ``calls`` (about so many) fall within the first ``days`` days; afterwards the
    world goes on at the same rate. ``start`` is a Moscow day. ``crms``: the branches that sell."""

    seed: int
    calls: int
    start: date
    days: int
    mess: Mess = "normal"
    crms: tuple[Crm, ...] = FIRST_CRMS

    def told(self) -> dict[str, object]:
        """The plan as it is kept beside the world."""
        told = asdict(self)
        if self.crms == FIRST_CRMS:  # so were plans before there were others, and their worlds go on
            del told["crms"]
        return told

    @property
    def people_a_day(self) -> float:
        lag = min(CALL_LAG_DAYS / self.days, 0.6)
        return self.calls / self.days / CALLS_PER_PERSON / (1 - lag)

    @property
    def first_second(self) -> int:
        return self.start.toordinal() * DAY - date(1970, 1, 1).toordinal() * DAY - MSK

    @property
    def begins(self) -> datetime:
        return _EPOCH + timedelta(seconds=self.first_second)

    @property
    def ends(self) -> datetime:
        return self.begins + timedelta(days=self.days)


@dataclass(slots=True)
class Place:
    """How far the stream has come."""

    day: int = -1  # the open day, counted from the plan's start
    told: int = 0  # events of the open day that were told
    seq: int = 0
    people: int = 0


class Stream:
    """Tells the happenings of one plan, and keeps its place in ``db``.

    :meth:`tell` and :meth:`save` belong into one transaction of the caller, together with what he makes of
    the happenings: then a process killed anywhere goes on where its rows end.
    """

    def __init__(self, plan: Plan, db: Connection) -> None:
        db.executescript(_SCHEMA)
        self.plan = plan
        self.market = StillMarket(plan.seed)
        self._db = db
        self._lives = Lives(self.market, plan.mess, plan.crms)
        self._spending = Spending(self.market, plan.seed)
        self._tagged: dict[tuple[int, int], tuple[dict[str, str], str]] = {}
        self._script: list[Event] = []
        self.place = self._load()
        if self.place.day >= 0:
            self._script = self._read_day(self.place.day)

    def tell(self, until: datetime) -> Iterator[Happening]:
        """All happenings not yet told whose time is at or before ``until``."""
        last = int((until - _EPOCH).total_seconds())
        place = self.place
        while True:
            script = self._script
            while place.told < len(script) and script[place.told][0] <= last:
                event = script[place.told]
                place.told += 1
                place.seq += 1
                yield self._happening(place.seq, event)
            if place.told < len(script) or self._start_of(place.day + 1) > last:
                return
            self._open_day(place.day + 1)

    def save(self) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO world_state VALUES ('place', ?)", (orjson.dumps(asdict(self.place)),)
        )

    def _load(self) -> Place:
        row = self._db.execute("SELECT value FROM world_state WHERE name = 'place'").fetchone()
        return Place(**orjson.loads(row[0])) if row else Place()

    # --- days ---------------------------------------------------------------------------------

    def _start_of(self, day: int) -> int:
        return self.plan.first_second + day * DAY

    def _open_day(self, day: int) -> None:
        start = self._start_of(day)
        rng = Random(f"{self.plan.seed}:day:{day}")
        weekday = (self.plan.start.weekday() + day) % 7
        newcomers = int(self.plan.people_a_day * _WEEKDAYS[weekday] * rng.uniform(0.85, 1.15) + rng.random())
        by_day: dict[int, list[Event]] = {day: []}

        def put_by(event: Event) -> None:
            by_day.setdefault((event[0] - self.plan.first_second) // DAY, []).append(event)

        for _ in range(newcomers):
            self.place.people += 1
            for event in self._lives.draw(self.place.people, start, rng):
                put_by(event)
        earlier = self._read_day(day)
        paid_visits = [event for event in earlier + by_day[day] if event[3] == VISIT and event[7]]
        for event in self._spending.of_day(day, start, paid_visits, rng):
            put_by(event)
        self._db.execute("DELETE FROM world_future WHERE due < ?", (day,))
        self._db.executemany(
            "INSERT INTO world_future VALUES (?, ?, ?)",
            ((due, day, orjson.dumps(events)) for due, events in by_day.items()),
        )
        self._script = sorted(earlier + by_day[day], key=_when)
        self.place.day, self.place.told = day, 0

    def _read_day(self, day: int) -> list[Event]:
        rows = self._db.execute("SELECT events FROM world_future WHERE due = ? ORDER BY drawn", (day,))
        return sorted((event for (blob,) in rows for event in orjson.loads(blob)), key=_when)

    # --- from plain lists to happenings -------------------------------------------------------

    def _happening(self, seq: int, event: Event) -> Happening:
        second, person, _, kind, *rest = event
        at = _EPOCH + timedelta(seconds=second)
        if kind == VISIT:
            return self._visited(seq, at, person, rest)
        if kind == CALL:
            number, source, target, tracked, visit, answered, wait, talk, direction, crm, manager = rest
            return Called(
                seq, at, number, person, source, target, tracked, visit, answered, wait, talk,
                direction, crm, manager,
            )  # fmt: skip
        if kind == FORM:
            number, visit, name, phone, email, subject = rest
            return FormSent(seq, at, number, person, visit, name, phone, email, subject)
        if kind == CARD:
            number, crm, full, first, last, phones, emails, firm, manager, utm = rest
            tags = self._utm(*utm[:2])
            return CardMade(
                seq, at, number, crm, person, full, first, last, tuple(phones), tuple(emails), firm, manager,
                tags, self.market.told_birthday(person, number),
            )  # fmt: skip
        if kind == EDIT:
            number, crm, phones, emails, first, last = rest
            return CardEdited(seq, at, number, crm, tuple(phones), tuple(emails), first, last)
        if kind == DEAL:
            number, crm, card, title, amount, manager, utm, from_lead, visit, campaign = rest
            tags = self._utm(*utm[:2])
            return DealOpened(
                seq, at, number, crm, card, person, title, Decimal(amount), manager, tags, from_lead,
                visit, campaign,
            )  # fmt: skip
        if kind == MOVE:
            number, crm, stage, amount, reason = rest
            return DealMoved(seq, at, number, crm, stage, Decimal(amount), reason)
        if kind == AD_DAY:
            day, campaign, impressions, clicks, kopecks = rest
            return AdDay(
                seq, at, self.plan.start + timedelta(days=day), campaign, impressions, clicks,
                Decimal(kopecks).scaleb(-2),
            )  # fmt: skip
        raise AssertionError(f"no happening is of kind {kind}")

    def _visited(self, seq: int, at: datetime, person: int, rest: list[Any]) -> Visited:
        visit, device, city, campaign_id, ad_place, tags_lost, free = rest
        visitor = self.market.visitor_id(person, device)
        if not campaign_id:
            source, medium = free
            referrer = {"organic": f"https://{source}.ru/", "referral": f"https://{source}/"}.get(medium)
            traffic = Traffic(source, medium, referrer=referrer)
            url = SITE + "/"
        else:
            traffic, url = self._ad_traffic(campaign_id, ad_place, visit, tags_lost)
        return Visited(
            seq,
            at,
            visit,
            person,
            visitor,
            traffic,
            url,
            CITIES[city],
            _DEVICES[device % 3],  # type: ignore[arg-type]
        )

    def _ad_traffic(self, campaign_id: int, ad_place: int, visit: int, tags_lost: bool) -> tuple[Traffic, str]:
        market = self.market
        campaign = market.campaign(campaign_id)
        utm, query = ({}, "") if tags_lost else self._tags(campaign_id, ad_place)
        group = ad = keyword = click = None
        if campaign.platform == "yandex_direct":
            shown = market.ads_of[campaign_id][ad_place]
            words = market.keywords_of[shown.ad_group]
            group, ad, keyword = shown.ad_group, shown.id, words[visit % len(words)].id
            if not tags_lost or visit & 1:  # what strips the tags strips the click id half of the time
                click = str(mix(market.seed, visit, 4))
        if click:
            query += f"{'&' if query else ''}yclid={click}"
        url = f"{SITE}/?{query}" if query else SITE + "/"
        referrer = {"yandex": "https://yandex.ru/", "google": "https://www.google.com/", "vk": "https://vk.com/"}
        traffic = Traffic(
            campaign.utm_source, campaign.utm_medium, campaign_id, group, ad, keyword, click, utm,
            referrer.get(campaign.utm_source),
        )  # fmt: skip
        return traffic, url

    def _utm(self, campaign_id: int, ad_place: int) -> dict[str, str]:
        """The tags of an ad, none for free traffic. Callers share the dictionary and must not change it."""
        return self._tags(campaign_id, ad_place)[0] if campaign_id else {}

    def _tags(self, campaign_id: int, ad_place: int) -> tuple[dict[str, str], str]:
        """The tags of an ad, and as they stand in an address."""
        known = self._tagged.get((campaign_id, ad_place))
        if known is None:
            campaign = self.market.campaign(campaign_id)
            tags = {
                "utm_source": campaign.utm_source,
                "utm_medium": campaign.utm_medium,
                "utm_campaign": campaign.utm_campaign,
            }
            ads = self.market.ads_of.get(campaign_id)
            if ads:
                tags["utm_content"] = str(ads[ad_place].id)
                tags["utm_term"] = self.market.keywords_of[ads[ad_place].ad_group][0].phrase
            known = tags, "&".join(f"{name}={quote(value, safe='')}" for name, value in tags.items())
            self._tagged[campaign_id, ad_place] = known
        return known


def _when(event: Event) -> tuple[int, int, int]:
    return event[0], event[1], event[2]
