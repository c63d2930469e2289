"""The API in several processes, one for each core: they share one listening socket and the counters of rates.

The operator's process listens, starts the others and starts anew who ends; whichever process is idle takes the
next connection. Each of the others ends when the first one does, however that ends: it holds the other end of
a pipe.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import time
from collections.abc import Callable

import structlog

from api.rates import Rates
from api.serve import listen, serve
from core.errors import SettingsError, SkvozError
from core.logging import configure_logging
from core.settings import Settings, load_settings
from sync.office import open_office

_log = structlog.get_logger("skvoz.api")

_LEAST_LIFE_SECONDS = 5.0
_GRACE_SECONDS = 20.0
_COMMAND = "from api.processes import main; main()"


class ProcessEnded(SkvozError):
    """A process of the API ends as soon as it starts; its own words say why."""

    code = "PROCESS_ENDED"


async def serve_in_processes(settings: Settings, number: int, *, ready: Callable[[], None] | None = None) -> None:
    """Answer requests in so many processes until this task is cancelled. ``ready`` is called once all answer.

    Raises `AddressInUse`, `SettingsError` where the system can't share a socket, and `ProcessEnded`.
    """
    if sys.platform == "win32":
        raise SettingsError("Several processes need Linux or macOS; leave --processes at 1.")
    listener = listen(settings.host, settings.port)
    rates = Rates(settings.requests_per_minute)
    life, held = os.pipe()
    try:
        waiting = number

        def one_is_ready() -> None:
            nonlocal waiting
            waiting -= 1
            if waiting == 0 and ready is not None:
                ready()

        async with asyncio.TaskGroup() as group:
            for _ in range(number):
                group.create_task(_kept_running(listener, rates, life, one_is_ready))
    except* SkvozError as errors:
        raise errors.exceptions[0] from None
    finally:
        os.close(held)
        os.close(life)
        rates.close()
        listener.close()


async def _kept_running(listener: socket.socket, rates: Rates, life: int, ready: Callable[[], None] | None) -> None:
    while True:
        began = time.monotonic()
        await _run_one(listener, rates, life, ready)
        if time.monotonic() - began < _LEAST_LIFE_SECONDS:
            raise ProcessEnded("A process of the API ended as soon as it started; its own words above say why.")
        _log.warning("A process of the API ended and is started anew")
        ready = None  # was told before


async def _run_one(listener: socket.socket, rates: Rates, life: int, ready: Callable[[], None] | None) -> None:
    shared = (listener.fileno(), rates.fd, life)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _COMMAND, *map(str, shared)),
        pass_fds=shared,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None  # noqa: S101 - a pipe was asked for
    try:
        if await process.stdout.readline() and ready is not None:
            ready()
        await process.wait()
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), _GRACE_SECONDS)
            except TimeoutError:
                process.kill()
                await process.wait()


def main() -> None:
    """One of the processes: the file descriptors of what is shared are its arguments."""
    from api.command.running import in_loop

    configure_logging(load_settings())
    try:
        in_loop(_serve_shared)(*map(int, sys.argv[1:]))
    except SkvozError as error:
        sys.stderr.write(f"skvoz: {error}\n")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


async def _serve_shared(listener_fd: int, rates_fd: int, life: int) -> None:
    settings = load_settings()
    listener = socket.socket(fileno=listener_fd)
    rates = Rates(settings.requests_per_minute, fd=rates_fd)
    async with open_office(settings) as office:
        serving = asyncio.ensure_future(serve(office, listener=listener, rates=rates, ready=_say_ready))
        asyncio.get_running_loop().add_reader(life, serving.cancel)
        try:
            await serving
        finally:
            serving.cancel()
            await asyncio.wait([serving])


def _say_ready() -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()
