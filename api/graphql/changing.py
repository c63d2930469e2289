# ruff: noqa: S608 - the SQL is put together from declarations of ours; values are bound, never written in
"""`reportComparison`, `reportChanges` and `unattributed`: a report beside an earlier one, what changed in it since
it was believed to be another, and what belongs to no campaign."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from api.graphql.build import add_fields, argument, field, list_of, object_type, optional
from api.graphql.enums import ENUMS
from api.graphql.errors import CallerError
from api.graphql.model.changed import (
    CHANGED_BY_CAUSE,
    CHANGED_CELL,
    CHANGED_CONVERSION,
    CHANGED_COST,
    CHANGED_TOTALS,
    COMPARED_ROW,
    COMPARED_TOTALS,
    UNATTRIBUTED_ROW,
)
from api.graphql.plan import Details, Planner
from api.graphql.reporting import (
    WORKSPACE,
    ReportGrain,
    bound,
    made_for_caller,
    numbered,
    others,
    period_of_arguments,
    standing_arguments,
    standing_of,
)
from api.graphql.roots import Root
from api.graphql.rows import many_objects, one_object
from api.graphql.run import RequestContext, snapshot
from api.graphql.scalars import DateText, DateTimeText
from api.graphql.types import Types
from api.graphql.values import current
from core import clock
from reports.campaigns import Grain, Statement, campaign_report_statement
from reports.changes import (
    ChangeCause,
    changed_conversions_statement,
    changed_costs_statement,
    what_changed_statement,
)
from reports.paths import NIL
from reports.periods import Earlier, earlier
from reports.rollups import FIGURES
from reports.rulebook import campaigns_meant_at
from reports.rules import Grouping
from reports.standing import Standing, standing

LARGEST_EVENTS = 10_000
_SUMS = ", ".join(f"coalesce(sum({figure}), 0) as {figure}" for figure in FIGURES)
_AS_JSON = "json_build_object(" + ", ".join(f"'{each}', {{of}}.{each}" for each in FIGURES) + ")"
_ZERO = "json_build_object(" + ", ".join(f"'{each}', 0" for each in FIGURES) + ")"


@dataclass(frozen=True, slots=True)
class _Moments:
    """Two moments of knowledge, with which campaigns tags meant at each."""

    before: datetime
    after: datetime
    rules_before: Grouping
    rules_after: Grouping


def changing_roots(types: Types) -> list[Root]:
    return [_comparison(types), _changes(types), _unattributed(types)]


def _comparison(types: Types) -> Root:
    made = object_type("ReportComparison", "A report beside that of an earlier period.")
    add_fields(
        made,
        [
            field("earlierFrom", DateText, "The first day of the earlier period."),
            field("earlierTo", DateText, "The last day of the earlier period."),
            field("rows", list_of(types["ComparedRow"]), "Rows of either report, the greatest cost now first."),
            field("totals", types["ComparedTotals"], "The sums over all rows."),
        ],
    )
    comparison = field(
        "reportComparison",
        optional(made),
        "The campaign report beside that of the period before or of the same days last year. Either is as known "
        "when it was closed, if its days lie in a closed period.",
        [
            *standing_arguments(),
            argument("than", ENUMS[Earlier], "What to compare with.", default=ENUMS[Earlier].PERIOD),
            argument("by", ReportGrain, "What a row is; not days or months.", default=ReportGrain.CAMPAIGN),
        ],
    )

    async def prepare(context: RequestContext, arguments: Mapping[str, Any]) -> tuple[Standing, Standing]:
        start, end, _ = period_of_arguments(arguments)
        first, last = earlier(start, end, arguments["than"].value)
        before = {**arguments, "from": first.isoformat(), "to": last.isoformat()}
        return await standing_of(context, arguments), await standing_of(context, before)

    def expression(planner: Planner, parent: str, details: Details, source: Any) -> str:
        arguments = {name: current(value) for name, value in planner.arguments(parent, details).items()}
        start, end, _ = period_of_arguments(arguments)
        grain = Grain(arguments["by"].value)
        if grain.period is not None:
            raise CallerError("Periods are compared as a whole: ask for rows without days or months.")
        former_start, former_end = earlier(start, end, arguments["than"].value)

        def report(first: Any, last: Any, prefix: str, held: Standing) -> str:
            statement = campaign_report_statement(
                WORKSPACE, first, last, by=grain, as_known_at=held.as_known_at, rules=replace(held.rules, groups={})
            )
            return _embedded(planner, statement, prefix)

        held_now, held_before = source
        now = report(start, end, "now_", held_now)
        before = report(former_start, former_end, "before_", held_before)
        # A campaign's channel may be told anew; it is the same campaign.
        keys = " and ".join(
            f"{same.format(of='n')} = {same.format(of='b')}"
            for same in (
                f"coalesce({{of}}.campaign_id, '{NIL}')",
                "coalesce({of}.reason, '')",
                "case when {of}.campaign_id is null then coalesce({of}.channel, '') else '' end",
            )
        )
        shown = ", ".join(
            f"coalesce(n.{each}, b.{each}) as {each}" for each in ("campaign_id", "name", "channel", "reason")
        )
        sides = ", ".join(
            f"case when {of}.cost is null then {_ZERO} else {_AS_JSON.format(of=of)} end as {name}"
            for of, name in (("n", "now"), ("b", "before"))
        )
        compared = (
            f"select {shown}, {sides}, coalesce(n.place, b.place + 1000000000) as place "
            f"from now_report n full join before_report b on {keys}"
        )
        total = (
            f"select (select {_AS_JSON.format(of='s')} from (select {_SUMS} from now_report) s) as now, "
            f"(select {_AS_JSON.format(of='s')} from (select {_SUMS} from before_report) s) as before"
        )

        def value(name: str, each: Details) -> str:
            alias = planner.alias()
            match name:
                case "rows":
                    source = f"from ({compared}) {alias} order by {alias}.place"
                    return many_objects(planner.of_row(COMPARED_ROW, each, alias), planner.alias(), source)
                case "totals":
                    source = f"from ({total}) {alias}"
                    return one_object(planner.of_row(COMPARED_TOTALS, each, alias), planner.alias(), source)
                case "earlierFrom":
                    return planner.bind(former_start.isoformat(), "date")
            return planner.bind(former_end.isoformat(), "date")

        answer = one_object(planner.of_object("ReportComparison", details, value), planner.alias())
        return (
            f"(with now_report as materialized ({numbered(now)}), "
            f"before_report as materialized ({numbered(before)}) select * from {answer} answer)"
        )

    return Root(comparison, expression, by_value=True, prepare=prepare)


def _changes(types: Types) -> Root:
    made = object_type("ReportChanges", "What changed in a report between two moments of knowledge, and why.")
    first = argument("first", int, f"How many, {LARGEST_EVENTS} at most.", default=100)
    add_fields(
        made,
        [
            field("totals", types["ReportChangeTotals"], "The later report less the earlier one."),
            field("byCause", list_of(types["ReportChangeByCause"]), "The totals by cause; they add up exactly."),
            field("rows", list_of(types["ReportChange"]), "The same by campaign."),
            field(
                "conversions",
                list_of(types["ChangedConversion"]),
                "The conversions behind it, the newest change first.",
                [argument("cause", optional(ENUMS[ChangeCause]), "Only of this cause.", default=None), first],
            ),
            field("costs", list_of(types["ChangedCost"]), "The costs behind it, the newest change first.", [first]),
        ],
    )
    changes = field(
        "reportChanges",
        optional(made),
        "Why the campaign report is another one than it was known to be: the difference between two moments of "
        "knowledge, by cause, down to the events. The model is last non-direct touch.",
        [
            argument("from", DateText, "The first day of the report."),
            argument("to", DateText, "The last day of the report, included."),
            argument(
                "knownBefore",
                optional(DateTimeText),
                "The earlier moment of knowledge; not given: when the period was closed that these days lie in.",
                default=None,
            ),
            argument(
                "knownAfter", optional(DateTimeText), "The later moment of knowledge; not given: now.", default=None
            ),
        ],
    )

    async def prepare(context: RequestContext, arguments: Mapping[str, Any]) -> _Moments:
        start, end, _ = period_of_arguments(arguments)
        given = (arguments.get("knownBefore"), arguments.get("knownAfter"))
        before, after = (None if at is None else datetime.fromisoformat(at) for at in given)
        workspace_id = context.viewer.workspace_id
        async with snapshot(context) as conn:
            if before is None:
                closed = (await standing(conn, workspace_id, start, end)).closed
                if closed is None:
                    raise CallerError(
                        "These days lie in no closed period: say with knownBefore since when changes are asked for."
                    )
                before = closed.known_at
            after = after or max(before, clock.now())
            rules = [await campaigns_meant_at(conn, workspace_id, at) for at in (before, after)]
        return _Moments(before, after, *rules)

    def expression(planner: Planner, parent: str, details: Details, moments: Any) -> str:
        arguments = {name: current(value) for name, value in planner.arguments(parent, details).items()}
        start, end, _ = period_of_arguments(arguments)
        asked = (WORKSPACE, start, end, moments.before, moments.after)
        rules = (moments.rules_before, moments.rules_after)
        changed = _embedded(planner, made_for_caller(lambda: what_changed_statement(*asked, *rules)), "changed_")

        def value(name: str, each: Details) -> str:
            alias = planner.alias()
            match name:
                case "totals":
                    source = f"from (select {_SUMS} from changed) {alias}"
                    return one_object(planner.of_row(CHANGED_TOTALS, each, alias), planner.alias(), source)
                case "byCause":
                    sums = (
                        f"select cause, sum(events) as events, min(place) as place, {_SUMS} from changed group by 1"
                    )
                    source = f"from ({sums}) {alias} order by {alias}.place"
                    return many_objects(planner.of_row(CHANGED_BY_CAUSE, each, alias), planner.alias(), source)
                case "rows":
                    source = f"from changed {alias} order by {alias}.place"
                    return many_objects(planner.of_row(CHANGED_CELL, each, alias), planner.alias(), source)
            wanted = {key: current(one) for key, one in planner.arguments("ReportChanges", each).items()}
            limit = wanted["first"]
            if not 0 <= limit <= LARGEST_EVENTS:
                raise CallerError(f"Ask for 0 to {LARGEST_EVENTS} events, not {limit}.")
            if name == "costs":
                statement, entity = changed_costs_statement(*asked), CHANGED_COST
            else:
                cause = wanted["cause"]
                told = None if cause is None else cause.value
                statement, entity = changed_conversions_statement(*asked, told), CHANGED_CONVERSION
            sql = _embedded(planner, statement, f"events{alias.strip(chr(34))}_")
            rows = f"select * from ({numbered(sql)}) n where {planner.tenant(entity, 'n')}"
            page = f"{rows} order by place limit {planner.bind(limit, 'integer')}"
            source = f"from ({page}) {alias} order by {alias}.place"
            return many_objects(planner.of_row(entity, each, alias), planner.alias(), source)

        answer = one_object(planner.of_object("ReportChanges", details, value), planner.alias())
        return f"(with changed as materialized ({numbered(changed)}) select * from {answer} answer)"

    return Root(changes, expression, by_value=True, prepare=prepare)


def _unattributed(types: Types) -> Root:
    found = field(
        "unattributed",
        optional(list_of(types["UnattributedRow"])),
        "What belongs to no campaign, by reason and channel, with what would mend it; the most revenue first. Days "
        "that lie in a closed period are as known when it was closed.",
        standing_arguments(),
    )

    def expression(planner: Planner, parent: str, details: Details, held: Any) -> str:
        arguments = {name: current(value) for name, value in planner.arguments(parent, details).items()}
        start, end, _ = period_of_arguments(arguments)
        statement = campaign_report_statement(WORKSPACE, start, end, as_known_at=held.as_known_at)
        sql = _embedded(planner, statement, "report_")
        alias = planner.alias()
        source = (
            f"from ({numbered(sql)}) {alias} where {alias}.reason is not null "
            f"order by {alias}.revenue desc, {alias}.place"
        )
        return many_objects(planner.of_row(UNATTRIBUTED_ROW, details, alias), planner.alias(), source)

    return Root(found, expression, by_value=True, prepare=standing_of)


def _embedded(planner: Planner, statement: Statement, prefix: str) -> str:
    """The statement with parameters of its own, for whichever workspace asks."""
    sql = bound(statement.sql, "report_workspace").replace("%(report_", f"%({prefix}")
    named = {
        name.replace("report_", prefix, 1): value
        for name, value in others(statement.params, "report_workspace").items()
    }
    return planner.embed(sql, named)
