"""What vendors serve adds up to what happened, and a stopped sandbox goes on as one that never stopped."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from sandbox.running import RunningWorld, WorldMismatch
from sandbox.server import Sandbox
from sandbox.truth import CampaignTotals, Truth
from sandbox.vendors import discover
from sandbox.world.stream import Plan
from tests.sandbox.served.conftest import START, VENDORS, small


def _dump(world: RunningWorld) -> dict[str, list[tuple[object, ...]]]:
    tables = [name for (name,) in world.db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {name: sorted(world.db.execute(f"SELECT * FROM {name}"), key=repr) for name in tables}  # noqa: S608


def test_a_stopped_world_goes_on_as_one_that_never_stopped(tmp_path: Path) -> None:
    plan = Plan(seed=5, calls=120, start=START, days=30)
    vendors = discover(VENDORS)
    whole = RunningWorld(tmp_path / "whole", plan, vendors)
    whole.catch_up()
    whole.advance(timedelta(days=3))
    for hours in (24 * 30, 5, 20, 47):  # 72 hours in three pieces, each by a new process
        pieces = RunningWorld(tmp_path / "pieces", plan, vendors)
        if hours < 100:
            pieces.advance(timedelta(hours=hours))
        else:
            pieces.catch_up()
        found = _dump(pieces)
        pieces.close()
    assert found == _dump(whole)
    whole.close()


def test_a_home_keeps_to_its_plan_and_its_vendors(tmp_path: Path) -> None:
    plan = Plan(seed=5, calls=10, start=START, days=5)
    RunningWorld(tmp_path, plan, discover(VENDORS)).close()
    with pytest.raises(WorldMismatch, match="another home"):
        RunningWorld(tmp_path, Plan(seed=6, calls=10, start=START, days=5), discover(VENDORS))
    with pytest.raises(WorldMismatch, match="calltouch"):
        RunningWorld(tmp_path, plan, discover(("calltouch",)))


def test_there_is_no_truth_without_a_world(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="start a sandbox"):
        Truth(tmp_path)


def test_a_live_world_moves_by_itself_at_any_speed(tmp_path: Path) -> None:
    """And a later start brings it to the present, with all that happened meanwhile."""
    settings = {"live": True, "calls": 500, "days": 10, "start": datetime.now(UTC).date() - timedelta(days=12)}
    with small(tmp_path, **settings) as sandbox:
        before, visits = sandbox.now(), _visits(sandbox)
        assert abs(before - datetime.now(UTC)) < timedelta(minutes=1)
        sandbox.set_speed(40_000)
        deadline = time.monotonic() + 20
        while _visits(sandbox) < visits + 20 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert _visits(sandbox) >= visits + 20
        assert sandbox.now() > before + timedelta(hours=1)
        reached, visits = sandbox.now(), _visits(sandbox)
    with small(tmp_path, **settings) as sandbox:
        assert sandbox.now() >= reached - timedelta(days=1), "a clock never falls back by more than a tick"
        assert _visits(sandbox) >= visits


def _visits(sandbox: Sandbox) -> int:
    with sandbox.truth() as truth:
        return truth.counts()["visit"]


def test_every_record_of_a_vendor_is_about_somebody(sandbox: Sandbox) -> None:
    with sandbox.truth() as truth:
        counts, records = truth.counts(), list(truth.records())
        requests = [r for r in records if r.entity == "request"]
        assert len(requests) == counts["form"]
        assert 0 < sum(r.entity == "call" for r in records) < counts["call"], "the office is called past Calltouch"
        for record in records[:50]:
            assert truth.person_of(record.vendor, record.entity, record.vendor_id) == record.person
        with pytest.raises(KeyError):
            truth.person_of("calltouch", "call", 1)
        assert list(truth.records("calltouch", "request")) == requests


def test_totals_of_campaigns_add_up_to_the_world(sandbox: Sandbox) -> None:
    with sandbox.truth() as truth:
        everything = truth.campaign_totals(date(2020, 1, 1), date(2030, 1, 1))
        counts = truth.counts()
        won = [deal for deal in truth.deals() if deal.outcome == "won"]
    assert sum(t.visits for t in everything) == counts["visit"]
    assert sum(t.calls for t in everything) == counts["call"]
    assert sum(t.won_deals for t in everything) == len(won)
    assert sum((t.revenue for t in everything), Decimal(0)) == sum((d.amount for d in won), Decimal(0))
    assert all(t.spend > 0 for t in everything if t.campaign is not None)
    halves = [
        half
        for start, end in ((date(2020, 1, 1), date(2026, 4, 1)), (date(2026, 4, 1), date(2030, 1, 1)))
        for half in _totals(sandbox, start, end)
    ]
    assert sum((t.spend for t in halves), Decimal(0)) == sum((t.spend for t in everything), Decimal(0))
    assert sum(t.leads for t in halves) == sum(t.leads for t in everything)


def _totals(sandbox: Sandbox, start: date, end: date) -> list[CampaignTotals]:
    with sandbox.truth() as truth:
        return truth.campaign_totals(start, end)


def test_a_deal_belongs_to_the_campaign_of_the_clients_first_ad_visit(sandbox: Sandbox) -> None:
    with sandbox.truth() as truth:
        for deal in truth.deals():
            ads = [t for t in truth.touches(deal.person) if t.campaign is not None and t.at <= deal.opened_at]
            assert deal.campaign == (ads[0].campaign if ads else None)
            assert deal.campaign in (None, truth.first_campaign_of(deal.person))
