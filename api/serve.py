"""Runs the web application in this process."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import uvicorn

from api.app import create_app
from core.database import Database
from core.errors import SkvozError
from core.settings import Settings

Ready = Callable[[str], Awaitable[None]]
"""Called with the address once requests are answered."""


class AddressInUse(SkvozError):
    """Another program listens on the port already."""

    code = "ADDRESS_IN_USE"


async def serve(settings: Settings, database: Database, ready: Ready | None = None) -> None:
    """Answer requests until this task is cancelled; running requests are finished first.

    Raises `AddressInUse` with a sentence that says what to do. Signals are left to the caller.
    """
    listener = _listen(settings.host, settings.port)
    config = uvicorn.Config(
        create_app(settings, database),
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        lifespan="off",
        timeout_keep_alive=30,
        timeout_graceful_shutdown=10,
        h11_max_incomplete_event_size=64 * 1024,
    )
    server = _Server(config)
    running = asyncio.ensure_future(server.serve(sockets=[listener]))
    try:
        while not server.started and not running.done():
            await asyncio.sleep(0.01)
        if ready is not None and server.started:
            await ready(f"http://{_shown(settings.host)}:{listener.getsockname()[1]}")
        await asyncio.shield(running)
    finally:
        server.should_exit = True
        await asyncio.wait([running])
        listener.close()


class _Server(uvicorn.Server):
    """Uvicorn without its signal handlers: one process may run the API, workers and a sandbox together."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise AddressInUse(
            f"Can't listen on {host}:{port} ({error.strerror}). Set SKVOZ_PORT to a free port."
        ) from None
    return listener


def _shown(host: str) -> str:
    if host in ("0.0.0.0", "::"):  # noqa: S104 - only shown, not listened on
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host
