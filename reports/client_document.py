"""The monthly report in words: what a page of it says, in Russian and English, whatever it is printed on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from reports import charts
from reports.campaigns import CampaignRow
from reports.client_report import MOST_WORKS, ClientReport
from reports.metrics import METRICS, Metric, Unit
from reports.render import grouped, label

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LANGUAGES = ("ru", "en")
_TILES = ("cost", "visits", "calls", "leads", "won_deals", "revenue", "cpl", "romi_revenue")
_COLUMNS = ("cost", "visits", "calls", "leads", "won_deals", "revenue", "romi_revenue")
_LESS_IS_BETTER = frozenset({"cpl"})
_NEUTRAL = frozenset({"cost", "visits"})
_SHORT_RU = {"cost": "Расходы", "won_deals": "Продажи", "cpl": "Цена заявки", "romi_revenue": "ROMI"}
_SHORT_EN = {"cost": "Ad cost", "won_deals": "Won deals", "cpl": "Cost per lead", "romi_revenue": "ROMI"}
_SIGNS = {"RUB": "₽", "USD": "$", "EUR": "€"}
_MONTHS = {
    "ru": (
        *("Январь", "Февраль", "Март", "Апрель", "Май", "Июнь"),
        *("Июль", "Август", "Сентябрь", "Октябрь", "Ноябрь", "Декабрь"),
    ),
    "en": (
        *("January", "February", "March", "April", "May", "June"),
        *("July", "August", "September", "October", "November", "December"),
    ),
}
_WORDS = {
    "report": ("Отчёт о продвижении", "Marketing report"),
    "campaigns": ("Кампании", "Campaigns"),
    "campaign": ("Кампания", "Campaign"),
    "by_day": ("Расходы и выручка по дням", "Cost and revenue by day"),
    "beside": ("Расходы и выручка по кампаниям", "Cost and revenue by campaign"),
    "sales": ("Продажи месяца", "Sales of the month"),
    "day": ("Дата", "Day"),
    "deal": ("Сделка", "Deal"),
    "client": ("Клиент", "Client"),
    "amount": ("Сумма", "Amount"),
    "works": ("Что сделано", "Works done"),
    "total": ("Итого", "Total"),
    "none": ("В этом месяце ничего не отмечено.", "Nothing was noted in this month."),
    "before": ("к прошлому месяцу", "on the month before"),
    "task": ("Задача", "Task"),
    "note": ("Заметка", "Note"),
    "meeting": ("Встреча", "Meeting"),
    "message": ("Письмо или сообщение", "Message"),
    "tasks": ("задач выполнено", "tasks done"),
    "notes": ("заметок", "notes"),
    "meetings": ("встреч", "meetings"),
    "messages": ("сообщений отправлено", "messages sent"),
    "newest": ("Показаны последние {most}.", "The last {most} are shown."),
    "foot": (
        "Сделки отнесены к последнему непрямому касанию. Расходы – как их сообщают рекламные кабинеты.",
        "Deals are credited to the last touch that isn't direct. Cost is as the ad platforms report it.",
    ),
    "foot_client": (
        "Сделки отнесены к последнему непрямому касанию. Расходы – визиты клиента по средней цене визита кампании.",
        "Deals are credited to the last touch that isn't direct. Cost is the client's visits, each at the mean "
        "cost of a visit of its campaign.",
    ),
    "closed": ("Период закрыт: данные на {at}.", "The period is closed: as known on {at}."),
}


@dataclass(frozen=True, slots=True)
class Tile:
    """A figure of the month; ``good`` says whether its change is welcome."""

    name: str
    value: str
    change: str
    good: bool | None


@dataclass(frozen=True, slots=True)
class Table:
    """Text columns stand left, figures right. ``foot`` is the last row, in bold."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    text_columns: int
    foot: Sequence[str] | None = None
    empty: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """What a page says, from top to bottom."""

    language: str
    kind: str
    title: str
    month: str
    tiles: Sequence[Tile]
    change_note: str
    charts: Sequence[tuple[str, Figure]]
    campaigns: Table
    sales: Table
    works: Table
    works_note: str
    foot: str


def document(report: ClientReport, language: str, *, of_client: bool) -> Document:
    """The report in words. Raises ``ValueError`` for another language than Russian and English."""
    if language not in LANGUAGES:
        raise ValueError(f"The report is written in {' or '.join(LANGUAGES)}, not in {language!r}.")
    say = _Words(language)
    now = report.compared.totals
    campaigns = [row.row for row in report.compared.rows if any(row.now.values())]
    told = [row for row in campaigns if row.sums["cost"] or row.sums["revenue"]]
    pictures = []
    if report.by_day.rows:
        pictures.append((say["by_day"], charts.over_time(report.by_day, "", language, width=7.6)))
    if told:
        drawn = charts.by_campaign(told, report.currency, "", language, width=7.6, most=8)
        pictures.append((say["beside"], drawn))
    known = report.standing.as_known_at
    closed = "" if known is None else " " + say["closed"].format(at=f"{known:%d.%m.%Y}")
    return Document(
        language,
        say["report"],
        report.title,
        f"{_MONTHS[language][report.month.month - 1]} {report.month.year}",
        [_tile(METRICS[key], report, say) for key in _TILES],
        say["before"],
        pictures,
        Table(
            say["campaigns"],
            [say["campaign"], *(_heading(METRICS[key], say, report.currency) for key in _COLUMNS)],
            [_row(row, label(row, language)) for row in campaigns],
            1,
            _row(now.row, say["total"]),
            say["none"],
        ),
        _sales(report, say),
        _works(report, say),
        _works_note(report, say),
        say["foot_client" if of_client else "foot"] + closed,
    )


class _Words:
    """The words of one language."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._place = LANGUAGES.index(language)

    def __getitem__(self, key: str) -> str:
        return _WORDS[key][self._place]

    def metric(self, metric: Metric) -> str:
        short: Mapping[str, str] = _SHORT_RU if self.language == "ru" else _SHORT_EN
        return short.get(metric.key) or (metric.name_ru if self.language == "ru" else metric.name_en)


def _tile(metric: Metric, report: ClientReport, say: _Words) -> Tile:
    change = report.compared.totals.change(metric)
    if change.percent is None:
        return Tile(say.metric(metric), _written(metric, change.now, report.currency), "", None)
    grows = change.percent > 0
    good = None if metric.key in _NEUTRAL or not change.percent else grows != (metric.key in _LESS_IS_BETTER)
    sign = "+" if grows else ""
    said = f"{sign}{grouped(change.percent, 0)} %"
    if metric.unit is Unit.PERCENT and change.difference is not None:
        sign = "+" if change.difference > 0 else ""
        said = f"{sign}{grouped(change.difference, 0)} " + ("п. п." if say.language == "ru" else "pp")
        good = None if not change.difference else change.difference > 0
    return Tile(say.metric(metric), _written(metric, change.now, report.currency), said, good)


def _row(row: CampaignRow, name: str) -> list[str]:
    return [name, *(_written(METRICS[key], METRICS[key].value(row.sums), None) for key in _COLUMNS)]


def _written(metric: Metric, value: Decimal | None, currency: str | None) -> str:
    if value is None:
        return "–"
    if metric.unit is Unit.PERCENT:
        return f"{grouped(value, 0)} %"
    money = metric.unit is Unit.MONEY and currency is not None
    return grouped(value, 0) + (f" {_SIGNS.get(currency or '', currency)}" if money else "")


def _heading(metric: Metric, say: _Words, currency: str) -> str:
    sign = f", {_SIGNS.get(currency, currency)}" if metric.unit is Unit.MONEY else ""
    return say.metric(metric) + sign


def _sales(report: ClientReport, say: _Words) -> Table:
    rows = [
        [
            _day(sale.day),
            sale.title or "–",
            sale.client or "–",
            sale.campaign or "–",
            f"{grouped(sale.amount, 0)} {_SIGNS.get(sale.currency, sale.currency)}",
        ]
        for sale in report.sales
    ]
    head = [say["day"], say["deal"], say["client"], say["campaign"], say["amount"]]
    return Table(say["sales"], head, rows, 4, empty=say["none"])


def _works(report: ClientReport, say: _Words) -> Table:
    rows = [
        [_day(work.at.date()), say[work.kind], " ".join(work.title.split()), work.client or ""]
        for work in report.works
    ]
    head = [say["day"], "", "", say["client"]]
    return Table(say["works"], head, rows, 4, empty=say["none"])


def _works_note(report: ClientReport, say: _Words) -> str:
    counted = ", ".join(
        f"{report.work_counts[kind]} {say[f'{kind}s']}"
        for kind in ("task", "meeting", "note", "message")
        if report.work_counts.get(kind)
    )
    many = sum(report.work_counts.values()) > MOST_WORKS
    return counted + (f". {say['newest'].format(most=MOST_WORKS)}" if many else "")


def _day(day: date) -> str:
    return f"{day:%d.%m}"
