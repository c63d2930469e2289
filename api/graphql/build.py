"""From the declarations to Strawberry types: objects, connections, filters and orders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import GenericAlias
from typing import Any, Optional

import strawberry
from strawberry.annotation import StrawberryAnnotation
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.field import StrawberryField
from strawberry.types.union import StrawberryUnion

from api.graphql.declare import Column, Entity, Field, Kind, Listing, Many, One, Reference, Timeline
from api.graphql.enums import ENUMS, OrderDirection, graphql_enum
from api.graphql.paging import DEFAULT_PAGE, LARGEST_PAGE
from api.graphql.scalars import PYTHON, DateTimeText

_OPERATORS: Mapping[str, str] = {
    "eq": "Equal to this.",
    "in": "Equal to one of these.",
    "gt": "Greater (later) than this.",
    "gte": "Greater (later) than this, or equal.",
    "lt": "Less (earlier) than this.",
    "lte": "Less (earlier) than this, or equal.",
    "contains": "Contains this text, in any case of letters.",
    "startsWith": "Begins with this text, in any case of letters.",
    "isNull": "Whether there is no value.",
    "has": "Contains this element.",
    "hasAny": "Contains one of these elements at least.",
}
_RANGE = ("eq", "in", "gt", "gte", "lt", "lte", "isNull")
_FILTERS: Mapping[Kind, tuple[str, tuple[str, ...]]] = {
    Kind.ID: ("ID", ("eq", "in", "isNull")),
    Kind.STRING: ("String", ("eq", "in", "contains", "startsWith", "isNull")),
    Kind.INT: ("Int", _RANGE),
    Kind.DECIMAL: ("Decimal", _RANGE),
    Kind.BOOLEAN: ("Boolean", ("eq", "isNull")),
    Kind.DATE_TIME: ("DateTime", _RANGE),
    Kind.DATE: ("Date", _RANGE),
}


def field(
    name: str, annotation: Any, description: str, arguments: Sequence[StrawberryArgument] = (), **more: Any
) -> StrawberryField:
    made = StrawberryField(
        python_name=name,
        graphql_name=name,
        type_annotation=StrawberryAnnotation(annotation),
        description=description,
        **more,
    )
    made.arguments = list(arguments)
    return made


def argument(name: str, annotation: Any, description: str, **more: Any) -> StrawberryArgument:
    return StrawberryArgument(
        python_name=name,
        graphql_name=name,
        type_annotation=StrawberryAnnotation(annotation),
        description=description,
        **more,
    )


def optional(kind: Any) -> Any:
    """The annotation of a nullable value; the kinds are made at run time."""
    return Optional[kind]  # noqa: UP045 - a Strawberry type isn't always a class


def list_of(kind: Any) -> Any:
    """The annotation of a list."""
    return GenericAlias(list, (kind,))


def object_type(name: str, description: str, *, interfaces: Sequence[type] = ()) -> Any:
    """An object type that gets its fields later, so that types may refer to each other."""
    made = type(name, tuple(interfaces), {"__annotations__": {}, "__doc__": description})
    return strawberry.type(made, name=name, description=description)


def add_fields(made: Any, fields: Sequence[StrawberryField]) -> None:
    made.__strawberry_definition__.fields.extend(fields)


def input_type(name: str, description: str, fields: Mapping[str, tuple[Any, str]]) -> Any:
    """An input type of optional fields."""
    made = strawberry.input(type(name, (), {"__annotations__": {}}), name=name, description=description)
    add_input_fields(made, fields)
    return made


def add_input_fields(made: Any, fields: Mapping[str, tuple[Any, str]]) -> None:
    add_fields(
        made,
        [
            field(name, optional(annotation), description, default=strawberry.UNSET)
            for name, (annotation, description) in fields.items()
        ],
    )


@strawberry.type(description="Where a page stands among all rows.")
class PageInfo:
    hasNextPage: bool = strawberry.field(description="Whether rows follow this page.")  # noqa: N815
    hasPreviousPage: bool = strawberry.field(description="Whether rows come before this page.")  # noqa: N815
    startCursor: str | None = strawberry.field(  # noqa: N815
        description="Cursor of the first row of the page: pass it as `before` for the page before."
    )
    endCursor: str | None = strawberry.field(  # noqa: N815
        description="Cursor of the last row of the page: pass it as `after` for the next page."
    )


@strawberry.interface(description="An object that can be found again by its global id.")
class Node:
    id: strawberry.ID = strawberry.field(description="Global id: stable for ever, opaque.")


class Types:
    """All types that follow from the declarations, made in two steps: names first, then fields."""

    def __init__(self, entities: Sequence[Entity]) -> None:
        self.entities = {each.name: each for each in entities}
        self._inputs: dict[str, Any] = {}
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
            self._connections[name] = self._make_connection(name, self._objects[name])
        return self._connections[name]

    def connection_arguments(self, entity: Entity) -> list[StrawberryArgument]:
        arguments = paging_arguments()
        if any(self._filterable(each) for each in entity.fields):
            arguments.append(
                argument(
                    "filter", optional(self.filter(entity)), "Only rows for which all of it holds.", default=None
                )
            )
        if any(each.sortable for each in entity.columns()):
            arguments.append(
                argument(
                    "orderBy",
                    optional(list_of(self._order(entity))),
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

    def filter(self, entity: Entity) -> Any:
        """The filter over an entity; the operators of each field follow from its kind."""
        name = f"{entity.name}Filter"
        if name not in self._inputs:
            made = input_type(name, f"Which rows of {entity.name}; all that is given must hold.", {})
            self._inputs[name] = made
            fields: dict[str, tuple[Any, str]] = {
                each.name: (self._operators(each), each.description)
                for each in entity.fields
                if self._filterable(each)
            }
            fields["and"] = (list_of(made), "All of these hold.")
            fields["or"] = (list_of(made), "One of these holds at least.")
            fields["not"] = (made, "This does not hold.")
            add_input_fields(made, fields)
        return self._inputs[name]

    def _field(self, declared: Field) -> StrawberryField:
        match declared:
            case Column():
                return field(declared.name, leaf(declared), declared.description)
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
        connection = self._make_connection(declared.union, union)
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

    def _make_connection(self, name: str, member: Any) -> Any:
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

    def _operators(self, declared: Field) -> Any:
        if isinstance(declared, One):
            return self._filter_of("ID", strawberry.ID, _FILTERS[Kind.ID][1])
        if not isinstance(declared, Column):
            raise TypeError(f"{declared.name} can't be filtered by")
        name, operators = _FILTERS[declared.kind]
        python = PYTHON[declared.kind]
        if declared.enum is not None:
            name, python, operators = declared.enum.__name__, ENUMS[declared.enum], ("eq", "in", "isNull")
        if declared.phone:
            name, operators = "Phone", ("eq", "in", "isNull")
        if declared.many:
            name, operators = f"{name}List", ("has", "hasAny")
        return self._filter_of(name, python, operators)

    def _filter_of(self, name: str, python: Any, operators: Sequence[str]) -> Any:
        full = f"{name}Filter"
        if full not in self._inputs:
            what = " in any spelling" if name.startswith("Phone") else ""
            self._inputs[full] = input_type(
                full,
                f"Conditions on a value of kind {name}{what}; all that are given must hold.",
                {
                    each: (
                        bool if each == "isNull" else list_of(python) if each in ("in", "hasAny") else python,
                        _OPERATORS[each],
                    )
                    for each in operators
                },
            )
        return self._inputs[full]

    def _order(self, entity: Entity) -> Any:
        name = f"{entity.name}Order"
        if name not in self._inputs:
            fields = graphql_enum(
                f"{entity.name}OrderField",
                f"What rows of {entity.name} can be ordered by.",
                {constant(each.name): (each.name, each.description) for each in entity.columns() if each.sortable},
            )
            made = strawberry.input(
                type(name, (), {"__annotations__": {}}),
                name=name,
                description=f"One term of an order of {entity.name} rows.",
            )
            add_fields(
                made,
                [
                    field("field", fields, "What to order by."),
                    field("direction", OrderDirection, "Which way.", default=OrderDirection.ASC),
                ],
            )
            self._inputs[name] = made
        return self._inputs[name]

    @staticmethod
    def _filterable(declared: Field) -> bool:
        if isinstance(declared, One):
            return declared.filter_sql is not None
        return isinstance(declared, Column) and declared.filterable


def leaf(column: Column) -> Any:
    """The annotation of a leaf."""
    python = ENUMS[column.enum] if column.enum is not None else PYTHON[column.kind]
    annotation = list_of(python) if column.many else python
    return optional(annotation) if column.nullable else annotation


def paging_arguments() -> list[StrawberryArgument]:
    default = f"{DEFAULT_PAGE} if neither `first` nor `last` is given, {LARGEST_PAGE} at most"
    return [
        argument(
            "first", optional(int), f"How many rows from the beginning or after `after` ({default}).", default=None
        ),
        argument("after", optional(str), "Begin after the row with this cursor.", default=None),
        argument("last", optional(int), "How many rows from the end or before `before`.", default=None),
        argument("before", optional(str), "End before the row with this cursor.", default=None),
    ]


def constant(name: str) -> str:
    """``startedAt`` or ``StageChange`` as an enum value: ``STARTED_AT``, ``STAGE_CHANGE``."""
    return "".join(f"_{char}" if char.isupper() and index else char for index, char in enumerate(name)).upper()
