"""One report: what may be asked, and the table that answers it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from sqlite3 import Connection
from typing import Any

from sandbox.vendors.contract import Market
from sandbox.vendors.yandex_direct.errors import DirectError
from sandbox.vendors.yandex_direct.statistics import DETAILS, Cell, Numbers, cells
from sandbox.vendors.yandex_direct.store import GOAL_CALL, GOAL_FORM

VAT = Decimal("0.22")  # the rate of the advertiser, see Clients.get VatRate
NO_VALUE = "--"
GROUPING = {
    "ACCOUNT_PERFORMANCE_REPORT": (),
    "CAMPAIGN_PERFORMANCE_REPORT": ("CampaignId",),
    "ADGROUP_PERFORMANCE_REPORT": ("AdGroupId",),
    "AD_PERFORMANCE_REPORT": ("AdId",),
    "CRITERIA_PERFORMANCE_REPORT": ("AdGroupId", "CriterionId"),
    "CUSTOM_REPORT": (),
}
MODELS = ("AUTO", "LSCCD", "LC", "FCCD")
OUTDATED_MODELS = ("FC", "LSC", "LYDC", "LYDCCD")
PERIODS = ("Date", "Week", "Month", "Quarter", "Year")
SEGMENTS = {*PERIODS, *DETAILS, "CampaignId", "CampaignName", "CampaignType", "ClientLogin"}
COUNTERS = {"Impressions": "impressions", "Clicks": "clicks", "Sessions": "sessions", "Bounces": "bounces"}
GOAL_FIELDS = ("Conversions", "ConversionRate", "CostPerConversion", "Revenue")
METRICS = {*COUNTERS, "Cost", "Ctr", "AvgCpc", "BounceRate", *GOAL_FIELDS}
MONEY = {"Cost", "AvgCpc", "CostPerConversion", "Revenue"}
FILTERS = {"CampaignId", "CampaignType", "AdNetworkType", "AdGroupId", "AdId", "CriterionId", "Device"}
OLDEST_YEARS = 3
Value = Decimal | int | str | None


@dataclass(frozen=True, slots=True)
class Table:
    """A finished report. Money is roubles in ``Decimal``; None is "no value"."""

    name: str
    first: date
    last: date
    columns: list[str]
    rows: list[list[Value]]

    def tsv(self, *, micros: bool, header: bool, names: bool, summary: bool) -> str:
        """The text of the report in the form that the request's headers ask for."""
        lines = [f'"{self.name} ({self.first} - {self.last})"'] if header else []
        if names:
            lines.append("\t".join(self.columns))
        money = [micros and name.split("_")[0] in MONEY for name in self.columns]
        lines += ["\t".join(map(_text, row, money)) for row in self.rows]
        if summary:
            lines.append(f"Total rows: {len(self.rows)}")
        return "".join(line + "\n" for line in lines)


def _text(value: Value, micros: bool) -> str:
    if value is None:
        return NO_VALUE
    if isinstance(value, Decimal) and micros:
        return str(int(value * 1_000_000))
    return str(value)


class Report:
    """A checked order of a report. ``unsettled`` is the first day whose statistics were told again lately.
    Raises `DirectError` 8000 for what Reports refuses."""

    def __init__(self, params: dict[str, Any], today: date, unsettled: date) -> None:
        self.name = str(_need(params, "ReportName"))
        self._type = _one_of(params, "ReportType", GROUPING)
        _one_of(params, "Format", ("TSV",))
        self._vat = _one_of(params, "IncludeVAT", ("YES", "NO")) == "YES"
        self._fields = _need(params, "FieldNames")
        self._goals = [str(goal) for goal in params.get("Goals", [])]
        self._models = params.get("AttributionModels") or ["LC"]
        self._page = params.get("Page")
        self._order = params.get("OrderBy", [])
        criteria = _need(params, "SelectionCriteria")
        self._filters = criteria.get("Filter", [])
        self._check()
        self.first, self.last = period(_need(params, "DateRangeType"), criteria, today, unsettled)
        if self.first.year < today.year - OLDEST_YEARS:
            raise DirectError(8000, f"Статистика доступна за последние {OLDEST_YEARS} года")

    def _check(self) -> None:
        known = SEGMENTS | METRICS
        for field in self._fields:
            if field in ("Keyword", "MatchedKeyword"):
                raise DirectError(8000, f"Поле {field} нельзя выводить")
            if field not in known:
                raise DirectError(8000, f"Неизвестное поле {field} в FieldNames")
        if len(set(self._fields) & set(PERIODS)) > 1:
            raise DirectError(8000, "Допустимо только одно из полей Date, Week, Month, Quarter, Year")
        if self._type.startswith("ACCOUNT") and {"CampaignName", "CampaignType"} & set(self._fields):
            raise DirectError(8000, "Поле CampaignName недопустимо в ACCOUNT_PERFORMANCE_REPORT")
        if len(self._goals) > 10:
            raise DirectError(8000, "Не больше 10 целей в Goals")
        for model in self._models:
            if model in OUTDATED_MODELS or model not in MODELS:
                raise DirectError(8000, f"Модель атрибуции {model} не поддерживается")
        for condition in self._filters:
            if condition.get("Field") not in FILTERS | {"Impressions", "Clicks", "Cost"}:
                raise DirectError(8000, f"По полю {condition.get('Field')} нельзя фильтровать")
            if condition.get("Operator") not in _OPERATORS:
                raise DirectError(8000, f"Неверный оператор {condition.get('Operator')}")

    # --- the table ----------------------------------------------------------------------------

    def build(self, db: Connection, market: Market, login: str) -> Table:
        """The report as the numbers stand now."""
        segments = [field for field in self._fields if field in SEGMENTS]
        key_fields = list(dict.fromkeys([*segments, *GROUPING[self._type]]))
        used = {*key_fields, *(condition["Field"] for condition in self._filters)}
        sums: dict[tuple[Any, ...], Numbers] = {}
        for cell in cells(db, market, self.first, self.last, bool(used & DETAILS)):
            if not all(_passes(cell, condition) for condition in self._filters):
                continue
            key = tuple(self._segment(cell, field, login) for field in key_fields)
            sums.setdefault(key, Numbers()).add(cell.numbers)
        found = [(dict(zip(key_fields, key, strict=True)), numbers) for key, numbers in sums.items()]
        found = [pair for pair in found if all(_sum_passes(pair[1], c) for c in self._filters)]
        for order in reversed(self._order):
            field, down = order.get("Field"), order.get("SortOrder") == "DESCENDING"
            found.sort(key=lambda pair: _sortable(self._value(pair, field)), reverse=down)
        if self._page:
            offset = int(self._page.get("Offset", 0))
            found = found[offset : offset + int(self._page["Limit"])]
        makers = self._columns()
        rows = [[make(pair) for _, make in makers] for pair in found]
        return Table(self.name, self.first, self.last, [name for name, _ in makers], rows)

    @staticmethod
    def _segment(cell: Cell, field: str, login: str) -> Any:
        if field == "ClientLogin":
            return login
        if field in PERIODS:
            return _period_start(date.fromisoformat(cell.segments["Date"]), field)
        return cell.segments[field]

    def _columns(self) -> list[tuple[str, Callable[[tuple[dict[str, Any], Numbers]], Value]]]:
        """Names and makers of the columns; with goals the goal fields stand once a goal and model."""
        columns: list[tuple[str, Callable[[tuple[dict[str, Any], Numbers]], Value]]] = []
        for field in self._fields:
            if self._goals and field in GOAL_FIELDS:
                columns += [
                    (f"{field}_{goal}_{model}", self._maker(field, (goal,)))
                    for goal in self._goals
                    for model in self._models
                ]
            else:
                columns.append((field, self._maker(field, (str(GOAL_CALL), str(GOAL_FORM)))))
        return columns

    def _maker(self, field: str, goals: tuple[str, ...]) -> Callable[[tuple[dict[str, Any], Numbers]], Value]:
        return lambda pair: self._value(pair, field, goals)

    def _value(
        self,
        pair: tuple[dict[str, Any], Numbers],
        field: str,
        goals: tuple[str, ...] = (str(GOAL_CALL), str(GOAL_FORM)),
    ) -> Value:
        segments, numbers = pair
        if field in segments:
            value: Value = segments[field]
            return value
        if field in COUNTERS:
            counted: int = getattr(numbers, COUNTERS[field])
            return counted
        reached = sum(
            (numbers.calls if goal == str(GOAL_CALL) else numbers.forms if goal == str(GOAL_FORM) else 0)
            for goal in goals
        )
        cost = self._money(numbers.cost)
        match field:
            case "Cost":
                return cost if numbers.clicks else None
            case "Ctr":
                return _ratio(100 * numbers.clicks, numbers.impressions)
            case "AvgCpc":
                return _ratio(cost, numbers.clicks)
            case "BounceRate":
                return _ratio(100 * numbers.bounces, numbers.sessions)
            case "Conversions":
                return reached if numbers.sessions else None
            case "ConversionRate":
                return _ratio(100 * reached, numbers.clicks)
            case "CostPerConversion":
                return _ratio(cost, reached)
            case "Revenue":
                return None  # no goal of this account carries money
        raise DirectError(8000, f"По полю {field} нельзя сортировать")

    def _money(self, kopecks: int) -> Decimal:
        roubles = Decimal(kopecks).scaleb(-2)
        return _rounded(roubles * (1 + VAT)) if self._vat else roubles


def period(kind: str, criteria: dict[str, Any], today: date, unsettled: date) -> tuple[date, date]:
    """First and last day of a DateRangeType; LAST_n ends with yesterday, AUTO begins with ``unsettled``."""
    yesterday = today - timedelta(days=1)
    monday = today - timedelta(days=today.weekday())
    month = today.replace(day=1)
    last_month = (month - timedelta(days=1)).replace(day=1)
    ranges = {
        "TODAY": (today, today),
        "YESTERDAY": (yesterday, yesterday),
        "THIS_WEEK_MON_TODAY": (monday, today),
        "THIS_WEEK_SUN_TODAY": (today - timedelta(days=today.isoweekday() % 7), today),
        "LAST_WEEK": (monday - timedelta(days=7), monday - timedelta(days=1)),
        "LAST_BUSINESS_WEEK": (monday - timedelta(days=7), monday - timedelta(days=3)),
        "LAST_WEEK_SUN_SAT": (monday - timedelta(days=8), monday - timedelta(days=2)),
        "THIS_MONTH": (month, today),
        "LAST_MONTH": (last_month, month - timedelta(days=1)),
        "ALL_TIME": (date(today.year - OLDEST_YEARS, today.month, 1), today),
        "AUTO": (min(unsettled, yesterday), yesterday),
    }
    for days in (3, 5, 7, 14, 30, 90, 365):
        ranges[f"LAST_{days}_DAYS"] = (today - timedelta(days=days), yesterday)
    if kind != "CUSTOM_DATE":
        if "DateFrom" in criteria or "DateTo" in criteria:
            raise DirectError(8000, "DateFrom и DateTo допустимы только при DateRangeType = CUSTOM_DATE")
        if kind not in ranges:
            raise DirectError(8000, f"Неверное значение DateRangeType: {kind}")
        return ranges[kind]
    try:
        first, last = (date.fromisoformat(criteria[name]) for name in ("DateFrom", "DateTo"))
    except (KeyError, ValueError) as error:
        raise DirectError(8000, "При CUSTOM_DATE нужны DateFrom и DateTo в формате YYYY-MM-DD") from error
    if last < first:
        raise DirectError(8000, "DateFrom больше DateTo")
    return first, last


def _period_start(day: date, kind: str) -> str:
    if kind == "Week":
        day -= timedelta(days=day.weekday())
    elif kind == "Month":
        day = day.replace(day=1)
    elif kind == "Quarter":
        day = day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
    elif kind == "Year":
        return str(day.year)
    return str(day)


_OPERATORS: dict[str, Callable[[str, list[str]], bool]] = {
    "EQUALS": lambda value, wanted: value == wanted[0],
    "IN": lambda value, wanted: value in wanted,
    "NOT_EQUALS": lambda value, wanted: value != wanted[0],
    "NOT_IN": lambda value, wanted: value not in wanted,
    "GREATER_THAN": lambda value, wanted: Decimal(value) > Decimal(wanted[0]),
    "LESS_THAN": lambda value, wanted: Decimal(value) < Decimal(wanted[0]),
}


def _passes(cell: Cell, condition: dict[str, Any]) -> bool:
    field = condition["Field"]
    if field not in FILTERS:
        return True
    return _OPERATORS[condition["Operator"]](str(cell.segments[field]), list(map(str, condition["Values"])))


def _sum_passes(numbers: Numbers, condition: dict[str, Any]) -> bool:
    field = condition["Field"]
    if field in FILTERS:
        return True
    value = getattr(numbers, field.lower())
    value = Decimal(value).scaleb(-2) if field == "Cost" else value
    return _OPERATORS[condition["Operator"]](str(value), list(map(str, condition["Values"])))


def _ratio(above: Decimal | int, below: int) -> Decimal | None:
    return _rounded(Decimal(above) / below) if below else None


def _rounded(value: Decimal) -> Decimal:
    return value.quantize(Decimal("0.01"), ROUND_HALF_UP)


def _sortable(value: Value) -> tuple[bool, Any]:
    return (value is not None, value if value is not None else 0)


def _need(params: dict[str, Any], name: str) -> Any:
    if name not in params:
        raise DirectError(8000, f"Отсутствует обязательный параметр {name}")
    return params[name]


def _one_of(params: dict[str, Any], name: str, allowed: Any) -> str:
    value = str(_need(params, name))
    if value not in allowed:
        raise DirectError(8000, f"Неверное значение {name}: {value}")
    return value
