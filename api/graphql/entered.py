"""Carrying out what people enter: once, in one transaction as the loader, with the figures at once after it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from api.graphql.build import field as graphql_field
from api.graphql.entries import Entry
from api.graphql.once import once
from api.graphql.problems import InputRefused, of_decision, problem
from api.graphql.roots import Root, payload
from api.graphql.types import Types
from api.graphql.written import Written, kept, payload_type, recalled, visible
from schema.enums import DealKind, RecordKind
from sync import edits
from sync.entered import Register
from sync.errors import NotFound, Refused
from sync.identity.decisions import DecisionRefused
from sync.settling import settle_marked

_LISTS = frozenset({"phones", "emails"})


def record_payload(types: Types, name: str, description: str, row: Root) -> Any:
    change = payload(types, "change", "OutboxChange", "What was queued, to be asked for again by its id.")
    queued = graphql_field(
        "queued", bool, "Whether the change waits to be made in the system that keeps the record; `change` tells."
    )
    return payload_type(name, description, row.field, queued, change.field)


async def entered(
    entry: Entry,
    key: str | None,
    operation: str,
    arguments: dict[str, Any],
    write: Callable[[Register], Awaitable[Written]],
) -> Written:
    """What ``write`` enters, once; the figures follow at once."""

    async def work(db: AsyncConnection | None) -> Written:
        assert db is not None  # noqa: S101 - the loader's
        return await write(Register(entry.office, db, entry.viewer.workspace_id, entry.viewer.token_id))

    made = await once(entry.context, key, operation, arguments, work, keep=kept, recall=recalled, loading=True)
    await settle_marked(entry.office.database, entry.viewer.workspace_id, None)
    return made


async def edited(entry: Entry, key: str | None, kind: RecordKind, id: UUID) -> Written:
    """Change a record where it is kept."""
    values = entry.values

    async def write(register: Register) -> Written:
        record = await _kept(register, kind, id)
        row: dict[str, Any] = {kind.value: id}
        if record.here:
            changed = record_values(values)
            if kind is RecordKind.DEAL:
                await register.change_deal(record.external_id, changed)
            else:
                await register.change_card(kind, record.external_id, changed)
            return Written(**row)
        told = {name: value for name, value in values.items() if name == "stage" or entry.names[name] != "stage"}
        if not told:
            return Written(**row)
        change = await edits.queue_edit(register.db, register.workspace_id, record, told, entry.names)
        return Written(**row, change=change, queued=True)

    return await entered(entry, key, f"edit{kind.capitalize()}", {"id": id, **values}, write)


async def _kept(register: Register, kind: RecordKind, id: UUID) -> edits.Kept:
    try:
        return await edits.kept_where(register.db, register.workspace_id, kind, id)
    except NotFound:
        raise Refused([edits.kept_elsewhere("id", "—")]) from None


async def taken_away(entry: Entry, kind: RecordKind, id: str, type_name: str) -> Written:
    found = await entry.row("id", id, type_name)
    if found is None:
        return Written()
    async with entry.office.database.loading(entry.viewer.workspace_id) as db:
        register = Register(entry.office, db, entry.viewer.workspace_id, entry.viewer.token_id)
        record = await _kept(register, kind, found)
        if not record.here:
            raise Refused([edits.kept_elsewhere("id", record.system)])
        removed = await register.remove(kind, record.external_id)
    await settle_marked(entry.office.database, entry.viewer.workspace_id, None)
    return Written(removed=removed)


async def own_only(entry: Entry, types: Types, client: UUID, *, founds: bool) -> None:
    """A manager who has only clients of his own gets nobody else's by typing their phone."""
    if entry.viewer.own is None or founds:
        return
    if not await visible(entry.context, types.entities["Client"], client):
        raise InputRefused(problem("phones", "KNOWN_CLIENT"))


@contextmanager
def deciding() -> Iterator[None]:
    try:
        yield
    except DecisionRefused as refused:
        raise InputRefused(of_decision("client", refused)) from None


def record_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same as a record of ours holds them."""
    told: dict[str, Any] = {name: tuple(value or ()) if name in _LISTS else value for name, value in values.items()}
    if told.get("expected_at") is not None:
        told["expected_at"] = date.fromisoformat(told["expected_at"])
    if told.get("kind") is not None:
        told["kind"] = DealKind(told["kind"])
    return told
