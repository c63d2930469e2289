"""Alembic's entry: runs on the connection that ``schema.migrate`` hands over."""

from __future__ import annotations

from typing import Any

from alembic import context

from schema.tables import Base


def _ours(_object: Any, name: str | None, kind: str, _reflected: bool, _compare_to: Any) -> bool:
    return not (kind == "table" and name == "alembic_version")


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    include_object=_ours,
    compare_server_default=False,
)
with context.begin_transaction():
    context.run_migrations()
