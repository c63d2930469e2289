"""Versions of what matches are weighed by: the weights, and the thresholds that a person may set instead of theirs.

Of the versions that were applied the one applied last holds. A version can be tried out: everything is weighed by
it and taken back, so that what it would do is counted and not guessed. What its applying joins and parts stands in
the log of merges under its number, and applying an earlier version takes that back.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString
from uuid import UUID

import msgspec

from schema.enums import ProposalState
from sync.errors import NotFound
from sync.identity import reading
from sync.identity.absorb import Outcome
from sync.identity.again import weigh_again
from sync.identity.reading import Conn
from sync.identity.weights import SHIPPED, Weights

_COLUMNS: LiteralString = (
    "version, weights::text, pairs, actor, learnt_at, upper, lower, effect::text, applied_at, decided_by"
)


class Effect(msgspec.Struct, frozen=True):
    """What a version does: ``touched`` of so many ``clients`` get or lose records, ``merged`` are joined to others
    and ``parted`` from them; so many pairs are ``proposed`` that were not, and ``withdrawn`` that were."""

    clients: int
    touched: int
    merged: int
    parted: int
    proposed: int
    withdrawn: int

    @property
    def share(self) -> float:
        """The share of clients that it changes."""
        return self.touched / max(self.clients, 1)


@dataclass(frozen=True, slots=True)
class Version:
    """A stored version. ``upper`` and ``lower`` are thresholds set by hand, in bits; None: those of the weights.
    ``learnt_at`` is None for the shipped weights."""

    version: int
    weights: Weights
    pairs: int
    actor: str
    learnt_at: datetime | None
    upper: float | None
    lower: float | None
    effect: Effect | None
    applied_at: datetime | None
    decided_by: str | None

    @property
    def thresholds(self) -> tuple[float, float]:
        """From which weight on a match is applied, and from which it is proposed, in bits."""
        return (
            self.weights.upper if self.upper is None else self.upper,
            self.weights.lower if self.lower is None else self.lower,
        )


NOTHING_LEARNT = Version(0, SHIPPED, 0, "", None, None, None, None, None, None)
"""What holds until a version is applied."""


async def holding(conn: Conn, workspace_id: UUID) -> Version:
    """The version that holds."""
    found = await _read(conn, workspace_id, "applied_at is not null order by applied_at desc, version desc limit 1")
    return found or NOTHING_LEARNT


async def proposed(conn: Conn, workspace_id: UUID) -> Version | None:
    """The version that waits for a person's word: the newest one, if it was neither applied nor dismissed."""
    return await _read(
        conn,
        workspace_id,
        "version = (select max(version) from match_weights where workspace_id = %(workspace)s)"
        " and applied_at is null and dismissed_at is null",
    )


async def add(
    conn: Conn,
    workspace_id: UUID,
    weights: Weights,
    pairs: int,
    actor: str,
    *,
    learnt_at: datetime | None,
    upper: float | None,
    lower: float | None,
) -> int:
    """Keep a new version, which doesn't hold yet; returns its number."""
    cursor = await conn.execute(
        """insert into match_weights (workspace_id, version, weights, pairs, actor, learnt_at, upper, lower)
        select %(workspace)s, coalesce(max(version), 0) + 1, %(weights)s::jsonb, %(pairs)s, %(actor)s, %(learnt)s,
            %(upper)s, %(lower)s
        from match_weights where workspace_id = %(workspace)s returning version""",
        {
            "workspace": workspace_id,
            "weights": msgspec.json.encode(weights).decode(),
            "pairs": pairs,
            "actor": actor,
            "learnt": learnt_at,
            "upper": upper,
            "lower": lower,
        },
    )
    ((number,),) = await cursor.fetchall()
    return int(number)


async def apply(conn: Conn, workspace_id: UUID, version: int, actor: str) -> tuple[Outcome, Effect]:
    """Let a version hold, and bring all matches and clients up to it, in the caller's transaction.

    Raises NotFound.
    """
    await reading.lock(conn, workspace_id)
    before = await _pending(conn, workspace_id)
    clients = await _clients(conn, workspace_id)
    await _decide(conn, workspace_id, version, actor, "applied_at = clock_timestamp(), dismissed_at = null")
    outcome = await weigh_again(conn, workspace_id, version, actor)
    after = await _pending(conn, workspace_id)
    effect = Effect(
        clients, len(outcome.touched), outcome.merged, outcome.parted, len(after - before), len(before - after)
    )
    await keep_effect(conn, workspace_id, version, effect)
    return outcome, effect


async def try_out(conn: Conn, workspace_id: UUID, version: int) -> Effect:
    """What a version would do now. Raises NotFound."""
    async with conn.transaction(force_rollback=True):
        _, effect = await apply(conn, workspace_id, version, "tried out")
    return effect


async def dismiss(conn: Conn, workspace_id: UUID, version: int, actor: str) -> None:
    """Say no to a version that is proposed. Raises NotFound."""
    await reading.lock(conn, workspace_id)
    waiting = await proposed(conn, workspace_id)
    if waiting is None or waiting.version != version:
        raise NotFound(f"Version {version} of the weights isn't proposed.")
    await _decide(conn, workspace_id, version, actor, "dismissed_at = clock_timestamp()")


async def keep_effect(conn: Conn, workspace_id: UUID, version: int, effect: Effect) -> None:
    """Remember what a version does."""
    await conn.execute(
        "update match_weights set effect = %s::jsonb where workspace_id = %s and version = %s",
        (msgspec.json.encode(effect).decode(), workspace_id, version),
    )


async def _decide(conn: Conn, workspace_id: UUID, version: int, actor: str, what: LiteralString) -> None:
    cursor = await conn.execute(
        f"update match_weights set {what}, decided_by = %s where workspace_id = %s and version = %s",  # noqa: S608
        (actor, workspace_id, version),
    )
    if not cursor.rowcount:
        raise NotFound(f"There is no version {version} of the weights.")


async def _read(conn: Conn, workspace_id: UUID, which: LiteralString) -> Version | None:
    cursor = await conn.execute(
        f"select {_COLUMNS} from match_weights where workspace_id = %(workspace)s and {which}",  # noqa: S608
        {"workspace": workspace_id},
    )
    row = await cursor.fetchone()
    if row is None:
        return None
    version, weights, pairs, actor, learnt_at, upper, lower, effect, applied_at, decided_by = row
    return Version(
        version,
        msgspec.json.decode(weights, type=Weights),
        pairs,
        actor,
        learnt_at,
        upper,
        lower,
        None if effect is None else msgspec.json.decode(effect, type=Effect),
        applied_at,
        decided_by,
    )


async def _pending(conn: Conn, workspace_id: UUID) -> set[UUID]:
    cursor = await conn.execute(
        "select id from match_proposal where workspace_id = %s and state = %s and pending",
        (workspace_id, ProposalState.OPEN.value),
    )
    return {id for (id,) in await cursor.fetchall()}


async def _clients(conn: Conn, workspace_id: UUID) -> int:
    cursor = await conn.execute(
        "select count(*) from client where workspace_id = %s and merged_into is null", (workspace_id,)
    )
    row = await cursor.fetchone()
    return row[0] if row else 0
