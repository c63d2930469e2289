"""What rows can be counted by and what can be summed of them: follows from the declared fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from api.graphql.declare import Column, Custom, Entity, Kind, One

NUMBERS = frozenset({Kind.INT, Kind.BIG_INT, Kind.DECIMAL, Kind.FLOAT})
MOMENTS = frozenset({Kind.DATE, Kind.DATE_TIME})
SPREAD = "A row stands in a group for each element of its list, so groups may sum up to more than there is."
_WORDS = frozenset({Kind.STRING, Kind.BOOLEAN})
_OF_OTHERS = frozenset({"externalId"})
"""Fields of a related row that say no more than the row itself: group by the relation."""


class Function(Enum):
    """An aggregate over the rows of a group."""

    SUM = "sum"
    AVERAGE = "avg"
    MIN = "min"
    MAX = "max"
    DISTINCT = "distinct"


@dataclass(frozen=True, slots=True)
class Dimension:
    """What rows are grouped by: a field of theirs (``column`` alone), the row that they name (``relation`` alone),
    or a field of that row (both); or one of the vendor's own fields (``custom``)."""

    name: str
    description: str
    column: Column | None = None
    relation: One | None = None
    custom: Custom | None = None

    @property
    def dated(self) -> bool:
        return self.column is not None and self.column.kind in MOMENTS

    @property
    def spread(self) -> bool:
        """Whether a row stands in several groups, one for each element of a list."""
        return self.column is not None and self.column.many


@dataclass(frozen=True, slots=True)
class Measure:
    """A number that tells of a group: how many rows (no function), or a function of a field."""

    name: str
    description: str
    function: Function | None = None
    column: Column | None = None
    relation: One | None = None


def dimensions(entity: Entity, entities: Mapping[str, Entity]) -> dict[str, Dimension]:
    """The dimensions of an entity's rows by name."""
    found: list[Dimension] = []
    for each in entity.fields:
        if isinstance(each, Column) and _groups(each):
            found.append(Dimension(each.name, each.description, column=each))
        elif isinstance(each, Column) and _spreads(each):
            found.append(Dimension(each.name, f"{each.description} {SPREAD}", column=each))
        elif isinstance(each, Custom):
            found.append(
                Dimension("custom", f"The vendor's own field named in `customField`. {SPREAD}", custom=each)
            )
        elif isinstance(each, One) and each.source is None:
            found.append(Dimension(each.name, each.description, relation=each))
            found += [
                Dimension(
                    each.name + column.name[0].upper() + column.name[1:],
                    f"Of the {each.name}: {column.description}",
                    column=column,
                    relation=each,
                )
                for column in entities[each.target].columns()
                if _tells(column)
            ]
    return {each.name: each for each in found}


def measured(entity: Entity) -> list[Column]:
    """Fields with numbers that can be summed."""
    return [each for each in entity.columns() if each.kind in NUMBERS and _usable(each)]


def extremes(entity: Entity) -> list[Column]:
    """Fields that have a least and a greatest value."""
    return [each for each in entity.columns() if each.kind in NUMBERS | MOMENTS and _usable(each)]


def relations(entity: Entity) -> list[One]:
    return [each for each in entity.fields if isinstance(each, One) and each.source is None]


def measures(entity: Entity) -> dict[str, Measure]:
    """The numbers by which groups can be chosen and ordered, by name."""
    found = [Measure("count", "How many rows.")]
    for column in measured(entity):
        for function, what in (
            (Function.SUM, "Sum"),
            (Function.AVERAGE, "Average"),
            (Function.MIN, "Least value"),
            (Function.MAX, "Greatest value"),
        ):
            text = f"{what} of `{column.name}`."
            found.append(Measure(f"{function.name.lower()}_{column.name}", text, function, column))
    found += [
        Measure(f"distinct_{one.name}", f"How many different `{one.name}`.", Function.DISTINCT, None, one)
        for one in relations(entity)
    ]
    return {each.name: each for each in found}


def _usable(column: Column) -> bool:
    return (column.filterable or column.sortable) and not column.many


def _groups(column: Column) -> bool:
    return _usable(column) and column.kind in _WORDS | MOMENTS | {Kind.INT}


def _spreads(column: Column) -> bool:
    """Whether the elements of a list are worth groups: words that are nobody's personal data."""
    words = column.filterable and column.kind is Kind.STRING
    return column.many and words and column.form is None and column.mask is None


def _tells(column: Column) -> bool:
    """Whether a field of a related row is worth a dimension of its own."""
    known = column.filterable and not column.many and column.kind in _WORDS and column.form is None
    return known and column.name not in _OF_OTHERS and not column.name.startswith("utm")
