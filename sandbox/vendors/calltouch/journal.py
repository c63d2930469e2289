"""The answers of Calltouch's journals, built from its rows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from sqlite3 import Connection
from typing import Any

from sandbox.vendors.calltouch.words import DIRECT, HOSTNAME, MOSCOW, NOT_FILLED, NOT_GIVEN

TARGET_SECONDS = 60  # a call at least so long counts as a target call
Row = dict[str, Any]

_AGENTS = {
    "desktop": ("Mozilla/5.0 (Windows NT 10.0; Win64; x64)", "Windows", "Chrome"),
    "mobile": ("Mozilla/5.0 (Linux; Android 14)", "Android", "Chrome Mobile"),
    "tablet": ("Mozilla/5.0 (iPad; CPU OS 18_0 like Mac OS X)", "iOS", "Safari"),
}


def rows(db: Connection, query: str, params: Any = ()) -> list[Row]:
    """All rows of a query, by the names of its columns."""
    cursor = db.execute(query, params)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]


def text_time(second: int) -> str:
    """Moscow time as the journals write it."""
    return datetime.fromtimestamp(second, MOSCOW).strftime("%d/%m/%Y %H:%M:%S")


class Journal:
    """Builds journal records for one request. ``switches`` are the with… parameters that are on, ``now`` the
    present as Unix seconds: a call still running is told as such, and what managers tag later isn't there yet.
    ``old``: the manners of 2017, booleans as the texts 'True' and 'False', and calls in milliseconds."""

    def __init__(
        self, db: Connection, site: int, switches: set[str], now: int, last_click: bool, old: bool = False
    ) -> None:
        self._db = db
        self._site = site
        self._on = switches
        self._now = now
        self._last_click = last_click
        self._old = old

    def call(self, row: Row) -> dict[str, Any]:
        """One record of calls-diary."""
        record = self._call(row)
        if self._old:
            record["timestamp"] *= 1000
            return {name: str(value) if isinstance(value, bool) else value for name, value in record.items()}
        return record

    def _call(self, row: Row) -> dict[str, Any]:
        running = self._now < row["at"] + row["wait"] + row["talk"]
        talk = 0 if running else row["talk"]
        target = bool(row["answered"]) and talk >= TARGET_SECONDS
        session, merited = self._sessions(row["session"])
        return {
            "callId": row["id"],
            "siteId": self._site,
            "siteName": HOSTNAME,
            "date": text_time(row["at"]),
            "timestamp": row["at"],
            "callphase": "callconnected" if running else "calldisconnected",
            "successful": bool(row["answered"]) and not running,
            "statusDetails": "Успешный" if row["answered"] else "Нет ответа",
            "duration": talk,
            "waitingConnect": row["wait"],
            "callerNumber": row["caller"],
            "phoneNumber": row["dialled"],
            "redirectNumber": "74956019001",
            "poolType": "DYNAMIC" if session else "STATIC",
            "subPoolName": None,
            "uniqueCall": bool(row["first"]),
            "targetCall": target,
            "uniqTargetCall": target and bool(row["first"]),
            "callbackCall": False,
            "manager": None,
            "attribution": 0 if self._last_click else 1,
            **self._source(merited, "keyword"),
            "url": session.get("url"),
            "callUrl": f"https://{HOSTNAME}/contacts" if session else None,
            "ref": session.get("ref"),
            "hostname": HOSTNAME,
            **self._visitor(session),
            "sessionId": session.get("id"),
            "sessionDate": text_time(session["at"]) if session else None,
            "ctCallerId": f"ct-{row['caller']}",
            "sipCallId": f"sip-{row['id']}",
            "callReferenceId": "",
            "callClientUniqueId": None,
            "additionalTags": [],
            "attrs": None,
            "callTags": self._tags("call", row, "withCallTags"),
            "comments": self._comments("call", row["id"]),
            "mapVisits": self._map_visits(session, row["at"]),
            "orders": self._orders("call", row["id"], "withOrders"),
            "order": None,
            "yandexDirect": self._direct(merited),
            "googleAdWords": None,
            "phrases": self._phrases(row) if "withText" in self._on else None,
            "phonesInText": [] if "withText" in self._on else None,
            "callbackInfo": None,
            "dcm": None,
        }

    @staticmethod
    def _phrases(row: Row) -> list[dict[str, Any]]:
        """What was recognised of a conversation."""
        if not row["talk"]:
            return []
        said = ((1, "00:02", "Добрый день, чем могу помочь?"), (0, "00:05", "Здравствуйте, хочу узнать цену."))
        return [{"channel": channel, "time": time, "message": message} for channel, time, message in said]

    def request(self, row: Row) -> dict[str, Any]:
        """One record of the requests journal: here times are milliseconds, and tags begin with a capital."""
        session, merited = self._sessions(row["session"])
        if row["source"]:
            merited = {"source": row["source"], "medium": row["medium"]}
        mail = [{"contactType": "EMAIL", "contactValue": row["email"]}] if row["email"] else []
        visitor = self._visitor(session)
        return {
            "requestId": row["id"],
            "requestNumber": row["number"],
            "requestType": "REQUEST",
            "requestUrl": row["url"],
            "siteId": self._site,
            "subject": row["subject"],
            "status": "",
            "date": row["at"] * 1000,
            "dateStr": text_time(row["at"]),
            "manager": None,
            "uniqueRequest": bool(row["first"]),
            "targetRequest": True,
            "uniqTargetRequest": bool(row["first"]),
            "comments": self._comments("request", row["id"], always=True),
            "RequestTags": self._tags("request", row, "withRequestTags"),
            "session": {
                "sessionId": session.get("id"),
                "sessionDate": text_time(session["at"]) if session else None,
                **self._source(merited, "keywords"),
                "url": session.get("url"),
                "ref": session.get("ref"),
                "guaClientId": visitor.pop("clientId"),
                **visitor,
                "attribution": 0 if self._last_click else 1,
                "attrs": None,
                "additionalTags": [],
            },
            "client": {
                "clientId": row["id"] % 100_000_000,
                "fio": row["fio"],
                "phones": [{"phoneNumber": row["phone"], "phoneType": "MOBILE"}] if row["phone"] else [],
                "contacts": mail,
            },
            "orders": self._orders("request", row["id"], "withOrders") or [],
            "order": None,
            "mapVisits": self._map_visits(session, row["at"]),
            "yandexDirect": self._direct(merited),
            "googleAdWords": None,
            "dcm": None,
            "ctClientId": visitor["ctClientId"],
            "ctGlobalId": None,
            "widgetInfo": None,
            "customFields": [] if "withCustomFields" in self._on else None,
        }

    def order(self, row: Row) -> dict[str, Any]:
        """One record of orders-diary: the source and the revenue in one row."""
        lead: Row = {}
        if row["kind"]:
            query = f"SELECT * FROM calltouch_{row['kind']} WHERE id = ?"  # noqa: S608 - the kind of a lead
            lead = next(iter(rows(self._db, query, (row["lead"],))), {})
        session, merited = self._sessions(lead.get("session"))
        phone = lead.get("caller") or lead.get("phone")
        return {
            "orderId": row["id"],
            "orderNumber": row["number"],
            "orderName": row["name"],
            "orderStatus": row["status"],
            "createdDate": text_time(row["created_at"]),
            "orderDate": text_time(row["ordered_at"]),
            "updatedDate": text_time(row["updated_at"]),
            "plannedAmount": float(row["revenue"] or 0),
            "completedAmount": float(row["revenue"] or 0),
            "funnel": row["funnel"],
            "manager": row["manager"],
            "comment": row["comment"],
            "tags": self._tags("order", row, "withOrdersTags"),
            "client": {
                "fio": lead.get("fio"),
                "phones": [phone] if phone else [],
                "emails": [lead["email"]] if lead.get("email") else [],
            },
            "visit": {
                "sessionId": session.get("id"),
                **self._source(merited, "keyword"),
                "city": session.get("city"),
                "url": session.get("url"),
                "ref": session.get("ref"),
                "sessionDate": text_time(session["at"]) if session else None,
                "yaClientId": session.get("visitor"),
                "yandexDirect": self._direct(merited, always=True),
                "googleAdWords": None,
            },
            "orderSource": {
                "type": (row["kind"] or "without_source").upper(),
                "callId": row["lead"] if row["kind"] == "call" else None,
                "requestId": row["lead"] if row["kind"] == "request" else None,
                "chatId": row["lead"] if row["kind"] == "chat" else None,
            },
        }

    # --- parts --------------------------------------------------------------------------------

    def _sessions(self, session_id: int | None) -> tuple[Row, Row]:
        """The session of a lead, and the one that the attribution gives the merit; empty without a session."""
        if session_id is None:
            return {}, {}
        session = self._session(session_id)
        merited = session if self._last_click else self._session(session["attributed"])
        return session, merited

    def _session(self, session_id: int) -> Row:
        return rows(self._db, "SELECT * FROM calltouch_session WHERE id = ?", (session_id,))[0]

    @staticmethod
    def _source(session: Row, keyword: str) -> dict[str, Any]:
        return {keyword: session.get("utm_term") or NOT_FILLED, **Journal.source_of(session)}

    @staticmethod
    def source_of(session: Row) -> dict[str, Any]:
        """Source and tags of a session, or of none."""
        return {
            "source": session.get("source") or DIRECT,
            "medium": session.get("medium") or "(none)",
            "utmSource": session.get("utm_source") or NOT_GIVEN,
            "utmMedium": session.get("utm_medium") or NOT_GIVEN,
            "utmCampaign": session.get("utm_campaign") or NOT_GIVEN,
            "utmContent": session.get("utm_content") or NOT_GIVEN,
            "utmTerm": session.get("utm_term") or NOT_GIVEN,
        }

    @staticmethod
    def _visitor(session: Row) -> dict[str, Any]:
        if not session:
            absent = ("city", "ip", "userAgent", "device", "os", "browser", "ctClientId", "ctGlobalId")
            return dict.fromkeys((*absent, "clientId", "yaClientId"))
        agent, system, browser = _AGENTS[session["device"]]
        cookie = session["visitor"]
        return {
            "city": session["city"],
            "ip": f"192.0.2.{int(cookie[-3:]) % 254 + 1}",
            "userAgent": agent,
            "device": session["device"],
            "os": system,
            "browser": browser,
            "ctClientId": 10**17 + int(cookie[2:]),  # a number, and more than a float holds exactly
            "ctGlobalId": None,
            "clientId": f"{cookie[2:12]}.{cookie[9:]}",
            "yaClientId": cookie,
        }

    def _direct(self, session: Row, always: bool = False) -> dict[str, Any] | None:
        if not (always or "withYandexDirect" in self._on) or session.get("campaign") is None:
            return None
        return {
            "campaignId": session["campaign"],
            "adGroupId": session["ad_group"],
            "adId": session["ad"],
            "criteriaId": session["criterion"],
        }

    def _tags(self, kind: str, row: Row, switch: str) -> list[dict[str, Any]] | None:
        if switch not in self._on:
            return None
        tags = []
        # The vendor's own speech recognition tags every second call, some hours to three days after it.
        heard = kind == "call" and row["talk"] >= TARGET_SECONDS and row["id"] % 2 == 0
        if heard and self._now >= row["at"] + 7200 + row["id"] % 7 * 36_000:
            tags.append({"category": "Предикт", "type": "AUTO_PR", "names": ["Целевой", "Запись на услугу"]})
        query = "SELECT tag FROM calltouch_tag WHERE kind = ? AND lead = ? ORDER BY tag"
        names = [tag for (tag,) in self._db.execute(query, (kind, row["id"]))]
        if names:
            tags.append({"category": "", "type": "MANUAL", "names": names})
        return tags

    def _comments(self, kind: str, lead: int, always: bool = False) -> list[dict[str, Any]] | None:
        if not (always or "withComments" in self._on):
            return None
        query = "SELECT id, text FROM calltouch_comment WHERE kind = ? AND lead = ? ORDER BY id"
        return [
            {"commentId": number, f"{kind}Id": lead, "comment": text, "partyId": 1, "partyName": "api"}
            for number, text in self._db.execute(query, (kind, lead))
        ]

    def _orders(self, kind: str, lead: int, switch: str) -> list[dict[str, Any]] | None:
        if switch not in self._on and kind == "call":
            return None
        query = "SELECT * FROM calltouch_order WHERE kind = ? AND lead = ? ORDER BY id"
        return [self._linked_order(kind, row) for row in rows(self._db, query, (kind, lead))]

    @staticmethod
    def _linked_order(kind: str, row: Mapping[str, Any]) -> dict[str, Any]:
        if kind == "request":
            return {
                "orderId": row["id"],
                "orderNumber": row["number"],
                "dateCreated": row["created_at"] * 1000,
                "status": row["status"],
                "sum": row["revenue"],
            }
        return {
            "orderId": row["id"],
            "orderNumber": row["number"],
            "orderDate": text_time(row["ordered_at"]),
            "createdDate": text_time(row["created_at"]),
            "completedDate": None,
            "plannedAmount": float(row["revenue"] or 0),
            "completedAmount": float(row["revenue"] or 0),
        }

    def _map_visits(self, session: Row, before: int) -> list[dict[str, Any]] | None:
        if "withMapVisits" not in self._on:
            return None
        if not session:
            return []
        visits = rows(
            self._db,
            "SELECT * FROM calltouch_session WHERE visitor = ? AND at <= ? ORDER BY id",
            (session["visitor"], before),
        )
        shown = []
        for visit in visits:
            visitor = self._visitor(visit)
            shown.append(
                {
                    "sessionId": visit["id"],
                    "sessionDate": text_time(visit["at"]),
                    **self._source(visit, "keyword"),
                    "url": visit["url"],
                    "ref": visit["ref"],
                    "city": visitor["city"],
                    "ip": visitor["ip"],
                    "userAgent": visitor["userAgent"],
                    "guaClientId": visitor["clientId"],
                    "ctClientId": visitor["ctClientId"],
                    "ctGlobalId": None,
                    "additionalTags": [],
                }
            )
        return shown
