"""What can go wrong in the engine itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from connectors.errors import QuotaExhausted, VendorError
from core.errors import SkvozError


class NotFound(SkvozError):
    """There is no such connection, run or client in this workspace."""

    code = "NOT_FOUND"


class LeaseLost(SkvozError):
    """Another worker took the stream over; what this one had in hand is not committed."""

    code = "LEASE_LOST"


class PagingLoop(VendorError):
    """The vendor's pages lead in a circle."""

    code = "PAGING_LOOP"


class CircuitOpen(QuotaExhausted):
    """The account has been out of reach for long: nothing was sent. Like with a quota that is used up, what wanted
    to be sent is parked, until the breaker's next try."""

    code = "CIRCUIT_OPEN"

    def __init__(self, reason: str, until: datetime) -> None:
        moment = until.astimezone(UTC)
        super().__init__(f"{reason} It is tried again at {moment:%H:%M} UTC, and left in peace until then.", until)


@dataclass(frozen=True, slots=True)
class SettingsProblem:
    """One thing that is wrong with what was given. ``field`` is None where no single field is to blame; ``code``
    says for programs what it is, and with ``values`` lets it be said in other languages."""

    field: str | None
    sentence: str
    code: str | None = None
    values: Mapping[str, object] = dataclasses.field(default_factory=dict)


class Refused(SkvozError):
    """What was asked for can't be done as it was given; ``problems`` say why, field by field."""

    code = "BAD_USER_INPUT"

    def __init__(self, problems: Sequence[SettingsProblem]) -> None:
        super().__init__(" ".join(problem.sentence for problem in problems))
        self.problems = list(problems)


class SettingsRefused(Refused):
    """The settings of a connection can't be used."""

    code = "BAD_SETTINGS"
