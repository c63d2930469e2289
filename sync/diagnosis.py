# ruff: noqa: S608 - the SQL is put together from names of ours; values are bound, never written in
"""What a maintainer needs to see, and nothing of whose data it is: numbers, states, codes, versions, times.

Nothing is taken over because it looks harmless. Values of settings, titles, accounts, records and requests stay
where they are; of sentences (they may repeat a vendor's words, and those a name) only words that stand in our own
program text are kept, the others are dots.
"""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.metadata import distributions
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from core import clock
from core.redaction import redact_text
from core.settings import Settings
from schema.migrate import newest_revision
from sync.office import Office
from sync.status import workspace_status

_SHOWN_SETTINGS = (
    *("port", "metrics_port", "log_level", "log_format", "introspection", "requests_per_minute"),
    "trusted_documents_only",
)
"""Settings whose values can't be anybody's; of all others it is told only whether they are set."""
_ROOMS = ("api", "connectors", "core", "sync")
_LISTS_OF_NAMES = "identity"
_WORD = re.compile(r"\w+")
_RUNS = 200
"""Syncs of each workspace that are told of, the newest ones."""


async def diagnose(office: Office, log_lines: Sequence[str] = ()) -> dict[str, Any]:
    """The parts of a diagnosis by their names. ``log_lines``: of the program's own log."""
    async with office.database.owner_engine.connect() as db:
        workspaces = list((await db.execute(text("select id from workspace order by created_at"))).scalars())
        server = await _server(db)
    parts: dict[str, Any] = {
        "about": _about(),
        "settings": _settings(office.settings),
        "server": server,
        "jobs": await _jobs(office),
        "workspaces": {str(id): await _workspace(office, id) for id in workspaces},
    }
    if log_lines:
        parts["log"] = [own_words(line) for line in log_lines]
    return parts


def own_words(sentence: str) -> str:
    """The sentence with every word replaced by dots that doesn't stand in our own program text, and numbers of more
    than four digits as well."""
    known = _vocabulary()

    def judged(found: re.Match[str]) -> str:
        word = found[0]
        if word.isascii() and word.isdigit():
            return word if len(word) <= 4 else "…"
        return word if word.lower() in known else "…"

    return _WORD.sub(judged, redact_text(sentence))


@cache
def _vocabulary() -> frozenset[str]:
    root = Path(__file__).parents[1]
    return frozenset(
        word.lower()
        for room in _ROOMS
        for path in (root / room).rglob("*.py")
        if _LISTS_OF_NAMES not in path.parts
        for word in _WORD.findall(path.read_text(encoding="utf-8"))
        if not any(letter.isdigit() for letter in word)
    )


def _about() -> dict[str, Any]:
    packages = {each.metadata["Name"]: each.version for each in distributions()}
    return {
        "at": clock.now(),
        "skvoz": packages.get("skvoz"),
        "python": sys.version.split()[0],
        "system": f"{platform.system()} {platform.machine()}",
        "packages": dict(sorted(packages.items())),
    }


def _settings(settings: Settings) -> dict[str, Any]:
    return {
        name: getattr(settings, name)
        if name in _SHOWN_SETTINGS
        else ("set" if name in settings.model_fields_set and getattr(settings, name) else "not set")
        for name in type(settings).model_fields
    }


async def _rows(db: AsyncConnection, query: str, **given: Any) -> list[dict[str, Any]]:
    return [dict(row) for row in (await db.execute(text(query), given)).mappings()]


async def _server(db: AsyncConnection) -> dict[str, Any]:
    names = (
        "('jit', 'shared_buffers', 'max_wal_size', 'max_connections', 'work_mem', 'default_transaction_isolation')"
    )
    return {
        "version": (await db.execute(text("show server_version"))).scalar_one(),
        "revision": (await db.execute(text("select version_num from alembic_version"))).scalar_one_or_none(),
        "newest_revision": newest_revision(),
        "settings": await _rows(db, f"select name, setting, unit from pg_settings where name in {names}"),
        "tables": await _rows(
            db,
            "select c.relname as name, c.reltuples::bigint as rows, pg_total_relation_size(c.oid) as bytes,"
            " s.n_dead_tup as dead_rows, s.last_autovacuum, s.last_autoanalyze"
            " from pg_class c join pg_namespace n on n.oid = c.relnamespace"
            " left join pg_stat_user_tables s on s.relid = c.oid"
            " where c.relkind in ('r', 'p') and n.nspname in ('public', 'jobs') order by 3 desc",
        ),
        "sessions": await _rows(
            db,
            "select state, wait_event_type, wait_event, count(*), max(now() - xact_start) as longest_transaction"
            " from pg_stat_activity where datname = current_database() group by 1, 2, 3 order by 4 desc",
        ),
        "locks": await _rows(
            db,
            "select l.locktype, c.relname as of_table, l.mode, l.granted, count(*) from pg_locks l"
            " left join pg_class c on c.oid = l.relation and l.database = (select oid from pg_database"
            " where datname = current_database()) group by 1, 2, 3, 4 order by l.granted, 5 desc limit 100",
        ),
    }


async def _jobs(office: Office) -> dict[str, Any]:
    async with office.database.app_engine.connect() as db:
        return {
            "counts": await _rows(
                db,
                "select queue_name, task_name, status::text, count(*), max(attempts) as most_attempts,"
                " min(scheduled_at) as first_scheduled_at, min(id) as oldest_id"
                " from jobs.procrastinate_jobs group by 1, 2, 3 order by 1, 2, 3",
            ),
            "under_way": await _rows(
                db,
                "select j.id, j.task_name, j.lock, w.last_heartbeat, now() - w.last_heartbeat as silent_for"
                " from jobs.procrastinate_jobs j left join jobs.procrastinate_workers w on w.id = j.worker_id"
                " where j.status = 'doing' order by j.id limit 200",
            ),
            "hands": await _rows(
                db, "select id, now() - last_heartbeat as silent_for from jobs.procrastinate_workers order by id"
            ),
        }


async def _workspace(office: Office, workspace_id: UUID) -> dict[str, Any]:
    given = {"ws": workspace_id}
    async with office.database.snapshot(workspace_id) as db:
        runs = await _rows(
            db,
            "select id, connection_id, trigger, state, queued_at, started_at, finished_at, resume_at, fetched,"
            " created, updated, unchanged, skipped, quarantined, deleted, requests, error_code, error,"
            " cardinality(warnings) as warnings"
            " from sync_run where workspace_id = :ws order by queued_at desc limit :most",
            **given,
            most=_RUNS,
        )
        parts: dict[str, Any] = {
            "runs": [{**run, "error": _said(run["error"])} for run in runs],
            "outbox": await _rows(
                db,
                "select connection_id, write, state, code, count(*), max(attempts) as most_attempts,"
                " min(created_at) as oldest_at, min(next_try_at) as next_try_at"
                " from outbox where workspace_id = :ws group by 1, 2, 3, 4 order by 1, 2, 3",
                **given,
            ),
            "inbox": await _rows(
                db,
                "select connection_id, state, count(*), max(attempts) as most_attempts,"
                " min(received_at) as oldest_at"
                " from received_webhook where workspace_id = :ws group by 1, 2 order by 1, 2",
                **given,
            ),
            "quarantine": await _rows(
                db,
                "select connection_id, stream, count(*), max(attempts) as most_attempts, max(last_at) as last_at"
                " from quarantine where workspace_id = :ws and resolved_at is null group by 1, 2 order by 1, 2",
                **given,
            ),
            "doors": await _rows(
                db,
                "select connection_id, opened_at, subscribed_at, check_at, problem is not null as has_problem"
                " from door where workspace_id = :ws",
                **given,
            ),
        }
    status = await workspace_status(office.database, workspace_id)
    return {"workers": status.workers, "connections": list(_connections(status.connections)), **parts}


def _connections(connections: Sequence[Any]) -> Iterator[dict[str, Any]]:
    for each in connections:
        yield {
            "id": each.id,
            "connector": each.connector,
            "state": each.state,
            "sentence": _said(each.sentence),
            "next_run_at": each.next_run_at,
            "quarantined": each.quarantined,
            "outbox": each.outbox,
            "inbox": each.inbox,
            "breaker": each.breaker
            and {
                "reason": _said(each.breaker.reason),
                "opened_at": each.breaker.opened_at,
                "next_try_at": each.breaker.next_try_at,
                "failures": each.breaker.failures,
            },
            "verified_at": each.verified_at,
            "budgets": each.budgets,
            "streams": [
                {
                    "name": stream.name,
                    "fresh_until": stream.fresh_until,
                    "lag_seconds": stream.lag_seconds,
                    "reading": stream.reading,
                    "told_at": stream.told_at,
                    "done": stream.done,
                    "error_code": stream.error_code,
                    "error": _said(stream.error),
                }
                for stream in each.streams
            ],
        }


def _said(sentence: str | None) -> str | None:
    return None if sentence is None else own_words(sentence)
