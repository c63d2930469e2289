# ruff: noqa: S608 - the SQL is put together from declarations of ours; values are bound, never written in
"""The campaign report, the definitions of its metrics, and receipts. Their rows come out of statements of
`reports`, which the planner embeds."""

from __future__ import annotations

from api.graphql.declare import Column, Entity, Kind, Listing, One, Reference, camel, computed
from api.graphql.masks import Mask
from api.graphql.model.shared import text_literal
from reports.facts import ALL_METRICS
from reports.fraud import FRAUD
from reports.metrics import METRICS, Metric, Unit
from reports.rollups import FIGURES
from schema.enums import Channel, ConversionKind, Unattributed

_BEYOND_INT = frozenset({"impressions", "clicks"})
"""Sums that may pass 2**31."""


def _figure(name: str) -> Column:
    metric = ALL_METRICS[name]
    kind = Kind.DECIMAL if metric.unit is Unit.MONEY else Kind.BIG_INT if name in _BEYOND_INT else Kind.INT
    sql = f"{{x}}.{name}" if kind is Kind.DECIMAL else f"{{x}}.{name}::bigint"
    return computed(camel(name), kind, sql, metric.meaning, nullable=False)


def _ratio(metric: Metric) -> Column:
    return computed(
        camel(metric.key),
        Kind.DECIMAL,
        metric.formula.sql("{x}"),
        f"{metric.name_en}: {metric.formula.text()}. {metric.meaning} Null if there is nothing to divide by.",
    )


SUM_FIELDS = tuple(map(_figure, FIGURES))
"""The additive figures."""
FIGURE_FIELDS = (*SUM_FIELDS, *(_ratio(metric) for key, metric in METRICS.items() if key not in FIGURES))
"""All figures: the additive ones and the ratios made of them."""
_OF_FRAUD = tuple(ALL_METRICS[key] for key in (*FRAUD, "fraud_share"))
FRAUD_FIELDS = (*map(_figure, FRAUD), _ratio(ALL_METRICS["fraud_share"]))
"""What was lost to click fraud; services' verdicts stand in no rollup."""

REPORT_ROW = Entity(
    name="CampaignReportRow",
    table="report",
    node=False,
    tenant=None,
    description="A row of the report: a campaign, or what belongs to none, with the reason.",
    fields=(
        One(
            name="campaign",
            target="Campaign",
            description="The campaign; null where the row belongs to none or isn't about one.",
            on="{t}.id = {x}.campaign_id",
        ),
        computed("name", Kind.STRING, "{x}.name", "The campaign's name (in a past report the name it had then)."),
        computed("platform", Kind.STRING, "{x}.platform", "Key of the ad platform's connector, or `utm`."),
        computed("source", Kind.STRING, "{x}.source", "Traffic source that the campaign brings."),
        computed("medium", Kind.STRING, "{x}.medium", "Traffic medium that the campaign brings."),
        computed("channel", Kind.STRING, "{x}.channel", "Channel group.", enum=Channel),
        computed(
            "channelGroup",
            Kind.STRING,
            "{x}.channel_group",
            "Channel group by the workspace's own rules; without any the same as `channel`, in lower case. In rows "
            "of channels `channel` is null where the group is none of the usual ones.",
        ),
        computed("period", Kind.DATE, "{x}.period", "The day, or the first day of the month; null over all days."),
        computed(
            "reason",
            Kind.STRING,
            "{x}.reason",
            "Why the row belongs to no campaign; null if it belongs to one.",
            enum=Unattributed,
        ),
        *FIGURE_FIELDS,
        *FRAUD_FIELDS,
    ),
)

REPORT_TOTALS = Entity(
    name="CampaignReportTotals",
    table="totals",
    node=False,
    tenant=None,
    description="The sums over all rows; ratios are those of the sums.",
    fields=(*FIGURE_FIELDS, *FRAUD_FIELDS),
)

_METRIC_ROWS = ", ".join(
    "("
    + ", ".join(
        [
            str(place),
            text_literal(camel(each.key)),
            text_literal(each.name_en),
            text_literal(each.name_ru),
            text_literal(each.unit.value),
            text_literal(each.formula.text()),
            text_literal(each.meaning),
            text_literal(each.source),
            text_literal(each.basis),
        ]
    )
    + ")"
    for place, each in enumerate((*METRICS.values(), *_OF_FRAUD))
)

METRIC = Entity(
    name="Metric",
    table="(select * from (values "
    + _METRIC_ROWS
    + ") v(place, key, name, name_ru, unit, formula, meaning, source, basis))",
    node=False,
    tenant=None,
    description="What a figure of the report is, and by whose definition.",
    fields=(
        computed("key", Kind.STRING, "{x}.key", "Name of the field in the report's rows.", nullable=False),
        computed("name", Kind.STRING, "{x}.name", "Its name in English.", nullable=False),
        computed("nameRu", Kind.STRING, "{x}.name_ru", "Its name in Russian.", nullable=False),
        computed(
            "unit",
            Kind.STRING,
            "{x}.unit",
            "What it is measured in; money is in the workspace's currency.",
            nullable=False,
            enum=Unit,
        ),
        computed("formula", Kind.STRING, "{x}.formula", "How it is computed from the sums.", nullable=False),
        computed("meaning", Kind.STRING, "{x}.meaning", "What it says.", nullable=False),
        computed("source", Kind.STRING, "{x}.source", "Who defines it so.", nullable=False),
        computed("basis", Kind.STRING, "{x}.basis", "What counts as revenue in it, where revenue is in it."),
    ),
)

METRICS_OF_REPORT = Listing(
    name="metrics",
    target="Metric",
    description="The definitions of all figures in the rows.",
    on="true",
    order="{t}.place",
)

SOURCE_REFERENCE = Entity(
    name="SourceReference",
    table="sources",
    node=False,
    tenant=None,
    description="The record of an external system that a figure rests on.",
    fields=(
        One(
            name="connection",
            target="ConnectedSystem",
            description="The connection that it was read from; null if it was removed.",
            on="{t}.id = {x}.connection_id",
        ),
        computed("connector", Kind.STRING, "{x}.connector", "Key of the connector."),
        computed("stream", Kind.STRING, "{x}.stream", "The list that it was read from."),
        computed("externalId", Kind.STRING, "{x}.external_id", "Its id there."),
    ),
)

_SOURCE_COLUMNS = "connection_id uuid, connector text, stream text, external_id text"
_SOURCE = One(
    name="source",
    target="SourceReference",
    description="The record of the external system that says so.",
    source=f"json_to_record({{x}}.source) as {{t}}({_SOURCE_COLUMNS})",
    on="{t}.stream is not null",
)
_COUNTED = computed("counted", Kind.DECIMAL, "{x}.counted", "What it adds to the figure.", nullable=False)
_CAMPAIGN = One(
    name="campaign",
    target="Campaign",
    description="The campaign that it is credited to.",
    on="{t}.id = {x}.campaign_id",
)
_CLIENT = One(name="client", target="Client", description="The client.", on="{t}.id = {x}.client_id")
_REASON = computed("reason", Kind.STRING, "{x}.reason", "Why it belongs to no campaign.", enum=Unattributed)
_CHANNEL = computed("channel", Kind.STRING, "{x}.channel", "Channel group.", enum=Channel)

_OWN_CLIENT = (
    "exists(select from client oc where oc.workspace_id = %(workspace)s::uuid "
    "and oc.id = {x}.client_id and oc.responsible_id = any(%(own)s::uuid[]))"
)
_REACHED = f"(%(own)s::uuid[] is null or {_OWN_CLIENT})"
"""That the touch's client is one whom the caller may see."""

TOUCH_EVIDENCE = Entity(
    name="TouchEvidence",
    table="evidence",
    node=False,
    tenant=None,
    description="Something in a record that ties it to a client or a campaign.",
    fields=(
        computed(
            "kind",
            Kind.STRING,
            "{x}.kind",
            "`visitor`, `phone`, `tracking_number`, `click_id`, `referrer` or the name of a UTM tag.",
            nullable=False,
        ),
        computed(
            "value",
            Kind.STRING,
            "case when {x}.kind not in ('phone', 'visitor', 'click_id') then {x}.value end",
            "Its value; null where `phone` or `personalKey` holds it.",
        ),
        computed(
            "personalKey",
            Kind.STRING,
            "case when {x}.kind in ('visitor', 'click_id') then {x}.value end",
            "The visitor's cookie or the click id; hidden from roles that may not see it.",
            mask=Mask.HIDDEN,
        ),
        computed(
            "phone",
            Kind.STRING,
            "case when {x}.kind = 'phone' then {x}.value end",
            "The phone; masked for roles that may not see it.",
            mask=Mask.PHONE,
        ),
    ),
)

TOUCH = Entity(
    name="ReceiptTouch",
    table="touches",
    node=False,
    tenant=None,
    description="A visit, call, lead, order or deal with an origin before a conversion, within the window.",
    fields=(
        Reference(
            name="record",
            description="The visit, call, lead, order or deal itself.",
            targets=("Visit", "Call", "Lead", "Order", "Deal"),
            kind="initcap({x}.kind)",
            id="{x}.record_id",
        ),
        computed("at", Kind.DATE_TIME, "{x}.at", "When it was.", nullable=False),
        _CHANNEL,
        One(
            name="campaign",
            target="Campaign",
            description="The campaign that the touch names.",
            on="{t}.id = {x}.campaign_id",
        ),
        computed(
            "credited",
            Kind.BOOLEAN,
            "{x}.credited",
            "Whether it has the credit by the model of the rollups, last non-direct touch.",
            nullable=False,
        ),
        computed(
            "share",
            Kind.DECIMAL,
            "trim_scale({x}.share)",
            "Its share of the conversion by the model asked for, to six decimal places.",
            nullable=False,
        ),
        Listing(
            name="evidence",
            target="TouchEvidence",
            description="What ties it to its client and its campaign, as the record holds it.",
            source=(
                "rows from (json_to_recordset({x}.evidence) as (kind text, value text)) "
                "with ordinality as {t}(kind, value, place)"
            ),
            on=_REACHED,
            order="{t}.place",
        ),
        _SOURCE,
    ),
)

RECEIPT_RECORD = Entity(
    name="ReceiptRecord",
    table="records",
    node=False,
    tenant=None,
    description="A record that tells of the conversion.",
    fields=(
        computed("recordId", Kind.STRING, "{x}.record_id::text", "Its id within Skvoz.", nullable=False),
        _SOURCE,
    ),
)

CONVERSION_FIELDS = (
    computed("kind", Kind.STRING, "{x}.kind", "What was reached.", nullable=False, enum=ConversionKind),
    Reference(
        name="record",
        description="The call, lead, deal or invoice that is the conversion.",
        targets=("Call", "Lead", "Deal", "Invoice"),
        kind="case {x}.kind when 'call' then 'Call' when 'lead' then 'Lead' when 'paid_invoice' then 'Invoice' "
        "else 'Deal' end",
        id="{x}.record_id",
    ),
    _CLIENT,
    computed("occurredAt", Kind.DATE_TIME, "{x}.occurred_at", "When it was reached.", nullable=False),
    computed("day", Kind.DATE, "{x}.day", "Its day in the workspace's time zone.", nullable=False),
    computed(
        "value",
        Kind.DECIMAL,
        "{x}.value",
        "Amount of the won deal or paid invoice in `currency`, else 0.",
        nullable=False,
    ),
    computed("currency", Kind.STRING, "{x}.currency", "ISO 4217 code.", nullable=False),
    _CAMPAIGN,
    _REASON,
    _CHANNEL,
    Listing(
        name="touches",
        target="ReceiptTouch",
        description="The touches within the window, in order of time.",
        source=(
            "rows from (json_to_recordset({x}.touches) as (kind text, record_id uuid, at timestamptz, "
            "channel text, campaign_id uuid, credited boolean, share numeric, client_id uuid, evidence json, "
            "source json)) with ordinality as {t}(kind, record_id, at, channel, campaign_id, credited, share, "
            "client_id, evidence, source, place)"
        ),
        on="true",
        order="{t}.place",
    ),
    Listing(
        name="records",
        target="ReceiptRecord",
        description="The records that tell of it: the conversion's own, and those of other systems.",
        source=(
            "rows from (json_to_recordset({x}.records) as (record_id uuid, source json)) "
            "with ordinality as {t}(record_id, source, place)"
        ),
        on="true",
        order="{t}.place",
    ),
    computed("version", Kind.INT, "{x}.version", "Which version of its path this is.", nullable=False),
    computed("windowDays", Kind.INT, "{x}.window_days", "The attribution window in days.", nullable=False),
    computed(
        "hadOlderTouches",
        Kind.BOOLEAN,
        "{x}.had_older_touches",
        "Whether there were touches before the window.",
        nullable=False,
    ),
    computed("rules", Kind.STRING, "{x}.rules", "Version of the rules that made it.", nullable=False),
    computed("cause", Kind.STRING, "{x}.cause", "Why this version came.", nullable=False),
    computed("knownFrom", Kind.DATE_TIME, "{x}.known_from", "When Skvoz learnt it.", nullable=False),
)

OWN_CONVERSION = _OWN_CLIENT + "".join(
    f" or exists(select from {table} r where r.workspace_id = %(workspace)s::uuid and r.id = {{x}}.record_id "
    "and r.responsible_id = any(%(own)s::uuid[]))"
    for table in ("call", "lead", "deal")
)
"""A conversion is a manager's own if its client is, or if the manager is in charge of its record."""

RECEIPT_CONVERSION = Entity(
    name="ConversionReceiptItem",
    table="items",
    node=False,
    tenant=None,
    own=f"({OWN_CONVERSION})",
    description="A conversion that a figure counts, with the touches before it.",
    fields=(
        _COUNTED,
        *CONVERSION_FIELDS,
    ),
)

REVISION = Entity(
    name="SpendRevision",
    table="revisions",
    node=False,
    tenant=None,
    description="What the ad platform once said of the day.",
    fields=(
        computed("revision", Kind.INT, "{x}.revision", "Its number, from 1.", nullable=False),
        computed("cost", Kind.DECIMAL, "{x}.cost", "Cost.", nullable=False),
        computed("currency", Kind.STRING, "{x}.currency", "ISO 4217 code.", nullable=False),
        computed("impressions", Kind.BIG_INT, "{x}.impressions", "Ads shown.", nullable=False),
        computed("clicks", Kind.BIG_INT, "{x}.clicks", "Clicks.", nullable=False),
        computed("knownFrom", Kind.DATE_TIME, "{x}.known_from", "When Skvoz learnt it.", nullable=False),
        computed("knownUntil", Kind.DATE_TIME, "{x}.known_until", "Until when it was believed; null: it still is."),
    ),
)

RECEIPT_SPEND = Entity(
    name="SpendReceiptItem",
    table="items",
    node=False,
    tenant=None,
    description="A day of a campaign that a figure of costs, impressions or clicks counts.",
    fields=(
        _COUNTED,
        _CAMPAIGN,
        computed("day", Kind.DATE, "{x}.day", "A day of the ad platform's calendar.", nullable=False),
        computed("cost", Kind.DECIMAL, "{x}.cost", "Cost in `currency`.", nullable=False),
        computed("currency", Kind.STRING, "{x}.currency", "ISO 4217 code.", nullable=False),
        computed("vatIncluded", Kind.BOOLEAN, "{x}.vat_included", "Whether VAT is in the cost.", nullable=False),
        computed("impressions", Kind.BIG_INT, "{x}.impressions", "Ads shown.", nullable=False),
        computed("clicks", Kind.BIG_INT, "{x}.clicks", "Clicks.", nullable=False),
        Listing(
            name="revisions",
            target="SpendRevision",
            description="All that the platform has said of the day.",
            source=(
                "json_to_recordset({x}.revisions) as {t}(revision int, cost numeric, currency text, "
                "impressions bigint, clicks bigint, known_from timestamptz, known_until timestamptz)"
            ),
            on="true",
            order="{t}.revision",
        ),
        _SOURCE,
    ),
)

RECEIPT_VISIT = Entity(
    name="VisitReceiptItem",
    table="items",
    node=False,
    tenant=None,
    own=_OWN_CLIENT,
    description="A visit that a figure counts.",
    fields=(
        _COUNTED,
        One(name="visit", target="Visit", description="The visit.", on="{t}.id = {x}.visit_id"),
        _CLIENT,
        computed("startedAt", Kind.DATE_TIME, "{x}.started_at", "When it began.", nullable=False),
        computed("day", Kind.DATE, "{x}.day", "Its day in the workspace's time zone.", nullable=False),
        _CAMPAIGN,
        _REASON,
        _CHANNEL,
        _SOURCE,
    ),
)

ITEMS = {RECEIPT_CONVERSION.name, RECEIPT_SPEND.name, RECEIPT_VISIT.name}

ENTITIES = (
    REPORT_ROW,
    REPORT_TOTALS,
    METRIC,
    SOURCE_REFERENCE,
    TOUCH_EVIDENCE,
    TOUCH,
    RECEIPT_RECORD,
    RECEIPT_CONVERSION,
    REVISION,
    RECEIPT_SPEND,
    RECEIPT_VISIT,
)
