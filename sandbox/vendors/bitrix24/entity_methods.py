"""The old dialect: ``crm.{deal|lead|contact|company}.{add|update|delete|get|list|fields}``."""

# ruff: noqa: S608  # only names of our own tables and columns are put into SQL text
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.vendors import php
from sandbox.vendors.bitrix24.errors import RestError, not_found
from sandbox.vendors.bitrix24.fields import ENTITIES, LOST_REASON, MULTIFIELDS, Entity, Field
from sandbox.vendors.bitrix24.filters import conditions, ordering
from sandbox.vendors.bitrix24.method import Answer, Call, Method, by_owner, page
from sandbox.vendors.bitrix24.values import show_old
from sandbox.vendors.bitrix24.writing import check_multifields, old_draft, write_rest
from sandbox.vendors.rows import Row, rows


def _existing(call: Call, entity: Entity) -> Row:
    row = call.portal.records.get(entity, call.id())
    if row is None:
        raise not_found()
    return row


def _old_multifields(found: list[Row]) -> dict[str, list[dict[str, str]]]:
    shown: dict[str, list[dict[str, str]]] = {}
    for row in found:
        shown.setdefault(row["TYPE_ID"], []).append(
            {
                "ID": str(row["ID"]),
                "VALUE_TYPE": row["VALUE_TYPE"],
                "VALUE": row["VALUE"],
                "TYPE_ID": row["TYPE_ID"],
            }
        )
    return shown


def _get(entity: Entity) -> Method:
    def method(call: Call) -> Answer:
        row = _existing(call, entity)
        shown: dict[str, Any] = {one.code: show_old(one, row[one.code]) for one in entity.fields}
        return Answer(shown | _old_multifields(call.portal.records.multifields(entity, row["ID"])))

    return method


def _selected(entity: Entity, select: Any) -> tuple[list[Field], list[str]]:
    """Fields and multifields that a ``select`` names. The default and ``*`` leave out multifields
    and custom fields; ``UF_*`` names the latter, and nothing but their names the former."""
    names = [str(name) for name in php.values(select)] or ["*"]
    fields = [
        one
        for one in entity.fields
        if one.code == "ID"
        or one.code in names
        or ("*" in names and not one.custom)
        or ("UF_*" in names and one.custom)
    ]
    multifields = [kind for kind in MULTIFIELDS if kind in names] if entity.has_multifields else []
    return fields, multifields


def _list(entity: Entity) -> Method:
    def method(call: Call) -> Answer:
        find = entity.by_code.get
        owner = entity if entity.has_multifields else None
        where = conditions(find, call.param("filter"), entity=owner)
        found = page(call, entity.table, where, ordering(find, call.param("order")))
        fields, kinds = _selected(entity, call.param("select"))
        shown: list[dict[str, Any]] = [
            {one.code: show_old(one, row[one.code]) for one in fields} for row in found.rows
        ]
        if kinds:
            _append_multifields(call, entity, found.rows, shown, kinds)
        return found.answer(shown)

    return method


def _append_multifields(
    call: Call, entity: Entity, found: list[Row], shown: list[dict[str, Any]], kinds: list[str]
) -> None:
    ids, wanted = [row["ID"] for row in found], [*kinds]
    owned = rows(
        call.portal.world.db,
        "SELECT * FROM bitrix24_multifield WHERE OWNER = ?"
        f" AND OWNER_ID IN ({', '.join('?' for _ in ids)}) AND TYPE_ID IN ({', '.join('?' for _ in wanted)})"
        " ORDER BY ID",
        [entity.letters, *ids, *wanted],
    )
    groups = by_owner(owned, "OWNER_ID")
    for row, line in zip(found, shown, strict=True):
        line |= _old_multifields(groups.get(row["ID"], []))


def _add(entity: Entity) -> Method:
    def method(call: Call) -> Answer:
        draft = old_draft(entity, call.param("fields"))
        if entity.key == "company" and not draft.values.get("TITLE"):
            raise RestError(400, "", "Не заполнено обязательное поле «Название компании»")
        check_multifields(draft)
        with call.portal.world.transaction():
            id_ = call.portal.records.add(entity, draft.values, call.portal.now(), call.user)
            write_rest(call, entity, id_, draft)
        return Answer(id_)

    return method


def _update(entity: Entity) -> Method:
    def method(call: Call) -> Answer:
        row = _existing(call, entity)
        draft = old_draft(entity, call.param("fields"))
        check_multifields(draft)
        draft.values.pop("CATEGORY_ID", None)  # only crm.item.update moves a deal to another pipeline
        with call.portal.world.transaction():
            call.portal.records.update(entity, row["ID"], draft.values, call.portal.now(), call.user)
            write_rest(call, entity, row["ID"], draft)
        return Answer(True)

    return method


def _delete(entity: Entity) -> Method:
    def method(call: Call) -> Answer:
        row = _existing(call, entity)
        with call.portal.world.transaction():
            call.portal.records.delete(entity, row["ID"])
        return Answer(True)

    return method


_TYPES = {
    "id": "integer",
    "link": "integer",
    "int": "integer",
    "money": "double",
    "text": "string",
    "flag": "char",
    "status": "crm_status",
    "user": "user",
    "datetime": "datetime",
    "date": "date",
    "enumeration": "enumeration",
}


def describe(call: Call, one: Field) -> dict[str, Any]:
    """A field as ``fields`` methods tell of it."""
    title = "Причина отказа" if one.code == LOST_REASON else one.code
    told: dict[str, Any] = {
        "type": _TYPES[one.kind],
        "isRequired": False,
        "isReadOnly": one.read_only,
        "isImmutable": False,
        "isMultiple": False,
        "isDynamic": one.custom,
        "title": one.code if one.custom else title,
    }
    if one.dictionary:
        told["statusType"] = one.dictionary
    if one.kind == "enumeration":
        found = rows(call.portal.world.db, "SELECT ID, VALUE FROM bitrix24_lost_reason ORDER BY ID")
        told["items"] = [{"ID": str(row["ID"]), "VALUE": row["VALUE"]} for row in found]
        told |= {"listLabel": title, "formLabel": title, "filterLabel": title}
    return told


def _fields(entity: Entity) -> Method:
    def method(call: Call) -> Answer:
        told = {one.code: describe(call, one) for one in entity.fields}
        for kind in MULTIFIELDS if entity.has_multifields else ():
            told[kind] = {
                "type": "crm_multifield",
                "isRequired": False,
                "isReadOnly": False,
                "isImmutable": False,
                "isMultiple": True,
                "isDynamic": False,
                "title": kind,
            }
        return Answer(told)

    return method


def _links(entity: Entity, other: str, *, backwards: bool = False) -> Method:
    """``crm.deal.contact.items.get`` and its kind: who is linked, the primary one first."""
    own, theirs = ("TO_ID", "FROM_ID") if backwards else ("FROM_ID", "TO_ID")
    kept_under = other if backwards else entity.letters

    def method(call: Call) -> Answer:
        row = _existing(call, entity)
        found = rows(
            call.portal.world.db,
            f"SELECT * FROM bitrix24_link WHERE FROM_TYPE = ? AND {own} = ? ORDER BY SORT",
            [kept_under, row["ID"]],
        )
        return Answer(
            [
                {
                    f"{other}_ID": link[theirs],
                    "SORT": link["SORT"],
                    "ROLE_ID": 0,
                    "IS_PRIMARY": link["IS_PRIMARY"],
                }
                for link in found
            ]
        )

    return method


def methods() -> Mapping[str, Method]:
    """The old dialect's methods by lower-case name."""
    table: dict[str, Method] = {}
    kinds = {"get": _get, "list": _list, "add": _add, "update": _update, "delete": _delete, "fields": _fields}
    for entity in ENTITIES:
        for name, make in kinds.items():
            table[f"crm.{entity.key}.{name}"] = make(entity)
        if entity.key in {"deal", "lead"}:
            table[f"crm.{entity.key}.contact.items.get"] = _links(entity, "CONTACT")
        elif entity.key == "contact":
            table["crm.contact.company.items.get"] = _links(entity, "COMPANY")
        else:
            table["crm.company.contact.items.get"] = _links(entity, "CONTACT", backwards=True)
    return table
