"""Protection from click fraud: which clicks on ads were judged to be made by robots or rivals."""

from __future__ import annotations

from connectors.clickfraud.health import check, error_of
from connectors.clickfraud.mapping import map_click
from connectors.clickfraud.reads import ask, read, start
from connectors.clickfraud.settings import ClickFraudSettings, account, auth, base_url
from connectors.clickfraud.webhooks import WEBHOOKS
from connectors.contract import Connector, RateLimit, Stream
from schema.enums import RecordKind

CONNECTOR = Connector(
    key="clickfraud",
    title="Click-fraud protection",
    description="Verdicts on clicks: how many were fraudulent, and what they cost, by campaign.",
    docs_url="https://docs.myclickshield.com/",
    settings=ClickFraudSettings,
    streams=(
        Stream(
            name="clicks",
            title="Judged clicks",
            makes=(RecordKind.INVALID_CLICKS,),
            start=start,
            request=ask,
            read=read,
            map=map_click,
        ),
    ),
    base_url=base_url,
    account=account,
    check=check,
    auth=auth,
    error_of=error_of,
    limits=(RateLimit(60, 60.0, burst=30, source="https://docs.myclickshield.com/"),),
    webhooks=WEBHOOKS,
    verified_by="documentation",
)
