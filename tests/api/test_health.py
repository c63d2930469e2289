"""How connections fare, over the API."""

from __future__ import annotations

from sqlalchemy import text

from tests.api.conftest import Api

QUERY = """
{ connections { nodes {
    title stateSentence quarantined outboxWaiting outboxParked outboxOldestAt inboxWaiting inboxOldestAt
    breaker { reason openedAt nextTryAt failures }
    rateBudgets { limit used allowed windowSeconds heldUntil }
    runs(first: 1) { nodes { secondsLeft streams { name done secondsLeft } } }
} } }
"""


async def test_a_system_out_of_reach_says_so_and_when_it_is_tried_again(api: Api) -> None:
    workspace, connection = api.market.workspace_id, api.market.connection_id
    statements = (
        "update connection set account = 'amocrm:one', state = 'active', state_reason = null where id = :id",
        "insert into breaker (workspace_id, account, failures, failing_since, reason, opened_at, next_try_at)"
        " values (:ws, 'amocrm:one', 5, now(), 'amoCRM is not available.', now(), now() + interval '5 min')",
        "insert into rate_budget (workspace_id, account, limit_name, free_at, window_at, used, held_until) values"
        " (:ws, 'amocrm:one', '7/1s', now(), now(), 12, now() - interval '1 h'),"
        " (:ws, 'amocrm:one', '1000/3600s', now(), now() - interval '2 h', 999, now() + interval '1 h')",
        "insert into sync_run (workspace_id, id, connection_id, trigger, state, started_at, queued_at) values"
        " (:ws, :ws, :id, 'schedule', 'running', now(), now() + interval '1 h')",
        "insert into stream_run (workspace_id, run_id, stream, started_at, done) values"
        " (:ws, :ws, 'leads', now() - interval '100 s', 0.5)",
    )
    async with api.market.database.workspace(workspace) as db:
        for statement in statements:
            given = {"ws": workspace, "id": connection}
            await db.execute(text(statement), {name: given[name] for name in given if f":{name}" in statement})

    nodes = (await api.data(QUERY))["connections"]["nodes"]
    shown = next(node for node in nodes if node["breaker"] is not None)

    assert shown["breaker"]["reason"] == "amoCRM is not available."
    assert shown["breaker"]["failures"] == 5
    assert shown["stateSentence"].startswith("amoCRM is not available. It is left in peace until ")
    hour, second = shown["rateBudgets"]
    assert (hour["limit"], hour["used"], hour["allowed"], hour["windowSeconds"]) == ("1000/3600s", 0, 1000, 3600)
    assert hour["heldUntil"] is not None
    assert second == {"limit": "7/1s", "used": 12, "allowed": 420, "windowSeconds": 60, "heldUntil": None}
    (run,) = shown["runs"]["nodes"]
    assert 99 <= run["secondsLeft"] <= 110  # half of it took so long
    assert 99 <= run["streams"][0]["secondsLeft"] <= 110
    assert (shown["quarantined"], shown["outboxWaiting"], shown["inboxWaiting"]) == (0, 0, 0)
