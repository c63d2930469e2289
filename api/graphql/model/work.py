"""What account managers write down and plan about clients, here or in their CRM."""

from __future__ import annotations

from typing import Any

from api.graphql.declare import Column, Entity, One, column, one, table_of
from api.graphql.masks import Mask
from api.graphql.model.parties import SURVIVOR
from api.graphql.model.shared import OWN_CLIENT, node_id, unified_fields
from schema import tables as t

_CLIENT = One(
    name="client",
    target="Client",
    description="The client; of a merged client the one that it is part of now.",
    on="{t}.id = " + SURVIVOR.replace("{id}", "{x}.client_id"),
    filter_sql=SURVIVOR.replace("{id}", "{x}.client_id"),
)


def _written(table: Any) -> tuple[Column | One, ...]:
    return (
        _CLIENT,
        one("deal", "Deal", table.deal_id, "The deal that it is about; null if it is about none."),
        column(table.author, "Public part of the API key that wrote it here."),
        column(table.created_at, "When it was written.", filterable=True, sortable=True),
        column(table.changed_at, "When it was last changed here.", filterable=True, sortable=True),
    )


NOTE = Entity(
    name="Note",
    table=table_of(t.Note),
    description="A note about a client.",
    deletable=True,
    order=(("createdAt", True),),
    own=OWN_CLIENT,
    fields=(
        node_id("Note"),
        column(t.Note.text, "What it says.", mask=Mask.HIDDEN, filterable=True),
        *_written(t.Note),
        column(t.Note.deleted_at, "When it was removed; null while it is there."),
    ),
)

TASK = Entity(
    name="Task",
    table=table_of(t.Task),
    description=(
        "Something to be done for a client: written here, or planned in an external system (then `connection` "
        "tells which, and it is changed only there)."
    ),
    deletable=True,
    order=(("createdAt", True),),
    own="({x}.assignee_id = any(%(own)s::uuid[]) or " + OWN_CLIENT + ")",
    fields=(
        node_id("Task"),
        column(t.Task.title, "What is to be done.", mask=Mask.HIDDEN, filterable=True),
        column(t.Task.text, "What the external system says about it.", mask=Mask.HIDDEN, filterable=True),
        column(t.Task.due_at, "By when.", filterable=True, sortable=True),
        column(t.Task.done_at, "When it was done; null while it is open.", filterable=True, sortable=True),
        one("assignee", "User", t.Task.assignee_id, "The employee who is to do it."),
        one("contact", "Contact", t.Task.contact_id, "The person whom it concerns."),
        one("company", "Company", t.Task.company_id, "The organisation that it concerns."),
        one("lead", "Lead", t.Task.lead_id, "The lead that it concerns."),
        one("order", "Order", t.Task.order_id, "The order that it concerns."),
        *_written(t.Task),
        *unified_fields(t.Task),
    ),
)

ENTITIES = (NOTE, TASK)
