"""What the shop makes of the market's happenings: cards are its customers, deals their orders."""

from __future__ import annotations

from decimal import Decimal
from sqlite3 import Connection
from typing import Any

from sandbox.vendors.advantshop.store import CART, KEY, PHONE, STATUSES, TABLES, Row, Store, local, switches
from sandbox.vendors.contract import World
from sandbox.world.happenings import CardEdited, CardMade, DealMoved, DealOpened, Happening, Visited

DONE, CANCELLED = STATUSES[4], STATUSES[5]
_GOODS = ("Набор для уборки", "Средство для стёкол", "Салфетки", "Выезд мастера")


class AdvantshopProjection:
    """Happenings into customers and orders."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._store = Store(world)
        self._sells = False

    def prepare(self, db: Connection) -> None:
        """Make the tables; repeatable."""
        for statement in TABLES:
            db.execute(statement)
        switches(self._world).prepare()
        self._sells = self._store.has_customers()

    def apply(self, happening: Happening, db: Connection) -> None:
        """Take in one happening; others than these leave no trace in the shop."""
        match happening:
            case CardMade(crm="advantshop"):
                self._sells = True
                self._make_card(happening)
            case CardEdited(crm="advantshop"):
                self._edit_card(happening)
            case DealOpened(crm="advantshop"):
                self._order(happening)
            case DealMoved(crm="advantshop"):
                self._move(happening)
            case Visited() if self._sells:  # the shop's own pages know the cookie of the counter
                self._store.see(happening.visit, happening.visitor_id)
            case _:
                pass

    # -- customers: one e-mail, one phone and one customer

    def _make_card(self, card: CardMade) -> None:
        values = self._reachable(card.phones, card.emails)
        known = self._store.with_email(values["email"])
        if known is not None:  # the shop knows the e-mail: it is the same customer there
            self._store.note("card", card.card, known)
            return
        firm = None if card.firm is None else self._world.market.firm(card.firm)
        named = {"firstName": card.first_name or card.typed_name, "lastName": card.last_name or None}
        owned = {"managerId": card.manager, "organization": None if firm is None else firm.name}
        id_ = self._store.add_customer(values | named | owned, card.at)
        self._world.truth.record(KEY, "customer", id_, card.person, card.card)
        self._store.note("card", card.card, id_)

    def _edit_card(self, card: CardEdited) -> None:
        id_ = self._store.id_of("card", card.card)
        if id_ is None or self._store.customer(id_) is None:
            return
        values = self._reachable(card.phones, card.emails, but=id_)
        if self._store.with_email(values["email"], but=id_) is not None:
            return  # the form says that the e-mail is taken, and nothing is saved
        named = {"firstName": card.first_name or None, "lastName": card.last_name or None}
        self._store.change_customer(id_, values | {name: text for name, text in named.items() if text})

    def _reachable(self, phones: tuple[str, ...], emails: tuple[str, ...], but: str = "") -> Row:
        phone = next(filter(None, map(standard_phone, phones)), None)
        if self._store.with_phone(phone, but=but) is not None:
            phone = None
        return {"email": next(iter(emails), ""), "phone": phone}

    # -- orders

    def _order(self, deal: DealOpened) -> None:
        id_ = self._store.id_of("card", deal.card)
        customer = None if id_ is None else self._store.customer(id_)
        visitor = self._store.visitor(deal.visit) if deal.utm else None
        values = {
            "Sum": float(deal.amount),
            "Items": items_of(deal.deal, deal.title, deal.amount),
            "Customer": None if customer is None else buyer_of(customer),
            "Source": CART if deal.utm else PHONE,
        }
        made = self._store.add_order(values, deal.at, {} if visitor is None else {"YandexClientID": visitor})
        self._world.truth.record(KEY, "order", made, deal.person, deal.deal)
        self._store.note("deal", deal.deal, made)

    def _move(self, move: DealMoved) -> None:
        found = self._store.id_of("deal", move.deal)
        row = None if found is None else self._store.order(int(found))
        if row is None:
            return
        title = row["Items"][0]["Name"] if row["Items"] else _GOODS[0]
        values: dict[str, Any] = {"Sum": float(move.amount), "Items": items_of(move.deal, title, move.amount)}
        exchange: Row = {}
        match move.stage:
            case "won":
                values |= {"Status": DONE, "IsPaid": True}
                exchange["PaymentDate"] = local(move.at)
            case "lost":
                values["Status"] = CANCELLED
                exchange["OrderStatusComment"] = move.lost_reason or ""
            case stage:
                values["Status"] = STATUSES[min(stage, 3)]
        self._store.change_order(row["Id"], values, move.at, exchange)


def standard_phone(text: str) -> int | None:
    """A phone as the shop keeps it: a number of eleven digits that begins with 7."""
    digits = "".join(filter(str.isdecimal, text))
    if len(digits) == 10:
        digits = "7" + digits
    return int("7" + digits[1:]) if len(digits) == 11 and digits[0] in "78" else None


def buyer_of(customer: Row) -> Row:
    """The customer as an order holds them: a copy, the phone as a text."""
    phone = customer["phone"]
    named = {
        "CustomerId": customer["id"],
        "FirstName": customer["firstName"],
        "LastName": customer["lastName"],
        "Patronymic": customer["patronymic"],
        "Organization": customer["organization"],
        "Email": customer["email"],
        "Phone": "" if phone is None else f"+{phone}",
    }
    places = ("Country", "Region", "District", "City", "Zip", "Street", "House", "Structure", "Apartment")
    return named | dict.fromkeys((*places, "Entrance", "Floor", *(f"CustomField{n}" for n in (1, 2, 3))), "")


def items_of(deal: int, title: str, amount: Decimal) -> list[Row]:
    """One to three lines that come to the amount; which ones follows from the deal's number."""
    rest = amount
    lines: list[Row] = []
    for place in range(deal % 3):
        price = (amount / 10 * (place + 1)).quantize(Decimal(1))
        rest -= price * 2
        if rest <= 0:
            rest += price * 2
            break
        lines.append(_line(f"{1000 + (deal + place) % 4}", _GOODS[(deal + place) % 4], price, 2))
    return [_line("1649", title, rest, 1), *lines]


def _line(article: str, name: str, price: Decimal, amount: int) -> Row:
    return {
        "ArtNo": article,
        "Name": name,
        "Color": None,
        "Size": None,
        "Price": float(price),
        "Amount": float(amount),
    }
