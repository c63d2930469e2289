"""Writing notes and tasks about clients."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import strawberry
from sqlalchemy.ext.asyncio import AsyncConnection

from api.graphql.once import IdempotencyKey, once
from api.graphql.problems import row_id, written_text
from api.graphql.roots import Root, payload
from api.graphql.run import RequestContext
from api.graphql.scalars import DateTimeText
from api.graphql.types import Types
from api.graphql.written import (
    EDITORS,
    REMOVAL,
    Info,
    Written,
    act,
    allowed,
    kept,
    payload_type,
    reach,
    recalled,
    visible,
)
from core import clock
from schema.tables import Note, Task
from sync import work

_LONGEST_NOTE, _LONGEST_TITLE = 20_000, 500

_ClientId = Annotated[strawberry.ID, strawberry.argument(description="Global id of the client that it is about.")]
_DealId = Annotated[strawberry.ID | None, strawberry.argument(description="Global id of the deal concerned.")]
_Text = Annotated[str, strawberry.argument(description=f"What it says, {_LONGEST_NOTE} characters at most.")]
_Title = Annotated[
    str, strawberry.argument(description=f"What is to be done, at most {_LONGEST_TITLE} characters.")
]
_NewTitle = Annotated[str | None, strawberry.argument(description="What is to be done; not given, it stays.")]
_DueAt = Annotated[DateTimeText | None, strawberry.argument(name="dueAt", description="By when.")]
_Assignee = Annotated[
    strawberry.ID | None, strawberry.argument(description="Global id of the employee who is to do it.")
]
_NewDueAt = Annotated[
    DateTimeText | None,
    strawberry.argument(name="dueAt", description="By when; null: no more by any time; not given, it stays."),
]
_NewAssignee = Annotated[
    strawberry.ID | None,
    strawberry.argument(
        description="Global id of the employee who is to do it; null: nobody any more; not given, it stays."
    ),
]
_Done = Annotated[
    bool | None,
    strawberry.argument(description="True: it is done now; false: it is open again; else it stays."),
]
_NoteId = Annotated[strawberry.ID, strawberry.argument(description="Global id of the note.")]
_TaskId = Annotated[strawberry.ID, strawberry.argument(description="Global id of the task.")]


class _Desk:
    """One request's writing: checks what it is about, then writes."""

    def __init__(self, info: Info, types: Types) -> None:
        self.context: RequestContext = allowed(info, EDITORS)
        self._types = types
        self.database = self.context.office.database
        self.workspace = self.context.viewer.workspace_id

    async def seen(self, field: str, id: str, type_name: str) -> UUID:
        return await reach(self.context, self._types.entities[type_name], field, row_id(field, id, type_name))

    async def sees(self, type_name: str, id: UUID) -> bool:
        return await visible(self.context, self._types.entities[type_name], id)

    async def about(self, client: str, deal: str | None) -> dict[str, UUID | None]:
        return {
            "client_id": await self.seen("client", client, "Client"),
            "deal_id": None if deal is None else await self.seen("deal", deal, "Deal"),
        }

    async def assignee(self, user: str | None) -> UUID | None:
        return None if user is None else await self.seen("assignee", user, "User")


def work_mutations(types: Types) -> tuple[list[Any], dict[str, list[Root]]]:
    """The mutations, and the planned fields of their payloads."""

    async def create_note(
        info: Info, client: _ClientId, text: _Text, deal: _DealId = None, key: IdempotencyKey = None
    ) -> Any:
        desk = _Desk(info, types)
        values = {**await desk.about(client, deal), "text": written_text("text", text, _LONGEST_NOTE)}
        return await _made(desk, key, "note", Note, values)

    async def edit_note(info: Info, id: _NoteId, text: _Text) -> Any:
        desk = _Desk(info, types)
        note = await desk.seen("id", id, "Note")
        await work.change(
            desk.database, desk.workspace, Note, note, {"text": written_text("text", text, _LONGEST_NOTE)}
        )
        return Written(note=note)

    async def remove_note(info: Info, id: _NoteId) -> Any:
        return await _removed(_Desk(info, types), Note, id)

    async def create_task(
        info: Info,
        client: _ClientId,
        title: _Title,
        deal: _DealId = None,
        due: _DueAt = None,
        assignee: _Assignee = None,
        key: IdempotencyKey = None,
    ) -> Any:
        desk = _Desk(info, types)
        values = {
            **await desk.about(client, deal),
            "title": written_text("title", title, _LONGEST_TITLE),
            "due_at": None if due is None else datetime.fromisoformat(due),
            "assignee_id": await desk.assignee(assignee),
        }
        return await _made(desk, key, "task", Task, values)

    async def edit_task(
        info: Info,
        id: _TaskId,
        title: _NewTitle = None,
        due: _NewDueAt = strawberry.UNSET,
        assignee: _NewAssignee = strawberry.UNSET,
        done: _Done = None,
    ) -> Any:
        desk = _Desk(info, types)
        task = await desk.seen("id", id, "Task")
        changes: dict[str, Any] = {}
        if title is not None:
            changes["title"] = written_text("title", title, _LONGEST_TITLE)
        if due is not strawberry.UNSET:
            changes["due_at"] = None if due is None else datetime.fromisoformat(due)
        if assignee is not strawberry.UNSET:
            changes["assignee_id"] = await desk.assignee(assignee)
        if done is not None:
            changes["done_at"] = clock.now() if done else None
        await work.change(desk.database, desk.workspace, Task, task, changes)
        return Written(task=task)

    async def remove_task(info: Info, id: _TaskId) -> Any:
        return await _removed(_Desk(info, types), Task, id)

    note = payload(types, "note", "Note", "The note as it is now; null if nothing was written.")
    noted = payload_type("NotePayload", "A note that was written or changed.", note.field)
    task = payload(types, "task", "Task", "The task as it is now; null if nothing was written.")
    tasked = payload_type("TaskPayload", "A task that was written or changed.", task.field)
    made = [
        act(create_note, "createNote", noted, "Write a note about a client.", tells=True),
        act(edit_note, "editNote", noted, "Change what a note says.", of=("id", "Note"), tells=True),
        act(remove_note, "removeNote", REMOVAL, "Take a note away.", tells=True),
        act(create_task, "createTask", tasked, "Write down what is to be done for a client.", tells=True),
        act(edit_task, "editTask", tasked, "Change a task, or say that it is done.", of=("id", "Task"), tells=True),
        act(remove_task, "removeTask", REMOVAL, "Take a task away.", tells=True),
    ]
    return made, {"NotePayload": [note], "TaskPayload": [task]}


async def _made(
    desk: _Desk, key: str | None, name: str, model: type[Note] | type[Task], values: dict[str, Any]
) -> Written:
    async def write(db: AsyncConnection | None) -> Written:
        id = await work.add(desk.database, desk.workspace, model, desk.context.viewer.token_id, values, within=db)
        return Written(note=id) if name == "note" else Written(task=id)

    operation = f"create{name.capitalize()}"
    return await once(desk.context, key, operation, values, write, keep=kept, recall=recalled)


async def _removed(desk: _Desk, model: type[Note] | type[Task], id: str) -> Written:
    named = row_id("id", id, model.__name__)
    seen = await desk.sees(model.__name__, named)
    return Written(removed=seen and await work.remove(desk.database, desk.workspace, model, named))
