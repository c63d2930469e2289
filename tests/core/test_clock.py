from datetime import UTC, datetime, timedelta, timezone

import pytest

from core import clock

MOMENT = datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=3)))


def test_now_is_the_systems_time_in_utc() -> None:
    before = datetime.now(UTC)
    now = clock.now()
    assert before <= now <= datetime.now(UTC)
    assert now.utcoffset() == timedelta(0)


async def test_a_replaced_clock_stands_still_until_told() -> None:
    still = clock.Clock(MOMENT)
    with clock.replaced(still):
        assert clock.now() == clock.now() == MOMENT
        assert clock.now().tzinfo is UTC
        still.advance(timedelta(days=-1))
        assert clock.now() == MOMENT - timedelta(days=1)
        with clock.replaced(clock.Clock(MOMENT)):
            assert clock.now() == MOMENT
        assert clock.now() == MOMENT - timedelta(days=1)
    assert clock.now() > datetime(2026, 4, 1, tzinfo=UTC)


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        clock.Clock(datetime(2026, 3, 1))  # noqa: DTZ001 (the point of the test)
