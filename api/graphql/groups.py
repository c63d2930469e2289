"""The types of aggregates and groups over the rows of a connection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from strawberry.types.arguments import StrawberryArgument
from strawberry.types.field import StrawberryField

from api.graphql.build import (
    add_fields,
    add_input_fields,
    argument,
    constant,
    field,
    input_type,
    leaf,
    list_of,
    object_type,
    optional,
    python_type,
)
from api.graphql.declare import Column, Entity, Kind
from api.graphql.dimensions import Dimension, dimensions, extremes, measured, measures, relations
from api.graphql.enums import Nulls, OrderDirection, graphql_enum
from api.graphql.inputs import Inputs
from api.graphql.scalars import DateText

DEFAULT_GROUPS, LARGEST_GROUPS = 100, 1000
DateGrain = graphql_enum(
    "DateGrain",
    "Into which stretches of time moments are put; a stretch is told by its first day.",
    {
        "DAY": ("day", "Days."),
        "WEEK": ("week", "Weeks, from Monday."),
        "MONTH": ("month", "Months."),
        "QUARTER": ("quarter", "Quarters."),
        "YEAR": ("year", "Years."),
    },
)
_AGGREGATED = "Figures over all rows of all pages (those that the filter leaves)."


class Groups:
    """The fields `aggregates` and `groupBy` of connections, with their types."""

    def __init__(self, entities: Mapping[str, Entity], inputs: Inputs) -> None:
        self._entities, self._inputs = entities, inputs

    def fields(self, entity: Entity, objects: Mapping[str, Any]) -> list[StrawberryField]:
        aggregates = self._aggregates(entity)
        made = [field("aggregates", aggregates, _AGGREGATED)]
        known = dimensions(entity, self._entities)
        if known:
            group = self._group(entity, aggregates, known, objects)
            made.append(
                field(
                    "groupBy",
                    list_of(group),
                    "The rows of all pages in groups, each with its figures. Unless asked otherwise they stand by "
                    "the dimensions, subtotals after what they sum up.",
                    self._arguments(entity, known),
                )
            )
        return made

    def _aggregates(self, entity: Entity) -> Any:
        name = entity.name
        made = object_type(f"{name}Aggregates", f"Figures over a number of {name} rows.")
        fields = [field("count", int, "How many rows.")]
        if relations(entity):
            distinct = object_type(f"{name}Distinct", f"How many different rows {name} rows name.")
            add_fields(distinct, [field(each.name, int, each.description) for each in relations(entity)])
            fields.append(field("countDistinct", distinct, "How many different ones the rows name."))
        if measured(entity):
            sums = object_type(f"{name}Sums", f"Sums over {name} rows; null where no row has a value.")
            add_fields(sums, [field(each.name, _sum_of(each), _of(each)) for each in measured(entity)])
            averages = object_type(f"{name}Averages", f"Averages over {name} rows that have a value.")
            decimal = optional(python_type(Kind.DECIMAL))
            add_fields(averages, [field(each.name, decimal, _of(each)) for each in measured(entity)])
            fields += [
                field("sum", sums, "Sums."),
                field("average", averages, "Averages, rounded to six places."),
            ]
        if extremes(entity):
            bounds = object_type(f"{name}Extremes", f"Least or greatest values of {name} rows.")
            add_fields(
                bounds, [field(each.name, optional(python_type(each.kind)), _of(each)) for each in extremes(entity)]
            )
            fields += [field("min", bounds, "Least values."), field("max", bounds, "Greatest values.")]
        add_fields(made, fields)
        return made

    def _group(
        self, entity: Entity, aggregates: Any, known: Mapping[str, Dimension], objects: Mapping[str, Any]
    ) -> Any:
        key = object_type(
            f"{entity.name}GroupKey",
            "What the rows of a group have in common; a field is null too where the row is a subtotal over it.",
        )
        add_fields(key, [made for each in known.values() for made in _key_fields(each, objects)])
        made = object_type(f"{entity.name}Group", f"A group of {entity.name} rows.")
        add_fields(
            made,
            [
                field("key", key, "What they have in common. Ask only for dimensions that are in `by`."),
                field(
                    "level",
                    int,
                    "How many of the dimensions hold: all of them in a group, fewer in a subtotal, 0 in the total.",
                ),
                field("aggregates", aggregates, "The group's figures."),
            ],
        )
        return made

    def _arguments(self, entity: Entity, known: Mapping[str, Dimension]) -> list[StrawberryArgument]:
        name = entity.name
        dimension = graphql_enum(
            f"{name}Dimension",
            f"What {name} rows can be grouped by.",
            {constant(each.name): (each.name, each.description) for each in known.values()},
        )
        measure = graphql_enum(
            f"{name}Measure",
            f"Figures by which groups of {name} rows can be chosen and ordered.",
            {
                constant(each.name.replace("_", "")) if "_" not in each.name else _joined(each.name): (
                    each.name,
                    each.description,
                )
                for each in measures(entity).values()
            },
        )
        by = input_type(f"{name}GroupBy", f"A dimension of groups of {name} rows.", {})
        add_fields(by, [field("dimension", dimension, "What to group by.")])
        add_input_fields(by, {"grain": (DateGrain, "Of a moment or a day: how finely (days if not given).")})
        if entity.custom() is not None:
            text = "Of CUSTOM: the field's key, out of `customFields`. With a grain its values are read as days."
            add_input_fields(by, {"customField": (str, text)})
        having = input_type(f"{name}Having", f"A condition on groups of {name} rows; all that is given holds.", {})
        add_fields(having, [field("measure", measure, "The figure.")])
        decimal = python_type(Kind.DECIMAL)
        add_input_fields(
            having,
            {
                "eq": (decimal, "It is equal to this."),
                "ne": (decimal, "It isn't equal to this."),
                "gt": (decimal, "It is greater than this."),
                "gte": (decimal, "It is greater than this, or equal."),
                "lt": (decimal, "It is less than this."),
                "lte": (decimal, "It is less than this, or equal."),
            },
        )
        order = input_type(f"{name}GroupOrder", "A term of an order of groups: by a dimension or by a figure.", {})
        add_input_fields(
            order,
            {
                "dimension": (dimension, "A dimension that is in `by`."),
                "measure": (measure, "Or a figure."),
                "grain": (DateGrain, "Of a time that is in `by` with several grains: which (else the first)."),
            },
        )
        if entity.custom() is not None:
            text = "Of CUSTOM, where several fields are in `by`: the key of the one meant (else the first)."
            add_input_fields(order, {"customField": (str, text)})
        add_fields(
            order,
            [
                field("direction", OrderDirection, "Which way.", default=OrderDirection.ASC),
                field("nulls", Nulls, "Where groups without a value stand.", default=Nulls.LAST),
            ],
        )
        return [
            argument("by", list_of(by), "The dimensions, the coarsest first."),
            argument(
                "rollup",
                bool,
                "Also give subtotals over the last dimension, the last two, and so on, and the total.",
                default=False,
            ),
            argument("having", optional(list_of(having)), "Only groups for which all of it holds.", default=None),
            argument("orderBy", optional(list_of(order)), "The order of the groups.", default=None),
            argument(
                "timeZone",
                optional(str),
                "IANA zone whose days moments fall on (`Europe/Moscow`); the workspace's if not given.",
                default=None,
            ),
            argument("first", int, f"How many groups; {LARGEST_GROUPS} at most.", default=DEFAULT_GROUPS),
        ]


def _key_fields(dimension: Dimension, objects: Mapping[str, Any]) -> list[StrawberryField]:
    if dimension.custom is None:
        return [_key_field(dimension, objects)]
    key = argument("key", str, "Which field, by its key; it must be in `by`.")
    grain = argument("grain", optional(DateGrain), "Which, if it is in `by` with several grains.", default=None)
    value = "Value of a vendor's own field, as text; with a grain the first day, `2026-03-01`."
    label = "The same for people: of a field that offers a choice, what the option is called."
    return [
        field("custom", optional(str), value, [key, grain]),
        field("customLabel", optional(str), label, [key]),
    ]


def _key_field(dimension: Dimension, objects: Mapping[str, Any]) -> StrawberryField:
    if dimension.spread:
        return field(dimension.name, optional(str), dimension.description)
    if dimension.dated:
        grain = argument("grain", optional(DateGrain), "Which, if it is in `by` with several grains.", default=None)
        return field(dimension.name, optional(DateText), f"First day. {dimension.description}", [grain])
    if dimension.column is not None:
        return field(dimension.name, optional(leaf(dimension.column)), dimension.description)
    target = dimension.relation.target if dimension.relation is not None else ""
    return field(dimension.name, optional(objects[target]), dimension.description)


def _sum_of(column: Column) -> Any:
    return optional(python_type(Kind.BIG_INT if column.kind in (Kind.INT, Kind.BIG_INT) else column.kind))


def _of(column: Column) -> str:
    if column.money is None:
        return column.description
    return f"{column.description} Null where currencies are mixed: group by `currency` or filter by it."


def _joined(name: str) -> str:
    function, _, of = name.partition("_")
    return f"{function.upper()}_{constant(of)}"
