"""What the advertising cabinets tell about each day: first in part, then whole, then mended for days."""

from __future__ import annotations

from collections import Counter
from random import Random

from sandbox.world.lives import AD_DAY, DAY, Event
from sandbox.world.market import Quality, StillMarket

REPEAT_FACTOR = 1.25  # deals that a won client brings in all, measured
DEAL_RATE = 0.70  # leads that become a deal
VISITS_PER_NEWCOMER = 1.15  # paid visits of the same campaign
RETURN_VISITS = 1.4  # the brand and retargeting campaigns are clicked by other campaigns' people too
_NOON, _EVENING = 12 * 3600 + 300, 18 * 3600 + 300


class Spending:
    """Draws the statistics of campaigns from the day's paid visits."""

    def __init__(self, market: StillMarket, seed: int) -> None:
        self._market = market
        self._seed = seed
        self.click_price = {c.id: self._price(market.quality[c.id]) for c in market.campaigns}
        self.click_price[market.retargeting] /= RETURN_VISITS * 2
        self.click_price[market.campaigns[0].id] /= RETURN_VISITS

    @staticmethod
    def _price(quality: Quality) -> float:
        """Roubles a click such that revenue and spend meet the campaign's long-run ROMI."""
        if quality.romi is None:
            raise ValueError("free traffic has no price")
        value = quality.lead_rate * DEAL_RATE * quality.win_rate * quality.check * REPEAT_FACTOR
        return value / VISITS_PER_NEWCOMER / (1 + quality.romi)

    def of_day(self, day: int, start: int, paid_visits: list[Event], rng: Random) -> list[Event]:
        """All that will ever be told about ``day``: campaigns without a click are told too."""
        whole = Counter(visit[7] for visit in paid_visits)
        noon = Counter(visit[7] for visit in paid_visits if visit[0] < start + _NOON)
        evening = Counter(visit[7] for visit in paid_visits if visit[0] < start + _EVENING)
        events: list[Event] = []
        for campaign in self._market.campaigns:
            number = campaign.id
            price = self.click_price[number] * rng.uniform(0.9, 1.1)
            ctr = self._market.quality[number].ctr * rng.uniform(0.85, 1.15)

            def tell(second: int, clicks: int, factor: float, number: int = number,
                     price: float = price, ctr: float = ctr) -> None:  # fmt: skip
                kopecks = round(clicks * price * factor * 100)
                impressions = round(clicks / ctr) + (7 if clicks == 0 else 0)
                place = len(events)
                events.append([second, 0, place, AD_DAY, day, number, impressions, clicks, kopecks])

            clicks = _with_lost(whole[number], rng)
            tell(start + _NOON, noon[number], 1.0)
            tell(start + _EVENING, evening[number], 1.0)
            told = clicks + (rng.random() < 0.3)
            tell(start + DAY + 3 * 3600, told, rng.uniform(0.97, 1.03))
            for late, probability in ((1, 0.5), (2, 0.35), (3, 0.25)):
                if clicks and rng.random() < probability:
                    tell(start + (late + 1) * DAY - 12 * 3600, clicks, rng.uniform(0.985, 1.015))
            if clicks and rng.random() < 0.02:  # bought clicks that were found to be false are given back
                later = start + rng.randrange(5, 14) * DAY + 4 * 3600
                tell(later, max(clicks - 1, 0), rng.uniform(0.9, 0.98))
        return events


def _with_lost(visits: int, rng: Random) -> int:
    """Clicks behind so many visits: some leave before the page has counted them."""
    return visits + sum(rng.random() < 0.06 for _ in range(visits))
