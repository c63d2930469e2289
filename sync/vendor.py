"""Talking to a vendor: one request at a time, signed, within its limits, retried where that helps.

The order inside one send: budget, auth, transport, classify, wait, repeat. What comes back is either data or one
of ``connectors.errors``; nothing of httpx gets through. A breaker stands before it all.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Generic, TypeVar

import httpx
import structlog
from pydantic import SecretStr
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, wait_random_exponential
from tenacity.stop import stop_base

from connectors.contract import (
    Connector,
    ConnectorSettings,
    Tokens,
    TokenStore,
    Upload,
    VendorRequest,
    VendorResponse,
)
from connectors.errors import (
    AuthFailed,
    BadSettings,
    ChangedMeanwhile,
    NotPermitted,
    NotReady,
    NotSent,
    RateLimited,
    Transient,
    VendorChanged,
    VendorError,
)
from core import clock
from core.errors import AddressError
from core.network import guarded_client
from core.settings import Settings
from core.tracing import Span, span
from sync.breaker import Breaker
from sync.budget import LONGEST_WAIT, Budget
from sync.metrics import REQUEST_SECONDS

log = structlog.get_logger(__name__)

S = TypeVar("S", bound=ConnectorSettings)

MAX_BODY = 64 * 1024 * 1024
"""Bytes of one answer; a vendor's page is a few MB at most, more is a fault or an attack."""
TOTAL_SECONDS = 120.0
"""One request from first byte to last, so that a vendor who trickles can't hold a worker."""
ATTEMPTS = 6
PREPARING_SECONDS = 900.0
"""How long the preparation of one answer (an offline report) is waited for within a run."""


_leads: dict[str, float] = {}
"""Seconds by which vendors' clocks were ahead of ours at their last answer, by the address of their API: a client
begins with what those before it learnt, and whoever relies on it looks whether the first answer agrees."""
_MOST_LEADS = 4096


class VendorClient(Generic[S]):
    """Sends requests of one connection. It is a ``connectors.contract.VendorSession``."""

    def __init__(
        self,
        connector: Connector[S],
        settings: S,
        http: httpx.AsyncClient,
        budget: Budget,
        breaker: Breaker | None,
        auth: httpx.Auth | None,
        files: Path,
    ) -> None:
        self.settings = settings
        self.requests = 0
        self._connector = connector
        self._http = http
        self._budget = budget
        self._breaker = breaker
        self._auth = auth
        self._files = files
        self._secrets = [value.get_secret_value() for _, value in settings if isinstance(value, SecretStr)]
        # What answers without a network shares our clock.
        self._address = None if connector.source is not None else connector.base_url(settings)
        self._clock_lead = 0.0 if self._address is None else _leads.get(self._address)
        self._clock_told = self._address is None

    @property
    def waited_seconds(self) -> float:
        return self._budget.waited_seconds

    @property
    def knows_clock(self) -> bool:
        """Whether the vendor has told this client what time it is there."""
        return self._clock_told

    @property
    def reckons_clock(self) -> bool:
        """Whether any answer to this process has told that, which the next one may correct."""
        return self._clock_lead is not None

    @property
    def clock_lead(self) -> float:
        """Seconds by which the vendor's clock is ahead of ours, by the Date header of its last answer."""
        return self._clock_lead or 0.0

    def now(self) -> datetime:
        """The vendor's clock: ours, corrected by its lead."""
        moment = clock.now().timestamp() + self.clock_lead
        return datetime.fromtimestamp(moment, UTC)

    async def send(self, request: VendorRequest) -> VendorResponse:
        """The vendor's answer to ``request``.

        Raises the error of ``connectors.errors`` that says what is the matter; passing faults were retried.
        """
        retrying = AsyncRetrying(
            retry=retry_if_exception(_worth_repeating),
            wait=_wait,
            stop=_Patience(),
            reraise=True,
        )
        async for attempt in retrying:
            with attempt:
                return await self._once(request)
        raise AssertionError("tenacity either returns or raises")

    async def _once(self, request: VendorRequest) -> VendorResponse:
        if self._connector.source is not None:
            return await self._connector.source(self.settings, request, self._files)
        return await self._attempt(request, probe=await self._admitted())

    async def send_once(self, request: VendorRequest, about_to: Callable[[], Awaitable[None]]) -> VendorResponse:
        """One attempt at a request that changes something there: after an error other than a refusal nobody knows
        whether it took effect, so it is never repeated here. ``about_to`` is awaited when the budget allows it,
        before the first byte goes out. Raises like ``send``; NotSent when it certainly had no effect."""
        probe = await self._admitted()
        await about_to()
        return await self._attempt(request, probe=probe)

    async def _admitted(self) -> bool:
        """Wait for the budget; True if the request is the breaker's probe. Raises RateLimited or CircuitOpen."""
        await self._budget.acquire()
        return self._breaker is not None and await self._breaker.admit()

    async def _attempt(self, request: VendorRequest, *, probe: bool) -> VendorResponse:
        self.requests += 1
        began, outcome = time.perf_counter(), "BROKEN"
        try:
            with span("vendor.request", connector=self._connector.key, method=request.method) as traced:
                response = await self._exchange(request, traced)
            outcome = "ok"
        except Transient as error:
            outcome = error.code
            if self._breaker is not None:
                await self._breaker.failed(probe, error.sentence)
            raise
        except VendorError as error:
            outcome = error.code
            if self._breaker is not None:
                await self._breaker.answered(probe)
            raise
        finally:
            REQUEST_SECONDS.labels(self._connector.key, outcome).observe(time.perf_counter() - began)
        if self._breaker is not None:
            await self._breaker.answered(probe)
        return response

    async def _exchange(self, request: VendorRequest, traced: Span) -> VendorResponse:
        try:
            async with asyncio.timeout(TOTAL_SECONDS):
                response = await self._fetch(request)
        except TimeoutError:
            raise Transient(f"{self._connector.title} did not finish its answer in {TOTAL_SECONDS:g} s.") from None
        except AddressError as error:
            raise BadSettings(str(error)) from None
        except httpx.InvalidURL:
            raise BadSettings("The address in the settings is not a valid one.") from None
        except (UnicodeError, httpx.LocalProtocolError):  # it can't even be written down as a request
            raise BadSettings(
                "A key or name in the settings holds signs that it can't have (Cyrillic letters, a line's end): "
                "copy it anew."
            ) from None
        except httpx.ConnectError as error:
            raise _unreachable(self._connector.title, error) from None
        except httpx.TransportError as error:
            raise Transient(f"The connection to {self._connector.title} broke ({type(error).__name__}).") from None
        traced.set(status=response.status_code)
        self._note_clock(response)
        refusal = None if response.status_code in request.accept else self._error(response)
        if refusal is not None:
            if isinstance(refusal, RateLimited):
                await self._budget.hold(min(refusal.wait_seconds or 1.0, 3600.0))
            refusal.cut(self._secrets)
            log.info(
                "vendor.refused", connector=self._connector.key, status=response.status_code, code=refusal.code
            )
            raise refusal
        return VendorResponse(response.status_code, response.headers, response.content)

    async def _fetch(self, request: VendorRequest) -> httpx.Response:
        built = self._http.build_request(
            request.method,
            _join(self._connector.base_url(self.settings), request.path),
            params=_query(request.query),
            headers=dict(request.headers),
            json=request.json,
            data=dict(request.form) if request.form is not None else None,
            files=None if request.upload is None else _file(request.upload),
        )
        response = await self._http.send(built, auth=self._auth, stream=True)
        try:
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MAX_BODY:
                    raise VendorChanged(
                        f"{self._connector.title} sent more than {MAX_BODY // 2**20} MB in one answer."
                    )
        finally:
            await response.aclose()
        headers = {k: v for k, v in response.headers.items() if k not in {"content-encoding", "content-length"}}
        return httpx.Response(response.status_code, headers=headers, content=bytes(body), request=response.request)

    def _error(self, response: httpx.Response) -> VendorError | None:
        error = None if self._connector.error_of is None else self._connector.error_of(response)
        if response.status_code in {409, 412} and (error is None or type(error) is VendorChanged):
            words = "" if error is None else f" {error.sentence}"
            return ChangedMeanwhile(f"{self._connector.title}: the record was changed there meanwhile.{words}")
        return error or default_error(self._connector.title, response)

    def _note_clock(self, response: httpx.Response) -> None:
        date = response.headers.get("date")
        if date:
            try:
                told = parsedate_to_datetime(date).timestamp()
            except ValueError:
                return
            self._clock_lead, self._clock_told = told - clock.now().timestamp(), True
            if self._address is not None:
                if len(_leads) >= _MOST_LEADS:
                    _leads.clear()
                _leads[self._address] = self._clock_lead


@asynccontextmanager
async def vendor_client(
    connector: Connector[S],
    settings: S,
    *,
    core: Settings,
    budget: Budget,
    tokens: TokenStore | None,
    breaker: Breaker | None = None,
) -> AsyncIterator[VendorClient[S]]:
    """A client for one connection, closed at the end. ``tokens`` is None while a connection isn't stored yet:
    then the tokens of the settings are used and can't be refreshed; nor is there a ``breaker`` yet."""
    auth = None
    if connector.auth is not None:
        auth = connector.auth(settings, tokens or Unstored(connector, settings))
    async with guarded_client(core, timeout=httpx.Timeout(30.0, connect=10.0)) as http:
        yield VendorClient(connector, settings, http, budget, breaker, auth, core.files_path)


class Unstored:
    """The tokens of settings that are being tried before they are saved. A refresh is kept here, so that the
    caller can save the pair that holds now."""

    def __init__(self, connector: Connector[S], settings: S) -> None:
        first = connector.tokens(settings) if connector.tokens is not None else None
        self.tokens = first or Tokens("")

    async def current(self) -> Tokens:
        return self.tokens

    @asynccontextmanager
    async def lease(self) -> AsyncIterator[Unstored]:
        yield self

    async def store(self, tokens: Tokens) -> None:
        self.tokens = tokens


def default_error(title: str, response: httpx.Response) -> VendorError | None:
    """What an answer means by its status alone, where the connector knows no better."""
    status = response.status_code
    if 200 <= status < 300:
        return None
    if status == 401:
        return AuthFailed(f"{title} refuses the key or token: check it, or connect the account again.")
    if status in {402, 403}:
        return NotPermitted(f"{title} does not permit this to the account (HTTP {status}).")
    if status == 429:
        return RateLimited(f"{title} asks to slow down.", retry_after(response.headers))
    if status in {408, 425} or status >= 500:
        return Transient(f"{title} is not available at the moment (HTTP {status}).")
    if 300 <= status < 400:
        return BadSettings(f"{title} answers with a redirect: the address in the settings is not the API's.")
    return VendorChanged(f"{title} refused a request that it used to accept (HTTP {status}).")


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that a Retry-After header asks to wait: a number or an HTTP date; None if absent or senseless."""
    told = headers.get("retry-after", "").strip()
    if told.isascii() and told.isdigit():
        return float(told)
    try:
        until = parsedate_to_datetime(told)
    except ValueError:
        return None
    try:  # the date is one of the vendor's clock, which its Date header tells
        now = parsedate_to_datetime(headers.get("date", ""))
    except ValueError:
        now = clock.now()
    seconds = (until - now).total_seconds()
    return seconds if seconds > 0 else None


def _worth_repeating(error: BaseException) -> bool:
    if isinstance(error, RateLimited):
        return (error.wait_seconds or 0.0) <= LONGEST_WAIT
    return isinstance(error, Transient | NotReady)


_backoff = wait_random_exponential(multiplier=0.5, max=60.0)


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome is not None else None
    if isinstance(error, NotReady):
        return error.wait_seconds
    if isinstance(error, RateLimited) and error.wait_seconds is not None:
        return error.wait_seconds
    return _backoff(state)


class _Patience(stop_base):
    """Faults are retried a few times; an answer that is being prepared is waited for by the clock."""

    def __call__(self, state: RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome is not None else None
        if isinstance(error, NotReady):
            return (state.seconds_since_start or 0.0) > PREPARING_SECONDS
        return state.attempt_number >= ATTEMPTS


def _unreachable(title: str, error: httpx.ConnectError) -> VendorError:
    if "certificate" in str(error).lower():
        # Expired ones are renewed: it is tried again, and nothing is ever sent past the check.
        return NotSent(f"The TLS certificate of {title}'s address is not valid: nothing is sent there.")
    return NotSent(f"{title} can't be reached at the address in the settings.")


def _join(base: str, path: str) -> str:
    return f"{base.rstrip('/')}/{path.lstrip('/')}" if path else base


def _file(upload: Upload) -> dict[str, tuple[str, bytes, str]]:
    return {upload.part: (upload.name, upload.text.encode(), upload.type)}


def _query(query: Mapping[str, str | int | Sequence[str]]) -> httpx.QueryParams:
    pairs: list[tuple[str, str | int | float | bool | None]] = []
    for name, value in query.items():
        if isinstance(value, str | int):
            pairs.append((name, str(value)))
        else:
            pairs.extend((name, str(each)) for each in value)
    return httpx.QueryParams(pairs)
