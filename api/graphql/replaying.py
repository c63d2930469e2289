"""Who a client was on a day, over the API: its records then, and what has joined or parted them since."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, cast

import strawberry

from api.graphql.enums import ENUMS
from api.graphql.ids import global_id, parse_id
from api.graphql.masks import MASKED_ROLES
from api.graphql.run import snapshot
from api.graphql.scalars import DateTimeText, JsonValue
from api.graphql.types import Types
from api.graphql.written import Info, visible
from schema.enums import RecordKind
from sync.identity.explain import NoSuchClient
from sync.identity.replay import Change, Past, as_of


@strawberry.type(description="A record that was a client's on a day.")
class RecordThen:
    kind: ENUMS[RecordKind] = strawberry.field(description="What it is.")  # type: ignore[valid-type]  # made from data
    record: strawberry.ID = strawberry.field(description="Its global id.")
    client: strawberry.ID | None = strawberry.field(description="Global id of its client now; null: nobody's.")


@strawberry.type(description="A merge or a split of clients.")
class ClientChange:
    at: DateTimeText = strawberry.field(description="When it was done.")
    kind: str = strawberry.field(description="`merge` or `split`.")
    origin: strawberry.ID = strawberry.field(description="The client that lost the records.")
    to: strawberry.ID | None = strawberry.field(description="The client that got them; null if nobody's.")
    records: list[strawberry.ID] = strawberry.field(description="Global ids of the records that moved.")
    evidence: JsonValue | None = strawberry.field(
        description="The keys that joined them, or the reason to part; null for those who see no personal data."
    )
    actor: str = strawberry.field(description="Who did it: `rule`, or the token that asked for it.")


@strawberry.type(description="A client on a day.")
class ClientThen:
    client: strawberry.ID = strawberry.field(description="Global id of the client to which the id led then.")
    at: DateTimeText = strawberry.field(description="The time asked for.")
    records: list[RecordThen] = strawberry.field(description="The records that it was, the oldest first.")
    changes: list[ClientChange] = strawberry.field(
        description="What has joined or parted these records since, the oldest first."
    )


def replaying_fields(types: Types) -> list[Any]:
    """The field of `Query`."""

    async def then(
        info: Info,
        client: Annotated[strawberry.ID, strawberry.argument(description="Global id, also of one merged away.")],
        at: Annotated[DateTimeText, strawberry.argument(name="asOf", description="The time.")],
    ) -> ClientThen | None:
        context = info.context
        named = parse_id(client)
        if named is None or named[0] != "Client" or not await visible(context, types.entities["Client"], named[1]):
            return None
        async with snapshot(context) as conn:
            try:
                past = await as_of(conn, context.viewer.workspace_id, named[1], datetime.fromisoformat(at))
            except NoSuchClient:
                return None
        return _told(past, at, masked=context.viewer.role in MASKED_ROLES)

    return [
        strawberry.field(
            then,
            name="clientAsOf",
            description="Which records a client was at a time; null if no record was known as its then.",
        )
    ]


def _told(past: Past, at: DateTimeText, *, masked: bool) -> ClientThen:
    kinds = {was.id: was.kind for was in past.records}
    return ClientThen(
        client=strawberry.ID(global_id("Client", past.client)),
        at=at,
        records=[
            RecordThen(
                kind=RecordKind(was.kind),
                record=strawberry.ID(global_id(_type(was.kind), was.id)),
                client=None if was.client is None else strawberry.ID(global_id("Client", was.client)),
            )
            for was in past.records
        ],
        changes=[_change(change, kinds, masked=masked) for change in past.changes],
    )


def _change(change: Change, kinds: dict[Any, str], *, masked: bool) -> ClientChange:
    return ClientChange(
        at=DateTimeText(change.at.isoformat()),
        kind=change.kind.value,
        origin=strawberry.ID(global_id("Client", change.origin)),
        to=None if change.to is None else strawberry.ID(global_id("Client", change.to)),
        records=[strawberry.ID(global_id(_type(kinds[id]), id)) for id in change.records if id in kinds],
        evidence=None if masked else cast("JsonValue", dict(change.evidence)),
        actor=change.actor,
    )


def _type(kind: str) -> str:
    return kind.capitalize()
