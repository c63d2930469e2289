"""Documents that were seen before are neither parsed nor validated again, and keep their plans."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    get_operation_ast,
    parse,
)
from strawberry.extensions import SchemaExtension
from strawberry.schema.schema import validate_document

from api.graphql.errors import public
from api.graphql.limits import Cost, Limits, refuse_cost, size_errors
from api.graphql.run import PlanCache
from api.graphql.stored import StoredDocuments
from core.tracing import note

_LONGEST_KEPT = 20_000
"""Longer texts aren't remembered: a caller who never sends the same twice must not fill the memory."""


class Document:
    """A text that came as a query: its tree, what is wrong with it, its plans."""

    def __init__(self, text: str, schema: GraphQLSchema, limits: Limits, rules: Any) -> None:
        self.plans = PlanCache()
        self.direct: dict[str | None, Any] | None = None
        """What `api.graphql.direct` understood of it, by the names of operations."""
        self.tree: DocumentNode | None = None
        self.errors: list[GraphQLError] = []
        try:
            self.tree = _parse(text, limits)
        except GraphQLError as error:
            self.errors = [error]
            return
        if not limits.introspection:
            rules = (*rules, NoSchemaIntrospectionCustomRule)
        self.errors = size_errors(self.tree, limits) or validate_document(schema, self.tree, rules)
        self._cost = Cost(schema, self.tree)

    @property
    def operations(self) -> int:
        definitions = () if self.tree is None else self.tree.definitions
        return sum(isinstance(each, OperationDefinitionNode) for each in definitions)

    def cost(self, operation_name: str | None, variables: dict[str, Any]) -> int:
        operation = None if self.tree is None else get_operation_ast(self.tree, operation_name)
        return 0 if operation is None else self._cost.of(operation, variables)


class Documents:
    """The documents seen last, by their text."""

    def __init__(self, limits: Limits, stored: StoredDocuments, size: int = 1000) -> None:
        self.limits = limits
        self._stored = stored
        self._size = size
        self._known: OrderedDict[str, Document] = OrderedDict()

    def known(self, text: str) -> Document | None:
        """The document, if that text was seen before."""
        found = self._known.get(text)
        if found is not None:
            self._known.move_to_end(text)
        return found

    def get(self, text: str, schema: GraphQLSchema, rules: Any) -> Document:
        found = self.known(text)
        if found is None:
            self._stored.check(text)
            found = Document(text, schema, self.limits, rules)
            if len(text) > _LONGEST_KEPT:
                return found
            self._known[text] = found
            if len(self._known) > self._size:
                self._known.popitem(last=False)
        return found


class KnownDocuments(SchemaExtension):
    """Takes parsing and validation over from Strawberry, and stops what costs too much."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._document: Document | None = None
        self._cost = 0

    def on_parse(self) -> Iterator[None]:
        context = self.execution_context
        if context.query:
            self._document = self._documents.get(context.query, context.schema._schema, context.validation_rules)
            if self._document.tree is None:
                raise self._document.errors[0]
            if self._document.operations > 1 and not (context._provided_operation_name or self._document.errors):
                raise GraphQLError(
                    "The document has several operations: name one in operationName.",
                    extensions={"code": "BAD_REQUEST"},
                )
            context.graphql_document = self._document.tree
            context.context.plans = self._document.plans
        yield

    def on_validate(self) -> Iterator[None]:
        context = self.execution_context
        if self._document is not None:
            context.pre_execution_errors = self._document.errors
            if not self._document.errors:
                self._cost = self._document.cost(context.operation_name, context.variables or {})
                self._trace(context.operation_name)
                refuse_cost(self._cost, self._documents.limits)
        yield

    def _trace(self, operation_name: str | None) -> None:
        tree = None if self._document is None else self._document.tree
        operation = None if tree is None else get_operation_ast(tree, operation_name)
        if operation is not None:
            trace(operation, self._cost)

    def get_results(self) -> dict[str, Any]:
        asked = self.execution_context.operation_extensions or {}
        if asked.get("cost") is not True:
            return {}
        return {"cost": {"estimated": self._cost, "limit": self._documents.limits.cost}}


def trace(operation: OperationDefinitionNode, cost: int) -> None:
    """Say in the present span which operation is answered."""
    name = operation.name.value if operation.name else "(unnamed)"
    note(operation=name, type=operation.operation.value, cost=cost)


def _parse(text: str, limits: Limits) -> DocumentNode:
    if len(text) > limits.characters:
        raise GraphQLError(
            f"The document has more than {limits.characters} characters.",
            extensions={"code": "QUERY_TOO_EXPENSIVE"},
        )
    try:
        return parse(text, max_tokens=limits.tokens)
    except GraphQLSyntaxError as error:
        raise public(error) from None
    except RecursionError:
        raise GraphQLError(
            "The document is nested too deeply.", extensions={"code": "GRAPHQL_PARSE_FAILED"}
        ) from None
