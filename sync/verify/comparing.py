"""Verifying a connection: its streams one after the other, each span by span, and mending as it goes.

What the vendor lists and we lack is brought here by the ordinary loading path; what we have and the vendor lists no
more is asked for by itself where that is possible, and marked as deleted. A list that breaks off proves nothing
about deletions. Syncs of the connection go first: while one runs, nothing is asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import text

from connectors.contract import Span, Stream
from connectors.errors import AuthFailed, BadSettings, NotReady, QuotaExhausted, RateLimited, VendorError
from core import clock
from core.database import driver
from schema.enums import RunTrigger
from sync.connections import open_connection, session
from sync.inbox.loading import Inflow
from sync.merges import follow_merges
from sync.office import Office
from sync.run import HISTORY
from sync.settling import settle_marked
from sync.verify.comparison import Comparison
from sync.verify.deletions import Deletions
from sync.verify.findings import Found, Part, Verified
from sync.verify.here import past_of
from sync.verify.listing import Compared, compared_by
from sync.verify.spans import Period, is_cut_by_day, spans_of
from sync.verify.stored import begin, end, note
from sync.verify.totals import compare_totals
from sync.verify.verifying import Verifying, Wanted

log = structlog.get_logger(__name__)

_STOPS = (AuthFailed, BadSettings, QuotaExhausted, RateLimited, NotReady)
Tell = Callable[[Found], None]


async def verify_connection(
    office: Office,
    workspace_id: UUID,
    connection_id: UUID,
    wanted: Wanted,
    *,
    trigger: RunTrigger,
    id: UUID | None = None,
    tell: Tell = lambda _: None,
    stop: asyncio.Event | None = None,
) -> Verified:
    """Compare a connection with its system, mend what is wrong, and keep the result.

    One stream's trouble does not stop the others; trouble with the account ends it, and the result says so.
    Raises NotFound.
    """
    opened = await open_connection(office, workspace_id, connection_id)
    verified = Verified(id or uuid4(), connection_id, [])
    await begin(office, opened, verified.id, trigger)
    inflow = Inflow(office, opened, uuid4(), clock.now(), trigger=RunTrigger.VERIFY)
    with structlog.contextvars.bound_contextvars(verification=str(verified.id), connection=str(connection_id)):
        try:
            async with session(office, opened) as client:
                verifying = Verifying(office, opened, client, verified.id, wanted, inflow, stop)
                await verifying.give_way()
                if not client.knows_clock:
                    await opened.connector.check(client)
                await _verify_streams(verifying, verified, tell)
                verified.requests = client.requests
        except _STOPS as error:
            verified.error = error.sentence
        except asyncio.CancelledError:
            verified.error = "It was stopped."
            raise
        except Exception:
            verified.error = f"Something broke on our side in verification {verified.id}."
            raise
        finally:
            verified.run_id = inflow.run_id if inflow.began else None
            if inflow.began:
                async with office.database.loading(workspace_id) as db:
                    await follow_merges(driver(db), opened)
                await settle_marked(office.database, workspace_id, inflow.run_id)
            await end(office, opened, verified)
    return verified


async def _verify_streams(verifying: Verifying, verified: Verified, tell: Tell) -> None:
    for stream in verifying.opened.connector.streams:
        if verifying.wanted.streams is not None and stream.name not in verifying.wanted.streams:
            continue
        if verifying.stop is not None and verifying.stop.is_set():
            verified.error = "It was stopped."
            return
        found = Found(stream.name, stream.title)
        period = await _period(verifying, stream)
        now = verifying.client.now()
        compared = compared_by(stream, verifying.opened.settings, period.since, now, verifying.id)
        if compared is None:
            found.compared = False
        else:
            try:
                await _verify_stream(verifying, stream, compared, period, found)
            except _STOPS:
                raise
            except VendorError as error:
                found.error = error.sentence
        verified.streams.append(found)
        await note(verifying.office, verifying.opened, verified.id, found)
        if found.wrong or found.brake or found.error:
            log.warning("verify.wrong", stream=stream.name, wrong=found.wrong, braked=found.brake is not None)
        tell(found)


async def _period(verifying: Verifying, stream: Stream[Any]) -> Period:
    wanted, opened, now = verifying.wanted, verifying.opened, verifying.client.now()
    asked = wanted.since is not None or wanted.until is not None
    zone = ZoneInfo(await _zone(verifying)) if asked else UTC
    first = opened.settings.since
    since = datetime.combine(first, time(), UTC) if first is not None else now - HISTORY
    if wanted.since is not None:
        since = datetime.combine(wanted.since, time(), zone)
    elif stream.audit is not None and stream.audit.longest_days is not None:
        days_of = stream.audit.zone(opened.settings)
        first_day = now.astimezone(days_of).date() - timedelta(days=stream.audit.longest_days)
        since = max(since, datetime.combine(first_day, time(), days_of))
    until = None if wanted.until is None else datetime.combine(wanted.until + timedelta(days=1), time(), zone)
    return Period(since, until, asked)


async def _zone(verifying: Verifying) -> str:
    workspace = verifying.opened.workspace_id
    async with verifying.office.database.workspace(workspace) as db:
        zone: str = (
            await db.execute(text("select time_zone from workspace where id = :ws"), {"ws": workspace})
        ).scalar_one()
    return zone


async def _verify_stream(
    verifying: Verifying, stream: Stream[Any], compared: Compared, period: Period, found: Found
) -> None:
    audit, now = compared.audit, verifying.client.now()
    past = await past_of(verifying.office.database, verifying.loading(stream))
    spans = [Span(period.since, None)]
    if compared.spans:
        zone = audit.zone(verifying.opened.settings)
        by_day = is_cut_by_day(period, audit.cut, now)
        spans = spans_of(period, zone, now=now, kept_since=audit.kept_since, by_day=by_day)
    found.parts = [Part(span if compared.spans else None) for span in spans]
    if not audit.names:
        await compare_totals(verifying, stream, audit, past, found)
        return
    comparison = Comparison(verifying, stream, audit, past, found)
    for part, span in zip(found.parts, spans, strict=True):
        await comparison.list_part(part, span)
    await comparison.sample()
    deletions = Deletions(verifying, stream, compared, past, found)
    await deletions.find(comparison.seen)
