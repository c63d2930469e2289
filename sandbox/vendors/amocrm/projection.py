"""What the account makes of the market's happenings: cards, deals (its leads), their moves, calls."""

from __future__ import annotations

from datetime import datetime, time, timedelta, timezone
from sqlite3 import Connection

from sandbox.vendors.amocrm import oauth
from sandbox.vendors.amocrm.account import KEY, LOST, MAIN, ROBOT, WON, WORKING, user_id
from sandbox.vendors.amocrm.behaviour import switches
from sandbox.vendors.amocrm.notes import place_of_call
from sandbox.vendors.amocrm.records import CustomValues, Records, create_tables, stored_values
from sandbox.vendors.amocrm.registry import BIRTHDAY, INN, EntityName, Registry
from sandbox.vendors.contract import World
from sandbox.world.happenings import Called, CardEdited, CardMade, DealMoved, DealOpened, Happening

_ANSWERED, _NO_ANSWER = 4, 6  # call_status
_MOSCOW = timezone(timedelta(hours=3))


class AmocrmProjection:
    """Happenings into the account's rows."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._registry = Registry(world)
        self._records = Records(world, self._registry)

    def prepare(self, db: Connection) -> None:
        """Make the tables; repeatable."""
        create_tables(db)
        self._registry.prepare(db)
        for statement in oauth.TABLES:
            db.execute(statement)
        db.execute(
            "CREATE TABLE IF NOT EXISTS amocrm_source (kind TEXT, origin INTEGER, id INTEGER,"
            " PRIMARY KEY (kind, origin)) WITHOUT ROWID"
        )
        switches(self._world).prepare()

    def apply(self, happening: Happening, db: Connection) -> None:
        """Take in one happening; others than these leave no trace in an account."""
        match happening:
            case CardMade(crm="amocrm"):
                self._make_card(happening)
            case CardEdited(crm="amocrm"):
                self._edit_card(happening)
            case DealOpened(crm="amocrm"):
                self._open_deal(happening)
            case DealMoved(crm="amocrm"):
                self._move_deal(happening)
            case Called(crm="amocrm"):
                self._log_call(happening)
            case _:
                pass

    def _note(self, entity: str, id_: int, person: int | None, origin: int, kind: str) -> None:
        self._world.truth.record(KEY, entity, id_, person, origin)
        self._world.db.execute("INSERT OR IGNORE INTO amocrm_source VALUES (?, ?, ?)", (kind, origin, id_))

    def _id_of(self, kind: str, origin: int) -> int | None:
        row = self._world.db.execute(
            "SELECT id FROM amocrm_source WHERE kind = ? AND origin = ?", (kind, origin)
        ).fetchone()
        return None if row is None else int(row[0])

    def _communications(self, entity: EntityName, phones: tuple[str, ...], emails: tuple[str, ...]) -> CustomValues:
        """Values of the fields PHONE and EMAIL; the first phone is a mobile, as most are."""
        custom: CustomValues = {}
        for code, values, first in (("PHONE", phones, "MOB"), ("EMAIL", emails, "WORK")):
            field = self._registry.by_code(entity, code)
            if field is not None:
                custom[field.id] = [
                    {"value": value, "enum_id": field.enum_id("WORK" if place else first)}
                    for place, value in enumerate(value for value in values if value)
                ]
        return custom

    def _make_card(self, card: CardMade) -> None:
        user, now = user_id(card.manager), int(card.at.timestamp())
        values = {"name": card.typed_name, "first_name": card.first_name, "last_name": card.last_name}
        custom = _filled(self._communications("contacts", card.phones, card.emails))
        if card.birthday is not None:
            midnight = datetime.combine(card.birthday, time(), _MOSCOW)  # the account's
            custom[self._registry.named("contacts", BIRTHDAY).id] = [{"value": int(midnight.timestamp())}]
        id_ = self._records.add("contacts", values, custom, now, user)
        self._note("contact", id_, card.person, card.card, "card")
        self._records.adopt_calls(id_, card.phones, now)
        if card.firm is not None:
            company = self._company(card.firm, now, user)
            self._records.link("contacts", id_, "companies", company, False, now, user)

    def _company(self, firm_id: int, now: int, user: int) -> int:
        known = self._id_of("firm", firm_id)
        if known is not None and self._records.get("companies", known) is not None:
            return known
        firm = self._world.market.firm(firm_id)
        custom = self._communications("companies", (firm.office_phone,), (firm.email,))
        custom[self._registry.named("companies", INN).id] = [{"value": firm.tax_id}]
        id_ = self._records.add("companies", {"name": firm.name}, custom, now, user)
        self._note("company", id_, None, firm_id, "firm")
        return id_

    def _edit_card(self, card: CardEdited) -> None:
        id_ = self._id_of("card", card.card)
        before = None if id_ is None else self._records.get("contacts", id_)
        if id_ is None or before is None:
            return
        custom = self._communications("contacts", card.phones, card.emails)
        values = {"first_name": card.first_name, "last_name": card.last_name}
        full = f"{card.first_name} {card.last_name}".strip()
        if (card.first_name, card.last_name) != (before["first_name"], before["last_name"]):
            values["name"] = full
        old = stored_values(before)
        changed = {key: listed for key, listed in custom.items() if listed != old.get(key, [])}
        self._records.update(
            "contacts", id_, values, changed, int(card.at.timestamp()), int(before["responsible_user_id"])
        )

    def _open_deal(self, deal: DealOpened) -> None:
        user, now = user_id(deal.manager), int(deal.at.timestamp())
        custom: CustomValues = {}
        for tag, value in deal.utm.items():
            field = self._registry.by_code("leads", tag.upper())
            if field is not None:
                custom[field.id] = [{"value": value}]
        values = {
            "name": deal.title,
            "price": int(deal.amount * 100),
            "responsible_user_id": user,
            "pipeline_id": MAIN.id,
            "status_id": WORKING[0],
        }
        author = ROBOT if deal.utm else user  # tags come with leads that the site's integration makes
        id_ = self._records.add("leads", values, custom, now, author)
        self._note("lead", id_, deal.person, deal.deal, "deal")
        if deal.utm:
            self._records.set_tags("leads", id_, ["сайт"])
        contact = self._id_of("card", deal.card)
        if contact is None or self._records.get("contacts", contact) is None:
            return
        self._records.link("leads", id_, "contacts", contact, True, now, author)
        for company in self._records.linked("contacts", [contact], "companies").get(contact, []):
            self._records.link("leads", id_, "companies", company["to_id"], False, now, author)

    def _move_deal(self, move: DealMoved) -> None:
        id_ = self._id_of("deal", move.deal)
        before = None if id_ is None else self._records.get("leads", id_)
        if id_ is None or before is None:
            return
        now = int(move.at.timestamp())
        status = {"won": WON, "lost": LOST}[move.stage] if isinstance(move.stage, str) else WORKING[move.stage]
        values = {"pipeline_id": MAIN.id, "status_id": status, "price": int(move.amount * 100)}
        if move.lost_reason:
            values["loss_reason_id"] = self._records.loss_reason(move.lost_reason, now)
        self._records.update("leads", id_, values, {}, now, int(before["responsible_user_id"]))

    def _log_call(self, call: Called) -> None:
        client = call.to_phone if call.direction == "outbound" else call.from_phone
        user = ROBOT if call.manager is None else user_id(call.manager)
        params = {
            "uniq": self._world.secret(KEY, f"call {call.call}"),
            "duration": call.talk_seconds if call.answered else 0,
            "source": "Телефония",
            "link": None,
            "phone": client,
            "call_result": "",
            "call_status": _ANSWERED if call.answered else _NO_ANSWER,
        }
        kind = "call_out" if call.direction == "outbound" else "call_in"
        now = int(call.at.timestamp())
        place = place_of_call(self._records, client)
        if place is None:  # it waits until somebody makes a card of it
            note = self._records.hold_call(kind, params, client, now, user)
        else:
            note = self._records.add_note(*place, kind, params, now, user, user)
        self._world.truth.record(KEY, "call", note, call.person, call.call)


def _filled(custom: CustomValues) -> CustomValues:
    return {key: listed for key, listed in custom.items() if listed}
