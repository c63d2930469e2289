"""From a row to unified records: pure functions of the settings and the record's bytes.

What can't be read raises BadRecord with the number of the row.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import msgspec

from connectors.contract import Mapped
from connectors.errors import BadRecord
from connectors.file import cells
from connectors.file.fields import Kind
from connectors.file.records import Body, Line, Told
from connectors.file.settings import FileSettings
from schema.enums import DealStatus, Direction
from schema.records import (
    AdSpendRecord,
    CallRecord,
    CompanyRecord,
    ContactRecord,
    DealRecord,
    InvalidClicksRecord,
)
from schema.traffic import UTM_PLATFORM, CampaignKey, Traffic, origin

_BODY = msgspec.json.Decoder(Body)
_WON = (
    "успешн",
    "оплач",
    "выигр",
    "заверш",
    "продан",
    "выполнен",
    "won",
    "paid",
    "closed won",
    "complete",
    "success",
)
_LOST = ("отказ", "проигр", "отмен", "не реализ", "нереализ", "закрыто и не", "потер", "lost", "cancel", "fail",
         "не оплач", "неоплач", "неуспешн", "провал", "refus")  # fmt: skip


def map_row(_settings: FileSettings, body: bytes, read: Callable[[Line, Told, Body], Mapped]) -> Mapped:
    """Map each line of a record by ``read``; what is wrong is told with its row."""
    record = _BODY.decode(body)
    number = record.rows[0]
    try:
        if record.fault is not None:
            raise BadRecord(record.fault)  # noqa: TRY301 - so that every refusal names its row
        _refuse_failed_formulas(record.lines[0])
        return read(record.lines[0], record.told, record)
    except BadRecord as error:
        raise BadRecord(f"Row {number}: {error.sentence}") from None


def map_costs(settings: FileSettings, body: bytes) -> Mapped:
    """What a campaign cost on a day: the sum of its lines."""
    record = _BODY.decode(body)
    cost, impressions, clicks = Decimal(), 0, 0
    for number, line in zip(record.rows, record.lines, strict=True):
        try:
            _refuse_failed_formulas(line)
            cost += Decimal(cells.number(_needed(line, "cost"), "."))
            impressions += int(cells.whole(line.get("impressions", "0")))
            clicks += int(cells.whole(line.get("clicks", "0")))
        except BadRecord as error:
            raise BadRecord(f"Row {number}: {error.sentence}") from None

    def spend(line: Line, told: Told, _: Body) -> Mapped:
        if cost < 0:
            raise BadRecord(f"the day's costs are negative: {cost}.")
        campaign = _campaign(line, told)
        return [
            AdSpendRecord(
                external_id=f"{campaign.platform}/{campaign.external_id}/{line.get('day')}",
                platform=campaign.platform,
                campaign=campaign.external_id,
                campaign_name=line.get("utm_campaign"),
                day=date.fromisoformat(cells.day(_needed(line, "day"))),
                cost=cost.quantize(Decimal("0.01")),
                currency=_currency(line, told),
                vat_included=bool(told.vat),
                impressions=impressions,
                clicks=clicks,
            )
        ]

    return map_row(settings, body, spend)


def map_fraud(settings: FileSettings, body: bytes) -> Mapped:
    """Clicks of a campaign and day that a service judged to be fraudulent. A row without a number is one click."""
    record = _BODY.decode(body)
    clicks, cost, reasons = 0, Decimal(), []
    for number, line in zip(record.rows, record.lines, strict=True):
        try:
            _refuse_failed_formulas(line)
            clicks += int(cells.whole(line.get("clicks", "1")))
            cost += Decimal(cells.number(line.get("cost", "0"), "."))
        except BadRecord as error:
            raise BadRecord(f"Row {number}: {error.sentence}") from None
        reasons.append(line.get("reason"))
    priced = all(line.get("cost") for line in record.lines)

    def judged(line: Line, told: Told, _: Body) -> Mapped:
        campaign = _campaign(line, told)
        day = date.fromisoformat(cells.day(_needed(line, "day")))
        return [
            InvalidClicksRecord(
                external_id=f"{campaign.platform}/{campaign.external_id}/{day}",
                day=day,
                clicks=clicks,
                cost=cost.quantize(Decimal("0.01")) if priced else None,
                currency=_currency(line, told) if priced else None,
                reason=", ".join(dict.fromkeys(filter(None, reasons))) or None,
                traffic=_named_by(campaign),
            )
        ]

    return map_row(settings, body, judged)


def _named_by(campaign: CampaignKey) -> Traffic:
    """The origin that names this campaign: by the platform's id, or by the tags themselves."""
    if campaign.platform != UTM_PLATFORM:
        return Traffic(platform=campaign.platform, campaign=campaign.external_id)
    source, medium, name = campaign.external_id.split("/", 2)
    return Traffic(utm_source=source, utm_medium=medium, utm_campaign=name)


def _refuse_failed_formulas(line: Line) -> None:
    for value in line.values():
        cells.text(value)


def map_call(settings: FileSettings, body: bytes) -> Mapped:
    return map_row(settings, body, _call)


def map_contact(settings: FileSettings, body: bytes) -> Mapped:
    return map_row(settings, body, _contact)


def map_deal(settings: FileSettings, body: bytes) -> Mapped:
    return map_row(settings, body, _deal)


def _campaign(line: Line, told: Told) -> CampaignKey:
    """[4] The campaign as visits name it: by the platform's id, or by the tags."""
    if line.get("campaign_id") and line.get("platform"):
        return CampaignKey(line["platform"].casefold(), line["campaign_id"])
    source = line.get("utm_source") or told.source
    if source is None:
        raise BadRecord("it doesn't say of which source its costs are: name the source in the settings.")
    tags = Traffic(
        utm_source=source,
        utm_medium=line.get("utm_medium") or told.medium,
        utm_campaign=line.get("campaign_id") or line.get("utm_campaign") or "(all)",
    )
    understood = origin(tags)
    if understood is None or understood.campaign is None:
        raise BadRecord("it names no campaign.")
    return understood.campaign


def _call(line: Line, told: Told, record: Body) -> Mapped:
    talk = _number_of(line, "talk_seconds")
    told_answered = line.get("answered")
    visitor = line.get("visitor")
    return [
        CallRecord(
            external_id=record.id,
            started_at=_moment(line, "started_at", told),
            direction=Direction(cells.direction(line.get("direction", ""))),
            client_phone=cells.phone(_needed(line, "client_phone")),
            tracking_phone=line.get("tracking_phone"),
            answered=_answered(told_answered, talk),
            status=None if told_answered in ("yes", "no") else told_answered,
            wait_seconds=_number_of(line, "wait_seconds"),
            talk_seconds=talk,
            visitor_ids=(f"ym:{visitor}",) if visitor else (),
            comment=line.get("comment"),
            traffic=_traffic(line),
            custom=_custom(line, record, "manager"),
        )
    ]


def _answered(status: str | None, talk_seconds: int | None) -> bool:
    """By the status, or, where it is a word of the telephony's own, by whether there was a talk."""
    try:
        return cells.flag(status or "") == "yes"
    except BadRecord:
        return bool(talk_seconds)


def _contact(line: Line, told: Told, record: Body) -> Mapped:
    company = line.get("company")
    contact = ContactRecord(
        external_id=record.id,
        name=line.get("name"),
        first_name=line.get("first_name"),
        middle_name=line.get("middle_name"),
        last_name=line.get("last_name"),
        position=line.get("position"),
        phones=_phones(line),
        emails=_emails(line),
        company=None if company is None else _company_id(company),
        created_at=_moment(line, "created_at", told) if "created_at" in line else None,
        traffic=_traffic(line),
        custom=_custom(line, record, "manager"),
    )
    if not (contact.phones or contact.emails or contact.name or contact.last_name or contact.first_name):
        raise BadRecord("it has no phone, no e-mail and no name.")
    if company is None:
        return [contact]
    return [CompanyRecord(external_id=_company_id(company), name=company, tax_id=line.get("tax_id")), contact]


def _deal(line: Line, told: Told, record: Body) -> Mapped:
    id = record.id
    phones, emails, client = _phones(line), _emails(line), line.get("client")
    with_client = bool(phones or emails or client)
    status = _status(line)
    created_at = _moment(line, "created_at", told)
    closed_at = _moment(line, "closed_at", told) if "closed_at" in line else None
    if status is DealStatus.WON and closed_at is None:
        closed_at = created_at  # [5] a table of sales has one date
    amount = line.get("amount")
    deal = DealRecord(
        external_id=id,
        title=line.get("title") or line.get("id") or "Deal",
        created_at=created_at,
        status=status,
        amount=None if amount is None else Decimal(cells.number(amount, ".")).quantize(Decimal("0.01")),
        currency=_currency(line, told),
        closed_at=closed_at if status is not DealStatus.OPEN else None,
        lost_reason=line.get("lost_reason"),
        contact=f"of-deal:{id}" if with_client else None,
        traffic=_traffic(line),
        custom=_custom(line, record, "manager", "status"),
    )
    if not with_client:
        return [deal]
    contact = ContactRecord(external_id=f"of-deal:{id}", name=client, phones=phones, emails=emails)
    return [contact, deal]


def _status(line: Line) -> DealStatus:
    """[5] Won and lost are told from the words of the status; in a table without one every row is a sale."""
    status = line.get("status")
    if status is None:
        return DealStatus.WON
    told = status.casefold()
    if any(word in told for word in _LOST):
        return DealStatus.LOST
    return DealStatus.WON if any(word in told for word in _WON) else DealStatus.OPEN


def _company_id(name: str) -> str:
    return "company:" + " ".join(name.casefold().split())


def _moment(line: Line, field: str, told: Told) -> datetime:
    value = cells.moment(_needed(line, field))
    if "t" not in value.casefold() and field == "started_at" and "time" in line:
        value = f"{value}T{cells.time_of_day(line['time'])}"
    moment = datetime.fromisoformat(value)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=ZoneInfo(told.zone or "UTC"))


def _needed(line: Line, field: str) -> str:
    value = cells.text(line.get(field, ""))
    if value is None:
        raise BadRecord(f"its {field.replace('_', ' ')} is empty.")
    return value


def _number_of(line: Line, field: str) -> int | None:
    return int(cells.seconds(line[field])) if field in line else None


def _phones(line: Line) -> tuple[str, ...]:
    return tuple(cells.phone(each) for each in line.get("phones", "").split("\n") if each)


def _emails(line: Line) -> tuple[str, ...]:
    return tuple(each for each in line.get("emails", "").split("\n") if each)  # what is none stays as a text


def _currency(line: Line, told: Told) -> str:
    value = line.get("currency", told.currency or "").upper()
    known = {"РУБ": "RUB", "РУБ.": "RUB", "₽": "RUB", "RUR": "RUB", "$": "USD", "€": "EUR"}
    currency = known.get(value, value)
    if len(currency) != 3 or not currency.isascii() or not currency.isalpha():
        raise BadRecord(f"{value!r} is no currency: write its three letters, such as RUB.")
    return currency


def _traffic(line: Line) -> Traffic | None:
    tags = {
        name: line.get(name) for name in ("utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term")
    }
    return Traffic(**tags) if any(tags.values()) else None


def _custom(line: Line, record: Body, *fields: str) -> dict[str, str] | None:
    told = {name: line[name] for name in fields if name in line}
    return {**record.extra, **told} or None


KINDS: dict[Kind, Callable[[FileSettings, bytes], Mapped]] = {
    Kind.COSTS: map_costs,
    Kind.FRAUD: map_fraud,
    Kind.CALLS: map_call,
    Kind.CONTACTS: map_contact,
    Kind.DEALS: map_deal,
}
