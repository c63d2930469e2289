"""What a user tells to connect an Aspro.Cloud portal."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import httpx
from pydantic import Field, SecretStr, field_validator

from connectors.addresses import joined, site_of
from connectors.auth import QueryKey
from connectors.contract import ConnectorSettings, TokenStore
from connectors.zones import ZoneName

_DOMAINS = ("aspro.cloud", "flowlu.com", "flowlu.ru")
_VENDOR_SITES = ("www", "my", "api")
_UTM_PARTS = ("utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term")
_PAIR = re.compile(r"\s*([^=,;\s]+)\s*=\s*([^=,;\s]+)\s*")
_CUSTOM = re.compile(r"cf_\d+")
_CURRENCY = re.compile(r"[A-Z]{3}")


class AsproCloudSettings(ConnectorSettings):
    """One portal, entered by an API key."""

    base_url: str = Field(
        title="Portal address",
        description="The address that stands in the browser when the portal is open: https://your-company.aspro.cloud.",
    )
    api_key: SecretStr = Field(
        title="API key",
        description=(
            "In the portal: System settings → API settings (Настройки системы → Настройки API) → add a key. Give "
            "it the modules CRM, Finance, Tasks and Users; a key that is deleted never works again."
        ),
    )
    currency: str = Field(
        default="RUB",
        pattern=r"^[A-Z]{3}$",
        title="Currency",
        description="The portal's main currency, as its usual code (RUB): deals and payments don't name theirs.",
    )
    currency_ids: str = Field(
        default="",
        title="Other currencies",
        description=(
            "Only for portals with several currencies: the portal's own numbers and the usual codes, such as "
            "'1=RUB, 3=USD' (the numbers stand in Finance → Settings → Currencies). A number that is missing here "
            "sets its payments aside, so that no amount is taken for another currency's."
        ),
    )
    utm_fields: str = Field(
        default="",
        title="Fields with UTM tags",
        description=(
            "The deals' custom fields that hold UTM tags, such as 'utm_source=cf_12, utm_campaign=cf_15'. Empty: "
            "custom fields that hold an address or a line with utm_… are read by themselves."
        ),
    )
    timezone: ZoneName = Field(
        default="Europe/Moscow",
        title="Time zone",
        description=(
            "The portal's time zone, as its usual name (Europe/Moscow): Aspro.Cloud writes times without a zone. "
            "It stands in System settings → General."
        ),
    )
    webhook_secret: SecretStr | None = Field(
        default=None,
        title="Secret of the webhooks",
        description=(
            "Any long word of yours, which you also enter at the webhook in the portal as the header "
            "X-Aspro-Secret. Empty: whoever knows the webhook's address is believed."
        ),
    )

    @field_validator("base_url")
    @classmethod
    def _is_a_portal(cls, value: str) -> str:
        parts = site_of(value, "https://your-company.aspro.cloud", domain=True)
        host = parts.hostname or ""
        name, _, domain = host.partition(".")
        if host in _DOMAINS or (domain in _DOMAINS and name in _VENDOR_SITES):
            raise ValueError(
                f"{host} is the vendor's own site. Give your portal's address, such as https://your-company.aspro.cloud."
            )
        path = "" if domain in _DOMAINS else parts.path
        return joined(parts, path)

    @field_validator("currency_ids")
    @classmethod
    def _are_currencies(cls, value: str) -> str:
        for number, code in _pairs(value, "1=RUB, 3=USD").items():
            if not number.isdigit() or not _CURRENCY.fullmatch(code):
                raise ValueError(f"{number}={code} is no number and currency: write it like 3=USD.")
        return value

    @field_validator("utm_fields")
    @classmethod
    def _are_custom_fields(cls, value: str) -> str:
        for part, field in _pairs(value, "utm_source=cf_12, utm_campaign=cf_15").items():
            if part not in _UTM_PARTS:
                raise ValueError(f"There is no tag {part!r}: the tags are {', '.join(_UTM_PARTS)}.")
            if not _CUSTOM.fullmatch(field):
                raise ValueError(f"{field!r} is no custom field: they are called cf_ and a number, such as cf_12.")
        return value

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    @property
    def currencies(self) -> Mapping[str, str]:
        """ISO codes by the portal's numbers; empty where there is one currency only."""
        return _pairs(self.currency_ids, "")

    @property
    def tags(self) -> Mapping[str, str]:
        """Custom fields by UTM tag."""
        return _pairs(self.utm_fields, "")


def _pairs(text: str, example: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in filter(None, (each.strip() for each in re.split("[,;]", text))):
        pair = _PAIR.fullmatch(part)
        if pair is None:
            raise ValueError(f"{part!r} is no pair of the form name=value. Write the pairs like this: {example}.")
        found[pair[1]] = pair[2]
    return found


def base_url(settings: AsproCloudSettings) -> str:
    return f"{settings.base_url}/api/v1/module"


def account(settings: AsproCloudSettings) -> str:
    """The portal's host: limits are counted for it."""
    return urlsplit(settings.base_url).netloc


def auth(settings: AsproCloudSettings, _tokens: TokenStore) -> httpx.Auth:
    return QueryKey("api_key", settings.api_key)
