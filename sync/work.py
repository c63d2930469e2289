"""Notes and tasks about clients: written here, kept here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast
from uuid import UUID, uuid4

from sqlalchemy import and_, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from core.database import Database, driver
from schema.enums import ChangeKind, ChangeType
from schema.tables import Connection, Note, Task
from sync.errors import NotFound, Refused, SettingsProblem
from sync.feed import Changes, append


async def add(
    database: Database,
    workspace_id: UUID,
    model: type[Note] | type[Task],
    author: str,
    values: Mapping[str, Any],
    *,
    within: AsyncConnection | None = None,
) -> UUID:
    """Write a note or a task; its id. ``within``: the transaction that it is written in, if not one of its own."""
    id = uuid4()
    async with database.within(workspace_id, within) as db:
        await db.execute(insert(model).values(workspace_id=workspace_id, id=id, author=author, **values))
        await _tell(db, workspace_id, model, ChangeKind.CREATED, id)
    return id


async def change(
    database: Database,
    workspace_id: UUID,
    model: type[Note] | type[Task],
    id: UUID,
    values: Mapping[str, Any],
    *,
    kind: ChangeKind = ChangeKind.CHANGED,
) -> None:
    """Change a note or a task that isn't removed. Raises NotFound, and Refused for one that isn't ours."""
    async with database.workspace(workspace_id) as db:
        system = await _kept_in(db, workspace_id, id) if model is Task else None
        if system is not None:
            sentence = f"It is kept in «{system}», which takes no such change from here: change it there."
            raise Refused([SettingsProblem("id", sentence, "KEPT_ELSEWHERE", {"system": system})])
        changed = await db.execute(
            update(model)
            .where(model.workspace_id == workspace_id, model.id == id, model.deleted_at.is_(None))
            .values(changed_at=text("now()"), **values)
        )
        if changed.rowcount == 0:
            raise NotFound("There is no such note or task.")
        await _tell(db, workspace_id, model, kind, id)


async def remove(database: Database, workspace_id: UUID, model: type[Note] | type[Task], id: UUID) -> bool:
    """Take a note or a task away; False if there is none, or it was removed before. Raises Refused for one that
    isn't ours."""
    try:
        values = {"deleted_at": text("now()")}
        await change(database, workspace_id, model, id, values, kind=ChangeKind.DELETED)
    except NotFound:
        return False
    return True


async def _kept_in(db: AsyncConnection, workspace_id: UUID, task_id: UUID) -> str | None:
    """The system from which a task was read."""
    return cast(
        "str | None",
        await db.scalar(
            select(func.coalesce(Connection.title, "—"))
            .select_from(Task)
            .outerjoin(
                Connection, and_(Connection.workspace_id == Task.workspace_id, Connection.id == Task.connection_id)
            )
            .where(Task.workspace_id == workspace_id, Task.id == task_id, Task.connection_id.is_not(None))
        ),
    )


async def _tell(
    db: AsyncConnection, workspace_id: UUID, model: type[Note] | type[Task], kind: ChangeKind, id: UUID
) -> None:
    changes = Changes()
    changes.add(ChangeType.TASK if model is Task else ChangeType.NOTE, kind, [id])
    await append(driver(db), workspace_id, changes)
