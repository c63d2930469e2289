"""A call tracker's journal, recorded from the sandbox once and replayed over HTTP to whoever asks.

Replaying costs next to nothing, so that what is measured is the reader. The recording is made by the requests that
the connector itself would send; beside it lies the same journal with a tag more on one call in a hundred.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.calltouch.settings import CalltouchSettings
from connectors.contract import Start, VendorResponse
from connectors.registry import connector
from sandbox.server import start as start_sandbox

FIRST_DAY = date(2026, 3, 2)
DAYS = 180
SECRET = {"clientApiId"}
EMPTY = {"calls": b'{"page":1,"pageTotal":1,"pageSize":1000,"recordsTotal":0,"records":[]}', "requests": b"[]"}


def record(folder: Path, calls: int) -> dict[str, Any]:
    """Make a journal of about so many calls in ``folder``, unless it is there. Returns its facts: the site, how
    many calls and bytes, and the requests that read it, in order."""
    facts = folder / "facts.json"
    if not facts.exists():
        for each in ("world", "first", "changed"):
            (folder / each).mkdir(parents=True, exist_ok=True)
        print(f"A market of {calls:,} calls is made and its journal recorded, once ...", file=sys.stderr)
        with start_sandbox(
            folder / "world", seed=5, calls=calls, days=DAYS, start=FIRST_DAY, limits=0, only=["calltouch"]
        ) as sandbox:
            facts.write_bytes(orjson.dumps(_recorded(folder, sandbox.credentials["calltouch"])))
    known: dict[str, Any] = orjson.loads(facts.read_bytes())
    return known


def _recorded(folder: Path, credentials: Mapping[str, str]) -> dict[str, Any]:
    settings = CalltouchSettings.model_validate(dict(credentials))
    stream = connector("calltouch").stream("calls")
    now = datetime.combine(FIRST_DAY + timedelta(days=DAYS - 1), datetime.max.time(), UTC)
    begins = datetime.combine(FIRST_DAY, datetime.min.time(), settings.zone)
    position = stream.start(settings, Start(None, now, begins, uuid4()))
    requests: list[str] = []
    count = size = 0
    with httpx.Client(base_url=credentials["base_url"], timeout=60) as client:
        while position is not None:
            asked = stream.request(settings, position)
            query = httpx.QueryParams({key: str(value) for key, value in asked.query.items()})
            answer = client.get(asked.path, params={**query, "clientApiId": credentials["token"]})
            answer.raise_for_status()
            (folder / "first" / _name(query)).write_bytes(answer.content)
            (folder / "changed" / _name(query)).write_bytes(_tagged(answer.content, count))
            page = stream.read(settings, position, VendorResponse(200, answer.headers, answer.content))
            requests.append(f"{asked.path}?{query}")
            count += len(page.records)
            size += len(answer.content)
            position = page.next
    return {"site": settings.site_id, "now": now.isoformat(), "calls": count, "bytes": size, "requests": requests}


def _tagged(content: bytes, before: int) -> bytes:
    told = orjson.loads(content)
    for number, call in enumerate(told["records"], before):
        if number % 100 == 0:
            call["callTags"] = [{"category": "", "type": "MANUAL", "names": ["VIP"]}]
    return orjson.dumps(told)


def _name(query: httpx.QueryParams | Mapping[str, str]) -> str:
    spoken = "&".join(f"{key}={value}" for key, value in sorted(query.items()) if key not in SECRET)
    return hashlib.sha256(spoken.encode()).hexdigest()[:32]


@asynccontextmanager
async def replayed(folder: Path, limit: int = 0) -> AsyncIterator[str]:
    """The journal of ``folder``, served by a process of its own at the address that is given; ``limit``: as `serve`
    has it."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.sync.journal", str(folder), str(limit)), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        yield (await process.stdout.readline()).decode().strip()
    finally:
        process.terminate()
        await process.wait()


def serve(folder: Path, limit: int = 0) -> None:
    """Answer every request of the recording, from memory once it was asked for, until terminated. More than
    ``limit`` requests in one second are refused as the vendor does (429), if there is one."""
    facts = orjson.loads((folder / "facts.json").read_bytes())
    headers = {"date": format_datetime(datetime.fromisoformat(facts["now"]), usegmt=True)}
    state = {"journal": "first"}

    answered: deque[float] = deque(maxlen=limit)

    async def answer(request: Request) -> Response:
        if limit and len(answered) == limit and time.monotonic() - answered[0] < 1.0:
            return Response(status_code=429, headers=headers | {"retry-after": "1"})
        answered.append(time.monotonic())
        path = folder / state["journal"] / _name(request.query_params)
        kind = "requests" if request.url.path.endswith("requests") else "calls"
        content = path.read_bytes() if path.exists() else EMPTY[kind]
        return Response(content, headers=headers, media_type="application/json")

    async def switch(request: Request) -> Response:
        state["journal"] = request.path_params["journal"]
        return Response()

    app = Starlette(routes=[Route("/_journal/{journal}", switch, methods=["POST"]), Route("/{path:path}", answer)])
    config = uvicorn.Config(app, log_level="critical", date_header=False, port=0)
    server = uvicorn.Server(config)
    listener = config.bind_socket()
    sys.stdout.write(f"http://127.0.0.1:{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    server.run(sockets=[listener])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("limit", type=int, nargs="?", default=0)
    given = parser.parse_args()
    serve(given.folder, given.limit)
