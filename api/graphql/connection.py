# ruff: noqa: S608 - the SQL is put together from declarations of ours; values are bound, never written in
"""A page of rows as a Relay connection, from no more SQL than what is selected of it needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from api.graphql.aggregate import aggregates, groups
from api.graphql.declare import Arm, Entity, Kind, Timeline
from api.graphql.paging import Key, Window
from api.graphql.rows import Pair, many_objects, one_object

if TYPE_CHECKING:
    from api.graphql.plan import Details, Planner

TIMELINE_KEYS = (
    Key("at", "{x}.at", Kind.DATE_TIME, descending=True),
    Key("id", "{x}.id", Kind.ID, descending=True),
)
NO_EVENTS = "select null::timestamptz as at, null::uuid as id, ''::text as kind where false"


def timeline_arms(declared: Timeline, arguments: Mapping[str, Any]) -> list[Arm]:
    """The kinds of events asked for; all of them if none is named."""
    kinds = arguments.get("kinds")
    if kinds is None:
        return list(declared.arms)
    wanted = {kind.value for kind in kinds}
    return [arm for arm in declared.arms if arm.target in wanted]


def connection(
    planner: Planner,
    type_name: str,
    edge_name: str,
    details: Details,
    page: Window,
    x: str,
    *,
    source: str,
    node: Callable[[Details, str], str],
    row: Callable[[Details, str], list[Pair]] | None = None,
    narrowed: str | None = None,
    entity: Entity | None = None,
) -> str:
    """The connection's object.

    ``source`` is a FROM clause that has the candidate rows under the alias ``x``, and a WHERE clause;
    ``narrowed`` stands for it where only rows that can be on the page matter. ``node`` gives the object of a row
    of the page under the alias given; ``row`` its pairs, if it has them; ``entity`` is what figures are over.
    """
    selected = planner.selected(type_name, details)
    names = [each[0].node.name.value for each in selected.values()]
    if row is not None and not page.backwards and set(names) <= {"nodes", "__typename"}:
        return _nodes_only(planner, type_name, details, page, x, source=source, row=row)
    return _Page(planner, type_name, edge_name, page, x, source, narrowed or source, node, entity).object(details)


def _nodes_only(
    planner: Planner,
    type_name: str,
    details: Details,
    page: Window,
    x: str,
    *,
    source: str,
    row: Callable[[Details, str], list[Pair]],
) -> str:
    """The shape measured fastest: an array straight from the rows in their order."""
    source = f"{source} and {page.beyond(x)} order by {page.order(x)} limit {page.size}"

    def value(_name: str, each: Details) -> str:
        return many_objects(row(each, x), planner.alias(), source)

    return one_object(planner.of_object(type_name, details, value), planner.alias())


class _Page:
    """The general shape, in three layers: the page's rows (one more than asked for, to know whether there are
    more), what is selected of each as JSON, and the sums over them."""

    def __init__(
        self,
        planner: Planner,
        type_name: str,
        edge_name: str,
        page: Window,
        x: str,
        source: str,
        narrowed: str,
        node: Callable[[Details, str], str],
        entity: Entity | None,
    ) -> None:
        self._planner, self._type, self._edge, self._entity = planner, type_name, edge_name, entity
        self._page, self._x, self._node = page, x, node
        self._all = f"select {x}.* {source}"
        self._candidates = f"select {x}.* {narrowed}"
        self._each = planner.alias()
        self._sums = planner.alias()
        self._per_row: dict[str, str] = {}
        self._per_page: dict[str, str] = {}

    def object(self, details: Details) -> str:
        pairs = self._planner.of_object(self._type, details, self._field)
        x, page = self._x, self._page
        candidates = f"{self._candidates} and {page.beyond(x)} order by {page.order(x)} limit {page.size} + 1"
        row_columns = ", ".join(f"{sql} as {name}" for name, sql in self._per_row.items())
        each = (
            f"select row_number() over (order by {page.order(x)}) as i{', ' if row_columns else ''}{row_columns} "
        )
        each += f"from ({candidates}) {x}"
        sums = ", ".join(f"{sql} as {name}" for name, sql in self._per_page.items()) or "1 as one"
        source = f"from (select {sums} from ({each}) {self._each}) {self._sums}"
        if not self._per_page:
            source = ""
        return one_object(pairs, self._planner.alias(), source)

    def _field(self, name: str, details: Details) -> str:
        match name:
            case "nodes":
                return self._array(self._node(details, self._x))
            case "edges":
                edge = self._planner.of_object(self._edge, details, self._edge_field)
                return self._array(one_object(edge, self._planner.alias()))
            case "totalCount":
                return f"(select count(*) from ({self._all}) {self._planner.alias()})"
            case "aggregates" if self._entity is not None:
                return aggregates(self._planner, self._entity, self._all, details)
            case "groupBy" if self._entity is not None:
                return groups(self._planner, self._entity, self._all, details)
            case "pageInfo":
                return one_object(
                    self._planner.of_object("PageInfo", details, self._page_info), self._planner.alias()
                )
        raise TypeError(f"{self._type} has no field {name}")

    def _edge_field(self, name: str, details: Details) -> str:
        if name == "node":
            return self._node(details, self._x)
        if name == "cursor":
            return self._page.row_cursor(self._x)
        raise TypeError(f"{self._edge} has no field {name}")

    def _page_info(self, name: str, _details: Details) -> str:
        backwards = self._page.backwards
        if name in ("startCursor", "endCursor"):
            self._per_row.setdefault("cursor", self._page.row_cursor(self._x))
            outer = (name == "endCursor") is not backwards
            order = "desc" if outer else "asc"
            cursors = f"array_agg({self._each}.cursor order by {self._each}.i {order})"
            return self._sum(f"({cursors} filter (where {self._on_page()}))[1]")
        if (name == "hasNextPage") is not backwards:
            return self._sum(f"count(*) > {self._page.size}")
        if self._page.cursor is None:
            return "false"
        behind = f"{self._all} and {self._page.behind(self._x)}"
        return f"exists({behind})"

    def _array(self, per_row: str) -> str:
        column = f"j{len(self._per_row)}"
        self._per_row[column] = per_row
        order = "desc" if self._page.backwards else "asc"
        return self._sum(
            f"coalesce(json_agg({self._each}.{column} order by {self._each}.i {order}) "
            f"filter (where {self._on_page()}), '[]'::json)"
        )

    def _on_page(self) -> str:
        return f"{self._each}.i <= {self._page.size}"

    def _sum(self, sql: str) -> str:
        column = f"s{len(self._per_page)}"
        self._per_page[column] = sql
        return f"{self._sums}.{column}"
