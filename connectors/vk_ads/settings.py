"""What a user tells to connect a cabinet of VK Ads, and how its tokens are renewed (BEHAVIOR.md [1]-[6])."""

from __future__ import annotations

import httpx
import msgspec
from pydantic import Field, SecretStr

from connectors.addresses import ApiAddress
from connectors.auth import RefreshingBearer
from connectors.contract import ConnectorSettings, Tokens, TokenStore
from connectors.errors import AuthFailed, VendorError

GRANTS = "/api/v2/oauth2/token.json"
RENEWABLE = ("expired_token", "invalid_token")  # the other refusals stand until somebody grants access anew [4]


class VkAdsSettings(ConnectorSettings):
    """One advertiser's cabinet, by its own API access or by that of its agency."""

    client_id: str = Field(
        title="Client ID",
        description="In VK Ads: Settings → API access (Настройки → Доступ к API) → Client ID.",
        min_length=1,
    )
    client_secret: SecretStr = Field(
        title="Client secret",
        description=(
            "Stands beside the Client ID right after the access was made, for ten minutes. Lost it? Make a new one "
            "there; the former stops working."
        ),
        min_length=1,
    )
    agency_client: str | None = Field(
        default=None,
        title="Agency's client",
        description=(
            "Only with an agency's API access: the user name of the client to read, from the agency's list of "
            "clients. Leave it empty for your own cabinet."
        ),
        min_length=1,
    )
    access_token: SecretStr | None = Field(
        default=None,
        title="Access token",
        description=(
            "Leave it empty: Skvoz gets one by itself and renews it. VK Ads gives five tokens to one access and "
            "user; if another program has used them up, paste the token that it keeps."
        ),
    )
    refresh_token: SecretStr | None = Field(
        default=None,
        title="Refresh token",
        description="Only with a pasted access token: what came along with it.",
    )
    vat_included: bool = Field(
        default=True,
        title="Costs are with VAT",
        description=(
            "Whether the costs that the cabinet shows hold VAT, which the API doesn't tell: compare a day with the "
            "closing documents. A change is applied to the days that are read from then on."
        ),
    )
    currency: str = Field(
        default="RUB",
        title="Currency",
        description="The cabinet's currency as an ISO code; statistics don't tell it.",
        pattern=r"^[A-Z]{3}$",
    )
    reread_days: int = Field(
        default=30,
        ge=3,
        le=180,
        title="Days to read again",
        description=(
            "VK filters clicks and adds late conversions for some days: every sync reads this many last days again."
        ),
    )
    base_url: ApiAddress = Field(
        default="https://ads.vk.com",
        title="Address of the API",
        description="Leave it as it is (https://ads.vk.ru is the same), unless you connect a sandbox.",
    )


def base_url(settings: VkAdsSettings) -> str:
    return settings.base_url.rstrip("/")


def account(settings: VkAdsSettings) -> str:
    """Limits are counted per user and method: by access and client."""
    return f"{httpx.URL(settings.base_url).netloc.decode()}/{settings.client_id}/{settings.agency_client or 'own'}"


def first_tokens(settings: VkAdsSettings) -> Tokens | None:
    """The pasted pair, if any: without one the first request begins with a grant."""
    if settings.access_token is None:
        return None
    refresh = settings.refresh_token
    return Tokens(settings.access_token.get_secret_value(), None if refresh is None else refresh.get_secret_value())


def auth(settings: VkAdsSettings, tokens: TokenStore) -> httpx.Auth:
    """Signs requests. A pair is asked for once and renewed for ever: there are five for an access and user [2]."""

    def ask(**fields: str) -> httpx.Request:
        common = {"client_id": settings.client_id, "client_secret": settings.client_secret.get_secret_value()}
        return httpx.Request("POST", f"{base_url(settings)}{GRANTS}", data=common | fields)

    def grant() -> httpx.Request:
        if settings.agency_client is None:
            return ask(grant_type="client_credentials")
        return ask(grant_type="agency_client_credentials", agency_client_name=settings.agency_client)

    def refresh(pair: Tokens) -> httpx.Request:
        return ask(grant_type="refresh_token", refresh_token=pair.refresh_token or "")

    return RefreshingBearer(tokens, refresh, _pair, _expired, "VK Ads", grant, _refusal)


class _Pair(msgspec.Struct):
    access_token: str
    refresh_token: str | None = None


class _Refused(msgspec.Struct):
    error: str = ""
    code: str = ""


def _pair(answer: httpx.Response) -> Tokens:
    pair = msgspec.json.decode(answer.content, type=_Pair)
    return Tokens(pair.access_token, pair.refresh_token)


def refused_code(answer: httpx.Response) -> str:
    """What a refusal of access is called: in the body, or in the header of a 401 [4]."""
    try:
        told = msgspec.json.decode(answer.content, type=_Refused)
    except msgspec.MsgspecError:
        told = _Refused()
    header = answer.headers.get("www-authenticate", "")
    by_header = header.partition('error="')[2].partition('"')[0]
    return told.code or told.error or by_header


def _expired(answer: httpx.Response) -> bool:
    return answer.status_code == 401 and refused_code(answer) in ("", *RENEWABLE)


def _refusal(answer: httpx.Response) -> VendorError | None:
    """Why no token is given."""
    code = refused_code(answer)
    if answer.status_code == 403 or code == "token_limit_exceeded":
        return AuthFailed(
            "VK Ads gives no more tokens: this API access already has five for this user. Take one away where it "
            "isn't needed, or paste the access and refresh token that another program keeps"
        )
    if code in ("invalid_client", "invalid_grant", "unauthorized_client"):
        return AuthFailed("VK Ads doesn't know this Client ID and secret: check both, or make a new API access")
    if code == "invalid_user":
        return AuthFailed("VK Ads has no such client of the agency, or has blocked the user")
    return None
