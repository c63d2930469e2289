"""Comments and tasks on records that are there already. The numbers in brackets are facts in BEHAVIOR.md.

Neither has a field for a key of ours: the same words on the same record are the same comment, or task [33], [34].
"""

from __future__ import annotations

from typing import Any

import msgspec

from connectors.bitrix24.settings import Bitrix24Settings
from connectors.bitrix24.writing import Rows, decoded, made_id
from connectors.contract import Command, Lookup, Standing, VendorRequest, VendorResponse, Write
from connectors.errors import VendorChanged, WriteRejected
from schema.enums import RecordKind

_TYPES = {"lead": 1, "deal": 2, "contact": 3, "company": 4}
_TODO = "CRM_TODO"


def _owner(command: Command) -> tuple[str, str]:
    """The kind and id of the record that is written to."""
    for kind in _TYPES:
        if command.values.get(kind):
            return kind, str(command.values[kind])
    raise WriteRejected("A comment or task needs the lead, deal, contact or company that it belongs to.")


def _comment(_settings: Bitrix24Settings, command: Command) -> VendorRequest:
    kind, id = _owner(command)
    fields = {"ENTITY_TYPE": kind, "ENTITY_ID": id, "COMMENT": command.values["text"]}
    return VendorRequest("crm.timeline.comment.add", "POST", json={"fields": fields})


def _ask_comments(_settings: Bitrix24Settings, command: Command) -> VendorRequest:
    kind, id = _owner(command)
    wanted = {"ENTITY_TYPE": kind, "ENTITY_ID": id}
    asked = {"filter": wanted, "order": {"ID": "DESC"}, "select": ["ID", "COMMENT"]}
    return VendorRequest("crm.timeline.comment.list", "POST", json=asked)


def _same_comment(_settings: Bitrix24Settings, command: Command, response: VendorResponse) -> Standing | None:
    for row in decoded(response, Rows).result:
        if _plain(row.get("COMMENT")) == _plain(command.values["text"]):
            return Standing(str(row["ID"]), "the same comment", {"text": command.values["text"]})
    return None


def _task(_settings: Bitrix24Settings, command: Command) -> VendorRequest:
    kind, id = _owner(command)
    values = command.values
    asked: dict[str, Any] = {
        "ownerTypeId": _TYPES[kind],
        "ownerId": id,
        "deadline": values["due_at"],
        "title": values["title"],
        "description": values.get("text") or "",
    }
    if values.get("responsible"):
        asked["responsibleId"] = values["responsible"]
    return VendorRequest("crm.activity.todo.add", "POST", json=asked)


class _Todo(msgspec.Struct):
    id: int | str


class _MadeTodo(msgspec.Struct):
    result: _Todo


def _task_id(_settings: Bitrix24Settings, _command: Command, response: VendorResponse) -> str:
    made = str(decoded(response, _MadeTodo).result.id)
    if not made.isdigit():
        raise VendorChanged("Bitrix24 made a task and did not tell its id.")
    return made


def _ask_tasks(_settings: Bitrix24Settings, command: Command) -> VendorRequest:
    kind, id = _owner(command)
    wanted = {"OWNER_TYPE_ID": _TYPES[kind], "OWNER_ID": id, "PROVIDER_ID": _TODO}
    asked = {"filter": wanted, "order": {"ID": "DESC"}, "select": ["ID", "SUBJECT", "DESCRIPTION"]}
    return VendorRequest("crm.activity.list", "POST", json=asked)


def _same_task(_settings: Bitrix24Settings, command: Command, response: VendorResponse) -> Standing | None:
    values = command.values
    wanted = (_plain(values["title"]), _plain(values.get("text")))
    for row in decoded(response, Rows).result:
        if (_plain(row.get("SUBJECT")), _plain(row.get("DESCRIPTION"))) == wanted:
            return Standing(str(row["ID"]), "the same task", dict(values))
    return None


def _plain(text: Any) -> str:
    return " ".join(str(text or "").split())


FOLLOW_UPS: tuple[Write[Bitrix24Settings], ...] = (
    Write(
        name="comment.create",
        title="Comment a lead, deal, contact or company",
        entity=RecordKind.NOTE,
        operation="create",
        idempotency="marker",
        fields=(*_TYPES, "text"),
        request=_comment,
        result=made_id,
        by_marker=Lookup(_ask_comments, _same_comment),
    ),
    Write(
        name="task.create",
        title="Make a task on a lead, deal, contact or company",
        entity=RecordKind.TASK,
        operation="create",
        idempotency="marker",
        fields=(*_TYPES, "title", "text", "due_at", "responsible"),
        request=_task,
        result=_task_id,
        by_marker=Lookup(_ask_tasks, _same_task),
    ),
)
