"""The account itself, its users, pipelines, fields, tags and reasons for losing; the log of events."""

# ruff: noqa: S608  # only conditions made of our own names are put into SQL text
from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sandbox.vendors import php
from sandbox.vendors.amocrm.account import PIPELINES, Pipeline, account_json, user_json, users
from sandbox.vendors.amocrm.context import Context, entity_of, request_id, sent_items, sent_json
from sandbox.vendors.amocrm.drafts import NO_CHOICE
from sandbox.vendors.amocrm.filters import Query, Where, number
from sandbox.vendors.amocrm.hal import Problem, ValidationProblem, hal, nothing, page_of, self_link, whole
from sandbox.vendors.amocrm.registry import TYPES_OF_NEW_FIELDS, CustomField, EntityName
from sandbox.vendors.amocrm.showing import loss_reason
from sandbox.vendors.rows import Row, rows

_MOST_EVENTS = 100
_MOST_NAMED = 10  # entity ids and authors that one request may name
_PLURAL = {"lead": "leads", "contact": "contacts", "company": "companies"}


class References:
    """The routes that tell of the account."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def account(self, request: Request) -> Response:
        """GET /account."""
        enabled = self._context.switches.get("api_filter_enabled", bool)
        body = account_json(self._context.world, enabled, list(Query.of(request).wanted))
        return hal(body | {"_links": self_link(request, "account")})

    async def users(self, request: Request) -> Response:
        """GET /users, or one of them."""
        wanted = request.path_params.get("id")
        listed = [
            user_json(user) | {"_links": self_link(request, f"users/{user.id}")}
            for user in users(self._context.world)
            if wanted in {None, user.id}
        ]
        if wanted is not None:
            return hal(listed[0]) if listed else nothing()
        query = Query.of(request)
        part = listed[(query.page - 1) * query.limit : query.page * query.limit]
        if not part:
            return nothing()
        pages = -(-len(listed) // query.limit)
        body = whole(request, "users", part) | {
            "_total_items": len(listed),
            "_page": query.page,
            "_page_count": pages,
        }
        return hal(body)

    async def pipelines(self, request: Request) -> Response:
        """GET /leads/pipelines, or one of them."""
        wanted = request.path_params.get("id")
        if wanted is None:
            listed = [self._pipeline(request, one) for one in PIPELINES.values()]
            return hal(whole(request, "pipelines", listed))
        pipeline = PIPELINES.get(wanted)
        return nothing() if pipeline is None else hal(self._pipeline(request, pipeline))

    def _pipeline(self, request: Request, one: Pipeline) -> dict[str, Any]:
        path = f"leads/pipelines/{one.id}"
        return {
            "id": one.id,
            "name": one.name,
            "sort": one.sort,
            "is_main": one.is_main,
            "is_unsorted_on": True,
            "is_archive": False,
            "account_id": self._context.account_id,
            "_links": self_link(request, path),
            "_embedded": {
                "statuses": [
                    {
                        "id": status.id,
                        "name": status.name,
                        "sort": status.sort,
                        "is_editable": status.is_editable,
                        "pipeline_id": one.id,
                        "color": status.color,
                        "type": status.type,
                        "account_id": self._context.account_id,
                        "_links": self_link(request, f"{path}/statuses/{status.id}"),
                    }
                    for status in one.statuses
                ]
            },
        }

    async def loss_reasons(self, request: Request) -> Response:
        """GET /leads/loss_reasons."""
        found = rows(self._context.world.db, "SELECT * FROM amocrm_loss_reason ORDER BY id")
        listed = [loss_reason(request, row) for row in found]
        return hal(whole(request, "loss_reasons", listed)) if listed else nothing()

    async def tags(self, request: Request) -> Response:
        """GET /{entity}/tags."""
        entity, query = entity_of(request), Query.of(request)
        found = rows(
            self._context.world.db,
            "SELECT id, name FROM amocrm_tag WHERE entity = ? ORDER BY id LIMIT ? OFFSET ?",
            [entity, query.limit + 1, (query.page - 1) * query.limit],
        )
        listed = [{**row, "color": None} for row in found[: query.limit]]
        return page_of(request, "tags", listed, query.page, query.limit, len(found) > query.limit)

    async def custom_fields(self, request: Request) -> Response:
        """GET /{entity}/custom_fields: pages with totals."""
        entity, query = entity_of(request), Query.of(request)
        fields = self._context.registry.of(entity)
        part = fields[(query.page - 1) * query.limit : query.page * query.limit]
        if not part:
            return nothing()
        listed = [
            field.json(self._context.account_id)
            | {"_links": self_link(request, f"{entity}/custom_fields/{field.id}")}
            for field in part
        ]
        last = -(-len(fields) // query.limit)
        body = whole(request, "custom_fields", listed)
        body |= {"_total_items": len(fields), "_page": query.page, "_page_count": last}
        for name, page in (("next", query.page + 1), ("last", last)):
            if page <= last:
                address = f"{body['_links']['self']['href']}?page={page}&limit={query.limit}"
                body["_links"][name] = {"href": address}
        return hal(body)

    async def add_custom_fields(self, request: Request) -> Response:
        """POST /{entity}/custom_fields: an array of {name, type, code?}."""
        entity = entity_of(request)
        items = await sent_items(request)
        for place, item in enumerate(items):
            if not self._can_be_made(entity, item):
                raise ValidationProblem({request_id(item, place): [("NotSupportedChoice", "type", NO_CHOICE)]})
        listed = []
        with self._context.world.transaction():
            for place, item in enumerate(items):
                sent: Mapping[str, Any] = item if isinstance(item, Mapping) else {}
                field = self._context.registry.add(entity, sent["name"], sent["type"], sent.get("code"))
                links = self_link(request, f"{entity}/custom_fields/{field.id}")
                shown = field.json(self._context.account_id)
                listed.append(shown | {"request_id": request_id(item, place), "_links": links})
        return hal(whole(request, "custom_fields", listed))

    async def rename_custom_field(self, request: Request) -> Response:
        """PATCH /{entity}/custom_fields/{id}: a new name; the vendor changes no types."""
        field = self._custom_field(request)
        body = await sent_json(request)
        name = body.get("name") if isinstance(body, Mapping) else None
        if not isinstance(name, str):
            raise ValidationProblem({"0": [("FieldMissing", "name", "This field is missing.")]})
        with self._context.world.transaction():
            renamed = self._context.registry.rename(field.id, name)
        links = self_link(request, f"{field.entity}/custom_fields/{field.id}")
        return hal(renamed.json(self._context.account_id) | {"_links": links})

    async def remove_custom_field(self, request: Request) -> Response:
        """DELETE /{entity}/custom_fields/{id}."""
        field = self._custom_field(request)
        if field.predefined:
            raise Problem(400, "A predefined field can't be removed.")
        with self._context.world.transaction():
            self._context.registry.remove(field.id)
        return nothing()

    def _custom_field(self, request: Request) -> CustomField:
        field = self._context.registry.all().get(request.path_params["id"])
        if field is None or field.entity != entity_of(request):
            raise Problem(404, "Not found")
        return field

    def _can_be_made(self, entity: EntityName, item: object) -> bool:
        sent: Mapping[str, Any] = item if isinstance(item, Mapping) else {}
        code = sent.get("code")
        taken = code is not None and self._context.registry.by_code(entity, str(code)) is not None
        if code is not None and not isinstance(code, str):
            return False
        return isinstance(sent.get("name"), str) and str(sent.get("type")) in TYPES_OF_NEW_FIELDS and not taken

    # -- the log of events

    async def events(self, request: Request) -> Response:
        """GET /events, the newest first; no more than 100 a page."""
        query = Query.of(request, most=_MOST_EVENTS)
        found = rows(
            self._context.world.db,
            f"SELECT * FROM amocrm_event WHERE {(where := _events_where(query)).sql} ORDER BY number DESC"
            " LIMIT ? OFFSET ?",
            [*where.arguments, query.limit + 1, (query.page - 1) * query.limit],
        )
        listed = [self._event(request, row) for row in found[: query.limit]]
        return page_of(request, "events", listed, query.page, query.limit, len(found) > query.limit)

    async def event(self, request: Request) -> Response:
        """GET one event."""
        found = rows(self._context.world.db, "SELECT * FROM amocrm_event WHERE id = ?", [request.path_params["id"]])
        return hal(self._event(request, found[0])) if found else nothing()

    def _event(self, request: Request, row: Row) -> dict[str, Any]:
        links = self_link(request, f"{_PLURAL[row['entity']]}/{row['entity_id']}")
        return {
            "id": row["id"],
            "type": row["type"],
            "entity_id": row["entity_id"],
            "entity_type": row["entity"],
            "created_by": row["created_by"],
            "created_at": row["created_at"],
            "value_after": json.loads(row["value_after"]),
            "value_before": json.loads(row["value_before"]),
            "account_id": self._context.account_id,
            "_links": self_link(request, f"events/{row['id']}"),
            "_embedded": {"entity": {"id": row["entity_id"], "_links": links}},
        }


def _events_where(query: Query) -> Where:
    where = Where()
    for name, column in (
        ("type", "type"),
        ("entity", "entity"),
        ("entity_id", "entity_id"),
        ("created_by", "created_by"),
    ):
        if name in query.filter:
            values = query.listed(name)
            if name in {"entity_id", "created_by"} and len(values) > _MOST_NAMED:
                detail = f"No more than {_MOST_NAMED} values are allowed."
                raise ValidationProblem({"0": [("TooMany", f"filter.{name}", detail)]})
            where.among(column, values)
    if "created_at" in query.filter:
        where.within("created_at", query.filter["created_at"])
    after = query.filter.get("value_after")
    if isinstance(after, Mapping):
        for status in php.values(after.get("leads_statuses")):
            for key, path in (("status_id", "id"), ("pipeline_id", "pipeline_id")):
                if isinstance(status, Mapping) and key in status:
                    where.add(f"json_extract(value_after, '$[0].lead_status.{path}') = ?", number(status[key]))
    return where
