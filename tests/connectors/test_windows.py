"""Windows of days: each day of a run exactly once, whatever the beginning, the cursor and the length."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from connectors.contract import Cursor, Start
from connectors.windows import Window

MOSCOW = ZoneInfo("Europe/Moscow")
EPOCH = datetime(2026, 1, 1, 20, 30, tzinfo=UTC)
moments = st.integers(0, 24 * 400).map(lambda hours: EPOCH + timedelta(hours=hours))


def windows(start: Start, days: int, reread_days: int) -> list[Window]:
    found = []
    window = Window.opening(start, days=days, reread_days=reread_days, zone=MOSCOW)
    while window is not None:
        found.append(Window.at(json.loads(json.dumps(window.position()))))
        window = found[-1].following(days)
    return found


def begin(since: datetime, now: datetime, cursor: Cursor | None = None) -> Start:
    return Start(cursor=cursor, now=now, since=since, run_id=UUID(int=1))


@given(since=moments, now=moments, days=st.integers(1, 40))
def test_a_first_run_reads_every_day_once(since: datetime, now: datetime, days: int) -> None:
    first, today = since.astimezone(MOSCOW).date(), now.astimezone(MOSCOW).date()
    found = windows(begin(since, now), days, 10)
    read = [window.first + timedelta(days=n) for window in found for n in range(window.days)]
    assert read == [first + timedelta(days=n) for n in range((today - first).days + 1)]
    assert all(window.days <= days for window in found)
    shares = [window.done() for window in found]
    assert shares == sorted(shares)
    assert shares[-1:] in ([], [1.0])


@given(
    since=moments, pause=st.integers(0, 24 * 60), now=moments, reread=st.integers(0, 40), stop=st.integers(0, 20)
)
def test_a_later_run_leaves_no_day_out(since: datetime, pause: int, now: datetime, reread: int, stop: int) -> None:
    """However far the run before came, the days after its last window and ``reread`` before are read."""
    done = windows(begin(since, now), 7, reread)[: stop + 1]
    later = now + timedelta(hours=pause)
    if not done:
        return
    found = windows(begin(since, later, done[-1].cursor()), 7, reread)
    expected = max(since.astimezone(MOSCOW).date(), done[-1].last - timedelta(days=reread))
    assert found[0].first == expected
    assert found[-1].last == later.astimezone(MOSCOW).date()


@given(since=moments, now=moments, earlier=st.integers(1, 300))
def test_an_earlier_beginning_reads_what_is_missing(since: datetime, now: datetime, earlier: int) -> None:
    before = windows(begin(since, now), 30, 10)
    if not before:
        return
    wished = since - timedelta(days=earlier)
    found = windows(begin(wished, now, before[-1].cursor()), 30, 10)
    assert found[0].first == wished.astimezone(MOSCOW).date()
    # from then on the wish is fulfilled
    again = windows(begin(wished, now, found[-1].cursor()), 30, 10)
    assert again[0].first >= max(found[0].first, again[0].run_last - timedelta(days=10))


def test_what_the_vendor_no_longer_keeps_is_not_asked_for() -> None:
    start = begin(EPOCH - timedelta(days=4000), EPOCH)
    earliest = (EPOCH - timedelta(days=20)).date()
    window = Window.opening(start, days=30, reread_days=10, zone=MOSCOW, earliest=earliest)
    assert window is not None
    assert window.first == earliest
