"""Verifications by schedule and by request. They are the last in the queue, and one at a time of a connection."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import date
from typing import Any
from uuid import UUID, uuid4

import procrastinate
import structlog
from procrastinate.exceptions import AlreadyEnqueued
from procrastinate.types import JSONValue
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from connectors.registry import connector
from schema.enums import RunTrigger
from sync.errors import NotFound, Refused, SettingsProblem
from sync.office import Office
from sync.verify.comparing import verify_connection
from sync.verify.verifying import Wanted

log = structlog.get_logger(__name__)

LAST = -10
"""Priority: syncs go before, whenever they were queued."""


class VerificationJobs:
    """The tasks of verification in the job engine ``app``, on its queue of syncs."""

    def __init__(self, office: Office, app: procrastinate.App, stop: asyncio.Event, queue: str) -> None:
        self._office = office
        self._stop = stop
        self._task = app.task(name="verify_connection", queue=queue, priority=LAST)(self._verify)
        app.periodic(cron="3-59/10 * * * *")(
            app.task(name="enqueue_verifications", queue="upkeep", queueing_lock="enqueue_verifications")(
                self._enqueue_due
            )
        )

    async def request(
        self, workspace_id: UUID, connection_id: UUID, wanted: Wanted, *, within: AsyncConnection | None = None
    ) -> UUID | None:
        """Queue a verification. Its id; None if one waits already, which will do.

        Raises NotFound, and Refused for streams that there aren't and days that are the wrong way round.
        """
        async with self._office.database.within(workspace_id, within) as db:
            key = await db.scalar(
                text("select connector from connection where workspace_id = :ws and id = :id"),
                {"ws": workspace_id, "id": connection_id},
            )
        if key is None:
            raise NotFound("There is no such connection in this workspace.")
        check(wanted, [stream.name for stream in connector(key).streams])
        return await self._defer(workspace_id, connection_id, wanted, RunTrigger.BUTTON)

    async def _defer(
        self, workspace_id: UUID, connection_id: UUID, wanted: Wanted, trigger: RunTrigger
    ) -> UUID | None:
        id, lock = uuid4(), f"verify:{connection_id}"
        streams: list[JSONValue] | None = None if wanted.streams is None else [*sorted(wanted.streams)]
        try:
            await self._task.configure(lock=lock, queueing_lock=lock).defer_async(
                workspace_id=str(workspace_id),
                connection_id=str(connection_id),
                verification_id=str(id),
                trigger=trigger.value,
                streams=streams,
                since=None if wanted.since is None else wanted.since.isoformat(),
                until=None if wanted.until is None else wanted.until.isoformat(),
                fix=wanted.fix,
            )
        except AlreadyEnqueued:
            log.debug("verify.joined", connection=str(connection_id))
            return None
        return id

    async def _verify(
        self, workspace_id: str, connection_id: str, verification_id: str, trigger: str, **told: Any
    ) -> None:
        id: UUID | None = UUID(verification_id)
        if await self._is_known(UUID(workspace_id), UUID(verification_id)):
            id = None  # its worker died: it is begun anew, as another one
        wanted = Wanted(
            streams=told["streams"],
            since=None if told["since"] is None else date.fromisoformat(told["since"]),
            until=None if told["until"] is None else date.fromisoformat(told["until"]),
            fix=told["fix"],
        )
        with suppress(NotFound):  # removed since it was queued
            verified = await verify_connection(
                self._office,
                UUID(workspace_id),
                UUID(connection_id),
                wanted,
                trigger=RunTrigger(trigger),
                id=id,
                stop=self._stop,
            )
            log.info("verify.done", connection=connection_id, wrong=verified.wrong, error=verified.error)

    async def _is_known(self, workspace_id: UUID, id: UUID) -> bool:
        async with self._office.database.workspace(workspace_id) as db:
            found = await db.scalar(
                text("select exists (select from verification where workspace_id = :ws and id = :id)"),
                {"ws": workspace_id, "id": id},
            )
        return bool(found)

    async def _enqueue_due(self, timestamp: int) -> None:
        """Queue the connections whose verification is due."""
        async with self._office.database.app_engine.begin() as db:
            due = (
                await db.execute(text("select workspace_id, connection_id from take_due_verifications(100)"))
            ).all()
        for workspace_id, connection_id in due:
            await self._defer(workspace_id, connection_id, Wanted(), RunTrigger.SCHEDULE)


def check(wanted: Wanted, known: list[str]) -> None:
    """Raises Refused for what can't be verified as it is wanted."""
    problems = [
        SettingsProblem(
            "streams",
            f"There is no stream {name!r}; there are {', '.join(known)}.",
            "NO_SUCH_STREAM",
            {"stream": name, "known": ", ".join(known)},
        )
        for name in sorted({*(wanted.streams or ())} - {*known})
    ]
    if wanted.since is not None and wanted.until is not None and wanted.until < wanted.since:
        problems.append(SettingsProblem("to", "The last day is before the first one.", "ENDS_BEFORE_IT_BEGINS"))
    if problems:
        raise Refused(problems)
