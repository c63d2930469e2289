"""The pieces that Strawberry types are made of at run time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import GenericAlias
from typing import Any, Optional

import strawberry
from strawberry.annotation import StrawberryAnnotation
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.field import StrawberryField

from api.graphql.declare import Column, Form, Kind
from api.graphql.enums import ENUMS
from api.graphql.paging import DEFAULT_PAGE, LARGEST_PAGE
from api.graphql.scalars import FORMS, PYTHON


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


def leaf(column: Column) -> Any:
    """The annotation of a leaf."""
    python = ENUMS[column.enum] if column.enum is not None else python_type(column.kind, column.form)
    annotation = list_of(python) if column.many else python
    return optional(annotation) if column.nullable else annotation


def python_type(kind: Kind, form: Form | None = None) -> Any:
    """The type that stands for a kind of leaf in Strawberry's annotations."""
    return PYTHON[kind] if form is None else FORMS[form]


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
