"""What goes wrong on the caller's side, with codes that stay; what goes wrong on ours, with a reference only."""

from __future__ import annotations

import secrets
from typing import Any

import psycopg
import structlog
from graphql import GraphQLError, GraphQLSyntaxError
from psycopg_pool import PoolTimeout, TooManyRequests
from sqlalchemy.exc import OperationalError

from core.errors import SkvozError

_log = structlog.get_logger("skvoz.api")

VALIDATION_FAILED = "GRAPHQL_VALIDATION_FAILED"
PARSE_FAILED = "GRAPHQL_PARSE_FAILED"


class CallerError(SkvozError):
    """The request can't be answered as it is; the sentence says what to change."""

    code = "BAD_USER_INPUT"


class Forbidden(CallerError):
    """The token's role may not do or see this."""

    code = "FORBIDDEN"


class NotFound(CallerError):
    """There is no such thing in this workspace."""

    code = "NOT_FOUND"


class TooExpensive(CallerError):
    """The operation is beyond the limits of one request."""

    code = "QUERY_TOO_EXPENSIVE"


class CursorExpired(CallerError):
    """The changes after this cursor are no longer kept as a whole."""

    code = "CURSOR_EXPIRED"


class Unavailable(SkvozError):
    """The database doesn't answer just now; the same request may be sent again."""

    code = "UNAVAILABLE"


class TimedOut(SkvozError):
    """The statement took longer than one request may."""

    code = "TIMEOUT"


def public(error: GraphQLError, *, code: str = VALIDATION_FAILED) -> GraphQLError:
    """The error as the caller may see it: our own faults lose their text and are logged under a reference.
    ``code`` is that of errors of GraphQL's own that bear none."""
    if isinstance(error, GraphQLSyntaxError):
        return _coded(error, PARSE_FAILED)
    cause = error.original_error
    if cause is None or isinstance(cause, GraphQLError):
        return error if (error.extensions or {}).get("code") else _coded(error, code)
    if isinstance(cause, SkvozError):
        return _coded(error, cause.code)
    known = _of_database(cause)
    if known is not None:
        return _coded(error, known.code, message=str(known))
    reference = secrets.token_hex(6)
    _log.error("A request failed", reference=reference, path=error.path, exc_info=cause)
    message = f"Something went wrong on our side. Give the reference {reference} to whoever runs this server."
    return _coded(error, "INTERNAL", message=message, reference=reference)


def _of_database(cause: BaseException) -> SkvozError | None:
    if isinstance(cause, psycopg.Error) and cause.sqlstate == "SKV01":
        return CursorExpired("The cursor is older than the changes that are kept: read anew, then follow again.")
    if isinstance(cause, psycopg.errors.QueryCanceled):
        return TimedOut("The query took too long. Ask for fewer rows, or filter by time.")
    if isinstance(cause, psycopg.DataError):
        return CallerError("A value in the request can't be stored or compared: mend it (or the cursor).")
    if isinstance(cause, PoolTimeout | TooManyRequests | psycopg.OperationalError | OperationalError):
        return Unavailable("The database can't be reached just now. Try again in a moment.")
    return None


def _coded(error: GraphQLError, code: str, *, message: str | None = None, **more: Any) -> GraphQLError:
    return GraphQLError(
        message or error.message,
        nodes=error.nodes,
        source=error.source,
        positions=error.positions,
        path=error.path,
        extensions={**(error.extensions or {}), "code": code, **more},
    )
