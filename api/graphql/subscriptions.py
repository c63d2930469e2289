# ruff: noqa: S608 - the SQL is put together from declarations of ours; values are bound, never written in
"""What `Subscription` offers. An event names rows; what is selected of them is read by the planner, in one
statement, with the role's masks, like any query."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson
import strawberry
from graphql import GraphQLResolveInfo
from strawberry.types.field import StrawberryField

from api.graphql.build import add_fields, argument, field, list_of, object_type, optional
from api.graphql.declare import Entity
from api.graphql.errors import CallerError
from api.graphql.filters import condition
from api.graphql.ids import parse_id
from api.graphql.plan import Details, Planner
from api.graphql.roots import Root
from api.graphql.rows import many_objects
from api.graphql.run import Expression, RequestContext, coerced, fetch_bytes, plan_field
from api.live.hub import LATEST
from api.live.mailbox import LARGEST_EVENT
from schema.enums import ChangeKind, ChangeType
from sync.feed import Change

if TYPE_CHECKING:
    from api.graphql.types import Types
    from api.live.sessions import Session

PROGRESS_SECONDS = 0.2
"""The progress of a sync is told no more often than that."""
_OLDEST_NEWS_HOURS = 24

Info = GraphQLResolveInfo[Any]
Subscribe = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Live:
    """A field of `Subscription`: how it looks, how an event becomes its value, and where events come from."""

    root: Root
    subscribe: Subscribe


def subscription_type(types: Types) -> tuple[Any, list[Live]]:
    """The type `Subscription` and its fields."""
    fields = [_sync_progress(types), _news(types, "newCalls", "Call", ChangeType.CALL, "started_at")]
    fields += [_news(types, "newLeads", "Lead", ChangeType.LEAD, "created_at"), _client_changed(types)]
    made = object_type(
        "Subscription",
        "What is told by itself, over `graphql-transport-ws` or server-sent events. After a break subscribe again; "
        "what was missed meanwhile is in `changes`.",
    )
    add_fields(made, [each.root.field for each in fields])
    return made, fields


def _field(name: str, annotation: Any, description: str, arguments: Sequence[Any]) -> StrawberryField:
    return field(name, annotation, description, arguments, is_subscription=True)


def _news(types: Types, name: str, type_name: str, what: ChangeType, at: str) -> Live:
    """Records that were created; those of one page of a sync come together."""
    entity, plural = types.entities[type_name], f"{type_name.lower()}s"
    made = _field(
        name,
        list_of(types[type_name]),
        f"New {plural}, as soon as they are here: one event for those that came together, {LARGEST_EVENT} at most. "
        "A first sync brings old ones too, which are no news: `maxAgeHours` says how old one may be.",
        [
            argument(
                "filter",
                optional(types.inputs.filter(entity)),
                f"Only {plural} for which all of it holds.",
                default=None,
            ),
            argument(
                "maxAgeHours", int, f"Only {plural} that happened within so many hours.", default=_OLDEST_NEWS_HOURS
            ),
        ],
    )

    def matching(planner: Planner, parent: str, details: Details, _source: Any) -> str:
        arguments, t = planner.arguments(parent, details), planner.alias()
        hours = planner.bind(arguments["maxAgeHours"], "integer", _hours)
        narrowed = f"{t}.deleted_at is null and {t}.{at} > now() - make_interval(hours => {hours})"
        return _ids(planner, entity, arguments, t, narrowed, f"{t}.{at}, {t}.id")

    def expression(planner: Planner, _parent: str, details: Details, _source: Any) -> str:
        return _rows(planner, entity, details, at)

    def wanted(change: Change) -> Sequence[UUID]:
        return change.ids if (change.type, change.kind) == (what, ChangeKind.CREATED) else ()

    subscribe = partial(_changes, types, matching, wanted)
    return Live(Root(made, expression, of_source=_same), subscribe)


def _client_changed(types: Types) -> Live:
    entity = types.entities["Client"]
    made = _field(
        "clientChanged",
        list_of(types["Client"]),
        "Clients of whom something changed: their own data, a call, a lead, a deal, a merge or a split. One event "
        f"for those that changed together, {LARGEST_EVENT} at most, each as it is now.",
        [
            argument(
                "id",
                optional(strawberry.ID),
                "Only this client, or the one that it becomes part of.",
                default=None,
            ),
            argument(
                "filter",
                optional(types.inputs.filter(entity)),
                "Only clients for which all of it holds.",
                default=None,
            ),
        ],
    )

    def matching(planner: Planner, parent: str, details: Details, _source: Any) -> str:
        arguments, t = planner.arguments(parent, details), planner.alias()
        narrowed = f"{t}.merged_into is null"
        if arguments.get("id") is not None:
            wanted_id = planner.bind(arguments["id"], "uuid", _client_id)
            narrowed += f" and {t}.id = {(entity.resolve_id or '{id}').format(id=wanted_id)}"
        return _ids(planner, entity, arguments, t, narrowed, f"{t}.id")

    def expression(planner: Planner, _parent: str, details: Details, _source: Any) -> str:
        return _rows(planner, entity, details, "id")

    def wanted(change: Change) -> Sequence[UUID]:
        if change.type is not ChangeType.CLIENT:
            return ()
        return [*change.ids, *(other for other in change.others or () if other is not None)]

    return Live(Root(made, expression, of_source=_same), partial(_changes, types, matching, wanted))


def _sync_progress(types: Types) -> Live:
    entity = types.entities["SyncRun"]
    made = _field(
        "syncProgress",
        types["SyncRun"],
        "A sync with its counts, whenever it has moved on: first how the newest one stands, if there is any, then "
        "a few times a second while one runs.",
        [
            argument(
                "connectionId",
                optional(strawberry.ID),
                "Only syncs of this connection; else of all.",
                default=None,
            )
        ],
    )

    def newest(planner: Planner, parent: str, details: Details, _source: Any) -> str:
        arguments, t = planner.arguments(parent, details), planner.alias()
        where = planner.tenant(entity, t)
        if arguments.get("connectionId") is not None:
            where += f" and {t}.connection_id = {planner.bind(arguments['connectionId'], 'uuid', _connection_id)}"
        return (
            f"(select coalesce(json_agg(n.id), '[]'::json) from (select {t}.id from {entity.table} {t} "
            f"where {where} order by {t}.queued_at desc limit 1) n)"
        )

    def expression(planner: Planner, _parent: str, details: Details, _source: Any) -> str:
        return planner.by_id(entity, details, "%(source)s::uuid")

    return Live(Root(made, expression, of_source=_same), partial(_progress, types, newest))


async def _changes(
    types: Types,
    matching: Expression,
    wanted: Callable[[Change], Sequence[UUID]],
    _root: Any,
    info: Info,
    **_arguments: Any,
) -> AsyncIterator[list[UUID]]:
    """The events of a subscription to changes. What is wrong with its arguments is said at once."""
    context: RequestContext = info.context
    find = _finder(types, matching, info)
    await find([])

    async def events() -> AsyncIterator[list[UUID]]:
        session = _session(context)
        async with AsyncExitStack() as stack:
            mailbox = stack.enter_context(session.mailbox(wanted))
            await stack.enter_async_context(session.hub.changes(context.viewer.workspace_id, mailbox))
            while True:
                found = await find(await mailbox.take())
                if found:
                    yield found

    return events()


async def _progress(
    types: Types, newest: Expression, _root: Any, info: Info, **arguments: Any
) -> AsyncIterator[UUID]:
    context: RequestContext = info.context
    find = _finder(types, newest, info)
    await find([])
    chosen = arguments.get("connectionId")
    connection_id = None if chosen is None else _connection_id(chosen, context.viewer)

    async def events() -> AsyncIterator[UUID]:
        session = _session(context)
        async with AsyncExitStack() as stack:
            mailbox = stack.enter_context(session.mailbox(lambda _: ()))
            await stack.enter_async_context(session.hub.runs(context.viewer.workspace_id, connection_id, mailbox))
            mailbox.put_ids([LATEST])
            while True:
                taken = await mailbox.take()
                runs = await find([]) if LATEST in taken else []
                for run in dict.fromkeys([*runs, *(each for each in taken if each != LATEST)]):
                    yield run
                await asyncio.sleep(PROGRESS_SECONDS)

    return events()


def _session(context: RequestContext) -> Session:
    if context.session is None:
        raise CallerError("Subscribe over graphql-transport-ws, or with Accept: text/event-stream.")
    return context.session


def _finder(types: Types, matching: Expression, info: Info) -> Callable[[list[UUID]], Any]:
    """Picks the ids for which the subscription's arguments hold."""
    context: RequestContext = info.context
    plan = plan_field(types.entities, matching, None, info, context.viewer)
    parameters = plan.bind(coerced(info), context.viewer)

    async def find(ids: list[UUID]) -> list[UUID]:
        raw = await fetch_bytes(context.office.database, plan, {**parameters, "source": ids})
        return [UUID(id) for id in orjson.loads(raw or b"[]")]

    return find


def _ids(planner: Planner, entity: Entity, arguments: dict[str, Any], t: str, narrowed: str, order: str) -> str:
    where = f"{planner.tenant(entity, t)} and {t}.id = any(%(source)s::uuid[]) and {narrowed}"
    if arguments.get("filter"):
        where += f" and {condition(planner, entity, arguments['filter'], t)}"
    return f"(select coalesce(json_agg({t}.id order by {order}), '[]'::json) from {entity.table} {t} where {where})"


def _rows(planner: Planner, entity: Entity, details: Details, order: str) -> str:
    t = planner.alias()
    source = (
        f"from {entity.table} {t} where {planner.tenant(entity, t)} and {t}.id = any(%(source)s::uuid[]) "
        f"order by {t}.{order}, {t}.id"
    )
    return many_objects(planner.of_row(entity, details, t), planner.alias(), source)


def _same(source: Any) -> Any:
    return source


def _hours(value: Any, _viewer: Any) -> int:
    if not 1 <= int(value) <= 24 * 366:
        raise CallerError("maxAgeHours is between 1 and 8784.")
    return int(value)


def _id_of(type_name: str, value: Any) -> UUID:
    found = parse_id(str(value))
    if found is None or found[0] != type_name:
        raise CallerError(f"{value!r} isn't the id of a {type_name}.")
    return found[1]


def _client_id(value: Any, _viewer: Any) -> UUID:
    return _id_of("Client", value)


def _connection_id(value: Any, _viewer: Any) -> UUID:
    return _id_of("ConnectedSystem", value)
