"""What Calltouch keeps of the happenings that it sees.

Calls straight to the office and outbound calls pass it by; of a visit it knows what the address and the
referrer tell, so an ad whose tags were lost looks like search or a direct visit.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from sqlite3 import Connection

from sandbox.vendors.calltouch import costs, points
from sandbox.vendors.calltouch.hook import Hooks
from sandbox.vendors.calltouch.words import DIRECT, FIRST_CALL, FIRST_REQUEST, FIRST_SESSION, SWITCHES, digits
from sandbox.vendors.contract import World
from sandbox.vendors.switches import Switches
from sandbox.world.happenings import Called, FormSent, Happening, Traffic, Visited

MSK = 3 * 3600

_SCHEMA = """
CREATE TABLE IF NOT EXISTS calltouch_session (
  id INTEGER PRIMARY KEY, visit INTEGER NOT NULL UNIQUE, visitor TEXT NOT NULL, at INTEGER NOT NULL,
  source TEXT NOT NULL, medium TEXT NOT NULL, utm_source TEXT, utm_medium TEXT, utm_campaign TEXT,
  utm_content TEXT, utm_term TEXT, campaign INTEGER, ad_group INTEGER, ad INTEGER, criterion INTEGER,
  url TEXT NOT NULL, ref TEXT, city TEXT NOT NULL, device TEXT NOT NULL, attributed INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS calltouch_session_visitor ON calltouch_session (visitor, id);
CREATE TABLE IF NOT EXISTS calltouch_call (
  id INTEGER PRIMARY KEY, at INTEGER NOT NULL, caller TEXT NOT NULL, dialled TEXT NOT NULL,
  session INTEGER, answered INTEGER NOT NULL, wait INTEGER NOT NULL, talk INTEGER NOT NULL,
  first INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS calltouch_call_at ON calltouch_call (at, id);
CREATE INDEX IF NOT EXISTS calltouch_call_caller ON calltouch_call (caller, at);
CREATE TABLE IF NOT EXISTS calltouch_request (
  id INTEGER PRIMARY KEY, at INTEGER NOT NULL, number TEXT NOT NULL, session INTEGER, fio TEXT NOT NULL,
  phone TEXT NOT NULL, email TEXT NOT NULL, subject TEXT NOT NULL, url TEXT NOT NULL, first INTEGER NOT NULL,
  source TEXT, medium TEXT
);
CREATE INDEX IF NOT EXISTS calltouch_request_at ON calltouch_request (at, id);
CREATE INDEX IF NOT EXISTS calltouch_request_phone ON calltouch_request (phone, at);
CREATE TABLE IF NOT EXISTS calltouch_chat (
  id INTEGER PRIMARY KEY, at INTEGER NOT NULL, session INTEGER, fio TEXT NOT NULL, phone TEXT NOT NULL,
  email TEXT NOT NULL, text TEXT NOT NULL, first INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS calltouch_tag (
  kind TEXT NOT NULL, lead INTEGER NOT NULL, tag TEXT NOT NULL, PRIMARY KEY (kind, lead, tag)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS calltouch_comment (
  id INTEGER PRIMARY KEY, kind TEXT NOT NULL, lead INTEGER NOT NULL, text TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS calltouch_order (
  id INTEGER PRIMARY KEY, number TEXT NOT NULL UNIQUE, name TEXT, status TEXT, funnel TEXT, manager TEXT,
  ordered_at INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, revenue TEXT,
  margin TEXT, comment TEXT, kind TEXT, lead INTEGER
);
CREATE INDEX IF NOT EXISTS calltouch_order_at ON calltouch_order (ordered_at, id);
CREATE INDEX IF NOT EXISTS calltouch_order_lead ON calltouch_order (kind, lead);
"""


class CalltouchStore:
    """The projection of the world into Calltouch's tables."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._switches = Switches(world, "calltouch", SWITCHES)
        self._hooks = Hooks(world, self._switches)
        self._next: dict[str, int] = {}

    def prepare(self, db: Connection) -> None:
        db.executescript(_SCHEMA + costs.SCHEMA + points.SCHEMA)
        self._switches.prepare()
        firsts = {"session": FIRST_SESSION, "call": FIRST_CALL, "request": FIRST_REQUEST}
        for table, first in firsts.items():
            (last,) = db.execute(f"SELECT max(id) FROM calltouch_{table}").fetchone()  # noqa: S608 - fixed names
            self._next[table] = (last or first) + 1

    def apply(self, happening: Happening, db: Connection) -> None:
        self._hooks.calls_ended(int(happening.at.timestamp()), db)
        match happening:
            case Visited():
                self._visited(happening, db)
            case Called(tracked=True, direction="inbound"):
                self._called(happening, db)
            case FormSent():
                self._form_sent(happening, db)

    def _take(self, table: str) -> int:
        number = self._next[table]
        self._next[table] = number + 1
        return number

    def _visited(self, visited: Visited, db: Connection) -> None:
        session = attributed = self._take("session")
        traffic = visited.traffic
        source, medium = seen_source(traffic)
        if source == DIRECT:  # the last visit that wasn't direct keeps its merit
            before = db.execute(
                "SELECT attributed FROM calltouch_session WHERE visitor = ? ORDER BY id DESC LIMIT 1",
                (visited.visitor_id,),
            ).fetchone()
            attributed = before[0] if before else session
        known_ad = traffic.click_id is not None or bool(traffic.utm)
        ids = (traffic.campaign, traffic.ad_group, traffic.ad, traffic.keyword)
        utm = traffic.utm
        db.execute(
            "INSERT INTO calltouch_session VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                session, visited.visit, visited.visitor_id, int(visited.at.timestamp()), source, medium,
                utm.get("utm_source"), utm.get("utm_medium"), utm.get("utm_campaign"), utm.get("utm_content"),
                utm.get("utm_term"), *(ids if known_ad and traffic.ad_group else (None,) * 4),
                visited.landing_url, traffic.referrer, visited.city, visited.device, attributed,
            ),
        )  # fmt: skip

    def _called(self, called: Called, db: Connection) -> None:
        call, caller = self._take("call"), digits(called.from_phone)
        known = db.execute("SELECT 1 FROM calltouch_call WHERE caller = ? LIMIT 1", (caller,)).fetchone()
        db.execute(
            "INSERT INTO calltouch_call VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                call, int(called.at.timestamp()), caller, digits(called.to_phone),
                self._session(called.visit, db), called.answered, called.wait_seconds, called.talk_seconds,
                known is None,
            ),
        )  # fmt: skip
        self._world.truth.record("calltouch", "call", call, called.person, called.call)
        began = int(called.at.timestamp())
        self._hooks.call_began(call, began, began + called.wait_seconds + called.talk_seconds, db)

    def _form_sent(self, form: FormSent, db: Connection) -> None:
        request, phone = self._take("request"), digits(form.typed_phone)
        known = db.execute("SELECT 1 FROM calltouch_request WHERE phone = ? LIMIT 1", (phone,)).fetchone()
        db.execute(
            "INSERT INTO calltouch_request VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL)",
            (
                request, int(form.at.timestamp()), f"form-{request - FIRST_REQUEST:06d}",
                self._session(form.visit, db), form.typed_name, phone, form.typed_email, form.subject,
                "https://chistota.example/form", known is None,
            ),
        )  # fmt: skip
        self._world.truth.record("calltouch", "request", request, form.person, form.form)
        self._hooks.request_came(request, int(form.at.timestamp()), db)

    @staticmethod
    def _session(visit: int | None, db: Connection) -> int | None:
        if visit is None:
            return None
        row = db.execute("SELECT id FROM calltouch_session WHERE visit = ?", (visit,)).fetchone()
        return row[0] if row else None


def seen_source(traffic: Traffic) -> tuple[str, str]:
    """Source and medium as a counter on the page can tell them."""
    if traffic.campaign is None or traffic.utm or traffic.click_id:
        return traffic.source, traffic.medium
    if traffic.source in ("yandex", "google"):
        return traffic.source, "organic"
    if traffic.referrer:
        return traffic.referrer.split("/")[2], "referral"
    return DIRECT, "(none)"


def shift_pages(world: World, params: Mapping[str, object]) -> None:
    """``{"day": "2026-03-01", "delete": 2}`` takes the day's first two calls away, ``"insert": 2`` puts two
    imported ones before all others."""
    start = (date.fromisoformat(str(params["day"])).toordinal() - date(1970, 1, 1).toordinal()) * 86_400 - MSK
    with world.transaction() as db:
        db.execute(
            "DELETE FROM calltouch_call WHERE id IN (SELECT id FROM calltouch_call"
            " WHERE at >= ? AND at < ? ORDER BY at, id LIMIT ?)",
            (start, start + 86_400, int(str(params.get("delete", 0)))),
        )
        for _ in range(int(str(params.get("insert", 0)))):
            (lowest,) = db.execute("SELECT coalesce(min(id), ?) FROM calltouch_call", (FIRST_CALL,)).fetchone()
            db.execute(
                "INSERT INTO calltouch_call VALUES (?, ?, ?, '74956000000', NULL, 1, 5, 61, 1)",
                (lowest - 1, start, f"7999{lowest % 10_000_000:07d}"),
            )
