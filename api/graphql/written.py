"""What mutations have in common: who may, what was written, and how it is told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import wraps
from typing import Any
from uuid import UUID

import strawberry
import structlog
from strawberry.types.field import StrawberryField

from api.graphql.build import add_fields, list_of, object_type, optional
from api.graphql.build import field as graphql_field
from api.graphql.declare import Entity
from api.graphql.errors import Forbidden
from api.graphql.problems import InputProblem, InputRefused, of_refusal, problem
from api.graphql.run import RequestContext
from core.database import driver
from schema.enums import Role
from sync.errors import NotFound, Refused

_log = structlog.get_logger("skvoz.api")

Info = strawberry.Info[RequestContext, None]
EDITORS = frozenset({Role.OWNER, Role.MANAGER})
"""Who may write about clients and decide who is who."""


@dataclass
class Written:
    """What a mutation did: of the fields of its payload those that it fills."""

    connection: UUID | None = None
    client: UUID | None = None
    run: UUID | None = None
    note: UUID | None = None
    task: UUID | None = None
    workspace: UUID | None = None
    webhook: UUID | None = None
    delivery: UUID | None = None
    proposal: UUID | None = None
    contact: UUID | None = None
    company: UUID | None = None
    deal: UUID | None = None
    change: UUID | None = None
    queued: bool = False
    founded: bool = False
    sentence: str | None = None
    secret: str | None = None
    id: str | None = None
    token: str | None = None
    removed: bool = False
    revoked: bool = False
    problems: list[InputProblem] = field(default_factory=list)


def kept(written: Written) -> dict[str, Any]:
    """What is remembered of a mutation for its idempotency key."""
    return {name: value for name in _ROWS if (value := getattr(written, name)) is not None} | {
        "sentence": written.sentence,
        "founded": written.founded,
        "queued": written.queued,
    }


def recalled(answer: dict[str, Any]) -> Written:
    """What a mutation did, out of what was remembered."""
    rows: dict[str, Any] = {name: UUID(answer[name]) for name in _ROWS if name in answer}
    told = {name: answer.get(name, False) for name in ("founded", "queued")}
    return Written(**rows, **told, sentence=answer["sentence"])


_ROWS = ("connection", "client", "run", "note", "task", "webhook", "contact", "company", "deal", "change")


async def reach(context: RequestContext, entity: Entity, field: str, id: UUID) -> UUID:
    """The id, if the caller may see its row. Raises `InputRefused`."""
    if not await visible(context, entity, id):
        raise InputRefused(problem(field, "NOT_FOUND", type=entity.name))
    return id


async def visible(context: RequestContext, entity: Entity, id: UUID) -> bool:
    """Whether there is such a row for the caller."""
    viewer = context.viewer
    own = "true" if entity.own is None else entity.own.format(x="x")
    query = (
        f"select exists(select from {entity.table} x where x.workspace_id = %(workspace)s::uuid "  # noqa: S608 - ours
        f"and x.id = %(id)s::uuid and (%(own)s::uuid[] is null or {own}))"
    )
    values = {"workspace": viewer.workspace_id, "id": id, "own": None if viewer.own is None else list(viewer.own)}
    async with context.office.database.workspace(viewer.workspace_id) as db:
        found = await (await driver(db).execute(query.encode(), values)).fetchone()
    return found is not None and bool(found[0])


def act(
    resolver: Callable[..., Awaitable[Any]],
    name: str,
    returns: Any,
    description: str,
    *,
    of: tuple[str, str] | None = None,
    refused: Callable[..., Any] = Written,
    tells: bool = False,
    delivers: bool = False,
) -> Any:
    """A mutation. What is wrong with the input, wherever that was found, is in its answer. ``of`` says by which
    argument it names a row of which type, in case there is none; ``refused`` makes the answer out of ``problems``;
    ``tells``: it adds to the change feed, so webhooks are to be told at once; ``delivers``: it may add to the
    outbox, so deliveries are to be queued at once.
    """

    @wraps(resolver)
    async def told(*arguments: Any, **named: Any) -> Any:
        try:
            answer = await resolver(*arguments, **named)
        except InputRefused as error:
            return refused(problems=error.problems)
        except Refused as error:
            return refused(problems=of_refusal(error))
        except NotFound:
            if of is None:
                raise
            return refused(problems=[problem(of[0], "NOT_FOUND", type=of[1])])
        jobs = named["info"].context.jobs
        if tells:
            await _at_once(jobs.request_webhooks)
        if delivers:
            await _at_once(jobs.request_deliveries)
        return answer

    # Nullable, so that a mutation that fails leaves the answers of the others.
    return strawberry.mutation(resolver=told, name=name, description=description, graphql_type=optional(returns))


async def _at_once(request: Callable[[], Awaitable[None]]) -> None:
    try:
        await request()
    except Exception:  # noqa: BLE001 - what was written stands, and the schedule takes it up within seconds
        _log.warning("jobs.not_queued_at_once", exc_info=True)


def payload_type(name: str, description: str, *fields: StrawberryField) -> Any:
    """The type of what a mutation answers: its own fields, and what was wrong with the input."""
    made = object_type(name, description)
    wrong = graphql_field(
        "problems", list_of(InputProblem), "What is wrong with the input; empty if all went well."
    )
    add_fields(made, [*fields, wrong])
    return made


REMOVAL = payload_type(
    "RemovalPayload",
    "What became of something that was to be removed.",
    graphql_field("removed", bool, "Whether it is gone now; false also if it wasn't there."),
)


def allowed(info: Info, roles: frozenset[Role]) -> RequestContext:
    context = info.context
    if context.viewer.role not in roles:
        raise Forbidden(f"The role {context.viewer.role.value} may not do this.")
    return context
