"""Reading by days: for vendors that can't say what changed, a run reads windows of days and re-reads the last ones.

A run covers the days ``run_first`` to ``run_last`` (the vendor's today), cut into windows that are read one
after the other. The first run begins at ``since``; a later one ``reread_days`` before the last day that an
earlier run has read, so that what the vendor changed on recent days is seen. An earlier ``since`` than before
reads the missing history once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta, tzinfo

from connectors.contract import Cursor, Position, Start


@dataclass(frozen=True, slots=True)
class Window:
    """The days ``first`` to ``last``, both included, of a run."""

    first: date
    last: date
    run_first: date
    run_last: date
    since: date

    @classmethod
    def opening(
        cls, start: Start, *, days: int, reread_days: int, zone: tzinfo, earliest: date | None = None
    ) -> Window | None:
        """The first window of a run, at most ``days`` long; None where there is no day to read.

        ``zone`` is where the vendor's days begin and end; ``earliest`` the first day that the vendor keeps.
        """
        since = start.since.astimezone(zone).date()
        today = start.now.astimezone(zone).date()
        first = since if earliest is None else max(since, earliest)
        if start.cursor is not None and date.fromisoformat(start.cursor["since"]) <= since:
            first = max(first, date.fromisoformat(start.cursor["read_to"]) - timedelta(days=reread_days))
        if first > today:
            return None
        return cls(first, min(_last(first, days), today), first, today, since)

    @classmethod
    def at(cls, position: Position) -> Window:
        """The window that ``position`` stands in."""
        return cls(*(date.fromisoformat(position[key]) for key in cls.__slots__))

    def position(self) -> Position:
        """This window as plain JSON, to which a stream adds what it needs within the window."""
        return {key: getattr(self, key).isoformat() for key in self.__slots__}

    def following(self, days: int) -> Window | None:
        """The next window, at most ``days`` long; None at the end of the run."""
        if self.last >= self.run_last:
            return None
        first = self.last + timedelta(days=1)
        return Window(first, min(_last(first, days), self.run_last), self.run_first, self.run_last, self.since)

    def first_part(self, days: int) -> Window:
        """The beginning of this window, at most ``days`` long."""
        return Window(
            self.first, min(_last(self.first, days), self.last), self.run_first, self.run_last, self.since
        )

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    def cursor(self) -> Cursor:
        """Where the next run begins, once this window and all before it are read."""
        return {"read_to": self.last.isoformat(), "since": self.since.isoformat()}

    def done(self, share: float = 1.0) -> float:
        """The share of the run's days behind us when ``share`` of this window is read."""
        before = (self.first - self.run_first).days
        return (before + share * self.days) / ((self.run_last - self.run_first).days + 1)


def _last(first: date, days: int) -> date:
    return first + timedelta(days=days - 1)
