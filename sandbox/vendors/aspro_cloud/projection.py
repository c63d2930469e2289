"""What the portal makes of the market's happenings: cards, deals with their papers and payments, tasks."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from sqlite3 import Connection
from typing import Any
from urllib.parse import urlencode

from sandbox.vendors.aspro_cloud.app import ADMINISTRATOR
from sandbox.vendors.aspro_cloud.store import KEY, TABLES, Store, local, switches
from sandbox.vendors.contract import World
from sandbox.world.happenings import Called, CardEdited, CardMade, DealMoved, DealOpened, Happening

ORGANISATION, PERSON = 1, 2
_ACTIVE = {"won": 3, "lost": 2}
_STAGES = ("Новая", "Квалификация", "Предложение", "Счёт выставлен")
_SOURCES = ("Реклама", "Звонок", "Рекомендация")
_REASONS = ("Дорого", "Выбрали другого", "Не дозвонились", "Передумал", "Не наш район", "Спам")
INVOICE_STAGE = 3
ROUBLE = 1  # the portal's own number of the currency, not ISO 4217
PAID = 20  # status_id of an invoice that is paid


class AsproCloudProjection:
    """Happenings into the portal's rows."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._switches = switches(world)
        self._store = Store(world)

    def prepare(self, db: Connection) -> None:
        """Make the tables and what stands in every portal; repeatable."""
        for statement in TABLES:
            db.execute(statement)
        self._switches.prepare()
        if self._store.get("core/user", ADMINISTRATOR) is not None:
            return
        begin = datetime.fromisoformat("2020-01-01T00:00:00+03:00")
        self._user(ADMINISTRATOR, "Администратор", "Портала", "admin@portal.example", begin)
        for manager in self._world.market.managers:
            if manager.crm == KEY:
                id_ = _user_id(manager.id)
                self._user(id_, manager.first_name, manager.last_name, manager.email, begin, manager.phone)
        self._store.add("crm/pipeline", {"name": "Продажи", "ordering": 1}, begin)
        for place, name in enumerate(_STAGES, 1):
            self._store.add(
                "crm/pipeline_stage", {"name": name, "pipeline_id": 1, "ordering": place, "active": 1}, begin
            )
        for model, names in (("crm/source", _SOURCES), ("crm/loss_reason", _REASONS)):
            for name in names:
                self._store.add(model, {"name": name, "active": 1}, begin)

    def apply(self, happening: Happening, db: Connection) -> None:
        """Take in one happening; others than these leave no trace in the portal."""
        match happening:
            case CardMade(crm="aspro_cloud"):
                self._make_card(happening)
            case CardEdited(crm="aspro_cloud"):
                self._edit_card(happening)
            case DealOpened(crm="aspro_cloud"):
                self._open_deal(happening)
            case DealMoved(crm="aspro_cloud"):
                self._move_deal(happening)
            case Called(crm="aspro_cloud", answered=False, direction="inbound"):
                self._call_back(happening)
            case _:
                pass

    def _user(self, id_: int, first: str, last: str, email: str, at: datetime, phone: str | None = None) -> None:
        named = {"name": f"{first} {last}", "first_name": first, "last_name": last, "username": email}
        rest = {"phone_mobile": phone, "timezone": "Europe/Moscow", "active": 1}
        self._store.add("core/user", named | rest, at, id_)

    def _note(self, entity: str, id_: int, person: int | None, origin: int, kind: str) -> None:
        self._world.truth.record(KEY, entity, id_, person, origin)
        self._store.note(kind, origin, id_)

    # -- cards

    def _make_card(self, card: CardMade) -> None:
        owner = _user_id(card.manager)
        company = None if card.firm is None else self._company(card.firm, owner, card.at)
        names = {"first_name": card.first_name or None, "last_name": card.last_name or None}
        values = {"type": PERSON, "name": card.typed_name or "—", **names, "owner_id": owner}
        id_ = self._store.add("crm/account", values | _reachable(card.phones, card.emails), card.at)
        self._note("account", id_, card.person, card.card, "card")
        if company is not None:
            self._store.add("crm/relation", {"parent_acc_id": company, "child_acc_id": id_, "type": 1}, card.at)
            self._store.note("employer", id_, company)

    def _company(self, firm_id: int, owner: int, at: datetime) -> int:
        known = self._store.id_of("firm", firm_id)
        if known is not None and self._store.get("crm/account", known) is not None:
            return known
        firm = self._world.market.firm(firm_id)
        named = {"type": ORGANISATION, "name": firm.name, "VAT": firm.tax_id, "owner_id": owner}
        id_ = self._store.add("crm/account", named | _reachable((firm.office_phone,), (firm.email,)), at)
        self._note("account", id_, None, firm_id, "firm")
        return id_

    def _edit_card(self, card: CardEdited) -> None:
        id_ = self._store.id_of("card", card.card)
        if id_ is not None:
            named = {"first_name": card.first_name or None, "last_name": card.last_name or None}
            self._store.update("crm/account", id_, named | _reachable(card.phones, card.emails), card.at)

    # -- deals

    def _open_deal(self, deal: DealOpened) -> None:
        person = self._store.id_of("card", deal.card)
        card = self._store.get("crm/account", person) if person is not None else None
        company = self._store.id_of("employer", person) if person is not None else None
        raw = {} if card is None else {"contact_name": card["name"], "contact_phone": card["phone"]}
        values = {
            "name": deal.title,
            "budget": _roubles(deal.amount),
            "customer_id": company or person,
            "contact_id": person if company else None,
            "source_id": 1 if deal.utm else 2,
            "assignee_id": _user_id(deal.manager),
            "start_date": local(deal.at)[:10],
            "cf_12": urlencode(deal.utm) or None,
            **raw,
        }
        id_ = self._store.add("crm/lead", values, deal.at)
        self._note("lead", id_, deal.person, deal.deal, "deal")

    def _move_deal(self, move: DealMoved) -> None:
        id_ = self._store.id_of("deal", move.deal)
        if id_ is None or self._store.get("crm/lead", id_) is None:
            return
        values: dict[str, Any] = {"budget": _roubles(move.amount)}
        if isinstance(move.stage, str):
            values |= {"active": _ACTIVE[move.stage], "closing_date": local(move.at)}
            if move.lost_reason:
                values["closing_status_id"] = _REASONS.index(move.lost_reason) + 1
                values["closing_comment"] = move.lost_reason
        else:
            values["pipeline_stage_id"] = move.stage + 1
        row = self._store.update("crm/lead", id_, values, move.at)
        if row is not None and (move.stage == INVOICE_STAGE or move.stage == "won"):
            self._bill(row, move)

    def _bill(self, lead: dict[str, Any], move: DealMoved) -> None:
        """The invoice at its stage; when the deal is won it is paid, and an act says so."""
        total = _roubles(move.amount)
        customer = {"customer_id": lead["customer_id"], "currency_id": ROUBLE, "assignee_id": lead["assignee_id"]}
        bound = {"module": "crm", "model": "lead", "model_id": lead["id"], "currency_code": "RUB", "total": total}
        day = local(move.at)[:10]
        invoice = self._store.id_of("invoice", move.deal)
        if invoice is None:
            due = local(move.at + timedelta(days=5))[:10]
            numbered = {"invoice_number": lead["id"], "invoice_number_print": f"СЧ-{lead['id']:05d}"}
            paper = {"invoice_date": day, "due_date": due, "paid_date": None, "status_id": 10, **numbered}
            invoice = self._store.add("fin/invoice", paper | customer | bound, move.at)
            self._note("invoice", invoice, None, move.deal, "invoice")
        if move.stage != "won":
            return
        self._store.update("fin/invoice", invoice, {"total": total, "paid_date": day, "status_id": PAID}, move.at)
        money = {"total": total, "currency_id": ROUBLE, "date": day, "status": 10, "is_complete": 1}
        told = {
            "name": f"Оплата по счёту {invoice}",
            "crm_company_id": lead["customer_id"],
            "reference": str(invoice),
        }
        payment = self._store.add("fin/customer_payment", money | told, move.at)
        self._note("customer_payment", payment, None, move.deal, "payment")
        act = {"act_number": f"АК-{lead['id']:05d}", "act_date": day, "status_id": PAID}
        self._note("act", self._store.add("fin/act", act | customer | bound, move.at), None, move.deal, "act")

    # -- tasks

    def _call_back(self, call: Called) -> None:
        """A missed call becomes a task."""
        until = call.at + timedelta(hours=2)
        values = {
            "name": "Перезвонить",
            "description": f"Пропущенный звонок с {call.from_phone}",
            "deadline": local(until),
            "responsible_id": ADMINISTRATOR if call.manager is None else _user_id(call.manager),
        }
        id_ = self._store.add("task/tasks", values, call.at)
        self._note("task", id_, call.person, call.call, "task")


def _user_id(manager: int) -> int:
    return ADMINISTRATOR + manager


def _roubles(amount: Decimal) -> float:
    return float(amount)


def _reachable(phones: tuple[str, ...], emails: tuple[str, ...]) -> dict[str, str | None]:
    """Three places for phones and two for e-mails; what is more has no place."""
    named = dict(zip(("phone", "phone2", "phone3"), [*phones, None, None, None], strict=False))
    return named | dict(zip(("email", "email_personal"), [*emails, None, None], strict=False))
