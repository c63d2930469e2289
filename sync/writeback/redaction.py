"""Requests and answers as they may be kept and shown: whole, but for the connection's secrets."""

from __future__ import annotations

from typing import Any

import orjson
from pydantic import SecretStr

from connectors.contract import ConnectorSettings, VendorRequest, VendorResponse

LONGEST = 4000
"""Characters of a body that are kept."""
_HIDDEN = "***"


class Redaction:
    """Takes the secrets of one connection's settings out of what is kept. Headers aren't kept at all: tokens stand
    there."""

    def __init__(self, settings: ConnectorSettings) -> None:
        values = (getattr(settings, name) for name in type(settings).model_fields)
        secrets = {value.get_secret_value() for value in values if isinstance(value, SecretStr)}
        self._secrets = sorted((secret for secret in secrets if secret), key=len, reverse=True)

    def of_request(self, request: VendorRequest) -> dict[str, Any]:
        told = {
            "method": request.method,
            "path": request.path,
            "query": {name: str(value) for name, value in request.query.items()} or None,
            "body": request.json if request.json is not None else request.form,
            "file": None if request.upload is None else request.upload.text[:LONGEST],
        }
        kept: dict[str, Any] = orjson.loads(self._clean(orjson.dumps(told, default=str).decode()))
        return {name: value for name, value in kept.items() if value is not None}

    def of_response(self, response: VendorResponse) -> dict[str, Any]:
        body = response.content[: LONGEST * 4].decode(errors="replace").replace("\0", "")
        return {"status": response.status, "body": self._clean(body)[:LONGEST]}

    def _clean(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, _HIDDEN)
        return text
