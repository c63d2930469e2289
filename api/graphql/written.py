"""What mutations have in common: who may, what was written, and how it is told."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import UUID

import strawberry

from api.graphql.build import optional
from api.graphql.declare import Entity
from api.graphql.errors import Forbidden
from api.graphql.problems import InputProblem, InputRefused, problem
from api.graphql.run import RequestContext
from core.database import driver
from schema.enums import Role

Info = strawberry.Info[RequestContext, None]
EDITORS = frozenset({Role.OWNER, Role.MANAGER})
"""Who may write about clients and decide who is who."""


@dataclass
class Written:
    """What a mutation did."""

    connection: UUID | None = None
    client: UUID | None = None
    run: UUID | None = None
    note: UUID | None = None
    task: UUID | None = None
    workspace: UUID | None = None
    sentence: str | None = None
    problems: list[InputProblem] = field(default_factory=list)


def kept(written: Written) -> dict[str, Any] | None:
    """What is remembered of a mutation for its idempotency key; nothing if nothing was written."""
    return None if written.problems else asdict(written)


def recalled(answer: dict[str, Any]) -> Written:
    """What a mutation did, out of what was remembered."""
    values = {name: value for name, value in answer.items() if name not in ("problems", "sentence")}
    written = Written(sentence=answer["sentence"])
    for name, value in values.items():
        setattr(written, name, None if value is None else UUID(value))
    return written


async def reach(context: RequestContext, entity: Entity, field: str, id: UUID) -> UUID:
    """The id, if the caller may see its row. Raises `InputRefused`."""
    viewer = context.viewer
    own = "true" if entity.own is None else entity.own.format(x="x")
    query = (
        f"select exists(select from {entity.table} x where x.workspace_id = %(workspace)s::uuid "  # noqa: S608 - ours
        f"and x.id = %(id)s::uuid and (%(own)s::uuid[] is null or {own}))"
    )
    values = {"workspace": viewer.workspace_id, "id": id, "own": None if viewer.own is None else list(viewer.own)}
    async with context.office.database.workspace(viewer.workspace_id) as db:
        found = await (await driver(db).execute(query.encode(), values)).fetchone()
    if found is None or not found[0]:
        raise InputRefused(problem(field, "NOT_FOUND", type=entity.name))
    return id


def act(resolver: Any, name: str, returns: Any, description: str) -> Any:
    # Nullable, so that a mutation that fails leaves the answers of the others.
    return strawberry.mutation(
        resolver=resolver, name=name, description=description, graphql_type=optional(returns)
    )


def allowed(info: Info, roles: frozenset[Role]) -> RequestContext:
    context = info.context
    if context.viewer.role not in roles:
        raise Forbidden(f"The role {context.viewer.role.value} may not do this.")
    return context
