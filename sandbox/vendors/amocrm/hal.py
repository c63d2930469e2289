"""The account's way to answer: HAL envelopes with absolute addresses, problem documents, empty 204s."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import orjson
from starlette.requests import Request
from starlette.responses import Response

from sandbox.vendors.address import mount_url

_TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    402: "Payment Required",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    422: "Unprocessable Entity",
    429: "Too Many Requests",
}


class Problem(Exception):
    """A refusal as a problem document; ``more`` stands beside title, type, status and detail."""

    def __init__(self, status: int, detail: str, **more: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.more = more

    @property
    def response(self) -> Response:
        """The answer to send."""
        body = {
            **self.more,
            "title": _TITLES[self.status],
            "type": f"https://httpstatus.es/{self.status}",
            "status": self.status,
            "detail": self.detail,
        }
        return Response(orjson.dumps(body), self.status, media_type="application/problem+json")


class ValidationProblem(Problem):
    """400 with the faults of each item: {request_id: [(code, path, detail)]}."""

    def __init__(self, faults: Mapping[str, Sequence[tuple[str, str, str]]]) -> None:
        listed = [
            {
                "request_id": request_id,
                "errors": [{"code": code, "path": path, "detail": detail} for code, path, detail in found],
            }
            for request_id, found in faults.items()
        ]
        super().__init__(400, "Request validation failed", **{"validation-errors": listed})


def hal(body: Any, status: int = 200) -> Response:
    """An answer with a body."""
    return Response(orjson.dumps(body), status, media_type="application/hal+json")


def nothing() -> Response:
    """204: nothing was found, or nothing is left to say."""
    return Response(status_code=204)


def href(request: Request, path: str) -> str:
    """The absolute address of something below ``/api/v4``."""
    return f"{mount_url(request)}/api/v4/{path}"


def self_link(request: Request, path: str) -> dict[str, Any]:
    """``{"self": {"href": …}}`` of something below ``/api/v4``."""
    return {"self": {"href": href(request, path)}}


def page_of(request: Request, name: str, items: Sequence[Any], page: int, limit: int, more: bool) -> Response:
    """A page of a list without totals; an empty one is 204. ``next`` is there while more rows follow."""
    if not items:
        return nothing()
    path = request.url.path.partition("/api/v4/")[2]
    others = [(key, value) for key, value in request.query_params.multi_items() if key not in {"page", "limit"}]

    def at(number: int) -> dict[str, str]:
        return {"href": f"{href(request, path)}?{urlencode([*others, ('page', number), ('limit', limit)])}"}

    links = {"self": at(page)}
    if more:
        links["next"] = at(page + 1)
    if page > 1:
        links |= {"first": at(1), "prev": at(page - 1)}
    return hal({"_page": page, "_links": links, "_embedded": {name: items}})


def whole(request: Request, name: str, items: Sequence[Any]) -> dict[str, Any]:
    """A list that stands on one page, with its total."""
    path = request.url.path.partition("/api/v4/")[2]
    return {
        "_total_items": len(items),
        "_links": self_link(request, path),
        "_embedded": {name: items},
    }
