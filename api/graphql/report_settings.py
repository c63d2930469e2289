"""What people decide about reports over the API: metrics of their own, costs by hand, rates, and plans."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, cast
from uuid import UUID, uuid4

import strawberry
from sqlalchemy.ext.asyncio import AsyncConnection

from api.graphql.build import field as graphql_field
from api.graphql.build import optional
from api.graphql.declare import camel
from api.graphql.enums import ENUMS
from api.graphql.ids import global_id
from api.graphql.once import IdempotencyKey, once
from api.graphql.problems import InputProblem, InputRefused, problem, row_id, written_text
from api.graphql.run import RequestContext, snapshot
from api.graphql.scalars import DateText, DecimalText
from api.graphql.written import REMOVAL, Info, Written, act, allowed, payload_type
from core.database import PsycopgConnection, driver
from reports import own_metrics, report_costs
from reports.facts import ALL_METRICS
from reports.formulas import FormulaError
from reports.metrics import Metric, Unit
from reports.report_costs import RateKind
from schema.enums import Channel, Role

DECIDERS = frozenset({Role.OWNER, Role.MANAGER, Role.ANALYST})
"""Who may define metrics: an analyst too, since they change no figure that there is."""
ACCOUNTANTS = frozenset({Role.OWNER, Role.MANAGER})
"""Who may change costs and plans."""
_LONGEST_TITLE = 200


@strawberry.type(description="What a metric of reports is, and by whose definition.")
class ReportMetric:
    key: str = strawberry.field(description="Name of its field in reports; of your own metrics its key.")
    formulaName: str = strawberry.field(description="Its name in formulas.")  # noqa: N815
    name: str = strawberry.field(description="Its name in English.")
    nameRu: str = strawberry.field(description="Its name in Russian.")  # noqa: N815
    unit: ENUMS[Unit] = strawberry.field(  # type: ignore[valid-type]  # made from data
        description="What it is measured in; money is in the workspace's currency."
    )
    formula: str = strawberry.field(description="How it is computed from sums.")
    meaning: str = strawberry.field(description="What it says.")
    source: str = strawberry.field(description="Who defines it so.")
    basis: str | None = strawberry.field(description="What counts as revenue in it, where revenue is in it.")
    own: bool = strawberry.field(description="Whether the workspace has defined it itself.")


@strawberry.type(description="A percentage on ad costs that holds from a day on.")
class CostRate:
    id: strawberry.ID = strawberry.field(description="Its id.")
    kind: ENUMS[RateKind] = strawberry.field(description="What it is.")  # type: ignore[valid-type]
    platform: str | None = strawberry.field(description="Of which ad platform's campaigns; null: of all.")
    percent: DecimalText = strawberry.field(description="Of the cost without VAT.")
    validFrom: DateText = strawberry.field(description="The first day.")  # noqa: N815
    validTo: DateText | None = strawberry.field(description="The last day; null: until further notice.")  # noqa: N815


@strawberry.type(description="A cost that no ad platform reports, spread evenly over its days.")
class CostByHand:
    id: strawberry.ID = strawberry.field(description="Its id.")
    title: str = strawberry.field(description="What it is for.")
    campaign: strawberry.ID | None = strawberry.field(description="Global id of the campaign that it belongs to.")
    channel: ENUMS[Channel] | None = strawberry.field(  # type: ignore[valid-type]
        description="The channel that it belongs to, if to no campaign."
    )
    firstDay: DateText = strawberry.field(description="The first day.")  # noqa: N815
    lastDay: DateText = strawberry.field(description="The last day.")  # noqa: N815
    amount: DecimalText = strawberry.field(description="For all its days, without VAT.")


@dataclass
class _Answer:
    """What a mutation here did."""

    metric: ReportMetric | None = None
    rate: CostRate | None = None
    cost: CostByHand | None = None
    problems: list[InputProblem] = field(default_factory=list)


_Key = Annotated[
    str, strawberry.argument(description="Its key, out of small Latin letters, digits and underlines.")
]
_Title = Annotated[str, strawberry.argument(description="What people call it.")]
_Percent = Annotated[DecimalText, strawberry.argument(description="Percent of the cost without VAT.")]


def _told(metric: Metric, *, own: bool) -> ReportMetric:
    return ReportMetric(
        key=metric.key if own else camel(metric.key),
        formulaName=metric.key,
        name=metric.name_en,
        nameRu=metric.name_ru,
        unit=ENUMS[Unit](metric.unit.value),
        formula=metric.formula.text(),
        meaning=metric.meaning,
        source=metric.source,
        basis=metric.basis,
        own=own,
    )


async def _metrics(info: Info) -> list[ReportMetric] | None:
    async with snapshot(info.context) as conn:
        own = await own_metrics.own_metrics(conn, info.context.viewer.workspace_id)
    return [
        *(_told(metric, own=False) for metric in ALL_METRICS.values()),
        *(_told(metric, own=True) for metric in own.values()),
    ]


async def _create_metric(
    info: Info,
    key: _Key,
    title: _Title,
    unit: Annotated[ENUMS[Unit], strawberry.argument(description="What it is measured in.")],  # type: ignore[valid-type]
    formula: Annotated[
        str,
        strawberry.argument(
            description="Names of metrics (`formulaName` in `metrics`), numbers, + - * / and parentheses: "
            "`(revenue - cost) / cost * 100`. It is computed from sums; what would divide by zero is null."
        ),
    ],
) -> Any:
    context = allowed(info, DECIDERS)
    words = written_text("title", title, _LONGEST_TITLE)
    async with context.office.database.workspace(context.viewer.workspace_id) as db:
        try:
            made = await own_metrics.define(
                driver(db),
                context.viewer.workspace_id,
                key,
                words,
                Unit(cast("Any", unit).value),
                formula,
                context.viewer.token_id,
            )
        except FormulaError as error:
            raise InputRefused(InputProblem(field="formula", code="BAD_FORMULA", message=str(error))) from None
    return _Answer(metric=_told(made, own=True))


async def _delete_metric(info: Info, key: _Key) -> Any:
    context = allowed(info, DECIDERS)
    async with context.office.database.workspace(context.viewer.workspace_id) as db:
        try:
            gone = await own_metrics.remove(driver(db), context.viewer.workspace_id, key)
        except FormulaError as error:
            raise InputRefused(InputProblem(field="key", code="STILL_NEEDED", message=str(error))) from None
    return Written(removed=gone)


async def _rates(info: Info) -> list[CostRate] | None:
    return await _all_rates(info)


async def _all_rates(info: Info) -> list[CostRate]:
    async with snapshot(info.context) as conn:
        found = await report_costs.rates(conn, info.context.viewer.workspace_id)
    return [
        CostRate(
            id=strawberry.ID(str(each.id)),
            kind=ENUMS[RateKind](each.kind.value),
            platform=each.platform,
            percent=DecimalText(f"{each.percent.normalize():f}"),
            validFrom=DateText(each.valid_from.isoformat()),
            validTo=None if each.valid_to is None else DateText(each.valid_to.isoformat()),
        )
        for each in found
    ]


async def _add_rate(
    info: Info,
    kind: Annotated[ENUMS[RateKind], strawberry.argument(description="What it is.")],  # type: ignore[valid-type]
    percent: _Percent,
    since: Annotated[DateText, strawberry.argument(name="validFrom", description="The first day.")],
    until: Annotated[
        DateText | None, strawberry.argument(name="validTo", description="The last day; not given: no end.")
    ] = None,
    platform: Annotated[
        str | None,
        strawberry.argument(description="Key of the ad platform's connector; not given: of all platforms."),
    ] = None,
    key: IdempotencyKey = None,
) -> Any:
    context = allowed(info, ACCOUNTANTS)
    rate = report_costs.Rate(
        uuid4(),
        RateKind(cast("Any", kind).value),
        platform,
        Decimal(percent),
        date.fromisoformat(since),
        None if until is None else date.fromisoformat(until),
    )
    _check(not 0 <= rate.percent <= 1000, "percent", "OUT_OF_RANGE", least=0, most=1000)
    _check(rate.valid_to is not None and rate.valid_to < rate.valid_from, "validTo", "BEFORE_BEGINNING")

    async def write(conn: PsycopgConnection) -> UUID:
        await report_costs.add_rate(conn, context.viewer.workspace_id, rate, context.viewer.token_id)
        return rate.id

    arguments = {"kind": rate.kind, "platform": platform, "percent": percent, "from": since, "to": until}
    made = await _once(context, key, "addCostRate", arguments, write)
    return _Answer(rate=next((each for each in await _all_rates(info) if each.id == str(made)), None))


async def _remove_rate(
    info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="Its id, out of `costRates`.")]
) -> Any:
    context = allowed(info, ACCOUNTANTS)
    async with context.office.database.workspace(context.viewer.workspace_id) as db:
        gone = await report_costs.remove_rate(driver(db), context.viewer.workspace_id, _plain_id(id, "CostRate"))
    return Written(removed=gone)


async def _costs(info: Info) -> list[CostByHand] | None:
    async with snapshot(info.context) as conn:
        found = await report_costs.manual_costs(conn, info.context.viewer.workspace_id)
    return [_cost(each) for each in found]


async def _add_cost(
    info: Info,
    title: _Title,
    amount: Annotated[
        DecimalText, strawberry.argument(description="For all its days, without VAT, in the workspace's currency.")
    ],
    first: Annotated[DateText, strawberry.argument(name="firstDay", description="The first day.")],
    last: Annotated[DateText, strawberry.argument(name="lastDay", description="The last day.")],
    campaign: Annotated[
        strawberry.ID | None, strawberry.argument(description="Global id of the campaign that it belongs to.")
    ] = None,
    channel: Annotated[
        ENUMS[Channel] | None,  # type: ignore[valid-type]
        strawberry.argument(description="The channel that it belongs to, if to no campaign."),
    ] = None,
    key: IdempotencyKey = None,
) -> Any:
    context = allowed(info, ACCOUNTANTS)
    cost = report_costs.Manual(
        uuid4(),
        None if campaign is None else row_id("campaign", campaign, "Campaign"),
        None if channel is None or campaign is not None else str(cast("Any", channel).value),
        written_text("title", title, _LONGEST_TITLE),
        date.fromisoformat(first),
        date.fromisoformat(last),
        Decimal(amount),
    )
    _check(not abs(cost.amount) < Decimal(10) ** 15, "amount", "OUT_OF_RANGE", least="-10^15", most="10^15")
    _check(cost.last_day < cost.first_day, "lastDay", "BEFORE_BEGINNING")
    _check((cost.last_day - cost.first_day).days > report_costs.LONGEST_DAYS, "lastDay", "TOO_MANY_DAYS")

    async def write(conn: PsycopgConnection) -> UUID:
        known = await report_costs.add_manual(conn, context.viewer.workspace_id, cost, context.viewer.token_id)
        _check(not known, "campaign", "NOT_FOUND", type="Campaign")
        return cost.id

    arguments = {"title": title, "amount": amount, "from": first, "to": last, "of": campaign, "in": cost.channel}
    made = await _once(context, key, "addCost", arguments, write)
    async with snapshot(context) as conn:
        found = await report_costs.manual_costs(conn, context.viewer.workspace_id, made)
    return _Answer(cost=_cost(found[0]) if found else None)


async def _remove_cost(
    info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="Its id, out of `costsByHand`.")]
) -> Any:
    context = allowed(info, ACCOUNTANTS)
    async with context.office.database.workspace(context.viewer.workspace_id) as db:
        gone = await report_costs.remove_manual(
            driver(db), context.viewer.workspace_id, _plain_id(id, "CostByHand")
        )
    return Written(removed=gone)


def report_setting_fields() -> list[Any]:
    """The fields of `Query` that list what was decided."""
    return [
        strawberry.field(
            _metrics, name="metrics", description="All metrics of reports, your own after the others."
        ),
        strawberry.field(_rates, name="costRates", description="VAT and agency fees, the newest first."),
        strawberry.field(_costs, name="costsByHand", description="Costs that were entered by hand, newest first."),
    ]


def report_setting_mutations() -> tuple[list[Any], dict[str, Any]]:
    """The fields of `Mutation`; none of their payloads is planned."""
    metric = payload_type(
        "MetricPayload",
        "A metric that was defined.",
        graphql_field("metric", optional(ReportMetric), "The metric; null if nothing was written."),
    )
    rate = payload_type(
        "CostRatePayload",
        "A rate that was added.",
        graphql_field("rate", optional(CostRate), "The rate; null if nothing was written."),
    )
    cost = payload_type(
        "CostPayload",
        "A cost that was entered.",
        graphql_field("cost", optional(CostByHand), "The cost; null if nothing was written."),
    )
    made = [
        act(_create_metric, "createMetric", metric, "Define a metric of your own by a formula.", refused=_Answer),
        act(_delete_metric, "removeMetric", REMOVAL, "Take a metric of your own away."),
        act(_add_rate, "addCostRate", rate, "Say what VAT or agency fee holds from a day on.", refused=_Answer),
        act(_remove_rate, "removeCostRate", REMOVAL, "Take a rate away."),
        act(_add_cost, "addCost", cost, "Enter a cost that no ad platform reports.", refused=_Answer),
        act(_remove_cost, "removeCost", REMOVAL, "Take an entered cost away."),
    ]
    return made, {}


def _cost(each: report_costs.Manual) -> CostByHand:
    return CostByHand(
        id=strawberry.ID(str(each.id)),
        title=each.title,
        campaign=None if each.campaign_id is None else strawberry.ID(global_id("Campaign", each.campaign_id)),
        channel=None if each.channel is None else ENUMS[Channel](each.channel),
        firstDay=DateText(each.first_day.isoformat()),
        lastDay=DateText(each.last_day.isoformat()),
        amount=DecimalText(str(each.amount)),
    )


async def _once(
    context: RequestContext,
    key: str | None,
    operation: str,
    arguments: dict[str, Any],
    write: Callable[[PsycopgConnection], Awaitable[UUID]],
) -> UUID:
    """The id of what is written, or was when the same request came before."""

    async def work(db: AsyncConnection | None) -> UUID:
        if db is not None:
            return await write(driver(db))
        async with context.office.database.workspace(context.viewer.workspace_id) as own:
            return await write(driver(own))

    return await once(
        context,
        key,
        operation,
        arguments,
        work,
        keep=lambda made: {"id": str(made)},
        recall=lambda answer: UUID(answer["id"]),
    )


def _check(wrong: bool, name: str, code: str, **values: object) -> None:
    if wrong:
        raise InputRefused(problem(name, code, **values))


def _plain_id(text: str, type_name: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise InputRefused(problem("id", "WRONG_ID", type=type_name)) from None
