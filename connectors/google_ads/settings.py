"""What a user tells to connect a Google Ads account, and how its access is renewed (BEHAVIOR.md [1]-[6])."""

from __future__ import annotations

import httpx
import msgspec
from pydantic import Field, SecretStr, field_validator, model_validator

from connectors.addresses import ApiAddress
from connectors.auth import RefreshingBearer, consent
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
    authorization_code: SecretStr | None = Field(
        default=None,
        title="Authorization code",
        description=(
            "Instead of a refresh token: the `code` that a user's consent brings to the redirect address. It is "
            "good for some minutes and for one use: Skvoz gets the refresh token for it and forgets it."
        ),
        json_schema_extra=consent(
            "https://accounts.google.com/o/oauth2/v2/auth?client_id={client_id}&redirect_uri={redirect_uri}"
            "&state={state}&response_type=code&scope=https%3A%2F%2Fwww.googleapis.com%2Fauth%2Fadwords"
            "&access_type=offline&prompt=consent"
        ),
    )
    redirect_uri: str | None = Field(
        default=None,
        title="Redirect address",
        description="With an authorization code only: the address that it was brought to, letter for letter.",
    )
    refresh_token: SecretStr | None = Field(
        default=None,
        title="Refresh token",
        description=(
            "Empty with an authorization code. What the consent of a user gave, with the scope "
            "https://www.googleapis.com/auth/adwords and access_type=offline. Of a project in the state 'testing' "
            "it is good for seven days only."
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

    @model_validator(mode="after")
    def _has_a_consent(self) -> GoogleAdsSettings:
        if self.authorization_code is not None and not self.redirect_uri:
            raise ValueError("An authorization code goes with the redirect address that it was brought to.")
        if self.refresh_token is None and self.authorization_code is None:
            raise ValueError("Give a refresh token, or an authorization code to get one for.")
        return self


def base_url(settings: GoogleAdsSettings) -> str:
    return settings.base_url.rstrip("/")


def account(settings: GoogleAdsSettings) -> str:
    """The day's operations are counted for the project, requests a second for the customer too."""
    return f"{httpx.URL(settings.base_url).netloc.decode()}/{settings.client_id}"


def first_tokens(settings: GoogleAdsSettings) -> Tokens:
    """What was told; none yet where a code was, for which the pair is to be got."""
    access, refresh = settings.access_token, settings.refresh_token
    if refresh is None or settings.authorization_code is not None:
        return Tokens("")
    return Tokens("" if access is None else access.get_secret_value(), refresh.get_secret_value())


def auth(settings: GoogleAdsSettings, tokens: TokenStore) -> httpx.Auth:
    """Signs requests, gets the pair for an authorization code, and a new access token when there is none or it has
    expired (after an hour)."""
    code, kept = settings.authorization_code, settings.refresh_token

    def ask(**grant: str) -> httpx.Request:
        client = {"client_id": settings.client_id, "client_secret": settings.client_secret.get_secret_value()}
        return httpx.Request("POST", settings.oauth_url, data=grant | client)

    def refresh(pair: Tokens) -> httpx.Request:
        return ask(grant_type="refresh_token", refresh_token=pair.refresh_token or "")

    def exchange() -> httpx.Request:
        told = "" if code is None else code.get_secret_value()
        return ask(grant_type="authorization_code", code=told, redirect_uri=settings.redirect_uri or "")

    def pair(answer: httpx.Response) -> Tokens:
        told = msgspec.json.decode(answer.content, type=_Pair)
        renewing = told.refresh_token or (None if kept is None else kept.get_secret_value())
        if renewing is None:
            raise AuthFailed(
                "Google gave no refresh token with the code: ask for the consent with access_type=offline and "
                "prompt=consent"
            )
        return Tokens(told.access_token, renewing)

    grant = None if code is None else exchange
    return RefreshingBearer(tokens, refresh, pair, system="Google", grant=grant, refusal=_refusal)


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
