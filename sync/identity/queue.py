"""The queue of probable matches that a person is asked about. It follows from the data, but for what was decided.

A proposal stands for the two records whose evidence weighs most between two clients. While the data proposes it, it
is pending; an open one goes when the data no longer does, a decided one stays and may come back.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple
from uuid import UUID

from core.arrays import texts, uuids
from schema.enums import ProposalState
from sync.identity import reading
from sync.identity.likely import Proposal
from sync.identity.reading import Conn


def proposal_id(one: UUID, other: UUID) -> UUID:
    """The id of the proposal that two records are one client."""
    return UUID(bytes=blake2b(min(one, other).bytes + max(one, other).bytes, digest_size=16).digest())


async def propose(
    conn: Conn,
    workspace_id: UUID,
    weighed: Collection[UUID],
    wanted: Sequence[Proposal],
    client_of: Mapping[UUID, UUID | None],
) -> None:
    """Bring the proposals that speak of the records ``weighed`` up to what the data says; ``client_of`` each record
    of the neighbourhood from now on."""
    if not weighed:
        return
    stored = await _stored(conn, workspace_id, weighed)
    told = {proposal_id(each.one.record_id, each.other.record_id): each for each in wanted}
    fallen = [id for id in stored if id not in told]
    if fallen:
        await _drop(conn, workspace_id, fallen)
    news = {
        id: each
        for id, each in told.items()
        if stored.get(id)
        != (
            each.score,
            client_of[each.one.record_id],
            client_of[each.other.record_id],
            True,
        )
    }
    if news:
        await _write(conn, workspace_id, news, client_of)


async def _stored(
    conn: Conn, workspace_id: UUID, records: Collection[UUID]
) -> dict[UUID, tuple[float, UUID | None, UUID | None, bool]]:
    cursor = await conn.execute(
        """with named as materialized (select id from unnest(%(records)s::uuid[]) id)
        select p.* from named n cross join lateral (
            select id, score, client_id, other_client_id, pending from match_proposal
            where workspace_id = %(workspace)s and record_id = n.id offset 0) p
        union select p.* from named n cross join lateral (
            select id, score, client_id, other_client_id, pending from match_proposal
            where workspace_id = %(workspace)s and other_id = n.id offset 0) p""",
        {"workspace": workspace_id, "records": uuids(records)},
        binary=True,
    )
    return {id: (score, client, other, pending) for id, score, client, other, pending in await cursor.fetchall()}


async def _drop(conn: Conn, workspace_id: UUID, ids: Collection[UUID]) -> None:
    """These are proposed no more. What was decided about them, and what is put off, stays."""
    values = {"workspace": workspace_id, "ids": uuids(ids), "open": ProposalState.OPEN.value}
    await conn.execute(
        "delete from match_proposal where workspace_id = %(workspace)s and id = any(%(ids)s::uuid[])"
        " and state = %(open)s",
        values,
    )
    await conn.execute(
        "update match_proposal set pending = false where workspace_id = %(workspace)s and id = any(%(ids)s::uuid[])"
        " and pending",
        values,
    )


async def _write(
    conn: Conn, workspace_id: UUID, news: Mapping[UUID, Proposal], client_of: Mapping[UUID, UUID | None]
) -> None:
    waterfalls = await reading.raw_keys(
        conn, workspace_id, [(each.one.record_id, each.key) for each in news.values()]
    )
    rows = list(news.values())
    await conn.execute(
        """insert into match_proposal as p (workspace_id, id, record_id, other_id, record_kind, other_kind,
            client_id, other_client_id, score, waterfall, pending, state)
        select %(workspace)s, k.id, k.record_id, k.other_id, k.record_kind, k.other_kind, k.client_id,
            k.other_client_id, k.score, k.waterfall::jsonb, true, %(open)s
        from unnest(%(ids)s::uuid[], %(ones)s::uuid[], %(others)s::uuid[], %(kinds)s::text[],
            %(other_kinds)s::text[], %(clients)s::uuid[], %(other_clients)s::uuid[], %(scores)s::float8[],
            %(waterfalls)s::text[])
            as k (id, record_id, other_id, record_kind, other_kind, client_id, other_client_id, score, waterfall)
        on conflict (workspace_id, id) do update set client_id = excluded.client_id,
            other_client_id = excluded.other_client_id, score = excluded.score, waterfall = excluded.waterfall,
            pending = true""",
        {
            "workspace": workspace_id,
            "open": ProposalState.OPEN.value,
            "ids": uuids(news),
            "ones": uuids(each.one.record_id for each in rows),
            "others": uuids(each.other.record_id for each in rows),
            "kinds": texts(each.one.record_kind for each in rows),
            "other_kinds": texts(each.other.record_kind for each in rows),
            "clients": uuids(client_of[each.one.record_id] for each in rows),
            "other_clients": uuids(client_of[each.other.record_id] for each in rows),
            "scores": [each.score for each in rows],
            "waterfalls": texts(waterfalls[each.one.record_id, each.key] for each in rows),
        },
    )


class Waiting(NamedTuple):
    """A proposal that nobody has decided on; ``sides`` are name, phone and e-mail of the two clients."""

    id: UUID
    score: float
    waterfall: dict[str, Any]
    sides: tuple[tuple[str | None, ...], tuple[str | None, ...]]


async def waiting(conn: Conn, workspace_id: UUID, most: int) -> list[Waiting]:
    """Open proposals, the likeliest first."""
    cursor = await conn.execute(
        """select p.id, p.score, p.waterfall, a.name, a.phone, a.email, b.name, b.phone, b.email
        from match_proposal p
        left join client a on a.workspace_id = p.workspace_id and a.id = p.client_id
        left join client b on b.workspace_id = p.workspace_id and b.id = p.other_client_id
        where p.workspace_id = %s and p.state = %s and p.pending order by p.score desc, p.id limit %s""",
        (workspace_id, ProposalState.OPEN.value, most),
    )
    return [
        Waiting(id, score, waterfall, (tuple(sides[:3]), tuple(sides[3:])))
        for id, score, waterfall, *sides in await cursor.fetchall()
    ]


async def stored_proposal(conn: Conn, workspace_id: UUID, id: UUID) -> dict[str, Any] | None:
    """A proposal as the table has it: its two records, its state, whether it is pending, and the decision made."""
    cursor = await conn.execute(
        "select record_id, other_id, state, pending, decision_id from match_proposal"
        " where workspace_id = %s and id = %s",
        (workspace_id, id),
    )
    row = await cursor.fetchone()
    return None if row is None else dict(zip(("one", "other", "state", "pending", "decision"), row, strict=True))


async def write_state(
    conn: Conn, workspace_id: UUID, id: UUID, state: ProposalState, decision: UUID | None, actor: str
) -> None:
    """Keep what a person said to a proposal."""
    await conn.execute(
        """update match_proposal set state = %(state)s, decision_id = %(decision)s, actor = %(actor)s,
            decided_at = case when %(state)s = 'open' then null else clock_timestamp() end
        where workspace_id = %(workspace)s and id = %(id)s""",
        {"state": state.value, "decision": decision, "actor": actor, "workspace": workspace_id, "id": id},
    )
