"""Campaigns and what they cost."""

from __future__ import annotations

from api.graphql.declare import Entity, Form, Listing, Many, column, many, one, table_of
from api.graphql.model.shared import node_id, unified_fields
from schema import tables as t

CAMPAIGN = Entity(
    name="Campaign",
    table=table_of(t.Campaign),
    description=(
        "An advertising campaign of a connected ad platform, or one known by its UTM tags alone (platform `utm`)."
    ),
    order=(("name", False),),
    fields=(
        node_id("Campaign"),
        column(t.Campaign.platform, "Key of the ad platform's connector, or `utm`.", filterable=True),
        column(t.Campaign.external_id, "The platform's id, or `source/medium/campaign`.", filterable=True),
        column(t.Campaign.name, "The present name; `names` has the former ones.", filterable=True, sortable=True),
        column(t.Campaign.state, "The platform's own word for its state.", filterable=True),
        column(t.Campaign.currency, "ISO 4217 code of the currency that it is paid in.", filterable=True),
        column(t.Campaign.source, "Traffic source that it brings.", filterable=True),
        column(t.Campaign.medium, "Traffic medium that it brings.", filterable=True),
        column(t.Campaign.loaded_at, "When Skvoz learnt this state."),
        column(t.Campaign.deleted_at, "When it was found deleted in the platform; null while it is there."),
        one("connection", "ConnectedSystem", t.Campaign.connection_id, "The cabinet that it was read from."),
        Listing(
            name="names",
            target="CampaignName",
            description="The names that it has borne, the newest first.",
            on="{t}.campaign_id = {x}.id",
            order="{t}.known_from desc",
        ),
        many("adGroups", "AdGroup", t.AdGroup.campaign_id, "Its groups of ads."),
        many("spend", "AdSpend", t.AdSpend.campaign_id, "What it cost by day, newest first, as believed now."),
        many("visits", "Visit", t.Visit.campaign_id, "Visits that name it, newest first."),
        many("calls", "Call", t.Call.campaign_id, "Calls that name it, newest first."),
        many("leads", "Lead", t.Lead.campaign_id, "Leads that name it, newest first."),
        many("deals", "Deal", t.Deal.campaign_id, "Deals that name it themselves, newest first."),
        many("orders", "Order", t.Order.campaign_id, "Orders that name it, newest first."),
    ),
)

CAMPAIGN_NAME = Entity(
    name="CampaignName",
    table=table_of(t.CampaignName),
    node=False,
    key="campaign_id",
    description="A name that a campaign has borne.",
    fields=(
        column(t.CampaignName.name, "The name."),
        column(t.CampaignName.known_from, "When Skvoz learnt it."),
    ),
)

AD_SPEND = Entity(
    name="AdSpend",
    table=(
        "(select s.*, md5(concat_ws('/', s.connection_id, s.campaign_id, s.day, s.revision))::uuid as id "
        "from ad_spend s)"
    ),
    node=False,
    description="What a campaign cost on one day, by the newest revision of the platform's figures.",
    listed_if="{x}.known_until is null",
    order=(("day", True),),
    fields=(
        column(t.AdSpend.day, "A day of the ad platform's calendar.", filterable=True, sortable=True),
        column(
            t.AdSpend.revision,
            "How many times the platform has given this day, the first being 1.",
            filterable=True,
        ),
        column(t.AdSpend.cost, "Cost in `currency`.", filterable=True, sortable=True, money="currency"),
        column(t.AdSpend.currency, "ISO 4217 code.", filterable=True),
        column(t.AdSpend.vat_included, "Whether `cost` includes VAT.", filterable=True),
        column(t.AdSpend.impressions, "How often ads were shown.", filterable=True, sortable=True),
        column(t.AdSpend.clicks, "How often they were clicked.", filterable=True, sortable=True),
        column(t.AdSpend.known_from, "When Skvoz learnt this revision."),
        one("campaign", "Campaign", t.AdSpend.campaign_id, "The campaign."),
        one("connection", "ConnectedSystem", t.AdSpend.connection_id, "The cabinet that told it."),
    ),
)


def _named(target: str, key: str, what: str, on: str) -> Many:
    """Records that name a row of the campaign tree by the platform's own id."""
    return Many(
        name=f"{target.lower()}s",
        target=target,
        description=f"{target}s that name the {what}, newest first.",
        on=f"{{t}}.{key} = {{x}}.external_id and {on}",
    )


_OF_GROUP = (
    "{t}.campaign_id = (select g.campaign_id from ad_group g where g.workspace_id = {x}.workspace_id "
    "and g.id = {x}.ad_group_id)"
)
_TELLING = ("Visit", "Call", "Lead", "Deal", "Order")

AD_GROUP = Entity(
    name="AdGroup",
    table=table_of(t.AdGroup),
    description="A group of ads of a campaign.",
    deletable=True,
    order=(("name", False),),
    fields=(
        node_id("AdGroup"),
        column(t.AdGroup.name, "Its name in the ad platform.", filterable=True, sortable=True),
        one("campaign", "Campaign", t.AdGroup.campaign_id, "The campaign that it belongs to."),
        many("ads", "Ad", t.Ad.ad_group_id, "Its ads."),
        many("keywords", "Keyword", t.Keyword.ad_group_id, "Its keywords."),
        *(_named(each, "ad_group_key", "group", "{t}.campaign_id = {x}.campaign_id") for each in _TELLING),
        *unified_fields(t.AdGroup),
    ),
)

AD = Entity(
    name="Ad",
    table=table_of(t.Ad),
    description="An ad.",
    deletable=True,
    order=(("title", False),),
    fields=(
        node_id("Ad"),
        column(t.Ad.title, "Its title in the ad platform.", filterable=True, sortable=True),
        column(t.Ad.landing_url, "The page that it leads to.", filterable=True, form=Form.URL),
        one("adGroup", "AdGroup", t.Ad.ad_group_id, "The group that it belongs to."),
        *(_named(each, "ad_key", "ad", _OF_GROUP) for each in _TELLING),
        *unified_fields(t.Ad),
    ),
)

KEYWORD = Entity(
    name="Keyword",
    table=table_of(t.Keyword),
    description="A word or phrase on which ads are shown.",
    deletable=True,
    order=(("text", False),),
    fields=(
        node_id("Keyword"),
        column(t.Keyword.text, "The phrase.", filterable=True, sortable=True),
        one("adGroup", "AdGroup", t.Keyword.ad_group_id, "The group that it belongs to."),
        *(_named(each, "keyword_key", "keyword", _OF_GROUP) for each in _TELLING),
        *unified_fields(t.Keyword),
    ),
)

ENTITIES = (CAMPAIGN, CAMPAIGN_NAME, AD_SPEND, AD_GROUP, AD, KEYWORD)
