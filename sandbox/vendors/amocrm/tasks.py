"""``/tasks``: what people of the account are asked to do, with a card each."""

# ruff: noqa: S608  # only names of our own tables are put into SQL text
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sandbox.vendors.amocrm.account import ADMINISTRATOR
from sandbox.vendors.amocrm.context import Context, request_id, sent_items
from sandbox.vendors.amocrm.drafts import NO_CHOICE, is_integer
from sandbox.vendors.amocrm.filters import Query, Where
from sandbox.vendors.amocrm.hal import ValidationProblem, hal, page_of, self_link
from sandbox.vendors.amocrm.registry import ENTITIES
from sandbox.vendors.rows import rows


class Tasks:
    """The routes of tasks."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def read_page(self, request: Request) -> Response:
        """GET a page."""
        query, where = Query.of(request), Where()
        where.add("1")
        for name in ("id", "entity_id", "entity_type", "responsible_user_id"):
            if name in query.filter:
                where.among(name, query.listed(name) or [query.filter[name]])
        found = rows(
            self._context.world.db,
            f"SELECT * FROM amocrm_task WHERE {where.sql} ORDER BY id LIMIT ? OFFSET ?",
            [*where.arguments, query.limit + 1, (query.page - 1) * query.limit],
        )
        shown = [
            {
                **row,
                "is_completed": bool(row["is_completed"]),
                "task_type_id": 1,
                "result": [],
                "account_id": self._context.account_id,
                "_links": self_link(request, f"tasks/{row['id']}"),
            }
            for row in found[: query.limit]
        ]
        return page_of(request, "tasks", shown, query.page, query.limit, len(found) > query.limit)

    async def add(self, request: Request) -> Response:
        """POST tasks: an array of {text, complete_till, entity_id, entity_type}."""
        items = await sent_items(request)
        faults = {
            request_id(item, place): found for place, item in enumerate(items) if (found := self._faults(item))
        }
        if faults:
            raise ValidationProblem(faults)
        listed = []
        now = self._context.now()
        with self._context.world.transaction() as db:
            for place, item in enumerate(items):
                task = item if isinstance(item, Mapping) else {}
                cursor = db.execute(
                    "INSERT INTO amocrm_task (entity_type, entity_id, text, complete_till, responsible_user_id,"
                    " created_at) VALUES (?, ?, ?, ?, ?, ?)",
                    (
                        task.get("entity_type"),
                        task.get("entity_id"),
                        task["text"],
                        task["complete_till"],
                        task.get("responsible_user_id", ADMINISTRATOR),
                        now,
                    ),
                )
                links = self_link(request, f"tasks/{cursor.lastrowid}")
                listed.append({"id": cursor.lastrowid, "request_id": request_id(item, place), "_links": links})
        return hal({"_links": self_link(request, "tasks"), "_embedded": {"tasks": listed}})

    def _faults(self, item: object) -> list[tuple[str, str, str]]:
        task: Mapping[str, Any] = item if isinstance(item, Mapping) else {}
        found = []
        if not isinstance(task.get("text"), str) or not task["text"]:
            found.append(("FieldMissing", "text", "This field is missing."))
        if not is_integer(task.get("complete_till")):
            found.append(("InvalidType", "complete_till", "This value should be of type int."))
        entity = next((one for one in ENTITIES if one == task.get("entity_type")), None)
        owner = task.get("entity_id")
        if owner is not None and (
            entity is None or not is_integer(owner) or self._context.records.get(entity, int(owner)) is None
        ):
            found.append(("NotSupportedChoice", "entity_id", NO_CHOICE))
        if task.get("responsible_user_id", ADMINISTRATOR) not in self._context.user_ids:
            found.append(("NotSupportedChoice", "responsible_user_id", NO_CHOICE))
        return found
