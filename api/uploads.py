"""``POST /files``: a table comes in, and its reference goes out, by which it can be looked at and connected.

The body is the file itself. It is written to disk as it comes, so that the size of what somebody sends is no matter
of memory, and looked through before it is kept: what can't be a table, or must not be opened, is refused.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ParamSpec, TypeVar

import orjson
import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.callers import Callers
from api.graphql.values import Viewer
from api.http import problem
from connectors.errors import BadSettings
from connectors.file.store import Incoming, incoming
from connectors.file.table import LARGEST_FILE, refuse_untabular
from schema.enums import Role

log = structlog.get_logger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

PATH = "/files"
MAY_UPLOAD = frozenset({Role.OWNER, Role.INTEGRATION})
LEFT_FREE = 2**30  # bytes of the disk: a database that finds it full stops
_PATIENCE_SECONDS = 30.0  # for the next part of a body
_LOOKING = ThreadPoolExecutor(1, "files")  # a large workbook takes hundreds of megabytes to look through


async def looked_at(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Look through a file by ``function``, one file of this process at a time."""
    return await asyncio.get_running_loop().run_in_executor(_LOOKING, lambda: function(*args, **kwargs))


class UploadDoor:
    """Takes files from callers who may connect systems."""

    def __init__(self, folder: Path, callers: Callers) -> None:
        self._folder, self._callers = folder, callers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._answer(Request(scope, receive))
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        if request.method != "POST":
            return problem(405, "Send a file by POST, as the body.", headers={"Allow": "POST"})
        viewer = await self._callers.who(request)
        if isinstance(viewer, Response):
            return viewer
        if viewer.role not in MAY_UPLOAD:
            return problem(403, f"The role {viewer.role} may not upload files.", code="FORBIDDEN")
        return _refused_by_headers(request) or await self._take(request, viewer)

    async def _take(self, request: Request, viewer: Viewer) -> Response:
        try:
            with incoming(self._folder) as file:
                if shutil.disk_usage(self._folder).free < LEFT_FREE + LARGEST_FILE:
                    return problem(507, "The server has no room for files: tell whoever runs it.", code="NO_ROOM")
                await _write(request, file)
                await looked_at(lambda: refuse_untabular(file.content()))
                reference = await asyncio.to_thread(file.keep)
        except _TooLarge as error:
            return problem(413, str(error), code="FILE_REFUSED", headers={"Connection": "close"})
        except BadSettings as error:
            return problem(422, error.sentence, code="FILE_REFUSED")
        except (TimeoutError, ClientDisconnect):
            return problem(408, "The file stopped coming: send it again.", headers={"Connection": "close"})
        log.info("file.uploaded", bytes=file.size, token=viewer.token_id)
        return Response(orjson.dumps({"file": reference, "bytes": file.size}), 201, media_type="application/json")


class _TooLarge(Exception):
    """More came than is taken."""


async def _write(request: Request, file: Incoming) -> None:
    parts = request.stream().__aiter__()
    while True:
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                part = await anext(parts)
        except StopAsyncIteration:
            return
        try:
            file.write(part)
        except BadSettings as error:
            raise _TooLarge(error.sentence) from None


def _refused_by_headers(request: Request) -> Response | None:
    """What can be told before anything is read."""
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        return problem(415, "Send the file as it is: compressed bodies are not taken.")
    if request.headers.get("content-type", "").lower().startswith(("multipart/", "application/x-www-form")):
        return problem(415, "Send the file itself as the body, not a form with the file in it.")
    length = request.headers.get("content-length")
    if length is not None and (not length.isdigit() or int(length) > LARGEST_FILE):
        return problem(413, f"The file is larger than {LARGEST_FILE // 2**20} MB: split it.", code="FILE_REFUSED")
    return None
