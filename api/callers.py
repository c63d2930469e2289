"""Who asks over HTTP, for every door that wants a token."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from api.auth import Authenticator, TooManyWrongTokens
from api.graphql.values import Viewer
from api.http import problem
from api.rates import Rates, TooManyRequests


class Callers:
    """Tells callers by their tokens, and counts what each asks."""

    def __init__(self, authenticator: Authenticator, rates: Rates) -> None:
        self._authenticator, self._rates = authenticator, rates

    async def who(self, request: Request) -> Viewer | Response:
        """The caller; or the answer to one who has no right token, or has to wait."""
        address = request.client.host if request.client else "unknown"
        try:
            viewer = await self._authenticator.viewer(request.headers.get("authorization"), address)
            if viewer is not None:
                self._rates.count(viewer.token_id)
        except (TooManyWrongTokens, TooManyRequests) as error:
            headers = {"Retry-After": str(error.wait_seconds)}
            return problem(429, str(error), code="TOO_MANY_REQUESTS", headers=headers)
        if viewer is None:
            sentence = "Send your token in the header: Authorization: Bearer skv_live_…"
            headers = {"WWW-Authenticate": 'Bearer realm="skvoz"'}
            return problem(401, sentence, code="UNAUTHENTICATED", headers=headers)
        return viewer
