"""ADVANTSHOP, a platform of online shops. What is known of its API stands in BEHAVIOR.md."""

from __future__ import annotations

from connectors.advantshop.check import check
from connectors.advantshop.errors import error_of
from connectors.advantshop.reads import STREAMS
from connectors.advantshop.settings import AdvantshopSettings, account, auth, base_url
from connectors.advantshop.webhooks import WEBHOOKS
from connectors.advantshop.writes import WRITES
from connectors.contract import Connector, RateLimit

CONNECTOR = Connector(
    key="advantshop",
    title="ADVANTSHOP",
    description="Online shop: customers, orders with items, statuses and sources, the sales and payments they are. "
    "Leads aren't read: its API and its webhooks tell of none.",
    docs_url="https://www.advantshop.net/help/pages/how-to-use-api",
    settings=AdvantshopSettings,
    streams=STREAMS,
    base_url=base_url,
    account=account,
    check=check,
    auth=auth,
    error_of=error_of,
    limits=(
        RateLimit(
            requests=3,
            seconds=1.0,
            source="of our own: the vendor names none, and buyers use the same server",
        ),
    ),
    writes=WRITES,
    webhooks=WEBHOOKS,
    verified_by="documentation",
)
