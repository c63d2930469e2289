"""Sharing new clients out: who has the fewest open deals gets the next one."""

from __future__ import annotations

from collections.abc import Sequence

from sync.writeback.finding.base import Conn
from sync.writeback.rules import Rule

# What is on its way there counts as well, until it is read from there.
_LOADS = """
select u.external_id, count(d.id) + (
    select count(*) from outbox o where o.workspace_id = u.workspace_id and o.connection_id = u.connection_id
        and o.payload ->> 'responsible' = u.external_id and o.write in ('lead.create', 'deal.create')
        and o.state <> 'skipped' and o.echoed_at is null and o.created_at > now() - interval '1 day')
from user_account u
left join deal d on d.workspace_id = u.workspace_id and d.responsible_id = u.id and d.status = 'open'
    and d.deleted_at is null
where u.workspace_id = %s and u.connection_id = %s and u.external_id = any(%s)
group by u.workspace_id, u.connection_id, u.external_id
"""


class Shares:
    """How busy those are among whom new clients are shared."""

    def __init__(self, loads: dict[str, int]) -> None:
        self._loads = loads

    @classmethod
    async def of(cls, conn: Conn, rule: Rule, users: Sequence[str]) -> Shares:
        """Loads by the users' ids there, in the order in which the rule names them."""
        if not users:
            return cls({})
        params = (rule.workspace_id, rule.connection_id, list(users))
        rows = await (await conn.execute(_LOADS.encode(), params)).fetchall()
        return cls(dict.fromkeys(users, 0) | {user: int(load) for user, load in rows})

    def next(self) -> str | None:
        """Whose turn it is; of several equally busy ones the one named first."""
        if not self._loads:
            return None
        user = min(self._loads, key=self._loads.__getitem__)
        self._loads[user] += 1
        return user
