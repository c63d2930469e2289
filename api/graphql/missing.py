"""Why a record is missing from the campaign report, over the API: for one, and for all of a kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import strawberry

from api.graphql.declare import camel
from api.graphql.enums import ENUMS, graphql_enum
from api.graphql.errors import CallerError
from api.graphql.ids import global_id, parse_id
from api.graphql.reporting import period_of_arguments
from api.graphql.run import snapshot
from api.graphql.scalars import DateText, DecimalText
from api.graphql.types import Types
from api.graphql.written import Info, visible
from connectors.registry import all_connectors
from reports.missing import Test, Tested, Traced, why_missing
from reports.missing_in_bulk import FIGURE_OF, Missing, Outcome, whats_missing
from reports.terms import read_terms
from schema.enums import RecordKind, Unattributed

_TESTS: Mapping[Test, str] = {
    Test.LOADED: "A sync has brought it.",
    Test.READABLE: "Its newest state could be read, it isn't in quarantine.",
    Test.NOT_DELETED: "It isn't deleted in the external system.",
    Test.INBOUND: "The call came from the client.",
    Test.WON: "The deal was won.",
    Test.PAID: "The document is an invoice that was paid in full.",
    Test.PHONE_VALID: "It names a valid phone.",
    Test.CLIENT_KNOWN: "Its keys tell whose it is.",
    Test.SAME_CLIENT: "Merges and splits that moved it from client to client.",
    Test.ORIGIN_GIVEN: "It names an origin of its own: click id, visitor, UTM or channel.",
    Test.CAMPAIGN_RECOGNISED: "Its own origin names a campaign, and by which rule.",
    Test.TOLD_ONCE: "No other system's record of the same stands for it.",
    Test.SETTLED: "Figures are up to date with it.",
    Test.IN_WINDOW: "There were touches within the attribution window.",
    Test.CURRENCY: "Its money is in the workspace's currency.",
    Test.IN_PERIOD: "It lies in the days asked for.",
    Test.ATTRIBUTED: "A campaign is credited with it.",
}
_OUTCOMES: Mapping[Outcome, str] = {
    Outcome.ATTRIBUTED: "Counted for a campaign.",
    Outcome.UNATTRIBUTED: "Counted in a row without a campaign, for the reason beside it.",
    Outcome.TOLD_BY_ANOTHER: "Another system told of the same, and that record is counted.",
    Outcome.DELETED: "Deleted in the external system.",
    Outcome.OUTBOUND: "A call of the business's own: only inbound ones count.",
    Outcome.OPEN: "The deal isn't closed yet.",
    Outcome.LOST: "The deal was lost.",
    Outcome.ACT: "The document states that work was done and asks for no money.",
    Outcome.CANCELLED: "The invoice was cancelled.",
    Outcome.UNPAID: "The invoice isn't paid in full yet.",
    Outcome.REFUND: "Money that went back: refunds are a figure of their own.",
    Outcome.SUPERSEDED: "The ad platform has restated the day since.",
    Outcome.OTHER_CURRENCY: "Counted without its money, which isn't in the workspace's currency.",
    Outcome.NOT_SETTLED: "It will be counted when figures are next settled.",
    Outcome.RECORD_GONE: "Counted, and the record behind it is no longer stored.",
}
MissingTest = graphql_enum(
    "MissingTest",
    "The tests on the way to the campaign report, in their order.",
    {each.name: (each.value, meaning) for each, meaning in _TESTS.items()},
)
RecordOutcome = graphql_enum(
    "RecordOutcome",
    "What became of a record on the way to the campaign report.",
    {each.name: (each.value, meaning) for each, meaning in _OUTCOMES.items()},
)
_TYPES = {
    RecordKind.VISIT: "Visit",
    RecordKind.CALL: "Call",
    RecordKind.LEAD: "Lead",
    RecordKind.ORDER: "Order",
    RecordKind.DEAL: "Deal",
    RecordKind.INVOICE: "Invoice",
    RecordKind.PAYMENT: "Payment",
}


@strawberry.type(description="A test that a record passed or failed on the way to the campaign report.")
class RecordTest:
    test: MissingTest = strawberry.field(description="Which one.")  # type: ignore[valid-type]  # made from data
    passed: bool | None = strawberry.field(description="Whether it was passed; null where it only tells something.")
    decides: bool = strawberry.field(description="Whether a record that fails it is missing from campaigns.")
    said: str = strawberry.field(description="What was found, in a sentence.")
    fix: str | None = strawberry.field(description="What would mend it, where something would.")


@strawberry.type(description="A record, and the tests on its way to the campaign report.")
class TracedRecord:
    record: strawberry.ID | None = strawberry.field(
        description="Its global id; null for one that came and became no record."
    )
    kind: ENUMS[RecordKind] | None = strawberry.field(description="What it is.")  # type: ignore[valid-type]
    connector: str | None = strawberry.field(description="Key of the connector that it came by.")
    sourceId: str = strawberry.field(description="Its id in the external system.")  # noqa: N815 - GraphQL's spelling
    day: DateText | None = strawberry.field(description="The day on which it counts, or would.")
    campaign: strawberry.ID | None = strawberry.field(description="The campaign that is credited with it.")
    failed: MissingTest | None = strawberry.field(  # type: ignore[valid-type]
        description="The test that keeps it out of the campaigns' rows; null if none does."
    )
    tests: list[RecordTest] = strawberry.field(description="All tests, in their order.")


@strawberry.type(description="Records with one outcome.")
class OutcomeLine:
    outcome: RecordOutcome = strawberry.field(description="What became of them.")  # type: ignore[valid-type]
    reason: ENUMS[Unattributed] | None = strawberry.field(  # type: ignore[valid-type]
        description="Why they belong to no campaign, where they are counted without one."
    )
    number: int = strawberry.field(description="How many.")
    money: DecimalText = strawberry.field(description="What they add to revenue (of ad spend: to cost).")


@strawberry.type(
    description="What became of all records of a kind. `sources` is the sum of `read`, `skipped` and `unreadable`; "
    "`read` and `moreOfOne` together are `records` and `otherDays`; `records` is the sum of the lines (but for "
    "RECORD_GONE); what is counted of them is `inReport`."
)
class MissingRecords:
    figure: str = strawberry.field(description="The figure of the report that counts them.")
    lines: list[OutcomeLine] = strawberry.field(description="What became of the records of these days.")
    records: int = strawberry.field(description="The records of these days.")
    counted: int = strawberry.field(description="Of these, how many the report counts.")
    inReport: DecimalText = strawberry.field(description="What the report says.")  # noqa: N815
    moneyInReport: DecimalText = strawberry.field(description="Revenue (cost) in the report.")  # noqa: N815
    otherDays: int = strawberry.field(description="Records of other days.")  # noqa: N815
    sources: int = strawberry.field(description="Source records, of all days.")
    read: int = strawberry.field(description="Of these, those that became records.")
    skipped: int = strawberry.field(description="Those that say nothing of this kind.")
    unreadable: int = strawberry.field(description="Those in quarantine that never became a record.")
    moreOfOne: int = strawberry.field(  # noqa: N815
        description="Records beyond the first of those source records that made several."
    )


_Days = Annotated[DateText | None, strawberry.argument(name="from", description="The first day of the report.")]
_Until = Annotated[DateText | None, strawberry.argument(name="to", description="The last day, included.")]


def missing_fields(types: Types) -> list[Any]:
    """The fields of `Query`."""

    async def why(
        info: Info,
        record: Annotated[
            strawberry.ID,
            strawberry.argument(
                description="Global id of a visit, call, lead, order, deal, invoice or payment, its id in the "
                "external system, or a click id (`yclid:…`) of an ad platform's conversion."
            ),
        ],
        start: _Days = None,
        end: _Until = None,
    ) -> list[TracedRecord] | None:
        if (start is None) != (end is None):
            raise CallerError("Give both `from` and `to`, or neither.")
        days = period_of_arguments({"from": start, "to": end})[:2] if start and end else (None, None)
        parsed = parse_id(record)
        async with snapshot(info.context) as conn:
            terms = await read_terms(conn, info.context.viewer.workspace_id)
            found = await why_missing(conn, terms, str(parsed[1]) if parsed else record, *days)
        shown = []
        for each in found:
            entity = types.entities[_TYPES[each.kind]] if each.kind else None
            if entity is None or each.id is None or await visible(info.context, entity, each.id):
                shown.append(_traced(each))
        return shown

    async def bulk(
        info: Info,
        kind: Annotated[
            ENUMS[RecordKind],  # type: ignore[valid-type]
            strawberry.argument(description="VISIT, CALL, LEAD, DEAL, INVOICE, PAYMENT or AD_SPEND."),
        ],
        start: Annotated[DateText, strawberry.argument(name="from", description="The first day.")],
        end: Annotated[DateText, strawberry.argument(name="to", description="The last day, included.")],
    ) -> MissingRecords | None:
        first, last, _ = period_of_arguments({"from": start, "to": end})
        wanted = RecordKind(kind.value)  # type: ignore[attr-defined]  # an enum made from data
        if wanted not in FIGURE_OF:
            raise CallerError(f"The report counts {', '.join(each.name for each in FIGURE_OF)}, not {wanted.name}.")
        async with snapshot(info.context) as conn:
            terms = await read_terms(conn, info.context.viewer.workspace_id)
            return _missing(await whats_missing(conn, terms, wanted, first, last, streams_of(wanted)))

    return [
        strawberry.field(
            why,
            name="whyMissing",
            description="Why a record is missing from the campaign report, or from a campaign's row: the tests "
            "that it passed and failed. Several records may have the same id in different systems.",
        ),
        strawberry.field(
            bulk,
            name="missingRecords",
            description="What became of all records of a kind on the way to the campaign report; the sums add "
            "up to the report and to the number of source records exactly.",
        ),
    ]


def streams_of(kind: RecordKind) -> list[tuple[str, str]]:
    """The connectors' streams that make such records."""
    return [
        (key, stream.name)
        for key, connector in all_connectors().items()
        for stream in connector.streams
        if kind in stream.makes
    ]


def _traced(each: Traced) -> TracedRecord:
    failed = each.failed
    return TracedRecord(
        record=strawberry.ID(global_id(_TYPES[each.kind], each.id)) if each.kind and each.id else None,
        kind=ENUMS[RecordKind](each.kind.value) if each.kind else None,
        connector=each.connector or None,
        sourceId=each.source_id,
        day=DateText(each.day.isoformat()) if each.day else None,
        campaign=strawberry.ID(global_id("Campaign", each.campaign_id)) if each.campaign_id else None,
        failed=MissingTest(failed.test.value) if failed else None,
        tests=[_tested(test) for test in each.tests],
    )


def _tested(test: Tested) -> RecordTest:
    return RecordTest(
        test=MissingTest(test.test.value), passed=test.passed, decides=test.decides, said=test.said, fix=test.fix
    )


def _missing(found: Missing) -> MissingRecords:
    return MissingRecords(
        figure=camel(found.figure),
        lines=[
            OutcomeLine(
                outcome=RecordOutcome(line.outcome.value),
                reason=ENUMS[Unattributed](line.reason) if line.reason else None,
                number=line.number,
                money=DecimalText(str(line.money)),
            )
            for line in found.lines
        ],
        records=found.records,
        counted=found.counted,
        inReport=DecimalText(str(found.report)),
        moneyInReport=DecimalText(str(found.report_money)),
        otherDays=found.other_days,
        sources=found.sources,
        read=found.read,
        skipped=found.skipped,
        unreadable=found.unreadable,
        moreOfOne=found.more_of_one,
    )
