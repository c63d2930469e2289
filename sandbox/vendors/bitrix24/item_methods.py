"""The new dialect: ``crm.item.{add|update|delete|get|list|fields}`` for leads, deals, contacts, companies."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sandbox.vendors import php
from sandbox.vendors.bitrix24 import portal
from sandbox.vendors.bitrix24.entity_methods import describe
from sandbox.vendors.bitrix24.errors import RestError, item_not_found
from sandbox.vendors.bitrix24.fields import BY_TYPE_ID, Entity, Field
from sandbox.vendors.bitrix24.filters import conditions, ordering, split
from sandbox.vendors.bitrix24.method import Answer, Call, Method, page
from sandbox.vendors.bitrix24.values import show_new
from sandbox.vendors.bitrix24.writing import check_multifields, new_draft, write_rest
from sandbox.vendors.rows import Row

_ATOM = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d([+-]\d\d:\d\d|Z)$")


def _entity(call: Call) -> Entity:
    type_id = str(call.param("entityTypeId") or "")
    entity = BY_TYPE_ID.get(int(type_id)) if type_id.isdigit() else None
    if entity is None:
        raise RestError(400, "NOT_FOUND", f"Смарт-процесс не найден: entityTypeId {type_id or 'не задан'}")
    return entity


def _existing(call: Call, entity: Entity) -> Row:
    row = call.portal.records.get(entity, call.number("id"))
    if row is None:
        raise item_not_found()
    return row


def _original_names(call: Call) -> bool:
    return str(call.param("useOriginalUfNames")) == "Y"


def _shown(call: Call, row: Row, fields: tuple[Field, ...]) -> dict[str, Any]:
    original = _original_names(call)
    return {(one.code if original and one.custom else one.name): show_new(one, row[one.code]) for one in fields}


def _whole(call: Call, entity: Entity, row: Row) -> dict[str, Any]:
    """Every name the dialect has for the kind, those that are never filled among them."""
    records = call.portal.records
    shown = _shown(call, row, entity.fields) | dict.fromkeys(entity.always_null)
    if entity.has_multifields:
        found = records.multifields(entity, row["ID"])
        shown["fm"] = [
            {
                "id": one["ID"],
                "valueType": one["VALUE_TYPE"],
                "value": one["VALUE"],
                "typeId": one["TYPE_ID"],
            }
            for one in found
        ]
        for kind, name in (("PHONE", "phone"), ("EMAIL", "email")):
            shown[name] = next((one["VALUE"] for one in found if one["TYPE_ID"] == kind), "")
    shown["observers"] = []
    shown[f"{entity.other_name}Ids"] = records.linked(entity, row["ID"])
    return shown | {"entityTypeId": entity.type_id}


def _get(call: Call) -> Answer:
    entity = _entity(call)
    return Answer({"item": _whole(call, entity, _existing(call, entity))})


def _list(call: Call) -> Answer:
    entity = _entity(call)
    find = entity.by_name.get
    where = conditions(find, _heard(call, entity), strict=True)
    found = page(call, entity.table, where, ordering(find, call.param("order")))
    names = {str(name) for name in php.values(call.param("select"))} or {"*"}
    if "*" in names:
        return found.answer({"items": [_whole(call, entity, row) for row in found.rows]})
    wanted = tuple(
        one for one in entity.fields if one.code == "ID" or one.name in names or (one.custom and one.code in names)
    )
    shown = [_shown(call, row, wanted) for row in found.rows]
    list_name = f"{entity.other_name}Ids"
    if list_name in names:
        for row, line in zip(found.rows, shown, strict=True):
            line[list_name] = call.portal.records.linked(entity, row["ID"])
    return found.answer({"items": shown})


def _heard(call: Call, entity: Entity) -> Any:
    """The filter as far as the portal takes it in: some portals were reported to ignore ISO-8601 times
    with an offset here (switch ``items_ignore_iso_times``)."""
    wanted = call.param("filter")
    if not call.portal.switches.get("items_ignore_iso_times", bool) or not isinstance(wanted, Mapping):
        return wanted

    def ignored(key: str, value: Any) -> bool:
        one = entity.by_name.get(split(key)[1])
        return one is not None and one.kind == "datetime" and bool(_ATOM.match(str(value)))

    return {key: value for key, value in wanted.items() if not ignored(key, value)}


def _add(call: Call) -> Answer:
    entity = _entity(call)
    draft = new_draft(entity, call.param("fields"))
    if entity.key == "company" and not draft.values.get("TITLE"):
        raise RestError(400, "CRM_FIELD_ERROR_REQUIRED", "Поле «Название компании» обязательно для заполнения")
    check_multifields(draft)
    with call.portal.world.transaction():
        id_ = call.portal.records.add(entity, draft.values, call.portal.now(), call.user)
        write_rest(call, entity, id_, draft)
    return _after_writing(call, entity, id_)


def _update(call: Call) -> Answer:
    entity = _entity(call)
    row = _existing(call, entity)
    draft = new_draft(entity, call.param("fields"))
    check_multifields(draft)
    category = draft.values.get("CATEGORY_ID")
    if category is not None and category != row["CATEGORY_ID"]:
        if category not in portal.PIPELINES:
            raise RestError(400, "CRM_FIELD_ERROR_VALUE_NOT_VALID", f"There is no pipeline {category}.")
        draft.values.setdefault("STAGE_ID", portal.first_stage(entity, int(category)))
    with call.portal.world.transaction():
        call.portal.records.update(entity, row["ID"], draft.values, call.portal.now(), call.user)
        write_rest(call, entity, row["ID"], draft)
    return _after_writing(call, entity, row["ID"])


def _after_writing(call: Call, entity: Entity, id_: int) -> Answer:
    row = call.portal.records.get(entity, id_)
    if row is None:
        raise item_not_found()
    return Answer({"item": _whole(call, entity, row)})


def _delete(call: Call) -> Answer:
    entity = _entity(call)
    row = _existing(call, entity)
    with call.portal.world.transaction():
        call.portal.records.delete(entity, row["ID"])
    return Answer([])


def _fields(call: Call) -> Answer:
    entity = _entity(call)
    told = {one.name: describe(call, one) | {"upperName": one.code} for one in entity.fields}
    return Answer({"fields": told})


def methods() -> Mapping[str, Method]:
    """The new dialect's methods by lower-case name."""
    return {
        "crm.item.get": _get,
        "crm.item.list": _list,
        "crm.item.add": _add,
        "crm.item.update": _update,
        "crm.item.delete": _delete,
        "crm.item.fields": _fields,
    }
