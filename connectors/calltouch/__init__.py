"""Calltouch: calls and requests from the client's site, each with the visits that led to it."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import httpx

from connectors.auth import QueryKey
from connectors.calltouch.health import check, error_of
from connectors.calltouch.mapping import map_call, map_request
from connectors.calltouch.reads import (
    ask_calls,
    ask_requests,
    read_calls,
    read_requests,
    start_calls,
    start_requests,
)
from connectors.calltouch.settings import CalltouchSettings
from connectors.calltouch.writes import TOKEN_HEADER, WRITES
from connectors.contract import Connector, RateLimit, Stream, TokenStore
from schema.enums import RecordKind


class _JournalKey(QueryKey):
    """[30] Journals take the token in the address; writes carry it in a header already."""

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        if TOKEN_HEADER in request.headers:
            yield request
            return
        async for signed in super().async_auth_flow(request):
            yield signed


def _auth(settings: CalltouchSettings, _tokens: TokenStore) -> httpx.Auth:
    return _JournalKey("clientApiId", settings.token)


def _base_url(settings: CalltouchSettings) -> str:
    return settings.base_url.rstrip("/")


def _account(settings: CalltouchSettings) -> str:
    """Calltouch counts requests per address they come from, so all sites share one limit."""
    return httpx.URL(settings.base_url).netloc.decode()


CONNECTOR = Connector(
    key="calltouch",
    title="Calltouch",
    description="Call tracking: calls and requests from the site, with the visits that led to them.",
    docs_url="https://www.calltouch.ru/support/api-metod-vygruzki-zhurnala-zvonkov/",
    settings=CalltouchSettings,
    streams=(
        Stream(
            name="calls",
            title="Calls",
            makes=(RecordKind.CALL, RecordKind.VISIT),
            start=start_calls,
            request=ask_calls,
            read=read_calls,
            map=map_call,
        ),
        Stream(
            name="requests",
            title="Requests from the site",
            makes=(RecordKind.LEAD, RecordKind.VISIT),
            start=start_requests,
            request=ask_requests,
            read=read_requests,
            map=map_request,
        ),
    ),
    base_url=_base_url,
    account=_account,
    check=check,
    auth=_auth,
    error_of=error_of,
    limits=(RateLimit(5, 1.0, source="https://www.calltouch.ru/support/api-metod-importa-raskhodov/"),),
    concurrency=2,
    writes=WRITES,
    verified_by="documentation",
)
