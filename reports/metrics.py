"""Metrics as data: each formula stands here once, and is computed from sums in Python and in SQL alike.

A formula is a small expression over the additive figures of ``reports.rollups``. Ratios are taken of sums,
never averaged; a ratio with nothing below the line is None (null), never 0 or infinity.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, localcontext
from enum import StrEnum


class Unit(StrEnum):
    COUNT = "count"
    MONEY = "money"  # in the workspace's currency
    PERCENT = "percent"
    RATIO = "ratio"


Sums = Mapping[str, Decimal | int]
"""Additive figures by name."""


class Formula(ABC):
    """An expression over additive figures."""

    @abstractmethod
    def value(self, sums: Sums) -> Decimal | None:
        """What it comes to over these sums; None where nothing stands below the line."""

    @abstractmethod
    def sql(self, source: str) -> str:
        """The same over columns of the row ``source``; null where ``value`` is None."""

    @abstractmethod
    def text(self) -> str:
        """The formula as a person reads it."""

    @abstractmethod
    def figures(self) -> frozenset[str]:
        """The additive figures that it is made of."""


@dataclass(frozen=True, slots=True)
class Figure(Formula):
    """An additive figure."""

    name: str

    def value(self, sums: Sums) -> Decimal:
        return Decimal(sums[self.name])

    def sql(self, source: str) -> str:
        return f"{source}.{self.name}::numeric"

    def text(self) -> str:
        return self.name

    def figures(self) -> frozenset[str]:
        return frozenset({self.name})


@dataclass(frozen=True, slots=True)
class Less(Formula):
    """What is left of one figure after another."""

    of: Figure
    taken: Figure

    def value(self, sums: Sums) -> Decimal:
        return self.of.value(sums) - self.taken.value(sums)

    def sql(self, source: str) -> str:
        return f"({self.of.sql(source)} - {self.taken.sql(source)})"

    def text(self) -> str:
        return f"({self.of.text()} − {self.taken.text()})"

    def figures(self) -> frozenset[str]:
        return self.of.figures() | self.taken.figures()


@dataclass(frozen=True, slots=True)
class Ratio(Formula):
    """``above`` ÷ ``below``, times ``times``, rounded half away from zero to ``places``."""

    above: Figure | Less
    below: Figure
    times: int = 1
    places: int = 2

    def value(self, sums: Sums) -> Decimal | None:
        below = self.below.value(sums)
        if below == 0:
            return None
        with localcontext(prec=60):
            quotient = self.above.value(sums) * self.times / below
            return quotient.quantize(Decimal(1).scaleb(-self.places), ROUND_HALF_UP)

    def sql(self, source: str) -> str:
        above = self.above.sql(source) if self.times == 1 else f"{self.above.sql(source)} * {self.times}"
        return f"round({above} / nullif({self.below.sql(source)}, 0), {self.places})"

    def text(self) -> str:
        ratio = f"{self.above.text()} ÷ {self.below.text()}"
        return ratio if self.times == 1 else f"{ratio} × {self.times}"

    def figures(self) -> frozenset[str]:
        return self.above.figures() | self.below.figures()


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric with its meaning. ``source`` says who defines it so; ``basis`` what counts as revenue in it."""

    key: str
    name_en: str
    name_ru: str
    unit: Unit
    formula: Formula
    source: str
    meaning: str
    basis: str | None = None

    def value(self, sums: Sums) -> Decimal | None:
        return self.formula.value(sums)


WON_DEALS_BASIS = "amounts of won deals, on the day they were won, in the workspace's currency"
PAID_BASIS = "amounts of paid invoices, on the day they were paid in full, in the workspace's currency"
_USUAL = "usual in web analytics"

_cost, _impressions, _clicks, _visits = map(Figure, ("cost", "impressions", "clicks", "visits"))
_calls, _leads, _new_clients = map(Figure, ("calls", "leads", "new_clients"))
_won_deals, _revenue = map(Figure, ("won_deals", "revenue"))

_DEFINITIONS = (
    Metric(
        "cost",
        "Ad cost",
        "Расходы",
        Unit.MONEY,
        _cost,
        "the ad platform's report",
        "What the ad platform reports, newest revision, with or without VAT as it reports it.",
    ),
    Metric(
        "impressions", "Impressions", "Показы", Unit.COUNT, _impressions, "the ad platform's report", "Ads shown."
    ),
    Metric("clicks", "Clicks", "Клики", Unit.COUNT, _clicks, "the ad platform's report", "Clicks paid for."),
    Metric("visits", "Visits", "Визиты", Unit.COUNT, _visits, _USUAL, "Visits of the site, by their own origin."),
    Metric(
        "calls",
        "Calls",
        "Звонки",
        Unit.COUNT,
        _calls,
        "reports.paths",
        "Inbound calls; one that two systems tell of counts once.",
    ),
    Metric(
        "leads",
        "Leads",
        "Заявки",
        Unit.COUNT,
        _leads,
        "reports.paths",
        "First expressions of interest; one that two systems tell of counts once.",
    ),
    Metric(
        "new_clients",
        "New clients",
        "Новые клиенты",
        Unit.COUNT,
        _new_clients,
        "reports.paths",
        "Clients on the day of the first deal they ever won with us.",
    ),
    Metric("won_deals", "Won deals", "Продажи", Unit.COUNT, _won_deals, "reports.paths", "Deals on the day won."),
    Metric(
        "revenue",
        "Revenue",
        "Выручка",
        Unit.MONEY,
        _revenue,
        "reports.paths",
        "Amounts of won deals.",
        WON_DEALS_BASIS,
    ),
    Metric(
        "paid_invoices",
        "Paid invoices",
        "Оплаченные счета",
        Unit.COUNT,
        Figure("paid_invoices"),
        "reports.paths",
        "Invoices on the day they were paid in full, credited as their won deal is.",
    ),
    Metric(
        "paid_amount",
        "Paid by invoices",
        "Оплачено по счетам",
        Unit.MONEY,
        Figure("paid_amount"),
        "reports.paths",
        "Amounts of paid invoices; refunds are a figure of their own.",
        PAID_BASIS,
    ),
    Metric("ctr", "CTR", "CTR", Unit.PERCENT, Ratio(_clicks, _impressions, 100), _USUAL, "Clicks per impression."),
    Metric("cpm", "CPM", "CPM", Unit.MONEY, Ratio(_cost, _impressions, 1000), _USUAL, "Cost of 1,000 impressions."),
    Metric("cpc", "CPC", "CPC", Unit.MONEY, Ratio(_cost, _clicks), _USUAL, "Cost of a click."),
    Metric("cpl", "CPL", "CPL, стоимость заявки", Unit.MONEY, Ratio(_cost, _leads), _USUAL, "Cost of a lead."),
    Metric(
        "cost_per_call",
        "Cost per call",
        "Стоимость звонка",
        Unit.MONEY,
        Ratio(_cost, _calls),
        _USUAL,
        "Cost of an inbound call.",
    ),
    Metric(
        "cpo",
        "CPO",
        "CPO, стоимость продажи",
        Unit.MONEY,
        Ratio(_cost, _won_deals),
        _USUAL,
        "Cost of a sale (a won deal), not of an order placed.",
    ),
    Metric(
        "cac",
        "CAC",
        "CAC, стоимость нового клиента",
        Unit.MONEY,
        Ratio(_cost, _new_clients),
        _USUAL,
        "Ad cost of a new client. Salaries and other costs of sales are not in it.",
    ),
    Metric(
        "cost_share",
        "Ad cost share",
        "ДРР, доля рекламных расходов",
        Unit.PERCENT,
        Ratio(_cost, _revenue, 100),
        "botfaqtor.ru: cost ÷ revenue × 100",
        "Breaks even at the margin in percent, not at 100 %.",
        WON_DEALS_BASIS,
    ),
    Metric(
        "roas",
        "ROAS",
        "ROAS",
        Unit.RATIO,
        Ratio(_revenue, _cost, places=4),
        "revenue ÷ ad cost, the reciprocal of the ad cost share",
        "Revenue per unit of money spent on ads.",
        WON_DEALS_BASIS,
    ),
    Metric(
        "romi_revenue",
        "ROMI by revenue",
        "ROMI по выручке",
        Unit.PERCENT,
        Ratio(Less(_revenue, _cost), _cost, 100),
        "vc.ru 2613845: (revenue − cost) ÷ cost × 100; Calltouch calls it ROI (support.calltouch.ru 360002110551)",
        "Return on marketing by revenue. By margin is another metric.",
        WON_DEALS_BASIS,
    ),
    Metric(
        "visit_to_lead",
        "Conversion of visits into leads",
        "Конверсия визитов в заявки",
        Unit.PERCENT,
        Ratio(_leads, _visits, 100),
        _USUAL,
        "Leads per visit of the same campaign and days.",
    ),
    Metric(
        "visit_to_call",
        "Conversion of visits into calls",
        "Конверсия визитов в звонки",
        Unit.PERCENT,
        Ratio(_calls, _visits, 100),
        _USUAL,
        "Inbound calls per visit of the same campaign and days.",
    ),
    Metric(
        "lead_to_sale",
        "Conversion of leads into sales",
        "Конверсия заявок в продажи",
        Unit.PERCENT,
        Ratio(_won_deals, _leads, 100),
        _USUAL,
        "Won deals per lead of the same campaign and days; not of the same people.",
    ),
    Metric(
        "average_sale",
        "Average sale",
        "Средний чек",
        Unit.MONEY,
        Ratio(_revenue, _won_deals),
        _USUAL,
        "Revenue of a won deal.",
        WON_DEALS_BASIS,
    ),
)

METRICS: Mapping[str, Metric] = {metric.key: metric for metric in _DEFINITIONS}
"""All metrics by key."""
