"""What a user tells to connect a service for protection from click fraud."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import httpx
from pydantic import Field, SecretStr

from connectors.addresses import ApiAddress
from connectors.auth import Bearer
from connectors.contract import ConnectorSettings, TokenStore
from connectors.zones import ZoneName


class ClickFraudSettings(ConnectorSettings):
    """One protected site. A service without an API is read by its export files (docs/connect/clickfraud.md)."""

    base_url: ApiAddress = Field(
        default="https://api.myclickshield.com",
        title="Address of the API",
        description="The service's address, such as https://api.myclickshield.com, without a path behind the host.",
    )
    token: SecretStr = Field(
        title="API token",
        description=(
            "Settings → API & Webhooks → new token, with the abilities sites:read and clicks:read; shown once."
        ),
        min_length=1,
    )
    site_id: str = Field(
        title="Site",
        description="The protected site's id, as it stands in the address of its page in the service.",
        pattern=r"^[A-Za-z0-9_-]{1,64}$",
    )
    webhook_secret: SecretStr | None = Field(
        default=None,
        title="Signing secret",
        description="Only for webhooks: the secret that the service shows beside them, by which it signs.",
    )
    suspicious: bool = Field(
        default=False,
        title="Count suspicious clicks",
        description="Whether clicks count as fraudulent that the service calls suspicious and didn't block.",
    )
    timezone: ZoneName = Field(
        default="Europe/Moscow",
        title="Time zone",
        description="The advertising cabinets' time zone, as its usual name: in it a click gets its day.",
    )
    reread_days: int = Field(
        default=7,
        ge=1,
        le=90,
        title="Days to read again",
        description="Verdicts change for some days: every sync reads this many last days again.",
    )

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)


def base_url(settings: ClickFraudSettings) -> str:
    return f"{settings.base_url.rstrip('/')}/api/v1"


def account(settings: ClickFraudSettings) -> str:
    return f"{httpx.URL(settings.base_url).netloc.decode()}/{settings.site_id}"


def auth(settings: ClickFraudSettings, _tokens: TokenStore) -> httpx.Auth:
    return Bearer(settings.token)
