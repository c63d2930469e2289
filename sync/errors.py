"""What can go wrong in the engine itself."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.errors import VendorError
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


@dataclass(frozen=True, slots=True)
class SettingsProblem:
    """One thing that is wrong with a connection's settings. ``field`` is None where no single field is to blame."""

    field: str | None
    sentence: str


class SettingsRefused(SkvozError):
    """The settings of a connection can't be used; ``problems`` say why, field by field."""

    code = "BAD_SETTINGS"

    def __init__(self, problems: list[SettingsProblem]) -> None:
        super().__init__(" ".join(problem.sentence for problem in problems))
        self.problems = problems
