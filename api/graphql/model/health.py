# ruff: noqa: S608 - the SQL is put together from declarations of ours; values are bound, never written in
"""How a connection fares: its breaker, its rate budget, and what waits on the way out and in."""

from __future__ import annotations

from api.graphql.declare import Entity, Kind, Listing, One, column, computed, table_of
from schema import tables as t

_WAITING = "state in ('pending', 'sending', 'unknown')"


def _of(table: str, what: str, where: str) -> str:
    """A figure over the rows of a table that belong to the connection."""
    return (
        f"(select {what} from {table} w where w.workspace_id = {{x}}.workspace_id "
        f"and w.connection_id = {{x}}.id and w.{where})"
    )


HEALTH_OF_CONNECTION = (
    One(
        name="breaker",
        target="Breaker",
        description="Why nothing is sent to the system for now; null while it is within reach.",
        on="{t}.account = {x}.account and {t}.opened_at is not null",
    ),
    Listing(
        name="rateBudgets",
        target="RateBudget",
        description="How much of the system's limits is used. Connections of one account share them.",
        on="{t}.account = {x}.account",
        order="{t}.limit_name",
    ),
    computed(
        "quarantined",
        Kind.INT,
        _of("quarantine", "count(*)::int", "resolved_at is null"),
        "Records that could not be understood and wait to be read again.",
        nullable=False,
    ),
    computed(
        "outboxWaiting",
        Kind.INT,
        _of("outbox", "count(*)::int", _WAITING),
        "Changes that wait to be written to it.",
        nullable=False,
    ),
    computed(
        "outboxParked",
        Kind.INT,
        _of("outbox", "count(*)::int", "state in ('failed', 'dead')"),
        "Changes that it refused, or that were tried too often: they wait for a person.",
        nullable=False,
    ),
    computed(
        "outboxOldestAt",
        Kind.DATE_TIME,
        _of("outbox", "min(w.created_at)", _WAITING),
        "Since when the oldest change waits to be written; null if none does.",
    ),
    computed(
        "inboxWaiting",
        Kind.INT,
        _of("received_webhook", "count(*)::int", "state = 'waiting'"),
        "Deliveries of its webhooks that wait to be looked into.",
        nullable=False,
    ),
    computed(
        "inboxOldestAt",
        Kind.DATE_TIME,
        _of("received_webhook", "min(w.received_at)", "state = 'waiting'"),
        "Since when the oldest delivery waits; null if none does.",
    ),
)

BREAKER = Entity(
    name="Breaker",
    table=table_of(t.Breaker),
    node=False,
    key="account",
    key_kind=Kind.STRING,
    description="A system that was out of reach for long is left in peace: syncs, deliveries and webhooks of the "
    "account wait, and one request now and then tries it again.",
    fields=(
        column(t.Breaker.reason, "What the last fault was, in one sentence."),
        column(t.Breaker.opened_at, "Since when it is left in peace."),
        column(t.Breaker.next_try_at, "When it is tried again."),
        column(t.Breaker.failures, "Faults in a row, with no answer between them."),
    ),
)

_WINDOW = "greatest(60, substring({x}.limit_name from '/(.*)s$')::float8)"

RATE_BUDGET = Entity(
    name="RateBudget",
    table=table_of(t.RateBudget),
    node=False,
    key="account",
    key_kind=Kind.STRING,
    description="One limit of a system's account, which all workers keep together.",
    fields=(
        column(t.RateBudget.limit_name, "Requests and the span in which they are allowed.", name="limit"),
        computed(
            "used",
            Kind.INT,
            f"case when {{x}}.window_at > now() - make_interval(secs => {_WINDOW}) then {{x}}.used else 0 end",
            "Requests in the present window.",
            nullable=False,
        ),
        computed(
            "allowed",
            Kind.INT,
            f"round(split_part({{x}}.limit_name, '/', 1)::int * {_WINDOW} "
            "/ substring({x}.limit_name from '/(.*)s$')::float8)::int",
            "Requests that a window may have.",
            nullable=False,
        ),
        computed(
            "windowSeconds",
            Kind.FLOAT,
            _WINDOW,
            "The span over which they are counted: the limit's own, a minute at least.",
            nullable=False,
        ),
        computed(
            "heldUntil",
            Kind.DATE_TIME,
            "case when {x}.held_until > now() then {x}.held_until end",
            "The system asked everybody to wait until then; null while it doesn't.",
        ),
    ),
)

ENTITIES = (BREAKER, RATE_BUDGET)
