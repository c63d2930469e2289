"""The hooks that Calltouch sends: forms of chosen names, all values texts, without signature.

Three kinds, each with an address of its own (switches): leads (a call begins, a call ends, a request came), deals,
chats. The names are those that receivers in the wild have chosen.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from sqlite3 import Connection
from typing import Any
from urllib.parse import urlencode

from sandbox.vendors.calltouch.journal import Journal, Row, rows
from sandbox.vendors.contract import World
from sandbox.vendors.switches import Switches

FORM = "application/x-www-form-urlencoded"
_UTM = {f"utm_{name.lower()}": f"utm{name}" for name in ("Source", "Medium", "Campaign", "Content", "Term")}


class Hooks:
    """Tells the addresses of the switches what happened."""

    def __init__(self, world: World, switches: Switches) -> None:
        self._world = world
        self._switches = switches
        self._running: list[tuple[int, int]] = []  # when a call ends, and its id: a lost hook is lost, as in life

    def call_began(self, call: int, now: int, ends: int, db: Connection) -> None:
        if self._send("webhook_url", lambda: call_form(db, call, now)):
            heapq.heappush(self._running, (ends, call))

    def calls_ended(self, now: int, db: Connection) -> None:
        """Tell of the calls that have ended by ``now``."""
        while self._running and self._running[0][0] <= now:
            ended, call = heapq.heappop(self._running)
            self._send("webhook_url", lambda call=call, ended=ended: call_form(db, call, ended))

    def request_came(self, request: int, now: int, db: Connection) -> None:
        self._send("webhook_url", lambda: request_form(db, request, now))

    def deal_changed(self, order: int, db: Connection) -> None:
        self._send("deals_webhook_url", lambda: order_form(db, order))

    def chat_began(self, chat: int, db: Connection) -> None:
        self._send("chats_webhook_url", lambda: chat_form(db, chat))

    def _send(self, switch: str, form: Any) -> bool:
        address = self._switches.get(switch, str)
        if address:
            self._world.deliver(address, urlencode(form()).encode(), FORM)
        return bool(address)


def call_form(db: Connection, call: int, now: int) -> dict[str, Any]:
    """The form about one call, as it stands at ``now``."""
    record = Journal(db, 0, set(), now, last_click=False).call(_row(db, "call", call))
    return {
        "id": record["callId"],
        "ctCallerId": record["ctCallerId"],
        "callerphone": record["callerNumber"],
        "phonenumber": record["phoneNumber"],
        "timestamp": record["timestamp"],
        "calltime": record["date"],
        "duration": record["duration"],
        "status": "successful" if record["successful"] else "unsuccessful",
        "unique": str(record["uniqueCall"]).lower(),
        "targetcall": str(record["targetCall"]).lower(),
        "uniqtargetcall": str(record["uniqTargetCall"]).lower(),
        **_origin(record),
        "gcid": record["clientId"] or "",
        "yaClientId": record["yaClientId"] or "",
        "callUrl": record["callUrl"] or "",
        "city": record["city"] or "",
        "ip": record["ip"] or "",
    }


def request_form(db: Connection, request: int, now: int) -> dict[str, Any]:
    """The form about one request."""
    row = _row(db, "request", request)
    record = Journal(db, 0, set(), now, last_click=False).request(row)
    return {
        "requestId": record["requestId"],
        "requestNumber": record["requestNumber"],
        "subject": record["subject"],
        "fio": row["fio"],
        "phone": row["phone"],
        "email": row["email"],
        "timestamp": row["at"],
        **_origin(record["session"]),
        "sessionId": record["session"]["sessionId"] or "",
    }


def order_form(db: Connection, order: int) -> dict[str, Any]:
    """The form about one deal."""
    row = _row(db, "order", order)
    told = {"orderId": "id", "orderNumber": "number", "orderStatus": "status", "orderSum": "revenue"}
    return {name: row[column] or "" for name, column in told.items()}


def chat_form(db: Connection, chat: int) -> dict[str, Any]:
    """The form about one chat, which stands in no journal."""
    row = _row(db, "chat", chat)
    session: Row = {}
    if row["session"]:
        session = _row(db, "session", row["session"])
    return {
        "chatId": row["id"],
        "timestamp": row["at"],
        "name": row["fio"],
        "phone": row["phone"],
        "email": row["email"],
        "text": row["text"],
        "sessionId": session.get("id", ""),
        "yaClientId": session.get("visitor", ""),
        **_origin(Journal.source_of(session) | {"url": session.get("url"), "ref": session.get("ref")}),
    }


def _row(db: Connection, table: str, id_: int) -> Row:
    return rows(db, f"SELECT * FROM calltouch_{table} WHERE id = ?", (id_,))[0]  # noqa: S608 - fixed names


def _origin(record: Mapping[str, Any]) -> dict[str, Any]:
    """Source and tags: in snake case here, in camel case in the journals."""
    told = {name: record[theirs] for name, theirs in _UTM.items()}
    return {
        "source": record["source"],
        "medium": record["medium"],
        **told,
        "url": record.get("url") or "",
        "ref": record.get("ref") or "",
    }
