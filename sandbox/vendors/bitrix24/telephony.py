"""Calls of the portal: ``voximplant.statistic.get`` and ``telephony.externalCall.*``."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import md5
from typing import Any

from sandbox.vendors.bitrix24.errors import RestError
from sandbox.vendors.bitrix24.fields import Field, plain_fields
from sandbox.vendors.bitrix24.filters import conditions
from sandbox.vendors.bitrix24.method import Answer, Call, Method, page
from sandbox.vendors.bitrix24.records import digits
from sandbox.vendors.bitrix24.values import BadValueError, read_moment, show_old, unix
from sandbox.vendors.rows import Row, rows

_SAME_CALL_SECONDS = 30 * 60
_FEWEST_DIGITS = 5

TABLE = """
CREATE TABLE IF NOT EXISTS bitrix24_call (
    ID INTEGER PRIMARY KEY AUTOINCREMENT, CALL_ID TEXT NOT NULL UNIQUE, EXTERNAL_CALL_ID TEXT,
    PORTAL_USER_ID INTEGER, PORTAL_NUMBER TEXT, PHONE_NUMBER TEXT NOT NULL, CALL_TYPE INTEGER NOT NULL,
    CALL_DURATION INTEGER NOT NULL DEFAULT 0, CALL_START_DATE INTEGER NOT NULL, CALL_FAILED_CODE TEXT,
    CALL_FAILED_REASON TEXT, CALL_RECORD_URL TEXT, CALL_VOTE INTEGER, COST REAL NOT NULL DEFAULT 0,
    COST_CURRENCY TEXT, CRM_ENTITY_TYPE TEXT, CRM_ENTITY_ID INTEGER, CRM_ACTIVITY_ID INTEGER,
    REST_APP_ID INTEGER, REGISTERED INTEGER, FINISHED INTEGER NOT NULL DEFAULT 1)
"""
INDEX = "CREATE INDEX IF NOT EXISTS bitrix24_call_start ON bitrix24_call (CALL_START_DATE)"

_CALL: dict[str, Field] = {
    field.code: field
    for field in plain_fields(
        """
int: ID PORTAL_USER_ID CALL_DURATION CALL_TYPE CALL_VOTE CRM_ACTIVITY_ID REST_APP_ID CRM_ENTITY_ID
datetime: CALL_START_DATE
text: CALL_ID EXTERNAL_CALL_ID PORTAL_NUMBER PHONE_NUMBER CALL_FAILED_CODE CALL_FAILED_REASON
text: CALL_RECORD_URL COST_CURRENCY CRM_ENTITY_TYPE
"""
    )
}
_NEVER_FILLED = ("CALL_LOG", "TRANSCRIPT_ID", "SESSION_ID", "REDIAL_ATTEMPT", "COMMENT", "RECORD_DURATION")


def _shown(row: Row) -> dict[str, Any]:
    shown: dict[str, Any] = {code: show_old(field, row[code]) for code, field in _CALL.items()}
    shown |= {"CALL_CATEGORY": "external", "COST": f"{row['COST']:.4f}", "RECORD_FILE_ID": None}
    shown["REST_APP_NAME"] = "Sandbox" if row["REST_APP_ID"] else None
    return shown | dict.fromkeys(_NEVER_FILLED) | {"TRANSCRIPT_PENDING": "N"}


def _statistic_get(call: Call) -> Answer:
    """Sorting comes as SORT and ORDER, there is no ``order`` object here."""
    sort = _CALL.get(str(call.param("sort") or "ID").upper())
    if sort is None:
        raise RestError(400, "ERROR_CORE", "Unknown field in SORT.")
    direction = "DESC" if str(call.param("order") or "ASC").upper() == "DESC" else "ASC"
    sql, arguments = conditions(_CALL.get, call.param("filter"))
    found = page(call, "bitrix24_call", (f"FINISHED AND {sql}", arguments), f"{sort.code} {direction}")
    return found.answer([_shown(row) for row in found.rows])


def _need_application(call: Call) -> None:
    if not call.by_application:
        raise RestError(403, "WRONG_AUTH_TYPE", "Current authorization type is denied for this method")


def _register(call: Call) -> Answer:
    """A call begins. The same phone, type, user, line and EXTERNAL_CALL_ID within 30 minutes is the same call."""
    _need_application(call)
    phone = str(call.param("phone_number") or "")
    if len(digits(phone)) < _FEWEST_DIGITS:
        raise RestError(400, "ERROR_CORE", "Unsupported phone number format")
    user = _user(call)
    kind = call.number("type")
    if kind not in range(1, 6):
        raise RestError(400, "ERROR_CORE", "TYPE should be 1, 2, 3, 4 or 5")
    line, external = call.text("line_number"), call.text("external_call_id")
    now = unix(call.portal.now())
    db = call.portal.world.db
    same = rows(
        db,
        "SELECT * FROM bitrix24_call WHERE PHONE_NUMBER = ? AND CALL_TYPE = ? AND PORTAL_USER_ID = ?"
        " AND PORTAL_NUMBER IS ? AND EXTERNAL_CALL_ID IS ? AND REGISTERED > ? ORDER BY ID DESC LIMIT 1",
        [phone, kind, user, line, external, now - _SAME_CALL_SECONDS],
    )
    if same:
        return Answer(_registered(same[0]))
    start = call.param("call_start_date")
    try:
        at = read_moment(str(start)) if start else now
    except BadValueError as error:
        raise RestError(400, "ERROR_CORE", str(error)) from error
    fingerprint = md5(f"{phone}|{kind}|{user}|{line}|{external}|{now}".encode()).hexdigest()  # noqa: S324  # an id, not a secret
    owners = call.portal.records.owners_of_phone(phone)
    asked = (call.text("crm_entity_type"), call.number("crm_entity_id"))
    owner = asked if all(asked) else owners[0] if owners else (None, None)
    with call.portal.world.transaction():
        db.execute(
            "INSERT INTO bitrix24_call (CALL_ID, EXTERNAL_CALL_ID, PORTAL_USER_ID, PORTAL_NUMBER, PHONE_NUMBER,"
            " CALL_TYPE, CALL_START_DATE, CRM_ENTITY_TYPE, CRM_ENTITY_ID, REGISTERED, REST_APP_ID, FINISHED)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, 0)",
            (f"externalCall.{fingerprint}.{now}", external, user, line, phone, kind, at, *owner, now),
        )
    return Answer(_registered(_by_call_id(call, f"externalCall.{fingerprint}.{now}")))


def _user(call: Call) -> int:
    asked, extension = str(call.param("user_id") or ""), str(call.param("user_phone_inner") or "")
    for user in call.portal.users:
        if str(user.id) == asked or (extension and user.extension == extension):
            return user.id
    raise RestError(400, "ERROR_CORE", "USER_ID or USER_PHONE_INNER should be set")


def _registered(row: Row) -> dict[str, Any]:
    return {
        "CALL_ID": row["CALL_ID"],
        "CRM_CREATED_LEAD": None,
        "CRM_CREATED_ENTITIES": [],
        "CRM_ENTITY_TYPE": row["CRM_ENTITY_TYPE"],
        "CRM_ENTITY_ID": row["CRM_ENTITY_ID"],
    }


def _by_call_id(call: Call, call_id: str) -> Row:
    found = rows(call.portal.world.db, "SELECT * FROM bitrix24_call WHERE CALL_ID = ?", [call_id])
    if not found:
        raise RestError(400, "ERROR_CORE", "Call is not found (call should be registered prior to finishing)")
    return found[0]


def _finish(call: Call) -> Answer:
    """A call ends: it enters the statistics and gets its activity."""
    _need_application(call)
    row = _by_call_id(call, str(call.param("call_id") or ""))
    duration = call.number("duration")
    code = str(call.param("status_code") or ("200" if duration else "304"))
    with call.portal.world.transaction() as db:
        db.execute(
            "UPDATE bitrix24_call SET CALL_DURATION = ?, CALL_FAILED_CODE = ?, CALL_FAILED_REASON = ?,"
            " CALL_VOTE = ?, COST = ?, COST_CURRENCY = ?, CALL_RECORD_URL = ?, CRM_ACTIVITY_ID = ?,"
            " FINISHED = 1 WHERE ID = ?",
            (
                duration,
                code,
                str(call.param("failed_reason") or ""),
                call.number("vote") or None,
                _cost(call),
                str(call.param("cost_currency") or ""),
                call.text("record_url"),
                row["ID"] + 7000,
                row["ID"],
            ),
        )
        call.portal.events.tell_call(row["ID"])
    row = _by_call_id(call, row["CALL_ID"])
    return Answer(
        {
            "CALL_ID": row["CALL_ID"],
            "EXTERNAL_CALL_ID": row["EXTERNAL_CALL_ID"],
            "PORTAL_USER_ID": row["PORTAL_USER_ID"],
            "PHONE_NUMBER": row["PHONE_NUMBER"],
            "PORTAL_NUMBER": row["PORTAL_NUMBER"],
            "INCOMING": str(row["CALL_TYPE"]),
            "CALL_DURATION": row["CALL_DURATION"],
            "CALL_START_DATE": {},  # the portal leaks its DateTime object
            "CALL_STATUS": 1 if row["CALL_FAILED_CODE"] == "200" else 0,
            "CALL_VOTE": row["CALL_VOTE"],
            "COST": row["COST"],
            "COST_CURRENCY": row["COST_CURRENCY"],
            "CALL_FAILED_CODE": row["CALL_FAILED_CODE"],
            "CALL_FAILED_REASON": row["CALL_FAILED_REASON"],
            "REST_APP_ID": str(row["REST_APP_ID"]),
            "REST_APP_NAME": "Sandbox",
            "CRM_ACTIVITY_ID": row["CRM_ACTIVITY_ID"],
            "COMMENT": None,
            "CRM_ENTITY_TYPE": row["CRM_ENTITY_TYPE"],
            "CRM_ENTITY_ID": row["CRM_ENTITY_ID"],
            "ID": row["ID"],
        }
    )


def _cost(call: Call) -> float:
    try:
        return float(str(call.param("cost") or 0))
    except ValueError:
        raise RestError(400, "ERROR_CORE", "COST must be a number") from None


def methods() -> Mapping[str, Method]:
    """These methods by lower-case name."""
    return {
        "voximplant.statistic.get": _statistic_get,
        "telephony.externalcall.register": _register,
        "telephony.externalcall.finish": _finish,
    }
