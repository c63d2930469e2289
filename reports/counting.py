"""How an additive figure is counted over rows: each whole, or by parts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Counted:
    """How many rows there are ``where`` something holds, or the sum of ``of`` over them, as SQL; with ``money`` it
    is an amount of the row's own, parts of which add up to it to the hundredth."""

    where: str
    of: str | None = None
    money: bool = False

    @property
    def whole(self) -> str:
        """Over rows that each count whole."""
        if self.of is None:
            return f"count(*) filter (where {self.where})"
        return self._sum(self.of)

    def by_parts(self, part: str) -> str:
        """Over rows of which each counts as ``part``, and whose amounts are those of the part."""
        if self.of is None:
            return self._sum(part)
        return self._sum(self.of if self.money else f"{self.of} * {part}")

    def _sum(self, of: str) -> str:
        return f"coalesce(sum({of}) filter (where {self.where}), 0)"
