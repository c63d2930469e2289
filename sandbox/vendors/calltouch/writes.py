"""Calltouch's writes: deals, requests, tags and comments put on leads by an outer system.

Dates are ``dd-mm-yyyy hh:mm:ss`` here, a third order. A lead is found by the first entry of ``matching`` that
finds one.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from sqlite3 import Connection
from typing import Any

from sandbox.vendors.calltouch.words import FIRST_CHAT, FIRST_ORDER, FIRST_REQUEST, MOSCOW, digits

CALLBACK_ROUTE = "route-1"
BATCH = 100  # leads a request
Lead = tuple[str, int]  # 'call', 'request' or 'chat', its id
Answer = tuple[int, dict[str, Any]]


class Refused(Exception):
    """A request that Calltouch doesn't serve, with the HTTP status that it gives."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def put_orders(body: dict[str, Any], db: Connection, now: int) -> Answer:
    """client-order/create and /update: ``orderNumber`` is the key, so that a repeated create adds nothing."""
    done, wrong = [], []
    for order in _items(body, "orders"):
        number = str(order.get("orderNumber") or "")
        if not number:
            wrong.append({"orderNumber": None, "message": "orderNumber обязателен"})
            continue
        found, lead = _match(order.get("matching") or [], db, now)
        if not found and not _known_order(number, db):
            wrong.append({"orderNumber": number, "message": "По заданным условиям лид не найден"})
            continue
        done.append({"orderNumber": number, "calltouchOrderId": _put_order(number, order, lead, db, now)})
    data: dict[str, Any] = {"orders": done}
    if wrong:
        data["validationErrorData"] = wrong
    return (400 if wrong and not done else 200), {"data": data}


def _known_order(number: str, db: Connection) -> int | None:
    row = db.execute("SELECT id FROM calltouch_order WHERE number = ?", (number,)).fetchone()
    return row[0] if row else None


def _put_order(number: str, order: dict[str, Any], lead: Lead | None, db: Connection, now: int) -> int:
    ordered_at = _time(order["orderDate"]) if order.get("orderDate") else now
    known = _known_order(number, db)
    if known is None:
        (last,) = db.execute("SELECT coalesce(max(id), ?) FROM calltouch_order", (FIRST_ORDER,)).fetchone()
        known = int(last) + 1
        db.execute(
            "INSERT INTO calltouch_order (id, number, ordered_at, created_at, updated_at, kind, lead)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (known, number, ordered_at, now, now, *(lead or (None, None))),
        )
    comment = order.get("comment")
    changes = {
        "name": order.get("orderName"),
        "status": order.get("status"),
        "funnel": order.get("funnel"),
        "manager": order.get("manager"),
        "revenue": _amount(order.get("revenue")),
        "margin": _amount(order.get("margin")),
        "comment": comment.get("text") if isinstance(comment, dict) else None,
        "ordered_at": ordered_at if order.get("orderDate") else None,
    }
    for column, value in changes.items():
        if value is not None:
            db.execute(f"UPDATE calltouch_order SET {column} = ? WHERE id = ?", (value, known))  # noqa: S608 - fixed names
    db.execute("UPDATE calltouch_order SET updated_at = ? WHERE id = ?", (now, known))
    _add_tags(("order", known), order.get("addTags") or [], db)
    if lead is not None:
        _add_tags(lead, order.get("addTagsToLead") or [], db)
    return known


def delete_orders(body: dict[str, Any], db: Connection, now: int) -> Answer:
    """client-order/delete."""
    done = []
    for order in _items(body, "orders"):
        known = _known_order(str(order.get("orderNumber")), db)
        if known is not None:
            db.execute("DELETE FROM calltouch_order WHERE id = ?", (known,))
            db.execute("DELETE FROM calltouch_tag WHERE kind = 'order' AND lead = ?", (known,))
            done.append({"orderNumber": order["orderNumber"], "calltouchOrderId": known})
    return 200, {"data": {"orders": done}}


def create_requests(body: dict[str, Any], db: Connection, now: int) -> Answer:
    """request/create. HTTP 200 even where an item was not imported: a number used before, or no contact."""
    answers = []
    for item in _items(body, "requests"):
        number = str(item.get("requestNumber") or "")
        phone, email = digits(str(item.get("phoneNumber") or "")), str(item.get("email") or "")
        used = db.execute("SELECT 1 FROM calltouch_request WHERE number = ?", (number,)).fetchone()
        imported = bool(number and (phone or email) and not used)
        if imported:
            own = item.get("customSources") or {}
            (last,) = db.execute(
                "SELECT coalesce(max(id), ?) FROM calltouch_request WHERE id >= ?",
                (FIRST_REQUEST + 50_000_000, FIRST_REQUEST + 50_000_000),
            ).fetchone()
            known = db.execute("SELECT 1 FROM calltouch_request WHERE phone = ? LIMIT 1", (phone,)).fetchone()
            at = _time(item["requestDate"]) if item.get("requestDate") else now
            db.execute(
                "INSERT INTO calltouch_request VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    int(last) + 1, at, number, item.get("sessionId"), str(item.get("fio") or ""), phone, email,
                    str(item.get("subject") or "")[:256], str(item.get("requestUrl") or ""), known is None,
                    own.get("source"), own.get("medium"),
                ),
            )  # fmt: skip
            _add_tags(("request", int(last) + 1), item.get("addTags") or [], db)
        answers.append({"requestNumber": number, "imported": imported})
    return 200, {"data": {"requests": answers}}


def request_callback(body: dict[str, Any], db: Connection, now: int) -> Answer:
    """widget-request/user-form/create: asked twice it rings twice; the call back stands among the requests."""
    phone = digits(str(body.get("phone") or ""))
    if body.get("routeKey") != CALLBACK_ROUTE:
        raise Refused(400, "Маршрут не найден")
    if len(phone) < 11:
        raise Refused(400, "Неверный номер телефона")
    (last,) = db.execute(
        "SELECT coalesce(max(id), ?) FROM calltouch_request WHERE id >= ?",
        (FIRST_REQUEST + 50_000_000, FIRST_REQUEST + 50_000_000),
    ).fetchone()
    known = db.execute("SELECT 1 FROM calltouch_request WHERE phone = ? LIMIT 1", (phone,)).fetchone()
    fio = next((str(field.get("value")) for field in body.get("fields") or ()), "")
    db.execute(
        "INSERT INTO calltouch_request VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(int(last) + 1, now, f"widget-{int(last) + 1}", body.get("sessionId"), fio, phone, ""),
            *("Обратный звонок", str(body.get("callUrl") or ""), known is None),
            *(body.get("utmSource"), body.get("utmMedium")),
        ),
    )
    _add_tags(("request", int(last) + 1), [{"tag": tag} for tag in body.get("tags") or ()], db)
    return 200, {"data": {"widgetRequestId": int(last) + 1}}


def tag_leads(body: dict[str, Any], db: Connection, now: int) -> Answer:
    """tag/lead/add."""
    answers = []
    for item in _items(body, "leads"):
        _, lead = _match(item.get("matching") or [], db, now)
        tags = item.get("addTags") or {}
        if lead is not None:
            if tags.get("overwrite"):
                db.execute("DELETE FROM calltouch_tag WHERE kind = ? AND lead = ?", lead)
            _add_tags(lead, tags.get("tags") or [], db)
        answers.append(_found(lead))
    return 200, {"data": {"leads": answers}}


def comment_leads(body: dict[str, Any], db: Connection, now: int) -> Answer:
    """comment/lead/add."""
    answers = []
    for item in _items(body, "comments"):
        _, lead = _match(item.get("matching") or [], db, now)
        if lead is not None:
            db.execute(
                "INSERT INTO calltouch_comment (kind, lead, text) VALUES (?, ?, ?)",
                (*lead, str(item.get("addComment") or "")),
            )
        answers.append(_found(lead))
    return 200, {"data": {"comments": answers}}


def open_chat(said: dict[str, Any], db: Connection, now: int) -> int:
    """A visitor's chat, which stands in no journal. Its id."""
    (last,) = db.execute("SELECT coalesce(max(id), ?) FROM calltouch_chat", (FIRST_CHAT,)).fetchone()
    phone = digits(str(said.get("phone") or ""))
    known = db.execute("SELECT 1 FROM calltouch_chat WHERE phone = ? LIMIT 1", (phone,)).fetchone()
    told = (str(said.get("name") or ""), phone, str(said.get("email") or ""), str(said.get("text") or ""))
    db.execute(
        "INSERT INTO calltouch_chat VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (int(last) + 1, now, said.get("sessionId"), *told, known is None),
    )
    return int(last) + 1


WRITES: dict[str, Callable[[dict[str, Any], Connection, int], Answer]] = {
    "client-order/create": put_orders,
    "client-order/update": put_orders,
    "client-order/delete": delete_orders,
    "request/create": create_requests,
    "tag/lead/add": tag_leads,
    "comment/lead/add": comment_leads,
}


def _items(body: dict[str, Any], name: str) -> list[dict[str, Any]]:
    items = body.get(name)
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise Refused(400, f"Ожидается список {name}")
    if len(items) > BATCH:
        raise Refused(400, f"Не больше {BATCH} записей в запросе")
    return items


def _match(matching: list[dict[str, Any]], db: Connection, now: int) -> tuple[bool, Lead | None]:
    """Whether any entry fits, and the lead that it found (none for the kinds that need none)."""
    for entry in matching:
        kind = entry.get("type")
        if kind in ("customSources", "withoutSource"):
            return True, None
        params = entry.get(f"{kind}Params") or {}
        lead = _lead(str(kind), params, db, now)
        if lead is not None:
            return True, lead
    return False, None


def _lead(kind: str, params: dict[str, Any], db: Connection, now: int) -> Lead | None:
    if kind in ("call", "request", "chat"):
        query = f"SELECT id FROM calltouch_{kind} WHERE id = ?"  # noqa: S608 - one of three names
        row = db.execute(query, (params.get(f"{kind}Id"),)).fetchone()
        return (kind, row[0]) if row else None
    if kind not in ("leadContact", "callContact", "requestContact", "chatContact"):
        return None
    chats = kind == "chatContact" or (kind == "leadContact" and params.get("withChats"))
    at = _time(params["date"]) if params.get("date") else now
    since = at - int(params.get("searchDepth", 262_800)) * 60
    wanted = params.get(f"{kind.removesuffix('Contact')}TypeToMatch", "nearestUniq")
    first = " AND first" if wanted == "nearestUniq" else ""
    nearest: list[tuple[int, Lead]] = []
    for phone in map(digits, map(str, params.get("phones") or [])):
        if chats:
            nearest += _nearest("chat", "phone", phone, since, at, first, db)
        if kind in ("leadContact", "callContact"):
            nearest += _nearest("call", "caller", phone, since, at, first, db)
        if kind in ("leadContact", "requestContact"):
            nearest += _nearest("request", "phone", phone, since, at, first, db)
    if kind in ("leadContact", "requestContact"):
        for email in params.get("emails") or []:
            nearest += _nearest("request", "email", str(email), since, at, first, db)
    return max(nearest)[1] if nearest else None


def _nearest(
    table: str, column: str, value: str, since: int, until: int, first: str, db: Connection
) -> list[tuple[int, Lead]]:
    query = (
        f"SELECT at, id FROM calltouch_{table} WHERE {column} = ? AND at BETWEEN ? AND ?{first}"  # noqa: S608 - fixed
        " ORDER BY at DESC LIMIT 1"
    )
    return [(at, (table, number)) for at, number in db.execute(query, (value, since, until))]


def _add_tags(lead: Lead, tags: list[dict[str, Any]], db: Connection) -> None:
    for tag in tags:
        db.execute("INSERT OR IGNORE INTO calltouch_tag VALUES (?, ?, ?)", (*lead, str(tag.get("tag"))))


def _found(lead: Lead | None) -> dict[str, Any]:
    if lead is None:
        return {"found": False}
    kind, number = lead
    return {"found": True, f"{kind}Id": number}


def _time(text: str) -> int:
    try:
        return int(datetime.strptime(text, "%d-%m-%Y %H:%M:%S").replace(tzinfo=MOSCOW).timestamp())
    except ValueError as error:
        raise Refused(400, f"Неверная дата {text}, нужна дд-мм-гггг чч:мм:сс") from error


def _amount(value: Any) -> str | None:
    return None if value is None else str(value)
