"""The way out to other systems. Base URLs of connectors are user input, and must not open a door to the inside.

A host's name is resolved once, every address it has must be plainly public, and the connection goes to the address
that was checked, with the name in SNI, certificate check and Host header. Redirects and proxies of the environment
aren't followed. Operators allow systems on their own premises with `SKVOZ_ALLOW_PRIVATE_HOSTS`.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from types import TracebackType
from typing import Any, Self

import httpcore
import httpx

from core.errors import AddressError
from core.settings import Settings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052
_IPV4_COMPATIBLE = ipaddress.ip_network("::/96")  # RFC 4291 §2.5.5.1, deprecated
_ISATAP = (0x00005EFE, 0x02005EFE)  # RFC 5214 §6.1: upper half of the interface identifier

_REFUSED = tuple(
    map(
        ipaddress.ip_network,
        (
            "168.63.129.16/32",  # Azure's host, on a public address
            "192.0.0.0/24",  # protocol assignments (RFC 6890); Python versions differ on parts of it
            "192.88.99.0/24",  # 6to4 relays (RFC 7526)
            "64:ff9b:1::/48",  # NAT64 of local use (RFC 8215)
            "fec0::/10",  # site-local (RFC 3879)
            "5f00::/16",  # segment routing (RFC 9602)
        ),
    )
)


def is_public(address: Address) -> bool:
    """Whether an address, and every IPv4 address that is wrapped in it, belongs to the public internet."""
    return all(_is_plainly_global(one) for one in (address, *_wrapped(address)))


def _is_plainly_global(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return True  # the wrapped address decides
        if address.is_site_local or address.scope_id is not None:
            return False
    return (
        address.is_global
        and not (address.is_multicast or (address.is_reserved and address not in _NAT64) or address.is_unspecified)
        and not any(address in network for network in _REFUSED if network.version == address.version)
    )


def _wrapped(address: Address) -> Iterator[ipaddress.IPv4Address]:
    if isinstance(address, ipaddress.IPv4Address):
        return
    low = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    if address in _NAT64 or address in _IPV4_COMPATIBLE or (int(address) >> 32) & 0xFFFFFFFF in _ISATAP:
        yield low


class AllowedHosts:
    """The private names, addresses and networks that the operator allows."""

    def __init__(self, entries: Iterable[str]) -> None:
        self._names: set[str] = set()
        self._networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
        for entry in entries:
            try:
                self._networks.append(ipaddress.ip_network(entry.strip("[]")))
            except ValueError:
                self._names.add(_plain(entry))

    def names(self, host: str) -> bool:
        """Whether this name, or this address written as a host, is allowed."""
        try:
            return self.holds(ipaddress.ip_address(host.strip("[]")))
        except ValueError:
            return _plain(host) in self._names

    def holds(self, address: Address) -> bool:
        """Whether this address lies in an allowed network."""
        return any(address in network for network in self._networks if network.version == address.version)


def _plain(host: str) -> str:
    return host.lower().rstrip(".")


def _refusal(host: str) -> str:
    """One sentence for a private address and an unknown name, so that it doesn't tell which names exist inside."""
    return (
        f"{host} isn't a public address that can be reached over https. If it is a system of your own, "
        "an operator can allow it with SKVOZ_ALLOW_PRIVATE_HOSTS."
    )


class _CheckedBackend(httpcore.AsyncNetworkBackend):
    """Connects to addresses that were checked; below the pool, so that each connection stays bound to its name."""

    def __init__(self, allowed: AllowedHosts) -> None:
        self._allowed = allowed
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 (the signature is httpcore's)
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        addresses = await self.addresses(host, port)
        share = None if timeout is None else timeout / len(addresses)
        for address in addresses:
            try:
                return await self._backend.connect_tcp(str(address), port, share, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        # One sentence and one error, whether the port was closed or silent.
        raise httpcore.ConnectError(f"{host} can't be reached.")

    async def addresses(self, host: str, port: int) -> list[Address]:
        """What the name leads to, all of it allowed. Raises `AddressError`; ConnectError for an unknown name."""
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise httpcore.ConnectError(_refusal(host)) from None
        addresses = list(dict.fromkeys(ipaddress.ip_address(place[0]) for *_, place in found))
        if not self._allowed.names(host):
            for address in addresses:
                if not self._allowed.holds(address) and not (is_public(address) and port == 443):
                    raise AddressError(_refusal(host))
        return addresses

    async def sleep(self, seconds: float) -> None:
        await self._backend.sleep(seconds)


class GuardedTransport(httpx.AsyncBaseTransport):
    """An httpx transport that reaches public systems over https, and private ones only where allowed.

    Raises `AddressError` (not worth a retry) for an address that isn't allowed, and httpx's own errors otherwise.
    """

    def __init__(
        self, allow_private_hosts: Iterable[str] = (), *, limits: httpx.Limits | None = None, http2: bool = False
    ) -> None:
        self._allowed = AllowedHosts(allow_private_hosts)
        limits = limits or httpx.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=5.0)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=_certificates(http2),
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_keepalive_connections,
            keepalive_expiry=limits.keepalive_expiry,
            http2=http2,
            network_backend=_CheckedBackend(self._allowed),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request; see the class."""
        _check_url(request.url, self._allowed)
        if not isinstance(request.stream, httpx.AsyncByteStream):
            raise TypeError("The request's body must be an asynchronous stream.")
        # `sni_hostname` and the like would let a caller part the checked name from the used one.
        extensions = {name: value for name, value in request.extensions.items() if name in ("timeout", "trace")}
        with _httpx_errors():
            response = await self._pool.handle_async_request(
                httpcore.Request(
                    method=request.method,
                    url=httpcore.URL(
                        scheme=request.url.raw_scheme,
                        host=request.url.raw_host,
                        port=request.url.port,
                        target=request.url.raw_path,
                    ),
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions=extensions,
                )
            )
        return httpx.Response(
            status_code=response.status,
            headers=response.headers,
            stream=_ResponseStream(response),
            extensions=response.extensions,
        )

    async def __aenter__(self) -> Self:
        await self._pool.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self._pool.__aexit__(exc_type, exc_value, traceback)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._pool.aclose()


@cache
def _certificates(http2: bool) -> ssl.SSLContext:
    """Which certificates are believed: read once in a process, since that takes longer than most requests. The pool
    offers its protocols by it, so pools that speak HTTP/2 have one of their own."""
    return httpx.create_ssl_context()


class _ResponseStream(httpx.AsyncByteStream):
    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _httpx_errors():
            async for part in self._response.aiter_stream():
                yield part

    async def aclose(self) -> None:
        await self._response.aclose()


@contextmanager
def _httpx_errors() -> Iterator[None]:
    """Raise httpx's error of the same name for each of httpcore's."""
    try:
        yield
    except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError) as error:
        raise getattr(httpx, type(error).__name__)(str(error)) from error
    except (httpcore.UnsupportedProtocol, httpcore.ProxyError) as error:
        raise httpx.UnsupportedProtocol(str(error)) from error


async def check_address(settings: Settings, url: str) -> None:
    """Look at an address that is to be called later, as a guarded client would. Raises `AddressError`."""
    allowed = AllowedHosts(settings.allow_private_hosts)
    parsed = _check_url(url, allowed)
    try:
        await _CheckedBackend(allowed).addresses(
            parsed.host, parsed.port or (80 if parsed.scheme == "http" else 443)
        )
    except httpcore.ConnectError as error:
        raise AddressError(str(error)) from None


def _check_url(url: httpx.URL | str, allowed: AllowedHosts) -> httpx.URL:
    try:
        url = httpx.URL(url)
    except httpx.InvalidURL:
        raise AddressError("The address isn't a URL.") from None
    if url.userinfo or "\\" in str(url):
        raise AddressError("An address must not hold a user name, a password or a backslash.")
    if not url.host:
        raise AddressError("The address names no host.")
    if url.scheme != "https" and not (url.scheme == "http" and allowed.names(url.host)):
        raise AddressError(_refusal(url.host))
    return url


def guarded_client(settings: Settings, **options: Any) -> httpx.AsyncClient:
    """An httpx client for other systems: guarded, following no redirects and no proxies of the environment.

    `options` are those of `httpx.AsyncClient`, such as `timeout`, `headers` and `base_url`.
    """
    transport = GuardedTransport(settings.allow_private_hosts)
    return httpx.AsyncClient(**options, transport=transport, follow_redirects=False, trust_env=False)
