# ruff: noqa: S608 - the SQL is put together from declarations of ours; values are bound, never written in
"""`campaignReport` and `receipt`: statements of `reports` under the planner's JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any

import strawberry
from strawberry.annotation import StrawberryAnnotation
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.field import StrawberryField
from strawberry.types.union import StrawberryUnion

from api.graphql.build import add_fields, argument, constant, field, list_of, object_type, optional
from api.graphql.enums import ENUMS, graphql_enum
from api.graphql.errors import CallerError
from api.graphql.ids import parse_id
from api.graphql.model.figures import (
    METRICS_OF_REPORT,
    RECEIPT_CONVERSION,
    RECEIPT_SPEND,
    RECEIPT_VISIT,
    REPORT_ROW,
    REPORT_TOTALS,
)
from api.graphql.plan import Details, Planner
from api.graphql.roots import Root
from api.graphql.rows import many_objects, one_object
from api.graphql.run import RequestContext, fetch_value, snapshot
from api.graphql.scalars import DateText, DateTimeText, DecimalText
from api.graphql.types import Types
from api.graphql.values import current
from reports.campaigns import Grain, campaign_report_statement
from reports.fraud import FRAUD
from reports.metrics import METRICS
from reports.other_currencies import MONEY, other_currencies_statement
from reports.receipt import Whose, receipt_statement
from reports.rollups import FIGURES
from reports.standing import ALONE, STANDS_ALONE, Standing, standing
from schema.enums import Channel, Unattributed

_GRAINS = {
    Grain.CAMPAIGN: "A row for each campaign.",
    Grain.CAMPAIGN_DAY: "A row for each campaign and day.",
    Grain.CAMPAIGN_MONTH: "A row for each campaign and month.",
    Grain.CHANNEL: "A row for each channel group.",
    Grain.CHANNEL_DAY: "A row for each channel group and day.",
    Grain.CHANNEL_MONTH: "A row for each channel group and month.",
    Grain.DAY: "A row for each day.",
    Grain.MONTH: "A row for each month.",
}
ReportGrain = graphql_enum(
    "ReportGrain", "What a row of the report is.", {each.name: (each.value, text) for each, text in _GRAINS.items()}
)
Figure = graphql_enum(
    "Figure",
    "Figures that have a receipt. The receipt of a ratio is those of its figures.",
    {constant(name): (name, METRICS[name].meaning) for name in FIGURES},
)
_LONGEST_DAYS = 3660
_MONEY_FIELDS = {"cost": "cost", "revenue": "revenue", "paid_amount": "paidAmount"}


def report_roots(types: Types) -> list[Root]:
    return [_report(types), _receipt(types)]


def _report(types: Types) -> Root:
    report = object_type("CampaignReport", "Which campaigns bring clients, over a range of days.")
    add_fields(
        report,
        [
            field("rows", list_of(types["CampaignReportRow"]), "The rows, the greatest cost first."),
            field("totals", types["CampaignReportTotals"], "The sums over all rows."),
            field("metrics", list_of(types["Metric"]), METRICS_OF_REPORT.description),
            *standing_fields(),
            field("currency", str, "ISO 4217 code of all money in the report: the workspace's."),
            field(
                "otherCurrencies",
                list_of(_other_currency()),
                "What these days also cost and brought in other currencies, by their codes. It is part of no "
                "figure, since money of two currencies isn't added up.",
            ),
        ],
    )
    made = field(
        "campaignReport",
        optional(report),
        "Which campaigns bring clients: spend and what of it was lost to click fraud, visits, calls, leads, new "
        "clients, won deals, revenue, paid invoices and what follows. Each conversion is credited to the last "
        "touch that isn't direct. Days that lie in a closed period are as known when it was closed. Days are those "
        "of the workspace's time zone (of costs, the ad platform's), and money is in the workspace's currency.",
        [
            *standing_arguments(),
            argument("by", ReportGrain, "What a row is.", default=ReportGrain.CAMPAIGN),
        ],
    )

    def expression(planner: Planner, parent: str, details: Details, held: Any) -> str:
        arguments = {name: current(value) for name, value in planner.arguments(parent, details).items()}
        first, last, _ = period_of_arguments(arguments)
        grain = Grain(arguments["by"].value)
        statement = made_for_caller(
            lambda: campaign_report_statement(
                WORKSPACE, first, last, by=grain, as_known_at=held.as_known_at, rules=held.rules, fraud=True
            )
        )
        sql = planner.embed(bound(statement.sql, "report_workspace"), others(statement.params, "report_workspace"))
        sums = ", ".join(f"coalesce(sum({figure}), 0) as {figure}" for figure in (*FIGURES, *FRAUD))

        def value(name: str, each: Details) -> str:
            alias = planner.alias()
            match name:
                case "rows":
                    return many_objects(
                        planner.of_row(REPORT_ROW, each, alias),
                        planner.alias(),
                        f"from report {alias} order by {alias}.place",
                    )
                case "totals":
                    source = f"from (select {sums} from report) {alias}"
                    return one_object(planner.of_row(REPORT_TOTALS, each, alias), planner.alias(), source)
                case "metrics":
                    return planner.listing(METRICS_OF_REPORT, each, alias)
                case "otherCurrencies":
                    return _in_other_currencies(planner, each, first, last, held)
                case "currency":
                    return "(select w.currency from workspace w where w.id = %(workspace)s::uuid)"
            return standing_value(planner, name, held)

        pairs = planner.of_object("CampaignReport", details, value)
        answer = one_object(pairs, planner.alias())
        return f"(with report as ({numbered(sql)}) select * from {answer} answer)"

    return Root(made, expression, by_value=True, prepare=standing_of)


def _other_currency() -> Any:
    made = object_type("OtherCurrency", "Money in another currency than the workspace's, which figures leave out.")
    add_fields(
        made,
        [
            field("currency", str, "ISO 4217 code."),
            *(field(_MONEY_FIELDS[each], DecimalText, METRICS[each].meaning) for each in MONEY),
        ],
    )
    return made


def _in_other_currencies(planner: Planner, details: Details, first: date, last: date, held: Any) -> str:
    statement = other_currencies_statement(WORKSPACE, first, last, as_known_at=held.as_known_at)
    sql = planner.embed(bound(statement.sql, "report_workspace"), others(statement.params, "report_workspace"))
    alias = planner.alias()
    columns = {"currency": f"{alias}.currency"} | {
        _MONEY_FIELDS[each]: f"{alias}.{each}::numeric(18, 2)::text" for each in MONEY
    }
    pairs = planner.of_object("OtherCurrency", details, lambda name, _: columns[name])
    return many_objects(pairs, planner.alias(), f"from ({sql}) {alias} order by {alias}.currency")


def _receipt(types: Types) -> Root:
    kinds = (RECEIPT_CONVERSION, RECEIPT_SPEND, RECEIPT_VISIT)
    item = StrawberryUnion(
        name="ReceiptItem",
        type_annotations=tuple(StrawberryAnnotation(types[each.name]) for each in kinds),
        description="One thing that a figure counts: a conversion, a day of spend, or a visit.",
    )
    receipt = object_type("Receipt", "What a figure is made of.")
    add_fields(
        receipt,
        [
            field("total", DecimalText, "The figure: the sum of what its items count."),
            field(
                "items",
                list_of(item),
                "Everything that it counts, in order of time; for managers who see their own clients only, what of "
                "it is theirs.",
            ),
            hidden_items(),
        ],
    )
    made = field(
        "receipt",
        optional(receipt),
        "What a figure of the campaign report is made of, down to the records of the external systems.",
        [
            argument("figure", Figure, "Which figure."),
            argument("campaign", optional(strawberry.ID), "The campaign whose figure it is.", default=None),
            argument(
                "reason",
                optional(ENUMS[Unattributed]),
                "Instead of a campaign: the row of what belongs to none for this reason.",
                default=None,
            ),
            argument(
                "channel",
                optional(ENUMS[Channel]),
                "With a reason: only the row of this channel.",
                default=None,
            ),
            *standing_arguments(),
        ],
    )

    def expression(planner: Planner, parent: str, details: Details, held: Any) -> str:
        arguments = {name: current(value) for name, value in planner.arguments(parent, details).items()}
        first, last, _ = period_of_arguments(arguments)
        figure = arguments["figure"].value
        whose = whose_figure(arguments)
        statement = made_for_caller(
            lambda: receipt_statement(
                WORKSPACE, figure, whose, first, last, as_known_at=held.as_known_at, rules=held.rules
            )
        )
        sql = planner.embed(
            bound(statement.sql, "receipt_workspace"), others(statement.params, "receipt_workspace")
        )
        entity = _kind_of(figure)

        def value(name: str, each: Details) -> str:
            if name == "total":
                return "(select coalesce(sum(counted), 0)::text from items)"
            alias = planner.alias()
            seen = planner.tenant(entity, alias)
            if name == "hiddenCount":
                return f"(select count(*)::int from items {alias} where not ({seen}))"
            return many_objects(
                planner.of_row(entity, each, alias),
                planner.alias(),
                f"from items {alias} where {seen} order by {alias}.place",
            )

        pairs = planner.of_object("Receipt", details, value)
        answer = one_object(pairs, planner.alias())
        return f"(with items as materialized ({numbered(sql)}) select * from {answer} answer)"

    return Root(made, expression, by_value=True, prepare=standing_of)


def hidden_items() -> StrawberryField:
    """How much of a receipt its reader may not see."""
    return field(
        "hiddenCount",
        int,
        "How many more things it counts, of clients who aren't the caller's: the figure is the workspace's.",
    )


def period_arguments() -> list[StrawberryArgument]:
    """The days of a report, and as of when."""
    return [
        argument("from", DateText, "The first day."),
        argument("to", DateText, "The last day, included."),
        argument(
            "asKnownAt",
            optional(DateTimeText),
            "As it was known at that moment, before what was learnt later.",
            default=None,
        ),
    ]


def standing_arguments() -> list[StrawberryArgument]:
    """The days of a report, as of when, and whether a closed period decides that."""
    return [
        *period_arguments(),
        argument("asKnownNow", bool, "As known now, also where these days lie in a closed period.", default=False),
    ]


def standing_fields() -> list[StrawberryField]:
    """As of when a report is known, and the versions of the rules that apply in it."""
    return [
        field("knownAt", optional(DateTimeText), "As of when it is known; null: now."),
        field(
            "closedPeriod",
            optional(strawberry.ID),
            "The closed period that these days lie in, of `closedPeriods`, where it decided `knownAt`.",
        ),
        field("campaignRules", int, "Version of the rules that recognise campaigns; 0: there are none."),
        field("channelRules", int, "Version of the rules that group channels; 0: the usual channel groups."),
    ]


def standing_value(planner: Planner, name: str, held: Standing) -> str:
    """One of `standing_fields`, as SQL."""
    match name:
        case "knownAt":
            known = held.as_known_at
            return planner.bind(None if known is None else known.astimezone(UTC).isoformat(), "text")
        case "closedPeriod":
            return planner.bind(None if held.closed is None else str(held.closed.id), "text")
        case "campaignRules":
            return planner.bind(held.rules.campaign_version, "integer")
    return planner.bind(held.rules.channel_version, "integer")


async def standing_of(context: RequestContext, arguments: Mapping[str, Any]) -> Standing:
    """What holds for the report that these arguments ask for. Raises `CallerError`."""
    first, last, known = period_of_arguments(arguments)
    if known is not None and arguments["asKnownNow"]:
        raise CallerError("A report is either as known now or as known at a moment: leave one of them out.")
    workspace_id = context.viewer.workspace_id
    if known is None:
        alone = await fetch_value(context.office.database, workspace_id, ALONE, [workspace_id, first, last])
        if alone == b"true":
            return STANDS_ALONE
    async with snapshot(context) as conn:
        return await standing(
            conn,
            workspace_id,
            first,
            last,
            as_known_at=known,
            as_known_now=arguments["asKnownNow"],
        )


def period_of_arguments(arguments: Mapping[str, Any]) -> tuple[date, date, datetime | None]:
    """The days of a report, and as of when it was known. Raises `CallerError`."""
    first, last = date.fromisoformat(arguments["from"]), date.fromisoformat(arguments["to"])
    if last < first:
        raise CallerError(f"The range ends on {last}, before it begins on {first}.")
    if (last - first).days > _LONGEST_DAYS:
        raise CallerError("A report covers ten years at most.")
    known = arguments.get("asKnownAt")
    return first, last, None if known is None else datetime.fromisoformat(known)


def whose_figure(arguments: Mapping[str, Any]) -> Whose:
    """Whose figure it is. Raises `CallerError`."""
    campaign: Any = arguments.get("campaign")
    reason: Any = arguments.get("reason")
    channel: Any = arguments.get("channel")
    if (campaign is None) == (reason is None):
        raise CallerError("Name either a campaign or a reason, not both.")
    if campaign is None:
        return Whose(reason=reason.value, channel=channel.value if channel is not None else None)
    found = parse_id(campaign)
    if found is None or found[0] != "Campaign":
        raise CallerError(f"{campaign!r} isn't the id of a Campaign.")
    return Whose(campaign_id=found[1])


def _kind_of(figure: str) -> Any:
    if figure in ("cost", "impressions", "clicks"):
        return RECEIPT_SPEND
    return RECEIPT_VISIT if figure == "visits" else RECEIPT_CONVERSION


def made_for_caller(make: Callable[[], Any]) -> Any:
    """What is made; what can't be is the caller's fault."""
    try:
        return make()
    except ValueError as error:
        raise CallerError(str(error)) from None


WORKSPACE: Any = None
"""Plans are shared by workspaces: the statement's own parameter for it is replaced by the planner's."""


def numbered(sql: str) -> str:
    """The rows with their place, since an outer query promises no order."""
    return f"select r.*, row_number() over () as place from ({sql}) r"


def bound(sql: str, name: str) -> str:
    """The statement for whichever workspace asks."""
    return sql.replace(f"%({name})s", "%(workspace)s::uuid")


def others(parameters: dict[str, Any], name: str) -> dict[str, Any]:
    """The parameters but the workspace."""
    return {key: value for key, value in parameters.items() if key != name}
