"""The language that a caller reads, out of ``Accept-Language``: English or Russian."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Literal

from starlette.types import ASGIApp, Receive, Scope, Send

Language = Literal["en", "ru"]
_spoken: ContextVar[Language] = ContextVar("language", default="en")


class Languages:
    """Notes the language of each request for whoever writes sentences below."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            header = next((value for name, value in scope["headers"] if name == b"accept-language"), b"")
            _spoken.set(preferred(header.decode("latin-1")))
        await self._app(scope, receive, send)


def spoken() -> Language:
    """The language of the request at hand."""
    return _spoken.get()


def preferred(accept: str) -> Language:
    """The language of ours that the caller likes best (RFC 9110, 12.5.4); English if it names none."""
    weighed: list[tuple[float, int, Language]] = []
    for place, item in enumerate(accept.split(",")):
        tag, _, rest = item.strip().partition(";")
        weight = _weight(rest)
        name = tag.strip().lower().partition("-")[0]
        if weight > 0 and name in ("en", "ru", "*"):
            weighed.append((-weight, place, "ru" if name == "ru" else "en"))
    return min(weighed)[2] if weighed else "en"


def _weight(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0
