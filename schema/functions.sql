-- SQL functions for what must happen before a workspace is known. They run as the owner of the tables
-- (security definer), do one narrow thing each, and have a fixed search path.
-- {app_role} and {loader_role} stand for the names of the roles.

-- The connections whose next sync is due, over all workspaces; taking one moves its time on by its interval,
-- with up to a tenth of jitter, so that many connections made at once drift apart.
create or replace function take_due_connections(most integer)
returns table (workspace_id uuid, connection_id uuid)
language sql security definer set search_path = public, pg_temp as $$
    update connection c
    set next_run_at = clock_timestamp() + make_interval(secs => c.interval_seconds * (1 + random() / 10))
    from (
        select d.workspace_id, d.id from connection d
        where d.state = 'active' and d.next_run_at <= clock_timestamp()
        order by d.next_run_at limit most for update skip locked
    ) due
    where c.workspace_id = due.workspace_id and c.id = due.id
    returning c.workspace_id, c.id
$$;
revoke all on function take_due_connections(integer) from public;
grant execute on function take_due_connections(integer) to {app_role};

-- The connections that something waits to be written to, over all workspaces.
create or replace function due_deliveries(most integer)
returns table (workspace_id uuid, connection_id uuid)
language sql stable security definer set search_path = public, pg_temp as $$
    select o.workspace_id, o.connection_id
    from outbox o join connection c on c.workspace_id = o.workspace_id and c.id = o.connection_id
    where o.state in ('pending', 'sending', 'unknown') and o.next_try_at <= clock_timestamp()
        and c.state = 'active'
    group by o.workspace_id, o.connection_id order by min(o.next_try_at) limit most
$$;
revoke all on function due_deliveries(integer) from public;
grant execute on function due_deliveries(integer) to {app_role};

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
