# ruff: noqa: S608 - the SQL is put together from declarations of ours; values are bound, never written in
"""How personal data looks to those who may not see it. It is masked in SQL: the value never leaves the database."""

from __future__ import annotations

from enum import Enum

from schema.enums import Role

MASKED_ROLES = frozenset({Role.ANALYST})
"""Who sees personal data masked, and may neither filter nor sort by it (a filter would tell it by bisection)."""


class Mask(Enum):
    """What is left of a value; the templates are SQL over ``{v}``, a text that may be null."""

    PHONE = (
        "case when {v} like '+7%%' then '+7 ' || substr({v}, 3, 1) || '** ***-**-' || right({v}, 2) "
        "else left({v}, 2) || '***' || right({v}, 2) end"
    )
    """``+7 9** ***-**-12``; of other countries only the first digit and the last two are left."""
    EMAIL = "left({v}, 1) || '***@***' || coalesce(substring({v} from '\\.[^.@]+$'), '')"
    """``i***@***.ru``"""
    NAME = "regexp_replace({v}, '([[:alnum:]])[[:alnum:]]*', '\\1***', 'g')"
    """``И*** П***``"""
    HIDDEN = "null"
    """Nothing is left: texts that may hold anything (comments, recordings of calls)."""

    def sql(self, value: str, *, many: bool = False) -> str:
        """The masked form of the expression ``value``; ``many`` says that it is an array of texts."""
        if self is Mask.HIDDEN:
            return "null::text"
        if many:
            each = self.value.format(v="m.v")
            return f"array(select {each} from unnest({value}) with ordinality m(v, i) order by m.i)"
        return f"({self.value.format(v=value)})"
