"""The vendor's list of a stream beside what is here, page by page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from connectors.contract import Audit, Listed, RawRecord, Span, Stream
from core import clock
from core.database import driver
from sync.errors import PagingLoop
from sync.load import Counts, hash_of
from sync.verify.findings import Found, Kind, Part, Wrong
from sync.verify.here import Here, Past, in_quarantine, known
from sync.verify.verifying import Verifying


@dataclass(slots=True)
class Comparison:
    """A stream's list beside what is here. ``seen`` are the records that are there."""

    verifying: Verifying
    stream: Stream[Any]
    audit: Audit[Any]
    past: Past
    found: Found
    seen: set[str] = field(default_factory=set)
    alike: list[str] = field(default_factory=list)
    """Some records that seem to be alike, of which the list didn't tell all."""
    passed: int = 0

    async def list_part(self, part: Part, span: Span) -> None:
        verifying = self.verifying
        settings = verifying.opened.settings
        position = self.audit.start(settings, span, verifying.id)
        asked: set[str] = set()
        while position is not None:
            key = repr(sorted(position.items(), key=lambda item: item[0]))
            if key in asked:
                raise PagingLoop(f"The pages of «{self.stream.title}» lead in a circle.")
            asked.add(key)
            await verifying.give_way()
            asked_at = clock.now()
            listing = self.audit.read(
                settings, position, await verifying.client.send(self.audit.request(settings, position))
            )
            if listing.total is not None:
                part.total = (part.total or 0) + listing.total
            await self._compare(part, listing.listed, asked_at)
            position = listing.next

    async def _compare(self, part: Part, listed: Sequence[Listed], asked_at: datetime) -> None:
        told = {each.external_id: each for each in listed if each.external_id not in self.seen}
        self.seen |= told.keys()
        whole = {id for id, each in told.items() if each.body is not None}
        loading = self.verifying.loading(self.stream)
        async with self.verifying.office.database.loading(loading.workspace_id) as db:
            here = await known(driver(db), loading, self.audit, told.keys(), whole=whole)
            waiting = await in_quarantine(driver(db), loading, told.keys())
        part.there += len(told)
        part.waiting += len(waiting)
        wrong: dict[str, Kind] = {}
        for id, each in told.items():
            kind = None if id in waiting else self._kind(each, here.get(id), asked_at)
            if kind is None:
                part.here += 1
                if each.body is None and id not in waiting:
                    self._remember(id)
            elif self._is_young(each):
                part.there -= 1  # it belongs to the next sync
            else:
                part.here += kind != "missing"
                wrong[id] = kind
                part.wrong.append(Wrong(id, kind, *self.past.should_have_brought(each.moment)))
        await self._mend([told[id] for id in wrong], asked_at)

    def _kind(self, there: Listed, here: Here | None, asked_at: datetime) -> Kind | None:
        if here is not None and here.learnt_at > asked_at:
            return None  # a webhook brought it since
        if here is None or here.deleted:
            return "missing"
        if there.body is not None:
            return None if hash_of(there.body, self.stream.volatile) == here.hash else "different"
        if None not in (there.version, here.told.version) and there.version != here.told.version:
            return "different"
        if None not in (there.links, here.told.links) and there.links != here.told.links:
            return "links"
        return None

    def _is_young(self, there: Listed) -> bool:
        fresh = self.past.fresh_until
        return there.moment is not None and (fresh is None or there.moment >= fresh - self.audit.settles)

    async def _mend(self, there: Sequence[Listed], asked_at: datetime) -> None:
        """Bring these records here. What the list didn't tell whole is fetched one by one."""
        if not self.verifying.wanted.fix:
            return
        bodies = [RawRecord(each.external_id, each.body) for each in there if each.body is not None]
        counts = await self.verifying.bring(self.stream, bodies, (), asked_at)
        for each in there:
            if each.body is None and self.stream.one is not None:
                counts += await self._fetch(each.external_id)
        self.found.mended += counts.created + counts.updated

    async def _fetch(self, id: str) -> Counts:
        asked_at = clock.now()
        record = await self.verifying.fetch(self.stream, id)
        return Counts() if record is None else await self.verifying.bring(self.stream, [record], (), asked_at)

    def _remember(self, id: str) -> None:
        """Keep an even choice of the records that passed, however many there are (reservoir sampling)."""
        self.passed += 1
        if len(self.alike) < self.verifying.wanted.sample:
            self.alike.append(id)
        elif (place := self.verifying.chosen.randrange(self.passed)) < len(self.alike):
            self.alike[place] = id

    async def sample(self) -> None:
        """Fetch some records for themselves and compare them to the byte: it shows what versions don't tell."""
        if self.stream.one is None or not self.alike:
            return
        loading = self.verifying.loading(self.stream)
        for id in self.alike:
            await self.verifying.give_way()
            asked_at = clock.now()
            record = await self.verifying.fetch(self.stream, id)
            self.found.sampled += 1
            if record is None:
                self.seen.discard(id)  # deleted since it was listed
                continue
            async with self.verifying.office.database.loading(loading.workspace_id) as db:
                here = (await known(driver(db), loading, self.audit, [id])).get(id)
            there = self.audit.stored(loading.settings, record)
            same = here is None or hash_of(record.body, self.stream.volatile) == here.hash
            if same or self._is_young(there) or (here is not None and here.learnt_at > asked_at):
                continue
            self.found.parts[-1].wrong.append(Wrong(id, "different", *self.past.should_have_brought(there.moment)))
            counts = await self.verifying.bring(self.stream, [record], (), asked_at)
            self.found.mended += counts.created + counts.updated
