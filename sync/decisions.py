"""A person's decision about who is who, carried through: identity, golden records, figures."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from uuid import UUID

from core.database import Database, PsycopgConnection, driver
from reports.settle import mark
from schema.enums import MergeKind, ProposalState
from sync.feed import Changes, append
from sync.identity import decisions, refresh_golden, review
from sync.identity.absorb import Outcome
from sync.settling import settle_marked


async def merge_clients(
    database: Database, workspace_id: UUID, client_id: UUID, other_id: UUID, actor: str
) -> Outcome:
    """Make two clients one; the older one survives. ``actor`` is the token that asked. Raises DecisionRefused."""
    return await _carry_through(
        database,
        workspace_id,
        MergeKind.MERGE,
        lambda conn: decisions.merge(conn, workspace_id, client_id, other_id, actor),
    )


async def split_client(
    database: Database, workspace_id: UUID, client_id: UUID, records: Collection[UUID], actor: str
) -> Outcome:
    """Take records out of a client for ever. ``actor`` is the token that asked. Raises DecisionRefused."""
    return await _carry_through(
        database,
        workspace_id,
        MergeKind.SPLIT,
        lambda conn: decisions.split(conn, workspace_id, client_id, records, actor),
    )


async def decide_proposal(
    database: Database, workspace_id: UUID, proposal_id: UUID, said: ProposalState, actor: str
) -> Outcome:
    """Say what a proposed match is; ``open`` takes back what was said. Raises DecisionRefused."""
    kind = MergeKind.MERGE if said is ProposalState.SAME else MergeKind.SPLIT
    return await _carry_through(
        database, workspace_id, kind, lambda conn: review.decide(conn, workspace_id, proposal_id, said, actor)
    )


async def _carry_through(
    database: Database,
    workspace_id: UUID,
    kind: MergeKind,
    decide: Callable[[PsycopgConnection], Awaitable[Outcome]],
) -> Outcome:
    """The decision, the golden records and the marks commit together; the figures follow at once."""
    async with database.loading(workspace_id) as db:
        conn = driver(db)
        outcome = await decide(conn)
        await follow_up(conn, workspace_id, kind, outcome)
    await settle_marked(database, workspace_id, None)
    return outcome


async def follow_up(conn: PsycopgConnection, workspace_id: UUID, kind: MergeKind, outcome: Outcome) -> None:
    """What a decision brings with it in its own transaction: golden records, marks, and the feed."""
    await refresh_golden(conn, workspace_id, sorted(outcome.touched))
    await mark(conn, workspace_id, outcome.touched | outcome.unowned, kind.value)
    changes = Changes()
    changes.add_identity(outcome, outcome.touched)
    await append(conn, workspace_id, changes)
