"""The one source of the present moment, so that a test can say what time it is."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta


def _system_clock() -> datetime:
    return datetime.now(UTC)


_clock: Callable[[], datetime] = _system_clock


def now() -> datetime:
    """The present moment in UTC, always aware."""
    return _clock()


@contextmanager
def replaced(clock: Callable[[], datetime]) -> Iterator[None]:
    """Let `now()` answer with `clock()` in this whole process: for tests only.

    It is a global and not a context variable, because tasks and threads that were started earlier must see it too.
    """
    global _clock
    former, _clock = _clock, clock
    try:
        yield
    finally:
        _clock = former


class Clock:
    """A clock that stands still until it is told to go on: `with replaced(Clock(moment)) ...`."""

    def __init__(self, moment: datetime) -> None:
        if moment.tzinfo is None:
            raise ValueError("A moment needs a time zone.")
        self._moment = moment.astimezone(UTC)

    def __call__(self) -> datetime:
        return self._moment

    def advance(self, by: timedelta) -> None:
        """Move the clock; a negative `by` is a clock that was set back."""
        self._moment += by
