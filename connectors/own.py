"""Skvoz itself, as the system in which people enter clients, contacts, companies and deals over the API.

Its records take the way of any other system's: they are kept as source records, mapped, and told apart by the same
keys. It is in no catalogue and on no schedule: there is nothing to connect, and nothing to read. Unlike a vendor's,
its records name others by their ids here, so that a deal can be entered for a client of any system.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import msgspec

from connectors.contract import (
    Connector,
    ConnectorSettings,
    Health,
    Mapped,
    Page,
    Position,
    Start,
    Stream,
    VendorRequest,
    VendorResponse,
    VendorSession,
)
from connectors.errors import BadSettings
from schema.enums import RecordKind
from schema.records import CompanyRecord, ContactRecord, DealRecord, Record, StageChangeRecord

KEY = "skvoz"
CONTACTS, COMPANIES, DEALS = "contacts", "companies", "deals"


class EnteredDeal(msgspec.Struct, frozen=True, kw_only=True):
    """A deal with the stages that it came to."""

    deal: DealRecord
    stages: tuple[StageChangeRecord, ...] = ()


class OwnSettings(ConnectorSettings):
    """There is nothing to set."""


def connection_of(workspace_id: UUID) -> UUID:
    """The connection under which a workspace's entered records stand."""
    return uuid5(workspace_id, KEY)


def _never(_settings: OwnSettings, _start: Start) -> Position | None:
    return None


def _request(_settings: OwnSettings, _position: Position) -> VendorRequest:
    raise BadSettings("What is entered in Skvoz is read from nowhere.")


def _read(_settings: OwnSettings, _position: Position, _response: VendorResponse) -> Page:
    return Page((), None)


async def _source(_settings: OwnSettings, _request: VendorRequest, _home: Path) -> VendorResponse:
    raise BadSettings("What is entered in Skvoz is read from nowhere.")


async def _check(_session: VendorSession[OwnSettings]) -> Health:
    return Health(ok=True, sentence="What is entered here is kept here.", account="Skvoz")


def _map_deal(_settings: OwnSettings, body: bytes) -> Mapped:
    told = msgspec.json.decode(body, type=EnteredDeal)
    return [told.deal, *told.stages]


def _map_as(kind: type[Any]) -> Callable[[OwnSettings, bytes], Mapped]:
    def mapped(_settings: OwnSettings, body: bytes) -> Sequence[Record]:
        return [msgspec.json.decode(body, type=kind)]

    return mapped


def _stream(
    name: str, title: str, makes: tuple[RecordKind, ...], mapped: Callable[[OwnSettings, bytes], Mapped]
) -> Stream[OwnSettings]:
    return Stream(name=name, title=title, makes=makes, start=_never, request=_request, read=_read, map=mapped)


OWN: Connector[OwnSettings] = Connector(
    key=KEY,
    title="Skvoz",
    description="What people enter in Skvoz itself.",
    docs_url="https://graphql.org/learn/mutations/",
    settings=OwnSettings,
    streams=(
        _stream(CONTACTS, "Contacts entered here", (RecordKind.CONTACT,), _map_as(ContactRecord)),
        _stream(COMPANIES, "Companies entered here", (RecordKind.COMPANY,), _map_as(CompanyRecord)),
        _stream(DEALS, "Deals entered here", (RecordKind.DEAL, RecordKind.STAGE_CHANGE), _map_deal),
    ),
    base_url=lambda _settings: "https://localhost",  # never contacted: ``source`` answers
    account=lambda _settings: KEY,
    check=_check,
    source=_source,
)
