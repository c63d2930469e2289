"""What 1C makes of the market's happenings.

"Управление торговлей" keeps the books of the whole firm: a deal won in any branch becomes a partner with contact
information, an invoice and a payment. The branch ``onec`` sells in 1C itself: there its cards, deals, orders and
calls are kept, and the same ones in "1C:CRM" beside it.
"""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from sqlite3 import Connection
from typing import Any
from urllib.parse import urlencode

import orjson

from sandbox.vendors.contract import World
from sandbox.vendors.onec.names import BASES, KEY, NO_DATE, NO_KEY
from sandbox.vendors.onec.store import TABLES, Store, key, local, switches
from sandbox.world.happenings import Called, CardEdited, CardMade, DealMoved, DealOpened, Happening

ROUBLE = key("currency", "RUB")
ORGANISATION = key("organisation", 1)
PHONE_KIND, EMAIL_KIND = key("kind", "phone"), key("kind", "email")
UTM_PROPERTY = key("property", "utm")
KIND_OF_DEALS = key("deal-kind", 1)
_EVENTS = {1: "Встреча с клиентом", 2: "Исходящее письмо"}  # what happens at which stage of an interest
_STATUS = {"won": "Выиграна", "lost": "Проиграна"}
_INTERESTS = (  # predefined states of 1C:CRM
    "Первичный интерес",
    "Выявление потребностей",
    "Подготовка предложения",
    "Предложение и закрытие",
)
_WON, _LOST = "Интерес закрыт", "Интерес потерян"
INVOICE_STAGE = 3
PARTNERS, CONTACTS = "Catalog_Партнеры", "Catalog_КонтактныеЛицаПартнеров"
_MORE_TABLES = (
    "CREATE TABLE IF NOT EXISTS onec_card (card INTEGER PRIMARY KEY, firm INTEGER, data TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS onec_deal (deal INTEGER PRIMARY KEY, card INTEGER NOT NULL, title TEXT NOT NULL,"
    " crm TEXT NOT NULL)",
)


class OneCProjection:
    """Happenings into the rows of both bases."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._switches = switches(world)
        self._trade, self._crm = (Store(world, base) for base in BASES)

    def prepare(self, db: Connection) -> None:
        """Make the tables and what stands in every base; repeatable."""
        for statement in (*TABLES, *_MORE_TABLES):
            db.execute(statement)
        self._switches.prepare()
        if self._trade.all("Catalog_Пользователи"):
            return
        for store in (self._trade, self._crm):
            store.put("Catalog_Пользователи", key("user", 0), {"Description": "Сквозь", "Служебный": True})
            store.put("Catalog_Валюты", ROUBLE, {"Code": "643", "Description": "RUB"})
            for ref, name, predefined in (
                (PHONE_KIND, "Телефон партнера", "ТелефонПартнера"),
                (EMAIL_KIND, "Email партнера", "EmailПартнера"),
            ):
                told: dict[str, Any] = {"Description": name, "PredefinedDataName": predefined, "Predefined": True}
                store.put("Catalog_ВидыКонтактнойИнформации", ref, told)
            for manager in self._world.market.managers:
                if manager.crm == KEY:
                    named: dict[str, Any] = {"Description": f"{manager.last_name} {manager.first_name}"}
                    lines = _contacts((manager.phone,), (manager.email,))
                    told = {**named, "КонтактнаяИнформация": lines}
                    store.put("Catalog_Пользователи", key("user", manager.id), told)
        self._trade.put("Catalog_ВидыСделокСКлиентами", KIND_OF_DEALS, {"Description": "Продажа услуг"})
        for stage, name in _EVENTS.items():
            self._crm.put("Catalog_CRM_ВидыВзаимодействий", key("event-kind", stage), {"Description": name})
        for place, name in enumerate((*_INTERESTS, _WON, _LOST), 1):
            ended = {"Завершено": name in (_WON, _LOST), "РеквизитДопУпорядочивания": place}
            told = {"Description": name, "Code": f"{place:08d}", **ended}
            self._crm.put("Catalog_CRM_СостоянияИнтересов", key("interest-state", place), told)

    def apply(self, happening: Happening, db: Connection) -> None:
        """Take in one happening; others than these leave no trace in 1C."""
        match happening:
            case CardMade():
                self._keep_card(happening, db)
                if happening.crm == KEY:
                    for store in (self._trade, self._crm):
                        self._parties(store, happening.card, happening.at, happening.manager)
            case CardEdited():
                self._edit_card(happening, db)
            case DealOpened():
                values = (happening.deal, happening.card, happening.title, happening.crm)
                db.execute("INSERT OR REPLACE INTO onec_deal VALUES (?, ?, ?, ?)", values)
                if happening.crm == KEY:
                    self._open_deal(happening)
            case DealMoved(crm="onec"):
                self._move_deal(happening, db)
            case DealMoved(stage="won"):
                self._account(happening, db)
            case Called(crm="onec"):
                self._log_call(happening)
            case _:
                pass

    # -- parties

    def _keep_card(self, card: CardMade, db: Connection) -> None:
        data = {
            "name": card.typed_name,
            "names": [card.last_name, card.first_name],
            "phones": card.phones,
            "emails": card.emails,
            "person": card.person,
        }
        db.execute(
            "INSERT OR REPLACE INTO onec_card VALUES (?, ?, ?)", (card.card, card.firm, orjson.dumps(data).decode())
        )

    def _card(self, card: int) -> tuple[int | None, dict[str, Any]]:
        firm, data = self._world.db.execute("SELECT firm, data FROM onec_card WHERE card = ?", (card,)).fetchone()
        return firm, json.loads(data)

    def _parties(self, store: Store, card: int, at: datetime, manager: int | None) -> tuple[str, str]:
        """The partner that a card became, and the contact person; a private person is a partner himself."""
        firm_id, data = self._card(card)
        responsible = NO_KEY if manager is None else key("user", manager)
        common: dict[str, Any] = {
            "Клиент": True,
            "ДатаРегистрации": local(at)[:10] + "T00:00:00",
            "ОсновнойМенеджер_Key": responsible,
        }
        named = _full_name(data)
        lines = _contacts(data["phones"], data["emails"])
        if firm_id is None:
            ref = key("partner-card", card)
            if store.get(PARTNERS, ref) is None:
                told: dict[str, Any] = {
                    "Description": named,
                    "ЮрФизЛицо": "ЧастноеЛицо",
                    "КонтактнаяИнформация": lines,
                    **common,
                }
                store.put(PARTNERS, ref, told)
                self._note(store, "partner", ref, data["person"], card)
            return ref, NO_KEY
        firm, ref = self._world.market.firm(firm_id), key("partner-firm", firm_id)
        if store.get(PARTNERS, ref) is None:
            reached = _contacts((firm.office_phone,), (firm.email,))
            told = {"Description": firm.name, "НаименованиеПолное": firm.name, "ЮрФизЛицо": "Компания"}
            told |= {"КонтактнаяИнформация": reached, "CRM_ИНН": firm.tax_id, **common}
            store.put(PARTNERS, ref, told)
            self._note(store, "partner", ref, None, firm_id)
            if store is self._trade:
                party = {"Description": firm.name, "ИНН": firm.tax_id, "Партнер_Key": ref, "ЮрФизЛицо": "ЮрЛицо"}
                legal = key("counterparty", firm_id)
                store.put("Catalog_Контрагенты", legal, {**party, "КонтактнаяИнформация": reached})
                self._note(store, "counterparty", legal, None, firm_id)
        contact = key("contact-card", card)
        if store.get(CONTACTS, contact) is None:
            told = {"Description": named, "Owner_Key": ref, "КонтактнаяИнформация": lines}
            told |= {"CRM_Фамилия": data["names"][0], "CRM_Имя": data["names"][1]}
            store.put(CONTACTS, contact, told)
            self._note(store, "contact", contact, data["person"], card)
        return ref, contact

    def _edit_card(self, card: CardEdited, db: Connection) -> None:
        row = db.execute("SELECT data FROM onec_card WHERE card = ?", (card.card,)).fetchone()
        if row is None:
            return
        data = json.loads(row[0]) | {"phones": card.phones, "emails": card.emails}
        data["names"] = [card.last_name, card.first_name]
        db.execute("UPDATE onec_card SET data = ? WHERE card = ?", (orjson.dumps(data).decode(), card.card))
        told: dict[str, Any] = {
            "Description": _full_name(data),
            "КонтактнаяИнформация": _contacts(data["phones"], data["emails"]),
        }
        for store in (self._trade, self._crm):
            for name, ref in (
                (PARTNERS, key("partner-card", card.card)),
                (CONTACTS, key("contact-card", card.card)),
            ):
                if store.get(name, ref) is not None:
                    store.put(name, ref, told)

    # -- deals of the branch that sells in 1C

    def _open_deal(self, deal: DealOpened) -> None:
        responsible, tags = key("user", deal.manager), _extra(deal.utm)
        partner, contact = self._parties(self._trade, deal.card, deal.at, deal.manager)
        ref = key("deal", deal.deal)
        common: dict[str, Any] = {
            "Партнер_Key": partner,
            "Ответственный_Key": responsible,
            "ДополнительныеРеквизиты": tags,
        }
        told: dict[str, Any] = {"Description": deal.title, "Статус": "ВРаботе", "ДатаНачала": local(deal.at)}
        told |= {"ПотенциальнаяСуммаПродажи": _money(deal.amount), "ВидСделки_Key": KIND_OF_DEALS, **common}
        self._trade.put("Catalog_СделкиСКлиентами", ref, told)
        self._note(self._trade, "deal", ref, deal.person, deal.deal)
        partner, contact = self._parties(self._crm, deal.card, deal.at, deal.manager)
        common |= {"Партнер_Key": partner, "КонтактноеЛицо_Key": contact}
        if deal.from_lead:
            common |= self._request(deal)
        told = {"Date": local(deal.at), "Number": self._number("ИН", deal.deal), "Тема": deal.title}
        told |= {"ОжидаемаяВыручка": _money(deal.amount), "СостояниеИнтереса_Key": _state(0), **common}
        self._crm.put("Document_CRM_Интерес", ref, told)
        self._note(self._crm, "deal", ref, deal.person, deal.deal)

    def _request(self, deal: DealOpened) -> dict[str, Any]:
        """The request that an interest of 1C:CRM began as, and what the interest says of it."""
        _, data = self._card(deal.card)
        ref, name = key("request", deal.deal), "Document_CRM_Заявка"
        told = {"Date": local(deal.at), "Number": self._number("ЗВ", deal.deal), "Тема": deal.title}
        told |= {"Наименование": data["name"], "Телефон": next(iter(data["phones"]), "")}
        told |= {"ЭлектроннаяПочта": next(iter(data["emails"]), ""), "UTMМетка": urlencode(deal.utm)}
        self._crm.put(name, ref, told)
        self._note(self._crm, "lead", ref, deal.person, deal.deal)
        return {"ДокументОснование": ref, "ДокументОснование_Type": f"StandardODATA.{name}"}

    def _move_deal(self, move: DealMoved, db: Connection) -> None:
        ref, total = key("deal", move.deal), _money(move.amount)
        ended = isinstance(move.stage, str)
        told: dict[str, Any] = {"ПотенциальнаяСуммаПродажи": total}
        if isinstance(move.stage, str):
            told |= {"Статус": _STATUS[move.stage], "Закрыта": True, "ДатаОкончания": local(move.at)}
        if move.lost_reason:
            reason = key("reason", move.lost_reason)
            self._trade.put("Catalog_ПричиныПроигрышаСделок", reason, {"Description": move.lost_reason})
            told["ПричинаПроигрышаСделки_Key"] = reason
        if self._trade.get("Catalog_СделкиСКлиентами", ref) is not None:
            self._trade.put("Catalog_СделкиСКлиентами", ref, told)
        crm: dict[str, Any] = {
            "ОжидаемаяВыручка": total,
            "СостояниеИнтереса_Key": _state(move.stage),
            "Завершен": ended,
        }
        crm |= {"ДатаЗакрытия": local(move.at) if ended else NO_DATE}
        if move.lost_reason:
            crm["ПричинаОтказа_Key"] = key("reason", move.lost_reason)
        before = self._crm.get("Document_CRM_Интерес", ref)
        if before is not None:
            self._crm.put("Document_CRM_Интерес", ref, crm)
            self._crm_papers(before, move)
        if move.stage == INVOICE_STAGE or move.stage == "won":
            self._order(move, db)
        if move.stage == "won":
            self._account(move, db)

    def _crm_papers(self, interest: dict[str, Any], move: DealMoved) -> None:
        """What lies around an interest: a meeting, a letter, and in the end an invoice with its payment."""
        based = {"ДокументОснование": interest["Ref_Key"]}
        based |= {"ДокументОснование_Type": "StandardODATA.Document_CRM_Интерес"}
        party = {name: interest[name] for name in ("Партнер_Key", "КонтактноеЛицо_Key", "Ответственный_Key")}
        dated = {"Date": local(move.at)}
        if move.stage in _EVENTS:
            about = {"Содержание": "Обсудили заказ", "ВидВзаимодействия_Key": key("event-kind", move.stage)}
            event = key("event", f"{move.deal}:{move.stage}")
            self._crm.put("Document_CRM_Взаимодействие", event, {**dated, **party, **based, **about})
        if move.stage != "won":
            return
        total, invoice = _money(move.amount), key("crm-invoice", move.deal)
        paid = {"ДатаОплаты": local(move.at), "Сумма": total}
        told = {"СуммаДокумента": total, "СуммаОплаты": total, "Валюта_Key": ROUBLE, "Оплата": [paid]}
        told |= {"Number": self._number("СЧ", move.deal)}
        self._crm.put("Document_CRM_СчетНаОплатуПокупателю", invoice, {**dated, **party, **based, **told})
        line = {"СчетНаОплату_Key": invoice, "Сумма": total}
        told = {"ВидДокумента": "ПБДСРасчетыСКонтрагентами", "Контрагент_Key": interest["Партнер_Key"]}
        told |= {"Сумма": total, "ВалютаВзаиморасчетов_Key": ROUBLE, "Posted": True, "РасшифровкаПлатежа": [line]}
        payment = key("crm-payment", move.deal)
        self._crm.put("Document_CRM_ДокументРасчетовСКонтрагентом", payment, {**dated, **told})

    def _order(self, move: DealMoved, db: Connection) -> None:
        """A customer's order at the stage of the invoice; it is closed when the deal is won."""
        card, title = db.execute("SELECT card, title FROM onec_deal WHERE deal = ?", (move.deal,)).fetchone()
        partner, contact = self._parties(self._trade, card, move.at, None)
        ref, total = key("order", move.deal), _money(move.amount)
        line: dict[str, Any] = {
            "Номенклатура_Key": key("goods", title),
            "Содержание": title,
            "Количество": 1,
            "Цена": total,
        }
        told: dict[str, Any] = {
            "Партнер_Key": partner,
            "КонтактноеЛицо_Key": contact,
            "Сделка_Key": key("deal", move.deal),
        }
        told |= {"Валюта_Key": ROUBLE, "СуммаДокумента": total, "Организация_Key": ORGANISATION}
        told |= {"Статус": "Закрыт" if move.stage == "won" else "КОбеспечению", "Posted": True}
        if self._trade.get("Document_ЗаказКлиента", ref) is None:
            told |= {"Date": local(move.at), "Number": self._number("ЗК", move.deal)}
            self._note(self._trade, "order", ref, None, move.deal)
        self._trade.put("Document_ЗаказКлиента", ref, {**told, "Товары": [line | {"СуммаСНДС": total}]})

    # -- the books of the whole firm

    def _account(self, won: DealMoved, db: Connection) -> None:
        """An invoice and its payment for a deal won in whichever branch."""
        row = db.execute("SELECT card, title FROM onec_deal WHERE deal = ?", (won.deal,)).fetchone()
        if row is None or db.execute("SELECT 1 FROM onec_card WHERE card = ?", (row[0],)).fetchone() is None:
            return
        partner, contact = self._parties(self._trade, row[0], won.at, None)
        total, invoice, payment = _money(won.amount), key("invoice", won.deal), key("payment", won.deal)
        common: dict[str, Any] = {
            "Date": local(won.at),
            "Валюта_Key": ROUBLE,
            "СуммаДокумента": total,
            "Партнер_Key": partner,
        }
        common |= {"Организация_Key": ORGANISATION, "Posted": True}
        stage: dict[str, Any] = {
            "ДатаПлатежа": local(won.at)[:10] + "T00:00:00",
            "ПроцентПлатежа": 100,
            "СуммаПлатежа": total,
        }
        order = key("order", won.deal)
        base: dict[str, Any] = {}
        if self._trade.get("Document_ЗаказКлиента", order) is not None:
            base = {"ДокументОснование": order, "ДокументОснование_Type": "StandardODATA.Document_ЗаказКлиента"}
        told: dict[str, Any] = {
            **common,
            **base,
            "Number": self._number("СЧ", won.deal),
            "КонтактноеЛицо_Key": contact,
        }
        self._trade.put("Document_СчетНаОплатуКлиенту", invoice, {**told, "ЭтапыГрафикаОплаты": [stage]})
        self._note(self._trade, "invoice", invoice, None, won.deal)
        line: dict[str, Any] = {"Партнер_Key": partner, "Сумма": total, "СуммаВзаиморасчетов": total}
        line |= {"ОснованиеПлатежа": invoice, "ОснованиеПлатежа_Type": "StandardODATA.Document_СчетНаОплатуКлиенту"}
        told = {**common, "Number": self._number("ПЛ", won.deal), "РасшифровкаПлатежа": [line]}
        if won.deal % 7:
            told |= {"ХозяйственнаяОперация": "ПоступлениеОплатыОтКлиента", "ПроведеноБанком": True}
            self._trade.put("Document_ПоступлениеБезналичныхДенежныхСредств", payment, told)
        else:
            told |= {"ХозяйственнаяОперация": "ПоступлениеОплатыОтКлиента"}
            self._trade.put("Document_ПриходныйКассовыйОрдер", payment, told)
        self._note(self._trade, "payment", payment, None, won.deal)

    def _number(self, prefix: str, number: int) -> str:
        """A document's number: a prefix and zeros in eleven places, padded where the switch says so."""
        shown = f"{prefix}-{number % 10**8:08d}"
        return f"{shown}    " if self._switches.get("padded_numbers", bool) else shown

    # -- calls

    def _log_call(self, call: Called) -> None:
        client = call.to_phone if call.direction == "outbound" else call.from_phone
        told: dict[str, Any] = {
            "Date": local(call.at),
            "Number": f"{call.call % 10**11:011d}",
            "Входящий": call.direction == "inbound",
            "АбонентКакСвязаться": client,
            "АбонентПредставление": client,
            "Тема": "Телефонный звонок",
            "Важность": "Обычная",
            "Ответственный_Key": NO_KEY if call.manager is None else key("user", call.manager),
        }
        ref = key("call", call.call)
        for store in (self._trade, self._crm):
            store.put("Document_ТелефонныйЗвонок", ref, told)
            self._note(store, "call", ref, call.person, call.call)

    def _note(self, store: Store, entity: str, ref: str, person: int | None, origin: int) -> None:
        """The truth knows the trade base's records by their kind, the other's with its name before it."""
        named = entity if store is self._trade else f"{store.base}:{entity}"
        self._world.truth.record(KEY, named, ref, person, origin)


def _full_name(data: dict[str, Any]) -> str:
    return " ".join(filter(None, data["names"])) or data["name"] or "—"


def _state(stage: int | str) -> str:
    place = {"won": len(_INTERESTS) + 1, "lost": len(_INTERESTS) + 2}.get(str(stage))
    return key("interest-state", place or int(stage) + 1)


def _money(amount: Decimal) -> float | int:
    return int(amount) if amount == int(amount) else float(amount)


def _extra(utm: dict[str, str]) -> list[dict[str, Any]]:
    return (
        [{"Свойство_Key": UTM_PROPERTY, "Значение": urlencode(utm), "Значение_Type": "Edm.String"}] if utm else []
    )


def _contacts(phones: tuple[str, ...] | list[str], emails: tuple[str, ...] | list[str]) -> list[dict[str, Any]]:
    """Lines of contact information. A number is kept without marks, yet with the 8 that was typed."""
    lines = []
    for phone in phones:
        digits = "".join(each for each in phone.partition(",")[0] if each.isdigit())
        lines.append(
            {
                "Тип": "Телефон",
                "Вид_Key": PHONE_KIND,
                "ВидДляСписка_Key": PHONE_KIND,
                "Представление": phone,
                "НомерТелефона": digits[:20],
                "НомерТелефонаБезКодов": digits[-7:],
            }
        )
    for email in emails:
        host = email.rpartition("@")[2]
        named: dict[str, Any] = {
            "Тип": "АдресЭлектроннойПочты",
            "Вид_Key": EMAIL_KIND,
            "ВидДляСписка_Key": EMAIL_KIND,
        }
        lines.append(named | {"Представление": email, "АдресЭП": email, "ДоменноеИмяСервера": host})
    return lines
