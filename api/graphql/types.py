"""All types that follow from the declarations: objects, connections, filters and orders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from strawberry.annotation import StrawberryAnnotation
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.field import StrawberryField
from strawberry.types.union import StrawberryUnion

from api.graphql.build import (
    Node,
    PageInfo,
    add_fields,
    argument,
    constant,
    field,
    leaf,
    list_of,
    object_type,
    optional,
    paging_arguments,
)
from api.graphql.declare import Column, Custom, Entity, Field, Listing, Many, One, Reference, Timeline
from api.graphql.enums import graphql_enum
from api.graphql.groups import Groups
from api.graphql.inputs import Inputs, sortable
from api.graphql.scalars import DateTimeText, JsonValue


class Types:
    """All types that follow from the declarations, made in two steps: names first, then fields."""

    def __init__(self, entities: Sequence[Entity]) -> None:
        self.entities = {each.name: each for each in entities}
        self.inputs = Inputs(self.entities)
        self._groups = Groups(self.entities, self.inputs)
        self._objects = {
            each.name: object_type(each.name, each.description, interfaces=[Node] if each.node else [])
            for each in entities
        }
        self._connections: dict[str, Any] = {}
        for entity in entities:
            made = self._objects[entity.name]
            made.__strawberry_definition__.fields.clear()
            add_fields(made, [self._field(each) for each in entity.fields])

    def __getitem__(self, name: str) -> Any:
        return self._objects[name]

    def nodes(self) -> list[Any]:
        """The types that `node` can give."""
        return [self._objects[name] for name, entity in self.entities.items() if entity.node]

    def connection(self, name: str) -> Any:
        """The connection over the entity of that name."""
        if name not in self._connections:
            made = self.make_connection(name, self._objects[name])
            add_fields(made, self._groups.fields(self.entities[name], self._objects))
            self._connections[name] = made
        return self._connections[name]

    def connection_arguments(self, entity: Entity) -> list[StrawberryArgument]:
        arguments = paging_arguments()
        if any(self.inputs.filterable(each) for each in entity.fields):
            arguments.append(
                argument(
                    "filter",
                    optional(self.inputs.filter(entity)),
                    "Only rows for which all of it holds.",
                    default=None,
                )
            )
        if sortable(entity):
            arguments.append(
                argument(
                    "orderBy",
                    optional(list_of(self.inputs.order(entity))),
                    "The order; later terms decide where earlier ones are equal.",
                    default=None,
                )
            )
        if entity.deletable:
            arguments.append(
                argument(
                    "includeDeleted",
                    bool,
                    "Also give what was deleted in the external system (`deletedAt` tells).",
                    default=False,
                )
            )
        return arguments

    def _field(self, declared: Field) -> StrawberryField:
        match declared:
            case Column():
                return field(declared.name, leaf(declared), declared.description)
            case Custom():
                key = argument("key", str, "The field's key, out of `customFields`.")
                return field(declared.name, optional(JsonValue), declared.description, [key])
            case One():
                return field(declared.name, optional(self._objects[declared.target]), declared.description)
            case Listing():
                return field(declared.name, list_of(self._objects[declared.target]), declared.description)
            case Many():
                return field(
                    declared.name,
                    self.connection(declared.target),
                    declared.description,
                    self.connection_arguments(self.entities[declared.target]),
                )
            case Reference():
                return field(declared.name, optional(Node), declared.description)
            case Timeline():
                return self._timeline(declared)

    def _timeline(self, declared: Timeline) -> StrawberryField:
        members = tuple(StrawberryAnnotation(self._objects[arm.target]) for arm in declared.arms)
        union = StrawberryUnion(
            name=declared.union, type_annotations=members, description="Something that happened with a client."
        )
        connection = self.make_connection(declared.union, union)
        kinds = graphql_enum(
            f"{declared.union}Kind",
            "Kinds of events in a history.",
            {constant(arm.target): (arm.target, self.entities[arm.target].description) for arm in declared.arms},
        )
        arguments = [
            *paging_arguments(),
            argument("kinds", optional(list_of(kinds)), "Only events of these kinds.", default=None),
            argument("from", optional(DateTimeText), "Only events at this moment or later.", default=None),
            argument("to", optional(DateTimeText), "Only events before this moment.", default=None),
        ]
        return field(declared.name, connection, declared.description, arguments)

    def make_connection(self, name: str, member: Any) -> Any:
        """A connection that is made by hand: its edge and page types, without filters and groups."""
        edge = object_type(f"{name}Edge", f"A {name} in its place on a page.")
        add_fields(
            edge,
            [
                field("cursor", str, "Where the row stands: pass it as `after` or `before`."),
                field("node", member, "The row itself."),
            ],
        )
        connection = object_type(f"{name}Connection", f"A page of {name} rows.")
        add_fields(
            connection,
            [
                field("edges", list_of(edge), "The rows of the page, each with its cursor."),
                field("nodes", list_of(member), "The rows of the page, without cursors."),
                field("pageInfo", PageInfo, "Whether there is more, and from where to go on."),
                field("totalCount", int, "How many rows there are on all pages; counted only when asked for."),
            ],
        )
        return connection
