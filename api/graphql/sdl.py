"""Writes the schema to ``schema/schema.graphql``, where any change to it is seen in review:
``python -m api.graphql.sdl``."""

from __future__ import annotations

from pathlib import Path

from api.graphql.schema import build_schema

COMMITTED = Path(__file__).parents[2] / "schema" / "schema.graphql"


def write() -> None:
    COMMITTED.write_text(build_schema().as_str() + "\n", encoding="utf-8")


if __name__ == "__main__":
    write()
