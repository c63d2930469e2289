"""Comments and tasks on cards that are there already. The numbers in brackets are facts in BEHAVIOR.md.

Neither has a field for a key of ours: the same words on the same card are the same comment [26], or task [27].
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from connectors.amocrm.settings import AmoCrmSettings
from connectors.contract import Command, Lookup, Standing, VendorRequest, VendorResponse, Write
from connectors.errors import VendorChanged, WriteRejected
from schema.enums import RecordKind

_CARDS = {"deal": "leads", "contact": "contacts", "company": "companies"}
_LARGEST_PAGE = 250


class _Row(msgspec.Struct):
    id: int
    text: str | None = None
    params: dict[str, Any] | list[Any] | None = None


class _Rows(msgspec.Struct):
    notes: list[_Row] = msgspec.field(default_factory=list)
    tasks: list[_Row] = msgspec.field(default_factory=list)


class _Page(msgspec.Struct):
    embedded: _Rows = msgspec.field(name="_embedded", default_factory=_Rows)


def _owner(command: Command) -> tuple[str, str]:
    """The list that the card stands in, and its id."""
    for kind, path in _CARDS.items():
        if command.values.get(kind):
            return path, str(command.values[kind])
    raise WriteRejected("A comment or task needs the deal, contact or company that it belongs to.")


def _comment(_settings: AmoCrmSettings, command: Command) -> VendorRequest:
    path, id = _owner(command)
    note = {"note_type": "common", "params": {"text": command.values["text"]}, "request_id": command.key}
    return VendorRequest(f"/api/v4/{path}/{id}/notes", "POST", json=[note])


def _ask_comments(_settings: AmoCrmSettings, command: Command) -> VendorRequest:
    path, id = _owner(command)
    return VendorRequest(f"/api/v4/{path}/{id}/notes", query={"limit": _LARGEST_PAGE, "order[id]": "desc"})


def _task(_settings: AmoCrmSettings, command: Command) -> VendorRequest:
    path, id = _owner(command)
    task: dict[str, Any] = {
        "text": _words(command.values),
        "complete_till": int(datetime.fromisoformat(command.values["due_at"]).timestamp()),
        "entity_id": int(id),
        "entity_type": path,
        "request_id": command.key,
    }
    if command.values.get("responsible"):
        task["responsible_user_id"] = int(command.values["responsible"])
    return VendorRequest("/api/v4/tasks", "POST", json=[task])


def _ask_tasks(_settings: AmoCrmSettings, command: Command) -> VendorRequest:
    path, id = _owner(command)
    query: dict[str, str | int] = {"filter[entity_type]": path, "filter[entity_id][]": id, "limit": _LARGEST_PAGE}
    return VendorRequest("/api/v4/tasks", query=query)


def _words(values: Mapping[str, Any]) -> str:
    return ". ".join(str(values[name]) for name in ("title", "text") if values.get(name))


def _rows(response: VendorResponse, kind: str) -> list[_Row]:
    if response.status == 204:
        return []
    try:
        embedded = msgspec.json.decode(response.content, type=_Page).embedded
    except msgspec.MsgspecError:
        raise VendorChanged("amoCRM answered in a shape that isn't known.") from None
    return embedded.notes if kind == "notes" else embedded.tasks


def _same(kind: str) -> Callable[[AmoCrmSettings, Command, VendorResponse], Standing | None]:
    def found(_settings: AmoCrmSettings, command: Command, response: VendorResponse) -> Standing | None:
        wanted = " ".join(_words(command.values).split())
        for row in _rows(response, kind):
            told = row.params.get("text") if isinstance(row.params, dict) else row.text
            if " ".join(str(told or "").split()) == wanted:
                return Standing(str(row.id), f"the same of its {kind}", dict(command.values))
        return None

    return found


def _made(kind: str) -> Callable[[AmoCrmSettings, Command, VendorResponse], str]:
    def result(_settings: AmoCrmSettings, _command: Command, response: VendorResponse) -> str:
        made = _rows(response, kind)
        if not made:
            raise VendorChanged("amoCRM took a note or task and did not tell its id.")
        return str(made[0].id)

    return result


FOLLOW_UPS: tuple[Write[AmoCrmSettings], ...] = (
    Write(
        name="comment.create",
        title="Comment a deal, contact or company",
        entity=RecordKind.NOTE,
        operation="create",
        idempotency="marker",
        fields=(*_CARDS, "text"),
        request=_comment,
        result=_made("notes"),
        by_marker=Lookup(_ask_comments, _same("notes")),
    ),
    Write(
        name="task.create",
        title="Make a task on a deal, contact or company",
        entity=RecordKind.TASK,
        operation="create",
        idempotency="marker",
        fields=(*_CARDS, "title", "text", "due_at", "responsible"),
        request=_task,
        result=_made("tasks"),
        by_marker=Lookup(_ask_tasks, _same("tasks")),
    ),
)
