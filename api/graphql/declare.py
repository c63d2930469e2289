"""The words in which the graph is declared. A declaration gives both the GraphQL type and its SQL.

An `Entity` is a GraphQL type over a table (or over a statement); its fields are `Column`, `One`, `Many`,
`Listing` and `Timeline`. SQL stands as templates: ``{x}`` is the row at hand, ``{t}`` the row of the other side.
Every row that is read is bound to the caller's workspace by the planner; row-level security does so again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from sqlalchemy import ARRAY, Boolean, Date, DateTime, Float, Integer, LargeBinary, Numeric, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import InstrumentedAttribute

from api.graphql.masks import Mask
from schema.enums import Role
from schema.tables import Base


class Kind(Enum):
    """What a leaf holds; decides its scalar, its filter and how it is cast in SQL."""

    ID = "uuid"
    STRING = "text"
    INT = "integer"
    FLOAT = "float8"
    DECIMAL = "numeric"
    BOOLEAN = "boolean"
    DATE_TIME = "timestamptz"
    DATE = "date"
    JSON = "jsonb"
    BIG_INT = "bigint"


class Form(Enum):
    """What a text is: decides its scalar, and how it is compared."""

    PHONE = "phone"
    EMAIL = "email"
    URL = "url"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A leaf. ``sql`` is an expression over ``{x}``; ``roles``, if given, are the only ones who see its value."""

    name: str
    description: str
    sql: str
    kind: Kind
    nullable: bool = True
    many: bool = False
    enum: type[Enum] | None = None
    mask: Mask | None = None
    roles: frozenset[Role] | None = None
    filterable: bool = False
    sortable: bool = False
    form: Form | None = None
    money: str | None = None
    """Of an amount: the column (of SQL) that holds its currency."""

    def visible_to(self, role: Role) -> bool:
        return self.roles is None or role in self.roles


@dataclass(frozen=True, slots=True, kw_only=True)
class One:
    """The one other row that this row names, or null. ``on`` joins ``{t}`` (the other) to ``{x}``."""

    name: str
    description: str
    target: str
    on: str
    source: str | None = None
    """Where ``{t}`` comes from, if not from the target's table (a JSON value of the row at hand, say)."""
    filter_sql: str | None = None
    """The id of the other row, as an expression over ``{x}``, where a column holds it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Custom:
    """A vendor's own fields, read, filtered and sorted by key; ``sql`` is the JSON object that has them."""

    name: str
    description: str
    sql: str
    mask: Mask | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Many:
    """The other rows that belong to this row, as a connection with keyset paging."""

    name: str
    description: str
    target: str
    on: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A short list of other rows, whole and without paging. ``order`` is SQL over ``{t}``."""

    name: str
    description: str
    target: str
    on: str
    order: str
    limit: int = 1000
    source: str | None = None
    """Where ``{t}`` comes from, if not from the target's table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A row of one of several types, or null: ``kind`` gives the type's name, ``id`` the row's id, over ``{x}``."""

    name: str
    description: str
    targets: tuple[str, ...]
    kind: str
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One kind of event in a timeline: rows of ``target`` (alias ``{t}``) with the time they stand at.

    ``source`` is a FROM clause that has ``{t}`` in it; ``on`` joins it to ``{x}``."""

    target: str
    at: str
    on: str
    source: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """Rows of several types in one order of time, newest first, as a connection over a union."""

    name: str
    description: str
    union: str
    arms: tuple[Arm, ...]


Field = Column | Custom | One | Many | Listing | Reference | Timeline


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """A GraphQL type and where its rows come from."""

    name: str
    description: str
    table: str
    fields: tuple[Field, ...]
    node: bool = True
    key: str = "id"
    key_kind: Kind = Kind.ID
    order: tuple[tuple[str, bool], ...] = ()
    """The order of its connections when none is asked for: GraphQL names, and whether descending."""
    listed_if: str | None = None
    """Rows that connections list, as a condition over ``{x}``; others are found by their id only."""
    deletable: bool = False
    """Its rows may have been deleted in the external system; connections leave those out unless asked."""
    tenant: str | None = "workspace_id"
    """The column that says whose row it is; None where ``table`` is a statement that is bound itself."""
    own: str | None = None
    """The condition that a row is a manager's own, over ``{x}``; it binds the keys whose workspace has it so."""
    resolve_id: str | None = None
    """An expression over ``{id}`` that leads to the row's present id (a merged client's survivor)."""
    by_name: Mapping[str, Field] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_name", {each.name: each for each in self.fields})

    def columns(self) -> list[Column]:
        return [each for each in self.fields if isinstance(each, Column)]

    def custom(self) -> Custom | None:
        """Where the vendor's own fields of its rows stand, if they have any."""
        return next((each for each in self.fields if isinstance(each, Custom)), None)

    def column(self, name: str) -> Column:
        found = self.by_name[name]
        if not isinstance(found, Column):
            raise TypeError(f"{self.name}.{name} is not a column")
        return found


def camel(name: str) -> str:
    return re.sub(r"_([a-z0-9])", lambda match: match[1].upper(), name)


def column(
    attribute: InstrumentedAttribute[Any],
    description: str,
    *,
    name: str | None = None,
    enum: type[Enum] | None = None,
    mask: Mask | None = None,
    roles: frozenset[Role] | None = None,
    filterable: bool = False,
    sortable: bool = False,
    form: Form | None = None,
    money: str | None = None,
) -> Column:
    """A field that is a column of the table: its type and whether it may be null follow from the table."""
    source = attribute.property.columns[0]
    many = isinstance(source.type, ARRAY)
    kind = _kind(source.type.item_type if isinstance(source.type, ARRAY) else source.type)
    return Column(
        name=name or camel(source.name),
        description=description,
        sql=f'{{x}}."{source.name}"',
        kind=kind,
        nullable=bool(source.nullable) or mask is Mask.HIDDEN or roles is not None,
        many=many,
        enum=enum,
        mask=mask,
        roles=roles,
        filterable=filterable,
        sortable=sortable,
        form=form,
        money=money,
    )


def computed(
    name: str,
    kind: Kind,
    sql: str,
    description: str,
    *,
    nullable: bool = True,
    many: bool = False,
    enum: type[Enum] | None = None,
    mask: Mask | None = None,
    roles: frozenset[Role] | None = None,
    filterable: bool = False,
) -> Column:
    """A field that is an expression over the row."""
    return Column(
        name=name,
        kind=kind,
        sql=sql,
        description=description,
        nullable=nullable or roles is not None,
        many=many,
        enum=enum,
        mask=mask,
        roles=roles,
        filterable=filterable,
    )


def one(name: str, target: str, attribute: InstrumentedAttribute[Any], description: str) -> One:
    """The row of ``target`` whose id stands in a column of this table."""
    key = attribute.property.columns[0].name
    sql = f'{{x}}."{key}"'
    return One(name=name, target=target, description=description, on=f"{{t}}.id = {sql}", filter_sql=sql)


def many(name: str, target: str, attribute: InstrumentedAttribute[Any], description: str) -> Many:
    """The rows of ``target`` that name this row in the column given."""
    key = attribute.property.columns[0].name
    return Many(name=name, target=target, description=description, on=f'{{t}}."{key}" = {{x}}.id')


def table_of(model: type[Base]) -> str:
    return f'"{model.__tablename__}"'


_KINDS: tuple[tuple[type[Any], Kind], ...] = (
    (Uuid, Kind.ID),
    (Boolean, Kind.BOOLEAN),
    (Float, Kind.FLOAT),
    (Integer, Kind.INT),
    (Numeric, Kind.DECIMAL),
    (DateTime, Kind.DATE_TIME),
    (Date, Kind.DATE),
    (JSONB, Kind.JSON),
    (Text, Kind.STRING),
)


def _kind(sql_type: Any) -> Kind:
    if isinstance(sql_type, LargeBinary):
        raise TypeError("bytes have no place in the graph")
    return next(kind for python, kind in _KINDS if isinstance(sql_type, python))
