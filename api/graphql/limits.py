"""What one request may ask, decided before the database is touched.

Fragments are measured once each and remembered, so that a document whose fragments double at every level
costs time in proportion to its length, not to what it would expand to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLField,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    is_list_type,
    is_non_null_type,
)

from api.graphql.errors import TooExpensive
from api.graphql.groups import DEFAULT_GROUPS
from api.graphql.paging import DEFAULT_PAGE, LARGEST_PAGE


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of one request. ``cost`` counts the rows that an operation may give at most; without
    ``introspection`` the schema can't be asked for."""

    characters: int = 100_000
    tokens: int = 10_000
    operations: int = 10
    depth: int = 20
    fields: int = 450
    aliases: int = 60
    directives: int = 50
    directives_at_once: int = 5
    cost: int = 20_000
    introspection: bool = True


AGGREGATE_COST = 10
"""What figures over all rows of a connection count for, since all of them must be read."""
LISTING_ROWS = 10
"""How many rows a list without paging is thought to have."""


@dataclass(frozen=True, slots=True)
class Size:
    """How large a selection is when all its fragments are written out."""

    depth: int = 0
    fields: int = 0
    aliases: int = 0
    directives: int = 0

    def beside(self, other: Size) -> Size:
        return Size(
            max(self.depth, other.depth),
            self.fields + other.fields,
            self.aliases + other.aliases,
            self.directives + other.directives,
        )


class Measure:
    """Measures the operations of one document."""

    def __init__(self, document: DocumentNode) -> None:
        self.operations = [each for each in document.definitions if isinstance(each, OperationDefinitionNode)]
        self.fragments = {
            each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)
        }
        self.most_directives_at_once = 0
        self._sizes: dict[str, Size] = {}

    def size(self, operation: OperationDefinitionNode) -> Size:
        own = Size(directives=self._directives(operation))
        return own.beside(self._of_set(operation.selection_set))

    def _of_set(self, selections: SelectionSetNode | None) -> Size:
        total = Size()
        for each in selections.selections if selections is not None else ():
            total = total.beside(Size(directives=self._directives(each)))
            if isinstance(each, FieldNode):
                inner = self._of_set(each.selection_set)
                own = Size(inner.depth + 1, inner.fields + 1, inner.aliases + bool(each.alias), inner.directives)
                total = total.beside(own)
            elif isinstance(each, InlineFragmentNode):
                total = total.beside(self._of_set(each.selection_set))
            elif isinstance(each, FragmentSpreadNode):
                total = total.beside(self._of_fragment(each.name.value))
        return total

    def _of_fragment(self, name: str) -> Size:
        if name not in self._sizes:
            self._sizes[name] = Size()  # a cycle counts as nothing: validation refuses it
            fragment = self.fragments.get(name)
            if fragment is not None:
                self._sizes[name] = self._of_set(fragment.selection_set)
        return self._sizes[name]

    def _directives(self, node: Any) -> int:
        count = len(node.directives or ())
        self.most_directives_at_once = max(self.most_directives_at_once, count)
        return count


def size_errors(document: DocumentNode, limits: Limits) -> list[GraphQLError]:
    """What of the document is beyond the limits, in plain sentences."""
    try:
        return list(_size_errors(Measure(document), limits))
    except RecursionError:
        return [_error(f"The operation is nested too deeply; {limits.depth} levels are allowed.")]


def _size_errors(measure: Measure, limits: Limits) -> Iterator[GraphQLError]:
    if len(measure.operations) > limits.operations:
        yield _error(f"The document has {len(measure.operations)} operations; {limits.operations} are allowed.")
        return
    for operation in measure.operations:
        size = measure.size(operation)
        for what, found, allowed in (
            ("levels deep", size.depth, limits.depth),
            ("fields", size.fields, limits.fields),
            ("aliases", size.aliases, limits.aliases),
            ("directives", size.directives, limits.directives),
        ):
            if found > allowed:
                yield _error(f"The operation has more than {allowed} {what}; ask in several requests.")
    if measure.most_directives_at_once > limits.directives_at_once:
        yield _error(f"At most {limits.directives_at_once} directives may stand at one place.")


@dataclass(slots=True)
class Cost:
    """Estimates how many rows an operation may give. Made for one document; ``of`` is asked for each request."""

    schema: GraphQLSchema
    document: DocumentNode
    _known: dict[Any, int] = field(default_factory=dict)

    def of(self, operation: OperationDefinitionNode, variables: Mapping[str, Any]) -> int:
        """The cost with these variables (as they came, not yet coerced)."""
        values = dict(variables)
        for definition in operation.variable_definitions or ():
            default = definition.default_value
            if isinstance(default, IntValueNode):
                values.setdefault(definition.variable.name.value, int(default.value))
        pages = {name: value for name, value in values.items() if type(value) is int}
        key = (id(operation), tuple(sorted(pages.items())))
        if key not in self._known:
            if len(self._known) > 200:
                self._known.clear()
            self._known[key] = _Estimate(self.schema, self.document, pages).of(operation)
        return self._known[key]


class _Estimate:
    def __init__(self, schema: GraphQLSchema, document: DocumentNode, pages: Mapping[str, int]) -> None:
        self._schema, self._pages = schema, pages
        self._fragments = {
            each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)
        }
        self._costs: dict[str, int] = {}

    def of(self, operation: OperationDefinitionNode) -> int:
        return self._of_set(operation.selection_set, self._schema.get_root_type(operation.operation), 1)

    def _of_set(self, selections: SelectionSetNode | None, parent: Any, page: int) -> int:
        """The cost of a selection on one object; ``page`` is the size of the page if it is a connection."""
        total = 0
        for each in selections.selections if selections is not None else ():
            if isinstance(each, FieldNode):
                total += self._of_field(each, parent, page)
            elif isinstance(each, InlineFragmentNode):
                named = each.type_condition.name.value if each.type_condition else None
                inner = self._schema.get_type(named) if named else parent
                total += self._of_set(each.selection_set, inner, page)
            elif isinstance(each, FragmentSpreadNode):
                total += self._of_fragment(each.name.value, page)
        return total

    def _of_field(self, node: FieldNode, parent: Any, page: int) -> int:
        name = node.name.value
        declared: GraphQLField | None = getattr(parent, "fields", {}).get(name)
        if declared is None or node.selection_set is None:
            return 0
        target = get_named_type(declared.type)
        if parent.name.endswith("Connection") and name in ("aggregates", "groupBy"):
            inner = self._of_set(node.selection_set, target, 1)
            groups = self._page(node, DEFAULT_GROUPS) if name == "groupBy" else 1
            return AGGREGATE_COST + groups * (1 + inner)
        if "first" in declared.args:
            return 1 + self._of_set(node.selection_set, target, self._page(node))
        inner = self._of_set(node.selection_set, target, 1)
        if parent.name.endswith("Connection") and name in ("nodes", "edges"):
            return page * (1 + inner)
        return (LISTING_ROWS if _is_list(declared.type) else 1) * (1 + inner)

    def _of_fragment(self, name: str, page: int) -> int:
        key = f"{name} {page}"
        if key not in self._costs:
            self._costs[key] = 0
            fragment = self._fragments.get(name)
            if fragment is not None:
                parent = self._schema.get_type(fragment.type_condition.name.value)
                self._costs[key] = self._of_set(fragment.selection_set, parent, page)
        return self._costs[key]

    def _page(self, node: FieldNode, default: int = DEFAULT_PAGE) -> int:
        for argument in node.arguments or ():
            if argument.name.value in ("first", "last"):
                if isinstance(argument.value, IntValueNode):
                    return _bounded(int(argument.value.value))
                if isinstance(argument.value, VariableNode):
                    value = self._pages.get(argument.value.name.value)
                    if value is not None:
                        return _bounded(value)
        return default


def refuse_cost(cost: int, limits: Limits) -> None:
    """Raises `TooExpensive` when the operation may give more rows than one request should."""
    if cost > limits.cost:
        raise TooExpensive(
            f"The operation may give {cost} rows; {limits.cost} are allowed. Ask for smaller pages (first, last)."
        )


def _bounded(size: int) -> int:
    return max(0, min(size, LARGEST_PAGE))


def _is_list(kind: Any) -> bool:
    return is_list_type(kind.of_type if is_non_null_type(kind) else kind)


def _error(message: str) -> GraphQLError:
    return GraphQLError(message, extensions={"code": TooExpensive.code})
