"""By what the rows of a report can be told apart, and what a report was counted from."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Dimension(StrEnum):
    """By what the rows of a report are told apart."""

    CHANNEL = "channel"
    CHANNEL_GROUP = "channel_group"  # by the workspace's own rules
    SOURCE = "source"
    CAMPAIGN = "campaign"
    AD_GROUP = "ad_group"
    KEYWORD = "keyword"
    AD = "ad"
    DAY = "day"
    WEEK = "week"  # from Monday
    MONTH = "month"
    MANAGER = "manager"
    CITY = "city"
    DEVICE = "device"
    LANDING_PAGE = "landing_page"
    STAGE = "stage"
    LOST_REASON = "lost_reason"
    PRODUCT = "product"


class ServedFrom(StrEnum):
    """What a report was counted from."""

    ROLLUPS = "rollups"
    PATHS = "paths"


TIME = (Dimension.DAY, Dimension.WEEK, Dimension.MONTH)
TREE = (Dimension.CHANNEL, Dimension.CHANNEL_GROUP, Dimension.SOURCE, Dimension.CAMPAIGN)
OF_RECORDS = (Dimension.MANAGER, Dimension.STAGE, Dimension.LOST_REASON, Dimension.PRODUCT)
"""What the records behind tell, in their present state."""
OF_AD = (Dimension.AD_GROUP, Dimension.KEYWORD, Dimension.AD)

COLUMNS: Mapping[str, str] = {
    "campaign_id": "uuid",
    "name": "text",
    "reason": "text",
    "channel": "text",
    "channel_group": "text",
    "source": "text",
    "ad_group_key": "text",
    "keyword_key": "text",
    "ad_key": "text",
    "day": "date",
    "week": "date",
    "month": "date",
    "manager_id": "uuid",
    "city": "text",
    "device": "text",
    "landing_page": "text",
    "stage_id": "uuid",
    "lost_reason": "text",
    "product_key": "text",
}
"""The columns that tell the rows apart, with their types; what isn't asked for is null."""

BY_TOUCH = {
    Dimension.AD_GROUP: ("ad_group_key", "{touch}.ad_group_key"),
    Dimension.KEYWORD: ("keyword_key", "{touch}.keyword_key"),
    Dimension.AD: ("ad_key", "{touch}.ad_key"),
    Dimension.CITY: ("city", "nullif({touch}.city, '')"),
    Dimension.DEVICE: ("device", "nullif({touch}.device, '')"),
    Dimension.LANDING_PAGE: ("landing_page", "split_part(split_part({touch}.landing_url, '?', 1), '#', 1)"),
}
"""What the credited touch tells: the column, and SQL over the touch."""
