"""How subcommands run: one event loop, an opened installation, and a workspace."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import wraps
from typing import Any, ParamSpec
from uuid import UUID

import click
from sqlalchemy import text

from core.settings import load_settings
from sync.office import Office, create_workspace, open_office, workspace_id

P = ParamSpec("P")

workspace_option = click.option(
    "--workspace", metavar="SLUG", default=None, help="Which workspace; not needed while there is only one."
)


def in_loop(function: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run an async subcommand in an event loop of its own, which ends cleanly on Ctrl-C and on SIGTERM."""

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        gc.freeze()  # what was imported stays
        with asyncio.Runner(loop_factory=_new_loop) as runner:
            runner.run(_until_terminated(function(*args, **kwargs)))

    return run


def _new_loop() -> asyncio.AbstractEventLoop:
    if sys.platform == "win32":
        return asyncio.SelectorEventLoop()  # psycopg's async side needs this one there
    import uvloop

    return uvloop.new_event_loop()


async def _until_terminated(work: Coroutine[Any, Any, None]) -> None:
    """SIGTERM is how a service is asked to stop: everything is closed as after Ctrl-C, and the exit is 0."""
    task = asyncio.ensure_future(work)
    asked = False

    def stop() -> None:
        nonlocal asked
        asked = True
        task.cancel()

    if sys.platform != "win32":
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)
    try:
        await task
    except asyncio.CancelledError:
        if not asked:
            raise


@asynccontextmanager
async def at_work(slug: str | None) -> AsyncIterator[tuple[Office, UUID]]:
    """An opened installation and the workspace to work in; the first command makes the workspace ``main``."""
    async with open_office(load_settings()) as office:
        if slug is None and not await _any_workspace(office):
            yield office, await create_workspace(office, "main", "Main")
        else:
            yield office, await workspace_id(office, slug)


async def _any_workspace(office: Office) -> bool:
    async with office.database.owner_engine.connect() as db:
        return bool((await db.execute(text("select exists (select from workspace)"))).scalar_one())
