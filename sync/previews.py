"""What a merge or a split would do: it is done, looked at and taken back within one transaction."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from core.database import Database, driver
from sync.identity import decisions, refresh_golden
from sync.identity.absorb import Outcome
from sync.identity.decisions import Preview
from sync.identity.reading import Conn

FIELDS = ("name", "phone", "email", "responsible_id")


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field of a client that would have another value. ``client`` may be one that isn't there now."""

    client: UUID
    field: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Money:
    """The sum of deals that would change client, in one currency and of one status."""

    status: str
    currency: str | None
    amount: Decimal
    deals: int


@dataclass(frozen=True, slots=True)
class Consequences:
    """All that would change."""

    moves: Preview
    kinds: dict[UUID, str]
    fields: tuple[FieldChange, ...]
    money: tuple[Money, ...]


async def preview_merge(database: Database, workspace_id: UUID, client_id: UUID, other_id: UUID) -> Consequences:
    """What making two clients one would do. Raises DecisionRefused."""
    return await _preview(
        database,
        workspace_id,
        lambda conn: decisions.preview_merge(conn, workspace_id, client_id, other_id),
        lambda conn: decisions.merge(conn, workspace_id, client_id, other_id, "preview"),
    )


async def preview_split(
    database: Database, workspace_id: UUID, client_id: UUID, records: Collection[UUID]
) -> Consequences:
    """What taking records out of a client would do. Raises DecisionRefused."""
    return await _preview(
        database,
        workspace_id,
        lambda conn: decisions.preview_split(conn, workspace_id, client_id, records),
        lambda conn: decisions.split(conn, workspace_id, client_id, records, "preview"),
    )


async def _preview(
    database: Database,
    workspace_id: UUID,
    look: Callable[[Conn], Awaitable[Preview]],
    decide: Callable[[Conn], Awaitable[Outcome]],
) -> Consequences:
    async with database.loading(workspace_id) as db:
        conn = driver(db)
        moves = await look(conn)
        money = await _money(conn, workspace_id, moves.deals)
        kinds = await _kinds(conn, workspace_id, [record for move in moves.moves for record in move.records])
        async with db.begin_nested() as tried:
            everyone = {each for move in moves.moves for each in (move.origin, move.to) if each is not None}
            before = await _fields(conn, workspace_id, everyone)
            outcome = await decide(conn)
            await refresh_golden(conn, workspace_id, sorted(outcome.touched))
            everyone |= outcome.touched
            after = await _fields(conn, workspace_id, everyone)
            await tried.rollback()
    changes = tuple(
        FieldChange(client, field, old, new)
        for client in sorted(everyone)
        for field in FIELDS
        if (old := before.get(client, {}).get(field)) != (new := after.get(client, {}).get(field))
    )
    return Consequences(moves, kinds, changes, money)


async def _fields(conn: Conn, workspace_id: UUID, clients: Collection[UUID]) -> dict[UUID, dict[str, str | None]]:
    """The fields of clients that stand for themselves; one that is merged away has none."""
    found: Any = await conn.execute(
        "select id, name, phone, email, responsible_id::text from client "
        "where workspace_id = %s and id = any(%s) and merged_into is null",
        (workspace_id, list(clients)),
    )
    return {id: dict(zip(FIELDS, values, strict=True)) for id, *values in await found.fetchall()}


async def _money(conn: Conn, workspace_id: UUID, deals: Collection[UUID]) -> tuple[Money, ...]:
    found = await conn.execute(
        "select status, currency, coalesce(sum(amount), 0), count(*) from deal "
        "where workspace_id = %s and id = any(%s) group by status, currency order by status, currency",
        (workspace_id, list(deals)),
    )
    return tuple(Money(*row) for row in await found.fetchall())


async def _kinds(conn: Conn, workspace_id: UUID, records: Collection[UUID]) -> dict[UUID, str]:
    found = await conn.execute(
        "select record_id, record_kind from identity_record where workspace_id = %s and record_id = any(%s)",
        (workspace_id, list(records)),
    )
    return dict(await found.fetchall())
