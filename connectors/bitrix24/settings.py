"""What a user tells to connect a Bitrix24 portal."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from connectors.contract import ConnectorSettings

# People paste the address with a method at its end, as the portal's request builder shows it: that is cut off.
_WEBHOOK = re.compile(r"(https?://[^\s/?#@\\]+(?:/[\w.~-]+)*?/rest/\d+/[\w-]+)(?:/[\w.]*)?/?")


class Bitrix24Settings(ConnectorSettings):
    """One portal, entered by an incoming webhook. Its address is the secret: it holds the code."""

    webhook_url: SecretStr = Field(
        title="Webhook address",
        description=(
            "In the portal: Developer resources → Other → Incoming webhook (for an administrator: "
            "Applications → Developer resources). Tick the permissions CRM (crm), Telephony (telephony) and "
            "Users (user), save, and copy 'Webhook to call REST API'. It looks like "
            "https://your-portal.bitrix24.ru/rest/1/abc123def456/. Make it as an administrator: "
            "a webhook sees only what its owner may see."
        ),
    )

    application_token: SecretStr | None = Field(
        default=None,
        title="Application token",
        description=(
            "For news in seconds instead of minutes: the portal shows it when an outgoing webhook to this "
            "connection's address is saved. Events without it are refused then."
        ),
    )

    @field_validator("webhook_url")
    @classmethod
    def _is_a_webhook(cls, value: SecretStr) -> SecretStr:
        found = _WEBHOOK.fullmatch(value.get_secret_value().strip())
        if found is None:
            raise ValueError(
                "This is not the address of an incoming webhook. It must look like "
                "https://your-portal.bitrix24.ru/rest/1/abc123def456/: portal, /rest/, the user's number, the code."
            )
        return SecretStr(found[1])


def base_url(settings: Bitrix24Settings) -> str:
    """The webhook's address without a slash at its end; methods are called below it."""
    return settings.webhook_url.get_secret_value()


def portal(settings: Bitrix24Settings) -> str:
    """The portal's host: limits are counted for it."""
    return urlsplit(base_url(settings)).netloc.lower()
