"""Jobs on procrastinate: syncs by schedule and by request, and the rescue of jobs whose worker died.

Our checkpoints make a job safe to run again, so at-least-once is all that is asked of the engine. One job a
connection at a time (``lock``), at most one waiting (``queueing_lock``): a schedule, a button and a burst of
webhooks become one run.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext, suppress
from typing import Any
from uuid import UUID, uuid4

import msgspec
import procrastinate
import structlog
from procrastinate.exceptions import AlreadyEnqueued, UniqueViolation
from procrastinate.jobs import Status
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from core.database import driver
from core.errors import SkvozError
from core.roles import Role
from schema.enums import RunTrigger
from sync import webhooks_out
from sync.connections import open_connection
from sync.errors import NotFound
from sync.feed import KEPT
from sync.golden import apply_rules
from sync.identity.learning import LEAST
from sync.inbox.process import process_inbox
from sync.inbox.subscriptions import LOOK_EVERY, look_after
from sync.mapping_again import map_waiting
from sync.office import Office
from sync.run import run_connection
from sync.turns import Turn
from sync.uploads import sweep
from sync.verify.jobs import VerificationJobs
from sync.weighing import learn_matches
from sync.writeback.deliver import deliver

log = structlog.get_logger(__name__)

QUEUE, UPKEEP, DELIVERY, INBOX = "sync", "upkeep", "delivery", "inbox"
URGENT = 10
"""Priority of what goes out and of what systems tell by themselves: before syncs, and long before backfills."""
_URGENT_HANDS = 4
SCHEDULE = "schedule"
"""Who does what nobody asked for."""
STALLED_SECONDS = 30
"""A worker without a heartbeat for so long is dead (procrastinate prunes it then)."""
_JOBS_PATH = "-c search_path=jobs,public"


class Jobs:
    """The job engine over one database. ``office`` opens connections when a job runs."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.app = procrastinate.App(
            connector=procrastinate.PsycopgConnector(
                conninfo=office.database.conninfo(Role.APP), kwargs={"options": _JOBS_PATH}, min_size=1, max_size=8
            )
        )
        self._stop = asyncio.Event()
        self.verification = VerificationJobs(office, self.app, self._stop, QUEUE)
        self._sync = self.app.task(name="sync_connection", queue=QUEUE)(self._sync_connection)
        self._map = self.app.task(name="map_fields", queue=QUEUE, priority=URGENT)(self._map_fields)
        self._golden = self.app.task(name="choose_golden", queue=QUEUE)(self._choose_golden)
        self._deliver = self.app.task(name="deliver", queue=DELIVERY, priority=URGENT)(self._deliver_outbox)
        self.app.periodic(cron="* * * * * */5")(
            self.app.task(name="enqueue_deliveries", queue="upkeep", queueing_lock="enqueue_deliveries")(
                self._enqueue_deliveries
            )
        )
        self._webhook = self.app.task(name="deliver_webhook", queue=DELIVERY)(self._deliver_webhook)
        self.app.periodic(cron="* * * * * */5")(
            self.app.task(name="enqueue_webhooks", queue="upkeep", queueing_lock="enqueue_webhooks")(
                self._enqueue_webhooks
            )
        )
        self._inbox = self.app.task(name="process_inbox", queue=INBOX, priority=URGENT)(self._process_inbox)
        self.app.periodic(cron="* * * * * */5")(
            self.app.task(name="enqueue_inboxes", queue="upkeep", queueing_lock="enqueue_inboxes")(
                self._enqueue_inboxes
            )
        )
        self.app.periodic(cron="* * * * *")(
            self.app.task(name="look_after_doors", queue="upkeep", queueing_lock="look_after_doors")(
                self._look_after_doors
            )
        )
        self.app.periodic(cron="17 3 * * *")(
            self.app.task(name="prune_feed", queue="upkeep", queueing_lock="prune_feed")(self._prune_feed)
        )
        self.app.periodic(cron="41 3 * * *")(
            self.app.task(name="sweep_uploads", queue="upkeep", queueing_lock="sweep_uploads")(self._sweep_uploads)
        )
        self._learn = self.app.task(name="learn_matches", queue=QUEUE)(self._learn_matches)
        self.app.periodic(cron="23 * * * *")(
            self.app.task(name="enqueue_learning", queue="upkeep", queueing_lock="enqueue_learning")(
                self._enqueue_learning
            )
        )
        self.app.periodic(cron="* * * * * */15")(
            self.app.task(name="rescue_stalled", queue="upkeep", queueing_lock="rescue_stalled")(
                self._rescue_stalled
            )
        )
        self.app.periodic(cron="* * * * * */20")(
            self.app.task(name="enqueue_due", queue="upkeep", queueing_lock="enqueue_due")(self._enqueue_due)
        )

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Jobs]:
        async with self.app.open_async():
            yield self

    async def request_sync(
        self,
        workspace_id: UUID,
        connection_id: UUID,
        trigger: RunTrigger,
        *,
        within: AsyncConnection | None = None,
    ) -> UUID:
        """Queue a run and return its id; if one is waiting already, that one's id.

        The run's row and its job commit together, and with the transaction ``within``, if given. Raises NotFound.
        """
        async with self.office.database.within(workspace_id, within) as db:
            key = {"ws": workspace_id, "id": connection_id}
            state = (
                await db.execute(
                    text("select state from connection where workspace_id = :ws and id = :id for update"), key
                )
            ).scalar_one_or_none()
            if state is None:
                raise NotFound("There is no such connection in this workspace.")
            waiting = (
                await db.execute(
                    text(
                        "select id from sync_run where workspace_id = :ws and connection_id = :id"
                        " and state = 'queued' limit 1"
                    ),
                    key,
                )
            ).scalar_one_or_none()
            if waiting is not None:
                run: UUID = waiting
                return run
            run = uuid4()
            await db.execute(
                text(
                    "insert into sync_run (workspace_id, id, connection_id, trigger, state)"
                    " values (:ws, :run, :id, :trigger, 'queued')"
                ),
                key | {"run": run, "trigger": trigger.value},
            )
            await db.execute(text("set local search_path = jobs, public"))
            await self._defer(workspace_id, connection_id, trigger, run, connection=driver(db))
        return run

    async def tell_inbox(self, workspace_id: UUID, connection_id: UUID) -> None:
        """Something has come in at a connection's door, and is committed. A job that waits already will see it."""
        lock = f"inbox:{connection_id}"
        with suppress(AlreadyEnqueued):
            await self._inbox.configure(lock=lock, queueing_lock=lock).defer_async(
                workspace_id=str(workspace_id), connection_id=str(connection_id)
            )

    async def request_mapping(self, workspace_id: UUID, connection_id: UUID) -> None:
        """Queue the mapping anew of stored records that changed mappings of custom fields are about."""
        with suppress(AlreadyEnqueued):
            await self._map.configure(
                lock=f"connection:{connection_id}", queueing_lock=f"fields:{connection_id}"
            ).defer_async(workspace_id=str(workspace_id), connection_id=str(connection_id))

    async def work(self, *, concurrency: int = 8, name: str = "skvoz") -> None:
        """Work on jobs until cancelled; runs under way then stop after the page in hand.

        What is urgent has a hand of its own: syncs may take hours, and ``concurrency`` of them all others.
        """
        urgent = [DELIVERY, INBOX, UPKEEP]
        try:
            async with asyncio.TaskGroup() as hands:
                hands.create_task(self._work(urgent, _URGENT_HANDS, f"{name}-urgent"))
                hands.create_task(self._work([*urgent, QUEUE], concurrency, name))
        finally:
            self._stop.set()

    async def _work(self, queues: list[str], concurrency: int, name: str) -> None:
        await self.app.run_worker_async(
            queues=queues,
            concurrency=concurrency,
            name=name,
            install_signal_handlers=False,
            shutdown_graceful_timeout=25,
            stalled_worker_timeout=STALLED_SECONDS,
            delete_jobs="successful",
        )

    def stop_runs(self) -> None:
        """Let the runs under way end after their page."""
        self._stop.set()

    async def _defer(
        self,
        workspace_id: UUID,
        connection_id: UUID,
        trigger: RunTrigger,
        run_id: UUID | None,
        *,
        connection: Any = None,
    ) -> None:
        lock = f"connection:{connection_id}"
        # A job that waits already makes the insertion fail: with that, the caller's transaction must not.
        savepoint = connection.transaction() if connection is not None else nullcontext()
        try:
            async with savepoint:
                await self._sync.configure(
                    lock=lock,
                    queueing_lock=lock,
                    connection=connection,
                ).defer_async(
                    workspace_id=str(workspace_id),
                    connection_id=str(connection_id),
                    trigger=trigger.value,
                    run_id=None if run_id is None else str(run_id),
                )
        except AlreadyEnqueued:
            log.debug("job.joined", connection=str(connection_id))

    async def _sync_connection(
        self, workspace_id: str, connection_id: str, trigger: str, run_id: str | None = None
    ) -> None:
        try:
            result = await run_connection(
                self.office,
                UUID(workspace_id),
                UUID(connection_id),
                trigger=RunTrigger(trigger),
                run_id=None if run_id is None else UUID(run_id),
                stop=self._stop,
                turn_over=Turn(self.office.database, QUEUE).is_over,
            )
        except SkvozError as error:  # paused, removed or taken over since it was queued: nothing to repeat
            log.info("job.dropped", connection=connection_id, code=error.code)
            return
        log.info("job.done", connection=connection_id, state=result.state.value)
        await self._enqueue_deliveries(0)  # what the run brought may be wanted elsewhere at once

    async def _map_fields(self, workspace_id: str, connection_id: str) -> None:
        try:
            opened = await open_connection(self.office, UUID(workspace_id), UUID(connection_id))
        except SkvozError as error:  # removed since it was queued
            log.info("job.dropped", connection=connection_id, code=error.code)
            return
        log.info("job.done", connection=connection_id, mapped=await map_waiting(self.office, opened, self._stop))

    async def _deliver_outbox(self, workspace_id: str, connection_id: str) -> None:
        try:
            turn_over = Turn(self.office.database, DELIVERY, INBOX).is_over
            ended = await deliver(
                self.office, UUID(workspace_id), UUID(connection_id), stop=self._stop, turn_over=turn_over
            )
        except SkvozError as error:  # removed since it was queued
            log.info("job.dropped", connection=connection_id, code=error.code)
            return
        log.info("job.done", connection=connection_id, **ended)

    async def _enqueue_deliveries(self, timestamp: int) -> None:
        """Queue a delivery for each connection that something waits to be written to."""
        async with self.office.database.app_engine.begin() as db:
            due = (await db.execute(text("select workspace_id, connection_id from due_deliveries(500)"))).all()
        for workspace_id, connection_id in due:
            lock = f"delivery:{connection_id}"
            try:
                await self._deliver.configure(lock=lock, queueing_lock=lock).defer_async(
                    workspace_id=str(workspace_id), connection_id=str(connection_id)
                )
            except AlreadyEnqueued:
                log.debug("delivery.joined", connection=str(connection_id))

    async def request_deliveries(self) -> None:
        """Something was put into the outbox, and is committed: let it go at once rather than within seconds."""
        await self._enqueue_deliveries(0)

    async def request_golden(self, workspace_id: UUID) -> None:
        """Queue the choosing anew of all golden records, by rules that are committed. Whatever waits already began
        before them or will see them; what runs is followed by another."""
        lock = f"golden:{workspace_id}"
        with suppress(AlreadyEnqueued):
            await self._golden.configure(lock=lock, queueing_lock=lock).defer_async(workspace_id=str(workspace_id))

    async def _choose_golden(self, workspace_id: str) -> None:
        changed = await apply_rules(self.office.database, UUID(workspace_id))
        log.info("golden.chosen_anew", workspace=workspace_id, clients=changed)
        await self._enqueue_webhooks(0)

    async def request_webhooks(self) -> None:
        """Something was added to the feed, and is committed: let webhooks tell of it at once rather than within
        seconds."""
        await self._enqueue_webhooks(0)

    async def _enqueue_webhooks(self, timestamp: int) -> None:
        """Queue the webhooks that have something to say, one job each at a time."""
        async with self.office.database.app_engine.begin() as db:
            due = (await db.execute(text("select workspace_id, webhook_id from due_webhooks(500)"))).all()
        for workspace_id, webhook_id in due:
            lock = f"webhook:{webhook_id}"
            with suppress(AlreadyEnqueued):
                await self._webhook.configure(lock=lock, queueing_lock=lock).defer_async(
                    workspace_id=str(workspace_id), webhook_id=str(webhook_id)
                )

    async def _deliver_webhook(self, workspace_id: str, webhook_id: str) -> None:
        sent = await webhooks_out.deliver(self.office, UUID(workspace_id), UUID(webhook_id))
        log.info("webhook.sent", webhook=webhook_id, messages=sent)

    async def _process_inbox(self, workspace_id: str, connection_id: str) -> None:
        try:
            turn_over = Turn(self.office.database, DELIVERY, INBOX).is_over
            processed = await process_inbox(
                self.office, UUID(workspace_id), UUID(connection_id), stop=self._stop, turn_over=turn_over
            )
        except SkvozError as error:  # removed since it was queued
            log.info("job.dropped", connection=connection_id, code=error.code)
            return
        log.info("inbox.processed", connection=connection_id, done=processed.done, waiting=processed.waiting)
        if processed.early:
            await self._enqueue_due(0)
        await self._enqueue_deliveries(0)

    async def _enqueue_inboxes(self, timestamp: int) -> None:
        """Queue the doors at which something waits: for another try, or because its job was never queued."""
        async with self.office.database.app_engine.begin() as db:
            due = (await db.execute(text("select workspace_id, connection_id from due_inboxes(500)"))).all()
        for workspace_id, connection_id in due:
            await self.tell_inbox(workspace_id, connection_id)

    async def _look_after_doors(self, timestamp: int) -> None:
        """See whether systems still know the addresses that they were told over their API."""
        async with self.office.database.app_engine.begin() as db:
            statement = text("select workspace_id, connection_id from take_due_doors(:every, 100)")
            due = (await db.execute(statement, {"every": LOOK_EVERY})).all()
        for workspace_id, connection_id in due:
            try:
                await look_after(self.office, workspace_id, connection_id)
            except SkvozError as error:  # closed or removed meanwhile
                log.info("job.dropped", connection=str(connection_id), code=error.code)

    async def _prune_feed(self, timestamp: int) -> None:
        """Remove changes and deliveries, out and in, that are older than what is kept."""
        async with self.office.database.app_engine.begin() as db:
            changes = (await db.execute(text("select prune_changes(:kept)"), {"kept": KEPT})).scalar_one()
            deliveries = (await db.execute(text("select prune_deliveries(:kept)"), {"kept": KEPT})).scalar_one()
            received = (await db.execute(text("select prune_received(:kept)"), {"kept": KEPT})).scalar_one()
        log.info("feed.pruned", changes=changes, deliveries=deliveries, received=received)

    async def _sweep_uploads(self, timestamp: int) -> None:
        """Remove uploaded files that were never connected."""
        log.info("uploads.swept", files=await sweep(self.office))

    async def _enqueue_learning(self, timestamp: int) -> None:
        """Queue the workspaces whose week is over: each learns at an hour of the week of its own."""
        async with self.office.database.app_engine.begin() as db:
            statement = text("select workspace_id from due_learning(:least, 100)")
            due = (await db.execute(statement, {"least": LEAST})).scalars().all()
        for workspace_id in due:
            lock = f"learning:{workspace_id}"
            with suppress(AlreadyEnqueued):
                await self._learn.configure(lock=lock, queueing_lock=lock).defer_async(
                    workspace_id=str(workspace_id)
                )

    async def _learn_matches(self, workspace_id: str) -> None:
        learnt = await learn_matches(self.office.database, UUID(workspace_id), SCHEDULE)
        if learnt is not None:
            told = msgspec.structs.asdict(learnt.effect)
            log.info(
                "matches.learnt", workspace=workspace_id, applied=learnt.applied, version=learnt.version, **told
            )
            await self._enqueue_webhooks(0)

    async def _rescue_stalled(self, timestamp: int) -> None:
        """Give back the jobs of dead workers; without this they stay 'doing' and hold their lock for ever."""
        manager = self.app.job_manager
        for job in await manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_SECONDS):
            log.warning("job.rescued", job=job.id, task=job.task_name)
            try:
                await manager.retry_job(job)
            except UniqueViolation:  # one is waiting already, held up by the dead one's lock: it takes over
                await manager.finish_job(job, status=Status.FAILED, delete_job=True)

    async def _enqueue_due(self, timestamp: int) -> None:
        """Queue the connections whose time has come, a batch at a time. The schedule itself spreads them: each has
        a phase of its own within its interval (``next_due``), so that 10,000 connections don't start together."""
        async with self.office.database.app_engine.begin() as db:
            due = (
                await db.execute(text("select workspace_id, connection_id from take_due_connections(500)"))
            ).all()
        for workspace_id, connection_id in due:
            await self._defer(workspace_id, connection_id, RunTrigger.SCHEDULE, None)
