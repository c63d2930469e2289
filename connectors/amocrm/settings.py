"""What a user tells to connect an amoCRM (or Kommo) account, and how its tokens are renewed."""

from __future__ import annotations

from urllib.parse import urlsplit

import httpx
import msgspec
from pydantic import Field, SecretStr, field_validator, model_validator

from connectors.addresses import joined, site_of
from connectors.auth import RefreshingBearer, consent
from connectors.contract import ConnectorSettings, Tokens, TokenStore
from connectors.errors import AuthFailed
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
    access_token: SecretStr | None = Field(
        default=None,
        title="Access token",
        description=(
            "amoMarket → ⋯ → Create integration (or your own, already installed) → tab 'Keys and scopes': "
            "make a long-lived token there (nothing else is needed then), or paste the access token "
            "that you got for the authorization code. Make it as an administrator. Empty with a code."
        ),
    )
    authorization_code: SecretStr | None = Field(
        default=None,
        title="Authorization code",
        description=(
            "Instead of tokens: the `code` that an administrator's consent brings to the redirect address, or that "
            "stands in the tab 'Keys and scopes'. It is good for 20 minutes and for one use: Skvoz gets the tokens "
            "for it and forgets it."
        ),
        json_schema_extra=consent("https://www.amocrm.ru/oauth?client_id={client_id}&state={state}&mode=popup"),
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
        if self.access_token is None and self.authorization_code is None:
            raise ValueError("Give an access token, or an authorization code to get one for.")
        if (self.refresh_token is not None or self.authorization_code is not None) and lacking:
            raise ValueError(f"To get and renew the tokens these are needed too: {', '.join(lacking)}.")
        return self


def base_url(settings: AmoCrmSettings) -> str:
    return settings.base_url


def account(settings: AmoCrmSettings) -> str:
    """The account's host: limits are counted for it."""
    return urlsplit(settings.base_url).netloc


def first_tokens(settings: AmoCrmSettings) -> Tokens:
    """The pair that was told; none yet where a code was, for which it is to be got."""
    access, refresh = settings.access_token, settings.refresh_token
    if access is None or settings.authorization_code is not None:
        return Tokens("")
    return Tokens(access.get_secret_value(), None if refresh is None else refresh.get_secret_value())


def auth(settings: AmoCrmSettings, tokens: TokenStore) -> httpx.Auth:
    """Signs requests, gets the pair for an authorization code, and renews it when the access token has expired
    (after 24 hours)."""
    code = settings.authorization_code

    def ask(**grant: str | None) -> httpx.Request:
        secret = settings.client_secret
        return httpx.Request(
            "POST",
            f"{settings.base_url}/oauth2/access_token",
            json={
                "client_id": settings.client_id,
                "client_secret": None if secret is None else secret.get_secret_value(),
                **grant,
                "redirect_uri": settings.redirect_uri,
            },
        )

    def renew(pair: Tokens) -> httpx.Request:
        return ask(grant_type="refresh_token", refresh_token=pair.refresh_token)

    if code is None:
        return RefreshingBearer(tokens, renew, _pair, system="amoCRM")
    told = code.get_secret_value()
    return RefreshingBearer(
        tokens,
        renew,
        _pair,
        system="amoCRM",
        grant=lambda: ask(grant_type="authorization_code", code=told),
        refusal=_code_refused,
    )


def _code_refused(answer: httpx.Response) -> AuthFailed | None:
    if answer.status_code not in (400, 401, 403):
        return None
    return AuthFailed(
        "amoCRM gives no tokens for the authorization code: it is good for 20 minutes and for one use, and goes "
        "with the integration's ID, secret key and redirect address. Give the consent again."
    )


class _Pair(msgspec.Struct):
    access_token: str
    refresh_token: str


def _pair(answer: httpx.Response) -> Tokens:
    pair = msgspec.json.decode(answer.content, type=_Pair)
    return Tokens(pair.access_token, pair.refresh_token)
