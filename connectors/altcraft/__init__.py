"""Altcraft: profiles with contact data and consent, mailings and reactions; clients and their sales are written."""

from __future__ import annotations

from connectors.altcraft.check import check
from connectors.altcraft.errors import error_of
from connectors.altcraft.reads import STREAMS
from connectors.altcraft.settings import AltcraftSettings, account, auth, base_url
from connectors.altcraft.webhooks import WEBHOOKS
from connectors.altcraft.writes import WRITES
from connectors.contract import Connector, RateLimit

CONNECTOR = Connector(
    key="altcraft",
    title="Altcraft",
    description="Customer data platform: profiles with contact data and consent, mailings and reactions to them.",
    docs_url="https://guides.altcraft.com/en/developer-guide/",
    settings=AltcraftSettings,
    streams=STREAMS,
    base_url=base_url,
    account=account,
    check=check,
    auth=auth,
    error_of=error_of,
    limits=(
        RateLimit(
            5, 1.0, source="https://guides.altcraft.com/en/developer-guide/ tells of no limit: the pace is ours"
        ),
    ),
    concurrency=2,
    writes=WRITES,
    webhooks=WEBHOOKS,
    verified_by="documentation",
)
