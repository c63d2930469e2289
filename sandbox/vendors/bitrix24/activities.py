"""To-dos in records' timelines: ``crm.activity.todo.add``, and what ``crm.activity.list`` shows of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sandbox.vendors import php
from sandbox.vendors.bitrix24.errors import RestError, not_found
from sandbox.vendors.bitrix24.fields import BY_TYPE_ID
from sandbox.vendors.bitrix24.method import Answer, Call, Method, page
from sandbox.vendors.bitrix24.values import moment, unix

TABLE = (
    "CREATE TABLE IF NOT EXISTS bitrix24_todo (ID INTEGER PRIMARY KEY AUTOINCREMENT, OWNER_TYPE_ID INTEGER,"
    " OWNER_ID INTEGER, CREATED INTEGER, DEADLINE INTEGER, RESPONSIBLE_ID INTEGER, SUBJECT TEXT, DESCRIPTION TEXT)"
)


def _add(call: Call) -> Answer:
    entity = BY_TYPE_ID.get(call.number("ownerTypeId"))
    if entity is None or call.portal.records.get(entity, call.id("ownerId")) is None:
        raise not_found()
    try:
        deadline = datetime.fromisoformat(call.text("deadline") or "")
    except ValueError:
        raise RestError(400, "WRONG_DATETIME_FORMAT", "Wrong datetime format") from None
    if deadline.tzinfo is None:
        raise RestError(400, "WRONG_DATETIME_FORMAT", "Wrong datetime format")
    with call.portal.world.transaction() as db:
        cursor = db.execute(
            "INSERT INTO bitrix24_todo (OWNER_TYPE_ID, OWNER_ID, CREATED, DEADLINE, RESPONSIBLE_ID, SUBJECT,"
            " DESCRIPTION) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                entity.type_id,
                call.id("ownerId"),
                unix(call.portal.now()),
                unix(deadline),
                call.number("responsibleId", call.user),
                call.text("title") or "Дело",
                call.text("description") or "",
            ),
        )
    return Answer({"id": cursor.lastrowid})


def _list(call: Call) -> Answer:
    """Of all activities only to-dos are kept here, so only they are found."""
    wanted = dict(php.items(call.param("filter")))
    if str(wanted.get("PROVIDER_ID", "")) != "CRM_TODO":
        return Answer([], total=0)
    where = ("OWNER_TYPE_ID = ? AND OWNER_ID = ?", [wanted.get("OWNER_TYPE_ID"), wanted.get("OWNER_ID")])
    found = page(call, "bitrix24_todo", where, "ID DESC")
    rows: list[dict[str, Any]] = [
        {
            "ID": str(row["ID"]),
            "OWNER_TYPE_ID": str(row["OWNER_TYPE_ID"]),
            "OWNER_ID": str(row["OWNER_ID"]),
            "PROVIDER_ID": "CRM_TODO",
            "SUBJECT": row["SUBJECT"],
            "DESCRIPTION": row["DESCRIPTION"],
            "RESPONSIBLE_ID": str(row["RESPONSIBLE_ID"]),
            "CREATED": moment(row["CREATED"]),
            "DEADLINE": moment(row["DEADLINE"]),
        }
        for row in found.rows
    ]
    return found.answer(rows)


def methods() -> Mapping[str, Method]:
    """These methods by lower-case name."""
    return {"crm.activity.todo.add": _add, "crm.activity.list": _list}
