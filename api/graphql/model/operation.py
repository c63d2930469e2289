# ruff: noqa: S608 - the SQL is put together from declarations of ours; values are bound, never written in
"""The workspace, its connections and what their syncs did."""

from __future__ import annotations

from api.graphql.declare import Entity, Kind, Listing, Many, column, computed, many, one, table_of
from api.graphql.masks import Mask
from api.graphql.model import verifying
from api.graphql.model.custom_fields import OF_CONNECTION
from api.graphql.model.health import HEALTH_OF_CONNECTION
from api.graphql.model.shared import STAFF, in_language, node_id, text_literal
from connectors import own
from connectors.registry import all_connectors
from schema import tables as t
from schema.enums import ConnectionState, ManagersSee, Role, RunState, RunTrigger
from sync.status import LAG_SECONDS, SECONDS_LEFT, state_sentence

WORKSPACE = Entity(
    name="Workspace",
    table=table_of(t.Workspace),
    tenant="id",
    description="One business: everything that a token reaches belongs to its workspace.",
    fields=(
        node_id("Workspace"),
        column(t.Workspace.slug, "Short name for addresses and the command line."),
        column(t.Workspace.title, "Name of the business."),
        column(t.Workspace.time_zone, "IANA zone; its days are the days of reports."),
        column(t.Workspace.currency, "ISO 4217; the currency of reports."),
        column(t.Workspace.phone_region, "Region in which phones without a country code are read."),
        column(
            t.Workspace.attribution_window_days,
            "How many days before a conversion a touch may have brought it.",
        ),
        column(t.Workspace.managers_see, "Which clients managers' keys reach.", enum=ManagersSee),
        column(t.Workspace.created_at, "When the workspace was made."),
    ),
)

CONNECTION = Entity(
    name="ConnectedSystem",
    table=table_of(t.Connection),
    description="One configured account in one external system.",
    order=(("createdAt", False),),
    listed_if=f"{{x}}.connector <> '{own.KEY}'",
    fields=(
        node_id("ConnectedSystem"),
        column(t.Connection.connector, "Key of the connector (`bitrix24`).", filterable=True),
        column(t.Connection.title, "The user's own name for it.", filterable=True, sortable=True),
        column(t.Connection.account_name, "What the vendor calls the account."),
        column(t.Connection.state, "Whether it is being read.", enum=ConnectionState, filterable=True),
        computed(
            "stateSentence",
            Kind.STRING,
            in_language(state_sentence("en"), state_sentence("ru")),
            "One plain sentence in the caller's language: how it stands, or what must be done. What the external "
            "system said comes as it was told.",
            nullable=False,
        ),
        column(
            t.Connection.settings,
            "The settings as a JSON object, without secrets.",
            roles=STAFF,
        ),
        computed(
            "secretFields",
            Kind.STRING,
            "array(select jsonb_object_keys({x}.secrets) order by 1)",
            "Names of the secret settings that are stored. Their values are never given out.",
            many=True,
            roles=STAFF,
        ),
        computed(
            "hasSecret",
            Kind.BOOLEAN,
            "({x}.secrets <> '{{}}'::jsonb)",
            "Whether any secret (key, token) is stored for it.",
            nullable=False,
        ),
        column(
            t.Connection.interval_seconds,
            "Seconds from the start of a scheduled sync until the next one is due.",
        ),
        column(t.Connection.next_run_at, "When the next scheduled sync is due."),
        column(t.Connection.created_at, "When it was connected.", filterable=True, sortable=True),
        column(t.Connection.updated_at, "When its settings were last changed."),
        Listing(
            name="streams",
            target="Stream",
            description="The lists that are read from it, each with how fresh it is.",
            on="{t}.connection_id = {x}.id",
            order="{t}.stream",
        ),
        many("runs", "SyncRun", t.SyncRun.connection_id, "Its syncs, newest first."),
        *HEALTH_OF_CONNECTION,
        column(
            t.Connection.verify_every_seconds,
            "Seconds from one comparison with the system to the next one by schedule; 0: never.",
        ),
        *verifying.OF_CONNECTION,
        *OF_CONNECTION,
        *(
            many(name, target, table.connection_id, f"{what} that were read from it.")
            for name, target, table, what in (
                ("users", "User", t.User, "Employees"),
                ("contacts", "Contact", t.Contact, "Cards of persons"),
                ("companies", "Company", t.Company, "Cards of organisations"),
                ("visits", "Visit", t.Visit, "Visits"),
                ("calls", "Call", t.Call, "Calls"),
                ("leads", "Lead", t.Lead, "Leads"),
                ("deals", "Deal", t.Deal, "Deals"),
                ("orders", "Order", t.Order, "Orders"),
                ("invoices", "Invoice", t.Invoice, "Invoices and acts"),
                ("payments", "Payment", t.Payment, "Payments and refunds"),
                ("messages", "Message", t.Message, "Letters, chats and meetings"),
                ("tasks", "Task", t.Task, "Tasks"),
                ("pipelines", "Pipeline", t.Pipeline, "Pipelines"),
                ("stages", "Stage", t.Stage, "Stages of pipelines"),
                ("stageChanges", "StageChange", t.StageChange, "Deals' comings to stages"),
                ("campaigns", "Campaign", t.Campaign, "Campaigns"),
                ("adGroups", "AdGroup", t.AdGroup, "Groups of ads"),
                ("ads", "Ad", t.Ad, "Ads"),
                ("keywords", "Keyword", t.Keyword, "Keywords"),
                ("spend", "AdSpend", t.AdSpend, "Costs by day"),
            )
        ),
        Many(
            name="quarantine",
            target="QuarantinedRecord",
            description="Records that could not be understood and wait to be read again, newest first.",
            on="{t}.connection_id = {x}.id",
        ),
    ),
)


def _stream_title() -> str:
    """Titles stand in the connectors' code, not in the database."""
    titles = ", ".join(
        f"('{key}', '{stream.name}', {text_literal(stream.title)})"
        for key, found in all_connectors().items()
        for stream in found.streams
    )
    return (
        f"coalesce((select v.title from (values {titles}) v(connector, stream, title) join connection c "
        "on c.workspace_id = {x}.workspace_id and c.id = {x}.connection_id and c.connector = v.connector "
        "where v.stream = {x}.stream), {x}.stream)"
    )


_STREAM_TITLE = _stream_title()

STREAM = Entity(
    name="Stream",
    table=table_of(t.StreamState),
    node=False,
    key="connection_id",
    description="One list of records in an external system, and how far it is read.",
    fields=(
        column(t.StreamState.stream, "Name of the list in the connector.", name="name"),
        computed("title", Kind.STRING, _STREAM_TITLE, "The list's name for people.", nullable=False),
        column(t.StreamState.fresh_until, "Everything that happened there before this moment is here."),
        column(t.StreamState.told_at, "When the system itself last told of something in it, by a webhook."),
        computed(
            "lagSeconds",
            Kind.INT,
            LAG_SECONDS,
            "Seconds that we are behind; null before the first sync has ended.",
        ),
        computed(
            "reading",
            Kind.BOOLEAN,
            "({x}.position is not null)",
            "Whether a run is in the middle of it.",
            nullable=False,
        ),
        *verifying.OF_STREAM,
        column(t.StreamState.error_code, "Stable code of why it stands; null while it goes."),
        column(t.StreamState.error, "Why it stands, in one sentence; null while it goes."),
    ),
)

_COUNTS = (
    ("fetched", "Records that were read; the sum of the following five."),
    ("created", "Records that were new."),
    ("updated", "Records that had changed."),
    ("unchanged", "Records that had not changed."),
    ("skipped", "Records that are left out on purpose."),
    ("quarantined", "Records that could not be understood and were set aside."),
    ("deleted", "Records that were found deleted in the external system."),
)

SYNC_RUN = Entity(
    name="SyncRun",
    table=table_of(t.SyncRun),
    description="One pass over the streams of a connection.",
    order=(("queuedAt", True),),
    fields=(
        node_id("SyncRun"),
        column(t.SyncRun.trigger, "What started it.", enum=RunTrigger, filterable=True),
        column(t.SyncRun.state, "How it stands.", enum=RunState, filterable=True),
        column(t.SyncRun.queued_at, "When it was asked for.", filterable=True, sortable=True),
        column(t.SyncRun.started_at, "When a worker took it up.", filterable=True),
        column(t.SyncRun.finished_at, "When it ended.", filterable=True),
        column(t.SyncRun.resume_at, "When a waiting run goes on."),
        column(t.SyncRun.error_code, "Stable code of what went wrong.", filterable=True),
        column(t.SyncRun.error, "What went wrong, in one sentence."),
        *(column(getattr(t.SyncRun, name), text) for name, text in _COUNTS),
        column(t.SyncRun.requests, "Requests sent to the external system."),
        computed(
            "secondsLeft",
            Kind.INT,
            f"(select {SECONDS_LEFT.format(x='s')} from stream_run s where s.workspace_id = {{x}}.workspace_id "
            "and s.run_id = {x}.id and s.finished_at is null and {x}.state = 'running' "
            "order by s.started_at desc limit 1)",
            "How long the list that is being read takes from now on, at the pace so far; null where that can't be "
            "told.",
        ),
        column(
            t.SyncRun.warnings,
            "What it noticed that a person should know, a sentence each: changed fields of the account, say.",
        ),
        one("connection", "ConnectedSystem", t.SyncRun.connection_id, "The connection."),
        Listing(
            name="streams",
            target="StreamRun",
            description="What it did in each stream.",
            on="{t}.run_id = {x}.id",
            order="{t}.started_at, {t}.stream",
        ),
    ),
)

STREAM_RUN = Entity(
    name="StreamRun",
    table=table_of(t.StreamRun),
    node=False,
    key="run_id",
    description="What one run did in one stream.",
    fields=(
        column(t.StreamRun.stream, "Name of the stream.", name="name"),
        column(t.StreamRun.started_at, "When it was begun."),
        column(t.StreamRun.finished_at, "When it ended."),
        *(column(getattr(t.StreamRun, name), text) for name, text in _COUNTS),
        column(t.StreamRun.pages, "Pages that were read."),
        column(t.StreamRun.done, "Share that is behind us, 0 to 1, where it is known."),
        computed(
            "secondsLeft",
            Kind.INT,
            SECONDS_LEFT,
            "How long the rest takes at the pace so far; null where that can't be told.",
        ),
        column(t.StreamRun.error_code, "Stable code of what went wrong."),
        column(t.StreamRun.error, "What went wrong, in one sentence."),
    ),
)

QUARANTINED = Entity(
    name="QuarantinedRecord",
    table=(
        "(select q.*, (select n.id from (select md5(q.connection_id || q.stream || q.external_id)::uuid as id) n)"
        " as id from quarantine q)"
    ),
    node=False,
    description="A record that could not be understood. It is kept and can be read again by a mended connector.",
    listed_if="{x}.resolved_at is null",
    order=(("lastAt", True),),
    fields=(
        column(t.Quarantine.stream, "Stream that it came in.", filterable=True),
        column(t.Quarantine.external_id, "Its id in the external system.", filterable=True),
        column(t.Quarantine.reason, "Why it could not be understood.", mask=Mask.HIDDEN),
        column(t.Quarantine.first_at, "When it first came."),
        column(t.Quarantine.last_at, "When it last came.", sortable=True, filterable=True),
        column(t.Quarantine.attempts, "How often it was tried."),
        one("connection", "ConnectedSystem", t.Quarantine.connection_id, "The connection."),
    ),
)

API_TOKEN = Entity(
    name="ApiToken",
    key_kind=Kind.STRING,
    table=table_of(t.ApiToken),
    node=False,
    description="A key to this API. Its secret was shown once and is not stored.",
    order=(("createdAt", True),),
    fields=(
        column(t.ApiToken.id, "The public part, by which it is revoked."),
        column(t.ApiToken.label, "What it is for."),
        column(t.ApiToken.role, "What it may do.", enum=Role),
        Listing(
            name="users",
            target="User",
            description="Of a manager's key: the employees that the manager is.",
            on="{t}.id = any({x}.user_ids)",
            order="{t}.name, {t}.id",
        ),
        column(t.ApiToken.created_at, "When it was made.", sortable=True),
        column(t.ApiToken.expires_at, "When it ends by itself; null: never."),
        column(t.ApiToken.last_used_at, "When it was last used, to the minute."),
        column(t.ApiToken.revoked_at, "When it was revoked."),
    ),
)

ENTITIES = (WORKSPACE, CONNECTION, STREAM, SYNC_RUN, STREAM_RUN, QUARANTINED, API_TOKEN)
