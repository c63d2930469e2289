"""What was written can be taken back: a record that we made is removed, a field that we wrote over gets what stood
there.

Only as long as nobody worked on it since: an undo is a change like any other, with what we wrote as its base.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from connectors.contract import Operation, Write
from connectors.errors import VendorError
from sync.connections import Opened, open_connection, session
from sync.office import Office
from sync.writeback.item import Item
from sync.writeback.outbox import NotPossible, get_item, put_by_hand
from sync.writeback.values import ADDED_ONLY, same

_REMOVED = "deleted"


@dataclass(frozen=True, slots=True)
class Line:
    """One field of a difference: what stands there now, and what would."""

    field: str
    now: Any
    then: Any


@dataclass(frozen=True, slots=True)
class UndoPreview:
    """What an undo would do. ``obstacle`` says why it would be refused as things stand."""

    item: Item
    operation: Operation
    sentence: str
    lines: list[Line]
    obstacle: str | None


async def preview_undo(office: Office, workspace_id: UUID, outbox_id: UUID) -> UndoPreview:
    """What taking this change back would do now; the system is asked. Raises NotFound, or NotPossible when there is
    nothing that can be taken back."""
    item, opened, write = await _plan(office, workspace_id, outbox_id)
    wrote = _wrote(item)
    now: Mapping[str, Any] = wrote
    obstacle = None
    if write.read is not None:
        try:
            async with session(office, opened, urgent=True) as client:
                request = write.read.request(opened.settings, item.command)
                standing = None
                if request is not None:
                    standing = write.read.found(opened.settings, item.command, await client.send(request))
        except VendorError as error:
            raise NotPossible(f"What stands there now can't be asked: {error.sentence}") from None
        if standing is None:
            obstacle = "The record isn't there any more."
        else:
            now = standing.values
            touched = [name for name in wrote if not same(name, wrote[name], now.get(name), opened.region)]
            if touched:
                obstacle = f"It was changed there since: {', '.join(touched)}."
    if write.operation == "delete":
        sentence = f"«{opened.title}»: the record {item.external_id}, which Skvoz made, is removed."
        return UndoPreview(item, "delete", sentence, [Line(name, now.get(name), None) for name in wrote], obstacle)
    if _REMOVED in write.fields:
        sentence = f"«{opened.title}»: the record {item.external_id}, which was removed, is there again."
        return UndoPreview(item, "update", sentence, [Line(_REMOVED, now.get(_REMOVED), False)], obstacle)
    before = item.before or {}
    sentence = f"«{opened.title}»: the record {item.external_id} gets back what stood there before."
    return UndoPreview(
        item, "update", sentence, [Line(name, now.get(name), before[name]) for name in _restorable(item)], obstacle
    )


async def undo(office: Office, workspace_id: UUID, outbox_id: UUID) -> UUID:
    """Put the taking back of a change into the outbox; asked for twice, it is one. Returns the new change's id.
    Raises NotFound or NotPossible."""
    item, _, write = await _plan(office, workspace_id, outbox_id)
    wrote = _wrote(item)
    if write.operation == "delete":
        payload: Mapping[str, Any] = {name: item.payload[name] for name in write.fields if name in item.payload}
        base: Mapping[str, Any] = wrote
    elif _REMOVED in write.fields:
        payload, base = {_REMOVED: False}, {_REMOVED: True}
    else:
        names = _restorable(item)
        before = item.before or {}
        payload, base = {name: before[name] for name in names}, {name: wrote[name] for name in names}
    async with office.database.workspace(workspace_id) as db:
        return await put_by_hand(
            db,
            workspace_id,
            item,
            write=write.name,
            key=f"{item.key}:undo",
            payload=payload,
            base=base,
            undoes=item.id,
        )


async def _plan(office: Office, workspace_id: UUID, outbox_id: UUID) -> tuple[Item, Opened, Write[Any]]:
    item = await get_item(office.database, workspace_id, outbox_id)
    if item.state != "done" or not item.attempts:
        raise NotPossible("Only what Skvoz has written can be taken back.")
    opened = await open_connection(office, workspace_id, item.connection_id)
    write: Write[Any] = opened.connector.write(item.write)
    if write.operation == "update":
        if not _restorable(item):
            raise NotPossible(
                "Phones and e-mails were only added: nothing was written over that could be restored."
            )
        return item, opened, write
    if write.undo is None:
        raise NotPossible(f"«{write.title}» can't be taken back in {opened.connector.title}.")
    return item, opened, opened.connector.write(write.undo)


def _wrote(item: Item) -> dict[str, Any]:
    """What stands there since our change."""
    return dict(item.stored if item.stored is not None else item.payload)


def _restorable(item: Item) -> list[str]:
    return [name for name in item.before or {} if name not in ADDED_ONLY and name in _wrote(item)]
