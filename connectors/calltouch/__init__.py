"""Calltouch: calls, requests and chats from the client's site with the visits that led to them, and deals against
them."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import httpx

from connectors.auth import QueryKey
from connectors.calltouch.chats import ask_chats, map_chat, read_chats, start_chats
from connectors.calltouch.comparing import journal
from connectors.calltouch.health import check, error_of
from connectors.calltouch.leadservice import TOKEN_HEADER
from connectors.calltouch.mapping import map_call, map_request
from connectors.calltouch.orders import (
    ORDERS_DAYS,
    ask_orders,
    map_deal,
    map_order,
    read_orders,
    start_deals,
    start_orders,
)
from connectors.calltouch.reads import (
    CALLS_DAYS,
    REQUESTS_DAYS,
    ask_calls,
    ask_requests,
    read_calls,
    read_requests,
    start_calls,
    start_requests,
)
from connectors.calltouch.recordings import ask_recording
from connectors.calltouch.settings import CalltouchSettings
from connectors.calltouch.webhooks import WEBHOOKS
from connectors.calltouch.writes import WRITES
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
    description="Call tracking: calls, requests and chats from the site with the visits that led to them; "
    "deals with their stages and amounts, requests, tags, comments and costs are written to it.",
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
            audit=journal(ask_calls, read_calls, days=CALLS_DAYS, counts=True),
        ),
        Stream(
            name="requests",
            title="Requests from the site",
            makes=(RecordKind.LEAD, RecordKind.VISIT),
            start=start_requests,
            request=ask_requests,
            read=read_requests,
            map=map_request,
            audit=journal(ask_requests, read_requests, days=REQUESTS_DAYS, counts=False),
        ),
        Stream(
            name="orders",
            title="Deals of the cabinet, as evidence",
            makes=(RecordKind.ORDER, RecordKind.VISIT),
            start=start_orders,
            request=ask_orders,
            read=read_orders,
            map=map_order,
            audit=journal(ask_orders, read_orders, days=ORDERS_DAYS, counts=False),
        ),
        Stream(
            name="deals",
            title="Deals of the cabinet, as sales",
            makes=(RecordKind.DEAL, RecordKind.CONTACT, RecordKind.VISIT),
            start=start_deals,
            request=ask_orders,
            read=read_orders,
            map=map_deal,
            audit=journal(ask_orders, read_orders, days=ORDERS_DAYS, counts=False),
        ),
        Stream(
            name="chats",
            title="Chats (by webhook)",
            makes=(RecordKind.LEAD,),
            start=start_chats,
            request=ask_chats,
            read=read_chats,
            map=map_chat,
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
    webhooks=WEBHOOKS,
    recording=ask_recording,
    verified_by="documentation",
)
