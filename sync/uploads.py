"""Uploaded files that connections read: kept as long as one of them does, whichever workspace it is in."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import cache

from sqlalchemy import RowMapping, select

from connectors.file.store import forget, forget_older
from connectors.registry import all_connectors
from schema.tables import Connection
from sync.office import Office

UNCLAIMED = timedelta(days=1)
"""How long an uploaded file waits for a connection."""


async def forget_unread(office: Office, references: set[str]) -> None:
    """Remove those of the files that no connection reads (any more)."""
    if references:
        for reference in references - await _read(office):
            await asyncio.to_thread(forget, office.settings.files_path, reference)


async def sweep(office: Office) -> int:
    """Remove the files that were uploaded and never connected; say how many."""
    read = await _read(office)
    return await asyncio.to_thread(forget_older, office.settings.files_path, UNCLAIMED, read)


def references_of(office: Office, row: RowMapping) -> set[str]:
    """The references that a connection holds; ``row`` is its row."""
    names = _uploads().get(row["connector"], [])
    if not names:
        return set()
    key = office.keyring.unwrap(row["data_key"], workspace=row["workspace_id"], connection=row["id"])
    return {key.open(row["secrets"][name], field=name).reveal() for name in names if name in row["secrets"]}


async def _read(office: Office) -> set[str]:
    """The references that connections of all workspaces hold. The same content has the same one everywhere."""
    takers = select(Connection.__table__).where(Connection.connector.in_(_uploads()))
    async with office.database.loader_engine.connect() as db:
        rows = (await db.execute(takers)).mappings().all()
    return {reference for row in rows for reference in references_of(office, row)}


@cache
def _uploads() -> dict[str, list[str]]:
    """The settings that hold references of uploaded files, by connector."""
    return {
        key: names
        for key, each in all_connectors().items()
        if (
            names := [
                name
                for name, field in each.settings.model_fields.items()
                if isinstance(field.json_schema_extra, dict) and field.json_schema_extra.get("upload")
            ]
        )
    }
