"""BottleCRM (django-crm), an open-source CRM. What is known of its API stands in BEHAVIOR.md."""

from __future__ import annotations

from connectors.bottlecrm.check import check
from connectors.bottlecrm.errors import error_of
from connectors.bottlecrm.reads import STREAMS
from connectors.bottlecrm.settings import BottleCrmSettings, account, auth, base_url
from connectors.bottlecrm.writes import WRITES
from connectors.contract import Connector, RateLimit

CONNECTOR = Connector(
    key="bottlecrm",
    title="BottleCRM",
    description="Open-source CRM: leads, contacts, accounts, deals, calls and invoices.",
    docs_url="https://github.com/django-crm/Django-CRM",
    settings=BottleCrmSettings,
    streams=STREAMS,
    base_url=base_url,
    account=account,
    check=check,
    auth=auth,
    error_of=error_of,
    limits=(
        RateLimit(
            requests=10, seconds=1.0, source="ours: BottleCRM has no limit, and the server is the user's own"
        ),
    ),
    writes=WRITES,
    verified_by="live",
)
