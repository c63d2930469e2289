"""The report by any dimensions: its rows, its sums, and the definitions of all metrics."""

from __future__ import annotations

from api.graphql.declare import Column, Entity, Kind, One, camel, computed
from reports.facts import ALL_METRICS
from reports.metrics import Metric, Unit
from schema.enums import Channel, Unattributed

_OF_CAMPAIGN = (
    "{t}.ad_group_id in (select g.id from ad_group g where g.workspace_id = %(workspace)s::uuid "
    "and g.campaign_id = {x}.campaign_id)"
)
_NAME_OF_PRODUCT = """coalesce((
    select i.name from order_item i
    join sales_order o on o.workspace_id = i.workspace_id and o.id = i.order_id
    where i.workspace_id = %(workspace)s::uuid and i.sku = {x}.product_key
    order by o.created_at desc, o.id desc, i.place limit 1
), {x}.product_key)"""
METRIC_FIELDS = {camel(key): key for key in ALL_METRICS}
"""The metrics by the names of their fields."""


def _metric(metric: Metric) -> Column:
    whole = metric.unit is Unit.COUNT
    sql = metric.formula.sql("{x}")
    return computed(
        camel(metric.key),
        Kind.BIG_INT if whole else Kind.DECIMAL,
        f"({sql})::bigint" if whole else sql,
        f"{metric.name_en}: {metric.formula.text()}. {metric.meaning}",
    )


_METRICS = tuple(_metric(metric) for metric in ALL_METRICS.values())

REPORT_CELL = Entity(
    name="ReportRow",
    table="report",
    node=False,
    tenant=None,
    description="A row of the report; of its dimensions those that were asked for have values.",
    fields=(
        One(
            name="campaign",
            target="Campaign",
            description="The campaign; null where the row belongs to none.",
            on="{t}.id = {x}.campaign_id",
        ),
        computed("name", Kind.STRING, "{x}.name", "The campaign's name."),
        computed("reason", Kind.STRING, "{x}.reason", "Why it belongs to no campaign.", enum=Unattributed),
        computed("channel", Kind.STRING, "{x}.channel", "Channel group.", enum=Channel),
        computed("channelGroup", Kind.STRING, "{x}.channel_group", "Channel group by the workspace's own rules."),
        computed("source", Kind.STRING, "{x}.source", "Traffic source of the campaign."),
        One(
            name="adGroup",
            target="AdGroup",
            description="The group of ads, once its cabinet is connected.",
            on="{t}.campaign_id = {x}.campaign_id and {t}.external_id = {x}.ad_group_key",
        ),
        computed("adGroupKey", Kind.STRING, "{x}.ad_group_key", "The platform's id of the group of ads."),
        One(
            name="keyword",
            target="Keyword",
            description="The keyword, once its cabinet is connected.",
            on="{t}.external_id = {x}.keyword_key and " + _OF_CAMPAIGN,
        ),
        computed("keywordKey", Kind.STRING, "{x}.keyword_key", "The platform's id of the keyword."),
        One(
            name="ad",
            target="Ad",
            description="The ad, once its cabinet is connected.",
            on="{t}.external_id = {x}.ad_key and " + _OF_CAMPAIGN,
        ),
        computed("adKey", Kind.STRING, "{x}.ad_key", "The platform's id of the ad."),
        computed("day", Kind.DATE, "{x}.day", "The day."),
        computed("week", Kind.DATE, "{x}.week", "The Monday of the week."),
        computed("month", Kind.DATE, "{x}.month", "The first day of the month."),
        One(
            name="manager",
            target="User",
            description="Who is in charge of what was reached.",
            on="{t}.id = {x}.manager_id",
        ),
        computed("city", Kind.STRING, "{x}.city", "City of the credited visit."),
        computed("device", Kind.STRING, "{x}.device", "Device of the credited visit."),
        computed("landingPage", Kind.STRING, "{x}.landing_page", "Its first page, without the query."),
        One(
            name="stage",
            target="Stage",
            description="The stage that the deal is in.",
            on="{t}.id = {x}.stage_id",
        ),
        computed("lostReason", Kind.STRING, "{x}.lost_reason", "Why the deal was lost."),
        computed(
            "product",
            Kind.STRING,
            _NAME_OF_PRODUCT,
            "Name of the product sold, as the newest order has it; null for what no order's lines tell of.",
        ),
        computed(
            "productKey", Kind.STRING, "{x}.product_key", "Its article number, or its name where it has none."
        ),
        *_METRICS,
    ),
)
REPORT_SUMS = Entity(
    name="ReportSums",
    table="report",
    node=False,
    tenant=None,
    description="The metrics over all rows; ratios are those of the sums.",
    fields=_METRICS,
)

ENTITIES = (REPORT_CELL, REPORT_SUMS)
