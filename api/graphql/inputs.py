"""From the declarations to input types: filters, whose operators follow from what a field holds, and orders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import strawberry

from api.graphql.build import (
    add_fields,
    add_input_fields,
    constant,
    field,
    input_type,
    list_of,
    python_type,
)
from api.graphql.declare import Column, Entity, Field, Form, Kind, Listing, Many, One
from api.graphql.enums import ENUMS, Nulls, OrderDirection, graphql_enum
from api.graphql.scalars import JsonValue

_OPERATORS: Mapping[str, str] = {
    "eq": "Equal to this.",
    "ne": "Not equal to this; rows without a value are among them.",
    "in": "Equal to one of these.",
    "notIn": "Equal to none of these; rows without a value are among them.",
    "gt": "Greater (later) than this.",
    "gte": "Greater (later) than this, or equal.",
    "lt": "Less (earlier) than this.",
    "lte": "Less (earlier) than this, or equal.",
    "contains": "Contains this text, in any case of letters.",
    "startsWith": "Begins with this text, in any case of letters.",
    "isNull": "Whether there is no value.",
    "has": "Contains this element.",
    "hasAny": "Contains one of these elements at least.",
    "hasAll": "Contains all of these elements.",
    "isEmpty": "Whether it has no elements.",
}
_MANY_VALUES = frozenset({"in", "notIn", "hasAny", "hasAll"})
_FLAGS = frozenset({"isNull", "isEmpty"})
_SAME = ("eq", "ne", "in", "notIn", "isNull")
_RANGE = ("eq", "ne", "in", "notIn", "gt", "gte", "lt", "lte", "isNull")
_TEXT = ("eq", "ne", "in", "notIn", "contains", "startsWith", "isNull")
_ELEMENTS = ("has", "hasAny", "hasAll", "isEmpty")
_BY_KIND: Mapping[Kind, tuple[str, tuple[str, ...]]] = {
    Kind.ID: ("ID", _SAME),
    Kind.STRING: ("String", _TEXT),
    Kind.INT: ("Int", _RANGE),
    Kind.BIG_INT: ("BigInt", _RANGE),
    Kind.DECIMAL: ("Decimal", _RANGE),
    Kind.FLOAT: ("Float", _RANGE),
    Kind.BOOLEAN: ("Boolean", ("eq", "ne", "isNull")),
    Kind.DATE_TIME: ("DateTime", _RANGE),
    Kind.DATE: ("Date", _RANGE),
}
_FORMS = {Form.PHONE: "PhoneNumber", Form.EMAIL: "EmailAddress", Form.URL: "URL"}
_MEANT = {
    "PhoneNumber": "a phone, in any spelling (`contains` looks for a run of digits)",
    "EmailAddress": "an e-mail, in any case of letters",
}


class Inputs:
    """The input types over the declared entities, each made when it is first asked for."""

    def __init__(self, entities: Mapping[str, Entity]) -> None:
        self._entities = entities
        self._made: dict[str, Any] = {}

    def filter(self, entity: Entity) -> Any:
        """The filter over an entity."""
        name = f"{entity.name}Filter"
        if name not in self._made:
            made = input_type(name, f"Which rows of {entity.name}; all that is given must hold.", {})
            self._made[name] = made
            fields: dict[str, tuple[Any, str]] = {
                each.name: (self._of_field(each), each.description)
                for each in entity.fields
                if self.filterable(each)
            }
            if entity.custom() is not None:
                fields["custom"] = (list_of(self._custom()), "The vendor's own fields; all of these hold.")
            fields["and"] = (list_of(made), "All of these hold.")
            fields["or"] = (list_of(made), "One of these holds at least.")
            fields["not"] = (made, "This does not hold.")
            add_input_fields(made, fields)
        return self._made[name]

    def filterable(self, declared: Field) -> bool:
        """Whether rows can be chosen by the field: by a value of their own, or by rows that they are tied to."""
        if isinstance(declared, One):
            return declared.source is None and self._chosen(declared.target)
        if isinstance(declared, Many):
            return self._chosen(declared.target)
        if isinstance(declared, Listing):
            return declared.source is None and self._chosen(declared.target)
        return isinstance(declared, Column) and declared.filterable

    def order(self, entity: Entity) -> Any:
        """One term of an order over an entity."""
        name = f"{entity.name}Order"
        if name not in self._made:
            known = {constant(each.name): (each.name, each.description) for each in sortable(entity)}
            if entity.custom() is not None:
                known["CUSTOM"] = ("custom", "The vendor's own field whose key stands in `customField`.")
            names = graphql_enum(
                f"{entity.name}OrderField", f"What rows of {entity.name} can be ordered by.", known
            )
            fields: dict[str, Any] = {
                "field": (names, "What to order by.", {}),
                "direction": (OrderDirection, "Which way.", {"default": OrderDirection.ASC}),
                "nulls": (Nulls, "Where rows without a value stand.", {"default": Nulls.LAST}),
            }
            made = self._input(name, f"One term of an order of {entity.name} rows.")
            add_fields(made, [field(key, kind, text, **more) for key, (kind, text, more) in fields.items()])
            if entity.custom() is not None:
                add_input_fields(
                    made, {"customField": (str, "Of the field CUSTOM: its key, out of `customFields`.")}
                )
            self._made[name] = made
        return self._made[name]

    def comparison(self, kind: Kind) -> Any:
        """The operators on a number."""
        name, operators = _BY_KIND[kind]
        return self._operators(name, python_type(kind), operators)

    def _chosen(self, target: str) -> bool:
        entity = self._entities[target]
        return any(isinstance(each, Column) and each.filterable for each in entity.fields)

    def _of_field(self, declared: Field) -> Any:
        if isinstance(declared, One):
            return self._of_one(self._entities[declared.target])
        if isinstance(declared, Many | Listing):
            return self._of_many(self._entities[declared.target])
        if not isinstance(declared, Column):
            raise TypeError(f"{declared.name} can't be filtered by")
        name, operators = _BY_KIND[declared.kind]
        python = python_type(declared.kind, declared.form)
        if declared.enum is not None:
            name, python, operators = declared.enum.__name__, ENUMS[declared.enum], _SAME
        if declared.form is not None:
            name = _FORMS[declared.form]
        if declared.many:
            name, operators = f"{name}List", _ELEMENTS
        return self._operators(name, python, operators)

    def _of_one(self, target: Entity) -> Any:
        name = f"{target.name}RelationFilter"
        if name not in self._made:
            texts = {each: _OPERATORS[each] for each in _SAME}
            made = input_type(name, f"Conditions on the {target.name} that a row names; all must hold.", {})
            self._made[name] = made
            fields: dict[str, tuple[Any, str]] = {
                each: (_shape(each, strawberry.ID), text) for each, text in texts.items() if target.node
            }
            fields["is"] = (self.filter(target), "There is one, and this holds for it.")
            if not target.node:
                fields["isNull"] = (bool, "Whether there is none.")
            add_input_fields(made, fields)
        return self._made[name]

    def _of_many(self, target: Entity) -> Any:
        name = f"{target.name}RowsFilter"
        if name not in self._made:
            made = input_type(name, f"Conditions on the {target.name} rows of a row; all must hold.", {})
            self._made[name] = made
            each = self.filter(target)
            add_input_fields(
                made,
                {
                    "some": (each, "There is one at least for which this holds (`{}`: there is any)."),
                    "none": (each, "There is none for which this holds."),
                },
            )
        return self._made[name]

    def _custom(self) -> Any:
        name = "CustomFieldFilter"
        if name not in self._made:
            made = self._input(name, "Conditions on a vendor's own field; all that are given must hold.")
            texts = {each: _OPERATORS[each] for each in ("eq", "ne", "in", "notIn", "gt", "gte", "lt", "lte")}
            add_fields(made, [field("key", str, "The field's key, out of `customFields`.")])
            more = (
                "A number is compared with numbers, `true` and `false` with flags however they are written, a "
                "moment with moments, a day with the day that the value begins with, all else as text. Of a list, "
                "one element that fits is enough."
            )
            add_input_fields(
                made,
                {each: (_shape(each, JsonValue), f"{text} {more}") for each, text in texts.items()}
                | {each: (str, _OPERATORS[each]) for each in ("contains", "startsWith")}
                | {
                    "labelIn": (list_of(str), "The chosen option is called one of these, out of `options`."),
                    "isNull": (bool, "Whether the field is empty or absent."),
                },
            )
            self._made[name] = made
        return self._made[name]

    def _operators(self, name: str, python: Any, operators: Sequence[str]) -> Any:
        full = f"{name}Filter"
        if full not in self._made:
            what = _MEANT.get(name.removesuffix("List"), f"a value of kind {name}")
            self._made[full] = input_type(
                full,
                f"Conditions on {what}; all that are given must hold.",
                {each: (_shape(each, python), _OPERATORS[each]) for each in operators},
            )
        return self._made[full]

    @staticmethod
    def _input(name: str, description: str) -> Any:
        return input_type(name, description, {})


def sortable(entity: Entity) -> list[Column]:
    return [each for each in entity.columns() if each.sortable]


def _shape(operator: str, python: Any) -> Any:
    if operator in _FLAGS:
        return bool
    return list_of(python) if operator in _MANY_VALUES else python
