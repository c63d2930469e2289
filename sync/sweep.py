"""Deletions found by absence: what a complete list no longer holds was deleted in the external system.

A brake stands before it: a list that would make more than a fifth vanish is rather a broken filter or a lost right.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import psycopg
import structlog

from connectors.contract import RawRecord
from sync.load import retire
from sync.mapped import Loading

log = structlog.get_logger(__name__)

BRAKE_SHARE = 0.2
BRAKE_FROM = 10
"""So many may vanish whatever their share: in a short list one deletion is a large part."""


class Sweep:
    """What a run has seen of a stream. ``whole`` is False when the run doesn't list everything from its start:
    absence then says nothing."""

    def __init__(self, *, whole: bool) -> None:
        self._seen: set[str] | None = set() if whole else None

    @property
    def whole(self) -> bool:
        return self._seen is not None

    def saw(self, records: Iterable[RawRecord]) -> None:
        if self._seen is not None:
            self._seen.update(record.external_id for record in records)

    def saw_ids(self, external_ids: Iterable[str]) -> None:
        """Records that are there and were not told anew."""
        if self._seen is not None:
            self._seen.update(external_ids)

    async def retire_absent(self, conn: psycopg.AsyncConnection[tuple[Any, ...]], loading: Loading) -> int:
        """Mark as deleted what is here and was not seen there. Returns how many. What a webhook has brought since
        the run began may stand behind the pages that were read by then: it is left alone."""
        if self._seen is None:
            return 0
        rows = await (
            await conn.execute(
                "select external_id, changed_at >= (select started_at from stream_run where workspace_id = %s"
                " and run_id = %s and stream = %s) from source_record"
                " where workspace_id = %s and connection_id = %s and stream = %s and deleted_at is null",
                (
                    *(loading.workspace_id, loading.run_id, loading.stream.name),
                    *(loading.workspace_id, loading.connection_id, loading.stream.name),
                ),
            )
        ).fetchall()
        absent = [id for id, lately in rows if id not in self._seen and not lately]
        if len(absent) > max(BRAKE_FROM, BRAKE_SHARE * len(rows)):
            log.warning("sweep.refused", stream=loading.stream.name, absent=len(absent), known=len(rows))
            await conn.execute(
                "update sync_run set warnings = warnings || %s::text[] where workspace_id = %s and id = %s",
                ([_refusal(loading.stream.title, len(absent), len(rows))], loading.workspace_id, loading.run_id),
            )
            return 0
        return await retire(conn, loading, absent)


def _refusal(title: str, absent: int, known: int) -> str:
    return (
        f"{title}: the system listed {absent:,} of {known:,} records no more. That is rather a lost right or a "
        "broken filter than so many deletions, so nothing was marked as deleted."
    )
