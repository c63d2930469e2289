"""What an Altcraft database keeps: profiles, made of forms and typed cards, with subscriptions, and a history."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from sqlite3 import Connection
from typing import Any

import orjson

from sandbox.vendors.contract import World
from sandbox.vendors.switches import Switches
from sandbox.world.happenings import FormSent, Happening, Visited
from sandbox.world.market import mix

KEY = "altcraft"
DB_ID = 5
RESOURCE = 3
MAILING = "Рассылка по базе"
STATUSES = ("subscribed", "unsubscribed", "complained", "hardbounced", "unconfirmed", "suspended", "invalid")
# How one account differs from another, turned with PUT /_switches.
SWITCHES: dict[str, bool | int | float | str] = {
    "hook_url": "",  # where action hooks are sent
    "pointer": True,  # False: the lists don't tell where the next page begins
    "market": True,  # False: the token's role has no right to the market
    "tariff_reached": False,
}
_SCHEMA = """
CREATE TABLE IF NOT EXISTS altcraft_profile (
  number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, body TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS altcraft_address (
  kind TEXT NOT NULL, address TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (kind, address, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS altcraft_visit (visit INTEGER PRIMARY KEY, visitor TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS altcraft_visitor (visitor TEXT PRIMARY KEY, number INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS altcraft_event (
  number INTEGER PRIMARY KEY, at INTEGER NOT NULL, day TEXT NOT NULL, body TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS altcraft_order (external_id TEXT PRIMARY KEY, body TEXT NOT NULL);
"""
Row = dict[str, Any]
MOSCOW = timedelta(hours=3)


def object_id(seed: int, number: int) -> str:
    """24 hex digits that grow with the number, as Mongo's do."""
    return f"{0x66F00000 + number:08x}{mix(seed, number, 41):016x}"


class AltcraftStore:
    """The projection of the world into the database, and the methods' access to it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.switches = Switches(world, KEY, SWITCHES)
        self._mailings = {campaign.id for campaign in world.market.campaigns if campaign.platform == "email"}

    def prepare(self, db: Connection) -> None:
        db.executescript(_SCHEMA)
        self.switches.prepare()

    def apply(self, happening: Happening, db: Connection) -> None:
        match happening:
            case Visited():
                self._visited(happening, db)
            case FormSent():
                self._form(happening, db)

    def _visited(self, visited: Visited, db: Connection) -> None:
        db.execute("INSERT INTO altcraft_visit VALUES (?, ?)", (visited.visit, visited.visitor_id))
        if visited.traffic.campaign not in self._mailings:
            return
        row = db.execute("SELECT number FROM altcraft_visitor WHERE visitor = ?", (visited.visitor_id,)).fetchone()
        if row is None:
            return
        sent = visited.at - timedelta(hours=2)
        for number, (action, at) in enumerate(
            (("send", sent), ("uopen", visited.at - timedelta(minutes=1)), ("uclick", visited.at))
        ):
            self._event(row[0], action, at, f"{visited.visit}-{number}", db)

    def _form(self, form: FormSent, db: Connection) -> None:
        """A form of the site is imported as the integration does it: by e-mail or phone, as they were typed."""
        if not form.typed_email and not form.typed_phone:
            return
        values: Row = {"_fname": form.typed_name, "_vendor": form.subject}
        if form.typed_email:
            values["email"] = form.typed_email
        if form.typed_phone:
            values["phones"] = [form.typed_phone]
        number = self.match({"matching": "email_phone", "email": form.typed_email, "phone": form.typed_phone})
        made = number is None
        if number is None:
            number = self.make(values | {"_regdate": _stamp(form.at)}, db)
        else:
            self.change(number, values, db)
        if form.typed_email and made:
            agreed = "subscribed" if mix(self._world.seed, form.form, 42) % 4 else "unconfirmed"
            self.subscribe(number, "email", form.typed_email, RESOURCE, agreed, db)
        self._world.truth.record(KEY, "profile", self.id_of(number), form.person, form.form)
        if form.visit is not None:
            db.execute(
                "INSERT OR REPLACE INTO altcraft_visitor SELECT visitor, ? FROM altcraft_visit WHERE visit = ?",
                (number, form.visit),
            )

    def _event(self, number: int, action: str, at: datetime, event: str, db: Connection) -> None:
        profile = self.profile(number)
        body = {
            "xxh": f"{mix(number, 43):016x}",
            "profile_id": profile["id"],
            "email": profile.get("email"),
            "list_id": DB_ID,
            "action": action,
            "count": 1,
            "datetime": _stamp(at),
            "message_id": 5,
            "message_name": MAILING,
            "campaign_id": 137,
            "campaign_name": MAILING,
            "event_id": f"{mix(self._world.seed, *map(int, event.split('-')), 44):024x}"[:24],
            "channel": "email",
        }
        day = str((at + MOSCOW).date())
        db.execute(
            "INSERT INTO altcraft_event (at, day, body) VALUES (?, ?, ?)",
            (int(at.timestamp()), day, orjson.dumps(body).decode()),
        )
        self._hook(action, at, profile["id"])

    def _hook(self, action: str, at: datetime, profile: str | None) -> None:
        url = self.switches.get("hook_url", str)
        if url:
            event = {
                "event_type": action,
                "event_date": _stamp(at),
                "profile_id": profile,
                "list_id": DB_ID,
                "account_id": 161,
                "is_test": False,
                "event_data": {"message_id": 5, "campaign_id": 137},
            }
            self._world.deliver(url, orjson.dumps([event]), "application/json")

    # --- profiles ----------------------------------------------------------------------------------

    def profile(self, number: int) -> Row:
        (body,) = self._world.db.execute("SELECT body FROM altcraft_profile WHERE number = ?", (number,)).fetchone()
        found: Row = orjson.loads(body)
        return found

    def id_of(self, number: int) -> str:
        return object_id(self._world.seed, number)

    def profiles(self, from_id: str, limit: int) -> list[Row]:
        rows = self._world.db.execute(
            "SELECT body FROM altcraft_profile WHERE id > ? ORDER BY id LIMIT ?", (from_id, limit)
        )
        return [orjson.loads(body) for (body,) in rows]

    def make(self, values: Mapping[str, Any], db: Connection) -> int:
        (number,) = db.execute("SELECT coalesce(max(number), 0) + 1 FROM altcraft_profile").fetchone()
        self._keep(number, {"id": self.id_of(number), "subscriptions": [], **values}, db)
        return int(number)

    def change(self, number: int, values: Mapping[str, Any], db: Connection) -> None:
        """New values; phones are added to those that are there."""
        profile = self.profile(number)
        phones = list(dict.fromkeys([*profile.get("phones", []), *values.get("phones", [])]))
        self._keep(number, {**profile, **values, **({"phones": phones} if phones else {})}, db)

    def subscribe(
        self, number: int, channel: str, address: str, resource: int, status: str, db: Connection
    ) -> None:
        """A status overwrites what stands there."""
        profile = self.profile(number)
        kind = "email" if channel == "email" else "phone"
        key = (channel, resource, address)
        others = [each for each in profile["subscriptions"] if _key(each) != key]
        subscription = {
            "resource_id": resource,
            "channel": channel,
            f"{channel}_data": {kind: address},
            "priority": 0,
            "status": status,
            "reg_info": {"date": _stamp(self._world.now())},
            "hash_id": f"{mix(number, resource, 45):08x}"[:8],
            "is_delete": False,
        }
        self._keep(number, {**profile, "subscriptions": [*others, subscription]}, db)
        if status in ("unsubscribed", "complained", "hardbounced"):
            action = {"unsubscribed": "unsub", "complained": "complain", "hardbounced": "hbounce"}[status]
            (place,) = db.execute("SELECT count(*) FROM altcraft_event").fetchone()
            self._event(number, action, self._world.now(), f"{place}-9", db)

    def _keep(self, number: int, profile: Row, db: Connection) -> None:
        db.execute(
            "INSERT OR REPLACE INTO altcraft_profile VALUES (?, ?, ?)",
            (number, profile["id"], orjson.dumps(profile).decode()),
        )
        db.execute("DELETE FROM altcraft_address WHERE number = ?", (number,))
        db.executemany(
            "INSERT OR IGNORE INTO altcraft_address VALUES (?, ?, ?)",
            [(kind, address, number) for kind, address in _addresses(profile)],
        )

    def match(self, asked: Mapping[str, Any]) -> int | None:
        """The profile that is meant: the first that fits, in the order in which they were made."""
        matching = str(asked.get("matching") or "email")
        if matching == "profile_id":
            return self._number("SELECT number FROM altcraft_profile WHERE id = ?", (str(asked.get("profile_id")),))
        wanted = {
            "email": (("email", "email"), ("email_sub", "email")),
            "email_profile": (("email", "email"),),
            "email_sub": (("email_sub", "email"),),
            "phone": (("phone", "phone"), ("phone_sub", "phone")),
            "phone_sub": (("phone_sub", "phone"),),
            "email_phone": (("email", "email"), ("phone", "phone")),
            "email_phone_sub": (("email_sub", "email"), ("phone_sub", "phone")),
        }.get(matching)
        if wanted is None:
            raise ValueError(f"unknown matching {matching}")
        if not any(asked.get(field) for _, field in wanted):
            raise ValueError(f"matching {matching} needs its value beside data")
        for kind, field in wanted:
            value = _folded(field, asked.get(field))
            query = "SELECT number FROM altcraft_address WHERE kind = ? AND address = ? ORDER BY number LIMIT 1"
            found = self._number(query, (kind, value)) if value else None
            if found is not None:
                return found
        return None

    def _number(self, query: str, parameters: tuple[object, ...]) -> int | None:
        row = self._world.db.execute(query, parameters).fetchone()
        return None if row is None else int(row[0])

    def history(self, first: str, last: str, after: int, limit: int) -> list[tuple[int, Row]]:
        rows = self._world.db.execute(
            "SELECT number, body FROM altcraft_event"
            " WHERE day BETWEEN ? AND ? AND number > ? ORDER BY number LIMIT ?",
            (first, last, after, limit),
        )
        return [(number, orjson.loads(body)) for number, body in rows]


def _addresses(profile: Row) -> Iterator[tuple[str, str]]:
    if profile.get("email"):
        yield "email", _folded("email", profile["email"])
    for phone in profile.get("phones", []):
        yield "phone", _folded("phone", phone)
    for each in profile["subscriptions"]:
        channel, _, address = _key(each)
        kind = "email" if channel == "email" else "phone"
        yield f"{kind}_sub", _folded(kind, address)


def _key(subscription: Row) -> tuple[str, int, str]:
    channel = subscription["channel"]
    address = next(iter(subscription[f"{channel}_data"].values()))
    return channel, subscription["resource_id"], address


def _folded(kind: str, value: object) -> str:
    """Phones are compared by their last ten digits, e-mails without case."""
    text = str(value or "").strip()
    return "".join(filter(str.isdigit, text))[-10:] if kind == "phone" else text.casefold()


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
