"""Ways to sign requests that several vendors share."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable

import httpx
from pydantic import SecretStr

from connectors.contract import Tokens, TokenStore
from connectors.errors import AuthFailed


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
    """

    requires_response_body = True

    def __init__(
        self,
        tokens: TokenStore,
        refresh_request: Callable[[Tokens], httpx.Request],
        refreshed: Callable[[httpx.Response], Tokens],
        expired: Callable[[httpx.Response], bool] = lambda response: response.status_code == 401,
    ) -> None:
        self._tokens = tokens
        self._refresh_request = refresh_request
        self._refreshed = refreshed
        self._expired = expired

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        used = await self._tokens.current()
        response = yield _signed(request, used)
        if not self._expired(response):
            return
        async with self._tokens.lease() as lease:
            if lease.tokens.access_token == used.access_token:
                if lease.tokens.refresh_token is None:
                    raise AuthFailed(
                        "The access token has expired and can't be renewed: connect the account again."
                    )
                answer = yield self._refresh_request(lease.tokens)
                await answer.aread()
                lease.tokens = self._refreshed(answer)
                await lease.store(lease.tokens)
            renewed = lease.tokens
        yield _signed(request, renewed)


def _signed(request: httpx.Request, tokens: Tokens) -> httpx.Request:
    request.headers["Authorization"] = f"Bearer {tokens.access_token}"
    return request
