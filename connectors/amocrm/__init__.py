"""amoCRM and its twin Kommo. What is known of their API stands in BEHAVIOR.md."""

from __future__ import annotations

from connectors.amocrm.check import check
from connectors.amocrm.errors import error_of
from connectors.amocrm.own_fields import CUSTOM_FIELDS
from connectors.amocrm.reads import STREAMS
from connectors.amocrm.settings import AmoCrmSettings, account, auth, base_url, first_tokens
from connectors.amocrm.together import TOGETHER
from connectors.amocrm.webhooks import WEBHOOKS
from connectors.amocrm.writes import WRITES
from connectors.contract import Connector, RateLimit

CONNECTOR = Connector(
    key="amocrm",
    title="amoCRM",
    description="CRM (also Kommo): companies, contacts, leads with the history of their stages, and calls.",
    docs_url="https://www.amocrm.ru/developers/content/crm_platform/api-reference",
    settings=AmoCrmSettings,
    streams=STREAMS,
    base_url=base_url,
    account=account,
    check=check,
    auth=auth,
    tokens=first_tokens,
    error_of=error_of,
    limits=(
        RateLimit(
            requests=6,
            seconds=1.0,
            source="https://www.amocrm.ru/developers/content/api/recommendations: 7 a second, one kept in reserve",
        ),
    ),
    concurrency=2,
    writes=WRITES,
    together=TOGETHER,
    webhooks=WEBHOOKS,
    custom_fields=CUSTOM_FIELDS,
    verified_by="recorded payloads",
)
