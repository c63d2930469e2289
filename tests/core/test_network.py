"""The guard of outgoing connections, against real sockets."""

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator
from typing import Any

import httpcore
import httpx
import pytest

from core.errors import AddressError
from core.network import AllowedHosts, GuardedTransport, guarded_client, is_public
from core.settings import Settings

INSIDE = [
    "127.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.8",
    "192.0.2.1",
    "198.18.0.1",
    "192.88.99.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "0.0.0.0",  # noqa: S104 (an address to refuse)
    "::",
    "::1",
    "::127.0.0.1",
    "::8.8.8.8",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b::7f00:1",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "2001:0:7f00:1::",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fd00:ec2::254",
    "fec0::1",
    "ff02::1",
    "2001:db8::1",
    "2a00::5efe:7f00:1",
    "2a00::200:5efe:a00:1",
    "100::1",
    "5f00::1",
]
OUTSIDE = ["8.8.8.8", "95.163.0.1", "2a02:6b8::2:242", "2606:4700::6810:84e5", "::ffff:8.8.8.8", "64:ff9b::808:808"]

WRITTEN_STRANGELY = [
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "127.1",
    "0",
    "localhost",
    "[::1]",
    "[::ffff:7f00:1]",
]


@pytest.mark.parametrize("address", INSIDE)
def test_the_inside_is_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", OUTSIDE)
def test_the_outside_is_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


class Server:
    """A tiny HTTP server on loopback that keeps what it was sent."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            self.seen.append(head.decode())
            writer.write(self.answer)
            await writer.drain()


@pytest.fixture
async def server() -> AsyncIterator[tuple[Server, int]]:
    served = Server()
    tasks: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await served.handle(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(handle, "127.0.0.1", 0)
    yield served, listening.sockets[0].getsockname()[1]
    listening.close()
    await asyncio.gather(*tasks, return_exceptions=True)


def client(*allowed: str) -> httpx.AsyncClient:
    return guarded_client(Settings(allow_private_hosts=allowed))


@pytest.mark.parametrize("host", [*WRITTEN_STRANGELY, "10.0.0.1", "[64:ff9b::a9fe:a9fe]", "169.254.169.254"])
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_the_inside_is_refused(server: tuple[Server, int], host: str, scheme: str) -> None:
    served, port = server
    async with client() as http:
        for place in (host, f"{host}:{port}"):
            with pytest.raises((AddressError, httpx.InvalidURL), match=r"SKVOZ_ALLOW_PRIVATE_HOSTS|Invalid IPv4"):
                await http.get(f"{scheme}://{place}/")
    assert served.seen == []


async def test_letters_that_become_digits_are_refused(server: tuple[Server, int]) -> None:
    _, port = server
    async with client() as http:
        with pytest.raises((AddressError, httpx.InvalidURL)):
            await http.get(f"https://①②⑦.⓪.⓪.①:{port}/")


@pytest.mark.parametrize("url", ["https://user:word@example.com/", "https://user@example.com/"])
async def test_user_names_in_addresses_are_refused(url: str) -> None:
    async with client() as http:
        with pytest.raises(AddressError, match="user name"):
            await http.send(httpx.Request("GET", url))


async def test_allowed_hosts_are_reached_by_name(server: tuple[Server, int]) -> None:
    served, port = server
    async with client("localhost") as http:
        response = await http.get(f"http://localhost:{port}/path", params={"a": 1})
        assert response.text == "hi"
        with pytest.raises(AddressError):
            await http.get(f"http://127.0.0.1:{port}/")
    assert served.seen[0].startswith("GET /path?a=1 HTTP/1.1\r\n")
    assert f"\r\nHost: localhost:{port}\r\n" in served.seen[0]


async def test_allowed_networks_are_reached_by_address(server: tuple[Server, int]) -> None:
    _, port = server
    async with client("127.0.0.0/8") as http:
        assert (await http.get(f"http://127.0.0.1:{port}/")).text == "hi"


async def test_redirects_and_proxies_are_not_followed(
    server: tuple[Server, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    served, port = server
    served.answer = b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n"
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    async with client("127.0.0.1") as http:
        response = await http.get(f"http://127.0.0.1:{port}/")
    assert response.status_code == 302
    assert len(served.seen) == 1


def resolves_to(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Let names resolve to each of these answers in turn; returns the list of names that were asked for."""
    asked: list[str] = []
    left = list(answers)

    async def getaddrinfo(host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        asked.append(host)
        found = left.pop(0)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo, raising=False)
    return asked


async def test_one_private_address_among_public_ones_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    resolves_to(monkeypatch, ["8.8.8.8", "10.0.0.1"])
    async with client() as http:
        with pytest.raises(AddressError):
            await http.get("https://crm.example.com/")


async def test_a_name_is_resolved_once_and_that_address_is_used(
    monkeypatch: pytest.MonkeyPatch, server: tuple[Server, int]
) -> None:
    """A name that answers publicly when checked and privately when used (DNS rebinding) gains nothing."""
    connected: list[str] = []

    async def connect_tcp(_: object, host: str, *__: Any) -> httpcore.AsyncNetworkStream:
        connected.append(host)
        raise httpcore.ConnectError("no way out of a test")

    asked = resolves_to(monkeypatch, ["8.8.8.8"], ["127.0.0.1"])
    monkeypatch.setattr(httpcore.AnyIOBackend, "connect_tcp", connect_tcp)
    async with client() as http:
        with pytest.raises(httpx.ConnectError, match=r"^crm\.example\.com can't be reached\.$"):
            await http.get("https://crm.example.com/")
    assert asked == ["crm.example.com"]
    assert connected == ["8.8.8.8"]


async def test_ports_other_than_https_are_refused_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    resolves_to(monkeypatch, ["8.8.8.8"])
    async with client() as http:
        with pytest.raises(AddressError):
            await http.get("https://crm.example.com:22/")


async def test_unknown_and_private_names_get_the_same_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    async def unknown(*_: Any, **__: Any) -> list[tuple[Any, ...]]:
        raise socket.gaierror("Name or service not known")

    resolves_to(monkeypatch, ["10.0.0.1"])
    async with client() as http:
        with pytest.raises(AddressError) as private:
            await http.get("https://crm.inside/")
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", unknown)
        with pytest.raises(httpx.ConnectError) as missing:
            await http.get("https://crm.inside/")
    assert str(private.value) == str(missing.value)


async def test_closed_and_silent_ports_get_the_same_error() -> None:
    with socket.socket() as closed, socket.socket() as silent:
        closed.bind(("127.0.0.1", 0))
        silent.bind(("127.0.0.1", 0))
        silent.listen(0)
        filling = [socket.socket() for _ in range(4)]
        try:
            for one in filling:  # a full backlog answers nothing
                one.setblocking(False)
                one.connect_ex(silent.getsockname())
            sentences = set()
            async with client("127.0.0.1") as http:
                for port in (closed.getsockname()[1], silent.getsockname()[1]):
                    with pytest.raises(httpx.ConnectError) as caught:
                        await http.get(f"http://127.0.0.1:{port}/", timeout=0.2)
                    sentences.add((type(caught.value), str(caught.value)))
        finally:
            for one in filling:
                one.close()
    assert sentences == {(httpx.ConnectError, "127.0.0.1 can't be reached.")}


async def test_errors_on_the_way_are_httpx_errors(server: tuple[Server, int]) -> None:
    served, port = server
    served.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"
    async with client("127.0.0.1") as http:
        with pytest.raises(httpx.ReadTimeout):
            await http.get(f"http://127.0.0.1:{port}/", timeout=0.2)
        served.answer = b"not http\r\n\r\n"
        with pytest.raises(httpx.RemoteProtocolError):
            await http.get(f"http://127.0.0.1:{port}/")


async def test_a_caller_cannot_part_the_checked_name_from_the_used_one(server: tuple[Server, int]) -> None:
    _, port = server
    seen: list[httpcore.Request] = []

    class Pool:
        async def handle_async_request(self, request: httpcore.Request) -> httpcore.Response:
            seen.append(request)
            return httpcore.Response(200)

    transport = GuardedTransport(["127.0.0.1"])
    transport._pool = Pool()  # type: ignore[assignment]  # to see what reaches it
    request = httpx.Request("GET", f"http://127.0.0.1:{port}/", extensions={"sni_hostname": "other", "timeout": {}})
    await transport.handle_async_request(request)
    assert seen[0].extensions == {"timeout": {}}


def test_allowed_entries() -> None:
    allowed = AllowedHosts(["CRM.local.", "10.0.0.0/8", "[::1]", "192.168.1.5"])
    assert allowed.names("crm.local")
    assert allowed.names("crm.LOCAL.")
    assert allowed.names("[::1]")
    assert allowed.names("10.1.1.1")
    assert not allowed.names("192.168.1.6")
    assert not allowed.names("evil.crm.local")
    assert allowed.holds(ipaddress.ip_address("192.168.1.5"))
