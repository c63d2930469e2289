"""What the portal makes of the market's happenings: leads of forms, cards, deals, their moves, calls."""

from __future__ import annotations

import json
from sqlite3 import Connection

from sandbox.vendors.bitrix24 import activities, oauth, portal, telephony
from sandbox.vendors.bitrix24.events import Events
from sandbox.vendors.bitrix24.fields import BY_KEY, COMPANY, CONTACT, DEAL, LEAD, LOST_REASON, Entity
from sandbox.vendors.bitrix24.records import Records, create_tables, digits
from sandbox.vendors.bitrix24.values import Stored, unix
from sandbox.vendors.contract import World
from sandbox.vendors.rows import rows
from sandbox.vendors.switches import Switches, Value
from sandbox.world.happenings import (
    Called,
    CardEdited,
    CardMade,
    DealMoved,
    DealOpened,
    FormSent,
    Happening,
    Visited,
)

KEY = "bitrix24"
SWITCHES: dict[str, Value] = {
    "unordered_pages_overlap": True,  # pages of a list without order repeat a row
    "omit_total": False,
    "needless_next": False,  # next although nothing more follows, when the last page is full
    "items_ignore_iso_times": False,
    "operating_seconds_per_call": 0.0,  # run time that each call pretends to take on top of its real one
    "moved_to": "",  # the portal's new address: the old one answers 302
    "event_handler": "",  # where outgoing events go
}
_STAGES: dict[int | str, str] = {
    0: "NEW",
    1: "PREPARATION",
    2: "PREPAYMENT_INVOICE",
    3: "EXECUTING",
    "won": "WON",
    "lost": "LOSE",
}
_UTM = {f"utm_{part}": f"UTM_{part.upper()}" for part in ("source", "medium", "campaign", "content", "term")}
_TABLES = (
    "CREATE TABLE IF NOT EXISTS bitrix24_source (kind TEXT, origin INTEGER, id INTEGER,"
    " PRIMARY KEY (kind, origin)) WITHOUT ROWID",
    # what the tracker on the site knows until a form is sent from the same visit
    "CREATE TABLE IF NOT EXISTS bitrix24_site_visit (visit INTEGER PRIMARY KEY, utm TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS bitrix24_lost_reason (ID INTEGER PRIMARY KEY, VALUE TEXT NOT NULL UNIQUE)",
    "CREATE TABLE IF NOT EXISTS bitrix24_requisite (ID INTEGER PRIMARY KEY, ENTITY_TYPE_ID INTEGER,"
    " ENTITY_ID INTEGER, PRESET_ID INTEGER, NAME TEXT, RQ_COMPANY_NAME TEXT, RQ_INN TEXT, RQ_KPP TEXT,"
    " RQ_OGRN TEXT)",
    "CREATE TABLE IF NOT EXISTS bitrix24_comment (ID INTEGER PRIMARY KEY AUTOINCREMENT, ENTITY_TYPE TEXT,"
    " ENTITY_ID INTEGER, CREATED INTEGER, AUTHOR_ID INTEGER, COMMENT TEXT)",
    activities.TABLE,
    oauth.TABLE,
    telephony.TABLE,
    telephony.INDEX,
)


def switches(world: World) -> Switches:
    """The portal's switches."""
    return Switches(world, KEY, SWITCHES)


class Bitrix24Projection:
    """Happenings into the portal's rows."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._switches = switches(world)
        self._events = Events(world, self._switches)
        self._records = Records(world.db, self._events.tell)

    def prepare(self, db: Connection) -> None:
        """Make the tables; repeatable."""
        create_tables(db)
        for statement in _TABLES:
            db.execute(statement)
        self._switches.prepare()

    def apply(self, happening: Happening, db: Connection) -> None:
        """Take in one happening; others than these leave no trace in a portal."""
        match happening:
            case Visited() if happening.traffic.utm:
                db.execute(
                    "INSERT INTO bitrix24_site_visit VALUES (?, ?)",
                    (happening.visit, json.dumps(happening.traffic.utm)),
                )
            case FormSent():
                self._lead_of_form(happening)
            case CardMade(crm="bitrix24"):
                self._make_card(happening)
            case CardEdited(crm="bitrix24"):
                self._edit_card(happening)
            case DealOpened(crm="bitrix24"):
                self._open_deal(happening)
            case DealMoved(crm="bitrix24"):
                self._move_deal(happening)
            case Called(crm="bitrix24"):
                self._log_call(happening)
            case _:
                pass

    # -- where records came from

    def _note(self, entity: Entity, id_: int, person: int | None, origin: int, kind: str) -> None:
        self._world.truth.record(KEY, entity.key, id_, person, origin)
        self._world.db.execute("INSERT OR IGNORE INTO bitrix24_source VALUES (?, ?, ?)", (kind, origin, id_))

    def _id_of(self, kind: str, origin: int) -> int | None:
        row = self._world.db.execute(
            "SELECT id FROM bitrix24_source WHERE kind = ? AND origin = ?", (kind, origin)
        ).fetchone()
        return None if row is None else int(row[0])

    # -- forms and leads

    def _lead_of_form(self, form: FormSent) -> None:
        row = self._world.db.execute(
            "SELECT utm FROM bitrix24_site_visit WHERE visit = ?", (form.visit,)
        ).fetchone()
        values: dict[str, Stored] = {
            "TITLE": f"Заполнение CRM-формы «{form.subject}»",
            "NAME": form.typed_name,
            "SOURCE_ID": "WEBFORM",
            "CURRENCY_ID": portal.CURRENCY,
            **_utm(json.loads(row[0]) if row else {}),
        }
        id_ = self._records.add(LEAD, values, form.at, portal.ADMINISTRATOR)
        self._communications(LEAD, id_, [form.typed_phone], [form.typed_email])
        self._note(LEAD, id_, form.person, form.form, "form")

    def _open_lead_of(self, contact: int) -> int | None:
        """The oldest unconverted lead with a phone or an e-mail of the contact, as a manager would find it."""
        found = rows(
            self._world.db,
            "SELECT l.ID FROM bitrix24_multifield mine JOIN bitrix24_multifield theirs"
            " ON theirs.OWNER = 'LEAD' AND theirs.TYPE_ID = mine.TYPE_ID AND (theirs.VALUE = mine.VALUE"
            " OR substr(theirs.DIGITS, -10) = substr(mine.DIGITS, -10))"
            " JOIN bitrix24_lead l ON l.ID = theirs.OWNER_ID AND l.STATUS_SEMANTIC_ID = 'P'"
            " WHERE mine.OWNER = 'CONTACT' AND mine.OWNER_ID = ? ORDER BY l.ID LIMIT 1",
            [contact],
        )
        return found[0]["ID"] if found else None

    # -- cards

    def _communications(self, entity: Entity, id_: int, phones: list[str], emails: list[str]) -> None:
        for kind, values in (("PHONE", phones), ("EMAIL", emails)):
            for place, value in enumerate(value for value in values if value):
                value_type = "WORK" if kind == "EMAIL" or place else "MOBILE"
                self._records.add_multifield(entity, id_, kind, value, value_type)
        self._records.note_multifields(entity, id_)

    def _make_card(self, card: CardMade) -> None:
        user = portal.user_id(card.manager)
        company = None if card.firm is None else self._company(card, card.firm, user)
        values: dict[str, Stored] = {
            "NAME": card.first_name or card.typed_name,
            "LAST_NAME": card.last_name,
            "TYPE_ID": "CLIENT",
            "SOURCE_ID": "ADVERTISING" if card.utm else "CALL",
            "COMPANY_ID": company,
            "BIRTHDATE": None if card.birthday is None else card.birthday.isoformat(),
            "ASSIGNED_BY_ID": user,
            "OPENED": "Y",
            "EXPORT": "Y",
            **_utm(card.utm),
        }
        id_ = self._records.add(CONTACT, values, card.at, user)
        self._communications(CONTACT, id_, list(card.phones), list(card.emails))
        self._note(CONTACT, id_, card.person, card.card, "card")

    def _company(self, card: CardMade, firm_id: int, user: int) -> int:
        known = self._id_of("firm", firm_id)
        if known is not None and self._records.get(COMPANY, known) is not None:
            return known
        firm = self._world.market.firm(firm_id)
        values: dict[str, Stored] = {"TITLE": firm.name, "COMPANY_TYPE": "CUSTOMER", "ASSIGNED_BY_ID": user}
        id_ = self._records.add(COMPANY, values, card.at, user)
        self._communications(COMPANY, id_, [firm.office_phone], [firm.email])
        self._world.db.execute(
            "INSERT INTO bitrix24_requisite (ENTITY_TYPE_ID, ENTITY_ID, PRESET_ID, NAME, RQ_COMPANY_NAME, RQ_INN)"
            " VALUES (4, ?, 1, ?, ?, ?)",
            (id_, "Организация", firm.name, firm.tax_id),
        )
        self._note(COMPANY, id_, None, firm_id, "firm")
        return id_

    def _edit_card(self, card: CardEdited) -> None:
        id_ = self._id_of("card", card.card)
        before = None if id_ is None else self._records.get(CONTACT, id_)
        if id_ is None or before is None:
            return  # deleted through the API meanwhile
        wanted = {("PHONE", phone) for phone in card.phones} | {("EMAIL", email) for email in card.emails}
        present = set()
        for row in self._records.multifields(CONTACT, id_):
            key = (row["TYPE_ID"], row["VALUE"])
            present.add(key)
            if row["TYPE_ID"] in {"PHONE", "EMAIL"} and key not in wanted:
                self._records.remove_multifield(CONTACT, id_, row["ID"])
        fresh_phones = [phone for phone in card.phones if ("PHONE", phone) not in present]
        fresh_emails = [email for email in card.emails if ("EMAIL", email) not in present]
        self._communications(CONTACT, id_, fresh_phones, fresh_emails)
        values: dict[str, Stored] = {"NAME": card.first_name, "LAST_NAME": card.last_name}
        self._records.update(CONTACT, id_, values, card.at, int(before["ASSIGNED_BY_ID"]))

    # -- deals

    def _open_deal(self, deal: DealOpened) -> None:
        user = portal.user_id(deal.manager)
        contact_id = self._id_of("card", deal.card)
        contact = None if contact_id is None else self._records.get(CONTACT, contact_id)
        lead = self._convert(deal, contact, user) if deal.from_lead else None
        by_site = bool(deal.utm)
        values: dict[str, Stored] = {
            "TITLE": deal.title,
            "OPPORTUNITY": int(deal.amount * 100),
            "IS_MANUAL_OPPORTUNITY": "Y",
            "CONTACT_ID": contact["ID"] if contact else None,
            "COMPANY_ID": contact["COMPANY_ID"] if contact else None,
            "LEAD_ID": lead,
            "ASSIGNED_BY_ID": user,
            "OPENED": "Y",
            "SOURCE_ID": "WEB" if by_site else "CALL",
            "ORIGINATOR_ID": "site" if by_site else None,
            "ORIGIN_ID": f"order-{deal.deal}" if by_site else None,
            "IS_RETURN_CUSTOMER": "Y" if contact and self._bought_before(contact["ID"]) else "N",
            **_utm(deal.utm),
        }
        id_ = self._records.add(DEAL, values, deal.at, user)
        self._note(DEAL, id_, deal.person, deal.deal, "deal")

    def _bought_before(self, contact: int) -> bool:
        found = self._world.db.execute(
            "SELECT 1 FROM bitrix24_deal d JOIN bitrix24_link k ON k.FROM_TYPE = 'DEAL' AND k.FROM_ID = d.ID"
            " WHERE k.TO_ID = ? AND d.STAGE_SEMANTIC_ID = 'S' LIMIT 1",
            (contact,),
        ).fetchone()
        return found is not None

    def _convert(self, deal: DealOpened, contact: dict[str, int] | None, user: int) -> int:
        """The lead that this deal began as: the form's, if one waits, or one typed by the manager."""
        lead = self._open_lead_of(contact["ID"]) if contact else None
        if lead is None:
            values: dict[str, Stored] = {
                "TITLE": deal.title,
                "NAME": contact["NAME"] if contact else None,
                "LAST_NAME": contact["LAST_NAME"] if contact else None,
                "SOURCE_ID": "CALL",
                "CURRENCY_ID": portal.CURRENCY,
                "ASSIGNED_BY_ID": user,
                **_utm(deal.utm),
            }
            lead = self._records.add(LEAD, values, deal.at, user)
            if contact:
                for one in self._records.multifields(CONTACT, contact["ID"]):
                    self._records.add_multifield(LEAD, lead, one["TYPE_ID"], one["VALUE"], one["VALUE_TYPE"])
                self._records.note_multifields(LEAD, lead)
            self._note(LEAD, lead, deal.person, deal.deal, "lead_of_deal")
        converted: dict[str, Stored] = {"STATUS_ID": "CONVERTED", "CONTACT_ID": contact["ID"] if contact else None}
        self._records.update(LEAD, lead, converted, deal.at, user)
        return lead

    def _move_deal(self, move: DealMoved) -> None:
        id_ = self._id_of("deal", move.deal)
        before = None if id_ is None else self._records.get(DEAL, id_)
        if id_ is None or before is None:
            return
        stage = _STAGES[move.stage]
        category = before["CATEGORY_ID"]
        values: dict[str, Stored] = {
            "STAGE_ID": f"C{category}:{stage}" if category else stage,
            "OPPORTUNITY": int(move.amount * 100),
        }
        if move.lost_reason:
            values[LOST_REASON] = self._lost_reason(move.lost_reason)
        self._records.update(DEAL, id_, values, move.at, int(before["ASSIGNED_BY_ID"]))

    def _lost_reason(self, text: str) -> int:
        db = self._world.db
        db.execute("INSERT OR IGNORE INTO bitrix24_lost_reason (VALUE) VALUES (?)", (text,))
        return int(db.execute("SELECT ID FROM bitrix24_lost_reason WHERE VALUE = ?", (text,)).fetchone()[0])

    # -- calls

    def _log_call(self, call: Called) -> None:
        client, line = call.from_phone, call.to_phone
        if call.direction == "outbound":
            client, line = line, client
        owners = self._records.owners_of_phone(client)
        owner_type, owner_id = owners[0] if owners else (None, None)
        cursor = self._world.db.execute(
            "INSERT INTO bitrix24_call (CALL_ID, PORTAL_USER_ID, PORTAL_NUMBER, PHONE_NUMBER, CALL_TYPE,"
            " CALL_DURATION, CALL_START_DATE, CALL_FAILED_CODE, CALL_FAILED_REASON, CALL_RECORD_URL,"
            " COST_CURRENCY, CRM_ENTITY_TYPE, CRM_ENTITY_ID)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'RUR', ?, ?)",
            (
                f"{self._world.seed:08X}{call.call:08X}.{unix(call.at)}.{call.call}",
                portal.ADMINISTRATOR if call.manager is None else portal.user_id(call.manager),
                line,
                # the line decides whether numbers come with a plus
                client if call.call % 2 else digits(client),
                1 if call.direction == "outbound" else 2,
                call.talk_seconds if call.answered else 0,
                unix(call.at),
                "200" if call.answered else "304",
                "Success call" if call.answered else "Skipped call",
                "" if call.answered else None,
                owner_type,
                owner_id,
            ),
        )
        id_ = int(cursor.lastrowid or 0)
        self._world.db.execute("UPDATE bitrix24_call SET CRM_ACTIVITY_ID = ? WHERE ID = ?", (id_ + 7000, id_))
        if owner_type and owner_id:
            entity = BY_KEY[owner_type.lower()]
            self._world.db.execute(
                f"UPDATE {entity.table} SET LAST_ACTIVITY_TIME = ? WHERE ID = ?",  # noqa: S608  # our own name
                (unix(call.at), owner_id),
            )
        self._world.truth.record(KEY, "call", id_, call.person, call.call)
        self._events.tell_call(id_)


def _utm(tags: dict[str, str]) -> dict[str, Stored]:
    return {_UTM[name]: value for name, value in tags.items() if name in _UTM}
