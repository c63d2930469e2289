"""Hours of work with clients after their first sale, and what they cost at the rates of whoever worked.

Known are the hours that calls took, in and out: talk time, of a call that two systems tell of once. Hours of tasks
and meetings are told by no connected system yet. What isn't known is None, never 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from reports.told_once import SAME_CALL


@dataclass(frozen=True, slots=True)
class Rates:
    """What an hour costs, with pay, benefits and overhead, in the workspace's currency: of these managers, and of
    all others, None: unknown."""

    usual: Decimal | None = None
    of_managers: Mapping[UUID, Decimal] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if any(rate < 0 for rate in (self.usual or Decimal(0), *self.of_managers.values())):
            raise ValueError("What an hour costs can't be less than 0.")

    @property
    def parameters(self) -> dict[str, Any]:
        return {
            "usual_rate": self.usual,
            "managers": list(self.of_managers),
            "manager_rates": list(self.of_managers.values()),
        }


@dataclass(frozen=True, slots=True)
class Served:
    """The hours of one month of clients' lives; ``cost`` is None where whoever worked has no rate."""

    hours: Decimal
    cost: Decimal | None


def hours_statement(first_sales: str, month: str) -> str:
    """SQL of ``campaign_id, reason, channel, lived, month, hours, cost, unpriced`` over the first sales ``n`` that
    ``first_sales`` selects; ``month`` is SQL of the month of life of a day ``p.day``."""
    seconds = int(SAME_CALL.total_seconds())
    return f"""
select n.campaign_id, n.reason, n.channel, n.lived, s.month, sum(s.hours), sum(s.hours * s.rate),
    count(*) filter (where s.rate is null)
from ({first_sales}) n cross join lateral (
    select {month} as month, p.hours, p.rate from (
        select (c.started_at at time zone %(zone)s)::date as day, c.talk_seconds / 3600.0 as hours,
            coalesce(m.rate, %(usual_rate)s::numeric) as rate
        from call c
        left join unnest(%(managers)s::uuid[], %(manager_rates)s::numeric[]) as m(id, rate)
            on m.id = c.responsible_id
        where c.workspace_id = %(workspace)s and c.client_id = n.client_id and c.deleted_at is null
        and c.talk_seconds is not null and not exists (
            select from call o where o.workspace_id = c.workspace_id and o.client_id = c.client_id
            and o.direction = c.direction and o.connection_id <> c.connection_id and o.deleted_at is null
            and o.talk_seconds is not null
            and o.started_at between c.started_at - interval '{seconds} seconds'
                and c.started_at + interval '{seconds} seconds'
            and (o.responsible_id is null, o.started_at, o.id) < (c.responsible_id is null, c.started_at, c.id)
        )
    ) p where p.day >= n.day
) s
where s.month < n.lived group by 1, 2, 3, 4, 5"""  # noqa: S608 - the pieces are ours
