"""The queue of offline reports: ordered, being built, kept for five hours under their names."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic

from sandbox.vendors.yandex_direct.errors import DirectError
from sandbox.vendors.yandex_direct.report import Table

QUEUE_LENGTH = 5
KEPT = timedelta(hours=5)
BETWEEN_POLLS = 0.9  # real seconds; a poll before that brings a report no nearer
POLLS = 2  # polls after the order at which a report is ready …
BUILT_ALONE = 10.0  # … or so many real seconds later, whether or not anybody asks


@dataclass(slots=True)
class Job:
    """One ordered report. The numbers are those of the time of the order, however late it is fetched."""

    digest: str
    table: Table
    ordered: datetime
    polls: int = 0
    begun: float = field(default_factory=monotonic)
    polled: float = field(default_factory=monotonic)

    @property
    def ready(self) -> bool:
        return self.polls >= POLLS or monotonic() - self.begun > BUILT_ALONE


class ReportQueue:
    """Reports of one advertiser by name. ``patient``: a poll that comes too soon doesn't count."""

    def __init__(self, patient: bool) -> None:
        self._jobs: dict[str, Job] = {}
        self._patient = patient

    def find(self, name: str, body: bytes, now: datetime) -> Job | None:
        """The report of this name, polled once more. `DirectError` 8000 when it was ordered with another body."""
        self._jobs = {kept: job for kept, job in self._jobs.items() if now - job.ordered < KEPT}
        job = self._jobs.get(name)
        if job is None:
            return None
        if job.digest != _digest(body):
            raise DirectError(8000, "Отчет с таким названием, но с другими параметрами уже существует")
        if not self._patient or monotonic() - job.polled >= BETWEEN_POLLS:
            job.polls += 1
            job.polled = monotonic()
        return job

    def order(self, name: str, body: bytes, table: Table, now: datetime, limit: float) -> None:
        """Queue a new report. `DirectError` 9000 when ``limit`` are being built (0: no limit)."""
        if limit and self.building >= limit:
            raise DirectError(9000, "В очереди максимальное количество отчетов, дождитесь их формирования")
        self._jobs[name] = Job(_digest(body), table, now)

    @property
    def building(self) -> int:
        """How many reports are queued and not yet built."""
        return sum(not job.ready for job in self._jobs.values())


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
