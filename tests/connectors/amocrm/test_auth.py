"""One-use refresh tokens: renewed once, stored before use, and refused in plain words."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from connectors.amocrm import CONNECTOR
from connectors.amocrm.settings import AmoCrmSettings
from connectors.contract import Tokens
from connectors.errors import AuthFailed, RateLimited, Transient, VendorChanged, VendorError


class Lease:
    def __init__(self, store: Store) -> None:
        self._store = store
        self.tokens = store.kept

    async def store(self, tokens: Tokens) -> None:
        await asyncio.sleep(0)
        self._store.kept = tokens
        self._store.stored.append(tokens)


class Store:
    """Keeps a pair in memory, behind one lock."""

    def __init__(self, tokens: Tokens) -> None:
        self.kept = tokens
        self.stored: list[Tokens] = []
        self._lock = asyncio.Lock()

    async def current(self) -> Tokens:
        return self.kept

    @asynccontextmanager
    async def lease(self) -> AsyncIterator[Lease]:
        async with self._lock:
            yield Lease(self)

    @property
    def leased(self) -> bool:
        return self._lock.locked()


class Vendor:
    """Accepts one access token; a refresh token works once and yields the next pair."""

    def __init__(self, store: Store, refusal: httpx.Response | None = None) -> None:
        self.access, self.refresh = "fresh-0", "r3fresh"
        self.refreshes: list[httpx.Request] = []
        self.seen: list[str] = []
        self._store = store
        self._refusal = refusal

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0.001)
        if request.url.path == "/oauth2/access_token":
            self.refreshes.append(request)
            if self._refusal is not None:
                return self._refusal
            if json.loads(request.content)["refresh_token"] != self.refresh:
                return httpx.Response(400, json={"hint": "Invalid refresh token"})
            number = len(self.refreshes)
            self.access, self.refresh = f"fresh-{number}", f"r3fresh-{number}"
            return httpx.Response(
                200, json={"token_type": "Bearer", "access_token": self.access, "refresh_token": self.refresh}
            )
        used = request.headers["Authorization"].removeprefix("Bearer ")
        self.seen.append(used)
        if used != self.access:
            return httpx.Response(401, json={"title": "Unauthorized"})
        assert not self._store.leased
        assert self._store.kept.access_token == used, "a pair is stored before it is used"
        return httpx.Response(200, json={"sent": request.content.decode()})


def client(settings: AmoCrmSettings, store: Store, vendor: Vendor) -> httpx.AsyncClient:
    assert CONNECTOR.auth is not None
    return httpx.AsyncClient(
        base_url=settings.base_url,
        auth=CONNECTOR.auth(settings, store),
        transport=httpx.MockTransport(vendor),
        timeout=7,
        headers={"User-Agent": "Skvoz"},
    )


def first(settings: AmoCrmSettings) -> Store:
    assert CONNECTOR.tokens is not None
    tokens = CONNECTOR.tokens(settings)
    assert tokens is not None
    return Store(tokens)


async def test_an_expired_token_is_renewed_once_and_the_request_repeated(settings: AmoCrmSettings) -> None:
    store = first(settings)
    vendor = Vendor(store)
    async with client(settings, store, vendor) as http:
        response = await http.post("/api/v4/leads", json={"name": "x"})
        assert response.json() == {"sent": '{"name":"x"}'}
        assert (await http.get("/api/v4/leads")).status_code == 200
    assert vendor.seen == ["acc3ss", "fresh-1", "fresh-1"]
    assert store.stored == [Tokens("fresh-1", "r3fresh-1")]
    (refresh,) = vendor.refreshes
    assert json.loads(refresh.content) == {
        "client_id": "id",
        "client_secret": "s3cr3t",
        "grant_type": "refresh_token",
        "refresh_token": "r3fresh",
        "redirect_uri": "https://skvoz.example/callback",
    }


async def test_a_refresh_has_the_clients_time_outs_and_name(settings: AmoCrmSettings) -> None:
    store = first(settings)
    vendor = Vendor(store)
    async with client(settings, store, vendor) as http:
        await http.get("/api/v4/leads")
    (refresh,) = vendor.refreshes
    assert refresh.extensions["timeout"] == {"connect": 7, "read": 7, "write": 7, "pool": 7}
    assert refresh.headers["User-Agent"] == "Skvoz"


async def test_two_sessions_renew_once(settings: AmoCrmSettings) -> None:
    store = first(settings)
    vendor = Vendor(store)
    async with client(settings, store, vendor) as one, client(settings, store, vendor) as two:
        answers = await asyncio.gather(*(each.get("/api/v4/leads") for each in (one, two, one, two)))
    assert [answer.status_code for answer in answers] == [200] * 4
    assert len(vendor.refreshes) == 1
    assert len(store.stored) == 1


@pytest.mark.parametrize(
    ("refusal", "kind"),
    [
        (httpx.Response(400, json={"hint": "Invalid refresh token"}), AuthFailed),
        (httpx.Response(401, json={"title": "Unauthorized"}), AuthFailed),
        (httpx.Response(403, html="<html>"), AuthFailed),
        (httpx.Response(302, headers={"Location": "https://elsewhere.example"}), AuthFailed),
        (httpx.Response(429, json={}, headers={"Retry-After": "30"}), RateLimited),
        (httpx.Response(502, html="<html>"), Transient),
        (httpx.Response(200, html="<html>"), VendorChanged),
        (httpx.Response(200, json={"access_token": "only"}), VendorChanged),
    ],
)
async def test_a_refused_refresh_is_told_and_leaves_the_pair_alone(
    settings: AmoCrmSettings, refusal: httpx.Response, kind: type[VendorError]
) -> None:
    store = first(settings)
    vendor = Vendor(store, refusal)
    async with client(settings, store, vendor) as http:
        with pytest.raises(kind) as caught:
            await http.get("/api/v4/leads")
    assert caught.type is kind
    assert "amoCRM" in caught.value.sentence
    assert "r3fresh" not in caught.value.sentence
    if isinstance(caught.value, RateLimited):
        assert caught.value.wait_seconds == 30
    assert (len(vendor.refreshes), store.stored, store.leased) == (1, [], False)


async def test_the_refusal_of_live_accounts(settings: AmoCrmSettings, sample: Callable[[str], Any]) -> None:
    store = first(settings)
    vendor = Vendor(store, httpx.Response(400, json=sample("oauth_error.response")))
    async with client(settings, store, vendor) as http:
        with pytest.raises(AuthFailed, match="Connect the account again"):
            await http.get("/api/v4/leads")


async def test_a_long_lived_token_cant_be_renewed() -> None:
    settings = AmoCrmSettings(base_url="firm.amocrm.ru", access_token="acc3ss")
    store = first(settings)
    vendor = Vendor(store)
    async with client(settings, store, vendor) as http:
        with pytest.raises(AuthFailed, match="can't be renewed"):
            await http.get("/api/v4/leads")
    assert vendor.refreshes == []


async def test_a_fresh_token_that_is_refused_too_is_not_renewed_again(settings: AmoCrmSettings) -> None:
    store = first(settings)
    vendor = Vendor(store, httpx.Response(200, json={"access_token": "other", "refresh_token": "next"}))
    async with client(settings, store, vendor) as http:
        response = await http.get("/api/v4/leads")
    assert response.status_code == 401
    assert len(vendor.refreshes) == 1
