"""The outbox: what waits to be written to other systems and what was, and what people do with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, cast
from uuid import UUID

import strawberry

from api.graphql.enums import ENUMS
from api.graphql.problems import InputProblem, InputRefused, problem, row_id
from api.graphql.roots import Root, by_id, page_of, payload
from api.graphql.scalars import JsonValue
from api.graphql.types import Types
from api.graphql.written import EDITORS, Info, Written, act, allowed, payload_type, reach
from schema.enums import ConflictDecision, Role
from sync.errors import NotFound
from sync.writeback import outbox
from sync.writeback.outbox import NotPossible
from sync.writeback.undo import UndoPreview, preview_undo, undo

SEES = EDITORS | {Role.INTEGRATION}
_CHANGE = "OutboxChange"

_Id = Annotated[strawberry.ID, strawberry.argument(description="Global id of the change.")]
_Values = Annotated[
    JsonValue,
    strawberry.argument(description="What is to stand there, by field, as a JSON object; null takes a field out."),
]
_Conflict = Annotated[
    strawberry.ID, strawberry.argument(name="change", description="Global id of the change that met the conflict.")
]
_Field = Annotated[str, strawberry.argument(description="The field that waits.")]
_Decision = Annotated[
    ENUMS[ConflictDecision],  # type: ignore[valid-type]  # made from data
    strawberry.argument(description="Whose value holds."),
]


@strawberry.type(description="One field of a difference.")
class ChangeLine:
    field: str = strawberry.field(description="The field, by the write's word or the system's own code.")
    now: JsonValue | None = strawberry.field(description="What stands there now.")
    then: JsonValue | None = strawberry.field(description="What would stand there.")


@strawberry.type(description="What taking a change back would do. Nothing is changed by asking.")
class UndoChangePreview:
    sentence: str | None = strawberry.field(description="In one sentence; null if it can't be done at all.")
    lines: list[ChangeLine] = strawberry.field(description="Field by field.")
    obstacle: str | None = strawberry.field(
        description="Why it would be refused as things stand there (it was worked on since); null if it wouldn't."
    )
    problems: list[InputProblem] = strawberry.field(description="Why it can't be done; empty if it can.")


def outbox_roots(types: Types) -> list[Root]:
    """The outbox' fields of `Query`."""
    single = by_id(types, "outboxChange", _CHANGE, "The change with that id; what `queued` edits are polled by.")
    return [
        Root(single.field, single.expression, roles=SEES),
        page_of(types, "outbox", _CHANGE, "Changes on their way to other systems, newest first.", SEES),
        page_of(
            types,
            "fieldConflicts",
            "FieldConflict",
            "Fields that were changed on both sides, newest first; those without a decision wait for a person.",
            SEES,
        ),
    ]


def outbox_fields(types: Types) -> list[Any]:
    """The queries that ask another system."""

    async def preview(info: Info, id: _Id) -> UndoChangePreview | None:
        context = allowed(info, SEES)
        try:
            change = await _named(info, types, id)
            with _possible():
                return _told(await preview_undo(context.office, context.viewer.workspace_id, change))
        except InputRefused as refused:
            return UndoChangePreview(sentence=None, lines=[], obstacle=None, problems=refused.problems)

    return [strawberry.field(preview, name="previewUndoChange", description="What `undoChange` would do now.")]


def outbox_mutations(types: Types) -> tuple[list[Any], dict[str, list[Root]]]:
    """The outbox' fields of `Mutation`, and the planned fields of their payload."""

    async def replay(info: Info, id: _Id) -> Any:
        change = await _named(info, types, id)
        with _possible():
            await outbox.replay(*_where(info), change)
        return Written(change=change)

    async def skip(info: Info, id: _Id) -> Any:
        change = await _named(info, types, id)
        with _possible():
            await outbox.skip(*_where(info), change, info.context.viewer.token_id)
        return Written(change=change)

    async def edit(info: Info, id: _Id, values: _Values) -> Any:
        change = await _named(info, types, id)
        if not isinstance(values, dict) or not values:
            raise InputRefused(problem("values", "NOT_AN_OBJECT"))
        with _possible():
            await outbox.edit(*_where(info), change, values)
        return Written(change=change)

    async def take_back(info: Info, id: _Id) -> Any:
        change = await _named(info, types, id)
        with _possible():
            new = await undo(info.context.office, info.context.viewer.workspace_id, change)
        return Written(change=new)

    async def decide(info: Info, id: _Conflict, field: _Field, decision: _Decision) -> Any:
        change = await _named(info, types, id, "change")
        chosen = ConflictDecision(cast("Any", decision).value)
        try:
            new = await outbox.decide_conflict(
                *_where(info), change, field, chosen.value, info.context.viewer.token_id
            )
        except NotFound:
            raise InputRefused(problem("field", "NOTHING_WAITS")) from None
        return Written(change=new or change)

    change = payload(types, "change", _CHANGE, "The change as it is now; null if nothing was done.")
    changed = payload_type("OutboxChangePayload", "A change in the outbox.", change.field)
    by_id = ("id", _CHANGE)
    made = [
        act(
            replay,
            "replayChange",
            changed,
            "Try a parked or skipped change again. It is looked for first, so that nothing is made twice.",
            of=by_id,
            delivers=True,
        ),
        act(
            skip,
            "skipChange",
            changed,
            "Leave a change out, so that the record's next one can go.",
            of=by_id,
            delivers=True,
        ),
        act(edit, "editChange", changed, "Change what is to be written, and try again.", of=by_id, delivers=True),
        act(
            take_back,
            "undoChange",
            changed,
            "Take back what was written; the answer is the change that does it. `previewUndoChange` tells first.",
            of=by_id,
            delivers=True,
        ),
        act(
            decide,
            "decideConflict",
            changed,
            "Say whose value of a field holds. Ours becomes a new change, which is the answer then.",
            of=("change", _CHANGE),
            delivers=True,
        ),
    ]
    return made, {"OutboxChangePayload": [change]}


def lines_of(lines: Any) -> list[ChangeLine]:
    return [ChangeLine(field=each.field, now=JsonValue(each.now), then=JsonValue(each.then)) for each in lines]


async def _named(info: Info, types: Types, id: str, field: str = "id") -> UUID:
    context = allowed(info, SEES)
    return await reach(context, types.entities[_CHANGE], field, row_id(field, id, _CHANGE))


def _where(info: Info) -> tuple[Any, UUID]:
    return info.context.office.database, info.context.viewer.workspace_id


@contextmanager
def _possible() -> Iterator[None]:
    """What can't be done to a change in its state is a problem of the input."""
    try:
        yield
    except NotPossible as error:
        raise InputRefused(InputProblem(field="id", code=error.code, message=str(error))) from None


def _told(found: UndoPreview) -> UndoChangePreview:
    return UndoChangePreview(
        sentence=found.sentence, lines=lines_of(found.lines), obstacle=found.obstacle, problems=[]
    )
