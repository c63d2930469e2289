"""The short way from a known operation to its answer.

Where every root field of a query is planned, nothing of GraphQL's execution is left to do: each field's statement
gives its JSON, and the answer is those side by side. What isn't so (a document seen for the first time, mutations,
fields that Python resolves, fragments or directives at the root, variables that don't fit) goes the ordinary way,
which answers the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLField,
    GraphQLResolveInfo,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    get_argument_values,
    get_variable_values,
    is_non_null_type,
    located_error,
)
from graphql.execution.values import VariableValues
from graphql.pyutils import Path

from api.graphql.documents import Document, Documents, trace
from api.graphql.run import PlannedField, RequestContext


@dataclass(frozen=True, slots=True)
class Answered:
    """The fields of the answer by their keys, and what went wrong with some of them."""

    data: dict[str, Any]
    errors: list[GraphQLError]


@dataclass(frozen=True, slots=True)
class _Field:
    key: str
    node: FieldNode
    declared: GraphQLField
    resolve: PlannedField
    path: Path


@dataclass(frozen=True, slots=True)
class _Operation:
    """A query that can be answered the short way."""

    node: OperationDefinitionNode
    fragments: dict[str, FragmentDefinitionNode]
    fields: tuple[_Field, ...]


@dataclass(frozen=True, slots=True)
class Ready:
    """A request for a known operation that nothing speaks against any more."""

    schema: GraphQLSchema
    document: Document
    operation: _Operation
    values: VariableValues
    cost: int

    async def answer(self, context: RequestContext) -> Answered:
        """Ask the database."""
        trace(self.operation.node, self.cost)
        context.plans = self.document.plans
        asked = [self._value(each, context) for each in self.operation.fields]
        found = [await asked[0]] if len(asked) == 1 else await asyncio.gather(*asked)
        data: dict[str, Any] = {}
        errors = []
        for field, value in zip(self.operation.fields, found, strict=True):
            if isinstance(value, Exception):
                errors.append(located_error(value, [field.node], [field.key]))
            data[field.key] = None if isinstance(value, Exception) else value
        return Answered(data, errors)

    async def _value(self, field: _Field, context: RequestContext) -> Any:
        """The value of one root field, or what went wrong with it."""
        info = GraphQLResolveInfo(
            field_name=field.node.name.value,
            field_nodes=[field.node],
            return_type=field.declared.type,
            parent_type=cast("Any", self.schema.query_type),
            path=field.path,
            schema=self.schema,
            fragments=self.operation.fragments,
            root_value=None,
            operation=self.operation.node,
            variable_values=cast("Any", self.values.coerced),  # as Strawberry hands them over
            context=context,
            is_awaitable=cast("Any", asyncio.iscoroutine),
            abort_signal=None,
            async_helpers=cast("Any", None),
        )
        try:
            arguments: Mapping[str, Any] = {}
            if field.resolve.prepares:
                arguments = get_argument_values(field.declared, field.node, self.values)
            return await field.resolve(None, info, **arguments)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told as the error of this field
            return error


class Direct:
    """Answers known operations of one schema the short way."""

    def __init__(self, schema: GraphQLSchema, documents: Documents) -> None:
        self._schema, self._documents = schema, documents

    def ready(self, text: str, operation_name: str | None, variables: dict[str, Any]) -> Ready | None:
        """What is to be asked; None where the ordinary way has to be gone."""
        document = self._documents.known(text)
        operation = None if document is None else self._operation(document, operation_name)
        if document is None or operation is None:
            return None
        values = get_variable_values(self._schema, operation.node.variable_definitions or (), variables)
        if isinstance(values, list):
            return None  # they don't fit their types
        cost = document.cost(operation_name, variables)
        return (
            None if cost > self._documents.limits.cost else Ready(self._schema, document, operation, values, cost)
        )

    def _operation(self, document: Document, name: str | None) -> _Operation | None:
        if document.direct is None:
            document.direct = dict(self._understood(document))
        return cast("_Operation | None", document.direct.get(name))

    def _understood(self, document: Document) -> Iterator[tuple[str | None, _Operation]]:
        """The operations that can be answered the short way, by name; the only one of a document without, too."""
        if document.tree is None or document.errors:
            return
        definitions = document.tree.definitions
        fragments = {each.name.value: each for each in definitions if isinstance(each, FragmentDefinitionNode)}
        operations = [each for each in definitions if isinstance(each, OperationDefinitionNode)]
        for node in operations:
            fields = self._fields(node)
            if fields is not None:
                found = _Operation(node, fragments, fields)
                if node.name is not None:
                    yield node.name.value, found
                if len(operations) == 1:
                    yield None, found

    def _fields(self, operation: OperationDefinitionNode) -> tuple[_Field, ...] | None:
        """The root fields, if each is planned and stands there by itself."""
        query = self._schema.query_type
        if query is None or operation.operation is not OperationType.QUERY or operation.directives:
            return None
        fields: dict[str, _Field] = {}
        for each in operation.selection_set.selections:
            if not isinstance(each, FieldNode) or each.directives:
                return None
            declared = query.fields.get(each.name.value)
            key = each.alias.value if each.alias else each.name.value
            if declared is None or is_non_null_type(declared.type) or key in fields:
                return None
            if not isinstance(declared.resolve, PlannedField):
                return None
            fields[key] = _Field(key, each, declared, declared.resolve, Path(None, key, query.name))
        return tuple(fields.values())
