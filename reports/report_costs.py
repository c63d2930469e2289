"""VAT and agency fees on ad costs, and costs entered by hand, as they are kept. ``reports.facts`` counts them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from core.database import PsycopgConnection

LONGEST_DAYS = 3660


class RateKind(StrEnum):
    """What a percentage on ad costs is."""

    VAT = "vat"
    FEE = "fee"


@dataclass(frozen=True, slots=True)
class Rate:
    """A percentage of the cost without VAT, of one platform's campaigns or of all, from a day on."""

    id: UUID
    kind: RateKind
    platform: str | None
    percent: Decimal
    valid_from: date
    valid_to: date | None


@dataclass(frozen=True, slots=True)
class Manual:
    """A cost for all its days, without VAT, in the workspace's currency."""

    id: UUID
    campaign_id: UUID | None
    channel: str | None
    title: str
    first_day: date
    last_day: date
    amount: Decimal


async def rates(conn: PsycopgConnection, workspace_id: UUID) -> list[Rate]:
    """The rates, the newest first."""
    found = await conn.execute(
        "select id, kind, platform, percent, valid_from, valid_to from cost_rule where workspace_id = %s"
        " order by valid_from desc, created_at desc, id",
        (workspace_id,),
    )
    return [Rate(row[0], RateKind(row[1]), *row[2:]) async for row in found]


async def add_rate(conn: PsycopgConnection, workspace_id: UUID, rate: Rate, author: str) -> None:
    await conn.execute(
        "insert into cost_rule (workspace_id, id, kind, platform, percent, valid_from, valid_to, author)"
        " values (%s, %s, %s, %s, %s, %s, %s, %s)",
        (
            workspace_id,
            rate.id,
            rate.kind,
            rate.platform,
            rate.percent,
            rate.valid_from,
            rate.valid_to,
            author,
        ),
    )


async def remove_rate(conn: PsycopgConnection, workspace_id: UUID, id: UUID) -> bool:
    """Take a rate away; False if it isn't there."""
    gone = await conn.execute("delete from cost_rule where workspace_id = %s and id = %s", (workspace_id, id))
    return gone.rowcount > 0


async def manual_costs(conn: PsycopgConnection, workspace_id: UUID, id: UUID | None = None) -> list[Manual]:
    """The costs entered by hand that hold, a thousand at most, the newest first; with ``id`` that one alone."""
    found = await conn.execute(
        "select id, campaign_id, channel, title, first_day, last_day, amount from manual_cost"
        " where workspace_id = %(workspace)s and deleted_at is null and (%(id)s::uuid is null or id = %(id)s)"
        " order by first_day desc, created_at desc, id limit 1000",
        {"workspace": workspace_id, "id": id},
    )
    return [Manual(*row) async for row in found]


async def add_manual(conn: PsycopgConnection, workspace_id: UUID, cost: Manual, author: str) -> bool:
    """Enter a cost; False if there is no such campaign."""
    kept = await conn.execute(
        "insert into manual_cost"
        " (workspace_id, id, campaign_id, channel, title, first_day, last_day, amount, author)"
        " select %(workspace)s, %(id)s, %(campaign)s, %(channel)s, %(title)s, %(first)s, %(last)s, %(amount)s,"
        " %(by)s where %(campaign)s::uuid is null or exists ("
        "     select from campaign where workspace_id = %(workspace)s and id = %(campaign)s)",
        {
            "workspace": workspace_id,
            "id": cost.id,
            "campaign": cost.campaign_id,
            "channel": cost.channel,
            "title": cost.title,
            "first": cost.first_day,
            "last": cost.last_day,
            "amount": cost.amount,
            "by": author,
        },
    )
    return kept.rowcount > 0


async def remove_manual(conn: PsycopgConnection, workspace_id: UUID, id: UUID) -> bool:
    """Take a cost back; False if it isn't there."""
    gone = await conn.execute(
        "update manual_cost set deleted_at = now() where workspace_id = %s and id = %s and deleted_at is null",
        (workspace_id, id),
    )
    return gone.rowcount > 0
