"""Cohorts of clients by first campaign, and closed periods, over the API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import strawberry

from api.graphql.build import field as graphql_field
from api.graphql.build import optional
from api.graphql.enums import ENUMS
from api.graphql.errors import CallerError
from api.graphql.ids import global_id, parse_id
from api.graphql.problems import InputProblem, InputRefused, problem
from api.graphql.report_settings import ACCOUNTANTS
from api.graphql.reporting import period_of_arguments, standing_of
from api.graphql.run import snapshot
from api.graphql.scalars import DateText, DateTimeText, DecimalText
from api.graphql.written import REMOVAL, Info, Written, act, allowed, payload_type
from core import clock
from core.database import driver
from reports import cohorts, freezing
from reports.changes import ChangeCause
from reports.serving import Rates
from reports.terms import read_terms
from schema.enums import Channel, Unattributed


@strawberry.type(description="A month of clients' life; all figures are of those who have lived through it.")
class CohortMonth:
    month: int = strawberry.field(description="Number of the month of life, from 0: the first sale is in month 0.")
    clients: int = strawberry.field(description="Clients who have lived through it.")
    active: int = strawberry.field(description="Of these, how many bought in it.")
    revenue: DecimalText = strawberry.field(description="Their revenue of the month.")
    retention: DecimalText = strawberry.field(description="Active ÷ clients × 100.")
    nrr: DecimalText | None = strawberry.field(
        description="Net revenue retention: revenue of the month ÷ that of month 0 × 100; null without any then."
    )
    ltv: DecimalText = strawberry.field(description="Revenue that a client has brought up to the end of the month.")
    hours: DecimalText | None = strawberry.field(
        description="Hours of work with these clients in the month, as calls tell them; null where none are known."
    )
    costToServe: DecimalText | None = strawberry.field(  # noqa: N815
        description="What these hours cost; null where hours or a rate for one of them aren't known."
    )
    ltvServed: DecimalText | None = strawberry.field(  # noqa: N815
        description="`ltv` less what serving a client has cost up to the end of the month, as far as it is known; "
        "null while none of it is."
    )


@strawberry.type(description="The clients whose first won deal counts for a campaign, and what they bring.")
class Cohort:
    campaign: strawberry.ID | None = strawberry.field(description="Global id of the campaign.")
    name: str | None = strawberry.field(description="Its name.")
    reason: ENUMS[Unattributed] | None = strawberry.field(  # type: ignore[valid-type]  # made from data
        description="Why they belong to no campaign."
    )
    channel: ENUMS[Channel] | None = strawberry.field(description="Channel group.")  # type: ignore[valid-type]
    clients: int = strawberry.field(description="How many clients.")
    cost: DecimalText = strawberry.field(description="What the campaign cost in these days.")
    cac: DecimalText | None = strawberry.field(description="Cost ÷ clients; null where no cost is known.")
    paybackMonths: int | None = strawberry.field(  # noqa: N815 - GraphQL's spelling
        description="After how many months of life a client has brought his CAC; null while he hasn't."
    )
    months: list[CohortMonth] = strawberry.field(description="The months of their life that are over for anyone.")


@strawberry.input(description="What an hour of one manager's work costs.")
class ManagerRate:
    manager: strawberry.ID = strawberry.field(description="Global id of the user.")
    perHour: DecimalText = strawberry.field(  # noqa: N815
        description="With pay, benefits and overhead, in the workspace's currency."
    )


@strawberry.type(description="A closed period: its reports are those of `asKnownAt: knownAt`.")
class ClosedPeriod:
    id: strawberry.ID = strawberry.field(description="Its id.")
    firstDay: DateText = strawberry.field(description="The first day.")  # noqa: N815
    lastDay: DateText = strawberry.field(description="The last day.")  # noqa: N815
    knownAt: DateTimeText = strawberry.field(description="The moment of knowledge that holds for it.")  # noqa: N815
    author: str = strawberry.field(description="The key that closed it.")


@strawberry.type(description="What opening a closed period would change in its report for one cause.")
class ThawChange:
    cause: ENUMS[ChangeCause] | None = strawberry.field(  # type: ignore[valid-type]
        description="Why; null of all causes together."
    )
    cost: DecimalText = strawberry.field(description="Cost, the difference.")
    visits: int = strawberry.field(description="Visits, the difference.")
    calls: int = strawberry.field(description="Calls, the difference.")
    leads: int = strawberry.field(description="Leads, the difference.")
    newClients: int = strawberry.field(description="New clients, the difference.")  # noqa: N815
    wonDeals: int = strawberry.field(description="Won deals, the difference.")  # noqa: N815
    revenue: DecimalText = strawberry.field(description="Revenue, the difference.")


@dataclass
class _Answer:
    """What closing a period did."""

    period: ClosedPeriod | None = None
    problems: list[InputProblem] = field(default_factory=list)


_From = Annotated[DateText, strawberry.argument(name="from", description="The first day.")]
_To = Annotated[DateText, strawberry.argument(name="to", description="The last day, included.")]
_Period = Annotated[strawberry.ID, strawberry.argument(description="Id of the period, out of `closedPeriods`.")]


async def _cohorts(
    info: Info,
    start: _From,
    end: _To,
    months: Annotated[int, strawberry.argument(description="How many months of life, 36 at most.")] = 12,
    hour_rate: Annotated[
        DecimalText | None,
        strawberry.argument(
            name="hourRate",
            description="What an hour of work with clients costs, with pay, benefits and overhead, in the "
            "workspace's currency; for `costToServe`.",
        ),
    ] = None,
    manager_rates: Annotated[
        list[ManagerRate] | None,
        strawberry.argument(name="managerRates", description="Of these managers another rate."),
    ] = None,
    known: Annotated[
        DateTimeText | None,
        strawberry.argument(
            name="asKnownAt",
            description="As it was known at that moment, and with the months that were over then. Not given: first "
            "sales in a closed period, and their cost, are as known when it was closed, and what the clients "
            "bring is as known now.",
        ),
    ] = None,
    known_now: Annotated[
        bool,
        strawberry.argument(name="asKnownNow", description="As known now, also first sales in a closed period."),
    ] = False,
) -> list[Cohort] | None:
    asked = {"from": start, "to": end, "asKnownAt": known, "asKnownNow": known_now}
    first, last, moment = period_of_arguments(asked)
    held = await standing_of(info.context, asked)
    async with snapshot(info.context) as conn:
        terms = await read_terms(conn, info.context.viewer.workspace_id)
        try:
            rates = _rates(hour_rate, manager_rates or [])
            today = terms.day(moment or clock.now())
            found = await cohorts.cohorts(conn, terms, first, last, today, most=months, rates=rates, held=held)
        except ValueError as error:
            raise CallerError(str(error)) from None
    return [_cohort(each) for each in found]


async def _closed(info: Info) -> list[ClosedPeriod] | None:
    async with snapshot(info.context) as conn:
        return [_period(each) for each in await freezing.frozen(conn, info.context.viewer.workspace_id)]


async def _preview(info: Info, id: _Period) -> list[ThawChange] | None:
    async with snapshot(info.context) as conn:
        try:
            found = await freezing.thaw_preview(conn, info.context.viewer.workspace_id, _id(id), clock.now())
        except LookupError:
            return None
        except InputRefused as refused:
            raise CallerError(str(refused)) from None
    return [
        *(_change(ENUMS[ChangeCause](cause.value), sums) for cause, sums in found.by_cause.items()),
        _change(None, found.totals),
    ]


async def _close(
    info: Info,
    start: _From,
    end: _To,
    known: Annotated[
        DateTimeText | None,
        strawberry.argument(name="asKnownAt", description="As it was known at that moment; not given: now."),
    ] = None,
) -> Any:
    context = allowed(info, ACCOUNTANTS)
    first, last, at = period_of_arguments({"from": start, "to": end, "asKnownAt": known})
    async with context.office.database.workspace(context.viewer.workspace_id) as db:
        try:
            made = await freezing.freeze(
                driver(db), context.viewer.workspace_id, first, last, at or clock.now(), context.viewer.token_id
            )
        except ValueError as error:
            raise InputRefused(InputProblem(field="from", code="CLOSED_ALREADY", message=str(error))) from None
    return _Answer(period=_period(made))


async def _open(info: Info, id: _Period) -> Any:
    context = allowed(info, ACCOUNTANTS)
    async with context.office.database.workspace(context.viewer.workspace_id) as db:
        opened = await freezing.thaw(driver(db), context.viewer.workspace_id, _id(id), clock.now())
    return Written(removed=opened)


def closed_period_fields() -> list[Any]:
    """The fields of `Query`."""
    return [
        strawberry.field(
            _cohorts,
            name="cohorts",
            description="What clients bring after their first sale, by the campaign that brought them: retention, "
            "net revenue retention, LTV and payback. The largest cohort first.",
        ),
        strawberry.field(_closed, name="closedPeriods", description="The closed periods, the newest first."),
        strawberry.field(
            _preview,
            name="previewOpening",
            description="What opening a closed period would change in its report, by cause; the last row is all of "
            "it together. Null if there is no such period.",
        ),
    ]


def closed_period_mutations() -> tuple[list[Any], dict[str, Any]]:
    """The fields of `Mutation`; none of their payloads is planned."""
    closed = payload_type(
        "ClosedPeriodPayload",
        "A period that was closed.",
        graphql_field("period", optional(ClosedPeriod), "The period; null if nothing was written."),
    )
    return [
        act(
            _close, "closePeriod", closed, "Close a period: remember as of when its report holds.", refused=_Answer
        ),
        act(_open, "openPeriod", REMOVAL, "Open a closed period again; see `previewOpening` before."),
    ], {}


def _rates(usual: str | None, of_managers: Sequence[ManagerRate]) -> Rates:
    """Raises ``ValueError`` for a manager that can't be one, and for rates below 0."""
    found = {}
    for each in of_managers:
        named = parse_id(each.manager)
        if named is None or named[0] != "User":
            raise ValueError(f"{each.manager!r} isn't the id of a User.")
        found[named[1]] = Decimal(each.perHour)
    return Rates(None if usual is None else Decimal(usual), found)


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise InputRefused(problem("id", "WRONG_ID", type="ClosedPeriod")) from None


def _cohort(each: cohorts.Cohort) -> Cohort:
    return Cohort(
        campaign=None if each.campaign_id is None else strawberry.ID(global_id("Campaign", each.campaign_id)),
        name=each.name,
        reason=None if each.reason is None else ENUMS[Unattributed](each.reason),
        channel=None if each.channel is None else ENUMS[Channel](each.channel),
        clients=each.clients,
        cost=DecimalText(str(each.cost)),
        cac=_text(each.cac),
        paybackMonths=each.payback_months,
        months=[
            CohortMonth(
                month=month.month,
                clients=month.clients,
                active=month.active,
                revenue=DecimalText(str(month.revenue)),
                retention=DecimalText(str(month.retention)),
                nrr=_text(month.nrr),
                ltv=DecimalText(str(month.ltv)),
                hours=_text(month.hours),
                costToServe=_text(month.cost_to_serve),
                ltvServed=_text(month.ltv_served),
            )
            for month in each.months
        ],
    )


def _period(each: freezing.Frozen) -> ClosedPeriod:
    return ClosedPeriod(
        id=strawberry.ID(str(each.id)),
        firstDay=DateText(each.first_day.isoformat()),
        lastDay=DateText(each.last_day.isoformat()),
        knownAt=DateTimeText(each.known_at.isoformat()),
        author=each.author,
    )


def _change(cause: Any, sums: Mapping[str, Decimal]) -> ThawChange:
    return ThawChange(
        cause=cause,
        cost=DecimalText(str(sums["cost"])),
        visits=int(sums["visits"]),
        calls=int(sums["calls"]),
        leads=int(sums["leads"]),
        newClients=int(sums["new_clients"]),
        wonDeals=int(sums["won_deals"]),
        revenue=DecimalText(str(sums["revenue"])),
    )


def _text(amount: Decimal | None) -> DecimalText | None:
    return None if amount is None else DecimalText(str(amount))
