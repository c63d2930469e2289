"""What a merge or a split would do: it is done, looked at and taken back within one transaction."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from core.database import Database, driver
from reports.paths import NIL
from reports.rollups import Differences
from reports.settle import differences_of
from reports.terms import read_terms
from schema.enums import MergeKind
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
class Credit:
    """What a campaign would be credited more (or less) with, over all days, by the model that the sums are kept by:
    last non-direct touch. Without a campaign, ``reason`` says why, and ``channel`` what is known instead."""

    campaign_id: UUID | None
    campaign: str | None
    reason: str
    channel: str
    figures: Mapping[str, Decimal]
    """By the names of `reports.rollups.FIGURES`; revenue in the workspace's currency."""


@dataclass(frozen=True, slots=True)
class Consequences:
    """All that would change."""

    moves: Preview
    kinds: dict[UUID, str]
    fields: tuple[FieldChange, ...]
    money: tuple[Money, ...]
    credits: tuple[Credit, ...]
    currency: str


async def preview_merge(database: Database, workspace_id: UUID, client_id: UUID, other_id: UUID) -> Consequences:
    """What making two clients one would do. Raises DecisionRefused."""
    return await _preview(
        database,
        workspace_id,
        lambda conn: decisions.preview_merge(conn, workspace_id, client_id, other_id),
        lambda conn: decisions.merge(conn, workspace_id, client_id, other_id, "preview"),
        MergeKind.MERGE,
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
        MergeKind.SPLIT,
    )


async def _preview(
    database: Database,
    workspace_id: UUID,
    look: Callable[[Conn], Awaitable[Preview]],
    decide: Callable[[Conn], Awaitable[Outcome]],
    kind: MergeKind,
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
            marks = dict.fromkeys(outcome.touched | outcome.unowned, kind.value)
            differences = await differences_of(conn, workspace_id, marks)
            await tried.rollback()
        terms = await read_terms(conn, workspace_id)
        credited = await _credits(conn, workspace_id, differences)
    changes = tuple(
        FieldChange(client, field, old, new)
        for client in sorted(everyone)
        for field in FIELDS
        if (old := before.get(client, {}).get(field)) != (new := after.get(client, {}).get(field))
    )
    return Consequences(moves, kinds, changes, money, credited, terms.currency)


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


async def _credits(conn: Conn, workspace_id: UUID, differences: Differences) -> tuple[Credit, ...]:
    """The changed cells, summed over their days; the largest change of revenue first."""
    sums: dict[tuple[UUID, str, str], dict[str, Decimal]] = {}
    for cell, figures in differences.changed().items():
        of_unit = sums.setdefault((cell.campaign_id, cell.reason, cell.channel), {})
        for figure, amount in figures.items():
            of_unit[figure] = of_unit.get(figure, Decimal(0)) + amount
    found = await conn.execute(
        "select id, name from campaign where workspace_id = %s and id = any(%s)",
        (workspace_id, list({campaign for campaign, _, _ in sums})),
    )
    names = dict(await found.fetchall())
    found_credits = [
        Credit(None if campaign == NIL else campaign, names.get(campaign), reason, channel, kept)
        for (campaign, reason, channel), figures in sums.items()
        if (kept := {figure: amount for figure, amount in figures.items() if amount})
    ]
    return tuple(sorted(found_credits, key=lambda each: (-abs(each.figures.get("revenue", Decimal(0))), str(each))))


async def _kinds(conn: Conn, workspace_id: UUID, records: Collection[UUID]) -> dict[UUID, str]:
    found = await conn.execute(
        "select record_id, record_kind from identity_record where workspace_id = %s and record_id = any(%s)",
        (workspace_id, list(records)),
    )
    return dict(await found.fetchall())
