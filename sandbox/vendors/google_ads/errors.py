"""Google's refusals: a name of a category, inside a GoogleAdsFailure."""

from __future__ import annotations

from typing import Any

_STATUS = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND"}
_STATUS |= {429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE"}


class GoogleError(Exception):
    """A refusal: its HTTP status, the category and the name in it."""

    def __init__(self, status: int, category: str, name: str, words: str = "synthetic") -> None:
        super().__init__(words)
        self.status = status
        self._error: dict[str, Any] = {"errorCode": {category: name}, "message": words}
        if name == "RESOURCE_TEMPORARILY_EXHAUSTED":
            self._error["details"] = {"quotaErrorDetails": {"retryDelay": "1s"}}

    def body(self, version: int) -> dict[str, Any]:
        failure = {
            "@type": f"type.googleapis.com/google.ads.googleads.v{version}.errors.GoogleAdsFailure",
            "errors": [self._error],
            "requestId": "pretend-request",
        }
        return {
            "error": {
                "code": self.status,
                "message": "Request contains an invalid argument." if self.status == 400 else "Refused.",
                "status": _STATUS[self.status],
                "details": [failure],
            }
        }
