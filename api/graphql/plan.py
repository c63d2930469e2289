# ruff: noqa: S608 - the SQL is put together from declarations of ours; values are bound, never written in
"""The planner: one field of an operation, whatever its depth, becomes one SQL statement that gives its JSON.

It walks the selection as GraphQL's own execution would (``collect_subfields`` of graphql-core merges fields,
follows fragments and obeys @skip and @include) and looks up in the declarations what each field is in SQL.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from graphql import GraphQLObjectType, GraphQLSchema, OperationDefinitionNode
from graphql.execution.collect_fields import FieldDetails, FragmentDetails, collect_subfields
from graphql.execution.values import VariableValues, get_argument_values

from api.graphql.connection import NO_EVENTS, TIMELINE_KEYS, connection, timeline_arms
from api.graphql.declare import Arm, Column, Custom, Entity, Field, Kind, Listing, Many, One, Reference, Timeline
from api.graphql.filters import condition
from api.graphql.masks import MASKED_ROLES
from api.graphql.paging import Window, entity_keys, window
from api.graphql.rows import Pair, many_objects, one_object
from api.graphql.values import Convert, Parameter, Slot, Viewer, slotted
from api.language import spoken
from schema.enums import Role

Details = Sequence[FieldDetails]

_PLACE = re.compile(r"%\((\w+)\)s|%%")


@dataclass(frozen=True, slots=True)
class Plan:
    """A statement with one row and one column, the JSON text; the names of what stands at its ``$1``, ``$2``, …;
    and where those come from."""

    sql: bytes
    names: tuple[str, ...]
    parameters: tuple[tuple[str, Parameter], ...]

    def bind(self, variables: Mapping[str, Any], viewer: Viewer) -> dict[str, Any]:
        """The values to send; raises `CallerError` for one that can't be used."""
        bound = {name: parameter.bound(variables, viewer) for name, parameter in self.parameters}
        bound["workspace"] = viewer.workspace_id
        bound["language"] = spoken()
        bound["own"] = None if viewer.own is None else list(viewer.own)
        return bound


def numbered(sql: str) -> tuple[bytes, tuple[str, ...]]:
    """The statement with ``$1``, ``$2``, … for its named parameters (``%(name)s``), and the names in that order."""
    names: dict[str, str] = {}

    def number(found: re.Match[str]) -> str:
        return names.setdefault(found[1], f"${len(names) + 1}") if found[1] else "%"

    return _PLACE.sub(number, sql).encode(), tuple(names)


class Planner:
    """Plans one field of one operation for one role."""

    def __init__(
        self,
        entities: Mapping[str, Entity],
        schema: GraphQLSchema,
        operation: OperationDefinitionNode,
        fragments: Mapping[str, FragmentDetails],
        variables: Mapping[str, Any],
        role: Role,
    ) -> None:
        self.entities = entities
        self.schema = schema
        self.role = role
        self._operation = operation
        self._fragments = dict(fragments)
        self._variables = VariableValues({}, slotted(variables))
        self._parameters: dict[str, Parameter] = {}
        self._aliases = 0

    def plan(self, expression: str) -> Plan:
        """The plan whose statement gives ``expression``."""
        return Plan(*numbered(f"select {expression}"), tuple(self._parameters.items()))

    def bind(self, value: Any, cast: str, convert: Convert | None = None, beside: Any = None) -> str:
        """A place in the SQL for a value that isn't part of it; ``convert`` gets what stands ``beside``, too."""
        name = f"p{len(self._parameters)}"
        path = value.path if isinstance(value, Slot) else None
        self._parameters[name] = Parameter(path, None if isinstance(value, Slot) else value, convert, beside)
        return f"%({name})s::{cast}"

    def embed(self, sql: str, parameters: Mapping[str, Any]) -> str:
        """A statement made elsewhere, with its own named parameters, for use as a subquery."""
        for name, value in parameters.items():
            self._parameters[name] = Parameter(None, value, None)
        return sql

    def alias(self) -> str:
        self._aliases += 1
        return f'"{self._aliases}"'

    def arguments(self, type_name: str, details: Details) -> dict[str, Any]:
        """The arguments of a field, with slots where they come out of the variables."""
        first = details[0]
        field = self._type(type_name).fields[first.node.name.value]
        return get_argument_values(field, first.node, self._variables, first.fragment_variable_values)

    def selected(self, type_name: str, details: Details) -> dict[str, list[FieldDetails]]:
        """What is selected of an object of that type, by response key."""
        collected = collect_subfields(
            self.schema,
            self._fragments,
            self._variables,
            self._operation,
            self._type(type_name),
            list(details),
        )
        return collected.grouped_field_set

    def of_object(self, type_name: str, details: Details, value: Callable[[str, Details], str]) -> list[Pair]:
        """The pairs of an object: ``value`` gives the expression of each field, by name."""
        pairs = []
        for key, each in self.selected(type_name, details).items():
            name = each[0].node.name.value
            pairs.append((key, f"'{type_name}'::text" if name == "__typename" else value(name, each)))
        return pairs

    def of_row(self, entity: Entity, details: Details, x: str) -> list[Pair]:
        """The pairs of a row of the entity that stands under the alias ``x``."""
        return self.of_object(
            entity.name, details, lambda name, each: self._field(entity, entity.by_name[name], each, x)
        )

    def row_object(self, entity: Entity, details: Details, x: str) -> str:
        """The object of a row that is at hand."""
        return one_object(self.of_row(entity, details, x), self.alias())

    def one(self, declared: One, details: Details, x: str) -> str:
        """The object of the row that the row at hand names."""
        entity, t = self.entities[declared.target], self.alias()
        source = self._source(entity, declared.source, t, x)
        where = f"{self.tenant(entity, t)} and {declared.on.format(t=t, x=x)}"
        return one_object(self.of_row(entity, details, t), self.alias(), f"from {source} where {where}")

    def by_id(self, entity: Entity, details: Details, id_sql: str) -> str:
        """The object of the row with that id (of the one it has become part of, where that can be)."""
        present = (entity.resolve_id or "{id}").format(id=id_sql)
        t = self.alias()
        source = f"from {entity.table} {t} where {self.tenant(entity, t)} and {t}.{entity.key} = {present}"
        return one_object(self.of_row(entity, details, t), self.alias(), source)

    def listing(self, declared: Listing, details: Details, x: str) -> str:
        entity, t = self.entities[declared.target], self.alias()
        source = (
            f"from {self._source(entity, declared.source, t, x)} "
            f"where {self.tenant(entity, t)} and {declared.on.format(t=t, x=x)} "
            f"order by {declared.order.format(t=t, x=x)} limit {declared.limit}"
        )
        return many_objects(self.of_row(entity, details, t), self.alias(), source)

    def connection(
        self, entity: Entity, parent: str, details: Details, on: str | None = None, x: str | None = None
    ) -> str:
        """The connection over the entity's rows; ``on`` says which belong to the row at hand."""
        arguments, t = self.arguments(parent, details), self.alias()
        conditions = [self.listed(entity, t, deleted=bool(arguments.get("includeDeleted")))]
        if on is not None:
            conditions.append(on.format(t=t, x=x))
        if arguments.get("filter"):
            conditions.append(condition(self, entity, arguments["filter"], t))
        page = window(self, entity_keys(self, entity, arguments.get("orderBy")), arguments)
        return connection(
            self,
            f"{entity.name}Connection",
            f"{entity.name}Edge",
            details,
            page,
            t,
            source=f"from {entity.table} {t} where {' and '.join(conditions)}",
            node=lambda each, at: self.row_object(entity, each, at),
            row=lambda each, at: self.of_row(entity, each, at),
            entity=entity,
        )

    def value(self, entity: Entity, name: str, details: Details, x: str) -> str:
        """The value of one field of a row of the entity that stands under the alias ``x``."""
        return self._field(entity, entity.by_name[name], details, x)

    def tenant(self, entity: Entity, t: str) -> str:
        """The condition that the row is the caller's: of the workspace (row-level security holds without it; the
        plan is better with it), and of a manager's own clients where managers see no others."""
        bound = "true" if entity.tenant is None else f"{t}.{entity.tenant} = %(workspace)s::uuid"
        if entity.own is None or self.role is not Role.MANAGER:
            return bound
        return f"{bound} and (%(own)s::uuid[] is null or {entity.own.format(x=t)})"

    def listed(self, entity: Entity, t: str, *, deleted: bool = False) -> str:
        """The condition that the row is the caller's and one that lists show; ``deleted``: those that are gone
        from the external system too."""
        conditions = [self.tenant(entity, t)]
        if entity.listed_if is not None:
            conditions.append(entity.listed_if.format(x=t))
        if entity.deletable and not deleted:
            conditions.append(f"{t}.deleted_at is null")
        return " and ".join(conditions)

    def _field(self, entity: Entity, declared: Field, details: Details, x: str) -> str:
        match declared:
            case Column():
                return self._leaf(entity, declared, x)
            case Custom():
                if declared.mask is not None and self.role in MASKED_ROLES:
                    return "null::json"
                key = self.arguments(entity.name, details)["key"]
                return f"({declared.sql.format(x=x)} -> {self.bind(key, 'text')})"
            case One():
                return self.one(declared, details, x)
            case Many():
                return self.connection(self.entities[declared.target], entity.name, details, declared.on, x)
            case Listing():
                return self.listing(declared, details, x)
            case Reference():
                return self.choice(declared.targets, details, declared.kind.format(x=x), declared.id.format(x=x))
            case Timeline():
                return self._timeline(entity, declared, details, x)

    @staticmethod
    def _source(entity: Entity, template: str | None, t: str, x: str) -> str:
        return f"{entity.table} {t}" if template is None else template.format(t=t, x=x)

    def _leaf(self, entity: Entity, column: Column, x: str) -> str:
        if not column.visible_to(self.role):
            return "null::text"
        value = column.sql.format(x=x)
        if column.mask is not None and self.role in MASKED_ROLES:
            return column.mask.sql(value, many=column.many)
        if column.kind is Kind.ID and column.name == "id":
            return f"'{entity.name}:' || {value}"
        if column.enum is not None:
            return f"upper({value})"
        return f"{value}::text" if column.kind is Kind.DECIMAL else value

    def _timeline(self, entity: Entity, declared: Timeline, details: Details, x: str) -> str:
        arguments = self.arguments(entity.name, details)
        arms = timeline_arms(declared, arguments)
        page = window(self, TIMELINE_KEYS, arguments)
        narrowed = [self._arm(arm, arguments, page, x) for arm in arms] or [NO_EVENTS]
        every = [self._arm(arm, arguments, None, x) for arm in arms] or [NO_EVENTS]
        u = self.alias()
        return connection(
            self,
            f"{declared.union}Connection",
            f"{declared.union}Edge",
            details,
            page,
            u,
            source=f"from ({' union all '.join(every)}) {u} where true",
            narrowed=f"from ({' union all '.join(narrowed)}) {u} where true",
            node=lambda each, at: self.choice([arm.target for arm in arms], each, f"{at}.kind", f"{at}.id"),
        )

    def _arm(self, arm: Arm, arguments: Mapping[str, Any], page: Window | None, x: str) -> str:
        """The events of one kind; of a page, no more than the page can hold."""
        entity, t, event = self.entities[arm.target], self.alias(), self.alias()
        source = (arm.source or f"{entity.table} {{t}}").format(t=t)
        rows = (
            f"select {arm.at.format(t=t)} as at, {t}.id as id, '{entity.name}'::text as kind from {source} "
            f"where {self.tenant(entity, t)} and {arm.on.format(t=t, x=x)}"
        )
        within = ""
        for name, sign in (("from", ">="), ("to", "<")):
            if arguments.get(name) is not None:
                within += f" and {event}.at {sign} {self.bind(arguments[name], 'timestamptz')}"
        found = f"select {event}.* from ({rows}) {event} where {page.beyond(event) if page else 'true'}{within}"
        return f"({found} order by {page.order(event)} limit {page.size} + 1)" if page else f"({found})"

    def choice(self, names: Sequence[str], details: Details, kind: str, id_sql: str) -> str:
        """The object of the row of one of several types: ``kind`` gives its name, ``id_sql`` its id."""
        if not names:
            return "null::json"
        arms = " ".join(f"when '{name}' then {self.by_id(self.entities[name], details, id_sql)}" for name in names)
        return f"case {kind} {arms} end"

    def _type(self, name: str) -> GraphQLObjectType:
        return cast("GraphQLObjectType", self.schema.type_map[name])
