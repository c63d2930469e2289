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
