"""What people enter in Skvoz itself: cards and deals, as records of its own system (``connectors.own``).

They go through the ordinary loading path in one transaction: kept as source records with their versions, mapped,
told apart by identity, golden records, marks, the change feed. The caller commits as the loader, and then settles.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from connectors import own
from connectors.contract import RawRecord
from connectors.own import OWN, EnteredDeal, OwnSettings
from core import clock
from core.database import driver
from schema.enums import ClientKind, DealStatus, MergeKind, RecordKind
from schema.ids import record_id
from schema.records import CompanyRecord, ContactRecord, DealRecord, StageChangeRecord
from sync.decisions import follow_up
from sync.errors import NotFound
from sync.identity import decisions
from sync.load import load_page, retire
from sync.mapped import Loading
from sync.office import Office
from sync.packing import unpack

_STREAM = {RecordKind.CONTACT: own.CONTACTS, RecordKind.COMPANY: own.COMPANIES, RecordKind.DEAL: own.DEALS}
_CARDS: Mapping[RecordKind, type[ContactRecord | CompanyRecord]] = {
    RecordKind.CONTACT: ContactRecord,
    RecordKind.COMPANY: CompanyRecord,
}


@dataclass(frozen=True, slots=True)
class Card:
    """A card that was entered, and whose it turned out to be."""

    id: UUID
    client_id: UUID

    @property
    def founds(self) -> bool:
        """Whether the client is new with it."""
        return self.id == self.client_id


class Register:
    """Where one workspace's entered records are written, within one transaction as the loader."""

    def __init__(self, office: Office, db: AsyncConnection, workspace_id: UUID, actor: str) -> None:
        self._office, self.db, self._actor = office, db, actor
        self._conn = driver(db)
        self.workspace_id = workspace_id
        self.connection_id = own.connection_of(workspace_id)

    async def add_card(self, kind: RecordKind, values: Mapping[str, Any], client_id: UUID | None = None) -> Card:
        """Enter a card of a person (contact) or a firm (company). Its keys tell whose it is; with ``client_id`` it
        is that client's, whatever they say. Raises DecisionRefused."""
        told = {"external_id": uuid4().hex, "created_at": clock.now(), "updated_at": clock.now(), **values}
        record = _CARDS[kind](**told)
        id = await self._write(kind, record.external_id, msgspec.json.encode(record))
        whose = await self._client_of(id)
        if client_id is not None and whose != client_id:
            outcome = await decisions.merge(self._conn, self.workspace_id, client_id, whose, self._actor)
            await follow_up(self._conn, self.workspace_id, MergeKind.MERGE, outcome)
            whose = await self._client_of(id)
        return Card(id, whose)

    async def change_card(self, kind: RecordKind, external_id: str, values: Mapping[str, Any]) -> UUID:
        """Change a person's or a firm's card that was entered here. Raises NotFound."""
        body = await self._stored(_STREAM[kind], external_id)
        record = msgspec.json.decode(body, type=_CARDS[kind])
        changed = msgspec.structs.replace(record, updated_at=clock.now(), **values)
        return await self._write(kind, external_id, msgspec.json.encode(changed))

    async def add_deal(self, client_id: UUID, values: Mapping[str, Any]) -> UUID:
        """Enter a deal of a client. A client of whom nothing but calls and the like is known gets a card first.

        Raises NotFound."""
        now = clock.now()
        status = values.get("status", DealStatus.OPEN)
        told = {"external_id": uuid4().hex, "created_at": now, "updated_at": now, **values, "status": status}
        told |= {name: id for name, id in (await self._named(client_id)).items() if not told.get(name)}
        deal = DealRecord(**told, closed_at=None if status is DealStatus.OPEN else now)
        return await self._save_deal(deal, None, ())

    async def change_deal(self, external_id: str, values: Mapping[str, Any]) -> UUID:
        """Change a deal that was entered here. Raises NotFound."""
        told = msgspec.json.decode(await self._stored(own.DEALS, external_id), type=EnteredDeal)
        changed = msgspec.structs.replace(told.deal, updated_at=clock.now(), **values)
        if changed.status is not told.deal.status:
            ended = None if changed.status is DealStatus.OPEN else clock.now()
            changed = msgspec.structs.replace(changed, closed_at=ended)
        return await self._save_deal(changed, told.deal.stage, told.stages)

    async def remove(self, kind: RecordKind, external_id: str) -> bool:
        """Take away what was entered here; its versions stay. False if it isn't there, or no more."""
        return await retire(self._conn, await self._loading(_STREAM[kind]), [external_id]) > 0

    async def _save_deal(self, deal: DealRecord, stage: str | None, stages: tuple[StageChangeRecord, ...]) -> UUID:
        id = record_id(self.connection_id, RecordKind.DEAL, deal.external_id)
        if deal.stage is not None and deal.stage != stage:
            came = StageChangeRecord(
                external_id=f"{deal.external_id}:{len(stages) + 1}",
                deal=str(id),
                stage=deal.stage,
                pipeline=deal.pipeline,
                changed_at=deal.updated_at or deal.created_at,
            )
            stages = (*stages, came)
        body = msgspec.json.encode(EnteredDeal(deal=deal, stages=stages))
        return await self._write(RecordKind.DEAL, deal.external_id, body)

    async def _named(self, client_id: UUID) -> dict[str, str]:
        """The record by which a deal names its client."""
        row = (await self.db.execute(text(_CARD), {"ws": self.workspace_id, "client": client_id})).first()
        if row is not None:
            return {row.record_kind: str(row.record_id)}
        client = (await self.db.execute(text(_CLIENT), {"ws": self.workspace_id, "client": client_id})).first()
        if client is None:
            raise NotFound("There is no client of that id.")
        kind = RecordKind.COMPANY if client.kind == ClientKind.COMPANY else RecordKind.CONTACT
        values = {
            "name": client.name or client.phone or client.email or "—",
            "phones": (client.phone,) if client.phone else (),
            "emails": (client.email,) if client.email else (),
        }
        card = await self.add_card(kind, values, client_id)
        return {kind.value: str(card.id)}

    async def _client_of(self, record: UUID) -> UUID:
        query = text("select client_id from identity_record where workspace_id = :ws and record_id = :id")
        client: UUID = (await self.db.execute(query, {"ws": self.workspace_id, "id": record})).scalar_one()
        return client

    async def _write(self, kind: RecordKind, external_id: str, body: bytes) -> UUID:
        await load_page(self._conn, await self._loading(_STREAM[kind]), [RawRecord(external_id, body)])
        return record_id(self.connection_id, kind, external_id)

    async def _stored(self, stream: str, external_id: str) -> bytes:
        cursor = await self._conn.execute(
            "select raw, dictionary_id from source_record where workspace_id = %s and connection_id = %s"
            " and stream = %s and external_id = %s and deleted_at is null for update",
            (self.workspace_id, self.connection_id, stream, external_id),
        )
        row: Any = await cursor.fetchone()
        if row is None:
            raise NotFound("It isn't there any more.")
        return await unpack(self._conn, self.workspace_id, row[0], row[1])

    async def _loading(self, stream: str) -> Loading:
        """Makes the connection, when the first record of the workspace is entered."""
        key = {"ws": self.workspace_id, "id": self.connection_id}
        region = (
            await self.db.execute(text("select phone_region from workspace where id = :ws"), key)
        ).scalar_one()
        known = await self.db.execute(text("select from connection where workspace_id = :ws and id = :id"), key)
        if known.rowcount == 0:
            wrapped = self._office.keyring.new_data_key(workspace=self.workspace_id, connection=self.connection_id)
            await self.db.execute(text(_CONNECT), key | {"connector": own.KEY, "title": OWN.title, "key": wrapped})
            for each in OWN.streams:
                await self.db.execute(text(_STATE), key | {"stream": each.name})
        return Loading(self.workspace_id, self.connection_id, None, region, OWN.stream(stream), OwnSettings())


_CARD = """
select record_id, record_kind from identity_record
where workspace_id = :ws and client_id = :client and record_kind in ('company', 'contact', 'lead')
order by array_position(array['company', 'contact', 'lead'], record_kind), at desc, record_id limit 1
"""
_CLIENT = """
select c.name, c.phone, c.email, coalesce((select r.client_kind from identity_record r
    where r.workspace_id = c.workspace_id and r.client_id = c.id limit 1), c.kind) as kind
from client c where c.workspace_id = :ws and c.id = :client and c.merged_into is null
"""
_CONNECT = """
insert into connection (workspace_id, id, connector, title, account, settings, secrets, data_key)
values (:ws, :id, :connector, :title, :connector, '{}', '{}', :key) on conflict do nothing
"""
_STATE = """
insert into stream_state (workspace_id, connection_id, stream) values (:ws, :id, :stream) on conflict do nothing
"""
