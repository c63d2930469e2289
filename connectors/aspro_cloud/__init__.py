"""Aspro.Cloud, the Russian branch of Flowlu. What is known of its API stands in BEHAVIOR.md."""

from __future__ import annotations

from connectors.aspro_cloud.check import check
from connectors.aspro_cloud.errors import error_of
from connectors.aspro_cloud.reads import STREAMS
from connectors.aspro_cloud.settings import AsproCloudSettings, account, auth, base_url
from connectors.aspro_cloud.webhooks import WEBHOOKS
from connectors.aspro_cloud.writes import WRITES
from connectors.contract import Connector, RateLimit

CONNECTOR = Connector(
    key="aspro_cloud",
    title="Aspro.Cloud",
    description="CRM and bookkeeping: contacts, companies, deals, tasks, invoices, acts and payments.",
    docs_url="https://aspro.cloud/api/",
    settings=AsproCloudSettings,
    streams=STREAMS,
    base_url=base_url,
    account=account,
    check=check,
    auth=auth,
    error_of=error_of,
    limits=(
        RateLimit(
            requests=1,
            seconds=1.0,
            source="https://aspro.cloud/api/: requests a second by tariff, one of them on the trial",
        ),
    ),
    writes=WRITES,
    webhooks=WEBHOOKS,
    verified_by="official specification",
)
