"""Metrica's refusals, one shape in all its APIs."""

from __future__ import annotations

from typing import Any

import orjson
from starlette.responses import Response

STATUS = {
    "unauthorized": 401,
    "invalid_token": 403,
    "access_denied": 403,
    "not_found": 404,
    "invalid_parameter": 400,
    "missing_parameter": 400,
    "invalid_uploading": 400,
    "backend_error": 503,
}


class MetricaError(Exception):
    """A refusal by its ``kind``; quotas have a status that differs from page to page of the vendor's docs."""

    def __init__(self, kind: str, message: str, location: str | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.location = location

    def answer(self, quota_status: int) -> Response:
        status = STATUS.get(self.kind, quota_status)
        told: dict[str, Any] = {"error_type": self.kind, "message": self.message}
        if self.location is not None:
            told["location"] = self.location
        body = {"errors": [told], "code": status, "message": self.message}
        return Response(orjson.dumps(body), status, media_type="application/json")
