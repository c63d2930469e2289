"""The committed schema is the one that is served, and it documents itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    is_introspection_type,
    is_non_null_type,
    is_specified_scalar_type,
)

from api.graphql.schema import build_schema

COMMITTED = Path(__file__).parents[2] / "schema" / "schema.graphql"


def test_the_committed_schema_is_served() -> None:
    text = build_schema().as_str() + "\n"
    assert COMMITTED.read_text(encoding="utf-8") == text, "run: python -m api.graphql.sdl"


def _undescribed() -> Iterator[str]:
    for name, kind in build_schema()._schema.type_map.items():
        if is_introspection_type(kind) or is_specified_scalar_type(kind):
            continue
        if not (kind.description or "").strip():
            yield name
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
            for field_name, field in kind.fields.items():
                if not (field.description or "").strip():
                    yield f"{name}.{field_name}"
                yield from (
                    f"{name}.{field_name}({argument})"
                    for argument, declared in field.args.items()
                    if not (declared.description or "").strip()
                )
        if isinstance(kind, GraphQLInputObjectType):
            yield from (
                f"{name}.{each}" for each, field in kind.fields.items() if not (field.description or "").strip()
            )
        if isinstance(kind, GraphQLEnumType):
            yield from (
                f"{name}.{each}" for each, value in kind.values.items() if not (value.description or "").strip()
            )


def test_everything_is_described() -> None:
    assert list(_undescribed()) == []


def test_one_failing_root_field_leaves_the_rest() -> None:
    """What can fail may be null: an error in a field that may not would take the whole answer with it."""
    types = build_schema()._schema.type_map
    certain = {
        name
        for root in ("Query", "Mutation")
        for name, field in types[root].fields.items()  # type: ignore[attr-defined]
        if is_non_null_type(field.type)
    }
    assert certain == {"nodes", "connectors", "viewer", "mappableFields"}  # read nothing, or fail one by one
