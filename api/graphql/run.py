"""From a plan to the answer: one statement in one transaction, bound to the workspace, in one round trip."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

import orjson
from graphql import GraphQLResolveInfo
from graphql.execution.collect_fields import FieldDetails, FragmentDetails

from api.graphql.declare import Entity
from api.graphql.errors import Forbidden
from api.graphql.plan import Details, Plan, Planner
from api.graphql.values import Viewer, shape
from core.database import WORKSPACE_SETTING, Database, PsycopgConnection
from core.roundtrip import run_together
from schema.enums import Role
from sync.jobs import Jobs
from sync.office import Office

if TYPE_CHECKING:
    from api.live.sessions import Session

STATEMENT_TIMEOUT_MS = 15_000
"""How long the one statement of a root field may take; what the cost can't foresee ends here."""

_SETTINGS = (
    "set_config('statement_timeout', {timeout}, true), "
    "set_config('TimeZone', 'UTC', true), set_config('jit', 'off', true)"
)
_BIND = "select set_config(%s, %s, true), " + _SETTINGS.format(timeout="%s")
_BIND_ONE = (
    "select set_config($1, $2, true), set_config('transaction_read_only', 'on', true), "
    + _SETTINGS.format(timeout="$3")
).encode()
"""For one statement that PostgreSQL is sent in the same breath: no BEGIN could say that it only reads."""

Expression = Callable[[Planner, str, Details, Any], str]
"""Gives the SQL of a planned field: the planner, the name of its parent type, the field's nodes, its source."""


Prepare = Callable[["RequestContext", Mapping[str, Any]], Awaitable[Any]]
"""Computes something out of a field's arguments before its SQL is made. Where it has a ``plan_key``, plans are kept
by it; others are made anew each time."""


class PlanCache:
    """Plans of the operations of one document; the document is their key's greater part."""

    def __init__(self, size: int = 16) -> None:
        self._plans: dict[Any, Plan] = {}
        self._size = size

    def get(self, key: Any, make: Callable[[], Plan]) -> Plan:
        found = self._plans.get(key)
        if found is None:
            found = make()
            if len(self._plans) >= self._size:
                del self._plans[next(iter(self._plans))]
            self._plans[key] = found
        return found


@dataclass(slots=True)
class RequestContext:
    """What resolvers know of the request."""

    viewer: Viewer
    office: Office
    jobs: Jobs
    forget_token: Callable[[str], None]
    """Called with the public id of a key that was just revoked."""
    session: Session | None = None
    """The open connection, where an operation may last."""
    plans: PlanCache = field(default_factory=PlanCache)
    """Replaced by the document's own cache when the document is known."""


class PlannedField:
    """The resolver of a field that is answered by one statement."""

    def __init__(
        self,
        entities: Mapping[str, Entity],
        expression: Expression,
        *,
        by_value: bool = False,
        roles: frozenset[Role] | None = None,
        of_source: Callable[[Any], UUID | list[UUID] | None] | None = None,
        prepare: Prepare | None = None,
    ) -> None:
        self._entities = entities
        self._expression = expression
        self._roles = roles
        self._of_source = of_source
        self._prepare = prepare
        self._form = _exactly if by_value else shape

    @property
    def prepares(self) -> bool:
        """Whether the field's arguments are read before its SQL is made."""
        return self._prepare is not None

    async def __call__(
        self, source: Any, info: GraphQLResolveInfo[Any], **arguments: Any
    ) -> orjson.Fragment | None:
        context: RequestContext = info.context
        variables = coerced(info)
        if self._roles is not None and context.viewer.role not in self._roles:
            raise Forbidden(f"The role {context.viewer.role.value} may not read {info.field_name}.")
        if self._prepare is not None:
            source = await self._prepare(context, arguments)
            told = getattr(source, "plan_key", None)
            if told is None:
                plan = self._plan(source, info, context.viewer)
                return await fetch_json(context.office.database, plan, plan.bind(variables, context.viewer))
        else:
            told = None
        found = None if self._of_source is None else self._of_source(source)
        if self._of_source is not None and found is None:
            return None
        key = (
            info.operation.name.value if info.operation.name else None,
            tuple(step for step in info.path.as_list() if isinstance(step, str)),
            context.viewer.role,
            self._form(variables),
            told,
        )
        plan = context.plans.get(key, lambda: self._plan(source, info, context.viewer))
        parameters = plan.bind(variables, context.viewer)
        if found is not None:
            parameters["source"] = found
        return await fetch_json(context.office.database, plan, parameters)

    def _plan(self, source: Any, info: GraphQLResolveInfo[Any], viewer: Viewer) -> Plan:
        return plan_field(self._entities, self._expression, source, info, viewer)


def plan_field(
    entities: Mapping[str, Entity],
    expression: Expression,
    source: Any,
    info: GraphQLResolveInfo[Any],
    viewer: Viewer,
) -> Plan:
    """The plan of the field at hand by that expression."""
    fragments = {name: FragmentDetails(each) for name, each in info.fragments.items()}
    planner = Planner(entities, info.schema, info.operation, fragments, coerced(info), viewer.role)
    nodes = [FieldDetails(node, None) for node in info.field_nodes]
    return planner.plan(expression(planner, info.parent_type.name, nodes, source))


def coerced(info: GraphQLResolveInfo[Any]) -> dict[str, Any]:
    """Strawberry hands resolvers the plain values of the variables, whatever graphql-core's type says."""
    return cast("dict[str, Any]", info.variable_values)


def _exactly(variables: Mapping[str, Any]) -> bytes:
    """For fields whose SQL depends on the values themselves (the days of a report)."""
    return orjson.dumps(variables, default=str)


async def fetch_json(database: Database, plan: Plan, parameters: Mapping[str, Any]) -> orjson.Fragment | None:
    """Run the plan as its workspace; the JSON stays bytes on its way."""
    raw = await fetch_bytes(database, plan, parameters)
    return None if raw is None else orjson.Fragment(raw)


async def fetch_bytes(database: Database, plan: Plan, parameters: Mapping[str, Any]) -> bytes | None:
    """Run the plan as its workspace, for a reader of our own."""
    values = [parameters[name] for name in plan.names]
    return await fetch_value(database, parameters["workspace"], plan.sql, values)


async def fetch_value(database: Database, workspace_id: UUID, sql: bytes, values: Sequence[Any]) -> bytes | None:
    """What one statement says in one column, as that workspace."""
    async with database.app_pool.connection() as connection:
        return await _run(connection, str(workspace_id), sql, values)


@asynccontextmanager
async def snapshot(context: RequestContext) -> AsyncIterator[PsycopgConnection]:
    """A transaction that only reads, bound to the caller's workspace; all its statements see the same moment."""
    bound = (WORKSPACE_SETTING, str(context.viewer.workspace_id), f"{STATEMENT_TIMEOUT_MS}ms")
    async with context.office.database.app_pool.connection() as connection:
        await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        try:
            await connection.execute(_BIND, bound)
            yield connection
        finally:
            await connection.execute("ROLLBACK")


async def _run(connection: PsycopgConnection, workspace_id: str, sql: bytes, values: Sequence[Any]) -> bytes | None:
    bound = (WORKSPACE_SETTING, workspace_id, f"{STATEMENT_TIMEOUT_MS}ms")
    return await run_together(connection, [(_BIND_ONE, bound), (sql, values)])
