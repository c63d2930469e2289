"""``/leads``, ``/contacts``, ``/companies``: lists, single records, writing, links, ``/leads/complex``."""

# ruff: noqa: S608  # only names of our own tables are put into SQL text
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sandbox.vendors.amocrm.account import ADMINISTRATOR, INCOMING, MAIN
from sandbox.vendors.amocrm.context import Context, entity_of, request_id, sent_items, sent_json
from sandbox.vendors.amocrm.drafts import NO_CHOICE, Draft, Drafter, is_integer
from sandbox.vendors.amocrm.filters import Query, number, records_where
from sandbox.vendors.amocrm.hal import Problem, ValidationProblem, hal, nothing, page_of, self_link
from sandbox.vendors.amocrm.records import table
from sandbox.vendors.amocrm.registry import ENTITIES, EntityName
from sandbox.vendors.rows import rows

_MOST_COMPLEX = 50


class Entities:
    """The routes of records."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._records = context.records

    def _drafter(self, entity: EntityName) -> Drafter:
        return Drafter(self._context.registry, self._context.user_ids, entity)

    # -- reading

    async def read_page(self, request: Request) -> Response:
        """GET a page."""
        entity, query = entity_of(request), Query.of(request)
        where = records_where(entity, query, self._context.switches.get("api_filter_enabled", bool))
        allowed = ("id", "updated_at", "created_at") if entity == "leads" else ("id", "updated_at")
        found = rows(
            self._context.world.db,
            f"SELECT * FROM {table(entity)} WHERE {where.sql} ORDER BY {query.order(allowed, 'id')}"
            " LIMIT ? OFFSET ?",
            [*where.arguments, query.limit + 1, (query.page - 1) * query.limit],
        )
        shown = self._context.shower(request).show(entity, found[: query.limit], query.wanted)
        return page_of(request, entity, shown, query.page, query.limit, len(found) > query.limit)

    async def read(self, request: Request) -> Response:
        """GET one; 204 when it isn't there."""
        entity = entity_of(request)
        row = self._records.get(entity, request.path_params["id"])
        if row is None:
            return nothing()
        return hal(self._context.shower(request).show(entity, [row], Query.of(request).wanted)[0])

    # -- writing

    async def add(self, request: Request) -> Response:
        """POST an array: all items are written, or none."""
        entity = entity_of(request)
        items = await sent_items(request)
        drafter = self._drafter(entity)
        drafts = self._checked(items, [drafter.read(item) for item in items])
        with self._context.world.transaction():
            ids = [self._add(entity, draft) for draft in drafts]
        return self._written(request, entity, items, ids, {})

    async def change(self, request: Request) -> Response:
        """PATCH an array of items with ids."""
        entity = entity_of(request)
        items = await sent_items(request)
        ids = [self._known_id(entity, item) for item in items]
        drafter = self._drafter(entity)
        drafts = []
        for item, id_ in zip(items, ids, strict=True):
            before = self._records.get(entity, id_) if id_ else None
            draft = drafter.read(item, before)
            if before is None:
                draft.wrong("NotSupportedChoice", "id", NO_CHOICE)
            drafts.append(draft)
        self._checked(items, drafts)
        now = self._context.now()
        with self._context.world.transaction():
            for id_, draft in zip(ids, drafts, strict=True):
                self._change(entity, id_, draft, now)
        return self._written(request, entity, items, ids, {"updated_at": now})

    async def change_one(self, request: Request) -> Response:
        """PATCH one record with an object."""
        entity, id_ = entity_of(request), int(request.path_params["id"])
        item = await sent_json(request)
        before = self._records.get(entity, id_)
        if before is None:
            raise Problem(404, f"Cannot PATCH {request.url}")
        (draft,) = self._checked([item], [self._drafter(entity).read(item, before)])
        now = self._context.now()
        with self._context.world.transaction():
            self._change(entity, id_, draft, now)
        return hal({"id": id_, "updated_at": now, "_links": self_link(request, f"{entity}/{id_}")})

    def _checked(self, items: Sequence[object], drafts: Sequence[Draft]) -> Sequence[Draft]:
        """The drafts, if nothing is wrong with any of them and what they tie together exists."""
        for draft in drafts:
            ties: list[tuple[EntityName, list[int]]] = [
                ("contacts", [id_ for id_, _ in draft.contacts]),
                ("companies", draft.companies),
            ]
            for entity, ids in ties:
                for place, id_ in enumerate(ids):
                    if self._records.get(entity, id_) is None:
                        draft.wrong("NotSupportedChoice", f"_embedded.{entity}.{place}.id", NO_CHOICE)
        faults = {
            request_id(item, place): draft.faults
            for place, (item, draft) in enumerate(zip(items, drafts, strict=True))
            if draft.faults
        }
        if faults:
            raise ValidationProblem(faults)
        return drafts

    @staticmethod
    def _known_id(entity: EntityName, item: object) -> int:
        id_: Any = item.get("id") if isinstance(item, Mapping) else None
        return int(id_) if is_integer(id_) else 0

    def _add(self, entity: EntityName, draft: Draft) -> int:
        now = self._context.now()
        id_ = self._records.add(entity, draft.values, draft.custom, now, ADMINISTRATOR)
        self._follow(entity, id_, draft, now)
        return id_

    def _change(self, entity: EntityName, id_: int, draft: Draft, now: int) -> None:
        values = {name: value for name, value in draft.values.items() if name not in {"created_at", "updated_at"}}
        user = values.pop("updated_by", ADMINISTRATOR)
        self._records.update(entity, id_, values, draft.custom, now, user)
        self._follow(entity, id_, draft, now)

    def _follow(self, entity: EntityName, id_: int, draft: Draft, now: int) -> None:
        if draft.tags is not None:
            self._records.set_tags(entity, id_, draft.tags)
        if entity == "leads":
            for contact, is_main in draft.contacts:
                self._records.link(entity, id_, "contacts", contact, is_main, now, ADMINISTRATOR)
        if entity != "companies":
            for company in draft.companies:
                self._records.link(entity, id_, "companies", company, False, now, ADMINISTRATOR)

    def _written(
        self,
        request: Request,
        entity: EntityName,
        items: Sequence[object],
        ids: Sequence[int],
        more: Mapping[str, Any],
    ) -> Response:
        """The answer to writing: ids, and nothing of what was written."""
        listed = [
            {
                "id": id_,
                **more,
                "request_id": request_id(item, place),
                "_links": self_link(request, f"{entity}/{id_}"),
            }
            for place, (item, id_) in enumerate(zip(items, ids, strict=True))
        ]
        return hal({"_links": self_link(request, entity), "_embedded": {entity: listed}})

    async def complex(self, request: Request) -> Response:
        """POST leads with one contact and one company each; the account's duplicate control is applied."""
        items = await sent_items(request)
        if len(items) > _MOST_COMPLEX:
            raise Problem(422, f"Limit {_MOST_COMPLEX} per page")
        parts = [self._parts(item) for item in items]
        for item, drafts in zip(items, parts, strict=True):
            self._checked([item] * len(drafts), list(drafts.values()))
        with self._context.world.transaction():
            answers = [self._add_complex(drafts) for drafts in parts]
        return hal(
            [{**answer, "request_id": [request_id(items[place], place)]} for place, answer in enumerate(answers)]
        )

    def _parts(self, item: object) -> dict[EntityName, Draft]:
        embedded = item.get("_embedded") if isinstance(item, Mapping) else None
        embedded = embedded if isinstance(embedded, Mapping) else {}
        drafts: dict[EntityName, Draft] = {"leads": self._drafter("leads").read(item)}
        metadata = embedded.get("metadata")
        if isinstance(metadata, Mapping) and metadata.get("category") in {"forms", "sip"}:
            drafts["leads"].values |= {"pipeline_id": MAIN.id, "status_id": INCOMING}  # not accepted yet
        kinds: tuple[EntityName, ...] = ("contacts", "companies")
        for entity in kinds:
            listed = embedded.get(entity)
            if isinstance(listed, list) and listed and not (isinstance(listed[0], Mapping) and listed[0].get("id")):
                drafts[entity] = self._drafter(entity).read(listed[0])
        return drafts

    def _add_complex(self, drafts: Mapping[EntityName, Draft]) -> dict[str, Any]:
        lead = drafts["leads"]
        contact_id = lead.contacts[0][0] if lead.contacts else None
        company_id = lead.companies[0] if lead.companies else None
        merged = False
        if "companies" in drafts:
            company_id = self._add("companies", drafts["companies"])
            lead.companies = [company_id]
        if "contacts" in drafts:
            known = self._duplicate(drafts["contacts"])
            merged = known is not None
            contact_id = known or self._add("contacts", drafts["contacts"])
            lead.contacts = [(contact_id, True)]
        lead_id = self._add("leads", lead)
        return {"id": lead_id, "contact_id": contact_id, "company_id": company_id, "merged": merged}

    def _duplicate(self, contact: Draft) -> int | None:
        """A contact that is there already with one of the draft's phones."""
        field = self._context.registry.by_code("contacts", "PHONE")
        if field is None or not self._context.switches.get("duplicate_control", bool):
            return None
        for one in contact.custom.get(field.id, []):
            found = self._records.by_phone("contacts", str(one["value"]))
            if found:
                return found[0]
        return None

    # -- links

    async def links(self, request: Request) -> Response:
        """GET the links of one record, or of ``filter[entity_id][]``."""
        entity = entity_of(request)
        single = request.path_params.get("id")
        ids = [single] if single is not None else [number(one) for one in Query.of(request).listed("entity_id")]
        listed: list[dict[str, Any]] = []
        others: tuple[EntityName, ...] = ("contacts", "companies", "leads")
        for other in others:
            if other == entity or not ids:
                continue
            for id_, links in sorted(self._records.linked(entity, ids, other).items()):
                for link in links:
                    main = (
                        {"main_contact": bool(link["is_main"])}
                        if (entity, other) == ("leads", "contacts")
                        else None
                    )
                    own = {} if single is not None else {"entity_id": id_, "entity_type": entity}
                    listed.append({**own, "to_entity_id": link["to_id"], "to_entity_type": other, "metadata": main})
        path = request.url.path.partition("/api/v4/")[2]
        return hal(
            {"_total_items": len(listed), "_links": self_link(request, path), "_embedded": {"links": listed}}
        )

    async def link(self, request: Request) -> Response:
        """POST links: an array of {to_entity_id, to_entity_type, metadata{is_main}}."""
        entity, id_, wanted = await self._wanted_links(request)
        now = self._context.now()
        with self._context.world.transaction():
            for other, other_id, is_main in wanted:
                if entity == "companies" or (entity == "contacts" and other == "leads"):
                    self._records.link(other, other_id, entity, id_, is_main, now, ADMINISTRATOR)
                else:
                    self._records.link(entity, id_, other, other_id, is_main, now, ADMINISTRATOR)
        return await self.links(request)

    async def unlink(self, request: Request) -> Response:
        """POST unlinks; answers 204."""
        entity, id_, wanted = await self._wanted_links(request)
        now = self._context.now()
        with self._context.world.transaction():
            for other, other_id, _ in wanted:
                self._records.unlink(entity, id_, other, other_id, now, ADMINISTRATOR)
                self._records.unlink(other, other_id, entity, id_, now, ADMINISTRATOR)
        return nothing()

    async def _wanted_links(self, request: Request) -> tuple[EntityName, int, list[tuple[EntityName, int, bool]]]:
        entity, id_ = entity_of(request), int(request.path_params["id"])
        if self._records.get(entity, id_) is None:
            raise Problem(404, f"Cannot POST {request.url}")
        wanted: list[tuple[EntityName, int, bool]] = []
        for place, item in enumerate(await sent_items(request)):
            link = item if isinstance(item, Mapping) else {}
            other, other_id = _entity_named(link.get("to_entity_type")), link.get("to_entity_id")
            if other is None or not is_integer(other_id) or self._records.get(other, int(other_id or 0)) is None:
                fault = ("NotSupportedChoice", "to_entity_id", NO_CHOICE)
                raise ValidationProblem({str(place): [fault]})
            metadata = link.get("metadata")
            is_main = isinstance(metadata, Mapping) and bool(metadata.get("is_main"))
            wanted.append((other, int(other_id or 0), is_main))
        return entity, id_, wanted


def _entity_named(name: object) -> EntityName | None:
    return next((entity for entity in ENTITIES if entity == name), None)
