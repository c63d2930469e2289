"""What a user tells to connect an amoCRM (or Kommo) account, and how its tokens are renewed."""

from __future__ import annotations

from urllib.parse import urlsplit

import httpx
import msgspec
from pydantic import Field, SecretStr, field_validator, model_validator

from connectors.addresses import joined, site_of
from connectors.auth import RefreshingBearer
from connectors.contract import ConnectorSettings, Tokens, TokenStore
from connectors.zones import ZoneName

_VENDOR_DOMAINS = ("amocrm.ru", "amocrm.com", "kommo.com")
_VENDOR_SITES = ("www", "api", "developers", "oauth")


class AmoCrmSettings(ConnectorSettings):
    """One account, entered by a long-lived token or by the tokens of an integration."""

    base_url: str = Field(
        title="Account address",
        description=(
            "The address that stands in the browser when amoCRM is open: https://your-company.amocrm.ru "
            "(Kommo: https://your-company.kommo.com)."
        ),
    )
    access_token: SecretStr = Field(
        title="Access token",
        description=(
            "amoMarket → ⋯ → Create integration (or your own, already installed) → tab 'Keys and scopes': "
            "make a long-lived token there (nothing else is needed then), or paste the access token "
            "that you got for the authorization code. Make it as an administrator."
        ),
    )
    refresh_token: SecretStr | None = Field(
        default=None,
        title="Refresh token",
        description=(
            "Comes together with the access token in exchange for the authorization code (tab 'Keys and "
            "scopes' of the integration). Empty for a long-lived token. It works once: let nobody else use it."
        ),
    )
    client_id: str | None = Field(
        default=None,
        title="Integration ID",
        description=(
            "amoMarket → your integration → 'Keys and scopes' → Integration ID. Empty for a long-lived token."
        ),
    )
    client_secret: SecretStr | None = Field(
        default=None,
        title="Secret key",
        description="amoMarket → your integration → 'Keys and scopes' → Secret key. Empty for a long-lived token.",
    )
    redirect_uri: str | None = Field(
        default=None,
        title="Redirect address",
        description=(
            "amoMarket → your integration → 'Keys and scopes' → Redirect link, letter for letter. "
            "Empty for a long-lived token."
        ),
    )
    currency: str = Field(
        default="RUB",
        pattern=r"^[A-Z]{3}$",
        title="Currency",
        description=(
            "The account's currency: Settings → General settings → Currency. Deals don't tell it themselves."
        ),
    )
    timezone: ZoneName = Field(
        default="Europe/Moscow",
        title="Time zone",
        description=(
            "The account's time zone: Settings → General settings → Time zone, as its usual name "
            "(Europe/Moscow). Date fields of cards are days of this zone."
        ),
    )

    @field_validator("base_url")
    @classmethod
    def _is_an_account(cls, value: str) -> str:
        parts = site_of(value, "https://your-company.amocrm.ru", domain=True)
        host = parts.hostname or ""
        name, _, domain = host.partition(".")
        if host in _VENDOR_DOMAINS or (domain in _VENDOR_DOMAINS and name in _VENDOR_SITES):
            raise ValueError(
                f"{host} is the vendor's own site. Give the account's address, such as https://your-company.{domain}."
            )
        # Pasted from the browser it has a page's path; elsewhere the path may be where the API is mounted.
        path = "" if domain in _VENDOR_DOMAINS else parts.path
        return joined(parts, path)

    @model_validator(mode="after")
    def _can_renew(self) -> AmoCrmSettings:
        lacking = [
            title
            for title, value in (
                ("Integration ID", self.client_id),
                ("Secret key", self.client_secret),
                ("Redirect address", self.redirect_uri),
            )
            if not value
        ]
        if self.refresh_token is not None and lacking:
            raise ValueError(f"To renew the tokens these are needed too: {', '.join(lacking)}.")
        return self


def base_url(settings: AmoCrmSettings) -> str:
    return settings.base_url


def account(settings: AmoCrmSettings) -> str:
    """The account's host: limits are counted for it."""
    return urlsplit(settings.base_url).netloc


def first_tokens(settings: AmoCrmSettings) -> Tokens:
    refresh = settings.refresh_token
    return Tokens(settings.access_token.get_secret_value(), None if refresh is None else refresh.get_secret_value())


def auth(settings: AmoCrmSettings, tokens: TokenStore) -> httpx.Auth:
    """Signs requests, and renews the pair when the access token has expired (after 24 hours)."""

    def ask(pair: Tokens) -> httpx.Request:
        secret = settings.client_secret
        return httpx.Request(
            "POST",
            f"{settings.base_url}/oauth2/access_token",
            json={
                "client_id": settings.client_id,
                "client_secret": None if secret is None else secret.get_secret_value(),
                "grant_type": "refresh_token",
                "refresh_token": pair.refresh_token,
                "redirect_uri": settings.redirect_uri,
            },
        )

    return RefreshingBearer(tokens, ask, _pair, system="amoCRM")


class _Pair(msgspec.Struct):
    access_token: str
    refresh_token: str


def _pair(answer: httpx.Response) -> Tokens:
    pair = msgspec.json.decode(answer.content, type=_Pair)
    return Tokens(pair.access_token, pair.refresh_token)
