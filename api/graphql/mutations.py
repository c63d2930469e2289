"""What callers may change. A mutation answers with what it wrote, or with what is wrong with its input, field by
field; the rows that it wrote are read by the planner like any others."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, cast
from uuid import UUID

import strawberry

from api.graphql.build import add_fields, list_of, object_type, optional
from api.graphql.build import field as graphql_field
from api.graphql.enums import ENUMS
from api.graphql.errors import CallerError, Forbidden
from api.graphql.ids import parse_id
from api.graphql.roots import Root, payload
from api.graphql.run import RequestContext
from api.graphql.scalars import DateTimeText, JsonValue
from api.graphql.types import Types
from api.tokens import create_token, public_id, revoke_token
from schema.enums import Role, RunTrigger
from sync import connections
from sync.decisions import merge_clients, split_client
from sync.errors import SettingsRefused
from sync.identity.decisions import DecisionRefused

Info = strawberry.Info[RequestContext, None]
_CONNECTS = frozenset({Role.OWNER, Role.INTEGRATION})
_EDITS = frozenset({Role.OWNER, Role.MANAGER})
_SPLITTABLE = ("Contact", "Company", "Call", "Lead", "Visit")
_OWNS = frozenset({Role.OWNER})
_LARGEST_TEXT = 200


@strawberry.type(description="One thing that is wrong with the input.")
class InputProblem:
    field: str | None = strawberry.field(
        description="The setting or argument; null where no single one is to blame."
    )
    message: str = strawberry.field(description="What is wrong and what to do, in one sentence.")


@dataclass
class Written:
    """What a mutation did."""

    connection: UUID | None = None
    client: UUID | None = None
    run: UUID | None = None
    sentence: str | None = None
    problems: list[InputProblem] = field(default_factory=list)


@strawberry.type(description="A new key. This is the only moment at which it is shown.")
class CreatedToken:
    id: str = strawberry.field(description="Public part, by which the key is listed and revoked.")
    token: str = strawberry.field(description="The whole key: store it now.")


async def _connect(
    info: Info,
    connector: Annotated[str, strawberry.argument(description="Key of the connector, out of `connectors`.")],
    settings: Annotated[
        JsonValue, strawberry.argument(description="Its settings as a JSON object, by the names in `connectors`.")
    ],
    title: Annotated[
        str | None, strawberry.argument(description="A name of your own; else the account's name.")
    ] = None,
) -> Any:
    context = _allowed(info, _CONNECTS)
    try:
        written, health = await connections.create_connection(
            context.office, context.viewer.workspace_id, connector, _short(title), _object(settings)
        )
    except SettingsRefused as refused:
        return _refused(refused)
    return Written(connection=written, sentence=health.sentence)


async def _update(
    info: Info,
    id: Annotated[strawberry.ID, strawberry.argument(description="Global id of the connection.")],
    title: Annotated[str | None, strawberry.argument(description="A new name.")] = None,
    settings: Annotated[
        JsonValue | None,
        strawberry.argument(description="Settings to change; those that aren't named stay, secrets too."),
    ] = None,
    interval: Annotated[
        int | None,
        strawberry.argument(name="intervalSeconds", description="Seconds between scheduled syncs, 60 at least."),
    ] = None,
) -> Any:
    context = _allowed(info, _CONNECTS)
    found = _connection(id)
    try:
        health = await connections.update_connection(
            context.office,
            context.viewer.workspace_id,
            found,
            title=_short(title),
            values=None if settings is None else _object(settings),
            interval_seconds=interval,
        )
    except SettingsRefused as refused:
        return _refused(refused)
    return Written(connection=found, sentence=None if health is None else health.sentence)


async def _pause(
    info: Info,
    id: Annotated[strawberry.ID, strawberry.argument(description="Global id of the connection.")],
) -> Any:
    context = _allowed(info, _CONNECTS)
    await connections.pause(context.office, context.viewer.workspace_id, _connection(id))
    return Written(connection=_connection(id))


async def _resume(
    info: Info,
    id: Annotated[strawberry.ID, strawberry.argument(description="Global id of the connection.")],
) -> Any:
    context = _allowed(info, _CONNECTS)
    await connections.resume(context.office, context.viewer.workspace_id, _connection(id))
    return Written(connection=_connection(id))


async def _test(
    info: Info,
    id: Annotated[strawberry.ID, strawberry.argument(description="Global id of the connection.")],
) -> Any:
    context = _allowed(info, _CONNECTS)
    found = _connection(id)
    health = await connections.check_connection(context.office, context.viewer.workspace_id, found)
    problems = [] if health.ok else [InputProblem(field=None, message=health.sentence)]
    return Written(connection=found, sentence=health.sentence, problems=problems)


async def _remove(
    info: Info,
    id: Annotated[strawberry.ID, strawberry.argument(description="Global id of the connection.")],
    data: Annotated[
        bool,
        strawberry.argument(name="withData", description="Also remove everything that was read through it."),
    ] = False,
) -> bool:
    context = _allowed(info, _CONNECTS)
    await connections.remove_connection(
        context.office, context.viewer.workspace_id, _connection(id), with_data=data
    )
    return True


async def _start_sync(
    info: Info,
    connection: Annotated[strawberry.ID, strawberry.argument(description="Global id of the connection.")],
    anew: Annotated[
        bool,
        strawberry.argument(
            name="fromBeginning", description="Read everything again; what is unchanged costs no write."
        ),
    ] = False,
) -> Any:
    context = _allowed(info, _CONNECTS | {Role.MANAGER})
    found = _connection(connection)
    if anew:
        await connections.resync(context.office, context.viewer.workspace_id, found)
    run = await context.jobs.request_sync(context.viewer.workspace_id, found, RunTrigger.BUTTON)
    return Written(connection=found, run=run)


async def _merge(
    info: Info,
    client: Annotated[strawberry.ID, strawberry.argument(description="Global id of one client.")],
    other: Annotated[strawberry.ID, strawberry.argument(description="Global id of the other.")],
) -> Any:
    context = _allowed(info, _EDITS)
    one, two = _uuid("Client", client), _uuid("Client", other)
    viewer = context.viewer
    try:
        await merge_clients(context.office.database, viewer.workspace_id, one, two, viewer.token_id)
    except DecisionRefused as refused:
        return Written(problems=[InputProblem(field=None, message=str(refused))])
    return Written(client=one)


async def _split(
    info: Info,
    client: Annotated[strawberry.ID, strawberry.argument(description="Global id of the client.")],
    records: Annotated[
        list[strawberry.ID],
        strawberry.argument(description="Global ids of the contacts, companies, calls, leads or visits."),
    ],
) -> Any:
    context = _allowed(info, _EDITS)
    parted = _uuid("Client", client)
    out = [_record(each) for each in records]
    viewer = context.viewer
    try:
        await split_client(context.office.database, viewer.workspace_id, parted, out, viewer.token_id)
    except DecisionRefused as refused:
        return Written(problems=[InputProblem(field="records", message=str(refused))])
    return Written(client=parted)


async def _create_token(
    info: Info,
    role: Annotated[ENUMS[Role], strawberry.argument(description="What the key may do.")],  # type: ignore[valid-type]
    label: Annotated[str, strawberry.argument(description="What it is for.")],
    expires: Annotated[
        DateTimeText | None, strawberry.argument(name="expiresAt", description="When it ends by itself.")
    ] = None,
) -> CreatedToken:
    context = _allowed(info, _OWNS)
    token = await create_token(
        context.office.database,
        context.viewer.workspace_id,
        Role(cast("Any", role).value),
        _short(label) or "",
        None if expires is None else datetime.fromisoformat(expires),
    )
    return CreatedToken(id=public_id(token), token=token)


async def _revoke_token(
    info: Info,
    id: Annotated[str, strawberry.argument(description="Public part of the key.")],
) -> bool:
    context = _allowed(info, _OWNS)
    ended = await revoke_token(context.office.database, context.viewer.workspace_id, id)
    context.forget_token(id)
    return ended


def mutation_type(types: Types) -> tuple[Any, dict[str, list[Root]]]:
    """The type `Mutation`, and the planned fields of its payloads by the payload's name."""
    connection = payload(
        types, "connection", "Connection", "The connection as it is now; null if nothing was written."
    )
    run = payload(types, "run", "SyncRun", "The sync: a new one, or the one that waits already.")
    sentence = graphql_field("sentence", optional(str), "What the external system said, in one sentence.")
    problems = graphql_field(
        "problems", list_of(InputProblem), "What is wrong with the input; empty if all went well."
    )
    changed = object_type("ConnectionPayload", "A connection that was made, changed or tried.")
    add_fields(changed, [connection.field, sentence, problems])
    started = object_type("StartSyncPayload", "A sync that was asked for.")
    add_fields(started, [run.field, payload(types, "connection", "Connection", "The connection.").field])
    client = payload(types, "client", "Client", "The client as it is now; null if nothing was written.")
    decided = object_type("ClientPayload", "A client about whom something was decided.")
    add_fields(decided, [client.field, problems])
    mutation = object_type("Mutation", "Everything that can be changed.")
    made = [
        _field(_connect, "connectSystem", changed, "Connect an account. The settings are tried out at once."),
        _field(_update, "updateConnection", changed, "Change a connection. New settings are tried out at once."),
        _field(_test, "testConnection", changed, "Try whether a connection works as it stands."),
        _field(_pause, "pauseConnection", changed, "Read nothing more until it is resumed."),
        _field(_resume, "resumeConnection", changed, "Go on where it was."),
        _field(
            _remove, "removeConnection", bool, "Remove a connection and its secrets; its data stays unless asked."
        ),
        _field(_start_sync, "startSync", started, "Ask for a sync now. If one waits already, that one is given."),
        _field(_merge, "mergeClients", decided, "Make two clients one. The older one survives; every sync obeys."),
        _field(_split, "splitClient", decided, "Take records out of a client for ever; every sync obeys."),
        _field(_create_token, "createToken", CreatedToken, "Make a key to this API."),
        _field(_revoke_token, "revokeToken", bool, "End a key; false if it had ended before or isn't there."),
    ]
    add_fields(mutation, made)
    return mutation, {
        "ConnectionPayload": [connection],
        "StartSyncPayload": [run, connection],
        "ClientPayload": [client],
    }


def _field(resolver: Any, name: str, returns: Any, description: str) -> Any:
    # Nullable, so that a mutation that fails leaves the answers of the others.
    return strawberry.mutation(
        resolver=resolver, name=name, description=description, graphql_type=optional(returns)
    )


def _allowed(info: Info, roles: frozenset[Role]) -> RequestContext:
    context = info.context
    if context.viewer.role not in roles:
        raise Forbidden(f"The role {context.viewer.role.value} may not do this.")
    return context


def _connection(id: str) -> UUID:
    return _uuid("Connection", id)


def _uuid(type_name: str, id: str) -> UUID:
    found = parse_id(id)
    if found is None or found[0] != type_name:
        raise CallerError(f"{id!r} isn't the id of a {type_name}.")
    return found[1]


def _record(id: str) -> UUID:
    found = parse_id(id)
    if found is None or found[0] not in _SPLITTABLE:
        raise CallerError(f"{id!r} isn't the id of a {', '.join(_SPLITTABLE)}.")
    return found[1]


def _object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise CallerError("The settings must be a JSON object.")
    return cast("dict[str, Any]", value)


def _short(text: str | None) -> str | None:
    if text is not None and len(text) > _LARGEST_TEXT:
        raise CallerError(f"A name has {_LARGEST_TEXT} characters at most.")
    return text


def _refused(refused: SettingsRefused) -> Written:
    return Written(problems=[InputProblem(field=each.field, message=each.sentence) for each in refused.problems])
