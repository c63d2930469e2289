"""Campaigns and what they cost."""

from __future__ import annotations

from api.graphql.declare import Entity, Listing, column, many, one, table_of
from api.graphql.model.shared import node_id
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
        column(t.Campaign.currency, "ISO 4217 code of the currency that it is paid in."),
        column(t.Campaign.source, "Traffic source that it brings.", filterable=True),
        column(t.Campaign.medium, "Traffic medium that it brings.", filterable=True),
        column(t.Campaign.loaded_at, "When Skvoz learnt this state."),
        column(t.Campaign.deleted_at, "When it was found deleted in the platform; null while it is there."),
        one("connection", "Connection", t.Campaign.connection_id, "The cabinet that it was read from."),
        Listing(
            name="names",
            target="CampaignName",
            description="The names that it has borne, the newest first.",
            on="{t}.campaign_id = {x}.id",
            order="{t}.known_from desc",
        ),
        many("spend", "AdSpend", t.AdSpend.campaign_id, "What it cost by day, newest first, as believed now."),
        many("visits", "Visit", t.Visit.campaign_id, "Visits that name it, newest first."),
        many("calls", "Call", t.Call.campaign_id, "Calls that name it, newest first."),
        many("leads", "Lead", t.Lead.campaign_id, "Leads that name it, newest first."),
        many("deals", "Deal", t.Deal.campaign_id, "Deals that name it themselves, newest first."),
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
    table=table_of(t.AdSpend),
    node=False,
    key="campaign_id",
    description="What a campaign cost on one day, by the newest revision of the platform's figures.",
    listed_if="{x}.known_until is null",
    order=(("day", True),),
    fields=(
        column(t.AdSpend.day, "A day of the ad platform's calendar.", filterable=True, sortable=True),
        column(t.AdSpend.revision, "How many times the platform has given this day, the first being 1."),
        column(t.AdSpend.cost, "Cost in `currency`.", filterable=True, sortable=True),
        column(t.AdSpend.currency, "ISO 4217 code."),
        column(t.AdSpend.vat_included, "Whether `cost` includes VAT."),
        column(t.AdSpend.impressions, "How often ads were shown."),
        column(t.AdSpend.clicks, "How often they were clicked."),
        column(t.AdSpend.known_from, "When Skvoz learnt this revision."),
        one("campaign", "Campaign", t.AdSpend.campaign_id, "The campaign."),
        one("connection", "Connection", t.AdSpend.connection_id, "The cabinet that told it."),
    ),
)

ENTITIES = (CAMPAIGN, CAMPAIGN_NAME, AD_SPEND)
