"""1C: "1C:CRM", "Управление торговлей" and their kin, over the platform's standard OData interface. What is known
of it stands in BEHAVIOR.md."""

from __future__ import annotations

from connectors.contract import Connector, RateLimit
from connectors.onec.check import check
from connectors.onec.errors import error_of
from connectors.onec.settings import OneCSettings, account, auth, base_url
from connectors.onec.streams import STREAMS
from connectors.onec.writes import WRITES

CONNECTOR = Connector(
    key="onec",
    title="1C",
    description=(
        "1C:CRM and the configurations around it (УТ, КА, ERP): partners, contact persons, deals, orders, "
        "invoices, payments, calls and events."
    ),
    docs_url="https://its.1c.ru/db/v8std",
    settings=OneCSettings,
    streams=STREAMS,
    base_url=base_url,
    account=account,
    check=check,
    auth=auth,
    error_of=error_of,
    limits=(
        RateLimit(
            requests=4,
            seconds=1.0,
            burst=2,
            source="none in the protocol: each request opens a server session and may take a licence",
        ),
    ),
    concurrency=1,
    writes=WRITES,
    verified_by="documentation",
)
