"""Webhooks in: the doors of connected systems, and what came in at them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import strawberry
from sqlalchemy.ext.asyncio import AsyncConnection

from api.graphql.build import field as graphql_field
from api.graphql.build import optional
from api.graphql.declare import Entity, column, one, table_of
from api.graphql.ids import global_id
from api.graphql.model.shared import STAFF, node_id
from api.graphql.once import IdempotencyKey, once
from api.graphql.problems import InputRefused, problem, row_id
from api.graphql.roots import Root, page_of
from api.graphql.run import RequestContext
from api.graphql.scalars import DateTimeText
from api.graphql.types import Types
from api.graphql.written import REMOVAL, Info, Written, act, allowed, kept, payload_type, recalled
from schema import tables as t
from schema.enums import ReceivedState, Role
from sync.errors import NotFound
from sync.inbox import desk, doors, subscriptions
from sync.inbox.doors import Address, NoDoor

_SYSTEM, _DELIVERY = "ConnectedSystem", "ReceivedWebhook"
_LONGEST_OVERLAP_HOURS = 24 * 30

RECEIVED = Entity(
    name=_DELIVERY,
    table=table_of(t.ReceivedWebhook),
    node=False,
    description="One delivery of a connected system to its door. Equal deliveries are one.",
    order=(("receivedAt", True),),
    fields=(
        node_id(_DELIVERY),
        one("connection", _SYSTEM, t.ReceivedWebhook.connection_id, "Whose door it came to."),
        column(t.ReceivedWebhook.state, "How it stands.", enum=ReceivedState, filterable=True),
        column(t.ReceivedWebhook.reason, "Why it waits for another try or was given up, in one sentence."),
        column(t.ReceivedWebhook.touched, "The records that it speaks of: stream and external id."),
        column(t.ReceivedWebhook.arrivals, "How often it came."),
        column(t.ReceivedWebhook.attempts, "How often it was looked into in vain."),
        column(t.ReceivedWebhook.next_try_at, "When it is looked into next, while it waits."),
        column(t.ReceivedWebhook.received_at, "When it first came.", filterable=True, sortable=True),
        column(t.ReceivedWebhook.done_at, "When everything that it speaks of was here."),
    ),
)
ENTITIES = (RECEIVED,)

_Id = Annotated[strawberry.ID, strawberry.argument(description="Global id of the connection.")]


@strawberry.type(description="The address at which a connected system tells by itself what happened there.")
class Door:
    connectionId: strawberry.ID = strawberry.field(description="Global id of the connection.")  # noqa: N815
    url: str | None = strawberry.field(
        description="The whole address. It is a secret: whoever knows it can send hints. For owners; else null."
    )
    setup: str = strawberry.field(description="Where it is entered in the external system, in sentences.")
    events: list[str] = strawberry.field(description="What the system can tell there, by its own names.")
    subscribable: bool = strawberry.field(
        description="Whether the system can be told the address over its API (`subscribeDoor`)."
    )
    subscribedAt: DateTimeText | None = strawberry.field(  # noqa: N815
        description="Since when it knows the address that way; null where it was entered by hand, or not at all."
    )
    problem: str | None = strawberry.field(
        description="Why the system could not be told the address, in one sentence; null if nothing is wrong."
    )
    formerUrlUntil: DateTimeText | None = strawberry.field(  # noqa: N815
        description="Until when the address before this one holds too."
    )
    openedAt: DateTimeText = strawberry.field(description="When the door was made.")  # noqa: N815
    lastDeliveryAt: DateTimeText | None = strawberry.field(  # noqa: N815
        description="When something last came; null if nothing did lately."
    )
    waiting: int = strawberry.field(description="How many deliveries wait to be looked into.")
    failed: int = strawberry.field(description="How many were given up or could not be understood.")


@dataclass
class WrittenDoor(Written):
    """What became of a door."""

    door: Door | None = None


@dataclass
class ReplayedDeliveries(Written):
    """What became of deliveries that are to be looked into again."""

    waiting: int = 0


async def _door(info: Info, connection: _Id) -> Door | None:
    context = allowed(info, STAFF)
    try:
        address = await doors.show_door(context.office, context.viewer.workspace_id, _found(connection))
    except (NoDoor, doors.NoWebhooks, NotFound):
        return None
    return await _told(context, address)


async def _body(
    info: Info,
    id: Annotated[strawberry.ID, strawberry.argument(description="Global id of the delivery.")],
) -> str | None:
    context = allowed(info, STAFF)
    try:
        return await desk.body_of(context.office, context.viewer.workspace_id, row_id("id", id, _DELIVERY))
    except NotFound:
        return None


async def _open(
    info: Info,
    connection: _Id,
    subscribe: Annotated[
        bool, strawberry.argument(description="Also tell the system the address over its API.")
    ] = False,
) -> Any:
    context = allowed(info, STAFF)
    make = subscriptions.subscribe if subscribe else doors.open_door
    address = await make(context.office, context.viewer.workspace_id, _found(connection))
    return WrittenDoor(door=await _told(context, address))


async def _rotate(
    info: Info,
    connection: _Id,
    hours: Annotated[
        int, strawberry.argument(name="overlapHours", description="How long the former address holds too.")
    ] = 168,
    key: IdempotencyKey = None,
) -> Any:
    context = allowed(info, STAFF)
    if not 0 <= hours <= _LONGEST_OVERLAP_HOURS:
        raise InputRefused(problem("overlapHours", "OUT_OF_RANGE", least=0, most=_LONGEST_OVERLAP_HOURS))
    office, workspace, found = context.office, context.viewer.workspace_id, _found(connection)

    async def work(_db: AsyncConnection | None) -> Written:
        # The system is told in between, so this is no part of the key's transaction: cut off, it is done again.
        await subscriptions.readdress(office, workspace, found, timedelta(hours=hours))
        return Written()

    arguments = {"connection": found, "overlapHours": hours}
    await once(context, key, "rotateDoor", arguments, work, keep=kept, recall=recalled)
    return WrittenDoor(door=await _told(context, await doors.show_door(office, workspace, found)))


async def _close(info: Info, connection: _Id) -> Any:
    context = allowed(info, STAFF)
    return Written(
        removed=await subscriptions.close(context.office, context.viewer.workspace_id, _found(connection))
    )


async def _replay(
    info: Info,
    connection: _Id,
    id: Annotated[
        strawberry.ID | None,
        strawberry.argument(description="Global id of one delivery; else all that were given up."),
    ] = None,
) -> Any:
    context = allowed(info, STAFF)
    workspace, found = context.viewer.workspace_id, _found(connection)
    delivery = None if id is None else row_id("id", id, _DELIVERY)
    waiting = await desk.replay(context.office, workspace, found, delivery)
    await context.jobs.tell_inbox(workspace, found)
    return ReplayedDeliveries(waiting=waiting)


def door_fields() -> list[Any]:
    """The fields of `Query` that don't come out of the database as they are."""
    made: list[Any] = [
        strawberry.field(
            _door, name="door", description="The door of a connection; null if it has none. For those who connect."
        ),
        strawberry.field(
            _body,
            name="receivedWebhookBody",
            description="What a delivery says, with what looks like a secret or like personal data taken out.",
        ),
    ]
    return made


def door_roots(types: Types) -> list[Root]:
    """The planned fields of `Query`; for those who manage connections."""
    return [page_of(types, "receivedWebhooks", _DELIVERY, "What came in at doors, newest first.", STAFF)]


def door_mutations(types: Types) -> tuple[list[Any], dict[str, list[Root]]]:
    """The doors' fields of `Mutation`."""
    changed = payload_type(
        "DoorPayload",
        "A door that was made or changed.",
        graphql_field("door", optional(Door), "The door as it is now; null if nothing was done."),
    )
    replayed = payload_type(
        "ReplayReceivedWebhooksPayload",
        "Deliveries that are looked into again.",
        graphql_field("waiting", int, "How many."),
    )
    of = ("connection", _SYSTEM)
    return [
        act(
            _open,
            "openDoor",
            changed,
            "Make the address at which a system tells by itself what happened; one that is there stays as it is.",
            of=of,
            refused=WrittenDoor,
        ),
        act(
            _rotate,
            "rotateDoor",
            changed,
            "Give a door a new address, which the system is told if it knew the former one over its API.",
            of=of,
            refused=WrittenDoor,
        ),
        act(_close, "closeDoor", REMOVAL, "Let nothing in at a door any more.", of=of),
        act(
            _replay,
            "replayReceivedWebhooks",
            replayed,
            "Look once more into what came in.",
            of=("id", _DELIVERY),
            refused=ReplayedDeliveries,
        ),
    ], {}


async def _told(context: RequestContext, address: Address) -> Door:
    traffic = await desk.traffic(context.office, context.viewer.workspace_id, address.connection_id)
    return Door(
        connectionId=strawberry.ID(global_id(_SYSTEM, address.connection_id)),
        url=address.url if context.viewer.role is Role.OWNER else None,
        setup=address.setup,
        events=list(address.events),
        subscribable=address.subscribable,
        subscribedAt=_moment(address.subscribed_at),
        problem=address.problem,
        formerUrlUntil=_moment(address.previous_until),
        openedAt=DateTimeText(address.opened_at.isoformat()),
        lastDeliveryAt=_moment(traffic.last_at),
        waiting=traffic.waiting,
        failed=traffic.failed,
    )


def _moment(value: datetime | None) -> DateTimeText | None:
    return None if value is None else DateTimeText(value.isoformat())


def _found(connection: str) -> UUID:
    return row_id("connection", connection, _SYSTEM)
