"""A verification under way: what is wanted of it, and what all its steps need."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from connectors.contract import RawRecord, Stream
from sync.connections import Opened
from sync.inbox.loading import Inflow, load
from sync.load import Counts
from sync.mapped import Loading
from sync.office import Office
from sync.vendor import VendorClient

SAMPLE = 20
"""Records of a stream that are fetched for themselves, where the list doesn't give them whole."""
_GIVE_WAY_SECONDS = 2.0
_LONGEST_WAY = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What somebody wants verified: some streams or all, from a day on and to a day, both included, in the
    workspace's time zone. Without ``fix`` it is only told what is wrong."""

    streams: Collection[str] | None = None
    since: date | None = None
    until: date | None = None
    fix: bool = True
    sample: int = SAMPLE


@dataclass(slots=True)
class Verifying:
    """One verification under way."""

    office: Office
    opened: Opened
    client: VendorClient[Any]
    id: UUID
    wanted: Wanted
    inflow: Inflow
    stop: asyncio.Event | None = None
    chosen: random.Random = field(default_factory=random.Random)
    waited: float = 0.0

    def loading(self, stream: Stream[Any]) -> Loading:
        opened = self.opened
        return Loading(opened.workspace_id, opened.id, self.inflow.run_id, opened.region, stream, opened.settings)

    async def give_way(self) -> None:
        """Wait while a sync of the connection runs: it needs the vendor's budget more."""
        while self.waited < _LONGEST_WAY and await self._under_way():
            await asyncio.sleep(_GIVE_WAY_SECONDS)
            self.waited += _GIVE_WAY_SECONDS

    async def bring(
        self, stream: Stream[Any], present: Sequence[RawRecord], gone: Collection[str], asked_at: datetime
    ) -> Counts:
        """Load records and mark deletions, as a run of its own; nothing without ``fix``."""
        if not self.wanted.fix or not (present or gone):
            return Counts()
        return (await load(self.inflow, stream, present, gone, asked_at, self.client.requests)).counts

    async def fetch(self, stream: Stream[Any], id: str) -> RawRecord | None:
        """A record by its id, as it stands there; None where there is none."""
        assert stream.one is not None  # noqa: S101 - callers look first
        await self.give_way()
        settings = self.opened.settings
        response = await self.client.send(stream.one.request(settings, id))
        return stream.one.read(settings, id, response)

    async def _under_way(self) -> bool:
        async with self.office.database.workspace(self.opened.workspace_id) as db:
            found = await db.execute(
                text(
                    "select exists (select from sync_run where workspace_id = :ws and connection_id = :id"
                    " and state = 'running')"
                ),
                {"ws": self.opened.workspace_id, "id": self.opened.id},
            )
            return bool(found.scalar_one())
