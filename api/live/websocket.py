"""The protocol ``graphql-transport-ws``: who asks is told in ``connection_init``, and every operation has a context
of its own. https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md

Close codes beside the protocol's: 1013 where events came faster than they were read (subscribe again; what was
missed is in the change feed), 4403 where the key is wrong, was revoked or has expired, 4429 where it has too many
connections.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, cast

import structlog
from graphql import GraphQLError
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState
from strawberry.asgi import ASGIWebSocketAdapter
from strawberry.http.exceptions import WebSocketDisconnected
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import (
    BaseGraphQLTransportWSHandler,
    Operation,
)
from strawberry.types import ExecutionResult
from strawberry.types.execution import PreExecutionError

from api.auth import TooManyWrongTokens
from api.graphql.errors import VALIDATION_FAILED, CallerError, public
from api.graphql.run import RequestContext
from api.graphql.stored import NotStored, NotTrusted, WrongHash
from api.live.sessions import Session, TooManyLive
from api.rates import TooManyRequests
from core.errors import SkvozError

if TYPE_CHECKING:
    from api.http import GraphQLView

_log = structlog.get_logger("skvoz.api.live")

SLOW_CONSUMER, FORBIDDEN, TOO_MANY, BAD_MESSAGE = 1013, 4403, 4429, 4400


class TextAdapter(ASGIWebSocketAdapter):
    """Sends text frames, as the protocol asks; Strawberry's sends whatever the encoder gives."""

    async def send_json(self, message: Any) -> None:
        try:
            await self.ws.send_text(self.view.encode_json_string(message))
        except WebSocketDisconnect as error:
            raise WebSocketDisconnected from error
        except RuntimeError as error:  # it was closed meanwhile, from here
            raise WebSocketDisconnected from error

    async def close(self, code: int, reason: str) -> None:
        if WebSocketState.DISCONNECTED not in (self.ws.application_state, self.ws.client_state):
            await self.ws.close(code=code, reason=reason)


class TransportHandler(BaseGraphQLTransportWSHandler[Any, None]):
    """One socket. The view's context is the socket itself until somebody has said who asks."""

    _session: Session | None = None

    async def handle(self) -> None:
        self._closing: set[asyncio.Task[None]] = set()
        async with AsyncExitStack() as self._stack:
            await super().handle()
        for task in list(self._closing):
            await asyncio.wait([task])

    async def handle_message(self, message: Any) -> None:
        wrong = _malformed(message)
        if wrong is not None:
            await self.handle_invalid_message(wrong)
            return
        if message["type"] == "subscribe" and self._session is not None:
            refused = self._refuse(self._session, message["payload"])
            if refused is not None:
                error = GraphQLError(str(refused), extensions={"code": refused.code})
                await self.send_message({"id": message["id"], "type": "error", "payload": [error.formatted]})
                return
        await super().handle_message(message)

    def _refuse(self, session: Session, payload: dict[str, Any]) -> SkvozError | None:
        """Why an operation isn't begun. What is asked of requests over HTTP is asked of each operation here: it
        counts against the key's rate, and may name a document that is stored."""
        view = cast("GraphQLView", self.view)
        try:
            view.rates.count(session.viewer.token_id)
            view.stored.complete(payload)
        except TooManyRequests as error:
            return TooManyLive(str(error))
        except (NotStored, NotTrusted, WrongHash) as error:
            return error
        return None if payload.get("query") else CallerError("The operation has no query.")

    async def handle_connection_init(self, message: Any) -> None:
        if self.connection_timed_out:
            return
        if self.connection_init_timeout_task:
            self.connection_init_timeout_task.cancel()
        if self.connection_init_received:
            await self.websocket.close(TOO_MANY, "Too many initialisation requests")
            return
        self.connection_init_received = True
        view = cast("GraphQLView", self.view)
        socket: WebSocket = self.context
        address = socket.client.host if socket.client else "unknown"
        authorization = _authorization(message.get("payload")) or socket.headers.get("authorization")
        try:
            viewer = await view.authenticator.viewer(authorization, address)
            if viewer is None:
                await self.websocket.close(FORBIDDEN, "Forbidden")
                return
            self._session = await self._stack.enter_async_context(
                view.sessions.connection(
                    viewer,
                    end=self._closer(FORBIDDEN, "The key was revoked or has expired"),
                    drop=self._closer(SLOW_CONSUMER, "Events came faster than they were read; subscribe again"),
                )
            )
        except (TooManyWrongTokens, TooManyLive) as error:
            await self.websocket.close(TOO_MANY, str(error))
            return
        self.connection_acknowledged = True
        await self.send_message({"type": "connection_ack"})

    async def run_operation(self, operation: Operation[Any, None]) -> None:
        """The operation's task. The plans of a document hang on the context, so each operation gets one."""
        view, session = cast("GraphQLView", self.view), self._session
        if session is None:
            raise RuntimeError("an operation came before its caller was known")
        context: RequestContext = view.context_of(session.viewer, session)
        stream = await self.schema.stream(
            operation.query,
            variable_values=operation.variables,
            context_value=context,
            operation_name=operation.operation_name,
        )
        try:
            await self._send_result_stream(operation, stream)
            await operation.send_operation_message({"id": operation.id, "type": "complete"})
        except WebSocketDisconnected:
            self.operations.pop(operation.id, None)
        except Exception:  # noqa: BLE001 - the caller learns that it ended, the log why
            self.operations.pop(operation.id, None)
            _log.exception("live.operation_failed")
            await self.websocket.close(1011, "Internal error")
        finally:
            await stream.aclose()

    async def _send_result_stream(self, operation: Operation[Any, None], result_source: Any) -> None:
        first = True
        async for result in result_source:
            if first and isinstance(result, PreExecutionError):
                errors = [public(error, code=VALIDATION_FAILED) for error in result.errors or ()]
                await operation.send_initial_errors(errors)
                return
            first = False
            shown = [public(error, code=CallerError.code) for error in result.errors or ()]
            await operation.send_next(
                ExecutionResult(data=result.data, errors=shown or None, extensions=result.extensions)
            )

    def _closer(self, code: int, reason: str) -> Callable[[], None]:
        """Closes the socket from outside of its task, which may be stuck in sending."""

        def close() -> None:
            task = asyncio.ensure_future(self.websocket.close(code, reason))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

        return close


def _malformed(message: object) -> str | None:
    """What is wrong with a message that isn't of the protocol's form."""
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        return "A message is a JSON object with a type"
    payload = message.get("payload")
    if message["type"] == "connection_init":
        return None if payload is None or isinstance(payload, dict) else "Invalid connection init payload"
    if message["type"] in ("subscribe", "complete") and not isinstance(message.get("id"), str):
        return "The message has no id"
    if message["type"] != "subscribe":
        return None
    if not isinstance(payload, dict) or not isinstance(payload.get("query") or "", str):
        return "The message has no query"
    if not (payload.get("query") or payload.get("documentId") or payload.get("extensions")):
        return "The message has no query"
    if not isinstance(payload.get("variables") or {}, dict):
        return "The variables must be an object"
    if not isinstance(payload.get("operationName") or "", str):
        return "The operation's name must be a string"
    return None


def _authorization(payload: object) -> str | None:
    """The key out of ``connection_init``: ``{"Authorization": "Bearer …"}``, or ``{"token": "…"}``."""
    if not isinstance(payload, dict):
        return None
    for name, value in payload.items():
        if isinstance(value, str) and name.lower() == "authorization":
            return value
    token = payload.get("token")
    return f"Bearer {token}" if isinstance(token, str) else None
