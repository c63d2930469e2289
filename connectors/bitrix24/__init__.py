"""Bitrix24, the CRM. What is known of its API stands in BEHAVIOR.md."""

from __future__ import annotations

from connectors.bitrix24.check import check
from connectors.bitrix24.errors import error_of
from connectors.bitrix24.own_fields import CUSTOM_FIELDS
from connectors.bitrix24.reads import STREAMS
from connectors.bitrix24.settings import Bitrix24Settings, base_url, portal
from connectors.bitrix24.together import TOGETHER
from connectors.bitrix24.webhooks import WEBHOOKS
from connectors.bitrix24.writes import WRITES
from connectors.contract import Connector, RateLimit

CONNECTOR = Connector(
    key="bitrix24",
    title="Bitrix24",
    description="CRM: companies, contacts, leads, deals with the history of their stages, and calls.",
    docs_url="https://apidocs.bitrix24.com/",
    settings=Bitrix24Settings,
    streams=STREAMS,
    base_url=base_url,
    account=portal,
    check=check,
    error_of=error_of,
    limits=(
        RateLimit(
            requests=2,
            seconds=1.0,
            burst=40,  # ten below the vendor's 50: the bucket is shared with whatever else the user runs
            source="https://apidocs.bitrix24.com/limits.html: the bucket of 50 drains by 2 a second",
        ),
    ),
    concurrency=2,
    writes=WRITES,
    together=TOGETHER,
    webhooks=WEBHOOKS,
    custom_fields=CUSTOM_FIELDS,
    verified_by="recorded payloads",
)
