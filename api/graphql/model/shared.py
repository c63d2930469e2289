# ruff: noqa: S608 - the SQL is put together from declarations of ours; values are bound, never written in
"""Fields that many types have."""

from __future__ import annotations

from typing import Any

from api.graphql.declare import Column, Custom, Form, Kind, Listing, One, column, computed, one
from api.graphql.masks import Mask
from api.graphql.model.custom_fields import custom_values
from schema.enums import Channel, Role

STAFF = frozenset({Role.OWNER, Role.INTEGRATION})
"""Who sees how the systems are connected."""


OWN = "{x}.responsible_id = any(%(own)s::uuid[])"
OWN_CLIENT = (
    "exists(select from client oc where oc.workspace_id = {x}.workspace_id and oc.id = {x}.client_id "
    "and oc.responsible_id = any(%(own)s::uuid[]))"
)
OWN_RECORD = f"({OWN} or {OWN_CLIENT})"
"""A record is a manager's own if its client is, or if the manager is in charge of it."""


def in_language(english: str, russian: str) -> str:
    """The expression of a sentence in the language of the request; a plan serves both."""
    return f"(case %(language)s::text when 'ru' then {russian} else {english} end)"


def node_id(type_name: str) -> Column:
    return Column(
        name="id",
        kind=Kind.ID,
        sql="{x}.id",
        nullable=False,
        filterable=True,
        description=f"Global id of the {type_name.lower()}: stable for ever, opaque, good for `node`.",
    )


_OF_CAMPAIGN = (
    "{t}.ad_group_id in (select g.id from ad_group g where g.workspace_id = {x}.workspace_id "
    "and g.campaign_id = {x}.campaign_id)"
)


def origin_fields(table: Any) -> tuple[Column | One, ...]:
    """Where a record came from, of tables that have it."""
    return (
        column(
            table.channel,
            "Channel group that the source and medium fall into; null where nothing tells the origin.",
            enum=Channel,
            filterable=True,
        ),
        column(table.source, "Traffic source that holds, lower case (`yandex`).", filterable=True),
        column(table.medium, "Traffic medium that holds, lower case (`cpc`).", filterable=True),
        one("campaign", "Campaign", table.campaign_id, "The campaign that the record names, if any."),
        One(
            name="adGroup",
            target="AdGroup",
            description="The group of ads that the record names, once its cabinet is connected.",
            on="{t}.campaign_id = {x}.campaign_id and {t}.external_id = {x}.ad_group_key",
        ),
        One(
            name="ad",
            target="Ad",
            description="The ad that the record names, once its cabinet is connected.",
            on=f"{{t}}.external_id = {{x}}.ad_key and {_OF_CAMPAIGN}",
        ),
        One(
            name="keyword",
            target="Keyword",
            description="The keyword that the record names, once its cabinet is connected.",
            on=f"{{t}}.external_id = {{x}}.keyword_key and {_OF_CAMPAIGN}",
        ),
        column(table.utm_source, "Tag `utm_source` as it came.", filterable=True),
        column(table.utm_medium, "Tag `utm_medium` as it came.", filterable=True),
        column(table.utm_campaign, "Tag `utm_campaign` as it came.", filterable=True),
        column(table.utm_content, "Tag `utm_content` as it came.", filterable=True),
        column(table.utm_term, "Tag `utm_term` as it came.", filterable=True),
        column(
            table.click_id,
            "The ad platform's click id (`yclid`, `gclid` and their kind).",
            mask=Mask.HIDDEN,
            filterable=True,
        ),
        column(table.referrer, "Address of the page that led here.", filterable=True, form=Form.URL),
    )


def unified_fields(table: Any) -> tuple[Column | One | Custom | Listing, ...]:
    """What every record has that was read from an external system."""
    return (
        one("connection", "ConnectedSystem", table.connection_id, "The connection that the record was read from."),
        column(table.external_id, "Its id in the external system.", filterable=True),
        column(
            table.updated_at,
            "When the external system last changed it, by its own clock.",
            filterable=True,
            sortable=True,
        ),
        column(table.loaded_at, "When Skvoz learnt this state.", filterable=True, sortable=True),
        column(
            table.deleted_at,
            "When it was found deleted in the external system; null while it is there.",
            filterable=True,
        ),
        column(
            table.custom,
            "The vendor's custom fields as a JSON object, by the vendor's field key.",
            mask=Mask.HIDDEN,
        ),
        Custom(
            name="customField",
            description="One of the vendor's custom fields, by its key out of `customFields`; null if it is empty.",
            sql="{x}.custom",
            mask=Mask.HIDDEN,
        ),
        custom_values(table),
    )


def count(name: str, table: str, on: str, description: str) -> Column:
    """A number of rows that belong to the row."""
    return computed(
        name,
        Kind.INT,
        f"(select count(*) from {table} c where c.workspace_id = {{x}}.workspace_id and {on})",
        description,
        nullable=False,
    )


def text_literal(text: str | None) -> str:
    """Text of our own as an SQL literal; percent signs belong to the driver's placeholders."""
    if text is None:
        return "null::text"
    return "'" + text.replace("'", "''").replace("%", "%%") + "'::text"
