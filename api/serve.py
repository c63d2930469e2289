"""Runs the web application in this process."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager

import uvicorn
from starlette.applications import Starlette

from api.app import create_app, create_metrics_app
from api.http import LARGEST_BODY
from api.rates import Rates
from core.errors import SkvozError
from sync.jobs import Jobs
from sync.office import Office


class AddressInUse(SkvozError):
    """Another program listens on the port already."""

    code = "ADDRESS_IN_USE"


async def serve(
    office: Office,
    *,
    jobs: Jobs | None = None,
    ready: Callable[[], None] | None = None,
    listener: socket.socket | None = None,
    rates: Rates | None = None,
) -> None:
    """Answer requests on SKVOZ_HOST and SKVOZ_PORT until this task is cancelled; running requests are finished
    first. ``ready`` is called once requests are answered; ``jobs`` is given where the process has it open already,
    ``listener`` and ``rates`` where several processes share them.

    Raises `AddressInUse` with a sentence that says what to do. Signals are left to the caller.
    """
    async with AsyncExitStack() as stack:
        if jobs is None:
            jobs = await stack.enter_async_context(Jobs(office).opened())
        app = create_app(office, jobs, rates)
        gc.freeze()  # the schema stays for ever: no collection needs to walk through it again
        await _serve(app, listener or listen(office.settings.host, office.settings.port), ready)


async def serve_metrics(office: Office, port: int) -> None:
    """Answer ``/metrics`` and ``/healthz`` on SKVOZ_HOST and that port until this task is cancelled. Raises
    `AddressInUse`."""
    await _serve(create_metrics_app(office), listen(office.settings.host, port, "SKVOZ_METRICS_PORT"), None)


async def _serve(app: Starlette, listener: socket.socket, ready: Callable[[], None] | None) -> None:
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        timeout_keep_alive=30,
        ws="websockets-sansio",
        ws_max_size=LARGEST_BODY,
        timeout_graceful_shutdown=10,
    )
    server = _Server(config, ready)
    running = asyncio.ensure_future(server.serve(sockets=[listener]))
    try:
        await asyncio.shield(running)
    finally:
        server.should_exit = True
        await asyncio.wait([running])
        listener.close()


class _Server(uvicorn.Server):
    """Uvicorn without its signal handlers (one process may run the API, workers and a sandbox together), and
    with a word when it is ready."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None] | None) -> None:
        super().__init__(config)
        self._ready = ready

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and self._ready is not None:
            self._ready()


def listen(host: str, port: int, setting: str = "SKVOZ_PORT") -> socket.socket:
    """A socket on that address; ``setting`` says where the port is chosen. Raises `AddressInUse`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise AddressInUse(
            f"Can't listen on {host}:{port} ({error.strerror}). Set {setting} to a free port."
        ) from None
    return listener
