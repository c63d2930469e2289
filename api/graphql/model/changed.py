# ruff: noqa: S608 - the SQL is put together from declarations of ours; values are bound, never written in
"""Reports beside earlier ones: another period, or another moment of knowledge; and what belongs to no campaign."""

from __future__ import annotations

from api.graphql.declare import Entity, Field, Kind, One, Reference, camel, computed
from api.graphql.model.figures import FIGURE_FIELDS, OWN_CONVERSION, SUM_FIELDS
from api.graphql.model.shared import text_literal
from reports.changes import ChangeCause
from reports.metrics import METRICS
from reports.rollups import FIGURES
from reports.unattributed import EXPLAINED
from schema.enums import Channel, ConversionKind, Unattributed

_COLUMNS = ", ".join(f"{figure} numeric" for figure in FIGURES)


def _in_json(name: str, description: str) -> One:
    """The figures that stand in a JSON column of that name."""
    return One(
        name=name,
        target="CampaignReportTotals",
        description=description,
        source=f"json_to_record({{x}}.{name}) as {{t}}({_COLUMNS})",
        on="true",
    )


def _changes(name: str, target: str, sql: str, description: str) -> One:
    """All metrics of both periods by one expression over their values ``now`` and ``before``."""
    columns = ", ".join(
        f"{sql.format(now=metric.formula.sql('n'), before=metric.formula.sql('b'))} as {key}"
        for key, metric in METRICS.items()
    )
    source = f"json_to_record({{x}}.now) as n({_COLUMNS}), json_to_record({{x}}.before) as b({_COLUMNS})"
    return One(
        name=name,
        target=target,
        description=description,
        source=f"(select {columns} from {source}) {{t}}",
        on="true",
    )


def _of_metrics(name: str, description: str) -> Entity:
    return Entity(
        name=name,
        table="changes",
        node=False,
        tenant=None,
        description=description,
        fields=tuple(
            computed(camel(key), Kind.DECIMAL, f"{{x}}.{key}", f"{metric.name_en}.")
            for key, metric in METRICS.items()
        ),
    )


FIGURE_DIFFERENCES = _of_metrics(
    "FigureDifferences",
    "Each metric now less before, in its own unit (of shares: percentage points); null where one has none.",
)
FIGURE_GROWTH = _of_metrics(
    "FigureGrowth",
    "How much of its earlier value each metric changed by, in percent; null where that is 0 or none.",
)

_BOTH = (
    _in_json("now", "The figures of the period asked for."),
    _in_json("before", "The figures of the earlier period."),
    _changes("difference", "FigureDifferences", "({now}) - ({before})", "Now less before."),
    _changes(
        "growth",
        "FigureGrowth",
        "round((({now}) - ({before})) * 100 / nullif(abs(({before})), 0), 2)",
        "By how many percent of the earlier value.",
    ),
)
_WHOSE = (
    One(
        name="campaign",
        target="Campaign",
        description="The campaign; null where the row belongs to none or isn't about one.",
        on="{t}.id = {x}.campaign_id",
    ),
    computed("name", Kind.STRING, "{x}.name", "The campaign's name."),
    computed("channel", Kind.STRING, "{x}.channel", "Channel group.", enum=Channel),
    computed("reason", Kind.STRING, "{x}.reason", "Why it belongs to no campaign.", enum=Unattributed),
)

COMPARED_ROW = Entity(
    name="ComparedRow",
    table="compared",
    node=False,
    tenant=None,
    description="A row of either report, with the figures of both.",
    fields=(*_WHOSE, *_BOTH),
)
COMPARED_TOTALS = Entity(
    name="ComparedTotals",
    table="compared",
    node=False,
    tenant=None,
    description="The sums over all rows of both periods; ratios are those of the sums.",
    fields=_BOTH,
)

_CAUSE = computed("cause", Kind.STRING, "{x}.cause", "Why.", nullable=False, enum=ChangeCause)
_EVENTS = computed("events", Kind.INT, "{x}.events", "How many things came or went.", nullable=False)
CHANGED_CELL = Entity(
    name="ReportChange",
    table="changed",
    node=False,
    tenant=None,
    description="What one cause did to a campaign's figures, or to those of none. Figures are differences.",
    fields=(_CAUSE, _EVENTS, *_WHOSE, *SUM_FIELDS),
)
CHANGED_BY_CAUSE = Entity(
    name="ReportChangeByCause",
    table="changed",
    node=False,
    tenant=None,
    description="What one cause did to the report. Figures are differences.",
    fields=(_CAUSE, _EVENTS, *SUM_FIELDS),
)
CHANGED_TOTALS = Entity(
    name="ReportChangeTotals",
    table="changed",
    node=False,
    tenant=None,
    description="The report as known later less the same as known earlier.",
    fields=SUM_FIELDS,
)


def _side(side: str, told: str) -> tuple[Field, ...]:
    return (
        One(
            name=f"campaign{side.capitalize()}",
            target="Campaign",
            description=f"The campaign that {told} credited.",
            on=f"{{t}}.id = {{x}}.campaign_{side}",
        ),
        computed(
            f"reason{side.capitalize()}",
            Kind.STRING,
            f"{{x}}.reason_{side}",
            f"Why {told} no campaign was.",
            enum=Unattributed,
        ),
        computed(
            f"channel{side.capitalize()}",
            Kind.STRING,
            f"{{x}}.channel_{side}",
            f"Its channel {told}.",
            enum=Channel,
        ),
        computed(f"day{side.capitalize()}", Kind.DATE, f"{{x}}.day_{side}", f"The day that it {told} counted on."),
        computed(f"revenue{side.capitalize()}", Kind.DECIMAL, f"{{x}}.revenue_{side}", f"What it {told} added."),
        computed(f"version{side.capitalize()}", Kind.INT, f"{{x}}.version_{side}", f"Version of its path {told}."),
    )


CHANGED_CONVERSION = Entity(
    name="ChangedConversion",
    table="events",
    node=False,
    tenant=None,
    own=f"({OWN_CONVERSION})",
    description="A conversion whose place in the report, or whose revenue, changed. What is new has no before, "
    "what is no more no after.",
    fields=(
        _CAUSE,
        computed("at", Kind.DATE_TIME, "{x}.at", "When Skvoz learnt it.", nullable=False),
        computed("kind", Kind.STRING, "{x}.kind", "What was reached.", nullable=False, enum=ConversionKind),
        Reference(
            name="record",
            description="The call, lead or deal that is the conversion.",
            targets=("Call", "Lead", "Deal"),
            kind="case {x}.kind when 'call' then 'Call' when 'lead' then 'Lead' else 'Deal' end",
            id="{x}.record_id",
        ),
        One(name="client", target="Client", description="The client.", on="{t}.id = {x}.client_id"),
        computed("occurredAt", Kind.DATE_TIME, "{x}.occurred_at", "When it was reached.", nullable=False),
        One(
            name="run",
            target="SyncRun",
            description="The sync whose records brought the change.",
            on="{t}.id = {x}.run_id",
        ),
        *_side("before", "before"),
        *_side("after", "after"),
    ),
)
CHANGED_COST = Entity(
    name="ChangedCost",
    table="events",
    node=False,
    tenant=None,
    description="A day's cost that is new, or that the ad platform restated.",
    fields=(
        _CAUSE,
        computed("at", Kind.DATE_TIME, "{x}.at", "When Skvoz learnt it.", nullable=False),
        One(
            name="campaign",
            target="Campaign",
            description="The campaign.",
            on="{t}.id = {x}.campaign_id",
        ),
        computed("day", Kind.DATE, "{x}.day", "A day of the ad platform's calendar.", nullable=False),
        computed("revision", Kind.INT, "{x}.revision", "Number of the newest revision.", nullable=False),
        computed("currency", Kind.STRING, "{x}.currency", "ISO 4217 code.", nullable=False),
        computed("costBefore", Kind.DECIMAL, "{x}.cost_before", "Cost before; null if none was known."),
        computed("costAfter", Kind.DECIMAL, "{x}.cost_after", "Cost after; null if it is no more."),
        computed("impressionsBefore", Kind.BIG_INT, "{x}.impressions_before", "Impressions before."),
        computed("impressionsAfter", Kind.BIG_INT, "{x}.impressions_after", "Impressions after."),
        computed("clicksBefore", Kind.BIG_INT, "{x}.clicks_before", "Clicks before."),
        computed("clicksAfter", Kind.BIG_INT, "{x}.clicks_after", "Clicks after."),
    ),
)


def _told(part: str) -> str:
    cases = " ".join(
        f"when '{reason}' then {text_literal(getattr(each, part))}" for reason, each in EXPLAINED.items()
    )
    return f"case {{x}}.reason {cases} end"


UNATTRIBUTED_ROW = Entity(
    name="UnattributedRow",
    table="report",
    node=False,
    tenant=None,
    description="What belongs to no campaign for one reason, in one channel.",
    fields=(
        computed("reason", Kind.STRING, "{x}.reason", "Why.", nullable=False, enum=Unattributed),
        computed("channel", Kind.STRING, "{x}.channel", "Channel group, if known.", enum=Channel),
        computed("why", Kind.STRING, _told("why_en"), "Why, in a sentence.", nullable=False),
        computed("whyRu", Kind.STRING, _told("why_ru"), "The same in Russian.", nullable=False),
        computed("fix", Kind.STRING, _told("fix_en"), "What would mend it.", nullable=False),
        computed("fixRu", Kind.STRING, _told("fix_ru"), "The same in Russian.", nullable=False),
        *FIGURE_FIELDS,
    ),
)

ENTITIES = (
    FIGURE_DIFFERENCES,
    FIGURE_GROWTH,
    COMPARED_ROW,
    COMPARED_TOTALS,
    CHANGED_CELL,
    CHANGED_BY_CAUSE,
    CHANGED_TOTALS,
    CHANGED_CONVERSION,
    CHANGED_COST,
    UNATTRIBUTED_ROW,
)
