"""Journeys that led to nothing, which data-driven models need as much as those that led to a conversion.

For each kind of conversion, a client's journey is what touched him within the range of days after the last
conversion of that kind: his own, or that of a company whose person he is. Visits of nobody known are the journey
of their visitor. A call or lead that two systems tell of is a touch for each that names its origin.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np

from core.database import PsycopgConnection
from reports.columns import Columns, Ids, Words
from reports.conversions import Definition
from reports.models import Ints
from reports.terms import Terms

TOUCHES_AT_ONCE = 600_000

_RANGE = """{at} >= %(start)s::timestamp at time zone %(zone)s
    and {at} < (%(end)s::date + 1)::timestamp at time zone %(zone)s
    and deleted_at is null and (%(known)s::timestamptz is null or loaded_at <= %(known)s)"""
_TOUCHES = f"""
select client_id, coalesce(uuid_hash_extended(client_id, 0), hashtextextended(visitor_ids[1], 1),
        uuid_hash_extended(id, 2)) as key,
    started_at as at, 0 as rank, id, coalesce(channel, 'direct') as channel, campaign_id
from visit where workspace_id = %(workspace)s and {_RANGE.format(at="started_at")}
union all
select client_id, uuid_hash_extended(client_id, 0), started_at, 1, id, coalesce(channel, ''), campaign_id
from call where workspace_id = %(workspace)s and {_RANGE.format(at="started_at")} and direction = 'inbound'
    and client_id is not null and (channel is not null or campaign_id is not null)
union all
select client_id, uuid_hash_extended(client_id, 0), created_at, 2, id, coalesce(channel, ''), campaign_id
from lead where workspace_id = %(workspace)s and {_RANGE.format(at="created_at")}
    and client_id is not null and (channel is not null or campaign_id is not null)
"""  # noqa: S608
_COUNT = f"select count(*) from ({_TOUCHES}) t"  # noqa: S608
_LAST = """
select client_id, max(at) filter (where kind = 'call') as call, max(at) filter (where kind = 'lead') as lead,
    max(at) filter (where kind = 'new_client') as new_client, max(at) filter (where kind = 'won_deal') as won_deal,
    max(at) filter (where kind = 'paid_invoice') as paid_invoice
from (
    select p.client_id, p.kind, p.occurred_at as at from path p
    where p.workspace_id = %(workspace)s and p.client_id is not null and {known} and {conversion}
    union all
    select s.person_id, p.kind, p.occurred_at from path p
    join settled_person s on s.workspace_id = p.workspace_id and s.company_id = p.client_id
    where p.workspace_id = %(workspace)s and {known} and {conversion}
) c group by 1
"""
_PART = """
with ended as ({last}), mine as (
    select t.*, {ends} from ({touches}) t left join ended e on e.client_id = t.client_id
    where abs(t.key %% %(parts)s) = %(part)s order by t.key, t.at, t.rank, t.id
)
select array_agg(key), array_agg(at), array_agg(coalesce(campaign_id, '00000000-0000-0000-0000-000000000000')),
    string_agg(channel, ','), {aggregated}
from mine
"""
NOW = "p.known_until is null"
THEN = "p.known_from <= %(known)s and (p.known_until is null or p.known_until > %(known)s)"


@dataclass(frozen=True, slots=True)
class Touches:
    """Touches of many journeys, one journey after another: ``starts`` says where each begins."""

    starts: Ints
    campaigns: Ids
    channels: Words
    after: dict[str, np.ndarray[Any, np.dtype[np.bool_]]]
    """For each kind of conversion, which touches no conversion of that kind came after."""


async def unconverted(
    conn: PsycopgConnection,
    terms: Terms,
    start: date,
    end: date,
    kinds: Sequence[str],
    *,
    as_known_at: datetime | None,
    conversion: Definition | None = None,
) -> AsyncIterator[Touches]:
    """The touches from ``start`` to ``end``, some hundred thousand at a time, whole journeys together.
    ``conversion`` says which paths of its kind count as converted; None: all."""
    parameters = {
        "workspace": terms.workspace_id,
        "zone": terms.zone.key,
        "start": start,
        "end": end,
        "known": as_known_at,
    }
    counted = await (await conn.execute(_COUNT.encode(), parameters)).fetchone()
    parts = 1 + (counted[0] if counted else 0) // TOUCHES_AT_ONCE
    statement = _PART.format(
        last=_LAST.format(
            known=NOW if as_known_at is None else THEN, conversion="true" if conversion is None else conversion.sql
        ),
        touches=_TOUCHES,
        ends=", ".join(f"coalesce(e.{kind}, '-infinity') as {kind}" for kind in kinds),
        aggregated=", ".join(f"array_agg({kind})" for kind in kinds),
    )
    for part in range(parts):
        columns = await Columns.fetch(conn, statement, {**parameters, "parts": parts, "part": part})
        keys, at = columns.whole(0), columns.whole(1, "moment")
        if not len(keys):
            continue
        begins = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1])))
        yield Touches(
            np.append(begins, len(keys)).astype(np.int64),
            columns.ids(2),
            columns.words(3, len(keys)),
            {kind: at > columns.whole(4 + number, "moment") for number, kind in enumerate(kinds)},
        )
