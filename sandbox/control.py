"""The sandbox's own HTTP door, ``/_control``: faults, the request log, time. No vendor has anything like it.

``GET /clock`` · ``POST /clock {"speed"}`` · ``POST /advance {"seconds"}`` · ``GET /credentials`` ·
``GET /faults`` · ``POST /faults`` (a :class:`sandbox.faults.Fault` without id) · ``DELETE /faults`` ·
``GET /log?vendor=&path=&since=`` · ``DELETE /log``
"""

from __future__ import annotations

import re
from asyncio import Lock, sleep
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.faults import KINDS, FaultPlan
from sandbox.running import RunningWorld


def control_app(
    world: RunningWorld, plan: FaultPlan, credentials: Callable[[], dict[str, dict[str, str]]], turn: Lock
) -> Starlette:
    """The routes of ``/_control``. ``turn`` is held while happenings are applied."""

    async def clock(request: Request) -> Response:
        if request.method == "POST":
            world.set_speed(float((await request.json())["speed"]))
        return _json({"now": world.now(), "live": world.live, "happenings": world.stream.place.seq})

    async def advance(request: Request) -> Response:
        seconds = float((await request.json())["seconds"])
        applied = 0
        async with turn:
            for some in world.steps(world.now() + timedelta(seconds=seconds)):
                applied += some
                await sleep(0)  # other requests have their turn
        return _json({"now": world.now(), "applied": applied})

    async def faults(request: Request) -> Response:
        if request.method == "DELETE":
            plan.faults.clear()
        elif request.method == "POST":
            try:
                fault = plan.add(**(await request.json()))
            except (TypeError, ValueError) as error:
                return _json({"error": str(error), "kinds": KINDS}, 400)
            return _json(asdict(fault), 201)
        return _json([asdict(fault) for fault in plan.faults])

    async def log(request: Request) -> Response:
        if request.method == "DELETE":
            plan.log.clear()
            return _json([])
        wanted = request.query_params
        path, since = re.compile(wanted.get("path", "")), float(wanted.get("since", 0))
        return _json(
            [
                asdict(entry)
                for entry in plan.log
                if entry.at >= since
                and wanted.get("vendor", entry.vendor) == entry.vendor
                and path.search(entry.path)
            ]
        )

    async def show_credentials(request: Request) -> Response:
        return _json(credentials())

    return Starlette(
        routes=[
            Route("/clock", clock, methods=["GET", "POST"]),
            Route("/advance", advance, methods=["POST"]),
            Route("/faults", faults, methods=["GET", "POST", "DELETE"]),
            Route("/log", log, methods=["GET", "DELETE"]),
            Route("/credentials", show_credentials),
        ]
    )


def _json(content: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(content), status, media_type="application/json")
