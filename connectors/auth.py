"""Ways to sign requests that several vendors share."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator

import httpx
import msgspec
from pydantic import JsonValue, SecretStr

from connectors.contract import Tokens, TokenStore
from connectors.errors import AuthFailed, RateLimited, Transient, VendorChanged, VendorError

CONSENT = "consent"
"""By which name a setting's schema tells the page of `consent`."""


def consent(page: str) -> dict[str, JsonValue]:
    """What is told beside a setting that a user gets by consenting in the browser (``json_schema_extra``): the
    vendor's page, with {client_id}, {redirect_uri} and {state} to be filled in (RFC 6570)."""
    return {CONSENT: page}


class QueryKey(httpx.Auth):
    """An API key in the query string. Such addresses are redacted in logs by ``core.logging``."""

    def __init__(self, name: str, key: SecretStr) -> None:
        self._name = name
        self._key = key

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        request.url = request.url.copy_merge_params({self._name: self._key.get_secret_value()})
        yield request


class Bearer(httpx.Auth):
    """A long-lived token in the Authorization header."""

    def __init__(self, token: SecretStr) -> None:
        self._token = token

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        request.headers["Authorization"] = f"Bearer {self._token.get_secret_value()}"
        yield request


class RefreshingBearer(httpx.Auth):
    """An OAuth access token, refreshed once when the vendor answers that it has expired.

    The refresh happens under the connection's lease: a second worker waits, finds the new pair and uses it.
    The new pair is stored before it is used, since a one-use refresh token that is lost can't be had again.

    ``grant`` asks for a pair by the settings alone (client credentials): the first one, and one in place of a
    refresh token that the vendor has dropped. ``refusal`` names what a refused answer means, where the vendor says.

    A refused refresh (4xx) is final and raises AuthFailed: asking again with the same token can't help. RateLimited
    and Transient say that it may be tried again; VendorChanged that the answer holds no tokens. ``system`` is the
    vendor's name in those sentences.
    """

    requires_response_body = True

    def __init__(
        self,
        tokens: TokenStore,
        refresh_request: Callable[[Tokens], httpx.Request],
        refreshed: Callable[[httpx.Response], Tokens],
        expired: Callable[[httpx.Response], bool] = lambda response: response.status_code == 401,
        system: str = "The system",
        grant: Callable[[], httpx.Request] | None = None,
        refusal: Callable[[httpx.Response], VendorError | None] = lambda _: None,
    ) -> None:
        self._tokens = tokens
        self._refresh_request = refresh_request
        self._refreshed = refreshed
        self._expired = expired
        self._system = system
        self._grant = grant
        self._refusal = refusal

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        used = await self._tokens.current()
        if used.access_token:  # else there is none yet
            response = yield _signed(request, used)
            if response.status_code >= 400:
                await response.aread()  # ``expired`` may want to look at the body
            if not self._expired(response):
                return
        async with self._tokens.lease() as lease:
            if lease.tokens.access_token == used.access_token:
                answer = None
                for ask in self._ways(lease.tokens):
                    answer = yield _alike(ask, request)
                    await answer.aread()
                    if not _refused(answer):
                        break
                if answer is None:
                    raise AuthFailed(
                        "The access token has expired and can't be renewed: connect the account again."
                    )
                lease.tokens = self._pair(answer)
                await lease.store(lease.tokens)
            renewed = lease.tokens
        yield _signed(request, renewed)

    def _ways(self, tokens: Tokens) -> Iterator[httpx.Request]:
        """The requests that may give a new pair, each to be tried where the one before was refused."""
        if tokens.refresh_token is not None:
            yield self._refresh_request(tokens)
        if self._grant is not None:
            yield self._grant()

    def _pair(self, answer: httpx.Response) -> Tokens:
        status = answer.status_code
        named = self._refusal(answer) if status >= 400 else None
        if named is not None:
            raise named
        if status == 429:
            wait = answer.headers.get("retry-after", "")
            raise RateLimited(
                f"{self._system} was asked too often for new tokens and wants a pause.",
                float(wait) if wait.isdigit() else None,
            )
        if status >= 500:
            raise Transient(f"{self._system} couldn't renew the tokens just now (status {status}).")
        if status >= 300:
            raise AuthFailed(
                f"{self._system} refuses to renew the access (status {status}): the refresh token has expired, "
                "was revoked or was used by someone else. Connect the account again."
            )
        try:
            return self._refreshed(answer)
        except msgspec.MsgspecError:
            raise VendorChanged(f"{self._system} answered the request for new tokens without tokens.") from None


def _signed(request: httpx.Request, tokens: Tokens) -> httpx.Request:
    request.headers["Authorization"] = f"Bearer {tokens.access_token}"
    return request


def _refused(answer: httpx.Response) -> bool:
    return 300 <= answer.status_code < 500 and answer.status_code != 429


def _alike(refresh: httpx.Request, request: httpx.Request) -> httpx.Request:
    """With the client's own time-outs and name, which a request that wasn't built by the client lacks: without
    time-outs a silent vendor would hold the lease for ever."""
    refresh.extensions = {**request.extensions, **refresh.extensions}
    if "User-Agent" in request.headers:
        refresh.headers.setdefault("User-Agent", request.headers["User-Agent"])
    return refresh
