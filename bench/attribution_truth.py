"""How right attribution is: won deals of a synced sandbox against the truth of its world.

    python bench/attribution_truth.py SANDBOX_HOME DATABASE_URL

For each won deal that both know: is it credited as its client's true visits demand? *Same model*: the last visit
that wasn't direct, within the window before the deal was won, over the person's true visits. *First ad*: the ad
that first brought the person, which is what the world holds for the cause. Shares are of revenue. What isn't
right is told by how it is wrong.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import psycopg

from sandbox.truth import Touch, Truth

_DEAL_ENTITIES = {("bitrix24", "deal"), ("amocrm", "lead")}  # amoCRM calls its deals leads
_DEALS = """
select n.connector, d.source_id, p.occurred_at, p.revenue, p.window_days, nullif(p.reason, ''), k.external_id
from path p
join deal d on d.workspace_id = p.workspace_id and d.id = p.record_id
join connection n on n.workspace_id = d.workspace_id and n.id = d.connection_id
left join campaign k on k.workspace_id = p.workspace_id and k.id = p.campaign_id
where p.kind = 'won_deal' and p.known_until is null
"""


@dataclass(frozen=True, slots=True)
class Judged:
    """A won deal: what it is credited to here, and what the truth says by each of two models."""

    revenue: Decimal
    credited: str | None
    reason: str | None
    same_model: str | None
    first_ad: str | None


def last_non_direct(touches: Iterable[Touch], at: datetime, window: timedelta) -> str | None:
    """The campaign that the true visits give by the rollups' model; None where it has none."""
    near = [touch for touch in touches if at - window <= touch.at <= at]
    speaking = [touch for touch in near if touch.campaign is not None or "direct" not in touch.source]
    return str(speaking[-1].campaign) if speaking and speaking[-1].campaign is not None else None


def judged(home: Path, url: str) -> list[Judged]:
    """All won deals that are both in the database and in the truth."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(_DEALS).fetchall()
    found = []
    with Truth(home) as truth:
        origin = {
            (r.vendor, r.vendor_id): r.origin for r in truth.records() if (r.vendor, r.entity) in _DEAL_ENTITIES
        }
        deals = {deal.deal: deal for deal in truth.deals()}
        for connector, source_id, at, revenue, window, reason, campaign in rows:
            deal = deals.get(origin.get((connector, source_id), -1))
            if deal is None:
                continue
            same = last_non_direct(truth.touches(deal.person), at, timedelta(days=window))
            first = None if deal.campaign is None else str(deal.campaign)
            found.append(Judged(revenue, campaign, reason, same, first))
    return found


def outcome(credited: str | None, right: str | None, reason: str | None) -> str:
    """How a credit compares with the right one."""
    if credited == right:
        return "right"
    if credited is None:
        return f"an ad brought it, but: {reason}"
    return "no ad brought it, but a campaign has it" if right is None else "another campaign has it"


def main() -> int:
    if len(sys.argv) != 3:
        print(__doc__)
        return 2
    deals = judged(Path(sys.argv[1]), sys.argv[2])
    revenue = sum((deal.revenue for deal in deals), Decimal(0))
    if not revenue:
        print("No won deal is both in this database and in this sandbox's truth.")
        return 1
    print(f"{len(deals)} won deals, revenue {revenue:,.2f}")
    for model in ("same_model", "first_ad"):
        shares: Counter[str] = Counter()
        for deal in deals:
            shares[outcome(deal.credited, getattr(deal, model), deal.reason)] += int(deal.revenue * 100)
        print(f"against {model.replace('_', ' ')}:")
        for what, kopecks in shares.most_common():
            print(f"  {kopecks / float(revenue):6.2f} %  {what}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
