"""Callers' ``fields`` turned into stored values, in either dialect. Unknown keys are ignored in silence."""

# ruff: noqa: S608  # only names of our own tables and columns are put into SQL text
from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.vendors import php
from sandbox.vendors.bitrix24 import portal
from sandbox.vendors.bitrix24.errors import RestError
from sandbox.vendors.bitrix24.fields import MULTIFIELDS, Entity, Field
from sandbox.vendors.bitrix24.method import Call
from sandbox.vendors.bitrix24.values import BadValueError, Stored, read

_EMAIL = re.compile(r"^[^@\s]+@[^@\s]+\.[^@\s]+$")


@dataclass(slots=True)
class Draft:
    """What a caller wants written."""

    values: dict[str, Stored] = field(default_factory=dict)
    multifields: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    linked: list[int] | None = None  # the whole many-to-many list, if sent


def old_draft(entity: Entity, fields: Any) -> Draft:
    """The draft of UPPER_SNAKE fields, e.g. ``{"TITLE": …, "PHONE": [{"VALUE": …}]}``."""
    draft = _draft(entity, fields, entity.by_code, f"{(entity.other_name or '').upper()}_IDS")
    if entity.has_multifields:
        for kind in MULTIFIELDS:
            listed = php.values(dict(php.items(fields)).get(kind))
            draft.multifields += [(kind, one) for one in listed if isinstance(one, Mapping)]
    return draft


def new_draft(entity: Entity, fields: Any) -> Draft:
    """The draft of camelCase fields; multifields stand in ``fm`` as ``{typeId, valueType, value}``."""
    draft = _draft(entity, fields, entity.by_name, f"{entity.other_name or ''}Ids")
    if entity.has_multifields:
        for one in php.values(dict(php.items(fields)).get("fm")):
            if isinstance(one, Mapping) and one.get("typeId") in MULTIFIELDS:
                old_names = {"ID": "id", "VALUE": "value", "VALUE_TYPE": "valueType", "DELETE": "delete"}
                entry = {old: one[new] for old, new in old_names.items() if new in one}
                draft.multifields.append((str(one["typeId"]), entry))
    return draft


def _draft(entity: Entity, fields: Any, known: Mapping[str, Field], list_name: str) -> Draft:
    draft = Draft()
    for name, raw in php.items(fields):
        one = known.get(name)
        if one is not None and not one.read_only:
            try:
                draft.values[one.code] = read(one, raw)
            except BadValueError as error:
                raise RestError(400, "CRM_FIELD_ERROR_VALUE_NOT_VALID", str(error)) from error
        elif name == list_name:
            draft.linked = [int(str(one)) for one in php.values(raw) if str(one).isdigit()]
    stage = draft.values.get(entity.stage_code) if entity.stage_code else None
    if stage is not None and stage not in portal.stages(entity):
        raise RestError(400, "CRM_FIELD_ERROR_VALUE_NOT_VALID", f"There is no stage '{stage}'.")
    return draft


def check_multifields(draft: Draft) -> None:
    """Refuse a bad e-mail as the portal does, before anything is written."""
    for kind, one in draft.multifields:
        value = str(one.get("VALUE") or "")
        if kind == "EMAIL" and value and not _EMAIL.match(value):
            raise RestError(400, "ERROR_CORE", "Неверный формат электронной почты")


def write_rest(call: Call, entity: Entity, id_: int, draft: Draft) -> None:
    """Write what stands outside the record's own row: its multifields and its many-to-many list.

    A multifield without ID is appended, one with ID is changed, one with DELETE=Y or without a value removed.
    """
    records = call.portal.records
    for kind, one in draft.multifields:
        value, value_type = str(one.get("VALUE") or ""), str(one.get("VALUE_TYPE") or "WORK")
        own_id = str(one.get("ID") or "")
        if own_id.isdigit() and int(own_id):
            if one.get("DELETE") == "Y" or not value:
                records.remove_multifield(entity, id_, int(own_id))
            else:
                records.change_multifield(entity, id_, int(own_id), value, value_type)
        elif value:
            records.add_multifield(entity, id_, kind, value, value_type)
    if draft.multifields:
        records.note_multifields(entity, id_)
    if draft.linked is not None:
        records.link(entity, id_, draft.linked)
        call.portal.world.db.execute(
            f"UPDATE {entity.table} SET {(entity.other_name or '').upper()}_ID = ? WHERE ID = ?",
            (draft.linked[0] if draft.linked else None, id_),
        )
