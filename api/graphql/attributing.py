# ruff: noqa: S608 - the SQL is put together from declarations of ours; values are bound, never written in
"""`modelsReport` and `creditReceipt`: campaigns by several attribution models, and what a credit is made of.

Credits are computed out of stored paths, at the moment of asking and in one snapshot; what comes out goes to the
planner as JSON, and the planner gives what is selected of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import orjson
import strawberry
from strawberry.types.arguments import StrawberryArgument

from api.graphql.build import add_fields, argument, field, input_type, list_of, object_type, optional
from api.graphql.enums import ENUMS, AttributionModel
from api.graphql.errors import CallerError
from api.graphql.model.attribution import (
    CONVERSION_DEFINITION,
    CREDITED,
    MODEL_COLUMNS,
    MODEL_DEFINITION,
    MODELS_ROW,
    MODELS_ROW_COLUMNS,
    MODELS_TOTALS,
)
from api.graphql.plan import Details, Planner
from api.graphql.reporting import (
    ReportGrain,
    hidden_items,
    numbered,
    period_of_arguments,
    standing_arguments,
    standing_fields,
    standing_of,
    standing_value,
    whose_figure,
)
from api.graphql.roots import Root
from api.graphql.rows import many_objects, one_object
from api.graphql.run import RequestContext, snapshot
from api.graphql.scalars import DecimalText
from api.graphql.types import Types
from api.graphql.values import current
from reports.by_model import Question, models_report
from reports.campaigns import Grain, Statement
from reports.comparison import DEFINITIONS, MARKOV, with_settings
from reports.conversions import CONVERSIONS, Conversion
from reports.credited import credited, credited_statement
from reports.models import Model
from reports.paths import RULES
from reports.side_by_side import Row, SideBySide, side_by_side
from reports.standing import Standing
from reports.stored_paths import DatedBy
from reports.terms import read_terms
from schema.enums import Channel, Unattributed

DEFAULT_ROWS, LARGEST_ROWS = 1_000, 10_000

PositionWeights = input_type(
    "PositionWeights",
    "Weights of the position based model: whole and relative.",
    {
        "first": (int, "Of the first touch; 40 if not given."),
        "others": (int, "Of all other touches together; 20 if not given."),
        "last": (int, "Of the last touch; 40 if not given."),
    },
)
_USUAL = {"first": 40, "others": 20, "last": 40}


@dataclass(frozen=True, slots=True)
class _Asked:
    """The arguments that both fields share, understood."""

    start: date
    end: date
    conversion: Conversion
    dated_by: DatedBy
    window_days: int | None
    settings: Mapping[str, Model]


@dataclass(frozen=True, slots=True)
class _Report:
    """What was computed for one `modelsReport`."""

    rows: str
    number: int
    totals: str
    models: str
    conversion: Conversion
    window_days: int
    currency: str
    held: Standing


def attribution_roots(types: Types) -> list[Root]:
    return [_models_report(types), _credit_receipt(types)]


def _models_report(types: Types) -> Root:
    made = object_type("ModelsReport", "Campaigns by several attribution models side by side.")
    add_fields(
        made,
        [
            field("rows", list_of(types["ModelsReportRow"]), "The rows, the greatest cost first."),
            field("rowCount", int, "How many rows there are, also beyond `first`."),
            field("totals", types["ModelsReportTotals"], "The sums over all rows, also beyond `first`."),
            field("models", list_of(types["ModelDefinition"]), "What the models mean, with the weights asked for."),
            field("conversion", types["ConversionDefinition"], "What is counted."),
            field("windowDays", int, "The attribution window in days."),
            field("rules", str, "Version of the rules that make paths."),
            *standing_fields(),
            field("currency", str, "ISO 4217 code of all money in the report."),
        ],
    )
    report = field(
        "modelsReport",
        optional(made),
        "Which campaigns bring conversions, by several attribution models side by side. Credits of each model add "
        "up to the conversions exactly. They are computed from the stored paths when asked for; over a year of "
        "millions of touches that takes seconds, where `campaignReport` answers at once by last non-direct touch.",
        [
            *_shared_arguments(),
            argument(
                "models",
                optional(list_of(ENUMS[AttributionModel])),
                "By which models; not given: all (by days and months all but Markov, which has no such credits).",
                default=None,
            ),
            argument("by", ReportGrain, "What a row is.", default=ReportGrain.CAMPAIGN),
            argument("first", int, f"How many rows, {LARGEST_ROWS} at most.", default=DEFAULT_ROWS),
        ],
    )

    async def prepare(context: RequestContext, arguments: Mapping[str, Any]) -> _Report:
        asked, grain = _asked(arguments), Grain(arguments["by"].value)
        models = _models(arguments["models"], grain)
        first = arguments["first"]
        if not 0 <= first <= LARGEST_ROWS:
            raise CallerError(f"Ask for 0 to {LARGEST_ROWS} rows, not {first}.")
        held = await standing_of(context, arguments)
        async with snapshot(context) as conn:
            try:
                found = await models_report(
                    conn,
                    context.viewer.workspace_id,
                    asked.start,
                    asked.end,
                    models,
                    by=grain,
                    as_known_at=held.as_known_at,
                    dated_by=asked.dated_by,
                    settings=asked.settings,
                    conversion=asked.conversion,
                    window_days=asked.window_days,
                    rules=held.rules,
                )
                both = side_by_side(found, asked.conversion)
            except ValueError as error:
                raise CallerError(str(error)) from None
            terms = await read_terms(conn, context.viewer.workspace_id)
        return _report(both, asked, first, asked.window_days or terms.window_days, held)

    def expression(planner: Planner, _parent: str, details: Details, computed: Any) -> str:
        def value(name: str, each: Details) -> str:
            alias = planner.alias()
            match name:
                case "rows":
                    pairs = planner.of_row(MODELS_ROW, each, alias)
                    return many_objects(
                        pairs, planner.alias(), _rows_of(planner, computed.rows, MODELS_ROW_COLUMNS, alias)
                    )
                case "totals":
                    pairs = planner.of_row(MODELS_TOTALS, each, alias)
                    return one_object(
                        pairs, planner.alias(), _rows_of(planner, computed.totals, MODELS_ROW_COLUMNS, alias)
                    )
                case "models":
                    pairs = planner.of_row(MODEL_DEFINITION, each, alias)
                    return many_objects(
                        pairs, planner.alias(), _rows_of(planner, computed.models, MODEL_COLUMNS, alias)
                    )
                case "conversion":
                    pairs = planner.of_row(CONVERSION_DEFINITION, each, alias)
                    key = planner.bind(str(computed.conversion), "text")
                    source = f"from {CONVERSION_DEFINITION.table} {alias} where {alias}.key = {key}"
                    return one_object(pairs, planner.alias(), source)
                case "rowCount":
                    return planner.bind(computed.number, "integer")
                case "windowDays":
                    return planner.bind(computed.window_days, "integer")
                case "rules":
                    return planner.bind(RULES, "text")
                case "currency":
                    return planner.bind(computed.currency, "text")
            return standing_value(planner, name, computed.held)

        return one_object(planner.of_object("ModelsReport", details, value), planner.alias())

    return Root(report, expression, prepare=prepare)


def _credit_receipt(types: Types) -> Root:
    made = object_type("CreditReceipt", "What a credit in `modelsReport` is made of.")
    add_fields(
        made,
        [
            field("conversions", DecimalText, "The sum of the shares: what the report shows."),
            field("value", DecimalText, "The sum of the shares of value: what the report shows."),
            field("count", int, "How many conversions there are, also beyond `first`."),
            field(
                "items",
                list_of(types["CreditedConversion"]),
                "The conversions of which the row has a share, in order of time, with their whole paths; for "
                "managers who see their own clients only, those that are theirs.",
            ),
            hidden_items(),
        ],
    )
    receipt = field(
        "creditReceipt",
        optional(made),
        "What a credit in `modelsReport` is made of: the conversions of which the row has a share, each with its "
        "touches, their shares, the evidence and the records of the external systems. Markov has none: it credits "
        "all journeys together.",
        [
            *_shared_arguments(),
            argument("model", ENUMS[AttributionModel], "By which model."),
            argument("campaign", optional(strawberry.ID), "The campaign whose credit it is.", default=None),
            argument(
                "reason",
                optional(ENUMS[Unattributed]),
                "Instead of a campaign: the row of what belongs to none for this reason.",
                default=None,
            ),
            argument(
                "channel", optional(ENUMS[Channel]), "With a reason: only the row of this channel.", default=None
            ),
            argument("first", int, f"How many conversions, {LARGEST_ROWS} at most.", default=100),
        ],
    )

    async def prepare(context: RequestContext, arguments: Mapping[str, Any]) -> Statement:
        asked, whose = _asked(arguments), whose_figure(arguments)
        first = arguments["first"]
        if not 0 <= first <= LARGEST_ROWS:
            raise CallerError(f"Ask for 0 to {LARGEST_ROWS} conversions, not {first}.")
        held = await standing_of(context, arguments)
        async with snapshot(context) as conn:
            terms = await read_terms(conn, context.viewer.workspace_id)
            question = Question(
                conn,
                terms,
                asked.start,
                asked.end,
                Grain.CAMPAIGN,
                held.as_known_at,
                asked.dated_by,
                CONVERSIONS[asked.conversion],
                asked.window_days,
                held.rules,
            )
            try:
                found = await credited(question, arguments["model"].value, whose, asked.settings)
            except ValueError as error:
                raise CallerError(str(error)) from None
        return credited_statement(context.viewer.workspace_id, found)

    def expression(planner: Planner, parent: str, details: Details, statement: Any) -> str:
        sql = statement.sql.replace("%(receipt_workspace)s", "%(workspace)s::uuid")
        planner.embed("", {"receipt_given": statement.params["receipt_given"]})
        given = "json_to_recordset(%(receipt_given)s::json) as g(counted numeric, amount numeric)"
        limit = planner.bind(current(planner.arguments(parent, details)["first"]), "integer")

        def value(name: str, each: Details) -> str:
            alias = planner.alias()
            match name:
                case "conversions":
                    return f"(select trim_scale(coalesce(sum(g.counted), 0))::text from {given})"
                case "value":
                    return f"(select coalesce(sum(g.amount), 0)::text from {given})"
                case "count":
                    return f"(select count(*) from {given})"
            seen = planner.tenant(CREDITED, "n")
            if name == "hiddenCount":
                return f"(select count(*)::int from ({sql}) n where not ({seen}))"
            page = f"select * from ({numbered(sql)}) n where {seen} order by place limit {limit}"
            source = f"from ({page}) {alias} order by {alias}.place"
            return many_objects(planner.of_row(CREDITED, each, alias), planner.alias(), source)

        return one_object(planner.of_object("CreditReceipt", details, value), planner.alias())

    return Root(receipt, expression, prepare=prepare)


def _shared_arguments() -> list[StrawberryArgument]:
    return [
        *standing_arguments(),
        argument(
            "conversion", ENUMS[Conversion], "What counts as a conversion.", default=ENUMS[Conversion].WON_DEAL
        ),
        *crediting_arguments(),
    ]


def crediting_arguments() -> list[StrawberryArgument]:
    """On which day conversions count, and how models credit them."""
    return [
        argument("datedBy", ENUMS[DatedBy], "On which day it counts.", default=ENUMS[DatedBy].EVENT),
        argument(
            "windowDays",
            optional(int),
            "The attribution window in days, at most the workspace's, which is meant if it isn't given.",
            default=None,
        ),
        argument("position", optional(PositionWeights), "Weights of the position based model.", default=None),
        argument("halfLifeDays", optional(float), "Half-life of time decay; 7 if not given.", default=None),
    ]


def _asked(arguments: Mapping[str, Any]) -> _Asked:
    start, end, _ = period_of_arguments(arguments)
    return _Asked(
        start,
        end,
        Conversion(arguments["conversion"].value),
        DatedBy(arguments["datedBy"].value),
        arguments["windowDays"],
        settings_of(arguments),
    )


def settings_of(arguments: Mapping[str, Any]) -> Mapping[str, Model]:
    """The models with the weights that were asked for. Raises `CallerError`."""
    given = arguments["position"]
    weights = (
        None if given is None else {**_USUAL, **{key: each for key, each in given.items() if each is not None}}
    )
    try:
        return with_settings(
            position=None if weights is None else (weights["first"], weights["others"], weights["last"]),
            half_life_days=arguments["halfLifeDays"],
        )
    except ValueError as error:
        raise CallerError(str(error)) from None


def _models(given: Any, grain: Grain) -> list[str]:
    if given is not None:
        return [each.value for each in given]
    return [key for key in DEFINITIONS if grain.period is None or key != MARKOV.key]


def _report(both: SideBySide, asked: _Asked, first: int, window_days: int, held: Standing) -> _Report:
    defined = [asked.settings.get(key, DEFINITIONS[key]) for key in both.totals.credits]
    models = [
        {
            "key": each.key,
            "name": each.name_en,
            "name_ru": each.name_ru,
            "meaning": each.meaning,
            "source": each.source,
        }
        for each in defined
    ]
    return _Report(
        _json([_of_row(row) for row in both.rows[:first]]),
        len(both.rows),
        _json([_of_row(both.totals)]),
        _json(models),
        asked.conversion,
        window_days,
        both.currency,
        held,
    )


def _of_row(joined: Row) -> dict[str, Any]:
    row, cost = joined.row, str(joined.shared["cost"])
    return {
        "campaign_id": row.campaign_id,
        "name": row.name,
        "platform": row.platform,
        "source": row.source,
        "medium": row.medium,
        "channel": row.channel,
        "channel_group": row.channel_group,
        "period": row.period,
        "reason": row.reason,
        **{figure: str(amount) for figure, amount in joined.shared.items()},
        "credits": [
            {"model": model, "conversions": str(credit.conversions), "value": str(credit.value), "cost": cost}
            for model, credit in joined.credits.items()
        ],
    }


def _json(rows: list[dict[str, Any]]) -> str:
    return orjson.dumps(rows).decode()


def _rows_of(planner: Planner, rows: str, columns: str, alias: str) -> str:
    """The FROM clause over computed rows, in their order."""
    names = ", ".join(column.split(" ")[0] for column in columns.split(", "))
    given = planner.bind(rows, "json")
    return (
        f"from rows from (json_to_recordset({given}) as ({columns})) with ordinality as {alias}({names}, place) "
        f"order by {alias}.place"
    )
