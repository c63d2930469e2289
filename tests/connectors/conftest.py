"""What the tests of connectors share: a session that sends to a handler instead of a network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from connectors.contract import Connector, ConnectorSettings, VendorRequest, VendorResponse
from connectors.errors import Transient

Handler = Callable[[httpx.Request], httpx.Response]


@dataclass
class HandledSession:
    """A VendorSession with the connector's own auth and errors, and a handler in place of the vendor.

    It sends once: waiting and repeating are the engine's.
    """

    connector: Connector[Any]
    settings: Any
    handler: Handler
    sent: list[httpx.Request] = field(default_factory=list)

    async def send(self, request: VendorRequest) -> VendorResponse:
        def answer(built: httpx.Request) -> httpx.Response:
            self.sent.append(built)
            return self.handler(built)

        auth = None if self.connector.auth is None else self.connector.auth(self.settings, None)  # type: ignore[arg-type]
        async with httpx.AsyncClient(
            transport=httpx.MockTransport(answer), base_url=self.connector.base_url(self.settings), auth=auth
        ) as client:
            response = await client.request(
                request.method,
                request.path,
                params=dict(request.query) or None,
                json=request.json,
                headers=dict(request.headers),
            )
        error = None if self.connector.error_of is None else self.connector.error_of(response)
        if error is not None:
            raise error
        if response.status_code >= 400:
            raise Transient(f"{self.connector.title} answers with status {response.status_code}.")
        return VendorResponse(response.status_code, response.headers, response.content)


@pytest.fixture
def session_to() -> Callable[[Connector[Any], ConnectorSettings, Handler], HandledSession]:
    """Make a session of a connector that sends to a handler."""
    return HandledSession
