"""What a user tells to connect a Google Ads account, and how its access is renewed (BEHAVIOR.md [1]-[6])."""

from __future__ import annotations

import httpx
import msgspec
from pydantic import Field, SecretStr, field_validator

from connectors.addresses import ApiAddress
from connectors.auth import RefreshingBearer
from connectors.contract import ConnectorSettings, Tokens, TokenStore
from connectors.errors import AuthFailed, VendorError


class GoogleAdsSettings(ConnectorSettings):
    """One advertising account, reached by a user's consent, straight or through a manager account."""

    customer_id: str = Field(
        title="Customer ID",
        description="The ten digits at the top of Google Ads (123-456-7890) of the account that advertises.",
    )
    login_customer_id: str | None = Field(
        default=None,
        title="Manager's customer ID",
        description=(
            "Only if the user reaches the account through a manager account (MCC): the manager's ten digits."
        ),
    )
    client_id: str = Field(
        title="OAuth client ID",
        description="Google Cloud console → APIs & Services → Credentials → your OAuth client.",
        min_length=1,
    )
    client_secret: SecretStr = Field(
        title="OAuth client secret",
        description="Stands beside the OAuth client ID.",
        min_length=1,
    )
    refresh_token: SecretStr = Field(
        title="Refresh token",
        description=(
            "What the consent of a user gave, with the scope https://www.googleapis.com/auth/adwords "
            "and access_type=offline. Of a project in the state 'testing' it is good for seven days only."
        ),
        min_length=1,
    )
    access_token: SecretStr | None = Field(
        default=None,
        title="Access token",
        description="Leave it empty: Skvoz gets one every hour by the refresh token.",
    )
    developer_token: SecretStr | None = Field(
        default=None,
        title="Developer token",
        description=(
            "Leave it empty, unless your project still needs one: since September 2026 the access belongs to the "
            "Google Cloud project of the OAuth client."
        ),
    )
    api_version: int = Field(
        default=26,
        ge=20,
        le=99,
        title="Version of the API",
        description="A version lives about a year. Raise it when the check says that it has ended.",
    )
    reread_days: int = Field(
        default=30,
        ge=3,
        le=180,
        title="Days to read again",
        description=("Google corrects clicks and costs for some days: every sync reads this many last days again."),
    )
    base_url: ApiAddress = Field(
        default="https://googleads.googleapis.com",
        title="Address of the API",
        description="Leave it as it is, unless you connect a sandbox.",
    )
    oauth_url: ApiAddress = Field(
        default="https://oauth2.googleapis.com/token",
        title="Address of the access tokens",
        description="Leave it as it is, unless you connect a sandbox.",
    )

    @field_validator("customer_id", "login_customer_id")
    @classmethod
    def _is_a_customer(cls, value: str | None) -> str | None:
        if value is None:
            return None
        digits = value.replace("-", "").replace(" ", "")
        if not (digits.isascii() and digits.isdigit() and len(digits) == 10):
            raise ValueError("A customer ID has ten digits, such as 123-456-7890.")
        return digits


def base_url(settings: GoogleAdsSettings) -> str:
    return settings.base_url.rstrip("/")


def account(settings: GoogleAdsSettings) -> str:
    """The day's operations are counted for the project, requests a second for the customer too."""
    return f"{httpx.URL(settings.base_url).netloc.decode()}/{settings.client_id}"


def first_tokens(settings: GoogleAdsSettings) -> Tokens:
    access = settings.access_token
    return Tokens("" if access is None else access.get_secret_value(), settings.refresh_token.get_secret_value())


def auth(settings: GoogleAdsSettings, tokens: TokenStore) -> httpx.Auth:
    """Signs requests, and gets a new access token when there is none or it has expired (after an hour)."""

    def refresh(pair: Tokens) -> httpx.Request:
        return httpx.Request(
            "POST",
            settings.oauth_url,
            data={
                "grant_type": "refresh_token",
                "client_id": settings.client_id,
                "client_secret": settings.client_secret.get_secret_value(),
                "refresh_token": pair.refresh_token or "",
            },
        )

    def pair(answer: httpx.Response) -> Tokens:
        told = msgspec.json.decode(answer.content, type=_Pair)
        return Tokens(told.access_token, told.refresh_token or settings.refresh_token.get_secret_value())

    return RefreshingBearer(tokens, refresh, pair, system="Google", refusal=_refusal)


class _Pair(msgspec.Struct):
    access_token: str
    refresh_token: str | None = None  # not told again: it stays


class _Refused(msgspec.Struct):
    error: str = ""


def _refusal(answer: httpx.Response) -> VendorError | None:
    """Why no access token is given [3]."""
    try:
        code = msgspec.json.decode(answer.content, type=_Refused).error
    except msgspec.MsgspecError:
        return None
    if code == "invalid_grant":
        return AuthFailed(
            "Google says that the consent was withdrawn or has ended: give it again. Of a Google Cloud project in "
            "the state 'testing' it ends after seven days: publish the project"
        )
    if code in ("invalid_client", "unauthorized_client"):
        return AuthFailed("Google doesn't know this OAuth client ID and secret: check both")
    return None
