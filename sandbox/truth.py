"""What really happened in a sandbox's world, for tests and the demo. No emulator serves any of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

from sandbox.running import open_to_read, read_plan
from sandbox.world.happenings import Person
from sandbox.world.lives import DAY, MSK
from sandbox.world.market import StillMarket


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a vendor: ``person`` is whom it is about (None for a firm's), ``origin`` the world's id of
    the call, form, card, deal or firm that it was made from. One person's records share ``person``."""

    vendor: str
    entity: str
    vendor_id: str
    person: int | None
    origin: int


@dataclass(frozen=True, slots=True)
class CampaignTotals:
    """True figures of one campaign (``campaign`` None: clients whom no ad brought) within a period.

    ``spend`` is without VAT, after all restatements told so far. ``clicks`` are the cabinet's, ``visits`` those
    that came by this campaign's ads. All the rest belongs to the people whose **first** ad visit was of
    this campaign: ``calls`` inbound and outbound, ``leads`` people whose first call or form fell into the
    period, ``new_clients`` people whose first won deal did, ``won_deals`` and ``revenue`` deals won in it.
    """

    campaign: int | None
    name: str
    impressions: int
    clicks: int
    spend: Decimal
    visits: int
    calls: int
    leads: int
    new_clients: int
    won_deals: int
    revenue: Decimal


@dataclass(frozen=True, slots=True)
class Touch:
    """One visit of a person: through an ad when ``campaign`` is set."""

    visit: int
    at: datetime
    campaign: int | None
    source: str
    medium: str


@dataclass(frozen=True, slots=True)
class DealTruth:
    """One deal; ``campaign`` is that of the client's first ad visit, ``outcome`` 'won', 'lost' or None (open)."""

    deal: int
    person: int
    crm: str
    campaign: int | None
    opened_at: datetime
    closed_at: datetime | None
    outcome: str | None
    amount: Decimal


class Truth:
    """Reads the truth of the world kept in the directory ``home``, also while a sandbox runs on it."""

    def __init__(self, home: Path) -> None:
        self._db = open_to_read(home)
        self.plan = read_plan(self._db)
        self.market = StillMarket(self.plan.seed)

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> Truth:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def person_of(self, vendor: str, entity: str, vendor_id: str | int) -> int | None:
        """Whom this record is about; None for a firm's. KeyError for a record that no happening made."""
        row = self._db.execute(
            "SELECT person FROM truth_record WHERE vendor = ? AND entity = ? AND vendor_id = ?",
            (vendor, entity, str(vendor_id)),
        ).fetchone()
        if row is None:
            raise KeyError(f"{vendor} {entity} {vendor_id}")
        person: int | None = row[0]
        return person

    def records(self, vendor: str | None = None, entity: str | None = None) -> Iterator[Record]:
        """All records, or those of one vendor or entity, in the order (vendor, entity, id)."""
        rows = self._db.execute(
            "SELECT * FROM truth_record WHERE ? IN (vendor, '') AND ? IN (entity, '')",
            (vendor or "", entity or ""),
        )
        return (Record(*row) for row in rows)

    def person(self, person_id: int) -> Person:
        """The details of a person: names, phones, e-mails, cookies, firm."""
        return self.market.person(person_id)

    def first_campaign_of(self, person_id: int) -> int | None:
        """The campaign of a person's first visit through an ad; None if all his visits were free."""
        row = self._db.execute("SELECT first_campaign FROM truth_person WHERE person = ?", (person_id,)).fetchone()
        return row[0] if row else None

    def touches(self, person_id: int) -> list[Touch]:
        """All visits of a person in the order of time."""
        rows = self._db.execute(
            "SELECT visit, at, campaign, source, medium FROM truth_visit WHERE person = ? ORDER BY at, visit",
            (person_id,),
        )
        return [Touch(visit, _instant(at), campaign, *rest) for visit, at, campaign, *rest in rows]

    def deals(self) -> Iterator[DealTruth]:
        """All deals in the order of their ids."""
        rows = self._db.execute(
            "SELECT deal, person, crm, campaign, opened_at, closed_at, outcome, amount FROM truth_deal"
            " ORDER BY deal"
        )
        for deal, person, crm, campaign, opened, closed, outcome, amount in rows:
            ended = None if closed is None else _instant(closed)
            yield DealTruth(deal, person, crm, campaign, _instant(opened), ended, outcome, _roubles(amount))

    def counts(self) -> dict[str, int]:
        """How many visits, calls, forms, cards, deals and people the world has had so far."""
        tables = ("person", "visit", "call", "form", "card", "deal")
        return {
            table: self._db.execute(f"SELECT count(*) FROM truth_{table}").fetchone()[0]  # noqa: S608 - fixed names
            for table in tables
        }

    def campaign_totals(self, start: date, end: date) -> list[CampaignTotals]:
        """True figures of the Moscow days from ``start`` to ``end``, the end left out; one row a campaign, and
        one for the people whom no ad brought."""
        period = {"from": _midnight(start), "to": _midnight(end), "start": str(start), "end": str(end)}
        figures = {name: dict(self._db.execute(query, period)) for name, query in _FIGURES.items()}
        ads = {row[0]: row[1:] for row in self._db.execute(_AD_TOTALS, period)}
        names: dict[int | None, str] = {c.id: c.name for c in self.market.campaigns}
        names[None] = "(no ad)"
        totals = []
        for campaign, name in names.items():
            impressions, clicks, cost = ads.get(campaign, (0, 0, 0))
            counted = {key: found.get(campaign, 0) for key, found in figures.items()}
            revenue = _roubles(counted.pop("revenue"))
            totals.append(
                CampaignTotals(campaign, name, impressions, clicks, _roubles(cost), revenue=revenue, **counted)
            )
        return totals


_FIGURES = {
    "visits": "SELECT campaign, count(*) FROM truth_visit WHERE at >= :from AND at < :to GROUP BY 1",
    "calls": "SELECT first_campaign, count(*) FROM truth_call JOIN truth_person USING (person)"
    " WHERE at >= :from AND at < :to GROUP BY 1",
    "leads": "SELECT first_campaign, count(*) FROM truth_person"
    " WHERE lead_at >= :from AND lead_at < :to GROUP BY 1",
    "new_clients": "SELECT first_campaign, count(*) FROM truth_person"
    " WHERE client_at >= :from AND client_at < :to GROUP BY 1",
    "won_deals": "SELECT campaign, count(*) FROM truth_deal"
    " WHERE outcome = 'won' AND closed_at >= :from AND closed_at < :to GROUP BY 1",
    "revenue": "SELECT campaign, sum(amount) FROM truth_deal"
    " WHERE outcome = 'won' AND closed_at >= :from AND closed_at < :to GROUP BY 1",
}
# SQLite gives the bare columns of the row that holds max(told_at).
_AD_TOTALS = """
SELECT campaign, sum(impressions), sum(clicks), sum(cost) FROM (
  SELECT day, campaign, max(told_at), impressions, clicks, cost FROM truth_ad_day
  WHERE day >= :start AND day < :end GROUP BY day, campaign
) GROUP BY campaign
"""


def _midnight(day: date) -> int:
    return (day.toordinal() - date(1970, 1, 1).toordinal()) * DAY - MSK


def _instant(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)


def _roubles(kopecks: int) -> Decimal:
    return Decimal(kopecks).scaleb(-2)
