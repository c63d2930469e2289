"""What can go wrong with a vendor. The type says how to recover, the sentence is for the user.

The engine acts by type alone: wait and repeat, park the run, ask the user, or set one record aside.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime


class VendorError(Exception):
    """Base of all. ``sentence`` is plain language, holds no secret, and says what to do where one can; it gets
    its full stop here, since it often ends in the vendor's own words."""

    code = "VENDOR_ERROR"

    def __init__(self, sentence: str) -> None:
        self.sentence = sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."
        super().__init__(self.sentence)

    def cut(self, secrets: Iterable[str]) -> None:
        """Take secrets out of the sentence, where the vendor's own words repeat them."""
        for secret in secrets:
            if len(secret) > 5:  # a shorter one is no secret, and stands in ordinary words
                self.sentence = self.sentence.replace(secret, "…")
        self.args = (self.sentence,)


class AuthFailed(VendorError):
    """The key or token is refused (after one refresh): the connection stops and asks to be reconnected."""

    code = "AUTH_FAILED"


class NotPermitted(VendorError):
    """The account may not do this (missing scope, right or plan): the stream is left out, with a warning."""

    code = "NOT_PERMITTED"


class BadSettings(VendorError):
    """The settings can't be right (no such host or account). ``field`` names the one to mend, if known."""

    code = "BAD_SETTINGS"

    def __init__(self, sentence: str, field: str | None = None) -> None:
        super().__init__(sentence)
        self.field = field


class RateLimited(VendorError):
    """Too many requests. ``wait_seconds`` is the vendor's word; None means back off on our own."""

    code = "RATE_LIMITED"

    def __init__(self, sentence: str, wait_seconds: float | None = None) -> None:
        super().__init__(sentence)
        self.wait_seconds = wait_seconds


class QuotaExhausted(VendorError):
    """A day's (or hour's) quota is used up: the run is parked until then."""

    code = "QUOTA_EXHAUSTED"

    def __init__(self, sentence: str, until: datetime | None = None) -> None:
        super().__init__(sentence)
        self.until = until


class NotReady(VendorError):
    """The vendor is still preparing the answer: send the very same request again after ``wait_seconds``."""

    code = "NOT_READY"

    def __init__(self, sentence: str, wait_seconds: float) -> None:
        super().__init__(sentence)
        self.wait_seconds = wait_seconds


class Transient(VendorError):
    """A passing fault (time-out, dropped connection, 5xx, a page of HTML instead of data): try again."""

    code = "TRANSIENT"


class NotSent(Transient):
    """No byte of the request got there: what it asked for can't have happened."""

    code = "NOT_SENT"


class WriteRejected(VendorError):
    """The vendor refuses a change for what it says: sending it again can't help. ``field`` is theirs, if named."""

    code = "WRITE_REJECTED"

    def __init__(self, sentence: str, field: str | None = None) -> None:
        super().__init__(sentence)
        self.field = field


class ChangedMeanwhile(VendorError):
    """The record was changed there since it was looked at (HTTP 409 or 412): look again, then decide anew."""

    code = "CHANGED_MEANWHILE"


class BadRecord(VendorError):
    """One record can't be understood: it goes to quarantine with this reason."""

    code = "BAD_RECORD"


class VendorChanged(VendorError):
    """The vendor answers in a shape that the connector doesn't know: nothing is guessed, the run fails."""

    code = "VENDOR_CHANGED"
