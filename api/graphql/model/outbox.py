# ruff: noqa: S608 - the SQL is put together from declarations of ours; values are bound, never written in
"""What is on its way to other systems: each intended change with its attempts, and where a person must decide."""

from __future__ import annotations

from api.graphql.declare import Entity, Kind, Listing, One, column, computed, one, table_of
from api.graphql.masks import Mask
from api.graphql.model.shared import node_id
from schema import tables as t
from schema.enums import ConflictDecision, OutboxState, RecordKind

_OF_OWN = (
    "exists(select from client oc where oc.workspace_id = {x}.workspace_id "
    "and oc.responsible_id = any(%(own)s::uuid[]) and oc.id in ("
    + " union all ".join(
        f"select r.client_id from {kind} r where r.workspace_id = {{x}}.workspace_id and r.id = {{x}}.cause_id"
        for kind in ("contact", "deal", "call", "lead")
    )
    + "))"
)
_CONFLICTS = (
    "(select c.workspace_id, md5(c.outbox_id::text || c.field || c.number)::uuid as id, c.outbox_id, "
    "c.connection_id, c.external_id, c.field, c.base -> 'value' as base, "
    "c.theirs -> 'value' as theirs, c.ours -> 'value' as ours, "
    "c.rule, c.decision, c.decided_by, c.at, c.decided_at, o.cause_id from conflict c "
    "join outbox o on o.workspace_id = c.workspace_id and o.id = c.outbox_id)"
)

CHANGE = Entity(
    name="OutboxChange",
    table=table_of(t.Outbox),
    node=False,
    description=(
        "A change that is meant for another system, wanted by a rule or by a person. It is made once: looked for "
        "before it is sent, and before it is sent again."
    ),
    order=(("createdAt", True),),
    own=_OF_OWN,
    fields=(
        node_id("OutboxChange"),
        one("connection", "ConnectedSystem", t.Outbox.connection_id, "The system that is written to."),
        column(t.Outbox.state, "How it stands.", enum=OutboxState, filterable=True),
        column(t.Outbox.code, "Why it stands, for programs.", filterable=True),
        column(t.Outbox.reason, "Why it stands, in one sentence.", mask=Mask.HIDDEN),
        column(t.Outbox.write, "What is done there: the connector's write (`contact.update`).", filterable=True),
        column(t.Outbox.cause_kind, "What kind of record here is the cause.", enum=RecordKind, filterable=True),
        computed("causeId", Kind.STRING, "{x}.cause_id::text", "The record here that is the cause, by its uuid."),
        column(t.Outbox.cause_at, "When the cause happened."),
        column(t.Outbox.external_id, "The record's id there, once known.", filterable=True),
        column(t.Outbox.payload, "What is to stand there, as a JSON object.", mask=Mask.HIDDEN),
        column(t.Outbox.base, "What stood there when it was intended, as far as known.", mask=Mask.HIDDEN),
        column(t.Outbox.before, "What stood there before it was written over.", mask=Mask.HIDDEN),
        column(t.Outbox.stored, "What the system made of it.", mask=Mask.HIDDEN),
        column(t.Outbox.attempts, "How often it was sent.", name="sentCount"),
        column(t.Outbox.created_at, "When it was intended.", filterable=True, sortable=True),
        column(t.Outbox.sent_at, "When it was last sent."),
        column(t.Outbox.next_try_at, "When it goes, if nothing holds it up."),
        column(t.Outbox.done_at, "When it was known to stand there."),
        One(
            name="undoes",
            target="OutboxChange",
            description="The change that this one takes back.",
            on="{t}.id = {x}.undoes",
        ),
        Listing(
            name="attempts",
            target="OutboxAttempt",
            description="Each look and each sending, with request and answer.",
            on="{t}.outbox_id = {x}.id",
            order="{t}.number",
        ),
        Listing(
            name="conflicts",
            target="FieldConflict",
            description="Fields that stood otherwise there than when it was intended, and what was decided.",
            on="{t}.outbox_id = {x}.id",
            order="{t}.at, {t}.field",
        ),
    ),
)

ATTEMPT = Entity(
    name="OutboxAttempt",
    table=table_of(t.OutboxAttempt),
    node=False,
    key="outbox_id",
    description="One request for a change and its answer, without headers and secrets.",
    fields=(
        column(t.OutboxAttempt.number, "Which one it was."),
        column(t.OutboxAttempt.at, "When it was."),
        column(t.OutboxAttempt.step, "`look` for the same, `read` what stands there, `send`."),
        column(t.OutboxAttempt.request, "Method, path, query and body, as JSON.", mask=Mask.HIDDEN),
        column(t.OutboxAttempt.response, "Status and body, as JSON; null if none came.", mask=Mask.HIDDEN),
        column(t.OutboxAttempt.outcome, "What it meant, in one sentence.", mask=Mask.HIDDEN),
    ),
)

CONFLICT = Entity(
    name="FieldConflict",
    table=_CONFLICTS,
    node=False,
    description="A field that stood otherwise in the other system than when a change of it was intended.",
    order=(("at", True),),
    own=_OF_OWN,
    fields=(
        node_id("FieldConflict"),
        one("connection", "ConnectedSystem", t.Conflict.connection_id, "The system where it is."),
        One(
            name="change",
            target="OutboxChange",
            description="The change that met it.",
            on="{t}.id = {x}.outbox_id",
        ),
        column(t.Conflict.external_id, "The record's id there."),
        column(t.Conflict.field, "The field, by the write's word.", filterable=True),
        computed("base", Kind.JSON, "{x}.base", "What was known to stand there.", mask=Mask.HIDDEN),
        computed("theirs", Kind.JSON, "{x}.theirs", "What stood there.", mask=Mask.HIDDEN),
        computed("ours", Kind.JSON, "{x}.ours", "What was to stand there.", mask=Mask.HIDDEN),
        column(t.Conflict.rule, "Who wins by the rule: `ours`, `theirs`, `most_recent`, `never`, `by_hand`."),
        column(
            t.Conflict.decision,
            "Whose value holds; null while a person must say.",
            enum=ConflictDecision,
            filterable=True,
        ),
        column(t.Conflict.decided_by, "`rule`, or the public part of the API key of who decided."),
        column(t.Conflict.at, "When it was met.", filterable=True, sortable=True),
        column(t.Conflict.decided_at, "When it was decided."),
    ),
)

ENTITIES = (CHANGE, ATTEMPT, CONFLICT)
