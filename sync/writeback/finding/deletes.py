"""What was deleted in one system and is still there in another."""

from __future__ import annotations

from schema.enums import RecordKind
from sync.writeback.finding.base import Conn, Intent, Told, filled, key_of, params_of, rows_of
from sync.writeback.kinds.deletes import DeletedElsewhere
from sync.writeback.rules import Rule

# A client with another card elsewhere isn't gone; of one with several cards there it can't be told which is meant.
_CARDS = """
select s.id, s.deleted_at as at, coalesce(n.title, 'Skvoz') as system, s.name, t.external_id, t.phones, t.emails
from contact s
left join connection n on n.workspace_id = s.workspace_id and n.id = s.connection_id
join contact t on t.workspace_id = s.workspace_id and t.client_id = s.client_id
    and t.connection_id = %(target)s and t.deleted_at is null
where s.workspace_id = %(ws)s and (%(ids)s::uuid[] is null or s.id = any(%(ids)s)) and s.deleted_at >= %(since)s
    and s.connection_id <> %(target)s and (%(source)s::uuid is null or s.connection_id = %(source)s)
    and not exists (select from contact x where x.workspace_id = s.workspace_id and x.client_id = s.client_id
        and x.deleted_at is null and x.id <> t.id)
order by s.deleted_at, s.id limit %(limit)s
"""
_MADE = """
select o.cause_kind, o.cause_id as id, o.write, o.external_id, o.stored, x.deleted_at as at
from outbox o
join (select workspace_id, id, connection_id, deleted_at from lead
    union all select workspace_id, id, connection_id, deleted_at from sales_order) x
    on x.workspace_id = o.workspace_id and x.id = o.cause_id
where o.workspace_id = %(ws)s and o.connection_id = %(target)s and o.state = 'done' and o.undoes is null
    and o.attempts > 0 and o.write = any(%(writes)s) and x.deleted_at >= %(since)s
    and (%(ids)s::uuid[] is null or x.id = any(%(ids)s))
    and (%(source)s::uuid is null or x.connection_id = %(source)s)
order by x.deleted_at, o.seq limit %(limit)s
"""


async def removals_of_deleted(conn: Conn, rule: Rule, told: Told | None, limit: int | None) -> list[Intent]:
    """Only what stands there as it is known to stand is removed: the last change of a card may be why it stays."""
    settings = rule.settings
    assert isinstance(settings, DeletedElsewhere)  # noqa: S101 - told by the table of finders
    params = params_of(rule, limit)
    cards = None if told is None else told.of(RecordKind.CONTACT)
    rows = [] if cards == [] else await rows_of(conn, _CARDS, params | {"ids": cards})
    found = [
        Intent(
            key=key_of(rule.connection_id, "delete", row["external_id"], row["at"].isoformat()),
            order_key=f"contact:{row['external_id']}",
            cause_kind=RecordKind.CONTACT,
            cause_id=row["id"],
            cause_at=row["at"],
            cause=f"card of {row['name'] or 'a client'} deleted in «{row['system']}»",
            payload={},
            base=filled({"phones": list(row["phones"]), "emails": list(row["emails"])}),
            external_id=row["external_id"],
        )
        for row in rows
    ]
    return found + (await _made(conn, rule, told, limit) if settings.deals else [])


async def _made(conn: Conn, rule: Rule, told: Told | None, limit: int | None) -> list[Intent]:
    ids = None if told is None else [*told.of(RecordKind.LEAD), *told.of(RecordKind.ORDER)]
    undone = {
        write.name: write.undo for write in rule.writes if write.operation == "create" and write.undo is not None
    }
    if ids == [] or not undone:
        return []
    rows = await rows_of(conn, _MADE, params_of(rule, limit) | {"ids": ids, "writes": list(undone)})
    return [
        Intent(
            key=key_of(rule.connection_id, "delete", row["write"], row["external_id"], row["at"].isoformat()),
            order_key=f"{row['write'].partition('.')[0]}:{row['external_id']}",
            cause_kind=RecordKind(row["cause_kind"]),
            cause_id=row["id"],
            cause_at=row["at"],
            cause=f"{row['cause_kind']} deleted that it was made of",
            payload={},
            base=dict(row["stored"] or {}),
            external_id=row["external_id"],
            write=undone[row["write"]],
        )
        for row in rows
    ]
