"""The golden record: what holds about a client, where it comes from, and what the other records say.

The rule is the most recent word, a CRM's card before a lead and a lead before a call; a phone or e-mail that
several people share gives way to one that is the client's own, and a deleted record to one that stands.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from schema.enums import FieldRule
from sync.identity.store import Conn

_REFRESH = """
with ids as materialized (
    select c.id from client c
    where c.workspace_id = %(workspace)s and c.id = any(%(clients)s::uuid[]) and c.merged_into is null
),
said as materialized (
    select r.client_id, 'contact' as record_kind, r.id as record_id, 1 as rank,
        coalesce(r.updated_at, r.created_at, r.loaded_at) as at, r.deleted_at is not null as deleted, f.*
    from ids cross join lateral (
        select * from contact where workspace_id = %(workspace)s and client_id = ids.id offset 0) r
    cross join lateral (
        select 'name',
            coalesce(nullif(r.name, ''), nullif(concat_ws(' ', r.first_name, r.last_name), '')), 0::bigint
        union all select 'responsible_id', r.responsible_id::text, 0
        union all select 'phone', p.value, p.place from unnest(r.phones) with ordinality as p (value, place)
        union all select 'email', e.value, e.place from unnest(r.emails) with ordinality as e (value, place)
    ) f (field, value, place)
    union all
    select r.client_id, 'company', r.id, 1, coalesce(r.updated_at, r.created_at, r.loaded_at),
        r.deleted_at is not null, f.*
    from ids cross join lateral (
        select * from company where workspace_id = %(workspace)s and client_id = ids.id offset 0) r
    cross join lateral (
        select 'name', nullif(r.name, ''), 0::bigint
        union all select 'responsible_id', r.responsible_id::text, 0
        union all select 'phone', p.value, p.place from unnest(r.phones) with ordinality as p (value, place)
        union all select 'email', e.value, e.place from unnest(r.emails) with ordinality as e (value, place)
    ) f (field, value, place)
    union all
    select r.client_id, 'lead', r.id, 2, r.created_at, r.deleted_at is not null, f.*
    from ids cross join lateral (
        select * from lead where workspace_id = %(workspace)s and client_id = ids.id offset 0) r
    cross join lateral (
        select 'name', nullif(r.name, ''), 0::bigint
        union all select 'responsible_id', r.responsible_id::text, 0
        union all select 'phone', p.value, p.place from unnest(r.phones) with ordinality as p (value, place)
        union all select 'email', e.value, e.place from unnest(r.emails) with ordinality as e (value, place)
    ) f (field, value, place)
    union all
    select r.client_id, 'call', r.id, 3, r.started_at, r.deleted_at is not null, f.*
    from ids cross join lateral (
        select * from call where workspace_id = %(workspace)s and client_id = ids.id offset 0) r
    cross join lateral (
        values ('phone', r.client_phone, 0::bigint), ('responsible_id', r.responsible_id::text, 0)
    ) f (field, value, place)
),
told as materialized (
    select s.*, k.value is not null as shared
    from said s left join ids on ids.id = s.client_id
    left join client c on c.workspace_id = %(workspace)s and c.id = s.client_id
    left join shared_key k on k.workspace_id = %(workspace)s and k.client_kind = c.kind and k.kind = s.field
        and k.value = s.value
    where s.value is not null and (s.field <> 'phone' or s.value ~ '^\\+[0-9]{7,15}$')
),
best as materialized (
    select distinct on (client_id, field) client_id, field, value, record_kind, record_id from told
    order by client_id, field, deleted, shared, rank, at desc, place, record_id
),
differing as (
    select client_id, field, jsonb_object_agg(value, records) as others
    from (
        select t.client_id, t.field, t.value, jsonb_agg(distinct t.record_id) as records
        from told t join best b using (client_id, field)
        where t.value <> b.value group by t.client_id, t.field, t.value
    ) other group by client_id, field
),
dropped as (
    delete from client_field f
    where f.workspace_id = %(workspace)s and f.client_id = any(%(clients)s::uuid[])
        and not exists (select from best b where b.client_id = f.client_id and b.field = f.field)
),
kept as (
    insert into client_field as f
        (workspace_id, client_id, field, value, rule, record_kind, record_id, others)
    select %(workspace)s, b.client_id, b.field, b.value, %(rule)s, b.record_kind, b.record_id, d.others
    from best b left join differing d using (client_id, field)
    on conflict (workspace_id, client_id, field) do update
        set value = excluded.value, rule = excluded.rule, record_kind = excluded.record_kind,
            record_id = excluded.record_id, others = excluded.others
        where (f.value, f.rule, f.record_id, f.others)
            is distinct from (excluded.value, excluded.rule, excluded.record_id, excluded.others)
),
gold as (
    select ids.id,
        max(b.value) filter (where b.field = 'name') as name,
        max(b.value) filter (where b.field = 'phone') as phone,
        max(b.value) filter (where b.field = 'email') as email,
        (max(b.value) filter (where b.field = 'responsible_id'))::uuid as responsible_id
    from ids left join best b on b.client_id = ids.id group by ids.id
),
seen as (
    select ids.id, max(r.at) as last_seen_at, max(r.at) filter (where r.record_id = ids.id) as founded_at
    from ids cross join lateral (
        select record_id, at from identity_record
        where workspace_id = %(workspace)s and client_id = ids.id offset 0) r
    group by ids.id
)
update client c set name = g.name, phone = g.phone, email = g.email, responsible_id = g.responsible_id,
    last_seen_at = coalesce(s.last_seen_at, c.last_seen_at), founded_at = coalesce(s.founded_at, c.founded_at),
    changed_at = now()
from gold g left join seen s using (id)
where c.workspace_id = %(workspace)s and c.id = g.id
    and (c.name, c.phone, c.email, c.responsible_id, c.last_seen_at, c.founded_at) is distinct from (
        g.name, g.phone, g.email, g.responsible_id,
        coalesce(s.last_seen_at, c.last_seen_at), coalesce(s.founded_at, c.founded_at))
"""


async def refresh_golden(
    conn: Conn, workspace_id: UUID, client_ids: Iterable[UUID], run_id: UUID | None = None
) -> int:
    """Bring the golden records of these clients up to date with their stored rows; only what differs is
    written. Merged clients keep their last words. Returns how many clients changed."""
    ids = list(client_ids)
    if not ids:
        return 0
    cursor = await conn.execute(
        _REFRESH, {"workspace": workspace_id, "clients": ids, "rule": FieldRule.MOST_RECENT.value}
    )
    return cursor.rowcount
