"""Writing mapped records: identity first, then rows by COPY, golden records, and the marks that settle figures."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql

from core.arrays import uuids
from reports.counts import settle_spend, settle_visits
from reports.settle import mark, settle_orphans
from schema.enums import ChangeKind, ChangeType, RecordKind
from schema.ids import campaign_id
from sync.affiliations import write_affiliations
from sync.copying import replace
from sync.feed import Changes, type_of
from sync.identity import absorb, candidate_of, refresh_golden
from sync.identity.following import COUNTED_ALONE, FOLLOWS, clients_of, counted_alone, follow
from sync.items import write_items
from sync.mapped import Loading, Mapped
from sync.marketing import (
    known_campaigns,
    write_assignments,
    write_campaigns,
    write_invalid_clicks,
    write_named_campaigns,
    write_spend,
)
from sync.rows import Placed, Source
from sync.targets import TARGETS
from sync.writeback.intents import intend

Conn = psycopg.AsyncConnection[tuple[Any, ...]]


async def write_mapped(conn: Conn, loading: Loading, source: Source, mapped: Mapped, changes: Changes) -> None:
    """Identity first, so that rows are written with their client; then rows, golden records and marks."""
    everything = [placed for kind in mapped.placed.values() for placed in kind.values()]
    candidates = [
        candidate
        for placed in everything
        if (candidate := candidate_of(placed.record, loading.connection_id, loading.region)) is not None
    ]
    firms = [placed.id for placed in mapped.of(RecordKind.ORDER) if placed.record.company is not None]
    outcome = await absorb(conn, loading.workspace_id, candidates, loading.run_id, removed=firms)
    followers = {placed.id: placed for placed in mapped.of(*FOLLOWS)}
    clients = await _clients_of_followers(conn, source, followers.values()) | dict(outcome.clients)
    former = await _former_owners(conn, loading, mapped)
    naming = [*(placed.record for placed in everything), *(record for _, record in mapped.invalid)]
    named = await write_named_campaigns(conn, source, naming)
    changes.add(ChangeType.CAMPAIGN, ChangeKind.CREATED, named)
    if mapped.campaigns or mapped.spend:
        ids = mapped.campaign_ids()
        known = await known_campaigns(conn, source, list(ids))
        changes.add(ChangeType.CAMPAIGN, ChangeKind.CREATED, ids - known)
        changes.add(ChangeType.CAMPAIGN, ChangeKind.CHANGED, ids & known)
    if mapped.campaigns:
        await write_campaigns(conn, source, mapped.campaigns)
    for kind, placed in mapped.placed.items():
        of_kind, target = TARGETS[kind]
        written = await replace(conn, source, target, list(placed.values()), clients)
        for what, done in written.items():
            changes.add(type_of(of_kind), what, done)
        if of_kind is RecordKind.ORDER:
            await write_items(conn, loading.workspace_id, [placed[id] for done in written.values() for id in done])
    cards = mapped.of(RecordKind.CONTACT, RecordKind.COMPANY)
    await write_assignments(conn, source, cards)
    await write_affiliations(conn, source, cards)
    followed = await follow(
        conn, loading.workspace_id, {id: TARGETS[type(placed.record)][0] for id, placed in followers.items()}
    )
    touched = set(outcome.touched) | {client for client in clients.values() if client is not None}
    touched |= clients_of(followed)
    await refresh_golden(conn, loading.workspace_id, sorted(touched), loading.run_id)
    await mark(
        conn, loading.workspace_id, touched | outcome.unowned | former | counted_alone(followed), "late_data"
    )
    changes.add_identity(outcome, touched)
    await settle_unowned(conn, loading.workspace_id, mapped)
    if mapped.spend:
        days = await write_spend(conn, source, mapped.spend, loading.run_id)
        await settle_spend(conn, loading.workspace_id, days)
    if mapped.invalid:
        await write_invalid_clicks(conn, source, mapped.invalid)
    spent = {campaign_id(each.platform, each.campaign) for _, each in mapped.spend}
    await intend(conn, loading, source.loaded_at, everything, spent=sorted(spent))


async def _clients_of_followers(conn: Conn, source: Source, followers: Iterable[Placed]) -> dict[UUID, UUID | None]:
    """Whose these are by the cards and leads that they name: nearly always that is all there is to know, and the
    rows need not be touched again."""
    named = {
        placed.id: [
            id
            for kind, external_id in (
                (kind, getattr(placed.record, kind.value, None))
                for kind in (RecordKind.COMPANY, RecordKind.CONTACT, RecordKind.LEAD)
            )
            if (id := source.ref(kind, external_id)) is not None
        ]
        for placed in followers
    }
    wanted = [id for ids in named.values() for id in ids]
    if not wanted:
        return {}
    rows = await (
        await conn.execute(
            "select record_id, client_id from identity_record"
            " where workspace_id = %s and record_id = any(%s::uuid[])",
            (source.workspace_id, uuids(wanted)),
        )
    ).fetchall()
    owner = {record: client for record, client in rows if client is not None}
    return {id: next((owner[name] for name in names if name in owner), None) for id, names in named.items()}


async def _former_owners(conn: Conn, loading: Loading, mapped: Mapped) -> set[UUID]:
    """Whose the page's followers have been until now, whose figures they may leave: clients, and deals and
    invoices that stand here without one, which were counted by themselves."""
    owners: set[UUID] = set()
    for kind in FOLLOWS:
        placed = mapped.of(kind)
        if placed:
            cursor = await conn.execute(
                sql.SQL("select id, client_id from {} where workspace_id = %s and id = any(%s::uuid[])").format(
                    sql.Identifier(kind.table)
                ),
                (loading.workspace_id, uuids([each.id for each in placed])),
            )
            for id, client in await cursor.fetchall():
                owners |= {client} if client is not None else {id} if kind in COUNTED_ALONE else set()
    return owners


async def settle_unowned(conn: Conn, workspace_id: UUID, mapped: Mapped) -> None:
    """Visits are counted by their own origin, and calls, leads, deals and invoices that are nobody's by theirs: no
    client's mark would bring them into the figures."""
    visits = mapped.of(RecordKind.VISIT)
    if visits:
        await settle_visits(conn, workspace_id, [placed.id for placed in visits])
    told = mapped.of(RecordKind.CALL, RecordKind.LEAD, *COUNTED_ALONE)
    if told:
        await settle_orphans(conn, workspace_id, [placed.id for placed in told])
