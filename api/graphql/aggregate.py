# ruff: noqa: S608 - the SQL is put together from declarations of ours; values are bound, never written in
"""Figures over the rows of a connection, whole or in groups, within the statement of its root field.

Three layers: the rows with their dimensions as columns ``#0``, ``#1``…; the sums by them; the JSON of each group.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any
from zoneinfo import available_timezones

from api.graphql.custom import as_number, day_in, elements, label_of
from api.graphql.declare import Column, Entity, Kind, One
from api.graphql.dimensions import Dimension, Function, Measure, dimensions, measures
from api.graphql.errors import CallerError
from api.graphql.filters import id_of_other, refuse_masked, refuse_personal
from api.graphql.groups import DEFAULT_GROUPS, LARGEST_GROUPS
from api.graphql.rows import many_objects, one_object
from api.graphql.values import Viewer, current

if TYPE_CHECKING:
    from api.graphql.plan import Details, Planner

_SIGNS = {"eq": "=", "ne": "<>", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_MOST_DIMENSIONS = 6


def aggregates(planner: Planner, entity: Entity, rows: str, details: Details) -> str:
    """The object of the figures over all of ``rows``, a SELECT of the entity's table."""
    return _Figures(planner, entity, rows, []).whole(details)


def groups(planner: Planner, entity: Entity, rows: str, details: Details) -> str:
    """The array of the groups of ``rows``."""
    arguments = planner.arguments(f"{entity.name}Connection", details)
    return _Figures(planner, entity, rows, _chosen(planner, entity, arguments["by"])).grouped(arguments, details)


@dataclass(frozen=True, slots=True)
class _Chosen:
    """A dimension in ``by``, with its grain where it is a time; ``key`` tells which of the vendor's own fields."""

    dimension: Dimension
    grain: str | None
    key: Any = None


def _chosen(planner: Planner, entity: Entity, by: Sequence[Mapping[str, Any]]) -> list[_Chosen]:
    known = dimensions(entity, planner.entities)
    found = []
    for each in by:
        dimension, grain = known[_member(each["dimension"])], _member(each.get("grain"))
        if dimension.custom is not None:
            found.append(_custom(planner, dimension, grain, each.get("customField")))
            continue
        if grain is not None and not dimension.dated:
            raise CallerError(f"The dimension {dimension.name} is no time: it has no grain.")
        if dimension.column is not None:
            refuse_personal(planner.role, dimension.column, "group by")
        found.append(_Chosen(dimension, grain or "day" if dimension.dated else None))
    if not 0 < len(found) <= _MOST_DIMENSIONS or len(set(found)) < len(found):
        raise CallerError(f"Group by 1 to {_MOST_DIMENSIONS} dimensions, each once.")
    return found


def _custom(planner: Planner, dimension: Dimension, grain: str | None, key: Any) -> _Chosen:
    refuse_masked(planner.role, dimension.custom.mask if dimension.custom else None, "custom", "group by")
    if key is None:
        raise CallerError("To group by CUSTOM, name the vendor's field in customField.")
    return _Chosen(dimension, grain, key)


class _Figures:
    """The figures over a set of rows, by the dimensions chosen (by none: over all)."""

    def __init__(self, planner: Planner, entity: Entity, rows: str, chosen: Sequence[_Chosen]) -> None:
        self._planner, self._entity, self._rows, self._chosen = planner, entity, rows, chosen
        self._row, self._sums = planner.alias(), planner.alias()
        self._columns: dict[str, str] = {}
        self._keys = {i: planner.bind(each.key, "text") for i, each in enumerate(chosen) if each.dimension.custom}

    def whole(self, details: Details) -> str:
        pairs = self._planner.of_object(f"{self._entity.name}Aggregates", details, self._aggregate)
        return one_object(pairs, self._planner.alias(), f"from ({self._summed('')}) {self._sums}")

    def grouped(self, arguments: Mapping[str, Any], details: Details) -> str:
        pairs = self._planner.of_object(f"{self._entity.name}Group", details, self._of_group)
        conditions = [condition for each in arguments.get("having") or () for condition in self._having(each)] or [
            "true"
        ]
        order = ", ".join(self._order(arguments.get("orderBy") or ()))
        limit = self._planner.bind(arguments.get("first", DEFAULT_GROUPS), "integer", _group_count)
        names = ", ".join(f'{self._row}."#{index}"' for index in range(len(self._chosen)))
        by = f"group by rollup({names})" if arguments.get("rollup") else f"group by {names}"
        zone = self._zone(arguments.get("timeZone"))
        source = f"from ({self._summed(by, zone)}) {self._sums} where {' and '.join(conditions)}"
        return many_objects(pairs, self._planner.alias(), f"{source} order by {order} limit {limit}")

    def _summed(self, by: str, zone: str = "") -> str:
        """The middle layer; everything that is selected must have asked for its columns before."""
        columns = [f"{sql} as {name}" for sql, name in self._columns.items()]
        for index in range(len(self._chosen)):
            at = f'{self._row}."#{index}"'
            columns.append(f'{at}, grouping({at}) as "#g{index}"')
        source, joins, keys = self._planner.alias(), "", ""
        for index, each in enumerate(self._chosen):
            custom = each.dimension.custom is not None
            join, key = self._custom_key(index, source, zone) if custom else self._key(each, source, zone)
            joins += join
            keys += f', {key} as "#{index}"'
        rows = f"select {source}.*{keys} from ({self._rows}) {source}{joins}"
        return f"select {', '.join(columns) or 'count(*)'} from ({rows}) {self._row} {by}"

    def _key(self, each: _Chosen, x: str, zone: str) -> tuple[str, str]:
        """What must be joined for a dimension, and its expression."""
        relation, column, join = each.dimension.relation, each.dimension.column, ""
        if relation is not None and column is None:
            return "", id_of_other(self._planner, relation, x)
        if relation is not None:
            entity, t = self._planner.entities[relation.target], self._planner.alias()
            on = f"{t}.{entity.key} = {id_of_other(self._planner, relation, x)}"
            join = f" left join {entity.table} {t} on {self._planner.tenant(entity, t)} and {on}"
            x = t
        if column is None:
            raise TypeError(f"{each.dimension.name} is no dimension")
        value = column.sql.format(x=x)
        if each.dimension.spread:
            element = self._planner.alias()
            return f" left join lateral unnest({value}) {element}(value) on true", f"{element}.value"
        if column.kind is Kind.DATE_TIME:
            value = f"({value} at time zone {zone})"
        if each.grain is not None:
            return join, f"date_trunc('{each.grain}', {value}::timestamp)::date"
        return join, f"upper({value})" if column.enum is not None else value

    def _custom_key(self, index: int, x: str, zone: str) -> tuple[str, str]:
        """The same for a vendor's own field."""
        each, element = self._chosen[index], self._planner.alias()
        held = (each.dimension.custom.sql if each.dimension.custom else "").format(x=x)
        join = f" left join lateral {elements(f'({held} -> {self._keys[index]})')} {element}(value) on true"
        value = f"{element}.value"
        if each.grain is None:
            return join, value
        return join, f"date_trunc('{each.grain}', {day_in(value, self._keys[index], zone)})::date"

    def _of_group(self, name: str, details: Details) -> str:
        match name:
            case "level":
                rolled = " - ".join(f'{self._sums}."#g{index}"' for index in range(len(self._chosen)))
                return f"({len(self._chosen)} - {rolled})"
            case "aggregates":
                pairs = self._planner.of_object(f"{self._entity.name}Aggregates", details, self._aggregate)
            case "key":
                pairs = self._planner.of_object(f"{self._entity.name}GroupKey", details, self._of_key)
            case _:
                raise TypeError(f"a group has no field {name}")
        return one_object(pairs, self._planner.alias())

    def _of_key(self, name: str, details: Details) -> str:
        if name in ("custom", "customLabel"):
            return self._of_custom_key(details, labelled=name == "customLabel")
        dated = dimensions(self._entity, self._planner.entities)[name].dated
        grain = self._planner.arguments(f"{self._entity.name}GroupKey", details).get("grain") if dated else None
        index = self._place(name, _member(grain))
        relation = self._chosen[index].dimension.relation
        if relation is None or self._chosen[index].dimension.column is not None:
            return f'{self._sums}."#{index}"'
        other = self._planner.entities[relation.target]
        by_id = replace(relation, on=f'{{t}}.{other.key} = {{x}}."#{index}"')
        return self._planner.one(by_id, details, self._sums)

    def _of_custom_key(self, details: Details, *, labelled: bool) -> str:
        """The value of the field that is asked for, among those that are grouped by: which one it is the statement
        finds out, for the plan may be used again with other variables."""
        if not self._keys:
            raise CallerError("The groups are not by custom: name the field in `by`.")
        arguments = self._planner.arguments(f"{self._entity.name}GroupKey", details)
        asked, grain = self._planner.bind(arguments["key"], "text"), _member(arguments.get("grain"))
        arms = ""
        for index, key in self._keys.items():
            value = f'{self._sums}."#{index}"::text'
            if labelled and self._chosen[index].grain is None:
                value = label_of(key, value)
            if grain in (None, self._chosen[index].grain):
                arms += f" when {key} = {asked} then {value}"
        return f"(case{arms} end)" if arms else "null::text"

    def _place(self, name: str, grain: str | None = None) -> int:
        for index, each in enumerate(self._chosen):
            if each.dimension.name == name and grain in (None, each.grain):
                return index
        raise CallerError(f"The groups are not by {name}{f' ({grain})' if grain else ''}: name it in `by`.")

    def _aggregate(self, name: str, details: Details) -> str:
        if name == "count":
            return self._sum("count(*)")
        function, type_name = {
            "countDistinct": (Function.DISTINCT, "Distinct"),
            "sum": (Function.SUM, "Sums"),
            "average": (Function.AVERAGE, "Averages"),
            "min": (Function.MIN, "Extremes"),
            "max": (Function.MAX, "Extremes"),
        }[name]

        def value(of: str, _details: Details) -> str:
            declared = self._entity.by_name[of]
            if isinstance(declared, One):
                return self._measure(Measure(of, "", function, relation=declared))
            if not isinstance(declared, Column):
                raise TypeError(f"{self._entity.name}.{of} can't be summed")
            found = self._measure(Measure(of, "", function, column=declared))
            exact = declared.kind is Kind.DECIMAL or function is Function.AVERAGE
            return f"{found}::text" if exact else found

        pairs = self._planner.of_object(f"{self._entity.name}{type_name}", details, value)
        return one_object(pairs, self._planner.alias())

    def _measure(self, measure: Measure) -> str:
        """The measure's value in the outer layer."""
        if measure.function is None:
            return self._sum("count(*)")
        if measure.relation is not None:
            return self._sum(f"count(distinct {id_of_other(self._planner, measure.relation, self._row)})")
        column = measure.column
        if column is None:
            raise TypeError(f"{measure.name} measures nothing")
        refuse_personal(self._planner.role, column, "aggregate")
        value = column.sql.format(x=self._row)
        sql = f"{measure.function.value}({value})"
        if measure.function is Function.AVERAGE:
            sql = f"trim_scale(round({sql}::numeric, 6))"
        if column.money is not None:
            currency, told = f'{self._row}."{column.money}"', f"filter (where {value} is not null)"
            sql = f"case when min({currency}) {told} is not distinct from max({currency}) {told} then {sql} end"
        return self._sum(sql)

    def _sum(self, sql: str) -> str:
        """A column of the middle layer, and its name in the outer one."""
        name = self._columns.setdefault(sql, f'"#s{len(self._columns)}"')
        return f"{self._sums}.{name}"

    def _having(self, each: Mapping[str, Any]) -> list[str]:
        value = self._measure(measures(self._entity)[_member(each["measure"])])
        found = []
        for name, bound in each.items():
            if name in _SIGNS and bound is None:
                raise CallerError(f"The operator {name!r} is null: leave it out.")
            if name in _SIGNS:
                found.append(f"{value} {_SIGNS[name]} {self._planner.bind(bound, 'numeric')}")
        return found

    def _order(self, terms: Sequence[Mapping[str, Any]]) -> list[str]:
        """The order asked for; then by the dimensions, subtotals after what they sum up."""
        found = []
        for each in terms:
            dimension, measure = _member(each.get("dimension")), _member(each.get("measure"))
            if (dimension is None) == (measure is None):
                raise CallerError("Order groups by either a dimension or a measure in each term.")
            descending = " desc" if _member(each["direction"]) == "DESC" else ""
            nulls = f" nulls {_member(each['nulls']).lower()}"
            if measure is not None:
                found.append(f"{self._measure(measures(self._entity)[measure])}{descending}{nulls}")
                continue
            values = self._ordered(dimension, _member(each.get("grain")), each.get("customField"))
            found += [values[0], *(f"{value}{descending}{nulls}" for value in values[1:])]
        for index in range(len(self._chosen)):
            found += [f'{self._sums}."#g{index}"', f'{self._sums}."#{index}"']
        return found

    def _ordered(self, dimension: str, grain: str | None, key: Any) -> list[str]:
        """What groups are ordered by for the sake of a dimension: whether they are subtotals over it, then its
        value; of a vendor's own field as a number, if it is one, then as text."""
        if key is not None and dimension != "custom":
            raise CallerError("Only CUSTOM has a customField.")
        if dimension != "custom" or not self._keys:
            index = self._place(dimension, grain)
            return [f'{self._sums}."#g{index}"', f'{self._sums}."#{index}"']
        fitting = {i: known for i, known in self._keys.items() if grain in (None, self._chosen[i].grain)}
        asked = None if key is None else self._planner.bind(key, "text")
        subtotal, value = (
            _first_of([(known, f'{self._sums}."{name}{i}"::{kind}') for i, known in fitting.items()], asked)
            for name, kind in (("#g", "integer"), ("#", "text"))
        )
        if subtotal is None or value is None:
            raise CallerError(f"The groups are not by custom ({grain}): name it in `by`.")
        return [subtotal, as_number(value), value]

    def _zone(self, wanted: Any) -> str:
        if wanted is None:
            return "(select w.time_zone from workspace w where w.id = %(workspace)s::uuid)"
        return self._planner.bind(wanted, "text", _zone_name)


def _first_of(arms: Sequence[tuple[str, str]], asked: str | None) -> str | None:
    """Of expressions by the keys of fields that of the key asked for, else the first. Which one it is the statement
    finds out, for the plan may be used again with other variables."""
    if asked is None or not arms:
        return arms[0][1] if arms else None
    return f"(case {' '.join(f'when {key} = {asked} then {value}' for key, value in arms)} end)"


def _member(value: Any) -> Any:
    """What an enum's value in the arguments stands for."""
    return getattr(current(value), "value", current(value))


def _group_count(value: Any, _viewer: Viewer) -> int:
    if not 0 <= value <= LARGEST_GROUPS:
        raise CallerError(f"Ask for 0 to {LARGEST_GROUPS} groups, not {value}.")
    return int(value)


@cache
def _zones() -> frozenset[str]:
    """All names of time zones; to find them is to walk through the system's files, so it is done once."""
    return frozenset(available_timezones())


def _zone_name(value: Any, _viewer: Viewer) -> str:
    if value not in _zones():
        raise CallerError(f"{value!r} is no time zone: name one like Europe/Moscow.")
    return str(value)
