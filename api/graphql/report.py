# ruff: noqa: S608 - the SQL is put together from declarations of ours; values are bound, never written in
"""`report`: any dimensions and metrics at once, the workspace's own among them, sorted and filtered by metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import strawberry

from api.graphql.attributing import crediting_arguments, settings_of
from api.graphql.build import add_fields, argument, list_of, object_type, optional
from api.graphql.build import field as graphql_field
from api.graphql.enums import ENUMS, AttributionModel, Nulls, OrderDirection
from api.graphql.errors import CallerError
from api.graphql.model.report import METRIC_FIELDS, REPORT_CELL, REPORT_SUMS
from api.graphql.plan import Details, Planner
from api.graphql.reporting import (
    bound,
    others,
    period_of_arguments,
    standing_arguments,
    standing_fields,
    standing_of,
    standing_value,
)
from api.graphql.roots import Root
from api.graphql.rows import Pair, many_objects, one_object
from api.graphql.run import RequestContext, snapshot
from api.graphql.scalars import DecimalText
from api.graphql.types import Types
from api.graphql.values import current
from reports.by_model import ROLLED_UP, Question
from reports.campaigns import Grain
from reports.dimensions import Dimension, ServedFrom
from reports.facts import ALL_METRICS
from reports.grouped import grouped_statement, rules_for
from reports.metrics import Metric
from reports.own_metrics import own_metrics
from reports.rules import Grouping
from reports.standing import Standing
from reports.stored_paths import DatedBy
from reports.terms import Terms, read_terms
from reports.touch_shares import TouchShares, touch_shares

DEFAULT_ROWS, LARGEST_ROWS = 100, 10_000
_MOST_DIMENSIONS, _MOST_TERMS = 6, 10
_SIGNS = {"eq": "=", "ne": "<>", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


@strawberry.input(description="A metric by which rows are filtered; all that is given must hold.")
class MetricCondition:
    metric: str = strawberry.field(description="Name of a metric, the workspace's own among them.")
    eq: DecimalText | None = strawberry.field(default=None, description="Equal to this.")
    ne: DecimalText | None = strawberry.field(default=None, description="Not equal to this.")
    gt: DecimalText | None = strawberry.field(default=None, description="Greater than this.")
    gte: DecimalText | None = strawberry.field(default=None, description="Greater than this, or equal.")
    lt: DecimalText | None = strawberry.field(default=None, description="Less than this.")
    lte: DecimalText | None = strawberry.field(default=None, description="Less than this, or equal.")


@strawberry.input(description="A metric by which rows are sorted.")
class MetricOrder:
    metric: str = strawberry.field(description="Name of a metric, the workspace's own among them.")
    direction: OrderDirection = strawberry.field(default=OrderDirection.DESC, description="Which way.")
    nulls: Nulls = strawberry.field(default=Nulls.LAST, description="Where rows without a value stand.")


@dataclass(slots=True)
class _Report:
    """One `report` as it is planned: the figures that must be counted are known once all is selected."""

    terms: Terms
    currency: str
    own: Mapping[str, Metric]
    rules: Grouping
    held: Standing
    shares: TouchShares | None
    figures: set[str] = field(default_factory=set)

    def metric(self, name: str) -> Metric:
        """The metric of that name, as a field or as in formulas; its figures will be counted."""
        found = self.own.get(name) or ALL_METRICS.get(METRIC_FIELDS.get(name, name))
        if found is None:
            raise CallerError(f"There is no metric {name!r}; `metrics` lists those that there are.")
        self.figures |= found.formula.figures()
        return found


def any_report_roots(types: Types) -> list[Root]:
    return [_report(types)]


def _report(types: Types) -> Root:
    own = graphql_field(
        "own",
        optional(DecimalText),
        "A metric of the workspace's own; null where there is nothing to divide by.",
        [argument("metric", str, "Its key, out of `metrics`.")],
    )
    exact = graphql_field(
        "exact",
        optional(DecimalText),
        "Any metric, unrounded: by models that part conversions, counts are fractions, and fields of whole numbers "
        "round them.",
        [argument("metric", str, "Name of a metric, the workspace's own among them.")],
    )
    for name in ("ReportRow", "ReportSums"):
        add_fields(types[name], [own, exact])
    made = object_type("Report", "Metrics by any dimensions at once.")
    add_fields(
        made,
        [
            graphql_field("rows", list_of(types["ReportRow"]), "The rows, as many as `first` says."),
            graphql_field("rowCount", int, "How many rows there are, also beyond `first`."),
            graphql_field("totals", types["ReportSums"], "The sums over all rows, also beyond `first`."),
            graphql_field(
                "servedFrom",
                ENUMS[ServedFrom],
                "From what it was counted: from the rollups at once, or from paths and records when asked.",
            ),
            *standing_fields(),
            graphql_field("currency", str, "ISO 4217 code of all money in the report."),
        ],
    )
    root = graphql_field(
        "report",
        optional(made),
        "Metrics by any dimensions at once. What lies in the campaign tree and in time, needs the figures of "
        "`campaignReport` only and asks for the present by last non-direct touch is answered at once; all else is "
        "counted when asked, and `servedFrom` says so. Days that lie in a closed period are as known when it was "
        "closed. Of a past moment there are the figures of `campaignReport`; by another model those that a part of "
        "a conversion adds a part to.",
        [
            *standing_arguments(),
            argument(
                "model",
                ENUMS[AttributionModel],
                "By which model conversions are credited; Markov's can't be: it credits no single touch.",
                default=ENUMS[AttributionModel].LAST_NON_DIRECT,
            ),
            *crediting_arguments(),
            argument("by", list_of(ENUMS[Dimension]), f"By what rows are told apart, {_MOST_DIMENSIONS} at most."),
            argument(
                "having",
                optional(list_of(MetricCondition)),
                "Only rows for which all of it holds; the totals are those of these rows.",
                default=None,
            ),
            argument(
                "orderBy",
                optional(list_of(MetricOrder)),
                "The order; not given: by time, then the greatest cost, revenue and number of visits.",
                default=None,
            ),
            argument("first", int, f"How many rows, {LARGEST_ROWS} at most.", default=DEFAULT_ROWS),
        ],
    )

    async def prepare(context: RequestContext, arguments: Mapping[str, Any]) -> _Report:
        by = {Dimension(each.value) for each in arguments["by"]}
        start, end, _ = period_of_arguments(arguments)
        held = await standing_of(context, arguments)
        async with snapshot(context) as conn:
            terms = await read_terms(conn, context.viewer.workspace_id)
            own = await own_metrics(conn, context.viewer.workspace_id)
            rules = await rules_for(conn, context.viewer.workspace_id, by, held.as_known_at)
            shares, model = None, str(arguments["model"].value)
            dated, window = DatedBy(arguments["datedBy"].value), arguments["windowDays"]
            if model != ROLLED_UP or dated is not DatedBy.EVENT or window is not None:
                question = Question(
                    conn,
                    terms,
                    start,
                    end,
                    Grain.CAMPAIGN,
                    held.as_known_at,
                    dated,
                    window_days=window,
                    rules=rules,
                )
                try:
                    shares = await touch_shares(question, model, settings_of(arguments))
                except ValueError as error:
                    raise CallerError(str(error)) from None
            return _Report(terms, terms.currency, own, rules, held, shares)

    def expression(planner: Planner, parent: str, details: Details, report: Any) -> str:
        arguments = {name: current(value) for name, value in planner.arguments(parent, details).items()}
        start, end, _ = period_of_arguments(arguments)
        by = _dimensions(arguments["by"])
        if not 0 <= arguments["first"] <= LARGEST_ROWS:
            raise CallerError(f"Ask for 0 to {LARGEST_ROWS} rows, not {arguments['first']}.")
        r = planner.alias()
        where = _having(planner, report, arguments["having"] or (), r)
        order = _order(report, arguments["orderBy"] or (), r, by)
        limit = planner.bind(arguments["first"], "integer")

        def metrics(type_name: str, each: Details, x: str) -> list[Pair]:
            entity = REPORT_CELL if type_name == "ReportRow" else REPORT_SUMS

            def value(name: str, of: Details) -> str:
                if name == "own":
                    metric = report.metric(current(planner.arguments(type_name, of)["metric"]))
                    if metric.key not in report.own:
                        raise CallerError(f"{metric.key!r} is no metric of your own: it has a field of its name.")
                    return f"{metric.formula.sql(x)}::text"
                if name == "exact":
                    metric = report.metric(current(planner.arguments(type_name, of)["metric"]))
                    return f"trim_scale(({metric.formula.sql(x)})::numeric)::text"
                if name in METRIC_FIELDS:
                    report.metric(name)
                return planner.value(entity, name, of, x)

            return planner.of_object(type_name, each, value)

        def sums(x: str) -> str:
            return ", ".join(f"coalesce(sum({x}.{figure}), 0) as {figure}" for figure in sorted(report.figures))

        parts: list[tuple[str, Any]] = []
        for key, each in planner.selected("Report", details).items():
            name, alias = each[0].node.name.value, planner.alias()
            if name in ("rows", "totals"):
                of = "ReportRow" if name == "rows" else "ReportSums"
                parts.append((key, (name, metrics(of, each, alias), alias)))
            else:
                parts.append((key, (name, None, alias)))
        # Only now all figures are known that the statement must count.
        if any(name in ("rows", "rowCount") for _, (name, _, _) in parts) and not report.figures:
            report.metric("visits")
        try:
            statement, served = grouped_statement(
                report.terms,
                start,
                end,
                by,
                report.figures,
                report.rules,
                as_known_at=report.held.as_known_at,
                shares=report.shares,
            )
        except ValueError as error:
            raise CallerError(str(error)) from None
        sql = planner.embed(bound(statement.sql, "report_workspace"), others(statement.params, "report_workspace"))
        kept = f"from report {r} where {where}"

        def answer(name: str, pairs: list[Pair] | None, alias: str) -> str:
            match name:
                case "rows":
                    page = f"select {r}.*, row_number() over (order by {order}) as place {kept}"
                    source = f"from ({page}) {alias} where {alias}.place <= {limit} order by {alias}.place"
                    return many_objects(pairs or [], planner.alias(), source)
                case "totals":
                    counted = sums(r) or "0 as nothing"
                    return one_object(pairs or [], planner.alias(), f"from (select {counted} {kept}) {alias}")
                case "rowCount":
                    return f"(select count(*) {kept})"
                case "servedFrom":
                    return f"'{served.name}'::text"
                case "__typename":
                    return "'Report'::text"
                case "currency":
                    return planner.bind(report.currency, "text")
            return standing_value(planner, name, report.held)

        pairs = [(key, answer(*part)) for key, part in parts]
        whole = one_object(pairs, planner.alias())
        return f"(with report as materialized ({sql}) select * from {whole} answer)"

    return Root(root, expression, prepare=prepare)


def _dimensions(given: Sequence[Any]) -> list[Dimension]:
    by = [Dimension(each.value) for each in given]
    if len(by) > _MOST_DIMENSIONS or len(set(by)) < len(by):
        raise CallerError(f"Name up to {_MOST_DIMENSIONS} dimensions, each once.")
    return by


def _having(planner: Planner, report: _Report, conditions: Sequence[Mapping[str, Any]], x: str) -> str:
    if len(conditions) > _MOST_TERMS:
        raise CallerError(f"At most {_MOST_TERMS} conditions fit here.")
    found = []
    for each in conditions:
        value = report.metric(current(each["metric"])).formula.sql(x)
        signs = [(sign, each[name]) for name, sign in _SIGNS.items() if each.get(name) is not None]
        if not signs:
            raise CallerError(f"Say what {current(each['metric'])!r} must be: eq, ne, gt, gte, lt or lte.")
        found += [f"{value} {sign} {planner.bind(limit, 'numeric')}" for sign, limit in signs]
    return " and ".join(found) or "true"


def _order(report: _Report, terms: Sequence[Mapping[str, Any]], x: str, by: Sequence[Dimension]) -> str:
    """The order asked for; then by time, so that pages of equals don't change places."""
    if len(terms) > _MOST_TERMS:
        raise CallerError(f"At most {_MOST_TERMS} terms fit here.")
    found = []
    for each in terms:
        value = report.metric(current(each["metric"])).formula.sql(x)
        descending = " desc" if current(each["direction"]).value == "DESC" else ""
        found.append(f"{value}{descending} nulls {current(each['nulls']).value.lower()}")
    times = [f"{x}.{each}" for each in (Dimension.DAY, Dimension.WEEK, Dimension.MONTH) if each in by]
    if not terms:
        found += times + [f"{report.metric(name).formula.sql(x)} desc" for name in ("cost", "revenue", "visits")]
    tail: tuple[str, ...] = (
        "name",
        "channel",
        "reason",
        "source",
        "ad_group_key",
        "keyword_key",
        "ad_key",
        "manager_id",
        "city",
    )
    tail += ("device", "landing_page", "stage_id", "lost_reason", "product_key", "campaign_id")
    return ", ".join([*found, *times, *(f"{x}.{name}" for name in tail)])
