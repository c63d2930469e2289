-- SQL functions for what must happen before a workspace is known. They run as the owner of the tables
-- (security definer), do one narrow thing each, and have a fixed search path.
-- {app_role} and {loader_role} stand for the names of the roles.

-- When a connection is due next: the first moment of its own phase, which its id gives, from half an interval on. So
-- 10,000 connections made (or caught up with) at once are spread evenly over an interval from then on, and stay so.
create or replace function next_due(id uuid, every integer) returns timestamptz language sql volatile as $$
    select to_timestamp(b.from_at + w.ahead - every * floor(w.ahead / every))
    from (select extract(epoch from clock_timestamp())::float8 + every / 2.0 as from_at,
        (hashtextextended(id::text, 0) & 2147483647)::float8 as phase) b,
        lateral (select b.phase - b.from_at as ahead) w
$$;

-- Whether nothing but a probe may be sent to a vendor's account, and it isn't time for one.
create or replace function is_shut_out(workspace uuid, vendor_account text) returns boolean language sql stable as $$
    select exists (
        select from breaker b where b.workspace_id = workspace and b.account = vendor_account
        and b.next_try_at > clock_timestamp()
    )
$$;

-- The connections whose next sync is due, over all workspaces; taking one moves its time on by its interval.
create or replace function take_due_connections(most integer)
returns table (workspace_id uuid, connection_id uuid)
language sql security definer set search_path = public, pg_temp as $$
    update connection c
    set next_run_at = next_due(c.id, c.interval_seconds)
    from (
        select d.workspace_id, d.id from connection d
        where d.state = 'active' and d.next_run_at <= clock_timestamp() and not is_shut_out(d.workspace_id, d.account)
        order by d.next_run_at limit most for update skip locked
    ) due
    where c.workspace_id = due.workspace_id and c.id = due.id
    returning c.workspace_id, c.id
$$;
revoke all on function take_due_connections(integer) from public;
grant execute on function take_due_connections(integer) to {app_role};

-- The connections that are to be compared with their systems, over all workspaces; like syncs, but with
-- more jitter: nobody waits for one.
create or replace function take_due_verifications(most integer)
returns table (workspace_id uuid, connection_id uuid)
language sql security definer set search_path = public, pg_temp as $$
    update connection c
    set next_verify_at = clock_timestamp() + make_interval(secs => c.verify_every_seconds * (1 + random() / 5))
    from (
        select d.workspace_id, d.id from connection d
        where d.state = 'active' and d.verify_every_seconds > 0
            and coalesce(d.next_verify_at, d.created_at + make_interval(secs => d.verify_every_seconds))
                <= clock_timestamp()
        order by d.next_verify_at limit most for update skip locked
    ) due
    where c.workspace_id = due.workspace_id and c.id = due.id
    returning c.workspace_id, c.id
$$;
revoke all on function take_due_verifications(integer) from public;
grant execute on function take_due_verifications(integer) to {app_role};

-- The connections that something waits to be written to, over all workspaces.
create or replace function due_deliveries(most integer)
returns table (workspace_id uuid, connection_id uuid)
language sql stable security definer set search_path = public, pg_temp as $$
    select o.workspace_id, o.connection_id
    from outbox o join connection c on c.workspace_id = o.workspace_id and c.id = o.connection_id
    where o.state in ('pending', 'sending', 'unknown') and o.next_try_at <= clock_timestamp()
        and c.state = 'active' and not is_shut_out(c.workspace_id, c.account)
    group by o.workspace_id, o.connection_id order by min(o.next_try_at) limit most
$$;
revoke all on function due_deliveries(integer) from public;
grant execute on function due_deliveries(integer) to {app_role};

-- What Prometheus is told of all workspaces together: numbers by connector, stream and state, and nothing else.
create or replace function operation_gauges() returns table (metric text, connector text, detail text, value float8)
language sql stable security definer set search_path = public, pg_temp as $$
    select 'connections', c.connector, s.state, count(*)::float8
    from connection c left join breaker b
        on b.workspace_id = c.workspace_id and b.account = c.account and b.opened_at is not null,
        lateral (select c.state union all select 'open_breaker' where b.account is not null) s(state)
    group by c.connector, s.state
    union all
    select 'stream_lag_seconds', c.connector, s.stream, max(extract(epoch from now() - s.fresh_until))::float8
    from stream_state s join connection c on c.workspace_id = s.workspace_id and c.id = s.connection_id
    where c.state = 'active' and s.fresh_until is not null group by c.connector, s.stream
    union all
    select v.metric, o.connector, null, v.value from (
        select c.connector, count(*) filter (where o.state in ('pending', 'sending', 'unknown'))::float8 as waiting,
            count(*) filter (where o.state in ('failed', 'dead'))::float8 as parked,
            coalesce(extract(epoch from now() - min(o.created_at)
                filter (where o.state in ('pending', 'sending', 'unknown'))), 0)::float8 as age
        from outbox o join connection c on c.workspace_id = o.workspace_id and c.id = o.connection_id
        where o.state not in ('done', 'skipped') group by c.connector
    ) o, lateral (values ('outbox_waiting', o.waiting), ('outbox_parked', o.parked),
        ('outbox_oldest_age_seconds', o.age)) v(metric, value)
    union all
    select v.metric, r.connector, null, v.value from (
        select c.connector, count(*)::float8 as waiting,
            extract(epoch from now() - min(r.received_at))::float8 as age
        from received_webhook r join connection c on c.workspace_id = r.workspace_id and c.id = r.connection_id
        where r.state = 'waiting' group by c.connector
    ) r, lateral (values ('inbox_waiting', r.waiting), ('inbox_oldest_age_seconds', r.age)) v(metric, value)
$$;
revoke all on function operation_gauges() from public;
grant execute on function operation_gauges() to {app_role};

-- A change gets its position while its transaction holds the workspace's feed to itself, until it ends. So positions
-- follow the order of commits: nothing appears behind what a reader has read. Whoever listens hears of it at the commit.
create or replace function place_change() returns trigger language plpgsql as $$
begin
    perform pg_advisory_xact_lock(hashtextextended('feed ' || new.workspace_id, 0));
    new.position := nextval('change_position');
    perform pg_notify('skvoz_live', 'feed ' || new.workspace_id);
    return new;
end
$$;

-- Says which sync has moved on.
create or replace function tell_run() returns trigger language plpgsql as $$
begin
    perform pg_notify('skvoz_live', 'run ' || new.workspace_id || ' ' || new.connection_id || ' ' || new.id);
    return null;
end
$$;

-- Refuses a reader of the feed whose cursor stands before changes that have been removed.
create or replace function refuse_cursor() returns text language plpgsql as $$
begin
    raise exception 'The cursor is older than the changes that are kept' using errcode = 'SKV01';
end
$$;

-- Removes old changes, over all workspaces, and notes how far.
create or replace function prune_changes(keep interval) returns bigint
language sql security definer set search_path = public, pg_temp as $$
    with gone as (
        delete from change where at < clock_timestamp() - keep returning workspace_id, position
    ), noted as (
        insert into feed_horizon as h (workspace_id, position)
        select workspace_id, max(position) from gone group by workspace_id
        on conflict (workspace_id) do update set position = greatest(h.position, excluded.position)
    )
    select count(*) from gone
$$;
revoke all on function prune_changes(interval) from public;
grant execute on function prune_changes(interval) to {app_role};

-- Removes what is no longer needed of the log of deliveries, over all workspaces.
create or replace function prune_deliveries(keep interval) returns bigint
language sql security definer set search_path = public, pg_temp as $$
    with gone as (
        delete from webhook_delivery where state <> 'pending' and created_at < clock_timestamp() - keep returning 1
    )
    select count(*) from gone
$$;
revoke all on function prune_deliveries(interval) from public;
grant execute on function prune_deliveries(interval) to {app_role};

-- The webhooks that have something to deliver, over all workspaces.
create or replace function due_webhooks(most integer)
returns table (workspace_id uuid, webhook_id uuid)
language sql stable security definer set search_path = public, pg_temp as $$
    select w.workspace_id, w.id from webhook w
    where w.state = 'active' and (
        exists (select from change c where c.workspace_id = w.workspace_id and c.position > w.position)
        or exists (
            select from webhook_delivery d where d.workspace_id = w.workspace_id and d.webhook_id = w.id
            and d.state = 'pending' and d.next_try_at <= clock_timestamp()
        )
    )
    order by w.position limit most
$$;
revoke all on function due_webhooks(integer) from public;
grant execute on function due_webhooks(integer) to {app_role};

-- The workspaces with at least so many records whose weights of matches are to be learnt: every week at a time of the
-- week of its own, so that many don't learn at once; those that have never learnt, as soon as they can.
create or replace function due_learning(least_records integer, most integer)
returns table (workspace_id uuid)
language sql stable security definer set search_path = public, pg_temp as $$
    select w.id from workspace w
    cross join lateral (select (hashtextextended(w.id::text, 0) & 2147483647) % 604800 as seconds) phase
    cross join lateral (select max(m.learnt_at) as at from match_weights m where m.workspace_id = w.id) learnt
    where (
        learnt.at is null
        or learnt.at < to_timestamp(
            floor((extract(epoch from now()) - phase.seconds) / 604800) * 604800 + phase.seconds
        )
    ) and (
        select count(*) from (select from match_traits t where t.workspace_id = w.id limit least_records) enough
    ) >= least_records
    order by learnt.at nulls first, w.id limit most
$$;
revoke all on function due_learning(integer, integer) from public;
grant execute on function due_learning(integer, integer) to {app_role};

-- The door of that public id, before its workspace is known. It gives hashes only.
create or replace function door_of(wanted text)
returns table (
    workspace_id uuid, connection_id uuid, secret_hash bytea, previous_hash bytea, previous_until timestamptz
)
language sql stable security definer set search_path = public, pg_temp as $$
    select d.workspace_id, d.connection_id, d.secret_hash, d.previous_hash, d.previous_until
    from door d where d.public_id = wanted
$$;
revoke all on function door_of(text) from public;
grant execute on function door_of(text) to {app_role};

-- The connections whose doors have received something that waits, over all workspaces.
create or replace function due_inboxes(most integer)
returns table (workspace_id uuid, connection_id uuid)
language sql stable security definer set search_path = public, pg_temp as $$
    select r.workspace_id, r.connection_id
    from received_webhook r join connection c on c.workspace_id = r.workspace_id and c.id = r.connection_id
    where r.state = 'waiting' and r.next_try_at <= clock_timestamp() and c.state = 'active'
        and not is_shut_out(c.workspace_id, c.account)
    group by r.workspace_id, r.connection_id order by min(r.next_try_at) limit most
$$;
revoke all on function due_inboxes(integer) from public;
grant execute on function due_inboxes(integer) to {app_role};

-- Takes the doors whose subscription is to be looked at, and moves their next look on.
create or replace function take_due_doors(every interval, most integer)
returns table (workspace_id uuid, connection_id uuid)
language sql security definer set search_path = public, pg_temp as $$
    update door d
    set check_at = clock_timestamp() + every * (1 + random() / 10)
    from (
        select o.workspace_id, o.connection_id from door o
        join connection c on c.workspace_id = o.workspace_id and c.id = o.connection_id
        where o.check_at <= clock_timestamp() and c.state = 'active'
        order by o.check_at limit most for update of o skip locked
    ) due
    where d.workspace_id = due.workspace_id and d.connection_id = due.connection_id
    returning d.workspace_id, d.connection_id
$$;
revoke all on function take_due_doors(interval, integer) from public;
grant execute on function take_due_doors(interval, integer) to {app_role};

-- Removes what doors have received and nobody needs any more, over all workspaces.
create or replace function prune_received(keep interval) returns bigint
language sql security definer set search_path = public, pg_temp as $$
    with gone as (
        delete from received_webhook
        where state <> 'waiting' and received_at < clock_timestamp() - keep returning 1
    )
    select count(*) from gone
$$;
revoke all on function prune_received(interval) from public;
grant execute on function prune_received(interval) to {app_role};

-- Search. Clients are found by runs of three letters, kept under GIN (measured on 100,000 clients: 1 to 16 ms where
-- reading all takes 100 ms; words are as fast and know no fragment of a phone). Deals are found by the beginnings of
-- their title's words, which cost a quarter of that in loading. Each run and word begins with the workspace, so that
-- one index serves many workspaces and reads the rows of one only. Texts are cut: what a vendor sends may be of any
-- length, runs cost the square of it, and a word of more than 2 kB can't stand in a tsvector at all.
create or replace function search_tokens(workspace uuid, value text) returns text[]
language sql immutable parallel safe as $$
    select array(
        select left(workspace::text, 8) || substr(v, i, 3)
        from (select replace(lower(left(value, 400)), 'ё', 'е') as v) s, generate_series(1, length(v) - 2) i
    )
$$;

create or replace function search_words(workspace uuid, value text) returns tsvector
language sql immutable parallel safe as $$
    select array_to_tsvector(array(
        select left(workspace::text, 8) || left(word, 100)
        from unnest(string_to_array(
            translate(replace(lower(left(value, 2000)), 'ё', 'е'), '.,;:!?()[]"«»/-_№#', repeat(' ', 18)), ' ')) word
        where word <> ''
    ))
$$;

create or replace function search_text(name text, phone text, email text) returns text
language sql immutable parallel safe as $$
    select left(coalesce(name, ''), 200) || ' ' || left(coalesce(phone, ''), 60) || ' ' || left(coalesce(email, ''), 120)
$$;

-- Clients of the transaction's workspace that hold all ``words``, or bear the key or id that ``whole`` is; best first.
-- ``patterns`` are the words made safe for LIKE, ``number`` is the text as a phone, ``personal`` whether names, phones
-- and e-mails are looked through. Row-level security would keep the planner from the index, whose operator it doesn't
-- trust: so this runs as the owner of the tables, bound to the workspace here.
create or replace function search_clients(
    words text[], patterns text[], whole text, number text, personal boolean, most integer
) returns table (client_id uuid, field text, deal_id uuid, score real)
language sql stable security definer set search_path = public, pg_temp as $$
    with here as materialized (
        select w.id, w.short,
            (select array_agg(t) from unnest(words) p, unnest(search_tokens(w.id, p)) t) as tokens,
            (select string_agg('''' || w.short || replace(replace(p, E'\\', E'\\\\'), '''', '''''') || ''':*', ' & ')
                from unnest(words) p)::tsquery as beginnings,
            array(select '%' || p || '%' from unnest(patterns) p) as masks,
            replace(lower(whole), 'ё', 'е') as said
        from (
            select nullif(current_setting('skvoz.workspace_id', true), '')::uuid as id,
                left(current_setting('skvoz.workspace_id', true), 8) as short
        ) w
    ),
    held as (
        select c.id, c.phone, lower(c.email) as email, replace(lower(c.name), 'ё', 'е') as name
        from client c
        where personal and c.workspace_id = (select id from here) and c.merged_into is null
            and search_tokens(c.workspace_id, search_text(c.name, c.phone, c.email)) @> (select tokens from here)
    ),
    found as (
        select h.id as client_id, h.field, null::uuid as deal_id,
            (case h.field
                when 'name' then case
                    when h.name = here.said then 1 when h.name like patterns[1] || '%' then 0.9
                    when ' ' || h.name like '% ' || patterns[1] || '%' then 0.8 else 0.6 end
                when 'phone' then case
                    when h.phone = number then 1 when h.phone like '%' || patterns[1] then 0.85 else 0.7 end
                when 'email' then case
                    when h.email = here.said then 1 when h.email like patterns[1] || '%' then 0.75 else 0.55 end
                else 0.5 end)::real as score
        from here, (
            select held.*, case
                when held.name like all ((select masks from here)::text[]) then 'name'
                when held.phone like all ((select masks from here)::text[]) then 'phone'
                when held.email like all ((select masks from here)::text[]) then 'email'
                when replace(search_text(held.name, held.phone, held.email), 'ё', 'е')
                    like all ((select masks from here)::text[]) then 'several' end as field
            from held
        ) h
        where h.field is not null
        union all
        select r.client_id, i.kind, null, 0.95 from identifier i
        join identity_record r on r.workspace_id = i.workspace_id and r.record_id = i.record_id
        where personal and i.workspace_id = (select id from here) and r.client_id is not null
            and ((i.kind = 'phone' and i.value = number) or (i.kind = 'email' and i.value = lower(whole)))
        union all
        (select d.client_id, 'deal', d.id, (case
                when replace(lower(d.title), 'ё', 'е') = (select said from here) then 0.65
                when lower(d.title) like patterns[1] || '%' then 0.5 else 0.4 end)::real
            from deal d
            where d.workspace_id = (select id from here) and d.deleted_at is null and d.client_id is not null
                and search_words(d.workspace_id, d.title) @@ (select beginnings from here)
            limit 1000)
        union all
        select e.client_id, 'externalId', e.deal_id, 0.92 from (
            select workspace_id, external_id, client_id, id as deal_id from deal
            union all select workspace_id, external_id, client_id, null from contact
            union all select workspace_id, external_id, client_id, null from company
            union all select workspace_id, external_id, client_id, null from lead
            union all select workspace_id, external_id, client_id, null from sales_order
            union all select workspace_id, number, client_id, null from sales_order
        ) e where e.workspace_id = (select id from here) and e.external_id = whole and e.client_id is not null
    )
    select b.client_id, b.field, b.deal_id, b.score from (
        select distinct on (f.client_id) f.* from found f order by f.client_id, f.score desc, f.deal_id
    ) b join client c on c.workspace_id = (select id from here) and c.id = b.client_id
    order by b.score desc, c.last_seen_at desc, b.client_id limit most
$$;
revoke all on function search_clients(text[], text[], text, text, boolean, integer) from public;
grant execute on function search_clients(text[], text[], text, text, boolean, integer) to {app_role};

-- The day that a vendor's text begins with, on the vendor's own calendar; null if it begins with none. Unlike a cast it
-- never fails: what stands in a vendor's field may be anything.
create or replace function day_of(value text) returns date language sql immutable parallel safe as $$
    select case when value ~ '^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])([T ]|$)' and value > '0001' then
        case when substr(value, 9, 2)::int
            <= extract(day from make_date(left(value, 4)::int, substr(value, 6, 2)::int, 1) + interval '1 month -1 day')
        then make_date(left(value, 4)::int, substr(value, 6, 2)::int, substr(value, 9, 2)::int) end
    end
$$;

-- The moment that a vendor's text is, if it has a time and an offset; null otherwise.
create or replace function moment_of(value text) returns timestamptz language sql stable parallel safe as $$
    select case
        when value ~ '^[-0-9]{10}[T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]{1,6})?)?(Z|[+-](0[0-9]|1[0-4]):?[0-5][0-9])$'
        then case when day_of(value) is not null then value::timestamptz end
    end
$$;
