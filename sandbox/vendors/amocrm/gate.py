"""What stands before every route: the block, the rate, the token; and refusals turned into answers."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from math import ceil
from time import monotonic

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from sandbox.vendors.amocrm import oauth
from sandbox.vendors.amocrm.context import Context
from sandbox.vendors.amocrm.hal import Problem

Handler = Callable[[Request], Awaitable[Response]]

REQUESTS_PER_SECOND = 7
_BREACH_WINDOW = 60.0
_PAGE = (
    "<html>\r\n<head><title>{0}</title></head>\r\n<body>\r\n<center><h1>{0}</h1></center>\r\n"
    "<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)


class Gate:
    """Seven requests a second; whoever goes on breaking that is shut out with nginx's own page."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._breaches: deque[float] = deque()

    def guard(self, handler: Handler, *, with_token: bool = True) -> Handler:
        """The handler behind the gate."""

        async def guarded(request: Request) -> Response:
            refused = self._refused(request)
            if refused is not None:
                return refused
            try:
                if with_token:
                    oauth.check_access(self._context, request.headers.get("authorization", ""))
                return await handler(request)
            except (Problem, oauth.OAuthProblem) as problem:
                return problem.response

        return guarded

    def _refused(self, request: Request) -> Response | None:
        switches = self._context.switches
        if switches.get("blocked", bool):
            return HTMLResponse(_PAGE.format("403 Forbidden"), 403)
        address = request.client.host if request.client else ""
        wait = self._context.world.limiter.wait(f"amocrm:{address}", REQUESTS_PER_SECOND, 1.0)
        if wait <= 0:
            return None
        self._note_breach()
        if switches.get("html_429", bool):
            return HTMLResponse(_PAGE.format("429 Too Many Requests"), 429)
        detail = "You have sent too many requests in a given amount of time. Please try again later."
        problem = Problem(429, detail)
        problem.more["retry_after"] = ceil(wait)
        return problem.response

    def _note_breach(self) -> None:
        now = monotonic()
        self._breaches.append(now)
        while self._breaches[0] <= now - _BREACH_WINDOW:
            self._breaches.popleft()
        if len(self._breaches) >= self._context.switches.get("breaches_until_block", int):
            self._breaches.clear()
            self._context.switches.set({"blocked": True})
