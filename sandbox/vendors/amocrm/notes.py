"""Notes, and calls, which are notes of type call_in and call_out.

A call finds its place by the last ten digits of the phone: one active lead of that client takes it,
with several or none the contact or company does, and a stranger's call is refused.
"""

# ruff: noqa: S608  # only conditions made of our own names are put into SQL text
from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sandbox.vendors.amocrm.account import ADMINISTRATOR, LOST, WON
from sandbox.vendors.amocrm.context import Context, entity_of, request_id, sent_items
from sandbox.vendors.amocrm.drafts import NO_CHOICE, is_integer
from sandbox.vendors.amocrm.filters import Query, Where
from sandbox.vendors.amocrm.hal import ValidationProblem, hal, page_of, self_link
from sandbox.vendors.amocrm.records import Records
from sandbox.vendors.amocrm.registry import EntityName
from sandbox.vendors.rows import Row, rows

_CALL_PARAMS = ("uniq", "duration", "source", "link", "phone", "call_result", "call_status", "call_responsible")
_NEEDED = ("direction", "duration", "source", "phone")
_INTEGERS = ("duration", "created_by", "responsible_user_id", "created_at")
_STATUSES = range(1, 9)


def place_of_call(records: Records, phone: str) -> tuple[EntityName, int] | None:
    """The record that takes a call from or to this phone, or None."""
    kinds: tuple[EntityName, ...] = ("contacts", "companies")
    for entity in kinds:
        found = records.by_phone(entity, phone)
        if not found:
            continue
        linked = records.linked(entity, found, "leads")
        leads = {link["to_id"] for links in linked.values() for link in links}
        active = [
            id_ for id_ in leads if (row := records.get("leads", id_)) and row["status_id"] not in {WON, LOST}
        ]
        return ("leads", active[0]) if len(active) == 1 else (entity, found[0])
    return None


class Notes:
    """The routes of notes and calls."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._records = context.records

    async def read_page(self, request: Request) -> Response:
        """GET notes of all records of a kind, or of one."""
        entity, query = entity_of(request), Query.of(request)
        where = Where()
        where.add("entity = ?", entity)
        if "id" in request.path_params:
            where.add("entity_id = ?", request.path_params["id"])
        for name in ("id", "entity_id", "note_type"):
            if name in query.filter:
                where.among(name, query.listed(name))
        if "updated_at" in query.filter:
            where.within("updated_at", query.filter["updated_at"])
        found = rows(
            self._context.world.db,
            f"SELECT * FROM amocrm_note WHERE {where.sql} ORDER BY {query.order(('id', 'updated_at'), 'id')}"
            " LIMIT ? OFFSET ?",
            [*where.arguments, query.limit + 1, (query.page - 1) * query.limit],
        )
        shown = [self._shown(request, entity, row) for row in found[: query.limit]]
        return page_of(request, "notes", shown, query.page, query.limit, len(found) > query.limit)

    def _shown(self, request: Request, entity: EntityName, row: Row) -> dict[str, Any]:
        return {
            "id": row["id"],
            "entity_id": row["entity_id"],
            "created_by": row["created_by"],
            "updated_by": row["created_by"],
            "created_at": row["created_at"],
            "updated_at": row["updated_at"],
            "responsible_user_id": row["responsible_user_id"],
            "group_id": 0,
            "note_type": row["note_type"],
            "params": json.loads(row["params"]),
            "account_id": self._context.account_id,
            "_links": self_link(request, f"{entity}/{row['entity_id']}/notes/{row['id']}"),
        }

    async def add(self, request: Request) -> Response:
        """POST notes: an array of {entity_id, note_type, params}."""
        entity = entity_of(request)
        items = await sent_items(request)
        faults = {}
        for place, item in enumerate(items):
            note = item if isinstance(item, Mapping) else {}
            owner = note.get("entity_id", request.path_params.get("id"))
            if not is_integer(owner) or self._records.get(entity, owner) is None:
                faults[request_id(item, place)] = [("NotSupportedChoice", "entity_id", NO_CHOICE)]
            elif not all(is_integer(note.get(name, 0)) for name in ("created_by", "responsible_user_id")):
                detail = "This value should be of type int."
                faults[request_id(item, place)] = [("InvalidType", "created_by", detail)]
            elif not isinstance(note.get("params"), Mapping) or not note.get("note_type"):
                faults[request_id(item, place)] = [("FieldMissing", "params", "This field is missing.")]
        if faults:
            raise ValidationProblem(faults)
        listed = []
        now = self._context.now()
        with self._context.world.transaction():
            for place, item in enumerate(items):
                note = item if isinstance(item, Mapping) else {}
                owner = int(note.get("entity_id", request.path_params.get("id")))
                user = int(note.get("created_by", ADMINISTRATOR))
                responsible = int(note.get("responsible_user_id", user))
                kind, params = str(note["note_type"]), note["params"]
                id_ = self._records.add_note(entity, owner, kind, params, now, user, responsible)
                links = self_link(request, f"{entity}/{owner}/notes/{id_}")
                listed.append(
                    {"id": id_, "entity_id": owner, "request_id": request_id(item, place), "_links": links}
                )
        return hal({"_links": self_link(request, f"{entity}/notes"), "_embedded": {"notes": listed}})

    async def add_calls(self, request: Request) -> Response:
        """POST calls. A call that finds nobody is named in ``errors``, with HTTP 200."""
        items = await sent_items(request)
        faults = {
            request_id(item, place): found for place, item in enumerate(items) if (found := _call_faults(item))
        }
        if faults:
            raise ValidationProblem(faults)
        errors: list[dict[str, Any]] = []
        calls: list[dict[str, Any]] = []
        with self._context.world.transaction():
            for place, item in enumerate(items):
                call = item if isinstance(item, Mapping) else {}
                where = place_of_call(self._records, str(call["phone"]))
                if where is None:
                    errors.append(
                        {
                            "status": 263,
                            "title": "Entity not found",
                            "detail": f"Entity not found by phone {call['phone']}",
                            "request_id": request_id(item, place),
                        }
                    )
                else:
                    calls.append(self._add_call(request, call, *where) | {"request_id": request_id(item, place)})
        return hal({"_total_items": len(calls), "errors": errors, "_embedded": {"calls": calls}})

    def _add_call(self, request: Request, call: Mapping[str, Any], entity: EntityName, id_: int) -> dict[str, Any]:
        user = int(call.get("created_by", ADMINISTRATOR))
        now = int(call.get("created_at", self._context.now()))
        params = {name: call.get(name) for name in _CALL_PARAMS if name in call}
        kind = "call_in" if call["direction"] == "inbound" else "call_out"
        responsible = int(call.get("responsible_user_id", user))
        note = self._records.add_note(entity, id_, kind, params, now, user, responsible)
        link = {"id": id_, "_links": self_link(request, f"{entity}/{id_}")}
        singular = {"leads": "lead", "contacts": "contact", "companies": "company"}[entity]
        return {
            "id": note,
            "entity_id": id_,
            "entity_type": singular,
            "account_id": self._context.account_id,
            "_embedded": {"entity": link},
        }


def _call_faults(item: object) -> list[tuple[str, str, str]]:
    call = item if isinstance(item, Mapping) else {}
    found = [("FieldMissing", name, "This field is missing.") for name in _NEEDED if call.get(name) is None]
    if call.get("direction") not in (None, "inbound", "outbound"):
        found.append(("NotSupportedChoice", "direction", NO_CHOICE))
    found += [
        ("InvalidType", name, "This value should be of type int.")
        for name in _INTEGERS
        if not is_integer(call.get(name, 0))
    ]
    if call.get("call_status") is not None and call["call_status"] not in _STATUSES:
        found.append(("NotSupportedChoice", "call_status", NO_CHOICE))
    return found
