"""Verifications as rows: begun, noted stream by stream, ended."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import insert, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from schema.enums import RunTrigger
from schema.tables import SyncRun, Verification, VerificationPart, VerificationStream
from sync.connections import Opened
from sync.metrics import FOUND_WRONG, VERIFICATIONS
from sync.office import Office
from sync.verify.findings import KINDS, Found, Kind, Part, Verified

NAMED = 1000
"""Ids that are kept of each kind of fault in a part; their number is kept whatever it is."""


async def begin(office: Office, opened: Opened, id: UUID, trigger: RunTrigger) -> None:
    """Note that a verification has begun. One that a killed process left behind is ended with that reason."""
    async with office.database.workspace(opened.workspace_id) as db:
        await db.execute(
            update(Verification)
            .where(
                Verification.workspace_id == opened.workspace_id,
                Verification.connection_id == opened.id,
                Verification.state == "running",
            )
            .values(
                state="failed",
                finished_at=text("clock_timestamp()"),
                sentence="It was not finished: it was cut off.",
            )
        )
        await db.execute(
            insert(Verification).values(
                workspace_id=opened.workspace_id, id=id, connection_id=opened.id, trigger=trigger.value
            )
        )


async def note(office: Office, opened: Opened, id: UUID, found: Found) -> None:
    """Keep what was found in a stream."""
    for kind in KINDS:
        FOUND_WRONG.labels(opened.connector.key, found.stream, kind).inc(found.number(kind))
    key = {"workspace_id": opened.workspace_id, "verification_id": id, "stream": found.stream}
    async with office.database.workspace(opened.workspace_id) as db:
        await db.execute(
            insert(VerificationStream).values(
                **key,
                compared=found.compared,
                there=found.there,
                here=found.here,
                missing=found.number("missing"),
                extra=found.number("extra"),
                different=found.number("different"),
                links=found.number("links"),
                waiting=found.waiting,
                sampled=found.sampled,
                mended=found.mended,
                deleted=found.deleted,
                wrong_since=found.since,
                brake=found.brake,
                error=found.error,
                sentence=found.sentence,
            )
        )
        rows = [key | _part(number, part) for number, part in enumerate(found.parts)]
        if rows:
            await db.execute(insert(VerificationPart), rows)


def _part(number: int, part: Part) -> dict[str, object]:
    first = next((each for each in part.wrong if each.since == part.since), None)
    return {
        "number": number,
        "since": part.span.since if part.span else None,
        "until": part.span.until if part.span else None,
        "there": part.there,
        "here": part.here,
        "total": part.total,
        "missing": _ids(part, "missing"),
        "extra": _ids(part, "extra"),
        "different": _ids(part, "different"),
        "links": _ids(part, "links"),
        "wrong_since": part.since,
        "run_id": first.run_id if first else None,
    }


def _ids(part: Part, kind: Kind) -> list[str]:
    return [each.external_id for each in part.wrong if each.kind == kind][:NAMED]


async def end(office: Office, opened: Opened, verified: Verified) -> None:
    """Note how a verification ended. What a person should look at is a warning of its run too."""
    state = "succeeded" if verified.error is None else "failed"
    VERIFICATIONS.labels(opened.connector.key, state).inc()
    async with office.database.workspace(opened.workspace_id) as db:
        await db.execute(
            update(Verification)
            .where(Verification.workspace_id == opened.workspace_id, Verification.id == verified.id)
            .values(
                state=state,
                finished_at=text("clock_timestamp()"),
                there=sum(found.there for found in verified.streams),
                wrong=verified.wrong,
                mended=sum(found.mended for found in verified.streams),
                deleted=sum(found.deleted for found in verified.streams),
                alarms=list(verified.alarms),
                requests=verified.requests,
                run_id=verified.run_id,
                sentence=verified.sentence,
            )
        )
        await _warn(db, opened, verified)


async def _warn(db: AsyncConnection, opened: Opened, verified: Verified) -> None:
    if verified.run_id is None or not verified.alarms:
        return
    await db.execute(
        update(SyncRun)
        .where(SyncRun.workspace_id == opened.workspace_id, SyncRun.id == verified.run_id)
        .values(warnings=list(verified.alarms))
    )
