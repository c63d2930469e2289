"""GraphQL over HTTP: what Strawberry's view leaves open of media types, status codes and malformed bodies.

By the GraphQL-over-HTTP specification (draft of 2025): with ``application/graphql-response+json`` a request
that was not executed is a 400 without ``data``; with ``application/json`` it is a 200 where the request itself
was well formed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import lru_cache
from typing import Any

import orjson
from cross_web import HTTPException
from graphql import GraphQLError, GraphQLSyntaxError, OperationType, get_operation_ast, parse
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive
from strawberry.asgi import GraphQL
from strawberry.http import GraphQLHTTPResponse
from strawberry.http.parse_content_type import parse_content_type
from strawberry.subscriptions import GRAPHQL_SSE_PROTOCOL, GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.types import ExecutionResult
from strawberry.types.execution import PreExecutionError
from strawberry.types.unset import UNSET

from api.auth import Authenticator
from api.graphql.errors import VALIDATION_FAILED, CallerError, public
from api.graphql.limits import Limits
from api.graphql.run import RequestContext
from api.graphql.stored import NotStored, NotTrusted, StoredDocuments, WrongHash
from api.graphql.values import Viewer
from api.live.events import EVENT_STREAM, EventStream
from api.live.hub import Hub
from api.live.sessions import Session, Sessions
from api.live.websocket import TextAdapter, TransportHandler
from api.rates import Rates
from core.errors import SkvozError
from core.tracing import span
from sync.jobs import Jobs
from sync.office import Office

RESPONSE_JSON = "application/graphql-response+json"
PLAIN_JSON = "application/json"
LARGEST_BODY = 1_000_000
_UNAVAILABLE = "UNAVAILABLE"


class GraphQLView(GraphQL[RequestContext, None]):
    """The view at ``/graphql``. The caller was authenticated before (`api.app`)."""

    websocket_adapter_class = TextAdapter
    graphql_transport_ws_handler_class = TransportHandler

    def __init__(
        self,
        schema: Any,
        office: Office,
        jobs: Jobs,
        authenticator: Authenticator,
        stored: StoredDocuments,
        rates: Rates,
    ) -> None:
        super().__init__(
            schema,
            graphql_ide=None,
            subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL, GRAPHQL_SSE_PROTOCOL),
            connection_init_wait_timeout=timedelta(seconds=5),
            max_subscriptions_per_connection=100,
        )
        self._office, self._jobs, self._direct = office, jobs, schema.direct
        self.authenticator, self.stored, self.rates = authenticator, stored, rates
        self.sessions = Sessions(office.database, Hub(office.database))

    def context_of(self, viewer: Viewer, session: Session | None = None) -> RequestContext:
        """What resolvers of one operation know."""
        return RequestContext(viewer, self._office, self._jobs, self._forget, session)

    def _forget(self, token_id: str) -> None:
        self.authenticator.forget(token_id)
        self.sessions.end_token(token_id)

    async def get_context(self, request: Any, response: Any) -> Any:
        if self.is_websocket_request(request):
            return request  # who asks is known later (`api.live.websocket`)
        request.state.context = self.context_of(request.state.viewer)
        return request.state.context

    async def run(self, request: Any, context: Any = UNSET, root_value: Any = None) -> Any:
        if self.is_websocket_request(request):
            return await super().run(request)
        if request.method not in ("GET", "POST"):
            return problem(405, "GraphQL takes GET and POST.", headers={"Allow": "GET, POST"})
        accept = request.headers.get("accept")
        if preferred(accept) is None and not takes_events(accept):
            return problem(406, f"This endpoint answers in {RESPONSE_JSON}, {PLAIN_JSON} or {EVENT_STREAM}.")
        if request.method == "POST":
            refused = _refuse_body(request)
            if refused is not None:
                return refused
        try:
            with span("graphql.operation", request.headers):
                return finish(request, await super().run(request))
        except (NotStored, NotTrusted, WrongHash) as error:
            media = preferred(accept) or PLAIN_JSON
            return problem(400 if media == RESPONSE_JSON else 200, str(error), code=error.code, media=media)
        except HTTPException as error:
            if error.status_code == 400 and "not allowed" in error.reason and request.method == "GET":
                return problem(405, error.reason, headers={"Allow": "POST"})
            return problem(error.status_code, error.reason)

    async def directly(self, request: Request, viewer: Viewer, body: bytes) -> Response | None:
        """The answer the short way (`api.graphql.direct`), or None where the ordinary one has to be gone."""
        media = preferred(request.headers.get("accept"))
        if media is None or "x-query-cost" in request.headers or _refuse_body(request) is not None:
            return None
        asked = self._plainly_asked(body)
        ready = None if asked is None else self._direct.ready(*asked)
        if ready is None:
            return None
        with span("graphql.operation", request.headers):
            found = await ready.answer(self.context_of(viewer))
        answer: dict[str, Any] = {"data": found.data}
        status = 200
        if found.errors:
            shown, status = _shown(found.errors, CallerError.code)
            answer = {"errors": shown, **answer}
        return Response(orjson.dumps(answer), status, media_type=f"{media}; charset=utf-8")

    def _plainly_asked(self, body: bytes) -> tuple[str, str | None, dict[str, Any]] | None:
        """Text, name and variables of a request that asks for nothing beside; None of any other."""
        try:
            asked = orjson.loads(body)
            self.stored.complete(asked)
        except (orjson.JSONDecodeError, SkvozError, AttributeError):
            return None
        text, name, variables = asked.get("query"), asked.get("operationName"), asked.get("variables")
        extensions = asked.get("extensions") or {}
        plain = isinstance(extensions, dict) and not extensions.keys() - {"persistedQuery"}
        if plain and isinstance(text, str) and isinstance(name, str | None) and isinstance(variables, dict | None):
            return text, name, variables or {}
        return None

    async def parse_http_body(self, request: Any) -> Any:
        data = await super().parse_http_body(request)
        if isinstance(data, list):
            raise HTTPException(400, "Send one operation at a time: batches are not taken.")
        if data.operation_name is not None and not isinstance(data.operation_name, str):
            raise HTTPException(400, "The operation's name must be a string or null.")
        if not data.query:
            raise HTTPException(400, "The request has no query.")
        if request.headers.get("x-query-cost", "").lower() == "true":
            data = replace(data, extensions={**(data.extensions or {}), "cost": True})
        return replace(data, protocol="sse" if self._as_events(request, data) else "http")

    @staticmethod
    def _as_events(request: Any, data: Any) -> bool:
        """Whether to answer with events. Some clients (urql) take them in every request and expect them for
        subscriptions only, so the kind of the operation decides, unless the caller takes nothing else."""
        accept = request.headers.get("accept")
        events = takes_events(accept)
        if not is_subscription(data.query, data.operation_name):
            return events and preferred(accept) is None
        if not events:
            raise HTTPException(406, f"Subscribe with Accept: {EVENT_STREAM}, or over graphql-transport-ws.")
        return True

    async def create_streaming_response(
        self, request: Any, stream: Callable[[], Any], sub_response: Any, headers: Mapping[str, str]
    ) -> Response:
        return EventStream(stream(), self.sessions, request.state.context, headers)

    def should_render_graphql_ide(self, request: Any) -> bool:
        return False

    def parse_json(self, data: str | bytes) -> Any:
        request = _json_object(data)
        self.stored.complete(request)
        return request

    def parse_query_params(self, params: Any) -> dict[str, Any]:
        request = dict(params)
        for name in ("variables", "extensions"):
            if request.get(name):
                request[name] = _json_object(request[name])
        self.stored.complete(request)
        return request

    def decode_json(self, data: str | bytes) -> object:
        try:
            return orjson.loads(data)
        except orjson.JSONDecodeError as error:
            raise json.JSONDecodeError(error.msg, error.doc, error.pos) from None

    def encode_json(self, data: object) -> bytes:
        return orjson.dumps(data)

    async def process_result(self, request: Any, result: ExecutionResult) -> GraphQLHTTPResponse:
        answer: dict[str, Any] = {}
        media = preferred(request.headers.get("accept")) or PLAIN_JSON
        executed = not isinstance(result, PreExecutionError) and not (
            result.data is None and all(error.path is None for error in result.errors or ())
        )
        request.state.media, request.state.status = media, 200
        if result.errors:
            # What is wrong after validation has passed is a value: of a variable, or of an argument.
            code = VALIDATION_FAILED if isinstance(result, PreExecutionError) else CallerError.code
            answer["errors"], request.state.status = _shown(result.errors, code)
        if executed:
            answer["data"] = result.data
        elif media == RESPONSE_JSON:
            request.state.status = 400
        if result.extensions:
            answer["extensions"] = result.extensions
        return answer  # type: ignore[return-value]  # Strawberry's TypedDict has other optional keys

    def create_response(self, response_data: Any, sub_response: Response) -> Response:
        return AnswerResponse(self.encode_json(response_data))


def _shown(errors: Iterable[GraphQLError], code: str) -> tuple[list[Any], int]:
    """The errors as callers may see them, and the status they call for where something was executed."""
    shown = [public(error, code=code).formatted for error in errors]
    unavailable = any(error.get("extensions", {}).get("code") == _UNAVAILABLE for error in shown)
    return shown, 503 if unavailable else 200


def _json_object(data: str | bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise HTTPException(400, "The body isn't valid JSON.") from error
    if isinstance(value, list):
        raise HTTPException(400, "Send one operation at a time: batches are not taken.")
    if not isinstance(value, dict):
        raise HTTPException(400, "The body must be a JSON object with a query.")
    return value


async def buffered(receive: Receive) -> bytes | None:
    """The body, read to its end; None as soon as it is too long.

    A body without Content-Length may go on for ever: it has to be counted while it comes."""
    chunks: list[bytes] = []
    length, more = 0, True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            return None
        chunks.append(message.get("body", b""))
        length += len(chunks[-1])
        more = message.get("more_body", False)
        if length > LARGEST_BODY:
            return None
    return b"".join(chunks)


def replayed(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives that body, then goes on with the request's own."""
    whole: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return whole.pop() if whole else await receive()

    return replay


class AnswerResponse(Response):
    """Bytes whose media type and status are those that the request asked for (`finish`)."""


def finish(request: Request, response: Response) -> Response:
    """Give an answer of the view its media type and status."""
    if isinstance(response, AnswerResponse):
        response.status_code = request.state.status
        response.headers["Content-Type"] = f"{request.state.media}; charset=utf-8"
    return response


@lru_cache(maxsize=256)
def preferred(accept: str | None) -> str | None:
    """The media type to answer in; None where the caller takes neither. Without a wish it is plain JSON."""
    if not accept:
        return PLAIN_JSON
    best: tuple[float, int, str] | None = None
    for position, item in enumerate(accept.split(",")):
        name, _, rest = item.strip().partition(";")
        weight = _weight(rest)
        media = {"*/*": PLAIN_JSON, "application/*": PLAIN_JSON}.get(name.strip().lower(), name.strip().lower())
        if media in (PLAIN_JSON, RESPONSE_JSON) and weight > 0:
            candidate = (weight, -position, media)
            best = candidate if best is None or candidate > best else best
    return None if best is None else best[2]


def takes_events(accept: str | None) -> bool:
    """Whether the caller takes server-sent events."""
    for item in (accept or "").split(","):
        name, _, rest = item.strip().partition(";")
        if name.strip().lower() == EVENT_STREAM and _weight(rest) > 0:
            return True
    return False


def is_subscription(query: str, operation_name: str | None) -> bool:
    """Whether that operation of the document subscribes; what can't be parsed is refused elsewhere."""
    if "subscription" not in query:
        return False
    try:
        operation = get_operation_ast(parse(query, no_location=True, max_tokens=Limits().tokens), operation_name)
    except (GraphQLSyntaxError, RecursionError):
        return False
    return operation is not None and operation.operation is OperationType.SUBSCRIPTION


def problem(
    status: int,
    sentence: str,
    *,
    code: str = "BAD_REQUEST",
    headers: dict[str, str] | None = None,
    media: str = PLAIN_JSON,
) -> Response:
    """An answer to a request that is no GraphQL request: still a GraphQL error, so that every client reads it."""
    body = {"errors": [{"message": sentence, "extensions": {"code": code}}]}
    return Response(orjson.dumps(body), status, headers, media_type=f"{media}; charset=utf-8")


def _weight(parameters: str) -> float:
    for parameter in parameters.split(";"):
        name, _, value = parameter.strip().partition("=")
        if name == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


@lru_cache(maxsize=256)
def _unfit(content_type: str) -> str | None:
    """What is wrong with a body of that type, if anything."""
    media, parameters = parse_content_type(content_type)
    if media.lower() != PLAIN_JSON:
        return f"Send the body as {PLAIN_JSON}."
    charset = parameters.get("charset", "utf-8").lower()
    return None if charset in ("utf-8", "utf8") else "Send the body in UTF-8."


def _refuse_body(request: Request) -> Response | None:
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        return problem(415, "Send the body as it is: compressed bodies are not taken.")
    unfit = _unfit(request.headers.get("content-type") or "none/none")
    if unfit is not None:
        return problem(415, unfit)
    length = request.headers.get("content-length")
    if length is not None and (not length.isdigit() or int(length) > LARGEST_BODY):
        return problem(413, f"The body has more than {LARGEST_BODY} bytes.")
    return None
