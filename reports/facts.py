"""Figures of what has no path of its own: deals that weren't won, money, and what campaigns cost in full.

They are counted at the moment of asking. A deal or a payment counts where its client's last call, lead or sale
before it counts (a payment: where the invoice or the won deal does that it is for); without any, by its own origin.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from reports.conversions import CONVERSIONS, Conversion
from reports.details import DETAIL_METRICS
from reports.formulas import Combined, Number, Rounded
from reports.fraud import FRAUD
from reports.metrics import METRICS, Figure, Formula, Less, Metric, Ratio, Unit

COSTS = ("cost_net", "cost_vat", "agency_fee", "manual_cost")
DEALS = ("deals", "open_deals", "dated_deals", "open_days", "lost_deals", "lost_amount")
MONEY = ("payments", "refunds")
GOODS = ("costed_revenue", "cost_of_goods")

_RULES = "the cost rules of the workspace"
_HERE = "reports.facts"
_USUAL = "usual in web analytics"
_GOODS_BASIS = "amounts of won deals whose cost of goods is known, in the workspace's currency"
_figure = {
    name: Figure(name)
    for name in (
        *COSTS,
        *DEALS,
        *MONEY,
        *GOODS,
        *FRAUD,
        "clicks",
        "cost",
        "revenue",
        "leads",
        "won_deals",
        "new_clients",
        "visits",
    )
}
_figure["qualified_leads"] = Figure("qualified_leads")
_net, _fee, _manual = _figure["cost_net"], _figure["agency_fee"], _figure["manual_cost"]
_full = Combined("+", Combined("+", _net, _fee), _manual)
_profit = Combined("-", _figure["costed_revenue"], _figure["cost_of_goods"])


def _money(key: str, name_en: str, name_ru: str, source: str, meaning: str, basis: str | None = None) -> Metric:
    return Metric(key, name_en, name_ru, Unit.MONEY, _figure[key], source, meaning, basis)


def _count(key: str, name_en: str, name_ru: str, meaning: str) -> Metric:
    return Metric(key, name_en, name_ru, Unit.COUNT, _figure[key], _HERE, meaning)


def _percent(above: Formula, below: Formula) -> Formula:
    return Rounded(Combined("*", Combined("/", above, below), Number(Decimal(100))), 2)


_DEFINITIONS = (
    _money("cost_net", "Ad cost without VAT", "Расходы без НДС", _RULES, "Ad cost less the VAT that is in it."),
    _money("cost_vat", "Ad cost with VAT", "Расходы с НДС", _RULES, "Ad cost with VAT on it."),
    _money("agency_fee", "Agency fee", "Комиссия агентства", _RULES, "Fee on the ad cost without VAT."),
    _money(
        "manual_cost", "Costs by hand", "Расходы, внесённые вручную", _RULES, "Costs that no ad platform reports."
    ),
    Metric(
        "full_cost",
        "Full marketing cost",
        "Полные расходы на маркетинг",
        Unit.MONEY,
        Rounded(_full, 2),
        _HERE,
        "Ad cost without VAT, agency fee and costs by hand.",
    ),
    Metric(
        "cac_full",
        "CAC, full",
        "CAC с комиссией и прочими расходами",
        Unit.MONEY,
        Rounded(Combined("/", _full, _figure["new_clients"]), 2),
        "(ad cost + marketing cost) ÷ new clients",
        "Full marketing cost of a new client.",
    ),
    _count(
        "fraud_clicks",
        "Fraudulent clicks",
        "Скликивание, клики",
        "Clicks that a service for protection from click fraud judged to be no people's.",
    ),
    _money(
        "fraud_cost",
        "Spent on fraudulent clicks",
        "Потеряно на скликивании",
        "the service's verdicts and the ad platform's report",
        "What these clicks cost: as the service tells, else by the average cost of the campaign's clicks that day.",
    ),
    Metric(
        "fraud_share",
        "Fraudulent clicks, share",
        "Доля скликивания",
        Unit.PERCENT,
        Ratio(_figure["fraud_clicks"], _figure["clicks"], 100),
        _HERE,
        "Of the clicks paid for. Clicks that the ad platform has given back since are in the former only.",
    ),
    _count(
        "qualified_leads",
        "Qualified leads",
        "Квалифицированные заявки",
        CONVERSIONS[Conversion.QUALIFIED_LEAD].meaning,
    ),
    Metric(
        "cost_per_qualified_lead",
        "Cost per qualified lead",
        "Стоимость квалифицированной заявки",
        Unit.MONEY,
        Ratio(_figure["cost"], _figure["qualified_leads"]),
        _USUAL,
        "Ad cost of a qualified lead.",
    ),
    Metric(
        "lead_to_qualified",
        "Leads qualified, share",
        "Доля квалифицированных заявок",
        Unit.PERCENT,
        Ratio(_figure["qualified_leads"], _figure["leads"], 100),
        _USUAL,
        "Of the leads, those of which a deal came.",
    ),
    _count(
        "deals", "Deals opened", "Создано сделок", "Deals on the day they were opened, whatever became of them."
    ),
    _count("open_deals", "Deals still open", "Сделки в работе", "Of the deals opened, those that are still open."),
    _count("lost_deals", "Lost deals", "Проигранные сделки", "Deals on the day they were lost."),
    _money(
        "lost_amount",
        "Amount of lost deals",
        "Сумма проигранных сделок",
        _HERE,
        "What lost deals would have brought.",
    ),
    Metric(
        "win_rate",
        "Win rate",
        "Доля выигранных сделок",
        Unit.PERCENT,
        _percent(_figure["won_deals"], Combined("+", _figure["won_deals"], _figure["lost_deals"])),
        _USUAL,
        "Won deals of all that were closed.",
    ),
    Metric(
        "deal_to_sale",
        "Deals into sales",
        "Сделки в продажи",
        Unit.PERCENT,
        Ratio(_figure["won_deals"], _figure["deals"], 100),
        _USUAL,
        "Of the same campaign and days, not of the same deals.",
    ),
    Metric(
        "lead_to_deal",
        "Leads into deals",
        "Заявки в сделки",
        Unit.PERCENT,
        Ratio(_figure["deals"], _figure["leads"], 100),
        _USUAL,
        "Of the same campaign and days, not of the same people.",
    ),
    Metric(
        "days_to_deal",
        "Days to deal",
        "Дней до сделки",
        Unit.RATIO,
        Ratio(_figure["open_days"], _figure["dated_deals"]),
        _HERE,
        "From first touch to deal opened, of all deals opened whose client had touched us before.",
    ),
    _money(
        "cost_of_goods", "Cost of goods", "Себестоимость", "the shop's orders", "Of won deals whose order tells it."
    ),
    Metric(
        "gross_profit",
        "Gross profit",
        "Валовая прибыль",
        Unit.MONEY,
        Rounded(_profit, 2),
        "revenue − cost of goods",
        "Of won deals whose cost of goods is known; others add nothing.",
        _GOODS_BASIS,
    ),
    Metric(
        "romi_margin",
        "ROMI by margin",
        "ROMI по марже",
        Unit.PERCENT,
        _percent(Combined("-", _profit, _figure["cost"]), _figure["cost"]),
        "billboard-s.ru: (gross margin − marketing cost) ÷ marketing cost × 100",
        "Return on marketing by the margin of sales whose cost of goods is known. By revenue is another metric.",
        _GOODS_BASIS,
    ),
    _money("payments", "Payments", "Платежи", _HERE, "Money that came from clients."),
    _money("refunds", "Refunds", "Возвраты", _HERE, "Money that went back to clients."),
    Metric(
        "net_payments",
        "Payments less refunds",
        "Платежи за вычетом возвратов",
        Unit.MONEY,
        Less(_figure["payments"], _figure["refunds"]),
        _HERE,
        "Money that came from clients and stayed.",
    ),
)

FACT_METRICS: Mapping[str, Metric] = {metric.key: metric for metric in _DEFINITIONS}
ALL_METRICS: Mapping[str, Metric] = {**METRICS, **DETAIL_METRICS, **FACT_METRICS}
"""All metrics that reports know, by key; workspaces add their own (``reports.formulas``)."""

_BEFORE = """
left join lateral (
    select p.* from path p
    where p.workspace_id = r.workspace_id and p.client_id = r.client_id
    and coalesce(p.known_until, 'infinity') = 'infinity' and p.occurred_at <= {at} + interval '1 minute'
    and ({invoice}) order by {first} p.occurred_at desc, p.kind, p.conversion_id limit 1
) p on true"""
_DAY = "({at} at time zone %(report_zone)s)::date"


def of_client(at: str, deal: str | None = None, invoice: str | None = None) -> str:
    """SQL that joins to the record ``r`` the path ``p`` by which it counts: that of ``invoice`` if it was paid, or
    of ``deal`` if it was won, else the client's last before ``at``. What the client paid for other things tells
    nothing of it."""
    first, paid = "", "p.kind <> 'paid_invoice'"
    if deal is not None:
        first = f"(p.kind = 'won_deal' and p.record_id = {deal}) desc nulls last,"
    if invoice is not None:
        paid += f" or p.record_id = {invoice}"
        first = f"(p.kind = 'paid_invoice') desc, {first}"
    return _BEFORE.format(at=at, first=first, invoice=paid)


def day_of(at: str) -> str:
    """The day of reports in which a moment lies, as SQL."""
    return _DAY.format(at=at)


RATES = """
left join lateral (
    select c.percent from cost_rule c
    where c.workspace_id = a.workspace_id and c.kind = 'vat' and coalesce(c.platform, k.platform) = k.platform
    and c.valid_from <= a.day and coalesce(c.valid_to, 'infinity') >= a.day
    order by c.platform is null, c.valid_from desc, c.created_at desc limit 1
) vat on true
left join lateral (
    select c.percent from cost_rule c
    where c.workspace_id = a.workspace_id and c.kind = 'fee' and coalesce(c.platform, k.platform) = k.platform
    and c.valid_from <= a.day and coalesce(c.valid_to, 'infinity') >= a.day
    order by c.platform is null, c.valid_from desc, c.created_at desc limit 1
) fee on true"""
"""SQL that joins to a day's spend ``a`` of a campaign ``k`` the rates that hold: of its platform before those of
all, the newest first. Without a rule the VAT is 0, so that the cost is as reported."""
NET = "round(case when a.vat_included then a.cost / (1 + coalesce(vat.percent, 0) / 100) else a.cost end, 2)"
GROSS = "round(case when a.vat_included then a.cost else a.cost * (1 + coalesce(vat.percent, 0) / 100) end, 2)"
FEE = f"round({NET} * coalesce(fee.percent, 0) / 100, 2)"
