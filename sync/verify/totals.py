"""Comparing numbers, where the vendor tells nothing but how many there are: a span with another number here is
read once more."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

from connectors.contract import Audit, Start, Stream
from core import clock
from core.database import driver
from sync.verify.findings import Found, Part
from sync.verify.here import Past, all_here, known
from sync.verify.spans import holds
from sync.verify.verifying import Verifying


async def compare_totals(
    verifying: Verifying, stream: Stream[Any], audit: Audit[Any], past: Past, found: Found
) -> None:
    """Ask for the number of records in each span, and count ours."""
    settings = verifying.opened.settings
    fresh = past.fresh_until
    found.parts = [
        part
        for part in found.parts
        if part.span is not None
        and (part.span.until is not None and fresh is not None and part.span.until <= fresh - audit.settles)
    ]
    for part in found.parts:
        assert part.span is not None  # noqa: S101 - kept above
        position = audit.start(settings, part.span, verifying.id)
        while position is not None:
            await verifying.give_way()
            listing = audit.read(settings, position, await verifying.client.send(audit.request(settings, position)))
            part.there += listing.total or 0
            position = listing.next
        part.total = part.there
    await _count(verifying, stream, audit, found)
    first = next((part for part in found.parts if part.off), None)
    if first is not None and first.span is not None and verifying.wanted.fix:
        found.mended = await _read_again(verifying, stream, first.span.since)


async def _count(verifying: Verifying, stream: Stream[Any], audit: Audit[Any], found: Found) -> None:
    """How many records of each span are here, those in quarantine not among them."""
    loading, database = verifying.loading(stream), verifying.office.database
    counted: Counter[int] = Counter()
    async for ids in all_here(database, loading, clock.now()):
        async with database.loading(loading.workspace_id) as db:
            rows = await known(driver(db), loading, audit, ids)
        for row in rows.values():
            number = _number(found.parts, row.told.moment)
            if number is not None:
                counted[number] += 1
    for number, part in enumerate(found.parts):
        part.here = counted[number]


def _number(parts: list[Part], moment: datetime | None) -> int | None:
    if moment is None:
        return None
    return next((n for n, part in enumerate(parts) if part.span is not None and holds(part.span, moment)), None)


async def _read_again(verifying: Verifying, stream: Stream[Any], since: datetime | None) -> int:
    """Read the stream's pages from a moment on, as a sync would. How many records were new or had changed."""
    settings, now = verifying.opened.settings, verifying.client.now()
    assert since is not None  # noqa: S101 - spans that are counted have a beginning
    position = stream.start(settings, Start(cursor=None, now=now, since=since, run_id=verifying.id))
    mended = 0
    while position is not None:
        await verifying.give_way()
        asked_at = clock.now()
        response = await verifying.client.send(stream.request(settings, position))
        page = stream.read(settings, position, response)
        counts = await verifying.bring(stream, page.records, (), asked_at)
        mended += counts.created + counts.updated
        position = page.next
    return mended
