"""The golden record: what holds about a client, where it comes from, and what the other records say.

The rule is the most recent word, a CRM's card before a lead or an order, and those before a call or a message; a
phone or e-mail that several people share gives way to one that is the client's own, and a deleted record to one
that stands. A workspace may choose otherwise (``sync.identity.choosing``), and a person may pin a field by hand.
An order or a message that is only filed under a client (a firm's, say) tells nothing of whom it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any
from uuid import UUID

from schema.enums import FieldRule
from sync.identity.choosing import Choice, Rules, parsed
from sync.identity.reading import Conn

_CARD = """union all select 'responsible_id', r.responsible_id::text, 0
        union all select 'phone', p.value, p.place from unnest(r.phones) with ordinality as p (value, place)
        union all select 'email', e.value, e.place from unnest(r.emails) with ordinality as e (value, place)"""
"""What every kind of card says beside its name."""

# No two big intermediate results are joined here: while the tables have no statistics yet (in a first sync), the
# planner takes each for a row or two and would go through one of them for every row of the other.
_REFRESH = """
with ids as materialized (
    select c.id, {kind} as kind from unnest(%(clients)b::uuid[]) given (id) cross join lateral (
        select * from client where workspace_id = %(workspace)s and id = given.id offset 0) c
    where c.merged_into is null
),
said (client_id, client_kind, record_kind, record_id, connection_id, rank, at, deleted, field, value, place) as (
    select r.client_id, ids.kind, 'contact', r.id, r.connection_id, 1,
        coalesce(r.updated_at, r.created_at, r.loaded_at), r.deleted_at is not null, f.*
    from ids cross join lateral (
        select * from contact where workspace_id = %(workspace)s and client_id = ids.id offset 0) r
    cross join lateral (
        select 'name',
            coalesce(nullif(r.name, ''), nullif(concat_ws(' ', r.first_name, r.last_name), '')), 0::bigint
        {card}
    ) f (field, value, place)
    union all
    select r.client_id, ids.kind, 'company', r.id, r.connection_id, 1,
        coalesce(r.updated_at, r.created_at, r.loaded_at), r.deleted_at is not null, f.*
    from ids cross join lateral (
        select * from company where workspace_id = %(workspace)s and client_id = ids.id offset 0) r
    cross join lateral (
        select 'name', nullif(r.name, ''), 0::bigint
        {card}
    ) f (field, value, place)
    union all
    select r.client_id, ids.kind, 'lead', r.id, r.connection_id, 2, r.created_at, r.deleted_at is not null, f.*
    from ids cross join lateral (
        select * from lead where workspace_id = %(workspace)s and client_id = ids.id offset 0) r
    cross join lateral (
        select 'name', nullif(r.name, ''), 0::bigint
        {card}
    ) f (field, value, place)
    union all
    select r.client_id, ids.kind, 'call', r.id, r.connection_id, 3, r.started_at, r.deleted_at is not null, f.*
    from ids cross join lateral (
        select * from call where workspace_id = %(workspace)s and client_id = ids.id offset 0) r
    cross join lateral (
        values ('phone', r.client_phone, 0::bigint), ('responsible_id', r.responsible_id::text, 0)
    ) f (field, value, place)
    union all
    select r.client_id, ids.kind, 'order', r.id, r.connection_id, 2, r.created_at, r.deleted_at is not null, f.*
    from ids cross join lateral (
        select o.* from sales_order o join identity_record i
            on i.workspace_id = o.workspace_id and i.record_id = o.id and i.client_id = o.client_id
        where o.workspace_id = %(workspace)s and o.client_id = ids.id offset 0) r
    cross join lateral (
        select 'name', nullif(r.name, ''), 0::bigint
        {card}
    ) f (field, value, place)
    union all
    select r.client_id, ids.kind, 'message', r.id, r.connection_id, 3, r.sent_at, r.deleted_at is not null, f.*
    from ids cross join lateral (
        select m.* from message m join identity_record i
            on i.workspace_id = m.workspace_id and i.record_id = m.id and i.client_id = m.client_id
        where m.workspace_id = %(workspace)s and m.client_id = ids.id offset 0) r
    cross join lateral (
        select 'responsible_id', r.responsible_id::text, 0::bigint
        union all select 'phone', p.value, p.place from unnest(r.phones) with ordinality as p (value, place)
        union all select 'email', e.value, e.place from unnest(r.emails) with ordinality as e (value, place)
    ) f (field, value, place)
    {pins}
),
told as (
    select s.*, exists (
        select from shared_key k
        where k.workspace_id = %(workspace)s and k.client_kind = s.client_kind and k.kind = s.field
            and k.value = s.value
    ) as shared
    from said s where s.value is not null and (s.field <> 'phone' or s.value ~ '^\\+[0-9]{{7,15}}$')
),
ranked as (
    select client_id, field, value, record_id, first_value(value) over best as best_value,
        first_value(record_kind) over best as best_kind, first_value(record_id) over best as best_record,
        first_value(rank) over best as best_rank
    from told window best as (partition by client_id, field order by {order})
),
fields as materialized (
    select client_id, field, best_value as value, {rule} as rule, best_kind as record_kind,
        best_record as record_id,
        jsonb_object_agg(value, records) filter (where value <> best_value) as others
    from (
        select client_id, field, value, best_value, best_kind, best_record, best_rank,
            jsonb_agg(distinct record_id) as records
        from ranked group by client_id, field, value, best_value, best_kind, best_record, best_rank
    ) by_value
    group by client_id, field, best_value, best_kind, best_record, best_rank
),
dropped as (
    delete from client_field f
    where f.workspace_id = %(workspace)s and f.client_id = any(%(clients)b::uuid[])
        and (f.client_id, f.field) not in (select client_id, field from fields)
),
kept as (
    insert into client_field as f
        (workspace_id, client_id, field, value, rule, record_kind, record_id, others)
    select %(workspace)s, client_id, field, value, rule, record_kind, record_id, others from fields
    on conflict (workspace_id, client_id, field) do update
        set value = excluded.value, rule = excluded.rule, record_kind = excluded.record_kind,
            record_id = excluded.record_id, others = excluded.others
        where (f.value, f.rule, f.record_id, f.others)
            is distinct from (excluded.value, excluded.rule, excluded.record_id, excluded.others)
),
gold as materialized (
    select client_id as id, left(max(value) filter (where field = 'name'), 500) as name,
        max(value) filter (where field = 'phone') as phone, max(value) filter (where field = 'email') as email,
        (max(value) filter (where field = 'responsible_id'))::uuid as responsible_id,
        coalesce(max(value) filter (where field = 'kind'), max(own_kind)) as kind,
        max(last_seen_at) as last_seen_at, max(founded_at) as founded_at
    from (
        select client_id, field, value, null::timestamptz as last_seen_at, null::timestamptz as founded_at,
            null::text as own_kind
        from fields
        union all
        select ids.id, null, null, r.last_seen_at, r.founded_at, ids.kind from ids cross join lateral (
            select max(at) as last_seen_at, max(at) filter (where record_id = ids.id) as founded_at
            from identity_record where workspace_id = %(workspace)s and client_id = ids.id offset 0) r
    ) of_client
    group by client_id
)
update client c set name = g.name, phone = g.phone, email = g.email, responsible_id = g.responsible_id,
    kind = g.kind, last_seen_at = coalesce(g.last_seen_at, c.last_seen_at),
    founded_at = coalesce(g.founded_at, c.founded_at), changed_at = now()
from gold g
where c.workspace_id = %(workspace)s and c.id = g.id
    and (c.name, c.phone, c.email, c.responsible_id, c.kind, c.last_seen_at, c.founded_at) is distinct from (
        g.name, g.phone, g.email, g.responsible_id, g.kind,
        coalesce(g.last_seen_at, c.last_seen_at), coalesce(g.founded_at, c.founded_at))
returning c.id
"""
_PINS = """union all
    select r.client_id, null, r.record_kind, p.record_id, r.connection_id, 0, p.at, false, p.field, p.value, 0
    from client_pin p join identity_record r on r.workspace_id = p.workspace_id and r.record_id = p.record_id
    where p.workspace_id = %(workspace)s and r.client_id = any(%(clients)b::uuid[])"""
_OWN_KIND = """coalesce((select f.client_kind from identity_record f
        where f.workspace_id = %(workspace)s and f.record_id = c.id), c.kind)"""
"""What the client is by its founding record, whatever was pinned."""


async def refresh_golden(
    conn: Conn, workspace_id: UUID, client_ids: Iterable[UUID], run_id: UUID | None = None
) -> int:
    """Bring the golden records of these clients up to date with their stored rows; only what differs is
    written. Merged clients keep their last words. Returns how many clients changed."""
    return len(await choose_anew(conn, workspace_id, client_ids))


async def choose_anew(
    conn: Conn, workspace_id: UUID, client_ids: Iterable[UUID], *, unpinned: bool = False
) -> list[UUID]:
    """The same; returns which clients changed. ``unpinned``: what was pinned may have been let go just now."""
    ids = sorted(set(client_ids))
    if not ids:
        return []
    rules, pinned = await _in_force(conn, workspace_id)
    doubted = rules.doubted
    choices = tuple((name, rules.of(name)) for name in sorted(rules.fields))
    cursor = await conn.execute(
        _statement(choices, doubts=bool(doubted), pins=pinned or unpinned),
        {"workspace": workspace_id, "clients": ids, "doubted": doubted}
        | {f"sources_{name}": list(choice.sources) for name, choice in choices if choice.sources},
    )
    return [id for (id,) in await cursor.fetchall()]


async def _in_force(conn: Conn, workspace_id: UUID) -> tuple[Rules, bool]:
    """The rules, and whether anything is pinned."""
    cursor = await conn.execute(
        "select g.version, g.rules, exists (select from client_pin where workspace_id = %(workspace)s)"
        " from (select) one left join lateral (select version, rules from golden_rules"
        " where workspace_id = %(workspace)s order by version desc limit 1) g on true",
        {"workspace": workspace_id},
    )
    row: Any = await cursor.fetchone()
    version, rules, pinned = row
    return (Rules() if rules is None else parsed(version, rules)), pinned


@lru_cache(maxsize=64)
def _statement(choices: tuple[tuple[str, Choice], ...], *, doubts: bool, pins: bool) -> bytes:
    """The statement that chooses by these rules; what isn't asked for isn't in it, and costs nothing."""
    order = ["rank > 0", "case when rank = 0 then at end desc"] if pins else []
    order += ["deleted", "shared"]
    if doubts:
        order.append("connection_id = any(%(doubted)s::uuid[])")
    for name, choice in choices:
        if choice.rule is FieldRule.PREFERRED_SOURCE:
            order.append(
                f"case when field = '{name}' then array_position(%(sources_{name})s::uuid[], connection_id) end"
            )
        elif choice.rule is FieldRule.MOST_COMPLETE:
            order.append(
                f"case when field = '{name}' then cardinality(regexp_split_to_array(value, ' +')) end desc"
            )
            order.append(f"case when field = '{name}' then length(value) end desc")
    order.append("rank")
    oldest = [name for name, choice in choices if choice.rule is FieldRule.OLDEST]
    if oldest:
        order.append(f"case when field in ({', '.join(map(_text, oldest))}) then at end")
    order += ["at desc", "place", "record_id"]
    rule = _text(FieldRule.MOST_RECENT.value)
    if choices:
        told = " ".join(f"when {_text(name)} then {_text(choice.rule.value)}" for name, choice in choices)
        rule = f"case field {told} else {rule} end"
    if pins:
        rule = f"case when best_rank = 0 then {_text(FieldRule.PINNED.value)} else {rule} end"
    return _REFRESH.format(
        kind=_OWN_KIND if pins else "c.kind",
        card=_CARD,
        pins=_PINS if pins else "",
        order=", ".join(order),
        rule=rule,
    ).encode()


def _text(value: str) -> str:
    """A name of ours as an SQL literal."""
    return f"'{value}'"
