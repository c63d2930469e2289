"""What a user tells to connect an ADVANTSHOP shop."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import httpx
from pydantic import Field, SecretStr, field_validator

from connectors.addresses import joined, site_of
from connectors.auth import QueryKey
from connectors.contract import ConnectorSettings, TokenStore
from connectors.zones import ZoneName

SaleWhen = Literal["paid_or_completed", "paid", "completed"]


class AdvantshopSettings(ConnectorSettings):
    """One shop, entered by its API key."""

    base_url: str = Field(
        title="Shop address",
        description="The address of the shop as buyers see it: https://your-shop.ru.",
    )
    api_key: SecretStr = Field(
        title="API key",
        description=(
            "In the shop's admin area: Settings → API (Настройки → API) → API key, or the button that generates "
            "one. A shop has one key: whoever makes a new one ends the old one."
        ),
    )
    timezone: ZoneName = Field(
        default="Europe/Moscow",
        title="Time zone",
        description=(
            "The zone of the shop's server, as its usual name (Europe/Moscow): ADVANTSHOP writes times without one."
        ),
    )
    sale_when: SaleWhen = Field(
        default="paid_or_completed",
        title="An order is a sale when it is",
        description=(
            "paid_or_completed: paid, or in a status that completes it (cash on delivery); paid; or completed. A "
            "cancelled order never is."
        ),
    )
    exchange: bool = Field(
        default=False,
        title="Use the exchange with 1C",
        description=(
            "Switch it on if the shop's tariff has the exchange with 1C (Settings → API → 1C): then changed orders "
            "are found by the day of their change, and the day of payment, the INN and the visitors' cookies of "
            "Metrica and Google are read too."
        ),
    )
    reread_days: int = Field(
        default=30,
        ge=1,
        le=365,
        title="Days to read again",
        description=(
            "Without the exchange the shop can't say which orders changed: the orders of so many days are read "
            "again each time. Webhooks tell of later changes."
        ),
    )

    @field_validator("base_url")
    @classmethod
    def _is_a_shop(cls, value: str) -> str:
        parts = site_of(value, "https://your-shop.ru", domain=True)
        host = parts.hostname
        if host in ("advantshop.net", "www.advantshop.net"):
            raise ValueError(f"{host} is the vendor's own site. Give your shop's address: https://your-shop.ru.")
        path = parts.path.rstrip("/")
        for page in ("/adminv3", "/adminv2", "/admin", "/api"):  # pasted from the browser it has a page's path
            path = path.partition(page)[0]
        return joined(parts, path)

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)


def base_url(settings: AdvantshopSettings) -> str:
    return f"{settings.base_url}/api"


def account(settings: AdvantshopSettings) -> str:
    """The shop's host: limits are counted for it."""
    return urlsplit(settings.base_url).netloc


def auth(settings: AdvantshopSettings, _tokens: TokenStore) -> httpx.Auth:
    """[1] In the query, where every method takes it, the exchange with 1C too."""
    return QueryKey("apikey", settings.api_key)
