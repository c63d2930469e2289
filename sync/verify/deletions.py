"""What is here and was not listed there: deleted in the external system, or only out of the list's sight.

Before a record counts as deleted it is asked for by itself, where the vendor has a way to. A brake stands before
all of it: a list without anything, or one that lacks more than a fifth of what is here, is rather a broken filter
or a lost right, and a person should look.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.contract import Listed, Stream
from core import clock
from core.database import driver
from sync.load import hash_of
from sync.sweep import BRAKE_FROM, BRAKE_SHARE
from sync.verify.findings import Found, Part, Wrong
from sync.verify.here import Past, all_here, known
from sync.verify.listing import Compared
from sync.verify.spans import holds
from sync.verify.verifying import Verifying


@dataclass(slots=True)
class Deletions:
    """Looks for what a stream's complete list doesn't name."""

    verifying: Verifying
    stream: Stream[Any]
    compared: Compared
    past: Past
    found: Found

    async def find(self, seen: Collection[str]) -> None:
        """Name what was deleted there, and mark it so unless the brake holds."""
        absent, here = await self._absent(seen)
        if not absent:
            return
        if not seen or len(absent) > max(BRAKE_FROM, BRAKE_SHARE * here):
            what = "nothing" if not seen else f"{len(absent):,} of {here:,} records no more"
            self.found.brake = (
                f"The system listed {what}: that is rather a lost right or a broken filter than so many deletions, "
                "so nothing was marked as deleted. Look there, and delete here by hand if it is true."
            )
            self._name(list(absent), absent)
            return
        gone = [id for id in absent if await self._is_gone(id)] if self.stream.one is not None else list(absent)
        self._name(gone, absent)
        if gone:
            counts = await self.verifying.bring(self.stream, (), gone, clock.now())
            self.found.deleted += counts.deleted

    async def _absent(self, seen: Collection[str]) -> tuple[dict[str, Listed], int]:
        """The records of the period that were not listed, and how many of all are here."""
        loading = self.verifying.loading(self.stream)
        database = self.verifying.office.database
        absent: dict[str, Listed] = {}
        here = 0
        async for ids in all_here(database, loading, self.verifying.inflow.started_at):
            unseen = [id for id in ids if id not in seen]
            here += len(ids) - len(unseen)
            if not unseen:
                continue
            async with database.loading(loading.workspace_id) as db:
                rows = await known(driver(db), loading, self.compared.audit, unseen)
            held = {id: row.told for id, row in rows.items() if self._belongs(row.told)}
            absent |= held
            here += len(held)
        return absent, here

    def _belongs(self, told: Listed) -> bool:
        """Whether a complete list of the period would have to name the record."""
        if told.gone:
            return False  # what we have of it says already that it is in the bin
        if told.moment is None:
            return self.compared.ends or self.stream.one is not None
        fresh = self.past.fresh_until
        if fresh is not None and told.moment >= fresh - self.compared.audit.settles:
            return False
        return any(part.span is not None and holds(part.span, told.moment) for part in self.found.parts)

    async def _is_gone(self, id: str) -> bool:
        """Asks for the record itself. One that is there after all is brought here if it has changed."""
        asked_at = clock.now()
        record = await self.verifying.fetch(self.stream, id)
        if record is None:
            return True
        loading = self.verifying.loading(self.stream)
        async with self.verifying.office.database.loading(loading.workspace_id) as db:
            here = (await known(driver(db), loading, self.compared.audit, [id], whole=[id])).get(id)
        if here is None or here.hash == hash_of(record.body, self.stream.volatile):
            return False
        there = self.compared.audit.stored(loading.settings, record)
        fresh = self.past.fresh_until
        if there.moment is not None and fresh is not None and there.moment < fresh - self.compared.audit.settles:
            since = self.past.should_have_brought(there.moment)
            self._part_of(there).wrong.append(Wrong(id, "different", *since))
        counts = await self.verifying.bring(self.stream, [record], (), asked_at)
        self.found.mended += counts.created + counts.updated
        return False

    def _name(self, ids: Sequence[str], absent: Mapping[str, Listed]) -> None:
        for id in ids:
            part = self._part_of(absent[id])
            part.here += 1
            part.wrong.append(Wrong(id, "extra"))

    def _part_of(self, told: Listed) -> Part:
        return next(
            (part for part in self.found.parts if part.span and told.moment and holds(part.span, told.moment)),
            self.found.parts[-1],
        )
