"""Our figures beside what a connected system reports itself, over the API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import strawberry

from api.graphql.enums import graphql_enum
from api.graphql.errors import CallerError
from api.graphql.ids import global_id, parse_id
from api.graphql.reporting import period_of_arguments
from api.graphql.run import snapshot
from api.graphql.scalars import DateText, DateTimeText, DecimalText
from api.graphql.written import Info
from reports.reconciliation import By, Cause, Measure, Row, reconcile
from reports.terms import read_terms

_MEASURES: Mapping[Measure, str] = {
    Measure.COST: "What the ad platform charges, beside the full cost in our report.",
    Measure.CLICKS: "Clicks of the ad platform, beside visits that name its campaigns.",
    Measure.CALLS: "Calls of the call tracker, beside calls in our report.",
    Measure.UNIQUE_CALLS: "The tracker's unique calls, beside first calls of clients in our report.",
}
_CAUSES: Mapping[Cause, str] = {
    Cause.VAT: "Our cost is without VAT, by the workspace's rates.",
    Cause.AGENCY_FEE: "The agency's fee on the ad cost.",
    Cause.MANUAL_COST: "Costs entered by hand for the campaign.",
    Cause.OTHER_CURRENCY: "Cost in another currency than the workspace's is left out.",
    Cause.OTHER_CONNECTION: "Another connection tells of the same campaign.",
    Cause.NO_VISIT: "Clicks after which no tagged visit was seen; above 0: visits beyond clicks.",
    Cause.TOLD_ONCE: "Visits that two systems tell of count once, by the other's record.",
    Cause.DELETED: "Deleted in the external system.",
    Cause.NOT_SETTLED: "Will be counted when figures are next settled.",
    Cause.TIME_ZONE: "Another day in the workspace's time zone than in the system's.",
    Cause.OUTBOUND: "Calls of the business's own.",
    Cause.CREDITED_ELSEWHERE: "Credited to another touch than the call's own.",
    Cause.TOLD_BY_OTHERS: "Calls that only other systems tell of.",
    Cause.CALLED_BEFORE: "Unique for the tracker, and the client had called before.",
    Cause.NO_CLIENT: "Unique for the tracker, and nothing tells whose call it is.",
    Cause.FIRST_HERE: "The tracker knew the number, and it is the client's first call here.",
}
ReconciledMeasure = graphql_enum(
    "ReconciledMeasure",
    "What is compared.",
    {each.name: (each.value, meaning) for each, meaning in _MEASURES.items()},
)
DifferenceCause = graphql_enum(
    "DifferenceCause",
    "Why a system's figure and ours differ.",
    {each.name: (each.value, meaning) for each, meaning in _CAUSES.items()},
)
ReconciliationGrain = graphql_enum(
    "ReconciliationGrain",
    "What a row of a reconciliation is.",
    {
        "SOURCE": (By.SOURCE.value, "A campaign, or the channel of what has none."),
        "DAY": (By.DAY.value, "A day."),
    },
)


@strawberry.type(description="A difference between a system's figure and ours, by its cause.")
class ReconciliationDifference:
    cause: DifferenceCause = strawberry.field(description="Why.")  # type: ignore[valid-type]  # made from data
    amount: DecimalText = strawberry.field(description="What it adds to the system's figure.")


@strawberry.type(
    description="A figure as a system reports it and as we do: `theirs` and `differences` make `ours`."
)
class ReconciliationRow:
    campaign: strawberry.ID | None = strawberry.field(description="Global id of the campaign, if it is one's.")
    name: str | None = strawberry.field(description="The campaign's name, or the channel; null of neither.")
    day: DateText | None = strawberry.field(description="The day, if rows are days.")
    theirs: DecimalText = strawberry.field(description="What the system reports.")
    ours: DecimalText = strawberry.field(description="What our report says.")
    differences: list[ReconciliationDifference] = strawberry.field(description="Why they differ.")


@strawberry.type(description="A system's figures beside ours.")
class Reconciliation:
    rows: list[ReconciliationRow] = strawberry.field(description="The rows, the greatest first; days in order.")
    totals: ReconciliationRow = strawberry.field(description="All rows together.")
    syncedUntil: DateTimeText | None = strawberry.field(  # noqa: N815 - GraphQL's spelling
        description="Everything that happened there before this moment is here; null if that isn't known."
    )


async def _reconciliation(
    info: Info,
    connection: Annotated[strawberry.ID, strawberry.argument(description="Global id of the connection.")],
    measure: Annotated[ReconciledMeasure, strawberry.argument(description="What to compare.")],  # type: ignore[valid-type]
    start: Annotated[DateText, strawberry.argument(name="from", description="The first day.")],
    end: Annotated[DateText, strawberry.argument(name="to", description="The last day, included.")],
    by: Annotated[
        ReconciliationGrain,  # type: ignore[valid-type]  # made from data
        strawberry.argument(description="What a row is."),
    ] = ReconciliationGrain.SOURCE,
) -> Reconciliation | None:
    first, last, _ = period_of_arguments({"from": start, "to": end})
    parsed = parse_id(connection)
    if parsed is None or parsed[0] != "ConnectedSystem":
        raise CallerError(f"{connection!r} isn't the id of a ConnectedSystem.")
    async with snapshot(info.context) as conn:
        terms = await read_terms(conn, info.context.viewer.workspace_id)
        try:
            found = await reconcile(
                conn, terms, parsed[1], Measure(_chosen(measure)), first, last, by=By(_chosen(by))
            )
        except LookupError:
            return None
    return Reconciliation(
        rows=[_row(row) for row in found.rows],
        totals=_row(found.totals),
        syncedUntil=DateTimeText(found.synced_until.isoformat()) if found.synced_until else None,
    )


def _chosen(member: Any) -> str:
    return str(member.value)


def reconciling_fields() -> list[Any]:
    """The field of `Query`."""
    return [
        strawberry.field(
            _reconciliation,
            name="reconciliation",
            description="Our figures beside what a connection's system reports itself (an ad platform its cost and "
            "clicks, a call tracker its calls), and the differences by cause; they add up exactly. Both are as "
            "known now, also of closed periods (`reportChanges` says what was learnt since), and by the "
            "rules of campaigns that hold. Null if there is no such connection.",
        )
    ]


def _row(row: Row) -> ReconciliationRow:
    return ReconciliationRow(
        campaign=strawberry.ID(global_id("Campaign", row.campaign_id)) if row.campaign_id else None,
        name=row.name,
        day=DateText(row.day.isoformat()) if row.day else None,
        theirs=DecimalText(str(row.theirs)),
        ours=DecimalText(str(row.ours)),
        differences=[
            ReconciliationDifference(cause=DifferenceCause(cause.value), amount=DecimalText(str(amount)))
            for cause, amount in row.differences.items()
        ],
    )
