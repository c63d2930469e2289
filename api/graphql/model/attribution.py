# ruff: noqa: S608 - the SQL is put together from declarations of ours; values are bound, never written in
"""Reports by several models side by side, and the receipt of any model. Their rows are computed by `reports` and
come in as JSON, over which the planner reads what is selected."""

from __future__ import annotations

from api.graphql.declare import Column, Entity, Kind, Listing, One, camel, computed
from api.graphql.enums import AttributionModel
from api.graphql.model.figures import CONVERSION_FIELDS, OWN_CONVERSION
from api.graphql.model.shared import text_literal
from reports.conversions import CONVERSIONS, Conversion
from reports.metrics import METRICS
from reports.side_by_side import SHARED
from schema.enums import Channel, Unattributed

_SHARED_KINDS = {"cost": Kind.DECIMAL, "impressions": Kind.BIG_INT, "clicks": Kind.BIG_INT, "visits": Kind.INT}
_CREDIT_COLUMNS = "model text, conversions numeric, value numeric, cost numeric"

MODEL_CREDIT = Entity(
    name="ModelCredit",
    table="credits",
    node=False,
    tenant=None,
    description="What one model credits a row with.",
    fields=(
        computed("model", Kind.STRING, "{x}.model", "By which model.", nullable=False, enum=AttributionModel),
        computed(
            "conversions",
            Kind.DECIMAL,
            "trim_scale({x}.conversions)",
            "Conversions, to six decimal places; they add up over the rows to the number there were.",
            nullable=False,
        ),
        computed(
            "value", Kind.DECIMAL, "{x}.value", "Revenue of won deals; 0 of other conversions.", nullable=False
        ),
        computed(
            "costPerConversion",
            Kind.DECIMAL,
            "round({x}.cost / nullif({x}.conversions, 0), 2)",
            "Cost ÷ conversions. Null if there is nothing to divide by.",
        ),
        computed(
            "romiRevenue",
            Kind.DECIMAL,
            "round(({x}.value - {x}.cost) * 100 / nullif({x}.cost, 0), 2)",
            "(Value − cost) ÷ cost × 100. Null if there is nothing to divide by.",
        ),
    ),
)


def _shared() -> list[Column]:
    return [
        computed(camel(figure), _SHARED_KINDS[figure], f"{{x}}.{figure}", METRICS[figure].meaning, nullable=False)
        for figure in SHARED
    ]


def _credits() -> Listing:
    return Listing(
        name="credits",
        target="ModelCredit",
        description="What each model credits it with, in the order of the models.",
        source=(
            f"rows from (json_to_recordset({{x}}.credits) as ({_CREDIT_COLUMNS})) "
            "with ordinality as {t}(model, conversions, value, cost, place)"
        ),
        on="true",
        order="{t}.place",
    )


MODELS_ROW_COLUMNS = (
    "campaign_id uuid, name text, platform text, source text, medium text, channel text, channel_group text, "
    "period date, reason text, cost numeric, impressions bigint, clicks bigint, visits int, credits json"
)
MODELS_ROW = Entity(
    name="ModelsReportRow",
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
        computed("name", Kind.STRING, "{x}.name", "The campaign's name."),
        computed("platform", Kind.STRING, "{x}.platform", "Key of the ad platform's connector, or `utm`."),
        computed("source", Kind.STRING, "{x}.source", "Traffic source that the campaign brings."),
        computed("medium", Kind.STRING, "{x}.medium", "Traffic medium that the campaign brings."),
        computed("channel", Kind.STRING, "{x}.channel", "Channel group.", enum=Channel),
        computed(
            "channelGroup",
            Kind.STRING,
            "{x}.channel_group",
            "Channel group by the workspace's own rules; without any the same as `channel`, in lower case.",
        ),
        computed("period", Kind.DATE, "{x}.period", "The day, or the first day of the month; null over all days."),
        computed("reason", Kind.STRING, "{x}.reason", "Why it belongs to no campaign.", enum=Unattributed),
        *_shared(),
        _credits(),
    ),
)
MODELS_TOTALS = Entity(
    name="ModelsReportTotals",
    table="totals",
    node=False,
    tenant=None,
    description="The sums over all rows; by every model the same conversions and the same value.",
    fields=(*_shared(), _credits()),
)

MODEL_COLUMNS = "key text, name text, name_ru text, meaning text, source text"
MODEL_DEFINITION = Entity(
    name="ModelDefinition",
    table="models",
    node=False,
    tenant=None,
    description="What an attribution model means, and by whose definition.",
    fields=(
        computed("key", Kind.STRING, "{x}.key", "The model.", nullable=False, enum=AttributionModel),
        computed("name", Kind.STRING, "{x}.name", "Its name in English.", nullable=False),
        computed("nameRu", Kind.STRING, "{x}.name_ru", "Its name in Russian.", nullable=False),
        computed(
            "meaning", Kind.STRING, "{x}.meaning", "What it does, with the weights asked for.", nullable=False
        ),
        computed("source", Kind.STRING, "{x}.source", "Who defines it so.", nullable=False),
    ),
)
_CONVERSION_ROWS = ", ".join(
    f"({place}, {', '.join(map(text_literal, (each.key, each.name_en, each.name_ru, each.meaning)))})"
    for place, each in enumerate(CONVERSIONS.values())
)
CONVERSION_DEFINITION = Entity(
    name="ConversionDefinition",
    table=f"(select * from (values {_CONVERSION_ROWS}) v(place, key, name, name_ru, meaning))",
    node=False,
    tenant=None,
    description="What counts as a conversion.",
    fields=(
        computed("key", Kind.STRING, "{x}.key", "The conversion.", nullable=False, enum=Conversion),
        computed("name", Kind.STRING, "{x}.name", "Its name in English.", nullable=False),
        computed("nameRu", Kind.STRING, "{x}.name_ru", "Its name in Russian.", nullable=False),
        computed("meaning", Kind.STRING, "{x}.meaning", "What counts as it.", nullable=False),
    ),
)

CREDITED = Entity(
    name="CreditedConversion",
    table="items",
    node=False,
    tenant=None,
    own=f"({OWN_CONVERSION})",
    description="A conversion of which a row of the report by some model has a share, with its touches.",
    fields=(
        computed(
            "share",
            Kind.DECIMAL,
            "trim_scale({x}.counted)",
            "The row's share of the conversion, to six decimal places.",
            nullable=False,
        ),
        computed(
            "shareOfValue", Kind.DECIMAL, "{x}.amount", "The same of its value, to the kopeck.", nullable=False
        ),
        *CONVERSION_FIELDS,
    ),
)

ENTITIES = (MODEL_CREDIT, MODELS_ROW, MODELS_TOTALS, MODEL_DEFINITION, CONVERSION_DEFINITION, CREDITED)
