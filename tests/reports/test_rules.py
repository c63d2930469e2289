"""Rules that people edit: what they decide, what they would move, what they can't be; tags, plans and facts."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import pytest

from core import clock
from reports.ad_tags import rules_of_ads
from reports.by_model import models_report
from reports.campaigns import Grain, campaign_report
from reports.changes import ChangeCause, what_changed
from reports.cohorts import cohorts
from reports.dimensions import Dimension
from reports.freezing import freeze
from reports.grouped import grouped_statement
from reports.plans import Planned, plan_and_fact, remove_plan, set_plan
from reports.receipt import Whose, receipt_statement
from reports.reconciliation import Measure, reconcile
from reports.rule_preview import preview
from reports.rulebook import campaigns_meant_at, grouping, known_campaigns, rule_set, write_rules
from reports.rules import Grouping, Rule, RuleKind, Tags, group_of
from reports.standing import Standing, standing
from reports.tag_audit import TagFault, audit
from reports.terms import read_terms
from tests.reports.conftest import CABINET, DIRECT, WORKSPACE, Account, ad, day, ident

MARCH = (date(2026, 3, 1), date(2026, 3, 31))


async def tagged(account: Account) -> None:
    """A campaign of a cabinet, one that only tags tell of, and an ad without tags; each brings a deal."""
    await account.campaign("brand", name="Brand Moscow", connection_id=CABINET)
    await account.campaign("idle", name="Idle", connection_id=CABINET)
    await account.campaign("tag", platform="utm", external_id="vk/cpc/spring_sale", source="vk", medium="cpc")
    await account.visit("v1", "anna", day(0), **ad("brand"))
    await account.visit("v2", "bella", day(0), **ad("tag"))
    await account.visit("v3", "carol", day(0), **(ad("tag") | {"campaign_id": None}), click_id="y1")
    await account.visit("v4", "dora", day(0), **DIRECT)
    for number, name in enumerate(("anna", "bella", "carol"), 1):
        await account.deal(f"d{number}", name, day(5), f"{number}00")
    on = day(0).date()
    await account.spend("brand", on, "10")
    await account.spend("idle", on, "33")
    await account.settle_spend(("brand", on), ("idle", on))
    await account.settle_visits("v1", "v2", "v3", "v4")
    await account.settle("anna", "bella", "carol")


def test_the_first_rule_that_fits_decides() -> None:
    rules = [
        Rule("Brand", campaign="brand*"),
        Rule("VK", source="VK", medium="cp?"),
        Rule("Rest", channel="paid_*"),
    ]
    assert group_of(rules, Tags(channel="paid_search", campaign="brand x", source="vk")) == "Brand"
    assert group_of(rules, Tags(source="vk", medium="cpc")) == "VK"
    assert group_of(rules, Tags(channel="paid_other", source="vk", medium="cpcc")) == "Rest"
    assert group_of(rules, Tags(channel="direct")) is None


async def test_versions_and_what_they_make(account: Account) -> None:
    await tagged(account)
    assert (await rule_set(account.conn, WORKSPACE, RuleKind.CHANNEL)).version == 0
    await write_rules(account.conn, WORKSPACE, RuleKind.CHANNEL, [Rule("Ours", campaign="brand*")], "key")
    second = await write_rules(account.conn, WORKSPACE, RuleKind.CHANNEL, [Rule("Own", campaign="brand*")], "key")
    assert (second.version, second.rules) == (2, (Rule("Own", campaign="brand*"),))
    meaning = [Rule(str(ident("brand")), source="vk", campaign="spring*")]
    await write_rules(account.conn, WORKSPACE, RuleKind.CAMPAIGN, meaning, "key")
    made = await grouping(account.conn, WORKSPACE)
    assert made.meant == {ident("tag"): ident("brand")}
    terms = await read_terms(account.conn, WORKSPACE)
    statement, _ = grouped_statement(
        terms, *MARCH, [Dimension.CHANNEL_GROUP, Dimension.CAMPAIGN], ["revenue", "visits"], made
    )
    found = await (await account.conn.execute(statement.sql.encode(), statement.params)).fetchall()
    columns = {(row[4], row[1]): (row[-1], row[-2]) for row in found}
    assert columns[("Own", "Brand Moscow")] == (2, 300)
    assert columns[("paid_search", None)] == (1, 300)


async def test_the_campaign_report_and_models_by_rules(account: Account) -> None:
    await tagged(account)
    usual = await campaign_report(account.conn, WORKSPACE, *MARCH)
    held = await standing(account.conn, WORKSPACE, *MARCH)
    assert held == Standing(None, None, Grouping({}, {}, {}))
    assert (await campaign_report(account.conn, WORKSPACE, *MARCH, rules=held.rules)).rows == usual.rows
    meaning = [Rule(str(ident("brand")), source="vk", campaign="spring*")]
    await write_rules(account.conn, WORKSPACE, RuleKind.CAMPAIGN, meaning, "key")
    rules = [Rule("Own", campaign="brand*"), Rule("email", channel="direct")]
    await write_rules(account.conn, WORKSPACE, RuleKind.CHANNEL, rules, "key")
    held = await standing(account.conn, WORKSPACE, *MARCH)
    assert (held.rules.campaign_version, held.rules.channel_version) == (1, 1)
    ruled = await campaign_report(account.conn, WORKSPACE, *MARCH, rules=held.rules)
    assert ruled.totals.sums == usual.totals.sums
    brand = {row.name: row for row in ruled.rows}["Brand Moscow"]
    assert (brand.channel_group, brand.sums["revenue"], brand.sums["visits"]) == ("Own", 300, 2)
    assert not [row for row in ruled.rows if row.platform == "utm"]
    by_channel = await campaign_report(account.conn, WORKSPACE, *MARCH, by=Grain.CHANNEL, rules=held.rules)
    assert {(row.channel_group, row.channel): row.sums["revenue"] for row in by_channel.rows} == {
        ("Own", None): 300, ("paid_search", "paid_search"): 300, ("email", "email"): 0
    }  # fmt: skip
    for grain in (Grain.CAMPAIGN, Grain.CHANNEL):
        kept = ruled if grain is Grain.CAMPAIGN else by_channel
        for model, report in (
            await models_report(account.conn, WORKSPACE, *MARCH, by=grain, rules=held.rules)
        ).items():
            credited = {(row.name, row.channel_group): row.sums["revenue"] for row in report.rows}
            expected = {(row.name, row.channel_group): row.sums["revenue"] for row in kept.rows}
            if model == "markov":  # it parts value by conversions
                credited["Brand Moscow" if grain is Grain.CAMPAIGN else None, "Own"] -= 100
                credited[None, "paid_search"] += 100
            assert credited == expected, model
    whose = Whose(campaign_id=ident("brand"))
    receipt = receipt_statement(WORKSPACE, "revenue", whose, *MARCH, rules=held.rules)
    items = await (await account.conn.execute(receipt.sql.encode(), receipt.params)).fetchall()
    assert sorted(item[0] for item in items) == [100, 200]
    before = datetime(2026, 1, 1, tzinfo=UTC)
    then = await standing(account.conn, WORKSPACE, *MARCH, as_known_at=before)
    assert then.rules == Grouping({}, {}, {})


async def test_what_rules_would_move(account: Account) -> None:
    await tagged(account)
    moves = await preview(account.conn, WORKSPACE, RuleKind.CHANNEL, [Rule("Cheap", source="vk")], *MARCH)
    assert [(move.name, move.before, move.after, move.sums["revenue"]) for move in moves] == [
        ("tag", "paid_social", "Cheap", Decimal(200))
    ]
    meaning = [Rule(str(ident("brand")), source="vk")]
    moves = await preview(account.conn, WORKSPACE, RuleKind.CAMPAIGN, meaning, *MARCH)
    assert [(move.before, move.after) for move in moves] == [("tag", "Brand Moscow")]


@pytest.mark.parametrize(
    ("kind", "rule"),
    [
        (RuleKind.CHANNEL, Rule("x")),
        (RuleKind.CHANNEL, Rule("", source="vk")),
        (RuleKind.CHANNEL, Rule("x", source=" ")),
        (RuleKind.CAMPAIGN, Rule(str(UUID(int=7)), source="vk")),
        (RuleKind.CAMPAIGN, Rule(str(ident("tag")), source="vk")),
    ],
)
async def test_rules_that_can_not_be(account: Account, kind: RuleKind, rule: Rule) -> None:
    await account.campaign("tag", platform="utm", external_id="vk/cpc/x")
    with pytest.raises(ValueError, match="Rule 1"):
        await write_rules(account.conn, WORKSPACE, kind, [rule], "key")


async def test_the_audit_of_tags(account: Account) -> None:
    await tagged(account)
    terms = await read_terms(account.conn, WORKSPACE)
    found = await audit(account.conn, terms, *MARCH)
    told: list[tuple[object, ...]] = [
        (each.fault, each.name, each.cost, each.visits, each.revenue) for each in found
    ]
    assert told == [
        (TagFault.SPEND_WITHOUT_VISITS, "Idle", 33, 0, 0),
        (TagFault.UNKNOWN_CAMPAIGN, "tag", 0, 1, 200),
        (TagFault.UNTAGGED_ADS, "", 0, 0, 300),
        (TagFault.UNTAGGED_ADS, "yandex / cpc", 0, 1, 0),
    ]
    meaning = [Rule(str(ident("brand")), source="vk")]
    await write_rules(account.conn, WORKSPACE, RuleKind.CAMPAIGN, meaning, "key")
    faults = {each.fault for each in await audit(account.conn, terms, *MARCH)}
    assert TagFault.UNKNOWN_CAMPAIGN not in faults
    assert len(await known_campaigns(account.conn, WORKSPACE)) == 3
    (before,) = await account.rows("select created_at - interval '1 microsecond' from rule_set")
    await freeze(account.conn, WORKSPACE, *MARCH, before[0], "key")
    closed = await audit(account.conn, terms, *MARCH)
    assert TagFault.UNKNOWN_CAMPAIGN in {each.fault for each in closed}, "the rule came after the closing"


async def test_plan_and_fact(account: Account) -> None:
    await tagged(account)
    month = MARCH[0]
    for campaign, channel, figure, amount in (
        (ident("brand"), None, "cost", "20"),
        (None, "paid_social", "revenue", "100"),
        (None, None, "revenue", "1"),
        (None, None, "revenue", "1200"),
        (None, None, "leads", "0"),
    ):
        plan = Planned(month, campaign, channel, figure, Decimal(amount))
        assert await set_plan(account.conn, WORKSPACE, plan, "key")
    both = await plan_and_fact(account.conn, WORKSPACE, *MARCH)
    told: dict[object, object] = {
        (each.plan.figure, each.plan.channel, each.plan.amount): (each.fact, each.percent) for each in both
    }
    assert told == {
        ("cost", None, 20): (10, 50),
        ("revenue", "paid_social", 100): (200, 200),
        ("revenue", None, 1200): (600, 50),
        ("leads", None, 0): (0, None),
    }
    unknown = Planned(month, ident("nothing"), None, "cost", Decimal(1))
    assert not await set_plan(account.conn, WORKSPACE, unknown, "key")
    assert await remove_plan(account.conn, WORKSPACE, Planned(month, None, None, "leads", Decimal(0)))
    for first, figure in ((date(2026, 3, 2), "cost"), (month, "cpl")):
        wrong = Planned(first, None, None, figure, Decimal(1))
        with pytest.raises(ValueError, match=r"A plan is|Plans are"):
            await set_plan(account.conn, WORKSPACE, wrong, "key")


async def test_ads_tell_what_their_tags_mean(account: Account) -> None:
    """Tags of one campaign's ads mean it; those of two campaigns, or that hold a number, propose nothing."""
    await account.campaign("brand", name="Brand", platform="vk_ads", connection_id=CABINET)
    await account.campaign("other", name="Other", platform="vk_ads", connection_id=CABINET)
    site = "https://shop.example/?utm_source=vk&utm_medium=cpc&utm_campaign="
    pages = (("brand", "Spring[1]"), ("brand", "both"), ("other", "both"), ("other", "21048765"))
    for number, (campaign, tag) in enumerate(pages):
        of = {"connection_id": CABINET, "external_id": str(number), "stream": "x", "source_id": str(number)}
        of |= {"loaded_at": day(0)}
        group = await account.put("ad_group", id=ident(f"g{number}"), campaign_id=ident(campaign), name="g", **of)
        await account.put("ad", id=ident(f"a{number}"), ad_group_id=group, landing_url=site + tag, **of)
    (rule,) = await rules_of_ads(account.conn, WORKSPACE)
    assert (rule.then, rule.platform, rule.source, rule.medium) == (str(ident("brand")), "utm", "vk", "cpc")
    assert rule.fits(Tags(platform="utm", source="vk", medium="cpc", campaign="spring[1]"))
    assert not rule.fits(Tags(platform="utm", source="vk", medium="cpc", campaign="spring1"))
    await write_rules(account.conn, WORKSPACE, RuleKind.CAMPAIGN, [rule], "tester")


async def test_new_rules_and_closed_periods_in_what_changed_cohorts_and_reconciliations(account: Account) -> None:
    with clock.replaced(clock.Clock(day(60))):
        await tagged(account)
    await freeze(account.conn, WORKSPACE, *MARCH, day(61), "key")
    meaning = [Rule(str(ident("brand")), source="vk", campaign="spring*")]
    await write_rules(account.conn, WORKSPACE, RuleKind.CAMPAIGN, meaning, "key")
    moments = (day(61), clock.now())
    rules = [await campaigns_meant_at(account.conn, WORKSPACE, at) for at in moments]
    changed = await what_changed(account.conn, WORKSPACE, *MARCH, *moments, *rules)
    assert {(each.cause, each.name): each.sums["revenue"] for each in changed.cells} == {
        (ChangeCause.NEW_RULE, "Brand Moscow"): 200, (ChangeCause.NEW_RULE, "tag"): -200
    }  # fmt: skip
    assert not any(changed.totals.values())
    # Later changes stand where the rules of both moments agree that they belong.
    await account.deal("d2", "bella", day(5), "250")
    await account.settle("bella", cause="deal")
    later = clock.now()
    edited = await what_changed(account.conn, WORKSPACE, *MARCH, moments[1], later, rules[1], rules[1])
    assert {each.name: each.sums["revenue"] for each in edited.cells} == {"Brand Moscow": 50}
    terms = await read_terms(account.conn, WORKSPACE)
    by_closed = {}
    for closed in (True, False):
        held = await standing(account.conn, WORKSPACE, *MARCH, as_known_now=not closed)
        found = await cohorts(account.conn, terms, *MARCH, date(2026, 5, 12), held=held)
        by_closed[closed] = {each.campaign_id: (each.clients, each.months[0].revenue) for each in found}
    assert by_closed == {
        True: {ident("brand"): (1, Decimal(100)), ident("tag"): (1, Decimal(250)), None: (1, Decimal(300))},
        False: {ident("brand"): (2, Decimal(350)), None: (1, Decimal(300))},
    }
    then = await standing(account.conn, WORKSPACE, *MARCH, as_known_at=day(61))
    found = await cohorts(account.conn, terms, *MARCH, date(2026, 5, 12), held=then)
    assert {each.campaign_id: each.months[0].revenue for each in found}[ident("tag")] == Decimal(200)
    clicks = await reconcile(account.conn, terms, CABINET, Measure.CLICKS, *MARCH)
    assert {row.name: row.ours for row in clicks.rows}["Brand Moscow"] == 2
