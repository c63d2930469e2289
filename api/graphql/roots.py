# ruff: noqa: S608 - the SQL is put together from declarations of ours; values are bound, never written in
"""The fields of `Query` that the planner answers, each with its SQL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from typing import Any
from uuid import UUID

import strawberry
from strawberry.types.field import StrawberryField

from api.graphql.build import Node, argument, field, list_of, optional
from api.graphql.errors import CallerError
from api.graphql.ids import parse_id
from api.graphql.plan import Details, Planner
from api.graphql.run import Expression, Prepare
from api.graphql.types import Types
from api.graphql.values import Viewer
from schema.enums import Role

LARGEST_NODES = 100
_NO_TYPE = ""


@dataclass(frozen=True, slots=True)
class Root:
    """A planned field: how it looks in the schema, and its SQL."""

    field: StrawberryField
    expression: Expression
    by_value: bool = False
    """Whether the SQL depends on the values of the arguments."""
    roles: frozenset[Role] | None = None
    """The roles that may ask; None: all."""
    of_source: Callable[[Any], UUID | list[UUID] | None] | None = None
    """For a field below a mutation: the uuid of the row, out of what the mutation returned."""
    prepare: Prepare | None = None
    """What must be computed before the SQL is made; the expression gets it as its source."""


def by_id(types: Types, name: str, type_name: str, description: str) -> Root:
    """A row by its global id, or null."""
    entity = types.entities[type_name]
    made = field(
        name,
        optional(types[type_name]),
        description,
        [argument("id", strawberry.ID, f"Global id of the {type_name}.")],
    )

    def expression(planner: Planner, parent: str, details: Details, _source: Any) -> str:
        wanted = planner.arguments(parent, details)["id"]
        return planner.by_id(entity, details, planner.bind(wanted, "uuid", partial(_uuid_of, type_name)))

    return Root(made, expression)


def page_of(
    types: Types, name: str, type_name: str, description: str, roles: frozenset[Role] | None = None
) -> Root:
    """A connection over all rows of the workspace."""
    entity = types.entities[type_name]
    made = field(
        name,
        optional(types.connection(type_name)),
        description,
        types.connection_arguments(entity),
    )

    def expression(planner: Planner, parent: str, details: Details, _source: Any) -> str:
        return planner.connection(entity, parent, details)

    return Root(made, expression, roles=roles)


def own_workspace(types: Types) -> Root:
    entity = types.entities["Workspace"]
    made = field("workspace", optional(types["Workspace"]), "The workspace that the token belongs to.")

    def expression(planner: Planner, _parent: str, details: Details, _source: Any) -> str:
        return planner.by_id(entity, details, "%(workspace)s::uuid")

    return Root(made, expression)


def node(types: Types) -> Root:
    made = field(
        "node",
        optional(Node),
        "The object with that global id, of whatever type; null if there is none.",
        [argument("id", strawberry.ID, "A global id.")],
    )

    def expression(planner: Planner, parent: str, details: Details, _source: Any) -> str:
        wanted = planner.arguments(parent, details)["id"]
        return planner.choice(
            _node_names(types),
            details,
            planner.bind(wanted, "text", _type_name),
            planner.bind(wanted, "uuid", _any_uuid),
        )

    return Root(made, expression)


def nodes(types: Types) -> Root:
    made = field(
        "nodes",
        list_of(optional(Node)),
        f"The objects with those global ids, in their order, null where there is none; {LARGEST_NODES} at most.",
        [argument("ids", list_of(strawberry.ID), "Global ids.")],
    )

    def expression(planner: Planner, parent: str, details: Details, _source: Any) -> str:
        wanted = planner.arguments(parent, details)["ids"]
        if isinstance(wanted, list) and not all(isinstance(each, str) for each in wanted):
            raise CallerError("Give ids either as one variable or as literals, not mixed.")
        kinds = planner.bind(wanted, "text[]", _type_names)
        ids = planner.bind(wanted, "uuid[]", _any_uuids)
        row = planner.alias()
        found = planner.choice(_node_names(types), details, f"{row}.kind", f"{row}.id")
        return (
            f"(select coalesce(json_agg({found} order by {row}.i), '[]'::json) "
            f"from unnest({kinds}, {ids}) with ordinality {row}(kind, id, i))"
        )

    return Root(made, expression)


def payload(types: Types, name: str, type_name: str, description: str) -> Root:
    """The row that a mutation has written; the mutation returned its uuid under the same name."""
    entity = types.entities[type_name]
    made = field(name, optional(types[type_name]), description)

    def expression(planner: Planner, _parent: str, details: Details, _source: Any) -> str:
        return planner.by_id(entity, details, "%(source)s::uuid")

    return Root(made, expression, of_source=attrgetter(name))


def query_roots(types: Types) -> list[Root]:
    one, page = partial(by_id, types), partial(page_of, types)
    return [
        own_workspace(types),
        node(types),
        nodes(types),
        one("client", "Client", "The client with that id; of a merged client the one that it is part of now."),
        page("clients", "Client", "Clients, the ones with the newest records first."),
        one("contact", "Contact", "The contact with that id."),
        page("contacts", "Contact", "Cards of persons in the CRMs."),
        one("company", "Company", "The company with that id."),
        page("companies", "Company", "Cards of organisations in the CRMs."),
        one("deal", "Deal", "The deal with that id."),
        page("deals", "Deal", "Deals, newest first."),
        one("call", "Call", "The call with that id."),
        page("calls", "Call", "Calls, newest first."),
        one("lead", "Lead", "The lead with that id."),
        page("leads", "Lead", "Leads, newest first."),
        one("message", "Message", "The message with that id."),
        page("messages", "Message", "Letters, chats, SMS and meetings, newest first."),
        one("order", "Order", "The order with that id."),
        page("orders", "Order", "Orders, newest first."),
        page("orderItems", "OrderItem", "The lines of all orders, by article."),
        one("invoice", "Invoice", "The invoice or act with that id."),
        page("invoices", "Invoice", "Invoices and acts, newest first."),
        one("payment", "Payment", "The payment or refund with that id."),
        page("payments", "Payment", "Payments and refunds, newest first."),
        one("visit", "Visit", "The visit with that id."),
        page("visits", "Visit", "Visits, newest first."),
        one("campaign", "Campaign", "The campaign with that id."),
        page("campaigns", "Campaign", "Campaigns by name."),
        one("adGroup", "AdGroup", "The group of ads with that id."),
        page("adGroups", "AdGroup", "Groups of ads by name."),
        one("ad", "Ad", "The ad with that id."),
        page("ads", "Ad", "Ads by title."),
        one("keyword", "Keyword", "The keyword with that id."),
        page("keywords", "Keyword", "Keywords by their text."),
        page("adSpend", "AdSpend", "What campaigns cost by day, newest first, as believed now."),
        one("user", "User", "The employee with that id."),
        page("users", "User", "Employees, as the external systems know them."),
        page("assignments", "Assignment", "Who led which client when, newest first."),
        one("pipeline", "Pipeline", "The pipeline with that id."),
        page("pipelines", "Pipeline", "Pipelines that deals go through."),
        one("stage", "Stage", "The stage with that id."),
        page("stages", "Stage", "Stages of all pipelines."),
        page("stageChanges", "StageChange", "Deals coming to stages, newest first."),
        one("note", "Note", "The note with that id."),
        page("notes", "Note", "Notes about clients, newest first."),
        one("task", "Task", "The task with that id."),
        page("tasks", "Task", "What is to be done for clients, newest first."),
        one("connection", "ConnectedSystem", "The connection with that id."),
        page("connections", "ConnectedSystem", "Connected accounts, in the order in which they were connected."),
        one("syncRun", "SyncRun", "The sync with that id."),
        page("syncRuns", "SyncRun", "Syncs of all connections, newest first."),
        page("quarantine", "QuarantinedRecord", "Records that could not be understood, newest first."),
        page("tokens", "ApiToken", "Keys to this API, newest first; for owners.", frozenset({Role.OWNER})),
    ]


def _node_names(types: Types) -> Sequence[str]:
    return [name for name, entity in types.entities.items() if entity.node]


def _uuid_of(type_name: str, value: Any, _viewer: Viewer) -> Any:
    found = parse_id(str(value))
    return found[1] if found is not None and found[0] == type_name else None


def _any_uuid(value: Any, _viewer: Viewer) -> Any:
    found = parse_id(str(value))
    return found[1] if found is not None else None


def _type_name(value: Any, _viewer: Viewer) -> str:
    found = parse_id(str(value))
    return found[0] if found is not None else _NO_TYPE


def _any_uuids(values: Any, viewer: Viewer) -> list[Any]:
    if len(values) > LARGEST_NODES:
        raise CallerError(f"At most {LARGEST_NODES} ids at once, not {len(values)}.")
    return [_any_uuid(value, viewer) for value in values]


def _type_names(values: Any, viewer: Viewer) -> list[str]:
    return [_type_name(value, viewer) for value in values]
