"""From 1C's documents to unified records: orders, invoices, money, calls and events. The numbers in brackets are
facts in BEHAVIOR.md."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from connectors.contract import Mapped, Skip
from connectors.errors import BadRecord
from connectors.onec.fields import Row
from connectors.onec.mapping import currency, sets_of
from connectors.onec.settings import OneCSettings
from schema.enums import Direction, MessageChannel, OrderState, PaymentKind
from schema.records import (
    CallRecord,
    InvoiceRecord,
    MessageRecord,
    OrderItem,
    OrderRecord,
    PaymentRecord,
)

_CLOSED = "Закрыт"
_FROM_CLIENT = frozenset(  # [14] operations by which a client's money comes
    {
        "ПоступлениеОплатыОтКлиента",
        "ПоступлениеОтОплатыПлатежнымиКартами",
        "ПБДСРасчетыСКонтрагентами",
        "ПКОРасчетыСКонтрагентами",
        "ОперацияПоПлатежнойКарте",
    }
)
_METHODS = {"bank_payments": "bank", "cash_payments": "cash", "card_payments": "card"}
_MISSED = "Пропущенный"
_CHANNELS = (  # [16] by what the kind of an interaction is called
    (("письм", "почт", "mail"), MessageChannel.EMAIL),
    (("встреч", "визит"), MessageChannel.MEETING),
    (("sms", "смс"), MessageChannel.SMS),
    (("чат", "whatsapp", "telegram", "viber", "мессендж"), MessageChannel.MESSENGER),
)
_CALL_WORDS = ("звон", "телефон")
_OUTBOUND_WORDS = ("исход",)


def order(settings: OneCSettings, row: Row) -> Mapped:
    created_at = _dated(row)
    lines = row.lines("items")
    kept = [line for line in lines if line.get("Отменено") is not True]
    called_off = bool(row.flag("cancelled")) or (bool(lines) and not kept)
    done = row.text("status") == _CLOSED
    partner = row.ref("partner")
    return [
        OrderRecord(
            external_id=row.key,
            deleted=row.deleted,
            created_at=created_at,
            state=OrderState.CANCELLED if called_off else OrderState.DONE if done else OrderState.OPEN,
            number=row.text("number"),
            status=row.text("status"),
            amount=row.money("amount"),
            currency=currency(settings, row),
            paid_at=row.moment("paid_at"),
            items=tuple(map(_item, kept)),
            contact=row.ref("contact") or partner,
            company=partner,
            deal=row.ref("deal") or row.ref_to("base", *sets_of(settings, "deals")),
            responsible=row.ref("responsible"),
            comment=row.text("comment"),
            traffic=row.traffic(),
            custom=row.custom(),
        )
    ]


def invoice(settings: OneCSettings, row: Row) -> Mapped:
    amount, paid = row.money("amount"), row.money("paid")
    partner = row.ref("partner")
    due = _last(row, "stages", "ДатаПлатежа") or row.moment("due")
    in_full = amount is not None and paid is not None and 0 < amount <= paid
    return [
        InvoiceRecord(
            external_id=row.key,
            deleted=row.deleted,
            issued_at=_dated(row),
            number=row.text("number"),
            due_at=None if due is None else due.date(),
            amount=amount,
            currency=currency(settings, row),
            status=row.text("status"),
            paid_at=_last(row, "payments", "ДатаОплаты") if in_full else None,
            cancelled=bool(row.flag("cancelled")),
            contact=row.ref("contact") or partner,
            company=partner,
            order=row.ref_to("base", *sets_of(settings, "orders")),
            deal=row.ref_to("base", *sets_of(settings, "deals")),
            responsible=row.ref("responsible"),
            custom=row.custom(),
        )
    ]


def payment(settings: OneCSettings, row: Row) -> Mapped:
    """One payment for each line of its explanation: one document may pay several orders [14]."""
    operation = row.text("operation")
    if operation is not None and operation not in _FROM_CLIENT:
        return Skip(f"Not a client's money: {operation}.")
    paid_at = row.moment("at") or _dated(row)
    common: dict[str, Any] = {
        "deleted": row.deleted or not row.posted,
        "paid_at": paid_at,
        "currency": currency(settings, row),
        "method": _METHODS.get(row.role.name),
        "number": row.text("number"),
    }
    own, whole = row.ref("partner"), row.ref("invoice")
    lines = list(row.rows("rows"))
    if not lines:
        amount = row.money("amount")
        if amount is None:
            raise BadRecord("The payment lacks its amount.")
        record = _paid(row.key, amount, own, {"invoice": whole}, common)
        return [record]
    told = []
    for line in lines:
        amount = line.money("row_amount")
        if amount is None:
            raise BadRecord("A line of the payment lacks its amount.")
        base: dict[str, Any] = {
            "order": line.ref_to("row_base", *sets_of(settings, "orders")),
            "invoice": line.ref_to("row_base", *sets_of(settings, "invoices")) or line.ref("row_invoice") or whole,
            "deal": line.ref_to("row_base", *sets_of(settings, "deals")),
        }
        told.append(_paid(f"{row.key}:{line.line}", amount, line.ref("row_partner") or own, base, common))
    return told


def call(settings: OneCSettings, row: Row) -> Mapped:
    duration = row.money("duration")
    state = row.text("state")
    return [
        CallRecord(
            external_id=row.key,
            deleted=row.deleted,
            started_at=_dated(row),
            direction=Direction.OUTBOUND if row.flag("inbound") is False else Direction.INBOUND,
            client_phone=row.text("phone"),
            answered=state != _MISSED,  # [15] a document is made of a talk; only an add-on tells of missed calls
            talk_seconds=None if duration is None else int(duration),
            status=state,
            recording_url=row.text("recording"),
            contact=row.ref_to("party", *sets_of(settings, "contacts")),
            company=row.ref_to("party", *sets_of(settings, "partners")),
            lead=row.ref_to("base", *sets_of(settings, "leads")),
            deal=row.ref_to("base", *sets_of(settings, "deals")),
            responsible=row.ref("responsible"),
            comment=row.text("text") or row.text("subject") or row.text("comment"),
            traffic=row.traffic(),
            custom=row.custom(),
        )
    ]


def event(settings: OneCSettings, row: Row) -> Mapped:
    """A call, a letter or a meeting, by what its kind is called."""
    kind = (row.shown("kind") or "").casefold()
    at = row.moment("finished_at") or row.moment("at") or _dated(row)
    direction = Direction.OUTBOUND if any(word in kind for word in _OUTBOUND_WORDS) else Direction.INBOUND
    common: dict[str, Any] = {
        "external_id": row.key,
        "deleted": row.deleted,
        "direction": direction,
        "contact": row.ref("contact"),
        "company": row.ref("partner"),
        "deal": row.ref_to("base", *sets_of(settings, "deals")),
        "lead": row.ref_to("base", *sets_of(settings, "leads")),
        "responsible": row.ref("responsible"),
        "custom": row.custom(),
    }
    if any(word in kind for word in _CALL_WORDS):
        return [CallRecord(started_at=at, answered=True, comment=row.text("text") or row.text("subject"), **common)]
    for words, channel in _CHANNELS:
        if any(word in kind for word in words):
            return [
                MessageRecord(
                    channel=channel,
                    sent_at=at,
                    subject=row.text("subject"),
                    text=row.text("text"),
                    **common,
                )
            ]
    return Skip(f"An interaction of the kind {kind!r}, which is neither a call nor a letter nor a meeting.")


def _paid(
    key: str, amount: Decimal, partner: str | None, base: Mapping[str, Any], common: dict[str, Any]
) -> PaymentRecord:
    return PaymentRecord(
        external_id=key,
        amount=abs(amount),
        kind=PaymentKind.REFUND if amount < 0 else PaymentKind.PAYMENT,
        contact=partner,
        company=partner,
        **base,
        **common,
    )


def _item(line: Mapping[str, Any]) -> OrderItem:
    """What the goods are called stands in another set: the line has their key."""
    key = str(line.get("Номенклатура_Key") or "")
    return OrderItem(
        name=str(line.get("Содержание") or "").strip() or key,
        sku=key or None,
        quantity=_number(line.get("Количество")) or Decimal(0),
        price=_number(line.get("Цена")),
        amount=_number(line.get("СуммаСНДС")) or _number(line.get("Сумма")),
    )


def _number(value: Any) -> Decimal | None:
    return Decimal(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else None


def _dated(row: Row) -> datetime:
    if row.date is None:
        raise BadRecord("The document lacks its date.")
    return row.date


def _last(row: Row, word: str, name: str) -> datetime | None:
    return max((found for line in row.lines(word) if (found := row.time_in(line, name))), default=None)
