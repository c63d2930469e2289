"""What callers may change. A mutation answers with what it wrote, or with what is wrong with its input, field by
field; the rows that it wrote are read by the planner like any others."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, cast
from uuid import UUID

import strawberry
from sqlalchemy import update

from api.graphql.build import add_fields, field, list_of, object_type, optional
from api.graphql.deciding import decision_mutations
from api.graphql.enums import ENUMS
from api.graphql.errors import CallerError
from api.graphql.ids import parse_id
from api.graphql.once import IdempotencyKey, SealedAnswers, once
from api.graphql.problems import InputProblem, InputRefused, problem, row_id
from api.graphql.roots import Root, payload
from api.graphql.scalars import DateTimeText, JsonValue
from api.graphql.types import Types
from api.graphql.webhooks import webhook_mutations
from api.graphql.writing import work_mutations
from api.graphql.written import Info, Written, act, allowed, kept, recalled
from api.tokens import create_token, public_id, revoke_token
from schema.enums import ManagersSee, Role, RunTrigger
from schema.tables import Workspace
from sync import connections
from sync.errors import SettingsRefused
from sync.quarantine import replay

_CONNECTS = frozenset({Role.OWNER, Role.INTEGRATION})
_OWNS = frozenset({Role.OWNER})
_LARGEST_TEXT = 200


@strawberry.type(description="What became of the records in quarantine.")
class ReplayedQuarantine:
    replayed: int = strawberry.field(description="Records that were tried again.")
    understood: int = strawberry.field(description="Records that were understood now and are here.")
    stillRefused: int = strawberry.field(  # noqa: N815 - GraphQL's spelling
        description="Records that could not be understood again; `quarantine` says why."
    )


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
    key: IdempotencyKey = None,
) -> Any:
    context = allowed(info, _CONNECTS)

    async def work() -> Written:
        try:
            written, health = await connections.create_connection(
                context.office, context.viewer.workspace_id, connector, _short(title), _object(settings)
            )
        except SettingsRefused as refused:
            return _refused(refused)
        return Written(connection=written, sentence=health.sentence)

    arguments = {"connector": connector, "settings": settings, "title": title}
    return await once(context, key, "connectSystem", arguments, work, keep=kept, recall=recalled)


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
    context = allowed(info, _CONNECTS)
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
    context = allowed(info, _CONNECTS)
    await connections.pause(context.office, context.viewer.workspace_id, _connection(id))
    return Written(connection=_connection(id))


async def _resume(
    info: Info,
    id: Annotated[strawberry.ID, strawberry.argument(description="Global id of the connection.")],
) -> Any:
    context = allowed(info, _CONNECTS)
    await connections.resume(context.office, context.viewer.workspace_id, _connection(id))
    return Written(connection=_connection(id))


async def _test(
    info: Info,
    id: Annotated[strawberry.ID, strawberry.argument(description="Global id of the connection.")],
) -> Any:
    context = allowed(info, _CONNECTS)
    found = _connection(id)
    health = await connections.check_connection(context.office, context.viewer.workspace_id, found)
    problems = [] if health.ok else [InputProblem(field=None, code="CHECK_FAILED", message=health.sentence)]
    return Written(connection=found, sentence=health.sentence, problems=problems)


async def _remove(
    info: Info,
    id: Annotated[strawberry.ID, strawberry.argument(description="Global id of the connection.")],
    data: Annotated[
        bool,
        strawberry.argument(name="withData", description="Also remove everything that was read through it."),
    ] = False,
) -> bool:
    context = allowed(info, _CONNECTS)
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
    key: IdempotencyKey = None,
) -> Any:
    context = allowed(info, _CONNECTS | {Role.MANAGER})
    found = _connection(connection)

    async def work() -> Written:
        if anew:
            await connections.resync(context.office, context.viewer.workspace_id, found)
        run = await context.jobs.request_sync(context.viewer.workspace_id, found, RunTrigger.BUTTON)
        return Written(connection=found, run=run)

    arguments = {"connection": found, "fromBeginning": anew}
    return await once(context, key, "startSync", arguments, work, keep=kept, recall=recalled)


async def _replay(
    info: Info,
    connection: Annotated[strawberry.ID, strawberry.argument(description="Global id of the connection.")],
) -> ReplayedQuarantine:
    context = allowed(info, _CONNECTS)
    counts = await replay(context.office, context.viewer.workspace_id, _connection(connection))
    return ReplayedQuarantine(
        replayed=counts.fetched,
        understood=counts.created + counts.updated + counts.unchanged + counts.skipped,
        stillRefused=counts.quarantined,
    )


async def _change_workspace(
    info: Info,
    managers_see: Annotated[
        ENUMS[ManagersSee],  # type: ignore[valid-type]  # made from data
        strawberry.argument(name="managersSee", description="Which clients managers' keys reach."),
    ],
) -> Any:
    context = allowed(info, _OWNS)
    viewer = context.viewer
    async with context.office.database.workspace(viewer.workspace_id) as db:
        await db.execute(
            update(Workspace)
            .where(Workspace.id == viewer.workspace_id)
            .values(managers_see=ManagersSee(cast("Any", managers_see).value).value)
        )
    return Written(workspace=viewer.workspace_id)


async def _create_token(
    info: Info,
    role: Annotated[ENUMS[Role], strawberry.argument(description="What the key may do.")],  # type: ignore[valid-type]
    label: Annotated[str, strawberry.argument(description="What it is for.")],
    expires: Annotated[
        DateTimeText | None, strawberry.argument(name="expiresAt", description="When it ends by itself.")
    ] = None,
    users: Annotated[
        list[strawberry.ID] | None,
        strawberry.argument(description="Of a manager's key: global ids of the employees that the manager is."),
    ] = None,
    key: IdempotencyKey = None,
) -> CreatedToken:
    context = allowed(info, _OWNS)
    chosen = Role(cast("Any", role).value)
    if users is not None and chosen is not Role.MANAGER:
        raise InputRefused(problem("users", "ONLY_MANAGERS"))
    user_ids = None if users is None else [row_id("users", each, "User") for each in users]
    name = _short(label) or ""

    async def work() -> CreatedToken:
        ends = None if expires is None else datetime.fromisoformat(expires)
        token = await create_token(
            context.office.database, context.viewer.workspace_id, chosen, name, ends, user_ids
        )
        return CreatedToken(id=public_id(token), token=token)

    sealed = SealedAnswers(context)
    return await once(
        context,
        key,
        "createToken",
        {"role": chosen, "label": label, "expiresAt": expires, "users": users},
        work,
        keep=lambda made: {"id": made.id, **sealed.seal(made.token)},
        recall=lambda answer: CreatedToken(id=answer["id"], token=sealed.open(answer)),
    )


async def _revoke_token(
    info: Info,
    id: Annotated[str, strawberry.argument(description="Public part of the key.")],
) -> bool:
    context = allowed(info, _OWNS)
    ended = await revoke_token(context.office.database, context.viewer.workspace_id, id)
    context.forget_token(id)
    return ended


def mutation_type(types: Types) -> tuple[Any, dict[str, list[Root]]]:
    """The type `Mutation`, and the planned fields of its payloads by the payload's name."""
    connection = payload(
        types, "connection", "ConnectedSystem", "The connection as it is now; null if nothing was written."
    )
    run = payload(types, "run", "SyncRun", "The sync: a new one, or the one that waits already.")
    sentence = field("sentence", optional(str), "What the external system said, in one sentence.")
    problems = field("problems", list_of(InputProblem), "What is wrong with the input; empty if all went well.")
    changed = object_type("ConnectedSystemPayload", "A connection that was made, changed or tried.")
    add_fields(changed, [connection.field, sentence, problems])
    started = object_type("StartSyncPayload", "A sync that was asked for.")
    add_fields(started, [run.field, payload(types, "connection", "ConnectedSystem", "The connection.").field])
    workspace = payload(types, "workspace", "Workspace", "The workspace as it is now.")
    arranged = object_type("WorkspacePayload", "The workspace that was changed.")
    add_fields(arranged, [workspace.field])
    decided, decided_roots = decision_mutations(types, problems)
    worked, worked_roots = work_mutations(types, problems)
    mutation = object_type("Mutation", "Everything that can be changed.")
    made = [
        act(_connect, "connectSystem", changed, "Connect an account. The settings are tried out at once."),
        act(_update, "updateConnection", changed, "Change a connection. New settings are tried out at once."),
        act(_test, "testConnection", changed, "Try whether a connection works as it stands."),
        act(_pause, "pauseConnection", changed, "Read nothing more until it is resumed."),
        act(_resume, "resumeConnection", changed, "Go on where it was."),
        act(_remove, "removeConnection", bool, "Remove a connection and its secrets; its data stays unless asked."),
        act(_start_sync, "startSync", started, "Ask for a sync now. If one waits already, that one is given."),
        act(
            _replay,
            "replayQuarantine",
            ReplayedQuarantine,
            "Read the records again that could not be understood, by the connector as it is now.",
        ),
        act(_change_workspace, "updateWorkspace", arranged, "Change what holds for the whole workspace."),
        act(_create_token, "createToken", CreatedToken, "Make a key to this API."),
        act(_revoke_token, "revokeToken", bool, "End a key; false if it had ended before or isn't there."),
    ]
    told, told_roots = webhook_mutations(types)
    add_fields(mutation, [*made, *decided, *worked, *told])
    return mutation, {
        "ConnectedSystemPayload": [connection],
        "StartSyncPayload": [run, connection],
        "WorkspacePayload": [workspace],
        **decided_roots,
        **worked_roots,
        **told_roots,
    }


def _connection(id: str) -> UUID:
    return _uuid("ConnectedSystem", id)


def _uuid(type_name: str, id: str) -> UUID:
    found = parse_id(id)
    if found is None or found[0] != type_name:
        raise CallerError(f"{id!r} isn't the id of a {type_name}.")
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
    return Written(
        problems=[
            InputProblem(field=each.field, code=refused.code, message=each.sentence) for each in refused.problems
        ]
    )
