"""Removing what was read through a connection, when its owner asks for that: rows, raw bodies and evidence.

Clients that lose records are clustered and settled anew, so that the figures are those of a workspace in which
the connection had never been; versions of paths keep what was believed until then.
"""

from __future__ import annotations

from typing import Any, LiteralString
from uuid import UUID

import psycopg
from psycopg import sql

from reports.counts import settle_spend, settle_visits, visits_of_same_visitors
from reports.settle import mark, settle_orphans
from schema.enums import ChangeKind
from sync.feed import Changes, append, type_of
from sync.identity import absorb, refresh_golden
from sync.items import remove_items
from sync.targets import TARGETS

Conn = psycopg.AsyncConnection[tuple[Any, ...]]

_EVIDENCE = ("source_record", "source_version", "quarantine", "zstd_dictionary")
_OWN_FIELDS = ("custom_field", "schema_change", "field_mapping")


async def remove_data(conn: Conn, workspace_id: UUID, connection_id: UUID) -> None:
    """Remove all records of a connection, in the caller's transaction as the loader."""
    key = (workspace_id, connection_id)
    gone = await _ids(
        conn, "select record_id from identity_record where workspace_id = %s and connection_id = %s", key
    )
    clients: set[UUID] = set()
    told: list[UUID] = []
    visits = await _ids(conn, "select id from visit where workspace_id = %s and connection_id = %s", key)
    changes = Changes()
    for kind, target in TARGETS.values():
        owner = sql.Identifier("client_id") if target.of_client else sql.NULL
        rows = await (
            await conn.execute(
                sql.SQL("select id, {} from {} where workspace_id = %s and connection_id = %s").format(
                    owner, sql.Identifier(target.table)
                ),
                key,
            )
        ).fetchall()
        changes.add(type_of(kind), ChangeKind.DELETED, [id for id, _ in rows])
        if not target.of_client:
            continue
        told.extend(id for id, _ in rows)
        clients.update(client for _, client in rows if client is not None)
    others = await visits_of_same_visitors(conn, workspace_id, visits)
    outcome = await absorb(conn, workspace_id, [], None, removed=gone)
    await remove_items(conn, workspace_id, connection_id)
    for _, target in TARGETS.values():
        await _clear(conn, target.table, key)
    for table in (*_EVIDENCE, *_OWN_FIELDS):
        await _clear(conn, table, key)
    for table, card in (("assignment", "record_id"), ("affiliation", "contact_id")):
        await conn.execute(
            sql.SQL("delete from {} where workspace_id = %s and {} = any(%s)").format(
                sql.Identifier(table), sql.Identifier(card)
            ),
            (workspace_id, gone),
        )
    await settle_visits(conn, workspace_id, {*visits, *others})
    await settle_orphans(conn, workspace_id, told)
    await _remove_spend(conn, key)
    touched = clients | outcome.touched
    await refresh_golden(conn, workspace_id, sorted(touched), None)
    await mark(conn, workspace_id, touched | outcome.unowned, "removed")
    changes.add_identity(outcome, touched)
    await append(conn, workspace_id, changes)


async def _remove_spend(conn: Conn, key: tuple[UUID, UUID]) -> None:
    days = await (
        await conn.execute(
            "select distinct campaign_id, day from ad_spend where workspace_id = %s and connection_id = %s", key
        )
    ).fetchall()
    await _clear(conn, "ad_spend", key)
    await _clear(conn, "invalid_clicks", key)
    await settle_spend(conn, key[0], [(campaign, day) for campaign, day in days])
    await conn.execute(
        "update campaign set connection_id = null where workspace_id = %s and connection_id = %s", key
    )


async def _clear(conn: Conn, table: str, key: tuple[UUID, UUID]) -> None:
    await conn.execute(
        sql.SQL("delete from {} where workspace_id = %s and connection_id = %s").format(sql.Identifier(table)), key
    )


async def _ids(conn: Conn, query: LiteralString, key: tuple[UUID, UUID]) -> list[UUID]:
    return [id for (id,) in await (await conn.execute(query, key)).fetchall()]
