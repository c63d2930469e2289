"""Editing what another system keeps: the change goes into the outbox, or is refused with what to do.

What comes of it is read back like any other change there; a value that somebody changed there meanwhile waits for a
person's decision.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, LiteralString
from uuid import UUID, uuid4

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from connectors import own
from connectors.contract import Write
from connectors.registry import connector
from schema.enums import RecordKind
from sync.errors import NotFound, Refused, SettingsProblem
from sync.writeback.causes import key_of
from sync.writeback.outbox import put_new

REFERRED: Mapping[str, RecordKind] = {
    "responsible": RecordKind.USER,
    "stage": RecordKind.STAGE,
    "pipeline": RecordKind.PIPELINE,
    "company": RecordKind.COMPANY,
}
"""Fields whose value names another record: by its id here, there by its id there."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A record, and the system that keeps it."""

    kind: RecordKind
    id: UUID
    connection_id: UUID
    connector: str
    system: str
    external_id: str
    values: RowMapping

    @property
    def here(self) -> bool:
        """Whether it was entered in Skvoz itself."""
        return self.connector == own.KEY


async def kept_where(db: AsyncConnection, workspace_id: UUID, kind: RecordKind, id: UUID) -> Kept:
    """The record, and who keeps it. Raises NotFound if it is there no more, or its system isn't connected."""
    row = (await db.execute(text(_KEPT[kind]), {"ws": workspace_id, "id": id})).mappings().first()
    if row is None:
        raise NotFound("It is there no more, or the system that keeps it isn't connected any more.")
    return Kept(kind, id, row["connection_id"], row["connector"], row["system"], row["external_id"], row)


async def queue_edit(
    db: AsyncConnection, workspace_id: UUID, record: Kept, values: Mapping[str, Any], names: Mapping[str, str]
) -> UUID:
    """Put the change of a record into the outbox of its system. ``values`` are by the words of the connectors'
    writes, ``names`` what the caller calls those. Returns the id in the outbox.

    Raises Refused (``KEPT_ELSEWHERE``) with each field that can't be changed from here. None can be emptied:
    systems differ in what they take an empty value for."""
    write = _update(record)
    wrong = [
        name for name, value in values.items() if write is None or name not in write.fields or value in (None, [])
    ]
    if wrong or write is None:
        raise Refused([kept_elsewhere(names.get(name, name), record.system) for name in wrong])
    payload, base = {}, {}
    for name, value in values.items():
        if name in REFERRED:
            value = await _there(db, workspace_id, record, names.get(name, name), REFERRED[name], value)
        payload[name] = str(value) if isinstance(value, Decimal) else value
        base[name] = record.values[name]
    return await put_new(
        db,
        workspace_id,
        record.connection_id,
        write=write.name,
        key=key_of(record.connection_id, "edit", record.id, uuid4()),
        order_key=f"{record.kind}:{record.external_id}",
        cause=(record.kind.value, record.id),
        payload=payload,
        base={name: str(value) if isinstance(value, Decimal) else value for name, value in base.items()},
        external_id=record.external_id,
    )


def kept_elsewhere(field: str | None, system: str) -> SettingsProblem:
    """What is said of a field that can be changed only in the system that keeps it."""
    sentence = f"It is kept in «{system}», which takes no such change from here: change it there."
    return SettingsProblem(field, sentence, "KEPT_ELSEWHERE", {"system": system})


def _update(record: Kept) -> Write[Any] | None:
    try:
        return connector(record.connector).write(f"{record.kind}.update")
    except KeyError:
        return None


async def _there(
    db: AsyncConnection, workspace_id: UUID, record: Kept, field: str, kind: RecordKind, id: str
) -> str:
    """The id there of a record that is named by its id here."""
    found: str | None = (
        await db.execute(
            text(
                f"select external_id from {kind.table} where workspace_id = :ws and id = :id"  # noqa: S608 - ours
                " and connection_id = :connection"
            ),
            {"ws": workspace_id, "id": UUID(id), "connection": record.connection_id},
        )
    ).scalar_one_or_none()
    if found is None:
        sentence = f"Name one of «{record.system}»: the record is kept there."
        raise Refused([SettingsProblem(field, sentence, "OF_OTHER_SYSTEM", {"system": record.system})])
    return found


_KEPT_CONTACT: LiteralString = """
select x.connection_id, n.connector, n.title as system, x.external_id, x.name, x.first_name, x.middle_name,
    x.last_name, x.position, x.phones, x.emails, u.external_id as responsible, f.external_id as company
from contact x join connection n on n.workspace_id = x.workspace_id and n.id = x.connection_id
left join user_account u on u.workspace_id = x.workspace_id and u.id = x.responsible_id
left join company f on f.workspace_id = x.workspace_id and f.id = x.company_id
where x.workspace_id = :ws and x.id = :id and x.deleted_at is null
"""
_KEPT_COMPANY: LiteralString = """
select x.connection_id, n.connector, n.title as system, x.external_id, x.name, x.tax_id, x.website, x.phones,
    x.emails, u.external_id as responsible
from company x join connection n on n.workspace_id = x.workspace_id and n.id = x.connection_id
left join user_account u on u.workspace_id = x.workspace_id and u.id = x.responsible_id
where x.workspace_id = :ws and x.id = :id and x.deleted_at is null
"""
_KEPT_DEAL: LiteralString = """
select x.connection_id, n.connector, n.title as system, x.external_id, x.title, x.kind, x.status, x.amount,
    x.currency, x.expected_at::text as expected_at, x.lost_reason, x.pipeline_id, s.external_id as stage,
    p.external_id as pipeline, u.external_id as responsible
from deal x join connection n on n.workspace_id = x.workspace_id and n.id = x.connection_id
left join stage s on s.workspace_id = x.workspace_id and s.id = x.stage_id
left join pipeline p on p.workspace_id = x.workspace_id and p.id = x.pipeline_id
left join user_account u on u.workspace_id = x.workspace_id and u.id = x.responsible_id
where x.workspace_id = :ws and x.id = :id and x.deleted_at is null
"""
_KEPT: Mapping[RecordKind, LiteralString] = {
    RecordKind.CONTACT: _KEPT_CONTACT,
    RecordKind.COMPANY: _KEPT_COMPANY,
    RecordKind.DEAL: _KEPT_DEAL,
}
