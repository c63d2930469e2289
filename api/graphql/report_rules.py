"""Rules of reports that people edit, the audit of tags, and plans, over the API."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, cast
from uuid import UUID

import strawberry

from api.graphql.build import field as graphql_field
from api.graphql.build import list_of, optional
from api.graphql.enums import ENUMS
from api.graphql.errors import CallerError
from api.graphql.ids import global_id
from api.graphql.problems import InputProblem, InputRefused, problem, row_id
from api.graphql.report_settings import ACCOUNTANTS
from api.graphql.reporting import Figure, period_of_arguments
from api.graphql.run import RequestContext, snapshot
from api.graphql.scalars import DateText, DateTimeText, DecimalText
from api.graphql.written import REMOVAL, Info, Written, act, allowed, payload_type
from core.database import PsycopgConnection, driver
from reports import plans, rule_preview, rulebook, tag_audit
from reports.ad_tags import rules_of_ads
from reports.rules import Rule, RuleKind, Tags
from reports.tag_audit import TagFault
from reports.terms import read_terms
from schema.enums import Channel

_PATTERNS = tuple(Tags.__dataclass_fields__)


@strawberry.type(description="A rule: if all its patterns fit, it decides.")
class ReportRule:
    then: str = strawberry.field(description="Name of the channel group, or global id of the campaign.")
    channel: str | None = strawberry.field(description="Pattern of the usual channel group, like `paid_*`.")
    platform: str | None = strawberry.field(description="Pattern of the ad platform's key.")
    source: str | None = strawberry.field(description="Pattern of the source.")
    medium: str | None = strawberry.field(description="Pattern of the medium.")
    campaign: str | None = strawberry.field(description="Pattern of the campaign's name, or of its tag.")


@strawberry.input(
    description="A rule: if all its patterns fit, it decides; the first one that fits counts. `*` stands for "
    "anything, `?` for one character, letters in any case."
)
class ReportRuleInput:
    then: str = strawberry.field(description="Name of the channel group, or global id of the campaign.")
    channel: str | None = strawberry.field(default=None, description="Pattern of the usual channel, like `paid_*`.")
    platform: str | None = strawberry.field(default=None, description="Pattern of the ad platform's key.")
    source: str | None = strawberry.field(default=None, description="Pattern of the source.")
    medium: str | None = strawberry.field(default=None, description="Pattern of the medium.")
    campaign: str | None = strawberry.field(default=None, description="Pattern of the campaign's name, or its tag.")


@strawberry.type(description="The rules of one kind that hold. Each edit is a new version.")
class ReportRules:
    kind: ENUMS[RuleKind] = strawberry.field(description="What they decide.")  # type: ignore[valid-type]  # made from data
    version: int = strawberry.field(description="Their version; 0 while nobody has written any.")
    author: str | None = strawberry.field(description="The key that wrote them.")
    createdAt: DateTimeText | None = strawberry.field(description="Since when they hold.")  # noqa: N815
    rules: list[ReportRule] = strawberry.field(description="In order; the first that fits decides.")


@strawberry.type(description="Something that other rules would count elsewhere, with what is at stake.")
class RuleMove:
    campaign: strawberry.ID | None = strawberry.field(description="Global id of the campaign.")
    name: str = strawberry.field(description="Its name, or the channel.")
    before: str = strawberry.field(description="The group or the campaign that counts it now.")
    after: str = strawberry.field(description="The one that would.")
    cost: DecimalText = strawberry.field(description="Ad cost.")
    visits: int = strawberry.field(description="Visits.")
    leads: int = strawberry.field(description="Leads.")
    wonDeals: int = strawberry.field(description="Won deals.")  # noqa: N815
    revenue: DecimalText = strawberry.field(description="Revenue.")


@strawberry.type(description="A fault of tags, with what is at stake.")
class TagFinding:
    fault: ENUMS[TagFault] = strawberry.field(description="What is wrong.")  # type: ignore[valid-type]
    campaign: strawberry.ID | None = strawberry.field(description="Global id of the campaign, if there is one.")
    name: str = strawberry.field(
        description="The campaign's name or tags; of untagged ads source and medium, or empty."
    )
    cost: DecimalText = strawberry.field(description="Ad cost.")
    visits: int = strawberry.field(description="Visits.")
    leads: int = strawberry.field(description="Leads.")
    wonDeals: int = strawberry.field(description="Won deals.")  # noqa: N815
    revenue: DecimalText = strawberry.field(description="Revenue.")


@strawberry.type(description="A month's plan beside the fact.")
class PlanFact:
    month: DateText = strawberry.field(description="The first day of the month.")
    campaign: strawberry.ID | None = strawberry.field(description="Global id of the campaign, if it is one's.")
    channel: ENUMS[Channel] | None = strawberry.field(  # type: ignore[valid-type]
        description="The channel, if it is one's."
    )
    figure: Figure = strawberry.field(description="What is planned.")
    plan: DecimalText = strawberry.field(description="The plan.")
    fact: DecimalText = strawberry.field(description="What the month has come to so far.")
    percent: DecimalText | None = strawberry.field(description="Fact ÷ plan × 100; null of a plan of 0.")


@dataclass
class _Answer:
    """What a mutation here did."""

    rules: ReportRules | None = None
    plans: list[PlanFact] = field(default_factory=list)
    problems: list[InputProblem] = field(default_factory=list)


_Kind = Annotated[ENUMS[RuleKind], strawberry.argument(description="What the rules decide.")]  # type: ignore[valid-type]
_Rules = Annotated[list[ReportRuleInput], strawberry.argument(description="All rules, in order.")]
_From = Annotated[DateText, strawberry.argument(name="from", description="The first day.")]
_To = Annotated[DateText, strawberry.argument(name="to", description="The last day, included.")]
_Month = Annotated[DateText, strawberry.argument(description="The first day of the month.")]
_Figure = Annotated[Figure, strawberry.argument(description="What is planned.")]
_Campaign = Annotated[strawberry.ID | None, strawberry.argument(description="Of one campaign: its global id.")]
_Channel = Annotated[ENUMS[Channel] | None, strawberry.argument(description="Of one channel.")]  # type: ignore[valid-type]


async def _report_rules(info: Info, kind: _Kind) -> ReportRules | None:
    chosen = RuleKind(cast("Any", kind).value)
    async with snapshot(info.context) as conn:
        return _rules(await rulebook.rule_set(conn, info.context.viewer.workspace_id, chosen))


async def _proposed(info: Info) -> list[ReportRule] | None:
    async with snapshot(info.context) as conn:
        found = await rules_of_ads(conn, info.context.viewer.workspace_id)
    return [ReportRule(then=global_id("Campaign", UUID(rule.then)), **rule.patterns()) for rule in found]


async def _preview(info: Info, kind: _Kind, rules: _Rules, start: _From, end: _To) -> list[RuleMove] | None:
    chosen = RuleKind(cast("Any", kind).value)
    first, last, _ = period_of_arguments({"from": start, "to": end})
    async with snapshot(info.context) as conn:
        try:
            given = _given(chosen, rules)
            moves = await rule_preview.preview(conn, info.context.viewer.workspace_id, chosen, given, first, last)
        except ValueError as error:
            raise CallerError(str(error)) from None
    return [
        RuleMove(
            campaign=_campaign_id(move.campaign_id),
            name=move.name,
            before=move.before,
            after=move.after,
            cost=DecimalText(str(move.sums["cost"])),
            visits=int(move.sums["visits"]),
            leads=int(move.sums["leads"]),
            wonDeals=int(move.sums["won_deals"]),
            revenue=DecimalText(str(move.sums["revenue"])),
        )
        for move in moves
    ]


async def _audit(info: Info, start: _From, end: _To) -> list[TagFinding] | None:
    first, last, _ = period_of_arguments({"from": start, "to": end})
    async with snapshot(info.context) as conn:
        terms = await read_terms(conn, info.context.viewer.workspace_id)
        found = await tag_audit.audit(conn, terms, first, last)
    return [
        TagFinding(
            fault=ENUMS[TagFault](each.fault.value),
            campaign=_campaign_id(each.campaign_id),
            name=each.name,
            cost=DecimalText(str(each.cost)),
            visits=each.visits,
            leads=each.leads,
            wonDeals=each.won_deals,
            revenue=DecimalText(str(each.revenue)),
        )
        for each in found
    ]


async def _plans(info: Info, start: _From, end: _To) -> list[PlanFact] | None:
    first, last, _ = period_of_arguments({"from": start, "to": end})
    async with snapshot(info.context) as conn:
        return await _plan_facts(conn, info.context.viewer.workspace_id, first, last)


async def _write_rules(info: Info, kind: _Kind, rules: _Rules) -> Any:
    context = allowed(info, ACCOUNTANTS)
    chosen = RuleKind(cast("Any", kind).value)
    async with _writing(context, "rules", "BAD_RULES") as conn:
        made = await rulebook.write_rules(
            conn, context.viewer.workspace_id, chosen, _given(chosen, rules), context.viewer.token_id
        )
    return _Answer(rules=_rules(made))


async def _set_plan(
    info: Info,
    month: _Month,
    figure: _Figure,
    amount: Annotated[DecimalText, strawberry.argument(description="What the month is planned to come to.")],
    campaign: _Campaign = None,
    channel: _Channel = None,
) -> Any:
    context = allowed(info, ACCOUNTANTS)
    plan = _planned(month, figure, campaign, channel, Decimal(amount))
    if not abs(plan.amount) < Decimal(10) ** 15:
        raise InputRefused(problem("amount", "OUT_OF_RANGE", least="-10^15", most="10^15"))
    async with _writing(context, "month", "BAD_PLAN") as conn:
        known = await plans.set_plan(conn, context.viewer.workspace_id, plan, context.viewer.token_id)
        if not known:
            raise InputRefused(problem("campaign", "NOT_FOUND", type="Campaign"))
        facts = await _plan_facts(conn, context.viewer.workspace_id, plan.month, plan.month)
    return _Answer(plans=facts)


async def _remove_plan(
    info: Info, month: _Month, figure: _Figure, campaign: _Campaign = None, channel: _Channel = None
) -> Any:
    context = allowed(info, ACCOUNTANTS)
    plan = _planned(month, figure, campaign, channel, Decimal(0))
    async with context.office.database.workspace(context.viewer.workspace_id) as db:
        return Written(removed=await plans.remove_plan(driver(db), context.viewer.workspace_id, plan))


def report_rule_fields() -> list[Any]:
    """The fields of `Query`."""
    return [
        strawberry.field(_report_rules, name="reportRules", description="The rules of reports that hold now."),
        strawberry.field(
            _proposed,
            name="proposedCampaignRules",
            description="Rules of campaigns that follow from the tags of ads: tags that the ads of one campaign "
            "alone carry mean it. They hold once `writeReportRules` is given them.",
        ),
        strawberry.field(
            _preview,
            name="previewReportRules",
            description="What other rules would count elsewhere in a report of these days. Nothing is changed.",
        ),
        strawberry.field(
            _audit,
            name="tagAudit",
            description="What is wrong with the tags of these days: campaigns that cost and have no visits, tags "
            "that name unknown campaigns, ads without tags, with the money at stake.",
        ),
        strawberry.field(
            _plans, name="planFact", description="The plans of the months of these days beside the months' facts."
        ),
    ]


def report_rule_mutations() -> tuple[list[Any], dict[str, Any]]:
    """The fields of `Mutation`; none of their payloads is planned."""
    written = payload_type(
        "ReportRulesPayload",
        "Rules that were written.",
        graphql_field("rules", optional(ReportRules), "The rules that hold now; null if nothing was written."),
    )
    planned = payload_type(
        "PlanPayload",
        "A plan that was set.",
        graphql_field("plans", list_of(PlanFact), "All plans of that month, beside the fact."),
    )
    return [
        act(
            _write_rules,
            "writeReportRules",
            written,
            "Let these rules hold from now on, as a new version: how channels are grouped (CHANNEL), or which "
            "campaign UTM tags mean (CAMPAIGN). They apply in `report`; no record is changed.",
            refused=_Answer,
        ),
        act(_set_plan, "setPlan", planned, "Plan what a month costs or brings.", refused=_Answer),
        act(_remove_plan, "removePlan", REMOVAL, "Take a plan away."),
    ], {}


@asynccontextmanager
async def _writing(context: RequestContext, name: str, code: str) -> AsyncIterator[PsycopgConnection]:
    """A transaction that writes; what `reports` refuses is a problem of that argument."""
    try:
        async with context.office.database.workspace(context.viewer.workspace_id) as db:
            yield driver(db)
    except ValueError as error:
        raise InputRefused(InputProblem(field=name, code=code, message=str(error))) from None


def _given(kind: RuleKind, rules: Sequence[Any]) -> list[Rule]:
    """Rules as they are kept. Raises ``ValueError`` for one that names no campaign."""
    found = []
    for number, each in enumerate(rules, 1):
        then = each.then
        if kind is RuleKind.CAMPAIGN:
            try:
                then = str(row_id("rules", then, "Campaign"))
            except InputRefused:
                raise ValueError(f"Rule {number} names no campaign: give its global id.") from None
        found.append(Rule(then, **{name: getattr(each, name) for name in _PATTERNS}))
    return found


def _rules(found: rulebook.RuleSet) -> ReportRules:
    def then(rule: Rule) -> str:
        return rule.then if found.kind is RuleKind.CHANNEL else global_id("Campaign", UUID(rule.then))

    return ReportRules(
        kind=ENUMS[RuleKind](found.kind.value),
        version=found.version,
        author=found.author,
        createdAt=None if found.created_at is None else DateTimeText(found.created_at.isoformat()),
        rules=[ReportRule(then=then(rule), **rule.patterns()) for rule in found.rules],
    )


def _planned(month: str, figure: Any, campaign: str | None, channel: Any, amount: Decimal) -> plans.Planned:
    return plans.Planned(
        date.fromisoformat(month),
        None if campaign is None else row_id("campaign", campaign, "Campaign"),
        None if channel is None or campaign is not None else str(channel.value),
        str(figure.value),
        amount,
    )


async def _plan_facts(conn: PsycopgConnection, workspace_id: UUID, start: date, end: date) -> list[PlanFact]:
    return [
        PlanFact(
            month=DateText(each.plan.month.isoformat()),
            campaign=_campaign_id(each.plan.campaign_id),
            channel=None if each.plan.channel is None else ENUMS[Channel](each.plan.channel),
            figure=Figure(each.plan.figure),
            plan=DecimalText(str(each.plan.amount)),
            fact=DecimalText(str(each.fact)),
            percent=None if each.percent is None else DecimalText(str(each.percent)),
        )
        for each in await plans.plan_and_fact(conn, workspace_id, start, end)
    ]


def _campaign_id(id: UUID | None) -> strawberry.ID | None:
    return None if id is None else strawberry.ID(global_id("Campaign", id))
