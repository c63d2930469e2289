"""The life of connected systems: connect, change, try, pause, read (again), remove."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date
from typing import Annotated, Any, cast

import strawberry
from sqlalchemy.ext.asyncio import AsyncConnection

from api.graphql.build import field as graphql_field
from api.graphql.build import list_of, optional
from api.graphql.once import IdempotencyKey, once
from api.graphql.problems import InputProblem, InputRefused, problem, row_id, said, short_text
from api.graphql.roots import Root, payload
from api.graphql.scalars import DateText, DateTimeText, JsonValue
from api.graphql.types import Types
from api.graphql.written import REMOVAL, Info, Written, act, allowed, kept, payload_type, recalled
from schema.enums import Role, RunTrigger
from sync import connections
from sync.errors import NotFound
from sync.quarantine import replay
from sync.rereading import Asked, reread
from sync.verify import verify_every
from sync.verify.verifying import Wanted

_CONNECTS = frozenset({Role.OWNER, Role.INTEGRATION})
_LONGEST_TITLE = 200
_SYSTEM = "ConnectedSystem"

_Id = Annotated[strawberry.ID, strawberry.argument(description="Global id of the connection.")]


@strawberry.type(description="What will be read of one stream.")
class StreamToRead:
    stream: str = strawberry.field(description="Name of the list in the connector.")
    title: str = strawberry.field(description="The list's name for people.")
    readsFrom: DateTimeText | None = strawberry.field(  # noqa: N815 - GraphQL's spelling
        description="From which moment on (of what can be told apart by time); null: all of it, as in every sync."
    )


@dataclass
class ToRead(Written):
    """What will be read."""

    streams: list[StreamToRead] = field(default_factory=list)


@dataclass
class Replayed:
    """What became of records in quarantine."""

    replayed: int = 0
    understood: int = 0
    stillRefused: int = 0  # noqa: N815 - GraphQL's spelling
    problems: list[InputProblem] = field(default_factory=list)


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
    name, values = short_text("title", title, _LONGEST_TITLE), _object("settings", settings)

    async def work(db: AsyncConnection | None) -> Written:
        written, health = await connections.create_connection(
            context.office, context.viewer.workspace_id, connector, name, values, within=db
        )
        return Written(connection=written, sentence=health.sentence)

    arguments = {"connector": connector, "settings": settings, "title": title}
    return await once(context, key, "connectSystem", arguments, work, keep=kept, recall=recalled)


async def _update(
    info: Info,
    id: _Id,
    title: Annotated[str | None, strawberry.argument(description="A new name.")] = None,
    settings: Annotated[
        JsonValue | None,
        strawberry.argument(description="Settings to change; those that aren't named stay, secrets too."),
    ] = None,
    interval: Annotated[
        int | None,
        strawberry.argument(name="intervalSeconds", description="Seconds between scheduled syncs, 60 at least."),
    ] = None,
    verify: Annotated[
        int | None,
        strawberry.argument(
            name="verifyEverySeconds",
            description="Seconds between scheduled comparisons with the system, 3600 at least; 0: none.",
        ),
    ] = None,
) -> Any:
    context = allowed(info, _CONNECTS)
    found = row_id("id", id, _SYSTEM)
    health = await connections.update_connection(
        context.office,
        context.viewer.workspace_id,
        found,
        title=short_text("title", title, _LONGEST_TITLE),
        values=None if settings is None else _object("settings", settings),
        interval_seconds=interval,
    )
    if verify is not None:
        await verify_every(context.office, context.viewer.workspace_id, found, verify)
    return Written(connection=found, sentence=None if health is None else health.sentence)


async def _pause(info: Info, id: _Id) -> Any:
    context = allowed(info, _CONNECTS)
    found = row_id("id", id, _SYSTEM)
    await connections.pause(context.office, context.viewer.workspace_id, found)
    return Written(connection=found)


async def _resume(info: Info, id: _Id) -> Any:
    context = allowed(info, _CONNECTS)
    found = row_id("id", id, _SYSTEM)
    await connections.resume(context.office, context.viewer.workspace_id, found)
    return Written(connection=found)


async def _test(info: Info, id: _Id) -> Any:
    context = allowed(info, _CONNECTS)
    found = row_id("id", id, _SYSTEM)
    health = await connections.check_connection(context.office, context.viewer.workspace_id, found)
    problems = [] if health.ok else [InputProblem(field=None, code="CHECK_FAILED", message=health.sentence)]
    return Written(connection=found, sentence=health.sentence, problems=problems)


async def _remove(
    info: Info,
    id: _Id,
    data: Annotated[
        bool,
        strawberry.argument(name="withData", description="Also remove everything that was read through it."),
    ] = False,
) -> Any:
    context = allowed(info, _CONNECTS)
    found = row_id("id", id, _SYSTEM)
    try:
        await connections.remove_connection(context.office, context.viewer.workspace_id, found, with_data=data)
    except NotFound:
        return Written(removed=False)
    return Written(removed=True)


async def _start_sync(
    info: Info,
    connection: _Id,
    anew: Annotated[
        bool,
        strawberry.argument(
            name="fromBeginning", description="Read everything again; what is unchanged costs no write."
        ),
    ] = False,
    key: IdempotencyKey = None,
) -> Any:
    context = allowed(info, _CONNECTS | {Role.MANAGER})
    found = row_id("connection", connection, _SYSTEM)

    async def work(db: AsyncConnection | None) -> Written:
        if anew:
            await connections.resync(context.office, context.viewer.workspace_id, found, within=db)
        run = await context.jobs.request_sync(context.viewer.workspace_id, found, RunTrigger.BUTTON, within=db)
        return Written(connection=found, run=run)

    arguments = {"connection": found, "fromBeginning": anew}
    return await once(context, key, "startSync", arguments, work, keep=kept, recall=recalled)


async def _resync(
    info: Info,
    id: _Id,
    since: Annotated[
        DateText,
        strawberry.argument(
            name="from", description="The first day to read once more, in the workspace's time zone."
        ),
    ],
    streams: Annotated[
        list[str] | None, strawberry.argument(description="Names of streams, out of `streams`; else all of them.")
    ] = None,
    key: IdempotencyKey = None,
) -> Any:
    context = allowed(info, _CONNECTS)
    workspace = context.viewer.workspace_id
    found = row_id("id", id, _SYSTEM)

    async def work(db: AsyncConnection | None) -> ToRead:
        asked = await reread(context.office, workspace, found, date.fromisoformat(since), streams, within=db)
        run = await context.jobs.request_sync(workspace, found, RunTrigger.BUTTON, within=db)
        return ToRead(connection=found, run=run, sentence=_when(asked), streams=_to_read(asked))

    return await once(
        context,
        key,
        "resyncConnection",
        {"id": found, "from": since, "streams": streams},
        work,
        keep=lambda told: {**kept(told), "streams": [vars(each) for each in told.streams]},
        recall=lambda answer: ToRead(
            **vars(recalled(answer)), streams=[StreamToRead(**each) for each in answer["streams"]]
        ),
    )


async def _verify(
    info: Info,
    id: _Id,
    since: Annotated[
        DateText | None,
        strawberry.argument(name="from", description="The first day to compare, in the workspace's time zone."),
    ] = None,
    until: Annotated[
        DateText | None, strawberry.argument(name="to", description="The last day to compare.")
    ] = None,
    streams: Annotated[
        list[str] | None, strawberry.argument(description="Names of streams, out of `streams`; else all of them.")
    ] = None,
    fix: Annotated[bool, strawberry.argument(description="Mend what is wrong; else it is only told.")] = True,
) -> Any:
    context = allowed(info, _CONNECTS)
    found = row_id("id", id, _SYSTEM)
    wanted = Wanted(
        streams=streams,
        since=None if since is None else date.fromisoformat(since),
        until=None if until is None else date.fromisoformat(until),
        fix=fix,
    )
    queued = await context.jobs.verification.request(context.viewer.workspace_id, found, wanted)
    return Written(
        connection=found, sentence=said("VERIFICATION_JOINED" if queued is None else "VERIFICATION_QUEUED")
    )


def _to_read(asked: Asked) -> list[StreamToRead]:
    return [
        StreamToRead(
            stream=each.stream,
            title=each.title,
            readsFrom=None if each.since is None else DateTimeText(each.since.astimezone(UTC).isoformat()),
        )
        for each in asked.streams
    ]


def _when(asked: Asked) -> str:
    """When it is read, in the caller's language."""
    code = "READ_AFTER_THIS_SYNC" if asked.under_way else "READ_BY_NEXT_SYNC"
    return said(code)


async def _replay(
    info: Info,
    connection: _Id,
) -> Any:
    context = allowed(info, _CONNECTS)
    found = row_id("connection", connection, _SYSTEM)
    counts = await replay(context.office, context.viewer.workspace_id, found)
    return Replayed(
        replayed=counts.fetched,
        understood=counts.created + counts.updated + counts.unchanged + counts.skipped,
        stillRefused=counts.quarantined,
    )


def connecting_mutations(types: Types) -> tuple[list[Any], dict[str, list[Root]]]:
    """The mutations, and the planned fields of their payloads."""
    connection = payload(types, "connection", _SYSTEM, "The connection as it is now; null if nothing was written.")
    run = payload(types, "run", "SyncRun", "The sync: a new one, or the one that waits already.")
    changed = payload_type(
        "ConnectedSystemPayload",
        "A connection that was made, changed or tried.",
        connection.field,
        graphql_field("sentence", optional(str), "What the external system said, in one sentence."),
    )
    started = payload_type("StartSyncPayload", "A sync that was asked for.", run.field, connection.field)
    again = payload_type(
        "ResyncConnectionPayload",
        "What is read once more.",
        run.field,
        connection.field,
        graphql_field("streams", list_of(StreamToRead), "What will be read, stream by stream."),
        graphql_field("sentence", optional(str), "When it is read, in one sentence in the caller's language."),
    )
    verified = payload_type(
        "VerifyConnectionPayload",
        "A comparison that was asked for.",
        connection.field,
        graphql_field("sentence", optional(str), "When it begins, in one sentence in the caller's language."),
    )
    replayed = payload_type(
        "ReplayQuarantinePayload",
        "What became of the records in quarantine.",
        graphql_field("replayed", int, "Records that were tried again."),
        graphql_field("understood", int, "Records that were understood now and are here."),
        graphql_field("stillRefused", int, "Records that could not be understood again; `quarantine` says why."),
    )
    by_id, by_connection = ("id", _SYSTEM), ("connection", _SYSTEM)
    return [
        act(_connect, "connectSystem", changed, "Connect an account. The settings are tried out at once."),
        act(
            _update,
            "updateConnection",
            changed,
            "Change a connection. New settings are tried out at once.",
            of=by_id,
        ),
        act(_test, "testConnection", changed, "Try whether a connection works as it stands.", of=by_id),
        act(_pause, "pauseConnection", changed, "Read nothing more until it is resumed.", of=by_id),
        act(_resume, "resumeConnection", changed, "Go on where it was.", of=by_id),
        act(
            _remove,
            "removeConnection",
            REMOVAL,
            "Remove a connection and its secrets; its data stays unless asked.",
        ),
        act(
            _start_sync,
            "startSync",
            started,
            "Ask for a sync now. If one waits already, that one is given.",
            of=by_connection,
        ),
        act(
            _resync,
            "resyncConnection",
            again,
            "Read once more what there is from a day on, in a sync that is asked for with it. What is unchanged "
            "costs no write, and what lies before that day isn't read again.",
            of=by_id,
            refused=ToRead,
        ),
        act(
            _verify,
            "verifyConnection",
            verified,
            "Compare what is here with the external system, as soon as no sync waits: what is missing, different "
            "or deleted there is named in `verifications` and mended.",
            of=by_id,
        ),
        act(
            _replay,
            "replayQuarantine",
            replayed,
            "Read the records again that could not be understood, by the connector as it is now.",
            of=by_connection,
            refused=Replayed,
        ),
    ], {
        "ConnectedSystemPayload": [connection],
        "StartSyncPayload": [run, connection],
        "VerifyConnectionPayload": [connection],
        "ResyncConnectionPayload": [run, connection],
    }


def _object(argument: str, value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InputRefused(problem(argument, "NOT_AN_OBJECT"))
    return cast("dict[str, Any]", value)
