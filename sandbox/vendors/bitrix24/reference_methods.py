"""Pipelines, dictionaries, stage history, requisites, duplicates, users, comments and checks of health."""

# ruff: noqa: S608  # only names of our own tables and columns are put into SQL text
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.vendors import php
from sandbox.vendors.bitrix24 import portal
from sandbox.vendors.bitrix24.errors import RestError, not_found
from sandbox.vendors.bitrix24.fields import BY_KEY, BY_TYPE_ID, plain_fields
from sandbox.vendors.bitrix24.filters import Condition, conditions, ordering, split
from sandbox.vendors.bitrix24.method import PAGE, Answer, Call, Method, page
from sandbox.vendors.bitrix24.records import digits
from sandbox.vendors.bitrix24.values import LARGEST, moment, show_old, unix
from sandbox.vendors.rows import rows

SCOPES = ["crm", "telephony", "user", "user_brief"]
_FOUND_BY_COMMUNICATION = 20
_SEMANTICS = {"P": (None, "process"), "S": ("S", "success"), "F": ("F", "failure")}


_STAGE_HISTORY = {
    field.code: field
    for field in plain_fields(
        """
int: ID TYPE_ID OWNER_ID CATEGORY_ID
datetime: CREATED_TIME
status: STAGE_SEMANTIC_ID STAGE_ID
"""
    )
}
_REQUISITE = {
    field.code: field
    for field in plain_fields(
        """
int: ID ENTITY_TYPE_ID ENTITY_ID PRESET_ID
text: NAME RQ_COMPANY_NAME RQ_INN RQ_KPP RQ_OGRN
"""
    )
}


def _category_list(call: Call) -> Answer:
    if str(call.param("entityTypeId")) != "2":
        raise RestError(400, "ENTITY_TYPE_NOT_SUPPORTED", "Направления не поддерживаются")
    categories = [
        {
            "id": id_,
            "name": name,
            "sort": 100 * (id_ + 1),
            "entityTypeId": 2,
            "isDefault": "N" if id_ else "Y",
        }
        | ({"originId": "", "originatorId": ""} if id_ else {})
        for id_, name in portal.PIPELINES.items()
    ]
    return Answer({"categories": categories}, total=len(categories))


def _status_list(call: Call) -> Answer:
    shown = []
    for number, status in enumerate(portal.STATUSES, start=1):
        semantics, long_name = _SEMANTICS[status.semantic]
        is_stage = status.category is not None or status.dictionary == "STATUS"
        row: dict[str, Any] = {
            "ID": str(2 * number + 1),
            "ENTITY_ID": status.dictionary,
            "STATUS_ID": status.id,
            "NAME": status.name,
            "NAME_INIT": status.name,
            "SORT": str(status.sort),
            "SYSTEM": "Y",
            "CATEGORY_ID": None if status.category is None else str(status.category),
            "COLOR": None,
            "SEMANTICS": semantics,
        }
        if is_stage:
            apology = "apology" if status.id.endswith("APOLOGY") else long_name
            row["EXTRA"] = {"SEMANTICS": apology, "COLOR": ""}
        if all(str(row.get(split(key)[1])) == str(value) for key, value in php.items(call.param("filter"))):
            shown.append(row)
    order = php.items(call.param("order"))
    if order and order[0][0] == "SORT":
        shown.sort(key=lambda row: int(str(row["SORT"])), reverse=str(order[0][1]).upper() == "DESC")
    return Answer(shown, total=len(shown))


def _stagehistory_list(call: Call) -> Answer:
    type_id = str(call.param("entityTypeId") or "")
    entity = BY_TYPE_ID.get(int(type_id)) if type_id.isdigit() else None
    if entity is None or not entity.stage_code:
        raise RestError(400, "0", "The entity type has no stage history.")
    of_lead = entity.key == "lead"
    names = {code: code.replace("STAGE_", "STATUS_") if of_lead else code for code in _STAGE_HISTORY}
    find = {names[code]: field for code, field in _STAGE_HISTORY.items()}.get
    sql, arguments = conditions(find, call.param("filter"))
    where = (f"ENTITY = ? AND {sql}", [entity.letters, *arguments])
    found = page(call, "bitrix24_stagehistory", where, ordering(find, call.param("order")))
    select = {str(name) for name in php.values(call.param("select"))} - {"*"}
    items = [
        {
            names[code]: show_old(field, row[code])
            for code, field in _STAGE_HISTORY.items()
            if not select or names[code] in select or code == "ID"
        }
        for row in found.rows
    ]
    if of_lead:
        for item in items:
            item.pop("CATEGORY_ID", None)
    return found.answer({"items": items})


def _requisite_list(call: Call) -> Answer:
    where = conditions(_REQUISITE.get, call.param("filter"))
    found = page(call, "bitrix24_requisite", where, ordering(_REQUISITE.get, call.param("order")))
    return found.answer(
        [{code: show_old(field, row[code]) for code, field in _REQUISITE.items()} for row in found.rows]
    )


def _duplicate_findbycomm(call: Call) -> Answer:
    """Who has one of the phones (by digits) or e-mails; at twenty hits of one kind later kinds are dropped."""
    kind = str(call.param("type") or "").upper()
    if kind not in {"PHONE", "EMAIL"}:
        raise RestError(400, "", "Communication type is not defined or invalid.")
    wanted = [str(value) for value in php.values(call.param("values"))][:_FOUND_BY_COMMUNICATION]
    if not wanted:
        raise RestError(400, "", "The 'values' is not defined or empty.")
    asked = str(call.param("entity_type") or "").upper()
    keys = [digits(one) for one in wanted] if kind == "PHONE" else [one.lower() for one in wanted]
    column = "DIGITS" if kind == "PHONE" else "unicode_lower(VALUE)"
    marks = ", ".join("?" for _ in keys)
    result: dict[str, list[int]] = {}
    for owner in (asked,) if asked else ("LEAD", "CONTACT", "COMPANY"):
        found = rows(
            call.portal.world.db,
            f"SELECT DISTINCT OWNER_ID FROM bitrix24_multifield WHERE TYPE_ID = ? AND OWNER = ?"
            f" AND {column} IN ({marks}) ORDER BY OWNER_ID LIMIT {_FOUND_BY_COMMUNICATION}",
            [kind, owner, *keys],
        )
        if found:
            result[owner] = [row["OWNER_ID"] for row in found]
        if len(found) == _FOUND_BY_COMMUNICATION:
            break
    return Answer(php.array(result))


def _timeline_comment_add(call: Call) -> Answer:
    fields = call.params.get("fields")  # this method takes the lower-case name only
    if not isinstance(fields, Mapping):
        raise RestError(400, "", "Fields is not specified")
    entity = BY_KEY.get(str(fields.get("ENTITY_TYPE", "")).lower())
    owner = str(fields.get("ENTITY_ID", ""))
    if (
        entity is None
        or not owner.isdigit()
        or int(owner) > LARGEST
        or call.portal.records.get(entity, int(owner)) is None
    ):
        raise not_found()
    comment = str(fields.get("COMMENT") or "")
    if not comment:
        raise RestError(400, "", "COMMENT is not specified")
    with call.portal.world.transaction() as db:
        cursor = db.execute(
            "INSERT INTO bitrix24_comment (ENTITY_TYPE, ENTITY_ID, CREATED, AUTHOR_ID, COMMENT)"
            " VALUES (?, ?, ?, ?, ?)",
            (entity.key, int(owner), unix(call.portal.now()), call.user, comment),
        )
    return Answer(cursor.lastrowid)


def _timeline_comment_list(call: Call) -> Answer:
    filter_ = dict(php.items(call.param("filter")))
    entity_type, owner = str(filter_.get("ENTITY_TYPE", "")).lower(), str(filter_.get("ENTITY_ID", ""))
    where: Condition = ("ENTITY_TYPE = ? AND ENTITY_ID = ?", [entity_type, owner])
    found = page(call, "bitrix24_comment", where, "ID")
    return found.answer(
        [
            {
                "ID": str(row["ID"]),
                "ENTITY_ID": str(row["ENTITY_ID"]),
                "ENTITY_TYPE": row["ENTITY_TYPE"],
                "CREATED": moment(row["CREATED"]),
                "AUTHOR_ID": str(row["AUTHOR_ID"]),
                "COMMENT": row["COMMENT"],
            }
            for row in found.rows
        ]
    )


def _user(call: Call, user: portal.User) -> dict[str, Any]:
    """A row of user.get; times that the portal leaks as objects come as ``{}``."""
    return {
        "ID": str(user.id),
        "ACTIVE": True,
        "NAME": user.first_name,
        "LAST_NAME": user.last_name,
        "SECOND_NAME": "",
        "EMAIL": user.email,
        "LAST_LOGIN": moment(unix(call.portal.now())),
        "DATE_REGISTER": "2020-01-09T03:00:00+03:00",
        "TIME_ZONE": "",
        "IS_ONLINE": "Y" if user.id == portal.ADMINISTRATOR else "N",
        "TIMESTAMP_X": {},
        "LAST_ACTIVITY_DATE": {},
        "PERSONAL_GENDER": "",
        "PERSONAL_BIRTHDAY": "",
        "PERSONAL_MOBILE": user.phone,
        "WORK_PHONE": user.phone,
        "WORK_POSITION": user.position,
        "UF_EMPLOYMENT_DATE": "",
        "UF_DEPARTMENT": [1],
        "UF_PHONE_INNER": user.extension,
        "USER_TYPE": "employee",
    }


def _user_get(call: Call) -> Answer:
    wanted_fields = php.items(call.param("filter"))
    if call.param("id"):  # this method takes an ID beside the filter too
        wanted_fields.append(("ID", call.param("id")))

    def matches(row: Mapping[str, Any]) -> bool:
        for key, value in wanted_fields:
            operator, name = split(key)
            if name not in row:
                continue
            wanted = {_comparable(one) for one in php.values(value)}
            if (_comparable(row[name]) in wanted) == operator.startswith("!"):
                return False
        return True

    found = [row for user in call.portal.users if matches(row := _user(call, user))]
    field = str(call.param("sort") or "ID")
    found.sort(
        key=lambda row: (int(row["ID"]) if field == "ID" else 0, str(row.get(field, ""))),
        reverse=str(call.param("order") or "").upper() == "DESC",
    )
    start = max(call.number("start"), 0) // PAGE * PAGE
    following = start + PAGE
    return Answer(found[start:following], len(found), following if following < len(found) else None)


def _user_current(call: Call) -> Answer:
    return Answer(_user(call, next(user for user in call.portal.users if user.id == call.user)))


def _comparable(value: Any) -> str:
    return {"True": "1", "False": "0", "Y": "1", "N": "0", "true": "1", "false": "0"}.get(str(value), str(value))


def _settings_mode_get(_call: Call) -> Answer:
    return Answer(1)  # classic: the portal has leads


def _profile(call: Call) -> Answer:
    user = next(user for user in call.portal.users if user.id == call.user)
    return Answer(
        {
            "ID": str(user.id),
            "ADMIN": user.id == portal.ADMINISTRATOR,
            "NAME": user.first_name,
            "LAST_NAME": user.last_name,
            "PERSONAL_GENDER": "",
            "TIME_ZONE": "",
            "TIME_ZONE_OFFSET": 0,
        }
    )


def _app_info(call: Call) -> Answer:
    if not call.by_application:
        raise RestError(403, "WRONG_AUTH_TYPE", "Current authorization type is denied for this method")
    return Answer(
        {
            "ID": "1",
            "CODE": "local.sandbox",
            "VERSION": "1",
            "STATUS": "L",
            "INSTALLED": True,
            "PAYMENT_EXPIRED": "N",
            "DAYS": None,
            "LANGUAGE_ID": "ru",
            "LICENSE": "ru_pro100",
        }
    )


def _server_time(call: Call) -> Answer:
    return Answer(moment(unix(call.portal.now())))


def _scope(_call: Call) -> Answer:
    return Answer(SCOPES)


def methods() -> Mapping[str, Method]:
    """These methods by lower-case name."""
    return {
        "crm.category.list": _category_list,
        "crm.status.list": _status_list,
        "crm.stagehistory.list": _stagehistory_list,
        "crm.requisite.list": _requisite_list,
        "crm.duplicate.findbycomm": _duplicate_findbycomm,
        "crm.timeline.comment.add": _timeline_comment_add,
        "crm.timeline.comment.list": _timeline_comment_list,
        "crm.settings.mode.get": _settings_mode_get,
        "user.get": _user_get,
        "user.current": _user_current,
        "profile": _profile,
        "app.info": _app_info,
        "server.time": _server_time,
        "scope": _scope,
    }
